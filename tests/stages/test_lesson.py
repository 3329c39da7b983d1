"""A stage before its first step: its start, faces and objective; and nothing is left behind."""

from __future__ import annotations

import pytest
import torch

from occkd_lib.errors import OcckdError
from occkd_lib.stages import first_lesson, load_network, run_stage, stage_of
from occkd_lib.stages import run as stages_run


def lesson(recipe, stage, faces=32):
    return first_lesson(recipe, "expression", 0, stage, faces)


def test_it_begins_where_the_stage_begins_and_leaves_nothing_behind(trained, tiny, monkeypatch):
    monkeypatch.setattr(stages_run, "_teachers", {})
    before = {path: path.stat().st_mtime for path in trained.rglob("*")}
    student, batches, objective, loss = lesson(tiny, "standard")
    stage = stage_of(tiny.experiment("expression"), "student")
    start = load_network(stage.network, 8, run_stage(tiny, "expression", 0, "student"))
    for ours, theirs in zip(student.parameters(), start.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    assert (len(batches.views), len(batches), loss.name) == (32, 2, "cross_entropy")
    objective(student, next(batches.epoch(0))).backward()
    assert {path: path.stat().st_mtime for path in trained.rglob("*")} == before
    assert not stages_run._teachers, "the teacher's answers to a few faces are not kept"


def test_its_teacher_sees_the_same_faces_in_full(trained, tiny):
    student, batches, objective, _ = lesson(tiny, "triplet")
    objective.start_epoch(student, 0)
    batch = next(batches.epoch(0))
    with torch.no_grad():
        live = objective.teacher.teacher(batch.inputs("full"))
    torch.testing.assert_close(objective.teacher.of(batch).embedding, live.embedding)
    assert len(objective.term.triplets.positive) == 32


def test_a_new_one_every_time_and_of_arms_and_teachers_too(trained, tiny):
    one, other = lesson(tiny, "standard@tau=1"), lesson(tiny, "standard@tau=1")
    assert one.model is not other.model
    assert one.objective.settings.tau == 1
    assert len(lesson(tiny, "teacher", 16).batches) == 1


def test_a_machine_has_none(trained, tiny):
    with pytest.raises(OcckdError, match="stage 'fusion' trains no network"):
        lesson(tiny, "fusion")
