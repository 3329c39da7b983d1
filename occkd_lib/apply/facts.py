"""``Facts``: all that a model's folder says of itself; every number of its card is one of these."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import torch
from pydantic import ConfigDict, Field, ValidationError, field_validator, model_validator
from torch import Tensor

from occkd_lib.errors import OcckdError
from occkd_lib.models import NetworkSettings
from occkd_lib.occlusion import occluder
from occkd_lib.plugins import MARK
from occkd_lib.settings import Settings, first_error
from occkd_lib.tasks import task_of
from occkd_lib.tasks.metrics import metric_of

FORMAT = 1  # of a model's folder; another is refused, never misread
NORMAL_95 = 1.959964  # standard deviations of a normal error to either side of 95 % of them
PATTERNS = 3  # faces of the test pattern


class Known(Settings):
    """Numbers that are none would pass every comparison."""

    model_config = ConfigDict(allow_inf_nan=False)


class Crop(Known):
    """One face of the training data before anything is hidden.

    size: pixels of each side. channels: 1 grey, 3 RGB. style: how the face lies in it, as FER+,
    UTKFace or (``folder``) somebody's own pictures have it.
    """

    size: int = Field(ge=16, le=1024)
    channels: Literal[1, 3]
    style: Literal["ferplus", "utkface", "folder"]


class Beginning(Known):
    """How the network began, see ``models.weights.load.record``; mean and std belong to its input.

    source: file name of the pretrained weights, "random" for none; sha256: of that file.
    """

    source: str
    sha256: str | None
    note: str
    mean: tuple[float, ...]
    std: tuple[Annotated[float, Field(gt=0)], ...]
    constants: dict[str, tuple[float, ...]] = {}


class Data(Known):
    """What it learnt from. settings: the recipe's ``data:``. n: faces of each split.
    label_share: of every class, whose labels it could use; None for all."""

    name: str
    title: str
    settings: dict[str, Any]
    label_rule: str | None
    label_share: float | None = None
    fingerprint: str
    n: dict[str, int]


class Origin(Known):
    """The run: where it is, what made it (hash of its protocol), and the code that it ran with."""

    recipe: str
    experiment: str
    stage: str
    seed: int
    fingerprint: str
    library_version: str
    library_hash: str | None
    git_commit: str | None


class Calibration(Known):
    """How sure an answer is. Fitted on ``n`` validation faces, measured on ``n_test`` test faces.

    temperature: outputs are divided by it before softmax (or sigmoid). ece_before, ece_after:
    expected calibration error on test, 0..1, 15 bins, with temperature 1 and with this one.
    nll_before, nll_after: mean negative log-likelihood there, which has less noise. spread: of a
    quantity, root mean square of the validation errors about the answer. sd: their standard
    deviation about their mean ``bias`` (years). coverage: share of test faces within the 95 %
    interval that ``spread`` gives.
    """

    n: int = 0
    n_test: int = 0
    temperature: float = Field(1.0, gt=0)
    ece_before: float | None = None
    ece_after: float | None = None
    nll_before: float | None = None
    nll_after: float | None = None
    spread: float | None = None
    sd: float | None = None
    bias: float | None = None
    coverage: float | None = None


class Result(Known):
    """A metric with its 95 % interval, in the unit of the tables (``Metric.heading``).

    seeds: the value is the mean of that many trainings. over: what the interval takes as random.
    subset: "all", "without copies of train", or "this file": this very network as it is stored,
    where the others are the runs' as they were trained. group: attribute and value, such as "age
    20-29".
    """

    metric: str
    value: float
    low: float
    high: float
    n: int
    seeds: int
    over: Literal["seeds and faces", "faces"]
    data: str
    split: Literal["val", "test"]
    view: str
    subset: str = "all"
    group: str | None = None

    @field_validator("metric")
    @classmethod
    def _known_metric(cls, name: str) -> str:
        return metric_of(name).name


class Licence(Known):
    """data, weights: notes in words. tag: for the card's front matter."""

    data: str
    weights: str
    tag: str


class Facts(Known):
    """A trained network in words and numbers.

    visible: what the network sees of a face ("full", "lower", "upper", or an import path).
    trained_on: the views that its training saw, a teacher's first. classes: () for a quantity.
    dtype, sha256, check: set by ``save_model``; check: what it says of ``pattern(crop)``,
    probabilities or years. agreement: share of test faces on which the stored network decides as
    the run did (for years: differs by less than 0.05).
    """

    format: int = FORMAT
    title: str
    network: NetworkSettings
    outputs: int
    beginning: Beginning
    task: str
    classes: tuple[str, ...]
    visible: str
    trained_on: tuple[str, ...]
    crop: Crop
    data: Data
    origin: Origin
    calibration: Calibration = Calibration()
    results: tuple[Result, ...] = ()
    licence: Licence
    agreement: float | None = None
    dtype: Literal["fp16", "fp32"] = "fp32"
    sha256: str = ""
    check: tuple[tuple[float, ...], ...] = ()

    @model_validator(mode="after")
    def _parts_agree(self) -> Facts:
        try:
            task = task_of(self.task)
            occluder(self.visible)  # is there such a view?
        except OcckdError as error:
            raise ValueError(str(error)) from None
        if len(set(self.classes)) < len(self.classes) or bool(self.classes) == task.continuous:
            raise ValueError(f"task {self.task} cannot have the classes {list(self.classes)}")
        columns = 1 if task.continuous else len(self.classes)
        if self.outputs != task.outputs(self.classes) or (self.outputs == 1 and columns > 2):
            raise ValueError(f"{self.outputs} outputs do not go with {columns} classes")
        if any(len(row) != columns for row in self.check):
            raise ValueError(f"check: every row must have {columns} numbers")
        return self


def read_facts(text: str, where: object, *, own_code: bool = False) -> Facts:
    """``Facts`` from their JSON; ``where``: the file, for messages.

    Raises OcckdError for damaged text, another format version, and, unless ``own_code``, for a
    network, view or task that is an import path: reading a file must not run somebody's code.
    """
    try:
        content = json.loads(text)
        version, named = content["format"], content["network"]["name"]
        named = {"network": named, "view": content["visible"], "task": content["task"]}
    except (ValueError, KeyError, TypeError, RecursionError):
        raise OcckdError(f"{where} describes no model of this book: get the folder again") from None
    if version != FORMAT:
        raise OcckdError(
            f"{where} has format {version}, this version of the library reads {FORMAT}: "
            f"{'update occkd' if str(version) > str(FORMAT) else 'publish the model again'}"
        )
    own = [f"{kind} {name!r}" for kind, name in named.items() if MARK in str(name)]
    if own and not own_code:
        raise OcckdError(
            f"{where} needs code of its author's ({', '.join(own)}): have that code at hand, and "
            "if you trust it read the model with own_code=True"
        )
    try:
        return Facts.model_validate(content)
    except ValidationError as error:
        raise OcckdError(f"{where}: {first_error(error)}: get the folder again") from None


def pattern(crop: Crop) -> Tensor:
    """Fixed uint8 pictures, PATTERNS x C x S x S, the same on every machine."""
    axes = [torch.arange(n) for n in (PATTERNS, crop.channels, crop.size, crop.size)]
    n, c, row, column = torch.meshgrid(*axes, indexing="ij")
    wave = (n + 2) * row * column // 7 + (5 + n) * row + (3 + 2 * n) * column + 29 * c + 37 * n
    return (wave % 256).to(torch.uint8)
