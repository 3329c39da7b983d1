"""Train and measure the classifier behind ``occkd_lib.apply.visible.judge_visible``.

    python benchmarks/visible.py --root DATA                    # prints; DATA: folder of data sets
    python benchmarks/visible.py --root DATA --json PATH        # also keeps the numbers
    python benchmarks/visible.py --root DATA --weights          # also writes the library's weights

Faces of UTKFace and FER+, half as many as there are of each with a cover of ``painted.py``; moved,
scaled, turned and lit a little, as crops from photos are. Trained on train faces, the temperature
of its probabilities chosen on val faces, measured on test faces; for every family of covers also
by a classifier that has not seen that family.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
from face_crops import crops_of
from painted import COVERS, FAMILIES
from PIL import Image
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression

from occkd_lib.apply.crop import cut
from occkd_lib.apply.visible import VIEWS, WEIGHTS, features
from occkd_lib.project import write_json
from occkd_lib.runs import environment

SIDE = 96  # pixels of the crops that are painted on
STRENGTH = 0.003  # 1 / penalty of the logistic regression, chosen on val faces
FULL = 2.0  # weight of uncovered faces: most faces are


class Painted(NamedTuple):
    """N crops: features N x 540, index into VIEWS, cover ("none"), its family, data set."""

    features: np.ndarray
    views: np.ndarray
    covers: np.ndarray
    families: np.ndarray
    sets: np.ndarray

    def at(self, where: np.ndarray) -> Painted:
        return Painted(*(column[where] for column in self))


def moved(crop: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """The crop as a detector may find it: up to 5 % aside, 12 % larger, 8 degrees turned."""
    margin, half = SIDE // 4, SIDE / 2 * generator.uniform(0.9, 1.12)
    photo = np.pad(crop, ((margin, margin), (margin, margin), (0, 0)), mode="edge")
    x, y = margin + SIDE / 2 + SIDE * generator.uniform(-0.05, 0.05, 2)
    box = (x - half, y - half, x + half, y + half)
    turned = cut(photo, box, SIDE, angle=float(generator.uniform(-8, 8)))
    light = turned * generator.uniform(0.6, 1.3) + generator.uniform(-20, 20)
    return light.clip(0, 255).astype(np.uint8)


def painted(root: Path, split: str, count: int, covers_each: int) -> Painted:
    """``count`` faces of either set, uncovered and with ``covers_each`` covers of either half."""
    generator = np.random.default_rng(0)
    halves = [[k for k, c in COVERS.items() if c.visible == v] for v in VIEWS[1:]]
    rows = []
    for name in ("utkface", "ferplus"):
        for i, face in enumerate(crops_of(name, root, split, count)):
            crop = np.asarray(Image.fromarray(face).resize((SIDE, SIDE), Image.Resampling.BILINEAR))
            if generator.random() < 0.5:
                crop = crop[:, ::-1].copy()
            covers = [half[(i + k) % len(half)] for half in halves for k in range(covers_each)]
            for cover in ("none", *covers):
                known = COVERS.get(cover)
                image = known.paint(crop, name, generator) if known else crop
                if name == "ferplus":
                    image = np.asarray(Image.fromarray(image).convert("L").convert("RGB"))
                view = VIEWS.index(known.visible) if known else 0
                seen = features(moved(image, generator))
                rows.append((seen, view, cover, known.family if known else "none", name))
    return Painted(*(np.array(column) for column in zip(*rows, strict=True)))


def trained(faces: Painted) -> tuple[np.ndarray, np.ndarray]:
    """Weights 3 x 540 and bias 3 on features as they are."""
    mean, spread = faces.features.mean(0), faces.features.std(0) + 1e-3
    model = LogisticRegression(C=STRENGTH, max_iter=1000, class_weight={0: FULL, 1: 1, 2: 1})
    model.fit((faces.features - mean) / spread, faces.views)
    weights = model.coef_ / spread
    return weights, model.intercept_ - weights @ mean


def probabilities(faces: Painted, weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
    scores = faces.features @ weights.T + bias
    shares = np.exp(scores - scores.max(1, keepdims=True))
    return shares / shares.sum(1, keepdims=True)


def temperature(faces: Painted, without: dict[str, tuple[np.ndarray, np.ndarray]]) -> float:
    """Of the softmax: the likeliest for covers of families that were left out, and no covers."""

    def loss(log_temperature: float) -> float:
        t, losses = np.exp(log_temperature), []
        for family, (weights, bias) in without.items():
            some = faces.at((faces.families == family) | (faces.families == "none"))
            shares = probabilities(some, weights / t, bias / t)
            losses.append(-np.log(shares[np.arange(len(shares)), some.views] + 1e-9).mean())
        return float(np.mean(losses))

    return float(np.exp(minimize_scalar(loss, bounds=(-2, 3), method="bounded").x))


def table(faces: Painted, weights: np.ndarray, bias: np.ndarray) -> dict[str, dict[str, float]]:
    """Cover -> accuracy and mean confidence, for each data set."""
    shares = probabilities(faces, weights, bias)
    right, sure = shares.argmax(1) == faces.views, shares.max(1)
    rows: dict[str, dict[str, float]] = {}
    for cover in dict.fromkeys(faces.covers.tolist()):
        rows[cover] = {}
        for name in ("utkface", "ferplus"):
            where = (faces.covers == cover) & (faces.sets == name)
            rows[cover][name] = round(float(right[where].mean()), 3)
            rows[cover][f"{name}_confidence"] = round(float(sure[where].mean()), 3)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", type=Path, help="folder of data sets; default: $OCCKD_DATA")
    parser.add_argument("--faces", type=int, default=3000, help="of each data set, for training")
    parser.add_argument("--json", type=Path, help="write the numbers there")
    parser.add_argument("--weights", action="store_true", help=f"write {WEIGHTS.name}")
    options = parser.parse_args()

    train = painted(options.root, "train", options.faces, covers_each=1)
    val, test = (painted(options.root, s, options.faces // 8, 5) for s in ("val", "test"))
    without = {family: trained(train.at(train.families != family)) for family in FAMILIES}
    t = temperature(val, without)
    weights, bias = (part / t for part in trained(train))
    known = table(test, weights, bias)
    unknown = {
        family: table(test.at(test.families == family), w / t, b / t)
        for family, (w, b) in without.items()
    }
    false_without = {
        family: table(test.at(test.families == "none"), w / t, b / t)["none"]
        for family, (w, b) in without.items()
    }
    for title, rows in (("trained on", known), *unknown.items()):
        print(title if title == "trained on" else f"not trained on: {title}")
        for cover, numbers in rows.items():
            print(f"  {cover:24}", *(f"{key} {value:.3f} " for key, value in numbers.items()))
    print(f"temperature {t:.2f}")
    if options.json:
        content = {"benchmark": "visible", "train_faces": 2 * options.faces, "temperature": t}
        content |= {"test_faces": 2 * (options.faces // 8), "trained_on_all": known}
        content |= {"family_left_out": unknown, "uncovered_with_family_left_out": false_without}
        write_json(options.json, {**content, "environment": environment()})
    if options.weights:
        np.savez(WEIGHTS, weights=weights.astype(np.float32), bias=bias.astype(np.float32))


if __name__ == "__main__":
    main()
