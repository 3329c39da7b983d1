"""Published results as finished runs again, so that more seeds can join them.

What outputs/reference/<recipe> holds of a run is its protocol and its answers to the test faces.
That is enough for every number over seeds, but not for what needs weights, histories or answers to
the validation faces: such a run is done, and nothing can be built on it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from shutil import rmtree
from typing import Any

import pandas as pd

from occkd_lib.config import Experiment, Recipe
from occkd_lib.data import FaceSet
from occkd_lib.errors import OcckdError
from occkd_lib.project import outputs_root, project_root, write_json
from occkd_lib.results.store import COARSE_ANSWERS, FACE, data_name
from occkd_lib.runs import FORMAT, Run, fingerprint, run_folder
from occkd_lib.stages import faces_of, rows_of, stage_of
from occkd_lib.stages.run import protocol
from occkd_lib.stages.tuning import CHOICES

WHERE = "outputs/reference"


def restore(recipe: Recipe, say: Callable[[str], None] = print) -> int:
    """Make run folders of what outputs/reference/<recipe> holds; return how many.

    Folders that there are stay as they are. Every run's fingerprint is computed anew, from the
    faces on this machine and today's recipe, and must be the published one. With a recipe that
    chooses among arms, the choices come back, too, and are not made again. Raises OcckdError where
    nothing was published, or where recipe, faces or library have changed since.
    """
    folder = project_root() / WHERE / recipe.name
    try:
        kept = json.loads((folder / "protocol.json").read_text())["experiments"]
    except FileNotFoundError:
        raise OcckdError(
            f"no {WHERE}/{recipe.name}/protocol.json: nothing of {recipe.name!r} was published"
        ) from None
    made = 0
    for name, published in kept.items():
        table = pd.read_parquet(folder / f"predictions-{name}.parquet")
        one = Restorer(recipe.name, name, recipe.experiment(name), published, table)
        made += one.all_runs()
        seeds = sorted({int(key.split("/")[0][4:]) for key in published["runs"]})
        say(f"{recipe.name}/{name}: seeds {', '.join(map(str, seeds))} are there")
    return made


class Restorer:
    """One experiment's published runs, made again in the order they stand on each other."""

    def __init__(
        self,
        recipe: str,
        name: str,
        experiment: Experiment,
        published: dict[str, Any],
        table: pd.DataFrame,
    ) -> None:
        self.recipe, self.name, self.experiment = recipe, name, experiment
        self.published, self.table = published, table
        self.faces: FaceSet = faces_of(experiment)
        self.made: list[Path] = []
        began = published["initialisations"]
        self.runs = {
            key: {**status, "initialisation": began[status["initialisation"]]}
            if "initialisation" in status else status
            for key, status in published["runs"].items()
        }  # fmt: skip
        # where its networks began, the same in every seed
        self.began = {
            key.split("/")[1]: status.get("initialisation") for key, status in self.runs.items()
        }

    def all_runs(self) -> int:
        """Restore every published seed, and the tuning seeds; return how many runs were made.

        All or none: where one cannot be, those made before it are taken away again.
        """
        try:
            for key in self.runs:
                seed, stage = key.split("/")
                self.run(int(seed[4:]), stage)
            for stage, record in self.published["choices"].items():
                if record:
                    self.tuned(stage, record)
        except OcckdError:
            for path in self.made:
                path.unlink() if path.is_symlink() or path.is_file() else rmtree(path)
            raise
        return sum(not path.is_symlink() and path.is_dir() for path in self.made)

    def tuned(self, stage: str, record: dict[str, Any]) -> None:
        """The record of a choice, and the runs that it was made among."""
        arms = self.experiment.tuned_arms(stage)
        if set(record["validation"]) != set(arms):
            raise OcckdError(self.changed(stage, "it chooses among other arms now"))
        for arm, by_seed in record["validation"].items():
            for seed, metric in by_seed.items():
                self.run(int(seed), arm, {"validation_metric": metric})
        path = outputs_root() / self.recipe / self.name / CHOICES / f"{stage}.json"
        if not path.exists():
            write_json(path, record)
            self.made.append(path)

    def run(self, seed: int, stage: str, facts: dict[str, Any] | None = None) -> Run:
        """The run of a stage or arm; made, with its parents, where there is none."""
        run = Run(run_folder(self.recipe, self.name, seed, stage))
        if run.folder.exists():
            return run
        record = self.published["choices"].get(stage)
        if record and self.experiment.tuned_arms(stage):
            best = self.run(seed, record["chosen"], self.status(seed, stage))
            self.made.append(run.folder)
            return best.stand_for(run.folder)
        what = stage_of(self.experiment, stage)
        parents = {name: self.run(seed, name) for name in what.parents}
        config = protocol(self.experiment, what, seed, self.faces, parents)
        status = facts or self.status(seed, stage)
        if status.get("fingerprint", fingerprint(config)) != fingerprint(config):
            raise OcckdError(self.changed(stage, f"seed {seed} has another protocol"))
        run.folder.mkdir(parents=True)
        self.made.append(run.folder)
        if "fingerprint" in status:  # not those that a choice was made with
            run.save_table("predictions.parquet", self.predictions(seed, what.name))
        write_json(run.folder / "status.json", {
            "initialisation": self.began.get(what.name), **status, "state": "done",
            "format": FORMAT, "config": config, "fingerprint": fingerprint(config),
            "restored": f"{WHERE}/{self.recipe}",
        })  # fmt: skip
        return run

    def status(self, seed: int, stage: str) -> dict[str, Any]:
        """What was published of a run; {} for one that was not reported."""
        return self.runs.get(f"seed{seed}/{stage}", {})

    def predictions(self, seed: int, stage: str) -> pd.DataFrame:
        """A run's answers to the test faces, in the columns of ``prediction_table``."""
        parts, said = [], self.table[self.table["seed"] == seed]
        for row in rows_of(self.experiment).values():
            if row.stage == stage:
                part = said[(said["row"] == row.name) & (said["test_faces"] == row.view)]
                place = {"data": data_name(self.experiment.data), "split": "test"}
                parts.append(part.assign(**place, view=row.view, row=row.key))
        everything = pd.concat(parts, ignore_index=True)
        if everything.empty:
            raise OcckdError(self.changed(stage, f"no answers of seed {seed} were published"))
        coarse = [c for c in COARSE_ANSWERS if c in everything and everything[c].notna().all()]
        everything = everything.astype(dict.fromkeys(coarse, "int64"))
        return everything[[*FACE, "prediction", *coarse, "data", "split", "view", "row"]]

    def changed(self, stage: str, how: str) -> str:
        """The message for results that do not belong to today's recipe."""
        where = Path(WHERE, self.recipe)
        return (
            f"{where} cannot be restored: {self.name}, {stage}: {how}; the recipe, the faces or "
            "the library have changed since it was written. Run the recipe from its start instead"
        )
