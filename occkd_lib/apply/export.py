"""Models for other runtimes: one file from uint8 pixels to calibrated answers, ONNX or TorchScript.

The facts travel in the file: ONNX metadata "facts", TorchScript extra file "facts.json".
"""

from __future__ import annotations

import io
import json
import os
import tempfile
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from occkd_lib.apply.facts import Facts, pattern, read_facts
from occkd_lib.apply.graph import Complete, exportable
from occkd_lib.apply.model import FILE, read_model
from occkd_lib.apply.quantise import Cost, quantise
from occkd_lib.apply.runtime import FACES, SAID, ask, onnx_package, session_of
from occkd_lib.apply.tensors import checked_faces
from occkd_lib.errors import OcckdError
from occkd_lib.project import BOOK, one_line, shipped, write_atomically

OPSET = 18
EXTRA = "facts.json"
DEFAULT = {"onnx": "model.onnx", "torchscript": "model.pt"}  # what a file is called in the folder


def export(
    folder: str | Path,
    to: Literal["onnx", "torchscript"] = "onnx",
    output: str | Path | None = None,
    *,
    int8: bool = False,
    own_code: bool = False,
) -> Path:
    """Write the model in ``folder`` as one file, by default model.onnx or model.pt beside it.

    Its input "faces": N x C x S x S uint8, as ``FaceModel.predict`` takes them, N free; its output
    "said": probabilities N x K, or years N x 1. int8: the network computes in eight bits (ONNX
    only), with ranges from validation faces and its cost measured on test faces, which the file
    says ("int8"); so it needs the data. Raises OcckdError for a view that is not a mask, a network
    that cannot be exported, or packages or data that are missing.
    """
    if to not in DEFAULT:
        raise OcckdError(f"--to {to}: write onnx or torchscript")
    if int8 and to != "onnx":
        raise OcckdError("int8 is offered for ONNX only: leave out --int8, or set --to onnx")
    folder = shipped(folder)
    if os.path.isfile(folder):
        if folder.name != FILE:
            raise OcckdError(f"{folder} is no model's folder (an export?): give one")
        folder = folder.parent
    model = read_model(folder, own_code=own_code)
    path = Path(output) if output else folder / DEFAULT[to]
    if output is None and path.is_relative_to(BOOK):
        raise OcckdError(f"{folder} came with the library: say where to write (-o FILE)")
    if path.is_dir():
        raise OcckdError(f"{path} is a folder: give a file")
    whole = Complete(model).eval()
    facts = model.facts.model_dump_json()
    if to == "torchscript":
        script = traced(whole, pattern(model.facts.crop))
        extra = {EXTRA: facts}
        write_atomically(path, lambda aside: script.save(str(aside), _extra_files=extra))
        return path
    proto = onnx_of(whole, pattern(model.facts.crop))
    more: dict[str, str] = {}
    if int8:
        proto, cost = quantise(proto, model)
        more["int8"] = json.dumps(cost._asdict())
    write_onnx(path, proto, {"facts": facts, **more})
    return path


def traced(whole: Complete, example: Tensor) -> Any:
    """The TorchScript of the module; OcckdError for a network that cannot be traced."""
    with warnings.catch_warnings(), exportable(), torch.no_grad():
        warnings.simplefilter("ignore")  # shapes are constants here; the script form is outdated
        try:
            return torch.jit.trace(whole, example, check_trace=False)
        except Exception as error:  # a user's network may raise anything
            reason = f"{type(error).__name__}: {one_line(error, 150)}"
            raise OcckdError(f"this network cannot be traced ({reason})") from error


def onnx_of(whole: Complete, example: Tensor) -> Any:
    """The module as an ONNX model (``onnx.ModelProto``), N free; OcckdError where it cannot be."""
    onnx = onnx_package()
    silent = redirect_stdout(io.StringIO())  # torch prints the whole graph when it fails
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), exportable(), silent:
        warnings.simplefilter("ignore")
        file = Path(folder) / "model.onnx"
        try:
            torch.onnx.export(
                whole, (example,), str(file), input_names=[FACES], output_names=[SAID],
                dynamic_axes={FACES: {0: "n"}, SAID: {0: "n"}}, opset_version=OPSET, dynamo=False,
            )  # fmt: skip
        except Exception as error:  # a user's network may raise anything
            reason = f"{type(error).__name__}: {one_line(error, 150)}"
            raise OcckdError(f"this network cannot be written as ONNX ({reason})") from error
        return onnx.load(str(file))


def write_onnx(path: Path, proto: Any, metadata: dict[str, str]) -> None:
    """Check the model and write it, with ``metadata``; whole or not at all."""
    onnx = onnx_package()
    onnx.helper.set_model_props(proto, metadata)
    onnx.checker.check_model(proto)
    write_atomically(path, lambda aside: aside.write_bytes(proto.SerializeToString()))


def run_onnx(
    file: str | Path, faces: Tensor, *, batch_size: int = 32, own_code: bool = False
) -> np.ndarray:
    """What an exported file says of faces, by onnxruntime on the CPU: N x K, or years N x 1.

    faces: N x C x S x S uint8. Raises OcckdError for a file that is none of ``export``'s, and for
    other faces. own_code: see ``read_model``; the file runs without that code, its facts are
    read with it.
    """
    session, facts, _ = opened(file, own_code=own_code)
    checked_faces(faces, facts.crop.channels, facts.crop.size)
    none = np.empty((0, len(facts.classes) or 1), np.float32)
    return np.concatenate([none, *ask(session, faces, batch_size)])


def opened(file: str | Path, *, own_code: bool = False) -> tuple[Any, Facts, Cost | None]:
    """An exported ONNX file: onnxruntime's session, its facts, and the cost of its eight bits."""
    path = Path(file)
    if not os.path.isfile(path):
        raise OcckdError(f"{path} is missing: write it with 'occkd export'")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise OcckdError(f"{path} cannot be read ({error.strerror})") from None
    session = session_of(content, f"{path} is no ONNX model")
    known = session.get_modelmeta().custom_metadata_map
    try:
        cost = Cost(**json.loads(known["int8"])) if "int8" in known else None
    except (ValueError, TypeError):
        raise OcckdError(f"{path} does not say what its eight bits cost: export it again") from None
    return session, read_facts(known.get("facts", ""), path, own_code=own_code), cost


def run_torchscript(file: str | Path, faces: Tensor, *, own_code: bool = False) -> Tensor:
    """The same of a TorchScript file; N x K, or N x 1."""
    script, facts = opened_script(file, own_code=own_code)
    return script(checked_faces(faces, facts.crop.channels, facts.crop.size))


def opened_script(
    file: str | Path, *, own_code: bool = False
) -> tuple[Callable[[Tensor], Tensor], Facts]:
    """An exported TorchScript file: what answers for N x C x S x S uint8 faces, and its facts."""
    extra = {EXTRA: ""}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            script = torch.jit.load(str(file), map_location="cpu", _extra_files=extra)
        except (RuntimeError, ValueError) as error:
            raise OcckdError(f"{file} is no TorchScript ({one_line(error, 120)})") from None
    return torch.no_grad()(script), read_facts(extra[EXTRA], file, own_code=own_code)
