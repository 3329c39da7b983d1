"""Several teachers: other random numbers each, and the student hears the mean of their outputs."""

import pytest
import torch

from occkd_lib.config import Recipe
from occkd_lib.errors import OcckdError
from occkd_lib.losses import blend, soft_target_loss
from occkd_lib.methods.standard import SoftTargetObjective
from occkd_lib.stages import graph, run_stage
from occkd_lib.stages.lesson import first_lesson
from occkd_lib.stages.run import decides
from tests.tiny import tiny_recipe

TAUGHT = {"kind": "soft_targets", "lam": 0.5, "tau": 2.0, "tau_squared": False}


def three(**settings):
    chosen = tiny_recipe().experiment("expression")
    again = {**chosen.stages["teacher"].model_dump(), "draw": 1}
    taught = {**TAUGHT, "with_teachers": ["again"], **settings}
    chosen = chosen.varied({"stages": {"again": again, "standard": taught}})
    return Recipe(name="tiny", description="toy", experiments={"expression": chosen})


def test_another_draw_is_another_training_and_no_draw_is_as_before(outputs):
    recipe = three()
    stages = graph(recipe.experiment("expression"))
    assert "draw" not in decides(recipe.experiment("expression"), stages["teacher"])["settings"]
    alone = three(with_teachers=[]).experiment("expression").stages["standard"]
    assert "with_teachers" not in alone.model_dump()
    first, again = (
        run_stage(recipe, "expression", 0, name, say=lambda line: None).load_tensors("model")[0]
        for name in ("teacher", "again")
    )
    assert not torch.equal(first["head.weight"], again["head.weight"])


def test_soft_targets_are_of_the_mean_output(outputs):
    lesson = first_lesson(three(), "expression", 0, "standard", 16)
    objective = lesson.objective
    assert isinstance(objective, SoftTargetObjective) and len(objective.teachers) == 2
    batch = next(iter(lesson.batches.epoch(0)))
    lesson.model.eval()
    outputs = [teacher.of(batch).output for teacher in objective.teachers]
    assert not torch.equal(*outputs)
    seen = lesson.model(batch.inputs("lower")).output
    said = soft_target_loss(seen, (outputs[0] + outputs[1]) / 2, 2.0, tau_squared=False)
    task = objective.task(lesson.model(batch.inputs("lower")), batch.known)
    torch.testing.assert_close(objective(lesson.model, batch), blend(task, said, 0.5))
    alone = first_lesson(three(with_teachers=[]), "expression", 0, "standard", 16).objective
    assert len(alone.teachers) == 1


def test_hints_have_one_teacher(outputs):
    with pytest.raises((ValueError, OcckdError), match="have no mean"):
        three(kind="hint")
    with pytest.raises((ValueError, OcckdError), match="nobody"):
        three(with_teachers=["nobody"])
