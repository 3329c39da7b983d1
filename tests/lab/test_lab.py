"""Chapters in JupyterLab, in a browser: they run from top to bottom, and their controls move.

Needs Chromium. By default chapter 1 alone is run; for others, from finished runs:

    OCCKD_LAB="04_kd 18_real_occlusion" OCCKD_OUTPUTS=outputs .venv/bin/pytest tests/lab
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

from PIL import Image

from occkd_lib.plots.photo import drawn_photo
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

BUTTON = "panel.node.querySelector('.widget-upload')"


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


def test_a_photo_of_ones_own_is_chosen_and_asked_about(lab: Page, tmp_path: Path):
    chapter = "18_real_occlusion"
    if chapter not in CHAPTERS:
        pytest.skip("chapter 18 was not asked for")
    photo = tmp_path / "a photo.jpg"
    Image.fromarray(drawn_photo("headset")).save(photo)
    lab.run(RUN % chapter)
    lab.wait(f"Boolean({BUTTON})", 60)
    lab.run(f"window.box = {BUTTON}.closest('.jp-Cell'); box.scrollIntoView()")
    lab.wait("Boolean(box.querySelector('img'))", 60)
    before = lab.run("box.querySelector('img').src")
    # a dialogue opens outside of the page: remember whose it would be, and choose the file there
    lab.run("HTMLInputElement.prototype.click = function () { window.asked = this; }")
    lab.run(f"{BUTTON}.click()")
    lab.choose("asked", photo)
    lab.wait(f"box.querySelector('img')?.src !== {before!r}", 60)
    if kept := os.environ.get("OCCKD_LAB_PICTURE"):
        Path(kept).write_text(lab.run("box.querySelector('img').src"))
