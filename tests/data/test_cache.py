"""The cache that the decoded faces are kept in."""

import os
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from occkd_lib.data import load_faces
from occkd_lib.data.cache import Decoding, decoded, source_key
from occkd_lib.errors import OcckdError

NAMES = [f"{age}_{age % 2}_0_1.jpg.chip.jpg" for age in range(10, 30)]
MALFORMED = "39_1_20170116174525125.jpg.chip.jpg"


@pytest.fixture(autouse=True)
def outputs(tmp_path, monkeypatch):
    monkeypatch.setenv("OCCKD_OUTPUTS", str(tmp_path / "outputs"))
    return tmp_path / "outputs"


@pytest.fixture
def utkface(tmp_path):
    """Twenty small faces, two of them the same (ages 10 and 11: different labels)."""
    folder = tmp_path / "data" / "UTKFace"
    folder.mkdir(parents=True)
    for i, name in enumerate([*NAMES, MALFORMED]):
        grey = np.full((8, 8, 3), max(i, 1) * 10, np.uint8)
        Image.fromarray(grey).save(folder / name, format="JPEG")
    return folder.parent


def test_decoded_once(utkface, outputs, monkeypatch):
    first = load_faces("utkface", task="age", root=utkface)
    monkeypatch.setattr(
        "occkd_lib.data.readers.utkface._read", None
    )  # would fail if it were called
    again = load_faces("utkface", task="age", root=utkface)
    assert torch.equal(again.images, first.images)
    assert again.fingerprint() == first.fingerprint()
    assert again.table.attrs["malformed"] == [MALFORMED]
    assert sorted(p.suffix for p in (outputs / "cache").iterdir()) == [".npy", ".parquet"]


def test_changing_loaded_images_leaves_the_cache_alone(utkface):
    first = load_faces("utkface", task="age", root=utkface)
    before = first.images.clone()
    first.images.zero_()
    assert torch.equal(load_faces("utkface", task="age", root=utkface).images, before)


def test_a_changed_source_is_decoded_anew(utkface):
    assert len(load_faces("utkface", task="age", root=utkface)) == 20
    (utkface / "UTKFace" / NAMES[3]).unlink()
    assert len(load_faces("utkface", task="age", root=utkface)) == 19
    # same name, same size, other time and content
    other = utkface / "UTKFace" / NAMES[4]
    content, size = (utkface / "UTKFace" / NAMES[5]).read_bytes(), other.stat().st_size
    assert len(content) == size
    other.write_bytes(content)
    os.utime(other, ns=(1, 1))
    changed = load_faces("utkface", task="age", root=utkface, cache=True)
    assert changed.table["group"].tolist().count(1) == 2


def test_without_cache_nothing_is_written(utkface, outputs):
    kept = load_faces("utkface", task="age", root=utkface, cache=False)
    assert not outputs.exists()
    mapped = load_faces("utkface", task="age", root=utkface)
    assert torch.equal(mapped.images, kept.images)
    assert mapped.fingerprint() == kept.fingerprint()


@pytest.mark.parametrize("suffix", [".npy", ".parquet"])
@pytest.mark.parametrize("keep", [0, 60, -5])
def test_damaged_cache_is_rebuilt_with_a_word(utkface, outputs, capsys, suffix, keep):
    whole = load_faces("utkface", task="age", root=utkface).images.clone()
    file = next((outputs / "cache").glob(f"*{suffix}"))
    file.write_bytes(file.read_bytes()[:keep])
    assert torch.equal(load_faces("utkface", task="age", root=utkface).images, whole)
    assert "is damaged" in capsys.readouterr().err
    load_faces("utkface", task="age", root=utkface)
    assert capsys.readouterr().err == ""


def test_more_than_main_memory_is_mapped_to_be_read_only(utkface, outputs, monkeypatch, capsys):
    """Copy-on-write memory beyond RAM is refused; that is no damage, and nothing is read in."""
    whole = load_faces("utkface", task="age", root=utkface).images.clone()
    modes, real = [], np.load

    def refusing(path, mmap_mode=None):
        modes.append(mmap_mode)
        if mmap_mode == "c":
            raise OSError(12, "Cannot allocate memory")
        return real(path, mmap_mode=mmap_mode)

    monkeypatch.setattr(np, "load", refusing)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        faces = load_faces("utkface", task="age", root=utkface)
    assert modes == ["c", "r"] and torch.equal(faces.images, whole)
    assert capsys.readouterr().err == ""


