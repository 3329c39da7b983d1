"""A detector's crop is never where the data set's is. How much does that cost, trained for or not?

    python benchmarks/moved.py --root DATA                # prints; DATA: folder of data sets
    python benchmarks/moved.py --root DATA --json PATH    # also keeps the numbers

Two students of recipe ``occluders``, FER+, lower half visible: trained on faces as they are
(experiment ``fer``), and on faces shifted, scaled and tilted at random (``fer_moved``; both have to
be trained). Both are asked of the same test faces, moved at random as far as in that training,
twice as far, and in one way alone; the black half moves with the face. Of the first seed, so
p (McNemar's exact test) is about these two networks, not about the two trainings.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from occkd_lib import book
from occkd_lib.cli_data import use_data
from occkd_lib.evaluation import mcnemar_test
from occkd_lib.project import write_json
from occkd_lib.runs import environment
from occkd_lib.stages.networks import load_network, outputs_of
from occkd_lib.training.batches import Batches, Moves
from occkd_lib.training.device import Compute
from occkd_lib.training.features import views_of

STAGE, EXPERIMENTS = "on_lower", ("fer", "fer_moved")


def how_far(moves: Moves) -> dict[str, Moves]:
    """What the test faces go through, in words."""
    twice = Moves(2 * moves.shift, 2 * moves.scale, 2 * moves.tilt)
    found = {"as they are": Moves(), "as in training": moves, "twice as far": twice}
    for name in ("shift", "scale", "tilt"):
        alone = {"shift": 0, "scale": 0.0, "tilt": 0.0} | {name: getattr(twice, name)}
        found[f"twice as far, {name} alone"] = Moves(**alone)
    return found


@torch.no_grad()
def right(experiment: str, moves: dict[str, Moves]) -> dict[str, Tensor]:
    """Is the student right? N booleans, of the same test faces moved alike, in every way."""
    chapter = book.open("occluders", experiment)
    stage, chosen, compute = chapter.stages[STAGE], chapter.experiment, Compute.best("fp32")
    run = chapter.store.runs(experiment)[chapter.seed, STAGE]
    model = load_network(stage.network, outputs_of(chosen), run).to(compute.device).eval()
    test = chapter.faces.split("test")
    views, found = views_of(test, model, compute), {}
    for words, far in moves.items():
        answers = torch.empty(len(test), dtype=torch.int64)
        for batch in Batches(views, batch_size=500, seed=0, flip=False, moves=far).epoch(0):
            said = chapter.task.decide(model(batch.inputs(stage.view)).output)
            answers[batch.index.cpu()] = said.cpu()
        found[words] = answers == test.targets
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--root", type=Path, help="data")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    use_data(given.root)
    moves = book.open("occluders", EXPERIMENTS[1]).experiment.moves
    still, moved = (right(name, how_far(moves)) for name in EXPERIMENTS)
    rows = {}
    for words, ours in moved.items():
        theirs = still[words]
        rows[words] = {
            "faces": len(ours),
            "trained_as_they_are": round(100 * theirs.double().mean().item(), 2),
            "trained_moved": round(100 * ours.double().mean().item(), 2),
            "p_mcnemar": mcnemar_test(ours, theirs).p,
        }
        print(words, rows[words])
    if given.json:
        write_json(given.json, {
            "benchmark": "moved", "recipe": "occluders", "experiments": EXPERIMENTS,
            "stage": STAGE, "seed": 0, "moves": vars(moves), "accuracy": rows,
            "environment": environment(),
        })  # fmt: skip


if __name__ == "__main__":
    main()
