"""Outputs, decisions, groups and words of the tasks, worked out by hand."""

import pytest
import torch

from occkd_lib.errors import OcckdError
from occkd_lib.tasks import TASKS, task_of

MOODS = ("calm", "glad", "cross")


def test_expression_is_the_largest_logit():
    task = TASKS["expression"]
    assert task.outputs(MOODS) == 3
    assert task.decide(torch.tensor([[0.1, 0.3, 0.2], [-1.0, -2.0, -3.0]])).tolist() == [1, 0]
    assert [m.name for m in task.metrics] == ["accuracy", "weighted_accuracy"]
    assert task.softmax and not task.continuous and task.machine == "SVM"
    assert task.words([2, 0], MOODS) == ["cross", "calm"]
    assert task.target([0, 2]).dtype == torch.int64


def test_gender_is_the_sign_of_the_logit():
    """Half a unit of logit is a probability of 0.62: female; a threshold of 0.5 would say male."""
    task = TASKS["gender"]
    assert task.outputs(("male", "female")) == 1
    assert task.decide(torch.tensor([[0.4], [0.1], [-0.1], [0.0]])).tolist() == [1, 1, 0, 0]
    assert not task.softmax


def test_age_is_the_output_itself():
    task = TASKS["age"]
    assert task.outputs(()) == 1
    decided = task.decide(torch.tensor([[30.25], [7.5]], dtype=torch.bfloat16))
    assert decided.dtype == torch.float32 and decided.tolist() == [30.25, 7.5]
    assert (task.metric.name, task.metric.sign, task.machine) == ("mean_absolute_error", -1, "SVR")
    bands, names = task.groups([0, 9, 10, 89, 90, 116], ())
    assert bands.tolist() == [0, 0, 1, 8, 9, 9]
    assert names[0] == "0-9" and names[9] == "90+"
    assert task.words([34.6], ()) == ["35 years"]
    assert task.target([3, 4]).dtype == torch.float32


def test_groups_of_classes_are_the_classes():
    groups, names = TASKS["category"].groups(torch.tensor([1, 0]), MOODS)
    assert groups.tolist() == [1, 0] and names == list(MOODS)


def test_every_task_names_a_loss_that_suits_it():
    from occkd_lib.losses.task import TASK_LOSSES

    assert {task.loss for task in TASKS.values()} <= set(TASK_LOSSES)


def test_an_unknown_task():
    with pytest.raises(OcckdError, match="no task 'expresion': did you mean 'expression'"):
        task_of("expresion")
