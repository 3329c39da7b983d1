"""Image files into arrays: order, damage, EXIF, and halves that know nothing of each other."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from occkd_lib.data.decode import MOST_PIXELS, decode_all, halves_resized, open_image
from occkd_lib.errors import OcckdError
from occkd_lib.occlusion import occlude


def square(i):
    return np.full((1, 4, 4), i % 251, np.uint8)


def test_decode_all_keeps_the_order(capsys):
    chunks = list(decode_all(range(1000), square, "numbers"))
    assert max(len(chunk) for chunk in chunks) <= 64
    rows, images = zip(*[pair for chunk in chunks for pair in chunk], strict=True)
    assert list(rows) == list(range(1000))
    assert np.stack(images)[:, 0, 0, 0].tolist() == [i % 251 for i in range(1000)]
    assert capsys.readouterr().err == ""  # no progress bar where there is no terminal


def noise(height, width, seed=0):
    shape = (height, width, 3)
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8))


def planes(image):
    return torch.tensor(np.asarray(image)).permute(2, 0, 1)


@pytest.mark.parametrize("size", [32, 33, 100])
@pytest.mark.parametrize("shape", [(2, 5), (3, 3), (47, 60), (48, 30), (301, 200)])
def test_halves_know_nothing_of_each_other(shape, size):
    """Whatever one half shows, the other is stored the same: no row crosses the cut."""
    height, cut, middle = shape[0], (shape[0] + 1) // 2, (size + 1) // 2
    one, other = np.asarray(noise(*shape)), np.asarray(noise(*shape, seed=1))
    upper = np.concatenate([one[:cut], other[cut:]])
    stored = [planes(halves_resized(Image.fromarray(face), size)) for face in (one, other, upper)]
    assert all(face.shape == (3, size, size) for face in stored)
    assert torch.equal(stored[2][:, :middle], stored[0][:, :middle])
    assert torch.equal(stored[2][:, middle:], stored[1][:, middle:])
    # and in the terms of occlusion: hiding before is hiding after
    for visible in ("lower", "upper"):
        hidden = occlude(planes(one), visible).permute(1, 2, 0).numpy()
        assert torch.equal(
            planes(halves_resized(Image.fromarray(hidden), size)), occlude(stored[0], visible)
        )
    assert height >= 2


def test_an_image_of_the_right_size_stays_as_it_is():
    image = noise(40, 40)
    assert halves_resized(image, 40) is image


def encoded(image, **options):
    file = io.BytesIO()
    image.save(file, **options)
    return file.getvalue


def test_exif_orientation_is_respected_where_it_is_asked_for():
    image = noise(8, 12)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    read = encoded(image, format="PNG", exif=exif)
    assert open_image(read, "x").size == (12, 8)
    upright = open_image(read, "x", upright=True)
    assert np.array_equal(np.asarray(upright), np.rot90(np.asarray(image), -1))


def test_an_image_that_would_fill_the_memory(monkeypatch):
    read = encoded(noise(20, 30), format="PNG")
    monkeypatch.setattr("occkd_lib.data.decode.MOST_PIXELS", 600)
    assert open_image(read, "x").size == (30, 20)
    monkeypatch.setattr("occkd_lib.data.decode.MOST_PIXELS", 599)
    with pytest.raises(OcckdError, match=r"^x is not a readable image \(30x20 pixels are too many"):
        open_image(read, "x")
    assert MOST_PIXELS < Image.MAX_IMAGE_PIXELS  # ours comes before Pillow's warning
