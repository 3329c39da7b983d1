"""What the finished runs of a recipe predicted: the only source of every number in the results."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from occkd_lib.changes import differences
from occkd_lib.config import Experiment, Recipe, load_recipe
from occkd_lib.data import DataSettings, data_set
from occkd_lib.errors import OcckdError
from occkd_lib.methods import Row
from occkd_lib.project import outputs_root
from occkd_lib.runs import Run, run_folder
from occkd_lib.stages import rows_of, stage_of
from occkd_lib.stages.run import decides
from occkd_lib.tasks import task_of
from occkd_lib.training.predictions import COARSE_PREDICTION, COARSE_TARGET, NETWORK

COPIES = ["duplicate_of_train", "near_copy_of_train"]
FACE = ["id", "target", *COPIES]  # columns of predictions.parquet
COARSE_ANSWERS = [COARSE_TARGET, COARSE_PREDICTION]  # of networks with a coarse stream


class Source(NamedTuple):
    """Whose answers: a stage or an arm of one, a row of its predictions (Row.key), and the view."""

    stage: str
    key: str
    view: str

    @classmethod
    def of(cls, row: Row) -> Source:
        """Where the answers of a row of the tables stand."""
        return cls(row.stage, row.key, row.view)


@dataclass(frozen=True)
class Answers:
    """What one row of the tables says of one split of one data set, with all its seeds.

    faces: FACE, a row a face, by id. predictions: seed -> N. coarse: seed -> COARSE_ANSWERS, a row
    a face, of networks that have a coarse stream.
    """

    experiment: str
    row: Row
    faces: pd.DataFrame
    predictions: dict[int, np.ndarray]
    coarse: dict[int, pd.DataFrame] = field(default_factory=dict)

    @property
    def place(self) -> dict[str, str]:
        """What every line of a table says of where it comes from."""
        trained_on = "+".join(self.row.trained_on)
        return {"row": self.row.name, "train_faces": trained_on, "test_faces": self.row.view}

    @property
    def copies(self) -> np.ndarray:
        """N bool: faces that are in train, too, identical or nearly so."""
        return self.faces[COPIES].any(axis=1).to_numpy()

    @property
    def target(self) -> np.ndarray:
        return self.faces["target"].to_numpy()


class Store:
    """The finished runs of a recipe, each of them read once."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self._runs: dict[Path, Run] = {}
        self._predictions: dict[Path, dict[tuple, pd.DataFrame]] = {}
        self._faces: dict[tuple[str, str, str], tuple[Path, pd.DataFrame]] = {}

    def seeds(self, experiment: str) -> list[int]:
        """Seeds with a folder; ``occkd run`` may have been given others than the recipe's.

        Never those that something was chosen with.
        """
        chosen = self.recipe.experiment(experiment)
        folder = outputs_root() / self.recipe.name / experiment
        names = [path.name for path in folder.glob("seed*")]
        seeds = {int(name[4:]) for name in names if re.fullmatch(r"seed\d+", name)}
        return sorted(seeds - set(chosen.tuning_seeds))

    def run(self, experiment: str, seed: int, stage: str) -> Run | None:
        """The finished run of a stage or arm, None where there is none.

        Raises OcckdError for a run made by other settings than the recipe's.
        """
        folder = run_folder(self.recipe.name, experiment, seed, stage)
        if folder not in self._runs:
            run = Run(folder)
            if not run.done:
                return None
            check_settings(run, self.recipe.experiment(experiment), stage)
            self._runs[folder] = run
        return self._runs[folder]

    def runs(self, experiment: str) -> dict[tuple[int, str], Run]:
        """(seed, stage) -> finished run; the stages of the experiment, without arms."""
        found = {
            (seed, stage): self.run(experiment, seed, stage)
            for seed in self.seeds(experiment)
            for stage in self.recipe.experiment(experiment).order()
        }
        return {key: run for key, run in found.items() if run is not None}

    def complete_seeds(self, experiment: str, stages: Iterable[str] | None = None) -> list[int]:
        """Seeds for which all stages are done, or all of ``stages`` (arms among them)."""
        needed = list(self.recipe.experiment(experiment).stages if stages is None else stages)
        return [
            seed
            for seed in self.seeds(experiment)
            if all(self.run(experiment, seed, stage) is not None for stage in needed)
        ]

    def predictions(self, experiment: str, run: Run) -> dict[tuple, pd.DataFrame]:
        """(data set, split, view, key) -> a row a face, by id: FACE, prediction, perhaps
        COARSE_ANSWERS.

        Raises OcckdError for a run that saw other faces than another of the experiment.
        """
        path = run.folder / "predictions.parquet"
        if path not in self._predictions:
            parts = {}
            everything = run.predictions
            known_too = [column for column in COARSE_ANSWERS if column in everything]
            for key, rows in everything.groupby(["data", "split", "view", "row"], sort=False):
                data, split, *_ = key
                rows = rows.sort_values("id", kind="stable").reset_index(drop=True)
                where = (experiment, data, split)
                first, known = self._faces.setdefault(where, (path, rows[FACE]))
                if not rows[FACE].equals(known):
                    raise OcckdError(
                        f"{path} and {first} hold different {split} faces: "
                        "delete the older one's folder and run it again"
                    )
                parts[key] = rows[[*FACE, "prediction", *known_too]]
            self._predictions[path] = parts
        return self._predictions[path]

    def answers(
        self, experiment: str, *, split: str = "test", data: str | None = None
    ) -> list[Answers]:
        """What every row of the tables says of a split, where at least one seed is finished.

        data: name of the data set, by default the experiment's own; the rows are in the order of
        ``rows_of``.
        """
        chosen = self.recipe.experiment(experiment)
        data = data or data_name(chosen.data)
        runs, result = self.runs(experiment), []
        for row in rows_of(chosen).values():
            key = (data, split, row.view, row.key)
            found = {
                seed: self.predictions(experiment, run)[key]
                for (seed, stage), run in runs.items()
                if stage == row.stage and key in self.predictions(experiment, run)
            }
            if found:
                faces = next(iter(found.values()))[FACE]
                said = {seed: rows["prediction"].to_numpy() for seed, rows in found.items()}
                coarse = {
                    seed: rows[COARSE_ANSWERS]
                    for seed, rows in found.items()
                    if {*COARSE_ANSWERS} <= {*rows}
                }
                result.append(Answers(experiment, row, faces, said, coarse))
        return result

    def columns(
        self,
        experiment: str,
        sources: Mapping[str, Source],
        seed: int,
        *,
        split: str = "test",
        data: str | None = None,
    ) -> pd.DataFrame:
        """What each source says of the same faces, side by side.

        data: another data set of ``test_on``, by default the experiment's own. Index: the faces'
        ids; columns: target, then one a label of ``sources``. Without rows where the data set has
        no such split. Raises OcckdError for a source that is not finished, or was not tested on
        that view, or on that data set.
        """
        elsewhere, data = data, data or data_name(self.recipe.experiment(experiment).data)
        parts: list[pd.DataFrame] = []
        for stage, key, view in sources.values():
            run = self.run(experiment, seed, stage)
            if run is None:
                where = f"{self.recipe.name}/{experiment}, seed {seed}"
                raise OcckdError(f"{where}: {stage} is not finished: run it first")
            known = self.predictions(experiment, run)
            part = known.get((data, split, view, key))
            if part is None and any(place[:2] == (data, split) for place in known):
                raise OcckdError(
                    f"{run.folder} has no answers of {key or stage!r} to view {view!r}"
                )
            if part is None and elsewhere:
                raise OcckdError(f"{run.folder} has no answers to {elsewhere}")
            # a data set without such a split has a table without rows
            parts.append(pd.DataFrame(columns=[*FACE, "prediction"]) if part is None else part)
        said = [part["prediction"] for part in parts]
        table = pd.concat([parts[0]["target"], *said], axis=1, keys=["target", *sources])
        return table.set_index(pd.Index(parts[0]["id"], name="id"))

    def on_validation(self, experiment: str, source: Source, seed: int) -> float:
        """The task's metric on the validation faces; NaN where there are none.

        Of a run that was restored it is what was published, of the network on its own view; NaN of
        what else it says.
        """
        table = self.columns(experiment, {"said": source}, seed, split="val")
        chosen, run = self.recipe.experiment(experiment), self.run(experiment, seed, source.stage)
        if len(table):
            return task_of(chosen.task).metric(table["target"], table["said"])
        own = Source(source.stage, NETWORK, stage_of(chosen, source.stage).view)
        known = run.status if run and run.restored and source == own else None
        return (known or {}).get("validation_metric", np.nan)

    def table(
        self, experiment: str, seed: int, *, split: str = "test", view: str | None = None
    ) -> pd.DataFrame:
        """What every finished row says of the faces as ``view`` shows them.

        view: by default the experiment's visible part. Columns: target, then one a label of
        ``rows_on``. Raises OcckdError when nothing of that seed is finished.
        """
        chosen = self.recipe.experiment(experiment)
        sources = {
            label: Source.of(row)
            for label, row in rows_on(chosen, view or chosen.visible).items()
            if self.run(experiment, seed, row.stage) is not None
        }
        if not sources:
            raise OcckdError(f"{self.recipe.name}/{experiment} has no finished run of seed {seed}")
        return self.columns(experiment, sources, seed, split=split)


