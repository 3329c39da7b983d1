"""Photos as anyone has them, each made by hand."""

from __future__ import annotations

import io
import os
import struct
import tracemalloc
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from occkd_lib.apply.photos import MOST_BYTES, SUFFIXES, UNREAD, photos_in, read_photo
from occkd_lib.errors import OcckdError

# orientation -> what EXIF says has been done to the upright picture, as numpy does it
STORED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, -1),
}


def noise(height=6, width=10, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def saved(path, image, **options):
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path, **options)
    return path


@pytest.mark.parametrize("orientation", STORED)
def test_every_exif_orientation_is_turned_upright(tmp_path, orientation):
    upright, exif = noise(), Image.Exif()
    exif[0x0112] = orientation
    stored = np.ascontiguousarray(STORED[orientation](upright))
    path = saved(tmp_path / "a.png", stored, exif=exif)
    assert np.array_equal(read_photo(path), upright)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "ppm", "webp"])
def test_formats_without_loss(tmp_path, suffix):
    options = {"lossless": True} if suffix == "webp" else {}
    photo = read_photo(saved(tmp_path / f"a.{suffix}", noise(), **options))
    assert photo.dtype == np.uint8 and np.array_equal(photo, noise())


def test_cmyk(tmp_path):
    ink = np.zeros((8, 8, 4), np.uint8)
    ink[..., 0] = 255  # cyan alone takes all the red away
    image = Image.fromarray(ink, mode="CMYK")
    for name in ("a.tif", "a.jpg"):
        photo = read_photo(saved(tmp_path / name, image))
        assert photo.shape == (8, 8, 3)
        assert photo[..., 0].max() < 8 and photo[..., 1:].min() > 247


def test_grey_and_black_and_white(tmp_path):
    grey = noise()[..., 0]
    assert np.array_equal(read_photo(saved(tmp_path / "a.png", grey)), np.stack([grey] * 3, 2))
    bits = Image.fromarray(grey > 127)
    assert bits.mode == "1"
    photo = read_photo(saved(tmp_path / "b.png", bits))
    assert np.array_equal(photo[..., 0], np.where(grey > 127, 255, 0))


def test_sixteen_bits_are_scaled_not_clipped(tmp_path):
    deep = np.array([[0, 255, 256, 32768, 65535]], np.uint16)
    for name in ("a.png", "a.tif", "a.pgm"):
        photo = read_photo(saved(tmp_path / name, deep))
        assert photo[0, :, 0].tolist() == [0, 0, 1, 128, 255], name


def test_more_bits_than_sixteen_are_refused(tmp_path):
    path = saved(tmp_path / "a.tif", np.array([[0, 1 << 20]], np.int32))
    with pytest.raises(OcckdError, match=r"a\.tif has mode I: save it with 8 or 16 bits"):
        read_photo(path)
    path = saved(tmp_path / "f.tif", np.array([[0.0, 0.5]], np.float32))
    with pytest.raises(OcckdError, match=r"f\.tif has mode F"):
        read_photo(path)


def test_what_is_transparent_becomes_white(tmp_path):
    pixels = np.zeros((1, 3, 4), np.uint8)
    pixels[0, :, 3] = 0, 51, 255  # black: invisible, a fifth, wholly there
    photo = read_photo(saved(tmp_path / "a.png", pixels))
    assert photo[0].tolist() == [[255] * 3, [204] * 3, [0] * 3]

    palette = Image.fromarray(np.array([[0, 1]], np.uint8), mode="P")
    palette.putpalette([10, 20, 30, 40, 50, 60])
    assert read_photo(saved(tmp_path / "p.png", palette))[0].tolist() == [
        [10, 20, 30],
        [40, 50, 60],
    ]
    photo = read_photo(saved(tmp_path / "t.png", palette, transparency=1))
    assert photo[0].tolist() == [[10, 20, 30], [255] * 3]

    grey = np.array([[[0, 0], [7, 255]]], np.uint8)  # grey and alpha
    photo = read_photo(saved(tmp_path / "la.png", Image.fromarray(grey, mode="LA")))
    assert photo[0].tolist() == [[255] * 3, [7] * 3]


