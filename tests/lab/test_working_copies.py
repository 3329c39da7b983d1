"""``occkd lab`` in a browser: a chapter is run and saved, and the book itself stays as it was."""

from __future__ import annotations

import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

pytest.importorskip("jupyterlab", reason="JupyterLab is in the extra 'lab'")
pytest.importorskip("websocket", reason="comes with JupyterLab")

from tests.lab.browser import jupyterlab
from tests.lab.test_lab import CHROMIUM, RUN

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium")

SAVE = "window.panel.context.save().then(() => true)"
LINK = "window.panel.node.querySelector('.jp-RenderedMarkdown a[href*=\"%s\"]')"
OPEN = "[...window.jupyterapp.shell.widgets('main')].some(w => w.context?.path === '%s')"


@pytest.fixture
def root(tmp_path):
    """A book of two chapters, with a result."""
    for folder in ("notebooks", "workflow", "outputs/reference"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "workflow" / "chapters.yaml").touch()
    (tmp_path / "outputs" / "reference" / "table.md").write_text("a table")
    text = new_markdown_cell("[next](02_b.ipynb), [table](../outputs/reference/table.md)", id="m")
    codes = [new_code_cell(f"print({k})", id=f"c{k}") for k in range(5)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    for name in ("01_a", "02_b"):
        book = new_notebook(cells=[text, *codes], metadata=kernel)
        nbformat.write(book, tmp_path / "notebooks" / f"{name}.ipynb")
    return tmp_path


def test_a_saved_chapter_leaves_the_book_alone_and_its_links_work(
    root, tmp_path_factory, monkeypatch
):
    monkeypatch.delenv("OCCKD_OUTPUTS", raising=False)
    profile = tmp_path_factory.mktemp("browser")
    before = {path: path.read_bytes() for path in (root / "notebooks").iterdir()}
    command = [sys.executable, "-m", "occkd_lib", "lab", "--"]
    made = {"OCCKD_ROOT": str(root), "JUPYTER_CONFIG_DIR": str(profile / "config")}
    with jupyterlab(CHROMIUM, command, made, profile / "chromium", 90) as shown:
        said = shown.run(RUN % "outputs/lab/01_a")
        assert said == {"errors": [], "run": 5}
        assert shown.run(SAVE)
        for name, path in (("table.md", "outputs/reference/table.md"),
                           ("02_b", "outputs/lab/02_b.ipynb")):  # fmt: skip
            shown.wait(f"Boolean({LINK % name})", 30)
            shown.run(f"{LINK % name}.click()")
            shown.wait(OPEN % path, 30)
    assert {path: path.read_bytes() for path in (root / "notebooks").iterdir()} == before
    copy = nbformat.read(root / "outputs" / "lab" / "01_a.ipynb", 4)
    assert copy.cells[1].outputs, "the copy has what was run"
