"""A frozen teacher: asked once, it says what it would say live."""

from dataclasses import replace

import pytest
import torch

from occkd_lib.models import NetworkSettings
from occkd_lib.training.batches import Batches, Moves
from occkd_lib.training.device import Compute
from occkd_lib.training.predict import FrozenTeacher, predict
from occkd_lib.training.views import Views

CPU = Compute(torch.device("cpu"), "fp32")


@pytest.fixture
def network():
    torch.manual_seed(0)
    return NetworkSettings(name="compact", width=4, input_size=32).build(1)


@pytest.mark.parametrize("view", ["full", "lower"])
def test_cached_teacher_equals_live_teacher(faces, network, view):
    views = Views(faces, network.input_spec, CPU.device)
    cached, live = (
        FrozenTeacher(network, views, view, compute=CPU, live=live) for live in (False, True)
    )
    flips = []
    for batch in Batches(views, batch_size=16, seed=0).epoch(0):
        flips += batch.flipped.tolist()
        for a, b in zip(cached.of(batch), live.of(batch), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)
    assert {True, False} == set(flips)
    assert not torch.allclose(cached.embedding[0], cached.embedding[1])


def test_a_live_teacher_of_another_size_sees_the_shift_in_proportion(faces, network):
    """Two of 16 pixels are four of 32."""
    half_size = replace(network.input_spec, size=16)
    small = Views(faces, half_size, CPU.device)
    views = Views(faces, network.input_spec, CPU.device)
    teacher = FrozenTeacher(network, views, "full", compute=CPU, live=True)
    batch = next(iter(Batches(small, batch_size=8, seed=0, moves=Moves(2)).epoch(0)))
    pixels = views.inputs("full", batch.index, batch.flipped, batch.offset * 2)
    with torch.no_grad():
        expected = network.eval()(pixels)
    torch.testing.assert_close(teacher.of(batch).embedding, expected.embedding)


@pytest.mark.parametrize("moves", [Moves(2), Moves(scale=0.2), Moves(tilt=15)])
def test_a_live_teacher_sees_the_face_where_the_student_sees_it(faces, network, moves):
    views = Views(faces, network.input_spec, CPU.device)
    teacher = FrozenTeacher(network, views, "full", compute=CPU, live=True)
    batch = next(iter(Batches(views, batch_size=8, seed=0, moves=moves).epoch(0)))
    with torch.no_grad():
        expected = network.eval()(batch.inputs("full")).embedding
        still = network(views.inputs("full", batch.index, batch.flipped)).embedding
    torch.testing.assert_close(teacher.of(batch).embedding, expected)
    assert not torch.allclose(expected, still, atol=1e-3)


def test_prediction_is_made_in_eval_mode_and_leaves_the_mode(faces, network):
    views = Views(faces, network.input_spec, CPU.device)
    network.train()
    first, again = (predict(network, views, "full", compute=CPU).output for _ in range(2))
    assert torch.equal(first, again) and network.training
    network.eval()
    torch.testing.assert_close(predict(network, views, "full", compute=CPU).output, first)
