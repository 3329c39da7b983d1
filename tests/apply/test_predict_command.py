"""``occkd predict`` where names, disks and boxes are not as one wishes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from occkd_lib.apply.detect import Face
from occkd_lib.apply.model import save_model
from occkd_lib.errors import OcckdError
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
    assert "is missing" in str(occkd("predict", "n" * 300, photo, "--crop").exception)
    for more in ((), ("--box", "0,0,9,9")):
        done = occkd("predict", model, "n" * 300, "--crop", *more)
        assert done.exit_code == 1 and "does not exist" in json.loads(done.output)["error"]


def test_a_missing_photo_stops_nothing(model, photo, tmp_path):
    gone = tmp_path / "gone.jpg"
    done = occkd("predict", model, photo, gone, photo, "--crop")
    first, missing, last = map(json.loads, done.output.splitlines())
    assert done.exit_code == 1 and first == last and len(first["faces"]) == 1
    assert missing == {"photo": str(gone), "error": f"{gone} does not exist: is the name right?"}


def test_a_crop_that_nobody_knows_is_refused_once(model, photo, tmp_path, monkeypatch):
    """The model's style is "folder"; a search would fail for every photo alike."""
    monkeypatch.setattr("occkd_lib.apply.detect.session", lambda: None)
    done = occkd("predict", model, photo, photo)
    assert isinstance(done.exception, OcckdError) and not done.output
    assert "say --crop for photos that are cut alike, or --box" in str(done.exception)
    for told in (("--crop",), ("--box", "1,1,50,50"), ("--detector", "whole")):
        assert occkd("predict", model, photo, *told).exit_code == 0
    own = ("--detector", "tests.apply.test_predict_command:cropped")
    assert occkd("predict", model, photo, *own).exit_code == 0


def cropped(image):
    """A detector of one's own that knows how faces are cut."""
    return [Face((0, 0, 40, 40), 1.0, cropped=True)]


def test_names_of_pictures_have_no_line_breaks(model, photo, tmp_path):
    odd = photo.rename(tmp_path / "a\n\x1b\u2028b\udcff ü.png")
    done = occkd("predict", model, odd, "--crop", "--draw", tmp_path / "d")
    assert done.exit_code == 0 and done.output.count("\n") == 1
    assert json.loads(done.output)["photo"] == str(odd)
    assert os.listdir(tmp_path / "d") == ["00001-a___b_ ü.png"]


def test_a_folder_with_models_below_says_which(model, photo, tmp_path):
    for name in ("x/full", "x/lower", "y/full"):
        (tmp_path / "all" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(model, tmp_path / "all" / name)
    done = occkd("predict", tmp_path / "all", photo, "--crop")
    assert f"no model itself, but {tmp_path}/all/x, {tmp_path}/all/y do" in str(done.exception)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has a disk that is full")
def test_a_full_disk_is_one_line(model, photo):
    command = [sys.executable, "-m", "occkd_lib", "predict", str(model), str(photo), "--crop"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert done.stderr.startswith("occkd: [Errno 28] No space left on device")
