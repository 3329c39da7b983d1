"""Views, batches, frozen teacher and every objective on a GPU that is not there.

Fake tensors have a device and a shape but no values: a tensor left on the CPU, which would stop a
real GPU run at its first step, stops this test as well.
"""

from __future__ import annotations

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from occkd_lib.losses.task import Facts, LossChoice
from occkd_lib.methods.standard import HintObjective, SoftTargetObjective, StandardSettings
from occkd_lib.methods.triplet import TripletObjective, TripletSettings
from occkd_lib.mining import Triplets
from occkd_lib.models import NetworkSettings
from occkd_lib.training.batches import Batches
from occkd_lib.training.device import Compute
from occkd_lib.training.objective import Objective
from occkd_lib.training.predict import FrozenTeacher, predict
from occkd_lib.training.views import Views

OPTIM = {"epochs": 1, "lr": 0.1}
CUDA = Compute(torch.device("cuda"), "bf16")


@pytest.fixture
def on_fake_cuda():
    with FakeTensorMode(allow_non_fake_inputs=True):
        yield


def network(width: int):
    with torch.device("cuda"):
        return NetworkSettings(name="compact", width=width, input_size=32).build(1)


def objective_of(name, views, teacher, student):
    """Each method's objective, as the method builds it."""
    facts = Facts(1, student.embedding_dim, (15, 15))
    task_loss = LossChoice(name="binary_cross_entropy").build(facts)
    if name == "soft targets":
        settings = StandardSettings(**OPTIM, kind="soft_targets", lam=0.5)
        return SoftTargetObjective(task_loss, "lower", teacher, settings)
    if name == "hint":
        settings = StandardSettings(**OPTIM, kind="hint", lam=0.5)
        adapter = adapter_on_cuda(student, teacher)
        return HintObjective(task_loss, "lower", teacher, settings, adapter=adapter)
    if name == "triplet":
        settings = TripletSettings(**OPTIM, lam=0.5, alpha=0.1)
        objective = TripletObjective(
            task_loss, "lower", teacher, settings, adapter=adapter_on_cuda(student, teacher),
            views=views, compute=CUDA, seed=0,
        )  # fmt: skip
        index = torch.zeros(len(views), dtype=torch.int64, device="cuda")
        objective.triplets = Triplets(index, index, index, index)  # mining looks at values
        return objective
    return Objective(task_loss, "full")


def adapter_on_cuda(student, teacher):
    with torch.device("cuda"):
        width = teacher.embedding.shape[-1]
        same = student.embedding_dim == width
        return torch.nn.Identity() if same else torch.nn.Linear(student.embedding_dim, width)


@pytest.mark.parametrize("shift", [0, 2])
@pytest.mark.parametrize("width", [4, 6])
@pytest.mark.parametrize("name", ["task", "soft targets", "hint", "triplet"])
def test_one_step_of_every_objective(on_fake_cuda, faces, name, width, shift):
    student, teacher = network(4), network(width)
    views = Views(faces, student.input_spec, CUDA.device)
    frozen = FrozenTeacher(teacher, views, "full", compute=CUDA, live=shift > 0)
    objective = objective_of(name, views, frozen, student)
    batches = Batches(views, batch_size=10, seed=0, shift=shift)
    for batch in batches.epoch(0):
        with CUDA.autocast():
            loss = objective(student, batch)
        assert loss.device.type == "cuda" and loss.ndim == 0
    assert predict(student, views, "lower", compute=CUDA).output.device.type == "cuda"