@pytest.mark.parametrize("suffix", ["gif", "webp"])
def test_of_an_animation_the_first_frame(tmp_path, suffix):
    frames = [Image.new("RGB", (12, 9), colour) for colour in ("red", "blue")]
    options = {"lossless": True} if suffix == "webp" else {}
    path = tmp_path / f"a.{suffix}"
    saved(path, frames[0], save_all=True, append_images=frames[1:], duration=50, **options)
    photo = read_photo(path)
    assert photo.shape == (9, 12, 3) and (photo == [255, 0, 0]).all()


def test_cut_short_or_no_image_at_all(tmp_path):
    path = saved(tmp_path / "a.jpg", noise(200, 200))
    path.write_bytes(path.read_bytes()[:3000])
    for content in (path.read_bytes(), b"", b"hello", path.read_bytes()[:20]):
        path.write_bytes(content)
        with pytest.raises(OcckdError, match=r"a\.jpg is not a readable image") as caught:
            read_photo(path)
        assert "\n" not in str(caught.value)


def test_no_file_a_folder_and_heic(tmp_path):
    with pytest.raises(OcckdError, match=r"b\.jpg does not exist: is the name right"):
        read_photo(tmp_path / "b.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")  # reading it would never end
    with pytest.raises(OcckdError, match=r"pipe\.jpg is not a file"):
        read_photo(tmp_path / "pipe.jpg")
    with pytest.raises(OcckdError, match="is a folder, which cannot be read"):
        read_photo(tmp_path)
    (tmp_path / "c.HEIC").write_bytes(b"x")
    with pytest.raises(OcckdError, match=r"c\.HEIC is of a kind that is not read here: save"):
        read_photo(tmp_path / "c.HEIC")


