"""``occkd predict`` where names, disks and boxes are not as one wishes."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from occkd_lib.apply.model import save_model
from tests.apply.test_model import facts, random_net
from tests.apply.test_predict import occkd


@pytest.fixture
def model(tmp_path):
    chosen = facts()
    save_model(tmp_path / "m", random_net(chosen), chosen)
    return tmp_path / "m"


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / f"{'n' * 250}.png"  # as long as a name may be
    Image.fromarray(np.arange(60 * 60 * 3, dtype=np.uint8).reshape(60, 60, 3)).save(path)
    return path


def test_a_long_name_and_a_box_below_a_pixel_are_drawn(model, photo, tmp_path):
    box = ("--box", "10,10,10.4,10.4")
    done = occkd("predict", model, photo, *box, "--draw", tmp_path / "d", "--cam")
    assert done.exit_code == 0, done.exception
    assert len(json.loads(done.output)["faces"]) == 1
    names = sorted(os.listdir(tmp_path / "d"))
    assert [name.replace("n" * 200, "_") for name in names] == ["00001-_-face0.png", "00001-_.png"]


@pytest.mark.parametrize("box", ["3e9,0,3000000009,9", "60,0,70,10", "-9,0,0,9"])
def test_a_box_beside_the_photo(model, photo, box):
    done = occkd("predict", model, photo, f"--box={box}")
    assert done.exit_code == 1
    assert "lies beside the photo (60x60)" in json.loads(done.output)["error"]


def test_a_folder_that_takes_no_picture(model, photo, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    done = occkd("predict", model, photo, "--crop", "--draw", tmp_path / "d")
    assert "takes no more pictures (No space left on device)" in str(done.exception)


def test_a_name_that_is_too_long(model, photo):
    for paths in ((model, "n" * 300), ("n" * 300, photo), (model, "n" * 300, "--box", "0,0,9,9")):
        done = occkd("predict", *paths, "--crop")
        assert any(w in str(done.exception) for w in ("does not exist", "is missing")), paths


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has a disk that is full")
def test_a_full_disk_is_one_line(model, photo):
    command = [sys.executable, "-m", "occkd_lib", "predict", str(model), str(photo), "--crop"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert done.stderr.startswith("occkd: [Errno 28] No space left on device")
