"""What is lost on the way from a photo to an answer: the models that ship, on covered test faces.

    python benchmarks/photos.py --root DATA                # prints; DATA: folder of data sets
    python benchmarks/photos.py --root DATA --json PATH    # also keeps the numbers

Test faces of UTKFace (gender), as they are and covered as ``painted.py`` does it. Cropped: the data
set's own crop is given, and what is visible. Found: the crop lies on a grey canvas, a detector
finds it, and it is cut out anew; what is visible is given, or judged. Accuracy is over all faces
for the first, over those found for the others; a canvas with several boxes counts by its surest.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from detection import is_it, on_canvas
from painted import COVERS

from occkd_lib.apply import load
from occkd_lib.apply.detect import Face
from occkd_lib.data import load_faces
from occkd_lib.evaluation import interval
from occkd_lib.project import project_root, write_json
from occkd_lib.runs import environment

SHOWN = ("none", "black lower half", "black upper half", "mask", "headset")
WAYS = ("cropped", "found, visible given", "found, visible judged")


def right(answers: list, truth: list[str], keep: list[bool]) -> dict[str, float]:
    """Accuracy of the faces kept, in per cent, with its interval; n."""
    pairs = [(a.answer, t) for a, t, k in zip(answers, truth, keep, strict=True) if k]
    words = sorted(set(truth))
    said, true = (np.array([words.index(p[i]) for p in pairs]) for i in (0, 1))
    found = interval(true, said, "accuracy")
    low, high = 100 * found.low, 100 * found.high
    return {"accuracy": 100 * found.value, "low": low, "high": high, "n": len(pairs)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", type=Path, help="folder of data sets; default: $OCCKD_DATA")
    parser.add_argument("--faces", type=int, default=400)
    parser.add_argument("--json", type=Path, help="write the numbers there")
    options = parser.parse_args()
    faces = load_faces("utkface", task="gender", root=options.root).split("test")
    chosen = np.random.default_rng(0).permutation(len(faces))[: options.faces]
    truth = [faces.classes[int(faces.targets[i])] for i in chosen]
    generator, models, table = np.random.default_rng(1), project_root() / "models" / "gender", {}
    for cover in SHOWN:
        visible = "full" if cover == "none" else COVERS[cover].visible
        crops = [faces.images[int(i)].permute(1, 2, 0).numpy() for i in chosen]
        if cover != "none":
            crops = [COVERS[cover].paint(crop, "utkface", generator) for crop in crops]
        photos = [on_canvas(crop) for crop in crops]
        side, every = len(crops[0]), [True] * len(crops)
        rows = {WAYS[0]: right([f[0] for f in load(models, finds="whole", visible=visible)(crops)],
                               truth, every)}  # fmt: skip
        for way, given in zip(WAYS[1:], (visible, None), strict=True):
            told = load(models, visible=given)(photos)
            best = [next((a for a in t if is_it(Face(a.box, a.score), side)), None) for t in told]
            rows[way] = right(best, truth, [a is not None for a in best])
        table[cover] = rows
        for way, row in rows.items():
            print(f"{cover:18} {way:22} {row['accuracy']:5.1f} "
                  f"[{row['low']:.1f}, {row['high']:.1f}], n {row['n']}", flush=True)  # fmt: skip
    if options.json:
        content = {"benchmark": "photos", "faces": options.faces, "ways": table}
        write_json(options.json, {**content, "environment": environment()})


if __name__ == "__main__":
    main()
