from dataclasses import replace

import numpy as np
import pandas as pd
import psutil
import pytest
import torch
from PIL import Image

from occkd_lib.data.faceset import ImageRows
from occkd_lib.models import InputSpec
from occkd_lib.occlusion import face_keys
from occkd_lib.training.batches import Batches, Moves
from occkd_lib.training.views import Views, free_bytes, render, scale_and_tilt, shift_pixels

CPU = torch.device("cpu")
SMALL = InputSpec(10, 1, (100.0,), (50.0,))
LARGE = InputSpec(32, 3, (0.0,) * 3, (1.0,) * 3)


@pytest.mark.parametrize("visible", ["full", "lower", "upper"])
@pytest.mark.parametrize("spec", [SMALL, LARGE])
def test_views_made_once_equal_views_made_batch_by_batch(faces, visible, spec):
    views = Views(faces, spec, CPU)
    assert views.keep_rendered == (spec is SMALL)
    index = torch.tensor([3, 17, 0])
    expected = render(faces.images[index], visible, spec)
    assert torch.equal(views.pixels(visible, index), expected)
    assert expected.shape == (3, spec.channels, spec.size, spec.size)


def test_no_hidden_row_leaks_through_the_resize(faces):
    altered = faces.images.clone()
    altered[:, :, :10] = 255 - altered[:, :, :10]
    for spec in (SMALL, LARGE):
        assert torch.equal(render(faces.images, "lower", spec), render(altered, "lower", spec))


def test_luma_and_colour():
    colour = torch.tensor([255, 0, 0], dtype=torch.uint8).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    assert render(colour, "full", InputSpec(4, 1, (0.0,), (1.0,))).unique().tolist() == [76]
    grey = torch.full((1, 1, 4, 4), 9, dtype=torch.uint8)
    assert render(grey, "full", InputSpec(4, 3, (0.0,) * 3, (1.0,) * 3)).shape == (1, 3, 4, 4)


def test_inputs_are_flipped_and_normalised(faces):
    views = Views(faces, InputSpec(20, 1, (100.0,), (50.0,)), CPU)
    index, flipped = torch.tensor([4, 5]), torch.tensor([False, True])
    inputs = views.inputs("full", index, flipped)
    images = faces.images[index].float()
    assert torch.allclose(inputs[0], (images[0] - 100) / 50)
    assert torch.allclose(inputs[1], (images[1].flip(2) - 100) / 50)


def test_shift_moves_and_fills_with_zeros():
    image = torch.arange(1, 10, dtype=torch.uint8).view(1, 1, 3, 3).repeat(2, 1, 1, 1)
    moved = shift_pixels(image, torch.tensor([[1, 0], [0, -2]]))
    assert moved[0, 0].tolist() == [[0, 0, 0], [1, 2, 3], [4, 5, 6]]
    assert moved[1, 0].tolist() == [[3, 0, 0], [6, 0, 0], [9, 0, 0]]


def test_a_face_is_turned_counter_clockwise_by_its_own_angle():
    images = torch.randint(0, 256, (3, 2, 8, 8), dtype=torch.uint8)
    quarter = torch.pi / 2
    turned = scale_and_tilt(images, torch.tensor([[1, 0], [1, quarter], [1, -quarter]]))
    assert torch.equal(turned[0], images[0])
    assert torch.equal(turned[1], images[1].rot90(1, (1, 2)))
    assert torch.equal(turned[2], images[2].rot90(-1, (1, 2)))


