"""Working copies: renewed while nobody has edited them, and never over what a reader wrote."""

import json
import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from occkd_lib.execution.copies import RECORD, lab_command, moved, working_copies

LINKS = "[4](04_kd.ipynb), [ours](../outputs/reference/trunk), ![q](../models/q.png), ../not"


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A book of one chapter."""
    (tmp_path / "notebooks" / "text").mkdir(parents=True)
    monkeypatch.setenv("OCCKD_ROOT", str(tmp_path))
    monkeypatch.delenv("OCCKD_OUTPUTS", raising=False)
    chapter(tmp_path, "1 + 1")
    return tmp_path


def chapter(root, code, name="01_data"):
    cells = [new_markdown_cell(LINKS, id="a"), new_code_cell(code, id="b")]
    nbformat.write(new_notebook(cells=cells), root / "notebooks" / f"{name}.ipynb")


def changed(path, **cell):
    """The last cell of a notebook, as a reader leaves it."""
    book = nbformat.read(path, 4)
    book.cells[-1].update(cell)
    nbformat.write(book, path)


def code_of(folder, name="01_data"):
    return nbformat.read(folder / f"{name}.ipynb", 4).cells[-1].source


def copies(root):
    said = []
    return working_copies(root, said.append), said


def test_links_lead_where_they_did(root):
    lab, _ = copies(root)
    assert lab == root / "outputs" / "lab"
    assert nbformat.read(lab / "01_data.ipynb", 4).cells[0].source == (
        "[4](04_kd.ipynb), [ours](../../outputs/reference/trunk), ![q](../../models/q.png), ../not"
    )


def test_a_link_to_a_folder_leads_to_a_page_where_there_is_one(root):
    (root / "outputs" / "reference" / "trunk").mkdir(parents=True)
    (root / "outputs" / "reference" / "trunk" / "index.html").touch()
    (root / "outputs" / "reference" / "laptop").mkdir()
    (root / "models").mkdir()
    text = "[a](../outputs/reference/trunk) [b](../outputs/reference/laptop/) [c](../models)"
    with_links = json.dumps({"cells": [{"cell_type": "markdown", "source": [text]}]})

    def links():
        [cell] = json.loads(moved(with_links, root, root / "outputs" / "lab"))["cells"]
        return re.findall(r"\]\(../../([^)]*)", cell["source"][0])

    assert links() == ["outputs/reference/trunk/index.html", "outputs/reference/laptop", "models"]
    (root / "RESULTS.md").touch()
    assert links()[1:] == ["RESULTS.md", "models"]


def test_a_chapter_that_was_only_run_is_renewed_when_it_changes(root):
    lab, _ = copies(root)
    output = nbformat.v4.new_output("stream", text="2")
    changed(lab / "01_data.ipynb", outputs=[output], execution_count=1)
    copies(root)
    assert nbformat.read(lab / "01_data.ipynb", 4).cells[-1].outputs, "nothing new: it stays"
    chapter(root, "2 + 2")
    _, said = copies(root)
    assert code_of(lab) == "2 + 2" and said == []
    chapter(root, "3 + 3")
    copies(root)
    assert code_of(lab) == "3 + 3", "and once more"


def test_what_a_reader_wrote_stays_and_is_named(root):
    lab, _ = copies(root)
    changed(lab / "01_data.ipynb", source="mine")
    assert copies(root)[1] == [] and code_of(lab) == "mine"
    chapter(root, "2 + 2")
    _, said = copies(root)
    assert code_of(lab) == "mine" and len(said) == 1 and "was edited and stays" in said[0]
    (lab / "01_data.ipynb").unlink()
    copies(root)
    assert code_of(lab) == "2 + 2", "a copy that was deleted comes back"


@pytest.mark.parametrize("record", ["", "{", None])
def test_without_a_record_every_copy_counts_as_edited(root, record):
    lab, _ = copies(root)
    (lab / RECORD).unlink() if record is None else (lab / RECORD).write_text(record)
    chapter(root, "2 + 2")
    _, said = copies(root)
    assert code_of(lab) == "1 + 1" and len(said) == 1


def test_a_broken_copy_is_not_taken_for_the_chapter(root):
    lab, _ = copies(root)
    (lab / "01_data.ipynb").write_text("{")
    chapter(root, "2 + 2")
    copies(root)
    assert (lab / "01_data.ipynb").read_text() == "{"


def test_new_chapters_come_and_a_reader_s_own_notebooks_stay(root):
    lab, _ = copies(root)
    chapter(root, "own", "my_notes")
    (root / "notebooks" / "my_notes.ipynb").rename(lab / "my_notes.ipynb")
    chapter(root, "3", "02_teachers")
    copies(root)
    assert (code_of(lab, "02_teachers"), code_of(lab, "my_notes")) == ("3", "own")
    assert set(json.loads((lab / RECORD).read_text())) == {"01_data.ipynb", "02_teachers.ipynb"}


def test_lab_opens_the_copies_and_authors_the_chapters(root, tmp_path_factory, monkeypatch):
    before = (root / "notebooks" / "01_data.ipynb").read_bytes()
    asked = lab_command(False, root, ["--no-browser"])
    assert asked == [
        f"--ServerApp.root_dir={root}", "--LabApp.default_url=/lab/tree/outputs/lab",
        "--no-browser",
    ]  # fmt: skip
    assert (root / "outputs" / "lab" / "01_data.ipynb").is_file()
    monkeypatch.setenv("OCCKD_OUTPUTS", str(tmp_path_factory.mktemp("elsewhere")))
    assert lab_command(True, root, [])[1] == "--LabApp.default_url=/lab/tree/notebooks"
    assert (root / "notebooks" / "01_data.ipynb").read_bytes() == before
    elsewhere = lab_command(False, root, [])[0].removeprefix("--ServerApp.root_dir=")
    assert elsewhere.endswith("/lab") and not elsewhere.startswith(str(root))
