import pytest
import torch

from occkd_lib.models.base import InputSpec
from occkd_lib.training.batches import Batches
from occkd_lib.training.views import Views, look, shift_pixels

CPU = torch.device("cpu")
SMALL = InputSpec(10, 1, (100.0,), (50.0,))
LARGE = InputSpec(32, 3, (0.0,) * 3, (1.0,) * 3)


@pytest.mark.parametrize("visible", ["full", "lower", "upper"])
@pytest.mark.parametrize("spec", [SMALL, LARGE])
def test_looks_made_once_equal_looks_made_batch_by_batch(faces, visible, spec):
    views = Views(faces, spec, CPU)
    assert views.store_looks == (spec is SMALL)
    index = torch.tensor([3, 17, 0])
    expected = look(faces.images[index], visible, spec)
    assert torch.equal(views.pixels(visible, index), expected)
    assert expected.shape == (3, spec.channels, spec.size, spec.size)


def test_no_hidden_row_leaks_through_the_resize(faces):
    altered = faces.images.clone()
    altered[:, :, :10] = 255 - altered[:, :, :10]
    for spec in (SMALL, LARGE):
        assert torch.equal(look(faces.images, "lower", spec), look(altered, "lower", spec))


def test_luma_and_colour():
    colour = torch.tensor([255, 0, 0], dtype=torch.uint8).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    assert look(colour, "full", InputSpec(4, 1, (0.0,), (1.0,))).unique().tolist() == [76]
    grey = torch.full((1, 1, 4, 4), 9, dtype=torch.uint8)
    assert look(grey, "full", InputSpec(4, 3, (0.0,) * 3, (1.0,) * 3)).shape == (1, 3, 4, 4)


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


def test_teacher_and_student_see_the_same_flip_and_shift(faces):
    views = Views(faces, InputSpec(20, 1, (0.0,), (1.0,)), CPU)
    for batch in Batches(views, batch_size=10, seed=0, shift=3).epoch(0):
        full, lower = batch.inputs("full"), batch.inputs("lower")
        seen = lower != 0
        assert seen.any()
        assert torch.equal(full[seen], lower[seen])
