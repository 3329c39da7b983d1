"""How many half-hidden faces CenterFace misses, and how many it sees where there are none.

    python benchmarks/detection.py --root DATA                # prints; DATA: folder of data sets
    python benchmarks/detection.py --root DATA --json PATH    # also keeps the numbers

Test faces of UTKFace (200 pixels) and FER+ (48, enlarged to 96), as they are and covered as
``painted.py`` does it, each on a grey canvas. Found: a box whose centre lies in the middle half of
the crop, and which is a third to one and a half of its side; every other box is a false alarm.
Without faces: two photos that come with scikit-learn, parts of them, and drawn surfaces.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from face_crops import crops_of
from painted import COVERS, patterned, plain, smooth_noise
from PIL import Image
from sklearn.datasets import load_sample_images

from occkd_lib.apply.detect import THRESHOLD, Face, centerface
from occkd_lib.project import write_json
from occkd_lib.runs import environment

THRESHOLDS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5)
CANVAS = 1.6  # its side, in sides of the crop
SIDES = {"utkface": 200, "ferplus": 96}


def on_canvas(crop: np.ndarray) -> np.ndarray:
    side = round(CANVAS * len(crop))
    canvas = np.full((side, side, 3), 128, np.uint8)
    start = (side - len(crop)) // 2
    canvas[start : start + len(crop), start : start + len(crop)] = crop
    return canvas


def is_it(face: Face, side: int) -> bool:
    """Is ``face`` the one in the middle of the canvas?"""
    x0, y0, x1, y1 = np.array(face.box) / side - (CANVAS - 1) / 2
    central = max(abs((x0 + x1) / 2 - 0.5), abs((y0 + y1) / 2 - 0.5)) < 0.25
    return central and 1 / 3 < max(x1 - x0, y1 - y0) < 1.5


def covered_faces(name: str, root: Path, count: int) -> dict[str, dict[str, list[float]]]:
    """Cover -> shares of faces found, and other boxes an image, at each of THRESHOLDS."""
    generator = np.random.default_rng(0)
    side = SIDES[name]
    crops = [
        np.asarray(Image.fromarray(crop).resize((side, side), Image.Resampling.BICUBIC))
        for crop in crops_of(name, root, "test", count)
    ]
    table = {}
    for cover in ("none", *COVERS):
        right, wrong = [], []
        for crop in crops:
            if cover != "none":
                crop = COVERS[cover].paint(crop, name, generator)
            if name == "ferplus":
                crop = np.asarray(Image.fromarray(crop).convert("L").convert("RGB"))
            faces = centerface(on_canvas(crop), min(THRESHOLDS))
            right.append(max((f.score for f in faces if is_it(f, side)), default=0.0))
            wrong += [face.score for face in faces if not is_it(face, side)]
        table[cover] = {"found": shares(right, len(crops)), "others": shares(wrong, len(crops))}
    return table


def shares(scores: list[float], count: int) -> list[float]:
    return [round(sum(s > t for s in scores) / count, 4) for t in THRESHOLDS]


def without_faces() -> Iterator[tuple[str, np.ndarray]]:
    """(kind, image): photos, their parts, drawn surfaces."""
    generator = np.random.default_rng(0)
    for photo in load_sample_images().images:
        yield "photo", photo
        for part in np.array_split(photo[:420], 3):
            for piece in np.array_split(part, 4, axis=1):
                yield "part of a photo", np.ascontiguousarray(piece)
    nothing = np.zeros((320, 320, 3), np.uint8)
    for _ in range(20):
        yield "plain", plain(nothing, generator).astype(np.uint8)
        yield "patterned", patterned(nothing, generator).astype(np.uint8)
        noise = sum(smooth_noise(320, cells, generator) for cells in (4, 16, 64))
        yield "noise", np.repeat((128 + 40 * noise).clip(0, 255).astype(np.uint8)[..., None], 3, 2)


def false_alarms() -> dict[str, dict[str, object]]:
    """Kind -> how many images, and boxes an image at each of THRESHOLDS."""
    scores: dict[str, list[list[float]]] = {}
    for kind, image in without_faces():
        scores.setdefault(kind, []).append([f.score for f in centerface(image, min(THRESHOLDS))])
    return {
        kind: {"images": len(of), "boxes": shares([s for each in of for s in each], len(of))}
        for kind, of in scores.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", type=Path, help="folder of data sets; default: $OCCKD_DATA")
    parser.add_argument("--faces", type=int, default=120, help="of each data set")
    parser.add_argument("--json", type=Path, help="write the numbers there")
    options = parser.parse_args()
    alarms = false_alarms()
    print(f"{'boxes an image, no face':34}", *(f"{t:6}" for t in THRESHOLDS))
    for kind, row in alarms.items():
        print(f"{kind:34}", *(f"{share:6.2f}" for share in row["boxes"]))
    found = {}
    for name in SIDES:
        found[name] = covered_faces(name, options.root, options.faces)
        print(f"{name + ', share found':34}", *(f"{t:6}" for t in THRESHOLDS))
        for cover, row in found[name].items():
            print(f"{cover:34}", *(f"{share:6.2f}" for share in row["found"]), flush=True)
            print(f"{'   boxes elsewhere':34}", *(f"{share:6.2f}" for share in row["others"]))
    if options.json:
        content = {"benchmark": "detection", "thresholds": THRESHOLDS, "chosen": THRESHOLD}
        content |= {"faces": options.faces, "no_face": alarms, "covered": found}
        write_json(options.json, {**content, "environment": environment()})


if __name__ == "__main__":
    main()
