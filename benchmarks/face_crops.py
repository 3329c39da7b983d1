"""Where CenterFace sees faces in crops as FER+ and UTKFace cut them: the constants of ``STYLES``.

    python benchmarks/face_crops.py --root DATA                # prints; DATA: folder of data sets
    python benchmarks/face_crops.py --root DATA --json PATH    # also keeps the numbers

Validation faces, each with a margin of a quarter of its side, into which its outermost pixels are
drawn out: what lay around it is not known. Medians over faces, in units of the crop's side; spread:
1.4826 times the median absolute deviation. Then, how far the crop that ``place`` finds lies from
the true one, also with halves of the crop painted black, by landmarks and by box.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from occkd_lib.apply.crop import STYLES, Style, place
from occkd_lib.apply.detect import THRESHOLD, Face, centerface
from occkd_lib.data import load_faces
from occkd_lib.project import write_json
from occkd_lib.runs import environment

MARGIN = 0.25
SETS = {
    "ferplus": {"task": "expression", "labels": "majority"},
    "utkface": {"task": "gender"},
}


def crops_of(name: str, root: Path, split: str, count: int) -> np.ndarray:
    """N x H x W x 3 uint8."""
    faces = load_faces(name, root=root, **SETS[name]).split(split).sample(count, seed=0)
    images = np.stack([image.numpy() for image in faces.images]).transpose(0, 2, 3, 1)
    return np.repeat(images, 3, axis=3) if images.shape[3] == 1 else images


def seen(crop: np.ndarray, hidden: slice) -> Face | None:
    """The surest face on the crop with its margin, in units of the crop; hidden: rows of it."""
    side = len(crop)
    margin = round(MARGIN * side)
    photo = np.pad(crop, ((margin, margin), (margin, margin), (0, 0)), mode="edge")
    photo[margin : margin + side, margin : margin + side][hidden] = 0
    faces = centerface(photo, THRESHOLD)
    if not faces:
        return None
    x0, y0, x1, y1 = ((corner - margin) / side for corner in faces[0].box)
    assert faces[0].landmarks is not None
    return Face((x0, y0, x1, y1), faces[0].score, (faces[0].landmarks - margin) / side)


def middle(values: np.ndarray) -> dict[str, list[float] | float]:
    """Median and robust spread over the first axis."""
    median = np.median(values, axis=0)
    spread = 1.4826 * np.median(abs(values - median), axis=0)
    return {"median": np.round(median, 4).tolist(), "spread": np.round(spread, 4).tolist()}


def relation(faces: list[Face]) -> dict[str, object]:
    """What a ``Style`` holds, measured."""
    boxes = np.array([face.box for face in faces])
    longer = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    points = np.array([face.landmarks for face in faces])
    eyes = points[:, 1] - points[:, 0]
    tilt = np.degrees(np.arctan2(eyes[:, 1], eyes[:, 0]))
    return {
        "faces": len(faces),
        "landmarks": middle(points),
        "side": middle(1 / longer),
        "across": middle((0.5 - centres[:, 0]) / longer),
        "down": middle((0.5 - centres[:, 1]) / longer),
        "tilt_degrees": middle(tilt),
        "tilt_90_percent_below": float(np.quantile(abs(tilt), 0.9).round(1)),
    }


def misplaced(faces: list[Face], style: Style) -> dict[str, object]:
    """Centre and side of the crops found, less the true ones (0.5, 0.5 and 1)."""
    boxes = np.array([place(face, style).box for face in faces])
    centres, sides = (boxes[:, :2] + boxes[:, 2:]) / 2 - 0.5, boxes[:, 2] - boxes[:, 0] - 1
    angles = np.array([place(face, style).angle for face in faces])
    return {"centre": middle(centres), "side": middle(sides), "angle_degrees": middle(angles)}


def measure(name: str, root: Path, count: int) -> dict[str, object]:
    crops = crops_of(name, root, "val", count)
    half = crops.shape[1] // 2
    hidden = {"full": slice(0), "lower": slice(half), "upper": slice(half, None)}
    found = {
        view: [face for crop in crops if (face := seen(crop, rows))]
        for view, rows in hidden.items()
    }
    return {
        **relation(found["full"]),
        "misplaced": {
            view: {
                "found": len(faces) / len(crops),
                "by_landmarks": misplaced(faces, STYLES[name]),
                "by_box": misplaced([f._replace(landmarks=None) for f in faces], STYLES[name]),
            }
            for view, faces in found.items()
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", type=Path, help="folder of data sets; default: $OCCKD_DATA")
    parser.add_argument("--faces", type=int, default=300, help="of each data set")
    parser.add_argument("--json", type=Path, help="write the numbers there")
    options = parser.parse_args()
    result = {name: measure(name, options.root, options.faces) for name in SETS}
    for name, numbers in result.items():
        print(name)
        for key, value in numbers.items():
            print(f"  {key}: {value}")
    if options.json:
        content = {"benchmark": "face_crops", "margin": MARGIN}
        write_json(options.json, {**content, **result, "environment": environment()})


if __name__ == "__main__":
    main()
