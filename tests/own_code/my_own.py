"""Everything a recipe can name of one's own, one small example each; recipe.yaml names them."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from occkd_lib.data import DataSet, DataSettings, FaceSet
from occkd_lib.losses import blend
from occkd_lib.losses.task import TaskLoss
from occkd_lib.methods.base import Job
from occkd_lib.methods.distilled import Distilled, DistilledObjective, DistilledSettings
from occkd_lib.mining import Triplets, draw_pools, same_class
from occkd_lib.models import FaceNet, InputSpec
from occkd_lib.training.batches import Batch, Batches
from occkd_lib.training.objective import Objective


class MySettings(DataSettings):
    """What a recipe may say of the data set."""

    name: Literal["my_own:MY_FACES"] = "my_own:MY_FACES"
    how_many: int = 90


def my_faces(path: Any, settings: MySettings, task: str, cache: bool) -> FaceSet:
    """A reader: random grey pictures with a bright square where their class says."""
    rng, n = np.random.default_rng(0), settings.how_many
    mood = np.arange(n) % 3
    images = rng.integers(0, 100, (n, 1, 32, 32), dtype=np.uint8)
    for image, k in zip(images, mood, strict=True):
        image[:, 20:28, 10 * k : 10 * k + 8] = 255
    splits = np.array(["train", "train", "train", "val", "test"])[rng.permutation(n) % 5]
    return FaceSet(
        name=settings.name,
        task=task,
        classes=("calm", "glad", "cross"),
        images=torch.from_numpy(images),
        targets=torch.from_numpy(mood),
        ids=np.array([f"picture-{i:03d}" for i in range(n)]),
        splits=splits,
    )


MY_FACES = DataSet(
    name="my_own:MY_FACES",
    title="pictures with a square",
    tasks=("category",),
    settings=MySettings,
    load=my_faces,
    classes=lambda settings, task: ("calm", "glad", "cross"),
)


class MyNet(FaceNet):
    """A network: two convolutions; says what it wants to see and how wide its embedding is."""

    name = "my_net"
    embedding_dim = 16

    def __init__(self, outputs: int, *, input_size: int = 24, channels: int = 1) -> None:
        super().__init__()
        self.input_spec = InputSpec(input_size, channels, (127.5,) * channels, (64.0,) * channels)
        self.body = nn.Sequential(
            nn.Conv2d(channels, 8, 5, stride=2), nn.ReLU(), nn.Conv2d(8, 16, 3), nn.ReLU()
        )
        self.head = nn.Linear(self.embedding_dim, outputs)

    def features(self, x: Tensor) -> Tensor:
        return self.body(x).mean((2, 3))


def my_loss(output: Tensor, target: Tensor, *, smoothing: float = 0.1) -> Tensor:
    """A task loss: a function of outputs and targets; its keywords are settings of the recipe."""
    return F.cross_entropy(output.float(), target, label_smoothing=smoothing)


def my_view(images: Tensor) -> Tensor:
    """A view of a face: a dark band over the eyes."""
    hidden, rows = images.clone(), images.shape[-2]
    hidden[..., rows // 4 : rows // 2, :] = 0
    return hidden


def my_miner(
    student_embeddings: Tensor,
    teacher_embeddings: Tensor,
    targets: Tensor,
    *,
    fraction: float,
    max_target_gap: float | None = None,
    generator: torch.Generator | None = None,
) -> Triplets:
    """A miner: the first face of the pools that will do."""
    pools = draw_pools(
        student_embeddings, teacher_embeddings, targets, fraction, max_target_gap, generator
    )
    positive, negative = (same_class(targets, targets[pool], max_target_gap) for pool in pools)
    first = positive.int().argmax(1), (~negative).int().argmax(1)
    return Triplets(pools[0][first[0]], pools[1][first[1]], *pools)


class MyMethodSettings(DistilledSettings):
    """A method's settings: what the recipe may say of its stages."""

    method: Literal["my_own:MyMethod"] = "my_own:MyMethod"
    power: float = 2.0


class MyMethodObjective(DistilledObjective):
    """What it minimises: the distance of the outputs, to a power, beside the task loss."""

    def forward(self, student: FaceNet, batch: Batch) -> Tensor:
        seen = student(batch.inputs(self.view))
        gap = (seen.output - self.teacher.of(batch).output).abs()
        return blend(self.task(seen, batch), (gap**self.settings.power).mean(), self.settings.lam)


class _MyMethod(Distilled):
    name = "my_own:MyMethod"
    title = "my method"
    settings = MyMethodSettings
    color = 5

    def objective(
        self, job: Job, task_loss: TaskLoss, model: FaceNet, batches: Batches
    ) -> Objective:
        teacher = job.teacher(job.stage.settings.teacher, batches.views)
        return MyMethodObjective(task_loss, job.stage.view, teacher, job.stage.settings)


MyMethod = _MyMethod()
