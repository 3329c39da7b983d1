"""Chapter 8's check of sanity on real faces: where random weights look when a half is black.

    python benchmarks/random_maps.py --root DATA                # prints; DATA: folder of data sets
    python benchmarks/random_maps.py --root DATA --json PATH    # also keeps the numbers

The students' networks of recipes ``laptop`` and ``face`` with random weights, several times; the
share of their Grad-CAM mass on the visible part, of test faces that are the same for all. Nothing
is trained. Beside it, what a clean cut keeps in a map of that many cells, and the share of the
pixels. The recipe ``face`` needs its pretrained weights ($OCCKD_WEIGHTS), for the input they want.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from occkd_lib import book
from occkd_lib.cli_data import use_data
from occkd_lib.explain import blank, mass_on_visible, randomized, raw_maps, target_layer
from occkd_lib.occlusion import visible_pixels
from occkd_lib.project import write_json
from occkd_lib.results.attention import chance, visible_shares
from occkd_lib.runs import environment
from occkd_lib.stages.networks import outputs_of

WHERE = (("laptop", "fer"), ("laptop", "gender"), ("laptop", "age"), ("face", "fer"))


def clean_cut(cells: int, view: str, size: int) -> float:
    """Per cent that stays on its own side of a map whose cells are hot where anything is shown."""
    shown = visible_pixels(view, size, size).float()
    clean = (F.adaptive_avg_pool2d(shown[None], cells) > 0).float()
    large = F.interpolate(clean[None], size=(size, size), mode="bilinear")[0]
    return round(100 * mass_on_visible(large, view).item(), 2)


def shares(recipe: str, name: str, draws: int, faces: int) -> dict[str, Any]:
    """Of one experiment: a mean share for each draw (per cent; None where no map has any mass)."""
    chapter = book.open(recipe, name)
    view, experiment = chapter.view, chapter.experiment
    model = chapter.stages["student"].network.build(outputs_of(experiment)).eval()
    cells = raw_maps(model, target_layer(model), blank(model.input_spec), [torch.max]).shape[-1]
    test, means, empty = chapter.faces.split("test").sample(faces), [], []
    for seed in range(draws):
        found = visible_shares((randomized(model, seed=seed).eval(), view), test, view)
        some = found[~np.isnan(found)]
        means.append(round(100 * float(some.mean()), 2) if len(some) else None)
        empty.append(len(found) - len(some))
    return {
        "visible": view, "faces": len(test), "cells": cells, "pixels": chance(experiment, test),
        "clean_cut": clean_cut(cells, view, model.input_spec.size),
        "random_weights": means, "empty_maps": empty,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--root", type=Path, help="data")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--faces", type=int, default=500)
    given = parser.parse_args()
    use_data(given.root)
    rows = {}
    for recipe, name in WHERE:
        rows[f"{recipe}/{name}"] = shares(recipe, name, given.draws, given.faces)
        print(f"{recipe}/{name}", rows[f"{recipe}/{name}"], flush=True)
    if given.json:
        write_json(given.json, {
            "benchmark": "random_maps", "draws": given.draws, "experiments": rows,
            "environment": environment(),
        })  # fmt: skip


if __name__ == "__main__":
    main()