def rows_on(experiment: Experiment, view: str) -> dict[str, Row]:
    """Label -> row of all that is tested on one view: its name; and of what was trained on another
    view, that, too: "teacher on full" says what the teacher says of the same faces, not hidden."""
    rows, found = rows_of(experiment), {}
    for row in rows.values():
        if row.view == view:
            found[row.name] = row
        elif row.view == row.trained_on[-1] and (row.name, view) in rows:
            found[f"{row.name} on {row.view}"] = row
    return found


def data_name(settings: DataSettings) -> str:
    """What predictions call a data set; a recipe may name it by import path."""
    return settings.called or data_set(settings.name).name


def check_settings(run: Run, experiment: Experiment, stage: str) -> None:
    """Raise OcckdError when the run's protocol differs from what the recipe says now."""
    config, names = (run.status or {})["config"], experiment.tuned_arms(stage) or (stage,)
    wanted = [decides(experiment, stage_of(experiment, name)) for name in names]
    changes = [differences({key: config.get(key) for key in now}, now) for now in wanted]
    if all(changes):
        raise OcckdError(
            f"{run.folder} was made by another version of the recipe "
            f"({'; '.join(changes[-1][:3])}): restore the recipe, or delete that folder and run it "
            "again"
        )


def open_store(recipe: Recipe | str | Path) -> Store:
    """A new store of a recipe, or of the one of that name or file."""
    return Store(recipe if isinstance(recipe, Recipe) else load_recipe(recipe))