# --- decoding that does not end -------------------------------------------------------------


def square(i):
    return np.full((1, 4, 4), i % 251, np.uint8)


def source(folder, text="x"):
    path = folder / "source"
    path.write_text(text)
    return [path]


def work(n, decode=square, stamps=None):
    names = [str(i) for i in range(n)] if stamps is None else stamps
    return Decoding(pd.DataFrame({"name": names}), (1, 4, 4), decode, stamps)


def test_full_disk(tmp_path, outputs, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(OcckdError, match="No space left on device.*free space and run again"):
            decoded("small", source(tmp_path), lambda: work(2))
    assert not list((outputs / "cache").glob("*.npy"))
    images, _ = decoded("small", source(tmp_path), lambda: work(2))
    assert images[:, 0, 0, 0].tolist() == [0, 1]


class Killed(BaseException):
    """As final as SIGKILL for what is written, but not for the test."""


@pytest.mark.parametrize("torn", [0, 5, 3000])
def test_a_killed_decoding_goes_on_where_it_was(tmp_path, outputs, monkeypatch, torn):
    n, kill = 640, 400
    done = []

    def decode(i, until=n):
        if i == until:
            raise Killed
        done.append(i)
        return square(i)

    files = source(tmp_path)
    with pytest.raises(Killed):
        decoded("small", files, lambda: work(n, lambda i: decode(i, kill)))
    part = outputs / "cache" / ".small.part"
    first = part.stat().st_size
    assert first == 128 + 16 * 384  # six whole chunks of 64
    if torn:  # the machine, not the process, went down: the file lacks bytes of what has a key
        os.truncate(part, first - torn)
    done.clear()
    images, table = decoded("small", files, lambda: work(n, decode))
    assert sorted(done) == list(range(384 - -(-torn // 16), n))
    assert images[:, 0, 0, 0].tolist() == [i % 251 for i in range(n)]
    assert table["group"].tolist()[:2] == [0, 1] and table["group"].max() == 250
    kept = sorted(p.suffix for p in (outputs / "cache").iterdir())
    assert kept == [".npy", ".parquet"]
    assert np.array_equal(decoded("small", files, lambda: work(n), cache=False)[0], images)


def test_another_source_does_not_go_on_with_what_was_left(tmp_path):
    def killed(i):
        if i == 100:
            raise Killed
        return square(i)

    with pytest.raises(Killed):
        decoded("small", source(tmp_path), lambda: work(200, killed))
    images, _ = decoded(
        "small", source(tmp_path, "other"), lambda: work(3, lambda i: square(i + 7))
    )
    assert images[:, 0, 0, 0].tolist() == [7, 8, 9]


@pytest.mark.parametrize("repair", [True, False])
def test_unusable_images_are_listed_and_only_they_are_decoded_again(tmp_path, outputs, repair):
    done = []

    def decode(i, bad=()):
        done.append(i)
        if i in bad:
            raise OcckdError(f"{i}.png is broken")
        return square(i)

    stamps = [f"{i}.png" for i in range(200)]
    bad = range(70, 90, 4)
    with pytest.raises(OcckdError) as caught:  # noqa: PT012
        first = work(200, lambda i: decode(i, bad), stamps)
        decoded("small", source(tmp_path), lambda: first)
    listed = outputs / "cache" / "small-unusable.txt"
    assert str(caught.value) == (
        "small: 5 of 200 images cannot be used: 70.png is broken; 74.png is broken; "
        f"78.png is broken; ...; all are in {listed}. "
        "Replace them, or remove them and their labels, and run again"
    )
    assert listed.read_text().splitlines() == [f"{i}.png is broken" for i in bad]
    assert len(done) == 200
    done.clear()
    if repair:  # in place: another time of change, so another stamp
        again = work(200, decode, [f"{i}.png{' new' if i in bad else ''}" for i in range(200)])
        values = range(200)
    else:
        values = [i for i in range(200) if i not in bad]
        again = work(195, decode, [stamps[i] for i in values])
    images, table = decoded("small", source(tmp_path, "changed"), lambda: again)
    assert sorted(done) == (list(bad) if repair else [])
    assert images[:, 0, 0, 0].tolist() == list(values)
    assert table["name"].tolist() == again.table["name"].tolist()
    assert not listed.exists() and not (outputs / "cache" / ".small.part").exists()


def test_unusable_images_without_cache(tmp_path, outputs):
    def decode(i):
        raise OcckdError(f"{i}.png is broken")

    with pytest.raises(OcckdError, match="2 of 2 images.*: 0.png is broken; 1.png is broken. Repl"):
        decoded("small", source(tmp_path), lambda: work(2, decode), cache=False)
    assert not outputs.exists()


def test_a_choice_has_a_cache_of_its_own(tmp_path):
    files = source(tmp_path)
    decoded("small", files, lambda: work(2), choice=(0,))
    images, _ = decoded("small", files, lambda: work(3), choice=(1,))
    assert len(images) == 3
    assert len(decoded("small", files, lambda: work(9), choice=(0,))[0]) == 2


def test_the_key_knows_which_file_lies_where(tmp_path):
    """Two files of equal name, size and time that change places are another source."""
    files = [tmp_path / "home" / folder / "b" / "1.png" for folder in ("a", "c")]
    for file, text in zip(files, ("xy", "z"), strict=True):
        file.parent.mkdir(parents=True)
        file.write_text(text)
        os.utime(file, ns=(1, 1))
    before = source_key(files)
    assert source_key(files[::-1]) == before
    (tmp_path / "home").rename(tmp_path / "moved")
    moved = [tmp_path / "moved" / file.relative_to(tmp_path / "home") for file in files]
    assert source_key(moved) == before
    moved[0].write_text("z")
    moved[1].write_text("xy")
    for file in moved:
        os.utime(file, ns=(1, 1))
    assert source_key(moved) != before
    assert source_key([]) != before
    (tmp_path / "moved" / "c").rename(tmp_path / "moved" / "d")  # its faces have other names now
    moved[1] = tmp_path / "moved" / "d" / "b" / "1.png"
    now = source_key(moved)
    (tmp_path / "moved" / "d").rename(tmp_path / "moved" / "e")
    assert source_key([moved[0], tmp_path / "moved" / "e" / "b" / "1.png"]) != now
    moved[1] = tmp_path / "moved" / "e" / "b" / "1.png"
    moved[0].unlink()
    with pytest.raises(OcckdError, match="cannot be read"):
        source_key(moved)


def test_names_that_are_not_utf8(tmp_path):
    bad = tmp_path / b"face\xff.png".decode(errors="surrogateescape")
    for cache in (True, False):
        with pytest.raises(OcckdError, match=r"face\\udcff.png' is a file name that is not UTF-8"):
            decoded("small", [bad], lambda: work(1), cache=cache)


def test_groups_of_copies_are_kept_with_the_images(tmp_path, monkeypatch):
    """Found once, with and without a cache, and for images that were not decoded in their order."""
    images = np.random.default_rng(0).integers(0, 256, (3, 1, 40, 40), dtype=np.uint8)
    images = images[[0, 1, 0, 1, 2]]
    images[2] //= 2  # darker

    def start(bad=()):
        def decode(i):
            if i in bad:
                raise OcckdError(f"{i} is broken")
            return images[i]

        names = [str(i) for i in range(5)]
        return Decoding(pd.DataFrame({"name": names}), (1, 40, 40), decode, names)

    with pytest.raises(OcckdError):
        decoded("small", source(tmp_path), lambda: start(bad=(0,)))
    files = source(tmp_path, "repaired")
    for cache in (True, False, True):
        stored, table = decoded("small", files, start, cache=cache)
        assert np.array_equal(stored, images)
        assert table["group"].tolist() == [-1, 0, -1, 0, -1]
        assert table["near"].tolist() == [0, 1, 0, 1, -1]
        if not cache:
            monkeypatch.setattr("occkd_lib.data.cache.groups_of_copies", None)
