"""Views, batches, frozen teacher and every objective on a GPU that is not there.

Fake tensors have a device and a shape but no values: a tensor left on the CPU, which would stop a
real GPU run at its first step, stops this test as well.
"""

from __future__ import annotations

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from occkd_lib.losses.coarse_fine import coarse_shares
from occkd_lib.losses.task import Facts, LossChoice
from occkd_lib.methods.ktn import KtnObjective
from occkd_lib.methods.standard import HintObjective, SoftTargetObjective, StandardSettings
from occkd_lib.methods.stsn import StsnObjective, StsnSettings, TripletShare
from occkd_lib.methods.triplet import TripletObjective, TripletSettings, TripletTerm
from occkd_lib.mining import Triplets
from occkd_lib.models import NetworkSettings
from occkd_lib.training import views as of_views
from occkd_lib.training.batches import Batches, Moves
from occkd_lib.training.device import Compute
from occkd_lib.training.objective import Objective
from occkd_lib.training.predict import FrozenTeacher, predict
from occkd_lib.training.views import Views

OPTIM = {"epochs": 1, "lr": 0.1}
CUDA = Compute(torch.device("cuda"), "bf16")


@pytest.fixture(params=["held", "batch by batch"])
def on_fake_cuda(request, monkeypatch):
    free = {"held": 1 << 30, "batch by batch": 0}[request.param]  # no driver could say
    monkeypatch.setattr(of_views, "free_bytes", lambda device: free)
    with FakeTensorMode(allow_non_fake_inputs=True):
        yield


def network(width: int, outputs: int = 1, **options):
    with torch.device("cuda"):
        return NetworkSettings(name="compact", width=width, input_size=32, **options).build(outputs)


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
            batches=Batches(views, batch_size=8, seed=0), decide=lambda output: output.argmax(1),
            compute=CUDA, seed=0,
        )  # fmt: skip
        index = torch.zeros(len(views), dtype=torch.int64, device="cuda")
        objective.term.triplets = Triplets(index, index, index, index)  # mining looks at values
        return objective
    return Objective(task_loss, "full")


def adapter_on_cuda(student, teacher):
    with torch.device("cuda"):
        width = teacher.teacher.embedding_dim
        same = student.embedding_dim == width
        return torch.nn.Identity() if same else torch.nn.Linear(student.embedding_dim, width)


@pytest.mark.parametrize("moves", [Moves(), Moves(2, 0.1, 10)])
@pytest.mark.parametrize("width", [4, 6])
@pytest.mark.parametrize("name", ["task", "soft targets", "hint", "triplet"])
def test_one_step_of_every_objective(on_fake_cuda, faces, name, width, moves):
    student, teacher = network(4), network(width)
    views = Views(faces, student.input_spec, CUDA.device)
    frozen = FrozenTeacher(teacher, views, "full", compute=CUDA, live=bool(moves))
    objective = objective_of(name, views, frozen, student)
    batches = Batches(views, batch_size=10, seed=0, moves=moves)
    for batch in batches.epoch(0):
        with CUDA.autocast():
            loss = objective(student, batch)
        assert loss.device.type == "cuda" and loss.ndim == 0
    assert predict(student, views, "lower", compute=CUDA).output.device.type == "cuda"


CLASSES = ("neutral", "happiness", "surprise")
LOSSES = ("cross_entropy", "focal", "ldam", "center", "island", "uniform", "reg", "adareg")


@pytest.mark.parametrize("loss", LOSSES)
def test_one_step_of_every_loss(on_fake_cuda, faces, loss):
    student = network(4, 3, streams="fine", cosine_head=loss == "ldam")
    facts = Facts(3, student.embedding_dim, (15, 15, 1), CLASSES, cosines=loss == "ldam")
    task_loss = LossChoice(name=loss).build(facts).to("cuda")
    views = Views(faces, student.input_spec, CUDA.device)
    objective = Objective(task_loss, "full")
    for batch in Batches(views, batch_size=10, seed=0).epoch(0):
        with CUDA.autocast():
            found = objective(student, batch)
        assert found.device.type == "cuda" and found.ndim == 0


@pytest.mark.parametrize("resize", [None, 40])
@pytest.mark.parametrize("triplets", [False, True])
def test_one_step_of_emotional_education(on_fake_cuda, faces, triplets, resize):
    student = network(4, 3, streams="shared", resize=resize)
    teacher = network(6, 3, streams="two", resize=resize)
    views = Views(faces, student.input_spec, CUDA.device)
    live = FrozenTeacher(teacher, views, "full", compute=CUDA, live=bool(resize))
    task_loss = LossChoice(name="cross_entropy").build(Facts(3, 256, (15, 15, 1), CLASSES))
    shares, term = coarse_shares(CLASSES), None
    settings = StsnSettings(**OPTIM)
    if triplets:
        share = TripletShare(lam=0.3, alpha=0.2)
        settings = StsnSettings(**OPTIM, triplets=share)
        same = torch.nn.Identity()
        term = TripletTerm(
            share,
            live,
            "lower",
            adapter=same,
            batches=Batches(views, batch_size=8, seed=0),
            decide=lambda output: output.argmax(1),
            compute=CUDA,
            seed=0,
        )
        index = torch.zeros(len(views), dtype=torch.int64, device="cuda")
        term.triplets = Triplets(index, index, index, index)
    stsn = StsnObjective(
        task_loss, "lower", live, settings,
        shares=shares, adapter=torch.nn.Identity(), triplets=term,
    )  # fmt: skip
    for objective in (KtnObjective(task_loss, "full", shares, 3.0).to("cuda"), stsn.to("cuda")):
        for batch in Batches(views, batch_size=10, seed=0).epoch(0):
            with CUDA.autocast():
                found = objective(student, batch)
            assert found.device.type == "cuda" and found.ndim == 0
    assert predict(student, views, "lower", compute=CUDA).coarse.device.type == "cuda"
