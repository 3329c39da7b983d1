"""GUIDE.md, "Your own faces", as its reader follows it: from pictures and a list to a page."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from occkd_lib.data import load_faces

REPOSITORY = Path(__file__).parents[2]
GUIDE = (REPOSITORY / "GUIDE.md").read_text()
WORDS = ("calm", "keen", "tired")


@pytest.fixture
def here(tmp_path):
    """A folder with drawn faces, some of them in a corner of their picture, their list, and the
    guide's recipe, shortened."""
    faces = load_faces("synthetic", task="expression", faces=120, cache=False)
    rows, home = ["file,label,box"], tmp_path / "my_faces"
    home.mkdir()
    for i in range(60):
        face = Image.fromarray(faces.images[i, 0].numpy())
        picture, box = face, ""
        if i % 2:
            picture, box = Image.new("L", (90, 80)), f"20 10 {20 + face.width} {10 + face.height}"
            picture.paste(face, (20, 10))
        picture.save(home / f"{i}.png")
        rows.append(f"{i}.png,{WORDS[int(faces.targets[i]) % 3]},{box}")
    (home / "labels.csv").write_text("\n".join(rows))
    recipe = re.search(r"```yaml\n(name: mine.*?)```", GUIDE, re.DOTALL)[1]
    short = re.sub(r"epochs: \d+", "epochs: 1", recipe)
    told = "[01_data, 02_teachers, 03_students, 19_report]"
    assert f"chapters: {told}" in short
    short = short.replace(told, "[03_students, 19_report]")
    (tmp_path / "mine.yaml").write_text(short)
    return tmp_path


def test_the_guide_from_pictures_to_a_page(here):
    """Told where it was given, although notebooks run elsewhere and $OCCKD_DATA says nothing."""
    places = {"OCCKD_OUTPUTS": str(here / "outputs"), "OCCKD_ROOT": str(REPOSITORY)}
    known = {k: v for k, v in os.environ.items() if k not in ("OCCKD_DATA", "OCCKD_HERE")}
    ran = subprocess.run(
        [sys.executable, "-m", "occkd_lib", "run", "mine.yaml", "--cores", "1"],
        cwd=here, env={**known, **places}, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    folder = here / "outputs" / "mine" / "results"
    page = (folder / "index.html").read_text()
    assert "The results in short" in page and "student, lower half" in page
    assert "No finished run of this recipe belongs here" not in page, "no table of a paper's"
    titles = set(pd.read_csv(folder / "headline.csv")["method"])
    assert {"teacher", "student, upper half", "student, lower half"} <= titles
    assert not [*folder.glob("table*")]
