"""Chapters in JupyterLab, in a browser: they run from top to bottom, and their controls move.

Needs Chromium. By default chapter 1 alone is run; for others, from finished runs:

    OCCKD_LAB="04_kd 05_triplet_kd" OCCKD_OUTPUTS=outputs .venv/bin/pytest tests/lab
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("jupyterlab", reason="JupyterLab is in the extra 'lab'")
pytest.importorskip("websocket", reason="comes with JupyterLab")

from tests.lab.browser import Page, jupyterlab

REPOSITORY = Path(__file__).parents[2]
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
CHAPTERS = os.environ.get("OCCKD_LAB", "01_data").split()
LONGEST = 120  # seconds a chapter, from finished runs

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium")

RUN = """(async () => {
  const commands = window.jupyterapp.commands;
  const panel = await commands.execute("docmanager:open", {path: "%s.ipynb"});
  await panel.context.ready;
  await panel.sessionContext.ready;
  await commands.execute("notebook:run-all-cells");
  window.panel = panel;
  const cells = [...panel.content.model.cells];
  const errors = cells.flatMap(cell => cell.outputs ? cell.outputs.toJSON() : [])
    .filter(output => output.output_type === "error").map(output => output.evalue);
  return {errors, run: cells.filter(cell => cell.executionCount).length};
})()"""
BOX = (
    "[...panel.node.querySelectorAll('.jp-Cell')].find(cell => cell.querySelector('.widget-hbox'))"
)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """JupyterLab on copies of the chapters, in a page."""
    folder = tmp_path_factory.mktemp("lab")
    for chapter in CHAPTERS:
        shutil.copy(REPOSITORY / "notebooks" / f"{chapter}.ipynb", folder)
    outputs = os.environ.get("OCCKD_OUTPUTS", str(folder / "outputs"))
    made = {"OCCKD_OUTPUTS": str(Path(outputs).resolve()), "OCCKD_ROOT": str(REPOSITORY),
            "OMP_NUM_THREADS": "1", "JUPYTER_CONFIG_DIR": str(folder / ".config")}  # fmt: skip
    command = [sys.executable, "-m", "jupyterlab", str(folder)]
    with jupyterlab(CHROMIUM, command, made, folder / ".chromium", 60) as shown:
        yield shown


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_by_hand(lab: Page, chapter: str):
    begun = time.monotonic()
    said = lab.run(RUN % chapter)
    assert said["errors"] == [] and said["run"] > 3
    assert time.monotonic() - begun < LONGEST


def test_a_moved_control_draws_the_picture_anew(lab: Page):
    if "01_data" not in CHAPTERS:
        pytest.skip("chapter 1 was not asked for")
    lab.run(RUN % "01_data")
    lab.run(f"{BOX}.scrollIntoView()")
    lab.wait(f"Boolean({BOX}?.querySelector('select') && {BOX}.querySelector('img'))", 30)
    before = lab.run(f"{BOX}.querySelector('img').src")
    lab.run(
        f"(() => {{ const menu = {BOX}.querySelector('select'); menu.selectedIndex = 2; "
        "menu.dispatchEvent(new Event('change', {bubbles: true})); })()"
    )
    lab.wait(f"{BOX}.querySelector('img').src !== {before!r}", 30)
