"""Eight bits instead of 32: a quarter of the size, and what that costs in accuracy, measured."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from occkd_lib.apply.facts import Facts
from occkd_lib.apply.runtime import FACES, ask, onnx_package, runtime, session_of
from occkd_lib.data import FaceSet, load_once
from occkd_lib.data.registry import settings_of
from occkd_lib.errors import OcckdError
from occkd_lib.plugins import MARK
from occkd_lib.tasks import task_of

QUANTISED = ("Conv", "Gemm", "MatMul")
CALIBRATE, MEASURE = 256, 2000  # faces at most
BATCH = 64


class Cost(NamedTuple):
    """metric: of ``n`` test faces, as a fraction or in years, with float32 and with int8.

    same: share of these faces whose answer stays (years: moves by less than half of one).
    calibrated_on: validation faces that set the ranges.
    """

    metric: str
    n: int
    fp32: float
    int8: float
    same: float
    calibrated_on: int


def quantise(proto: Any, model: Any) -> tuple[Any, Cost]:
    """The ONNX model with its network in int8 (static, per channel), and what that costs.

    proto: as ``export.onnx_of`` gives it; model: the FaceModel. The preprocessing stays exact.
    Faces are those of the model's data set, which must lie here: OcckdError otherwise.
    """
    faces = faces_of(model.facts)
    val = faces.split("val" if (faces.splits == "val").any() else "train").sample(CALIBRATE)
    test = faces.split("test").sample(MEASURE)
    made = quantised(proto, val.images.clone())
    return made, measured_cost(proto, made, test, model.facts, len(val))


def faces_of(facts: Facts) -> FaceSet:
    """The faces that a model learnt from; OcckdError where they are not, or are others."""
    if MARK in str(facts.data.settings.get("name")):
        raise OcckdError("int8 is offered for the book's own data sets: reading others runs code")
    settings = settings_of(**facts.data.settings)
    try:
        faces = load_once(settings, facts.task)
    except OcckdError as error:
        raise OcckdError(
            f"int8 is made only with its cost measured, and the faces are missing: {error}"
        ) from None
    if faces.fingerprint() != facts.data.fingerprint:
        raise OcckdError(f"the {facts.data.name} faces here are not those the model learnt from")
    return faces


def quantised(proto: Any, faces: Tensor) -> Any:
    """Weights and activations of the network in int8; ``faces`` (native, uint8) set the ranges."""
    onnx = onnx_package()
    runtime()  # first: what it says to onnxruntime must be said before any import of it
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self.parts = iter(faces.split(32))

        def get_next(self) -> dict[str, np.ndarray] | None:
            part = next(self.parts, None)
            return None if part is None else {FACES: part.contiguous().numpy()}

    with tempfile.TemporaryDirectory() as folder, unadvised():
        before, after = Path(folder) / "before.onnx", Path(folder) / "after.onnx"
        onnx.save(proto, str(before))
        quantize_static(
            before, after, Reader(), op_types_to_quantize=list(QUANTISED), per_channel=True,
            weight_type=QuantType.QInt8, activation_type=QuantType.QUInt8,
            nodes_to_exclude=before_the_network(proto),
        )  # fmt: skip
        return onnx.load(str(after))


@contextmanager
def unadvised() -> Iterator[None]:
    """onnxruntime advises through the root logger to optimise first, which torch has done."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)


def before_the_network(proto: Any) -> list[str]:
    """Names of the nodes from pixels to the first convolution: preprocessing, which stays exact."""
    made_by = {name: node for node in proto.graph.node for name in node.output}
    first = next((node for node in proto.graph.node if node.op_type == "Conv"), None)
    names, waiting = set(), [] if first is None else [first.input[0]]
    while waiting:
        node = made_by.get(waiting.pop())
        if node is not None and node.name not in names:
            names.add(node.name)
            waiting += node.input
    return sorted(names)


def measured_cost(before: Any, after: Any, test: FaceSet, facts: Facts, calibrated: int) -> Cost:
    """Both models' metric on the same test faces."""
    if not len(test):
        raise OcckdError(f"{facts.data.name} has no test faces: int8 cannot be measured")
    task = task_of(facts.task)
    wrong = "this network has no int8 form"
    sessions = [session_of(proto.SerializeToString(), wrong) for proto in (before, after)]
    said = [np.concatenate(ask(session, test.images, BATCH)) for session in sessions]
    decided = [s[:, 0] if task.continuous else s.argmax(1) for s in said]
    target = test.targets.numpy()
    gap = np.abs(decided[0].astype(np.float64) - decided[1])
    exact, rough = (task.metric(target, d) for d in decided)
    same = float((gap < 0.5).mean())
    return Cost(task.metric.name, len(test), exact, rough, same, calibrated)