def bomb(path, width, height):
    """A PNG that announces many pixels and holds few bytes."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(1000))
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )
    return path


@pytest.mark.parametrize(("width", "height"), [(10_001, 10_000), (60_000, 60_000)])
def test_a_bomb_is_refused_by_its_header(tmp_path, width, height):
    path = bomb(tmp_path / "a.png", width, height)
    tracemalloc.start()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(
            OcckdError, match=r"a\.png is not a readable image \(.*pixels"
        ) as caught:
            read_photo(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000 and "\n" not in str(caught.value)


def test_the_limit_is_the_caller_s(tmp_path):
    path = saved(tmp_path / "a.png", noise(6, 10))
    assert read_photo(path, max_pixels=60).shape == (6, 10, 3)
    with pytest.raises(OcckdError, match="10x6 pixels are too many"):
        read_photo(path, max_pixels=59)


# --- which files ----------------------------------------------------------------------------


def tree(root):
    for name in ("b/2.JPG", "b/1.png", "a.webp", "c.txt", ".hidden.png", "._a.png", "b/.d/x.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    return root


def test_folders_are_searched_in_the_order_of_names(tmp_path):
    root = tree(tmp_path / "photos")
    found = [path.relative_to(root).as_posix() for path in photos_in([root])]
    assert found == ["a.webp", "b/1.png", "b/2.JPG"]


def test_what_is_named_is_taken_whatever_its_name(tmp_path):
    root = tree(tmp_path)
    named = [root / "c.txt", root / "b", str(root / ".hidden.png")]
    assert [path.name for path in photos_in(named)] == ["c.txt", "1.png", "2.JPG", ".hidden.png"]


def test_links_do_not_lead_outside(tmp_path):
    root, outside = tree(tmp_path / "photos"), tree(tmp_path / "private")
    (root / "z.png").symlink_to(outside / "a.webp")
    (root / "y").symlink_to(outside)
    (root / "x").symlink_to(root)  # a circle
    (root / "w.png").symlink_to(root / "a.webp")
    (root / "v.png").symlink_to(root / "nowhere.png")
    os.mkfifo(root / "u.png")
    found = list(photos_in([root]))
    names = ["a.webp", "1.png", "2.JPG", "u.png", "v.png", "w.png", "z.png"]
    assert [Path(str(p)).name for p in found] == names
    refused = {3: "not a file", 4: "does not exist", 6: "a link out of its folder: name the photo"}
    for i, why in refused.items():
        with pytest.raises(OcckdError, match=rf"{names[i]}.*{why}"):
            read_photo(found[i])
    assert [p.name for p in photos_in([root / "y"])] == ["a.webp", "1.png", "2.JPG"]  # named


def test_a_path_that_is_not_there_stops_nothing(tmp_path):
    """It comes itself, and read_photo says what is wrong with it."""
    named = [tmp_path / "nowhere", saved(tmp_path / "1.png", noise()), tmp_path / ("long" * 100)]
    assert list(photos_in(named)) == named
    for path in named[::2]:
        with pytest.raises(OcckdError, match="does not exist: is the name right"):
            read_photo(path)


def test_a_closed_folder_stops_nothing(tmp_path, monkeypatch):
    """It comes itself, and read_photo says what is wrong with it."""
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        saved(tmp_path / name / "1.png", noise())
    listed = os.listdir

    def closed(folder):
        if folder.name == "b":
            raise PermissionError
        return listed(folder)

    monkeypatch.setattr("occkd_lib.apply.photos.os.listdir", closed)
    below = [str(path.relative_to(tmp_path)) for path in photos_in([tmp_path])]
    assert below == ["a/1.png", "b", "c/1.png"]


def test_it_is_lazy(tmp_path, monkeypatch):
    tree(tmp_path)
    listed = []
    monkeypatch.setattr(
        "occkd_lib.apply.photos.os.listdir",
        lambda folder: (
            listed.append(folder.name) or (["b", "a.webp"] if folder == tmp_path else [])
        ),
    )
    photos = photos_in([tmp_path])
    assert listed == []
    assert next(photos).name == "a.webp" and listed == [tmp_path.name]


def test_suffixes_are_lower_case_and_known_to_pillow():
    assert all(suffix == suffix.lower() for suffix in SUFFIXES)
    Image.init()
    unknown = set(SUFFIXES) - set(Image.registered_extensions())
    assert unknown <= {*UNREAD, ".avif", ".jp2", ".j2k"}, "Pillow may be built without these"


def test_a_huge_file_is_not_read(tmp_path):
    path = saved(tmp_path / "a.png", noise())
    with path.open("ab") as file:
        file.truncate(MOST_BYTES + 1)  # takes no room
    with pytest.raises(OcckdError, match=r"a\.png has more than 1,000,000,000 bytes: is it"):
        read_photo(path)


DAMAGE = st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=4)), min_size=1, max_size=6)


@settings(
    deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sampled_from(["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP"]), DAMAGE, st.floats(0.1, 1))
def test_a_damaged_file_is_a_picture_or_an_error_of_one_line(tmp_path, kind, damage, kept):
    whole = io.BytesIO()
    Image.fromarray(noise(24, 31)).save(whole, kind)
    content = bytearray(whole.getvalue())
    for place, other in damage:
        at = int(place * len(content))
        content[at : at + len(other)] = other
    path = tmp_path / f"damaged.{kind.lower()}"
    path.write_bytes(bytes(content[: int(kept * len(content)) + 1]))
    try:
        found = read_photo(path, max_pixels=1_000_000)
    except OcckdError as error:
        said = str(error)
    else:
        said = str(path)
        assert found.dtype == np.uint8 and found.ndim == 3 and found.shape[2] == 3
    assert str(path) in said and "\n" not in said
