"""Windows of larger faces: where they lie, and that a live teacher sees the student's."""

from dataclasses import replace

import pytest
import torch

from occkd_lib.errors import OcckdError
from occkd_lib.models import InputSpec, NetworkSettings
from occkd_lib.training import views as of_views
from occkd_lib.training.batches import Batches, Moves, carried_over
from occkd_lib.training.device import Compute
from occkd_lib.training.predict import FrozenTeacher, predict
from occkd_lib.training.views import Views, render, window

CPU = Compute(torch.device("cpu"), "fp32")
SPEC = InputSpec(15, 1, (0.0,), (1.0,), resize=20)  # of faces of 20 x 20: no pixel is made anew


def test_a_window_is_a_slice():
    whole = torch.randint(0, 256, (40, 1, 20, 20), dtype=torch.uint8)
    offset = torch.randint(-2, 4, (40, 2))
    found = window(whole, SPEC, offset)
    for face, (down, right), cut in zip(whole, offset.tolist(), found, strict=True):
        assert torch.equal(cut, face[:, 2 + down : 17 + down, 2 + right : 17 + right])
    assert torch.equal(window(whole, SPEC, None), whole[:, :, 2:17, 2:17]), "testing: the middle"
    assert torch.equal(window(whole, replace(SPEC, whole_test=True), None), whole)
    inside = torch.zeros(40, 2, dtype=torch.int64)
    assert torch.equal(
        window(whole, replace(SPEC, whole_test=True), inside), whole[:, :, 2:17, 2:17]
    )


@pytest.mark.parametrize("margin", [4, 5])
def test_every_window_is_drawn_and_none_beyond_the_face(faces, margin):
    spec = replace(SPEC, size=20 - margin)
    batches = Batches(Views(faces, spec, CPU.device), batch_size=30, seed=0)
    drawn = torch.cat([next(iter(batches.epoch(e))).offset for e in range(40)]) + margin // 2
    for axis in (0, 1):
        assert set(drawn[:, axis].tolist()) == set(range(margin + 1))
    again = Batches(Views(faces, spec, CPU.device), batch_size=30, seed=0)
    assert torch.equal(next(iter(again.epoch(3))).offset, next(iter(batches.epoch(3))).offset)


def test_a_batch_is_cut_from_what_hiding_left_and_then_mirrored(faces):
    views = Views(faces, SPEC, CPU.device)
    batch = next(iter(Batches(views, batch_size=30, seed=1).epoch(0)))
    seen, whole = batch.inputs("lower"), render(faces.images, "lower", SPEC)
    assert {True, False} == set(batch.flipped.tolist())
    for row, (down, right) in enumerate(batch.offset.tolist()):
        cut = whole[batch.index[row], :, 2 + down : 17 + down, 2 + right : 17 + right].float()
        assert torch.equal(seen[row], cut.flip(2) if batch.flipped[row] else cut)


def test_rendered_once_or_batch_by_batch_it_is_the_same_window(faces, monkeypatch):
    kept = Views(faces, replace(SPEC, resize=19), CPU.device)
    monkeypatch.setattr(of_views, "free_bytes", lambda device: 0)
    made = Views(faces, replace(SPEC, resize=19), CPU.device)
    index, offset = torch.tensor([4, 9]), torch.tensor([[1, -2], [2, 0]])
    for at in (offset, None):
        assert torch.equal(kept.pixels("upper", index, at), made.pixels("upper", index, at))


def test_where_another_network_s_window_lies():
    ours, theirs = replace(SPEC, size=16), replace(SPEC, size=32, resize=40)  # margins 4 and 8
    corners = torch.tensor([[-2, -1], [0, 2]])  # of ours: 0, 1, 2, 4
    assert (carried_over(corners, ours, theirs) + 4).tolist() == [[0, 2], [4, 8]]
    assert carried_over(corners, ours, InputSpec(20, 1, (0.0,), (1.0,))) is None, "the whole face"
    shifts = InputSpec(16, 1, (0.0,), (1.0,)), InputSpec(32, 1, (0.0,), (1.0,))
    assert carried_over(torch.tensor([[1, -3]]), *shifts).tolist() == [[2, -6]]


def test_a_live_teacher_sees_the_student_s_windows(faces):
    torch.manual_seed(0)
    network = NetworkSettings(name="compact", width=4, input_size=32, resize=40).build(1)
    views = Views(faces, network.input_spec, CPU.device)
    live = FrozenTeacher(network, views, "full", compute=CPU, live=True)
    cached = FrozenTeacher(network, views, "full", compute=CPU, live=False)
    batch = next(iter(Batches(views, batch_size=30, seed=0).epoch(0)))
    with torch.no_grad():
        expected = network.eval()(batch.inputs("full")).output
    torch.testing.assert_close(live.of(batch).output, expected)
    assert not torch.allclose(cached.of(batch).output, expected, atol=1e-4), "another window"
    middle = predict(network, views, "full", compute=CPU).output
    torch.testing.assert_close(cached.output[0], middle)


def test_a_stage_with_windows_asks_its_teacher_live(outputs, monkeypatch):
    from occkd_lib.stages import run_stage
    from tests.tiny import tiny_recipe

    asked = []
    original = FrozenTeacher.__init__

    def record(self, *parts, live, **more):
        asked.append(live)
        original(self, *parts, live=live, **more)

    monkeypatch.setattr(FrozenTeacher, "__init__", record)
    monkeypatch.setattr("occkd_lib.stages.run._teachers", {})
    plain = tiny_recipe()
    run_stage(plain, "expression", 0, "standard", say=lambda line: None)
    size = plain.experiments["expression"].network.input_size
    change = {"network": {"resize": size + 4}}
    other = tiny_recipe(**change)
    run_stage(other, "expression", 1, "standard", say=lambda line: None)
    assert asked == [False, True]


def test_windows_and_shifts_are_not_mixed(faces):
    with pytest.raises(OcckdError, match="shift and resize"):
        Batches(Views(faces, SPEC, CPU.device), batch_size=8, seed=0, moves=Moves(2))
