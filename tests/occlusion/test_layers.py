"""Painting by hand, and what holds for every view that is drawn."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from occkd_lib.errors import OcckdError
from occkd_lib.occlusion import face_keys, occlude, occluder, visible_pixels
from occkd_lib.occlusion.layers import Layer, grey, grid, laid_over, soft

VIEWS = ["mask", "headset", "band", "lower_varied", "upper_varied", "upper+mask+full"]
KEYS = face_keys(map(str, range(40)))


def faces(channels=3, size=48, count=40):
    draw = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, channels, size, size), dtype=torch.uint8, generator=draw)


def test_pixels_lie_at_their_centres():
    first, x, y = grid(4, 2, torch.device("cpu"))
    assert (first, x.flatten().tolist(), y.flatten().tolist()) == (
        0, [0.25, 0.75], [0.125, 0.375, 0.625, 0.875],
    )  # fmt: skip
    first, _, y = grid(4, 2, torch.device("cpu"), 0.5, 1.0)
    assert (first, y.flatten().tolist()) == (2, [0.625, 0.875])


def test_an_edge_is_soft_by_a_pixel():
    assert soft(torch.tensor([-2.0, -0.5, 0.0, 0.25, 3.0])).tolist() == [0, 0, 0.5, 0.75, 1]


def test_a_layer_by_hand():
    images = torch.tensor([[10, 20], [30, 40], [50, 60]], dtype=torch.uint8).view(1, 1, 3, 2)
    cover = torch.tensor([[0.0, 0.5], [1.0, 1.0]]).view(1, 1, 2, 2)
    light = torch.tensor([[1.0, 1.0], [1.0, 0.5]]).view(1, 1, 2, 2)
    layer = Layer(1, cover, ((torch.tensor([[100.0, 100.0, 100.0]]), light),))
    assert laid_over(images, layer).flatten().tolist() == [10, 20, 30, 70, 100, 50]
    assert laid_over(images, Layer(1, cover)).flatten().tolist() == [10, 20, 30, 20, 0, 0]
    red = Layer(1, cover, ((torch.tensor([[200.0, 0.0, 0.0]]), light),))
    seen = laid_over(images.expand(1, 3, 3, 2), red)
    assert seen[0, :, 2, 0].tolist() == [200, 0, 0]
    assert laid_over(images, red)[0, 0, 2, 0] == 60 == round(200 * 0.299)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("view", VIEWS)
def test_a_face_looks_the_same_in_any_batch(view, channels):
    images = faces(channels)
    before, every = images.clone(), occlude(images, view, KEYS)
    assert every.dtype == torch.uint8 and every.shape == images.shape
    assert torch.equal(images, before), "the input must not change"
    order = torch.randperm(40, generator=torch.Generator().manual_seed(0))
    assert torch.equal(occlude(images[order], view, KEYS[order]), every[order])
    alone = [occlude(images[i : i + 1], view, KEYS[i : i + 1]) for i in range(40)]
    assert torch.equal(torch.cat(alone), every)
    assert not torch.equal(occlude(images, view, KEYS.flip(0)), every), "another face, another one"
    assert len(occlude(images[:0], view, KEYS[:0])) == 0


@pytest.mark.parametrize("size", [20, 48, 200])
@pytest.mark.parametrize("view", VIEWS)
def test_nothing_of_what_is_hidden_shines_through(view, size):
    images, keys = faces(3, size, 12), KEYS[:12]
    black, white = (occlude(torch.full_like(images, v), view, keys) for v in (0, 255))
    closed, opened = black == white, (black == 0) & (white == 255)
    other = torch.where(closed, 255 - images, images)
    assert torch.equal(occlude(images, view, keys), occlude(other, view, keys))
    assert torch.equal(occlude(images, view, keys)[opened], images[opened])
    shown = visible_pixels(view, size, size, keys)
    assert shown.shape == (12, size, size)
    assert not shown[closed.all(1)].any() and shown[opened.all(1)].all()
    between = 1 - closed.float().mean() - opened.float().mean()
    assert between < 5 / size, "soft edges are thin"


@pytest.mark.parametrize("view", VIEWS)
def test_a_grey_face_wears_the_same_in_grey(view):
    images = faces(3)
    luma = grey(images.permute(0, 2, 3, 1).reshape(-1, 3).float()).view(40, 48, 48, 1)
    hidden = occlude(images, view, KEYS).permute(0, 2, 3, 1).reshape(-1, 3).float()
    in_grey = occlude(luma.permute(0, 3, 1, 2), view, KEYS)
    torch.testing.assert_close(grey(hidden).view(40, 1, 48, 48), in_grey, atol=1, rtol=0)


def test_the_usual_part_is_the_one_that_most_faces_show():
    for view in VIEWS:
        shown = visible_pixels(view, 48, 48)
        assert shown.shape == (48, 48) and shown.any(), view
        keys = face_keys(map(str, range(400)))
        most = visible_pixels(view, 48, 48, keys).float().mean(0)
        assert (shown != (most > 0.5)).float().mean() < 0.06, view
    assert torch.equal(visible_pixels("lower", 4, 2, KEYS[:3]).sum((1, 2)), torch.tensor([4] * 3))


def test_who_the_faces_are_must_be_said():
    with pytest.raises(OcckdError, match=r"'mask' hides another part of every face.*face_keys"):
        occlude(faces(), "mask")
    with pytest.raises(OcckdError, match="a key for each"):
        occlude(faces(), "mask", KEYS[:3])
    with pytest.raises(OcckdError, match="grey or RGB"):
        occlude(faces(2), "mask", KEYS)
    assert torch.equal(occlude(faces(), "lower", KEYS), occlude(faces(), "lower"))


@pytest.mark.parametrize("view", [*VIEWS[:-1], "top_20"])
def test_on_a_gpu_that_is_not_there(view):
    """A tensor left on the CPU would stop a real GPU; values are whole numbers and exact sums."""
    with FakeTensorMode(allow_non_fake_inputs=True), torch.device("cuda"):
        images = torch.zeros(4, 3, 32, 32, dtype=torch.uint8)
        keys = torch.zeros(4, dtype=torch.int64)
        assert occlude(images, view, keys).device.type == "cuda"
        assert occluder(view).title
        assert visible_pixels(view, 32, 32, keys).device.type == "cuda"
