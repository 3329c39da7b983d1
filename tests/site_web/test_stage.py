"""The pages of the web site: what stage.py makes of the project's own texts."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import stage
import yaml

ROOT = Path(__file__).parents[2]

CARD = "---\nlicense: mit\n---\n# Apparent age\n\nSee [the guide](../../../GUIDE.md).\n"


@pytest.fixture
def project(tmp_path) -> Path:
    """A project of two chapters, a model and a recipe."""
    files = {
        "README.md": "# Half a face\n[one](notebooks/01_data.ipynb) [all](outputs/reference)\n",
        "GUIDE.md": "# Guide\n\n## Your own faces\n\nwords\n\n## Clusters\n",
        "RESULTS.md": "[t](outputs/reference/laptop/table1.md) [r](outputs/reference/later/x.md)\n",
        "CONTRIBUTING.md": "[own](tests/own_code) [out](https://example.org) [in](#the-house)\n",
        "site/pages/index.md": "# Half a face\n",
        "site/pages/own-data.md": '```{include} GUIDE.md\n:start-after: "## Your own faces"\n```\n',
        "models/age/upper/card.md": CARD,
        "tests/own_code/my_own.py": "mine = 1\n",
        "occkd_lib/config/recipes/laptop.yaml": "description: on two cores\n",
        "outputs/reference/laptop/summary.csv": "a\n1\n",
        "outputs/reference/laptop/test.parquet": "faces",
        "outputs/reference/laptop/index.html": "<p>",
        "outputs/reference/laptop/table1.tex": "\\caption{Table 1. seeds: 5} \\\\",
        "outputs/reference/laptop/table1.csv": "a,b\n1,2\n3,4\n",
        "outputs/reference/laptop/figures/face.png": "",
        "workflow/chapters.yaml": yaml.safe_dump(
            {
                "00_start": {"title": "start", "about": "the question", "seconds": 5},
                "01_data": {"title": "data", "about": "which faces", "seconds": 6},
            }
        ),
    }
    words = (
        "## Notation\n\n| $x$ | a face |\n",
        "## Glossary\n\n| **hint** | [told](04_kd.ipynb) |\n",
    )
    link = (
        "back to [start](00_start.ipynb), [the table](../outputs/reference/laptop/table1.md), "
        "[down](#What-is-missing)"
    )
    for name, texts in {"00_start": words, "01_data": (link,)}.items():
        cells = [{"cell_type": "markdown", "metadata": {}, "source": [text]} for text in texts]
        files[f"notebooks/{name}.ipynb"] = json.dumps({"cells": cells, "metadata": {}})
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture
def source(project, monkeypatch) -> Path:
    """What Sphinx would read of it."""
    monkeypatch.setenv("OCCKD_OUTPUTS", str(project / "nothing"))
    old = project / "build" / "source" / "old.md"
    old.parent.mkdir(parents=True)
    old.write_text("of a page that is no more")
    stage.stage(project, project / "build")
    assert not old.exists()
    return project / "build" / "source"


def test_links_lead_to_pages_of_the_site(source):
    assert (
        "[one](/notebooks/01_data.ipynb) [all](/results.md)" in (source / "README.md").read_text()
    )
    table, to_come = "/outputs/reference/laptop/index.md#table-1", "/results.md"
    assert (source / "RESULTS.md").read_text() == f"[t]({table}) [r]({to_come})\n"
    same = "[out](https://example.org) [in](#the-house)"
    assert (source / "CONTRIBUTING.md").read_text() == f"[own](/own-network.md) {same}\n"


def test_a_section_of_the_guide_is_the_page_that_includes_it(project):
    link = stage.Stage(project, project / "build").relinked
    assert link("[f](GUIDE.md#your-own-faces)", ".") == "[f](/own-data.md)"
    assert link("[g](../GUIDE.md#clusters)", "notebooks") == "[g](/run.md)"
    assert link("[n](nowhere.md)", ".") == "[n](nowhere.md)"


def test_chapters_keep_everything_but_their_links(source, project):
    here = json.loads((source / "notebooks" / "01_data.ipynb").read_text())
    text = "back to [start](/notebooks/00_start.ipynb), "
    text += "[the table](/outputs/reference/laptop/index.md#table-1), [down](#what-is-missing)"
    assert here["cells"] == [{"cell_type": "markdown", "metadata": {}, "source": text}]


def test_controls_go_and_their_pictures_stay(project):
    site = stage.Stage(project, project / "build")
    picture = {"output_type": "display_data", "data": {"image/png": ""}}
    text = {"output_type": "stream", "text": "said"}
    control = {"output_type": "display_data", "data": {stage.CONTROL: {}, "text/plain": ""}}
    cell = {"cell_type": "code", "source": "x", "outputs": [picture, control, text]}
    book = {"cells": [cell], "metadata": {"widgets": {"state": {}}}}
    path = project / "notebooks" / "02_teachers.ipynb"
    path.write_text(json.dumps(book))
    site.notebook(path)
    shown = json.loads((site.source / "notebooks" / path.name).read_text())
    assert shown == {"cells": [cell | {"outputs": [picture, text]}], "metadata": {}}


def test_a_card_loses_its_header_only(source):
    card = (source / "models" / "age" / "upper" / "card.md").read_text()
    assert card == "# Apparent age\n\nSee [the guide](/run.md).\n"
    listed = (source / "parts" / "models.md").read_text()
    assert "| [`models/age/upper`](/models/age/upper/card.md) | Apparent age |" in listed


def test_a_recipe_has_a_page_and_its_files_without_faces(source):
    page = (source / "outputs" / "reference" / "laptop" / "index.md").read_text()
    assert page.startswith("# Results of `laptop`\n\non two cores\n")
    assert (source / "outputs" / "reference" / "laptop" / "figures" / "face.png").is_file()
    extra = source.parent / "extra" / "outputs" / "reference" / "laptop"
    assert (extra / "table1.csv").is_file() and (extra / "page.html").is_file()
    assert not (extra / "test.parquet").exists() and not (extra / "index.html").exists()


def test_the_contents_have_every_chapter_in_its_part():
    chapters = yaml.safe_load((ROOT / "workflow" / "chapters.yaml").read_text())
    table, *trees = stage.contents(chapters).split("\n\n```{toctree}\n")
    assert len(table.splitlines()) == 2 + len(chapters)
    parts = {}
    for tree in trees:
        hidden, caption, _, *files, _ = tree.strip().splitlines()
        assert hidden == ":hidden:"
        parts[caption.removeprefix(":caption: ")] = [Path(file).name[:2] for file in files if file]
    assert list(parts) == list(stage.PARTS.values())
    assert [len(files) for files in parts.values()] == [1, 10, 4, 4, 1]
    assert [n for files in parts.values() for n in files] == [name[:2] for name in chapters]


def test_the_glossary_has_every_word_of_chapter_0():
    notation, glossary = stage.words(ROOT / "notebooks" / "00_start.ipynb")
    assert "| symbol |" in notation and "## " not in notation
    book = json.loads((ROOT / "notebooks" / "00_start.ipynb").read_text())
    cells = ["".join(cell["source"]) for cell in book["cells"]]
    table = next(cell for cell in cells if cell.startswith("## Glossary"))
    rows = [line for line in table.splitlines() if line.startswith("| **")]
    terms = [line for line in glossary.splitlines()[1:-1] if line and not line.startswith("  ")]
    assert len(terms) == table.count("**") // 2 >= len(rows) > 20
    meanings = [line.strip() for line in glossary.splitlines() if line.startswith("  ")]
    assert meanings == [row.rsplit(" | ", 1)[1].removesuffix(" |") for row in rows]


def test_every_recipe_with_a_reference_and_every_page_is_there():
    pages = stage.site_pages(ROOT)
    for summary in (ROOT / "outputs" / "reference").glob("*/summary.csv"):
        name = f"outputs/reference/{summary.parent.name}"
        assert pages[name] == f"{name}/index.md"
    guide = (ROOT / "GUIDE.md").read_text().splitlines()
    for heading in (line[3:] for line in guide if line.startswith("## ")):
        assert f"GUIDE.md#{stage.slug(heading)}" in pages, f"no page includes {heading}"


def test_every_part_that_a_page_includes_is_made(source):
    pages = (ROOT / "site" / "pages").rglob("*.md")
    part = re.compile(r"\{include\} (?:\.\./)?(parts/\S+)")
    parts = {name for page in pages for name in part.findall(page.read_text())}
    assert len(parts) == 7 and all((source / part).read_text() for part in parts)
    assert "[data](/notebooks/01_data.ipynb)" in (source / "parts" / "contents.md").read_text()
