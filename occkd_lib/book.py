"""What a chapter imports: ``from occkd_lib import book``, then ``chapter = book.open(recipe)``.

The rooms of the library hang on it (``book.losses.soft_target_loss``), so a chapter needs one
import; and a Chapter knows the experiment that is open.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pandas as pd
from torch import Tensor

from occkd_lib import (
    config,
    data,
    evaluation,
    losses,
    mining,
    models,
    occlusion,
    papers,
    plots,
    randomness,
    results,
    stages,
    training,
)
from occkd_lib.config import Experiment, Recipe
from occkd_lib.data import FaceSet, copies, verify
from occkd_lib.errors import OcckdError
from occkd_lib.methods import Row
from occkd_lib.methods.fitted import Lesson
from occkd_lib.models import FaceNet
from occkd_lib.papers import beside
from occkd_lib.results import ablations, choices, hidden_half, labels, over_seeds, recalls, views
from occkd_lib.results.store import rows_on
from occkd_lib.runs import Run
from occkd_lib.tasks import TASKS, Task, task_of
from occkd_lib.tasks.metrics import Metric
from occkd_lib.training.predictions import NETWORK

__all__ = [
    "TASKS",
    "Chapter",
    "ablations",
    "beside",
    "choices",
    "config",
    "copies",
    "data",
    "evaluation",
    "hidden_half",
    "labels",
    "losses",
    "mining",
    "models",
    "occlusion",
    "open",
    "open_first",
    "over_seeds",
    "papers",
    "plots",
    "randomness",
    "recalls",
    "results",
    "stages",
    "training",
    "verify",
    "views",
]

LATER = {  # rooms that take seconds to enter: when a chapter asks for them
    "attention": "occkd_lib.results.attention",
    "explain": "occkd_lib.explain",
    "fusion": "occkd_lib.fusion",
    "site": "occkd_lib.site",
}


def __getattr__(name: str) -> ModuleType:
    if name not in LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(LATER[name])


def open(recipe: str | Path, experiment: str | None = None, seed: int = 0) -> Chapter:
    """A recipe, opened at one of its experiments (None: the first) and one seed (0 or more)."""
    if seed < 0:
        raise OcckdError(f"seed {seed}: a seed is 0 or more")
    found = config.load_recipe(recipe)
    return Chapter(found, experiment or next(iter(found.experiments)), seed)


def open_first(recipe: str | Path, file: str) -> Chapter:
    """A recipe, opened at the first of its experiments that a chapter of the book is about.

    file: the chapter's, as workflow/chapters.yaml has it. Raises OcckdError where it is about none.
    """
    from occkd_lib.execution.workflow import Workflow  # takes a while

    graph = Workflow(str(recipe)).graph
    chapter = graph.chapters[file]
    for name in graph.experiments:
        if graph.has(name, chapter):
            return open(recipe, name)
    raise OcckdError(
        f"recipe {recipe}: chapter {file} is about none of its experiments: one must have stages "
        f"of the methods {', '.join(chapter.methods)}, and name the chapter where it names any"
    )


class Chapter:
    """An experiment and seed of a recipe: faces, stages, finished runs and what they say."""

    def __init__(self, recipe: Recipe, name: str, seed: int) -> None:
        self.recipe, self.name, self.seed = recipe, name, seed
        self.experiment: Experiment = recipe.experiment(name)
        self.task: Task = task_of(self.experiment.task)
        self.metric: Metric = self.task.metric
        self.view = self.experiment.visible
        self.stages = stages.graph(self.experiment)

    @cached_property
    def faces(self) -> FaceSet:
        """The experiment's faces, all splits."""
        return stages.faces_of(self.experiment)

    @property
    def store(self) -> results.Store:
        """All finished runs of the recipe, read now."""
        return results.open_store(self.recipe)

    @property
    def alone(self) -> results.Store:
        """Its finished runs, read now, as if the recipe had no other experiment: its families of
        tests are its own, whatever else is finished by now."""
        return results.Store(
            self.recipe.model_copy(update={"experiments": {self.name: self.experiment}})
        )

    @cached_property
    def rows(self) -> dict[str, Row]:
        """Lines of the results on the visible part, by the columns of ``table`` they stand in."""
        return rows_on(self.experiment, self.view)

    def row(self, stage: str) -> Row:
        """The line of a stage's network, on the view that it was trained on."""
        return stages.rows_of(self.experiment)[stage, self.stages[stage].view]

    def table(self, seed: int | None = None) -> pd.DataFrame:
        """Target, and what every finished line of ``rows`` says of the test faces."""
        return self.store.table(self.name, self.seed if seed is None else seed)

    def answers(self, asked: Mapping[str, tuple[str, str]]) -> pd.DataFrame:
        """Target, and under each label what a stage or arm says of a view of the test faces.

        asked: label -> (stage or arm, view that it is tested on).
        """
        sources = {
            label: results.Source(stage, NETWORK, view) for label, (stage, view) in asked.items()
        }
        return self.store.columns(self.name, sources, self.seed)

    def run(self, stage: str, seed: int | None = None) -> Run:
        """The finished run of a stage or arm; carried out now, with what it needs, if it is not."""
        return stages.run_stage(self.recipe, self.name, self.seed if seed is None else seed, stage)

    def lesson(self, stage: str, faces: int = 128) -> Lesson:
        """The network of a stage or arm as it begins, a few faces in batches, and the objective."""
        return stages.first_lesson(self.recipe, self.name, self.seed, stage, faces)

    def settings(self, stage: str):
        """The settings of a stage or an arm."""
        return self.experiment.settings(stage)

    def of_method(self, method: str) -> list[str]:
        """The names of the stages of one method, in the experiment's order."""
        return [name for name, stage in self.stages.items() if stage.method.name == method]

    def network(self, stage: str) -> FaceNet:
        """The trained network of a stage."""
        what = stages.stage_of(self.experiment, stage)
        outputs = self.task.outputs(self.faces.classes)
        return stages.load_network(what.network, outputs, self.run(stage))

    def embeddings(self, stage: str, faces: FaceSet, view: str | None = None) -> Tensor:
        """Face embeddings N x D by a stage's network; view: by default what it was trained on."""
        return self._answers(stage, faces, view).embedding

    def outputs(self, stage: str, faces: FaceSet, view: str | None = None) -> Tensor:
        """Outputs N x K by a stage's network."""
        return self._answers(stage, faces, view).output

    def decisions(self, stage: str, faces: FaceSet, view: str | None = None) -> pd.Series:
        """What a stage's network decides, class or years, by the faces' ids."""
        decided = self.task.decide(self.outputs(stage, faces, view))
        return pd.Series(decided.numpy(), index=faces.ids)

    def _answers(self, stage: str, faces: FaceSet, view: str | None):
        what = stages.stage_of(self.experiment, stage)
        run = self.run(stage)
        return stages.answers_of(self.experiment, what.network, run, faces, view or what.view)

    def words(self, values) -> list[str]:
        """Targets or decisions as a person would say them."""
        return self.task.words(values, self.faces.classes)

    def changed(self, name: str, change: dict) -> Chapter:
        """A chapter of a recipe of its own, with this experiment alone, changed.

        change: what differs, as in a recipe: ``{"stages": {"student": {"epochs": 10}}}``.
        """
        recipe = Recipe(
            name=f"{self.recipe.name}_{name}",
            description=f"{self.recipe.name} with {change}",
            experiments={self.name: self.experiment.varied(change)},
        )
        return Chapter(recipe, self.name, self.seed)
