"""ONNX models of our own, run by onnxruntime on the CPU."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import torch
from torch import Tensor

from occkd_lib.data.faceset import ImageRows
from occkd_lib.errors import OcckdError
from occkd_lib.project import one_line

FACES, SAID = "faces", "said"  # an exported graph's input and output
# onnxruntime reports its use to its makers, and keeps a file of it in the user's cache, unless told
# not to before it is imported
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
NEEDED = "install the extra 'apply' (pip install 'occkd[apply]')"


def onnx_package() -> Any:
    """The package onnx; OcckdError with the way to get it."""
    try:
        import onnx
    except ImportError:
        raise OcckdError(f"export to ONNX needs the package onnx: {NEEDED}") from None
    return onnx


def runtime() -> Any:
    """The package onnxruntime; OcckdError with the way to get it."""
    try:
        import onnxruntime
    except ImportError:
        raise OcckdError(f"running ONNX needs the package onnxruntime: {NEEDED}") from None
    return onnxruntime


def session_of(content: bytes, wrong: str) -> Any:
    """A session of a model's bytes; OcckdError that begins with ``wrong`` for one it refuses."""
    ort = runtime()
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = torch.get_num_threads()
    try:
        return ort.InferenceSession(content, options, ["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises its own kinds
        raise OcckdError(f"{wrong} ({one_line(error, 120)})") from None


def ask(session: Any, faces: Tensor | ImageRows, batch_size: int) -> list[np.ndarray]:
    """What an exported model says of N x C x S x S uint8 faces, batch by batch; [] for none."""
    parts = faces.split(batch_size) if len(faces) else ()
    return [session.run([SAID], {FACES: part.contiguous().numpy()})[0] for part in parts]