def test_scale_and_tilt_are_pillows_affine_transform():
    generator = torch.Generator().manual_seed(0)
    image = torch.randint(0, 256, (1, 1, 21, 21), dtype=torch.uint8, generator=generator)
    factor, angle = 1.3, 0.4
    cos, sin = np.cos(angle) / factor, np.sin(angle) / factor
    middle = 10.5  # Pillow's source of a pixel (x, y): a x + b y + c, d x + e y + f
    to_source = (cos, -sin, middle * (1 - cos + sin), sin, cos, middle * (1 - sin - cos))
    expected = Image.fromarray(image[0, 0].numpy()).transform(
        (21, 21), Image.Transform.AFFINE, to_source, Image.Resampling.BILINEAR
    )
    moved = scale_and_tilt(image, torch.tensor([[factor, angle]]))[0, 0].int()
    inside = slice(3, -3)  # Pillow repeats the edge
    difference = (moved - torch.from_numpy(np.array(expected)).int()).abs()
    assert difference[inside, inside].max() <= 1


def test_a_smaller_face_lies_in_the_middle_of_black():
    white = torch.full((1, 1, 8, 8), 255, dtype=torch.uint8)
    expected = torch.zeros(8, 8, dtype=torch.uint8)
    expected[2:6, 2:6] = 255
    assert torch.equal(scale_and_tilt(white, torch.tensor([[0.5, 0.0]]))[0, 0], expected)


def test_an_epoch_depends_on_seed_and_number_alone(faces):
    views = Views(faces, SMALL, CPU)
    batches = Batches(views, batch_size=8, seed=1)
    first = [(b.index, b.flipped) for b in batches.epoch(4)]
    list(batches.epoch(0))
    again = [(b.index, b.flipped) for b in batches.epoch(4)]
    other = [(b.index, b.flipped) for b in Batches(views, batch_size=8, seed=2).epoch(4)]
    assert all(
        torch.equal(a[0], b[0]) and torch.equal(a[1], b[1])
        for a, b in zip(first, again, strict=True)
    )
    assert not all(torch.equal(a[0], b[0]) for a, b in zip(first, other, strict=True))
    assert torch.cat([index for index, _ in first]).sort().values.tolist() == list(range(30))
    assert 0 < torch.cat([flipped for _, flipped in first]).sum() < 30


def test_a_last_batch_of_one_face_is_left_out(faces):
    views = Views(faces, SMALL, CPU)
    assert [len(b.index) for b in Batches(views, batch_size=29, seed=0).epoch(0)] == [29]
    assert [len(b.index) for b in Batches(views, batch_size=28, seed=0).epoch(0)] == [28, 2]


@pytest.mark.parametrize("moves", [Moves(3), Moves(scale=0.2), Moves(tilt=20), Moves(2, 0.1, 9)])
def test_teacher_and_student_see_the_same_face_moved_alike(faces, moves):
    views = Views(faces, InputSpec(20, 1, (0.0,), (1.0,)), CPU)
    for batch in Batches(views, batch_size=10, seed=0, moves=moves).epoch(0):
        full, lower = batch.inputs("full"), batch.inputs("lower")
        still = views.inputs("full", batch.index, batch.flipped)
        assert not any(torch.equal(a, b) for a, b in zip(full, still, strict=True) if moves.scale)
        upper = batch.inputs("upper")
        assert (lower + upper - full).abs().max() <= (batch.pose is not None), "as does the cut"
        assert (lower != 0).any() and (upper != 0).any()


EQUAL = InputSpec(20, 1, (0.0,), (1.0,))
PART = np.array([7, 3, 3, 29, 0, 12])


@pytest.fixture
def whole(faces):
    return replace(faces, table=pd.DataFrame({"number": range(30)}))


def test_a_part_reads_like_a_copy_and_is_none(whole):
    part, copy = whole.select(PART), whole.images[PART]
    rows = part.images
    assert isinstance(rows, ImageRows) and rows.store is whole.images
    assert rows.shape == copy.shape and rows.dtype == copy.dtype and rows.ndim == 4
    mask = np.array([True, False, False, True, False, True])
    for index in (2, -1, slice(1, 5, 2), [4, -2], np.array([5, 0]), torch.tensor([1, 1]), mask):
        assert torch.equal(rows[index], copy[index])
    assert torch.equal(rows.clone(), copy) and torch.equal(rows.to(CPU), copy)
    assert torch.equal(torch.stack(list(rows)), copy)
    assert [len(chunk) for chunk in rows.split(4)] == [4, 2]
    assert torch.equal(torch.cat(list(rows.split(4))), copy)
    with pytest.raises(IndexError):
        rows[6]


def test_a_part_of_a_part_reads_from_the_same_store(whole):
    part = whole.select(PART).select(np.array([5, 0]))
    assert part.images.store is whole.images
    assert torch.equal(part.images.clone(), whole.images[[12, 7]])
    assert part.ids.tolist() == ["face12", "face7"]
    copied = replace(part, images=part.images.clone())
    assert copied.fingerprint() == part.fingerprint()


@pytest.mark.parametrize("visible", ["full", "lower", "upper"])
@pytest.mark.parametrize("spec", [SMALL, EQUAL, LARGE])
def test_a_part_views_like_its_copy(whole, visible, spec):
    part = whole.select(PART)
    copied = replace(part, images=part.images.clone())
    index = torch.tensor([5, 2, 2])
    lazy, eager = Views(part, spec, CPU), Views(copied, spec, CPU)
    assert torch.equal(lazy.pixels(visible, index), eager.pixels(visible, index))


@pytest.mark.parametrize("visible", ["full", "lower"])
def test_without_room_nothing_is_held_and_the_bytes_are_the_same(whole, visible, monkeypatch):
    part, index = whole.select(PART), torch.tensor([5, 2, 2])
    size, room = len(PART) * SMALL.channels * SMALL.side**2, []
    monkeypatch.setattr("occkd_lib.training.views.free_bytes", lambda device: room[-1])
    for free, held in ((2 * size, True), (2 * size - 1, False)):
        room.append(free)
        views = Views(part, SMALL, CPU)
        expected = render(part.images[index], visible, SMALL)
        for _ in range(2):
            assert torch.equal(views.pixels(visible, index), expected)
            assert (views._rendered[visible] is not None) == held
            room.append(0)  # decided once a view


@pytest.mark.parametrize("visible", ["mask", "upper_varied", "full+headset"])
@pytest.mark.parametrize("spec", [SMALL, EQUAL, LARGE])
def test_a_face_keeps_its_occluder_wherever_it_is_looked_at(whole, visible, spec, monkeypatch):
    """Held or made batch by batch, in the whole, in a part, in any order: the same bytes."""
    keys = face_keys(whole.ids)
    expected = render(whole.images, visible, spec, keys)
    assert not torch.equal(render(whole.images, visible, spec, keys.flip(0)), expected)
    index, part = torch.tensor([5, 2, 2]), whole.select(PART)
    places = torch.as_tensor(PART)[index]
    monkeypatch.setattr("occkd_lib.training.views.CHUNK", 7)
    for free in (1 << 30, 0):
        monkeypatch.setattr("occkd_lib.training.views.free_bytes", lambda device, free=free: free)
        assert torch.equal(Views(whole, spec, CPU).pixels(visible, places), expected[places])
        assert torch.equal(Views(part, spec, CPU).pixels(visible, index), expected[places])
    flipped = torch.tensor([True, False, True])
    plain, turned = (
        Views(part, spec, CPU).inputs(visible, index, f) for f in (~flipped & flipped, flipped)
    )
    assert torch.equal(turned, torch.where(flipped[:, None, None, None], plain.flip(3), plain))


def test_nobody_is_asked_who_the_faces_are_where_all_are_alike(whole, monkeypatch):
    monkeypatch.setattr("occkd_lib.training.views.face_keys", None)
    assert Views(whole, LARGE, CPU).pixels("lower", torch.tensor([1])).shape == (1, 3, 32, 32)


def test_free_memory_is_the_machines_on_a_cpu():
    assert 0 < free_bytes(CPU) <= psutil.virtual_memory().total


def test_views_are_stored_only_where_that_is_smaller(whole):
    assert [Views(whole, spec, CPU).keep_rendered for spec in (SMALL, EQUAL, LARGE)] == [1, 0, 0]
