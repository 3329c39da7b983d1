"""Recipes: a named set of experiments."""

from __future__ import annotations

from pydantic import Field, field_validator

from occkd_lib.config.experiment import Experiment
from occkd_lib.config.stage import named
from occkd_lib.errors import OcckdError
from occkd_lib.plugins import did_you_mean
from occkd_lib.settings import Settings


class Recipe(Settings):
    """A named set of experiments. ``recipe.experiments["fer"].stages["triplet"].lam``"""

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    description: str
    experiments: dict[str, Experiment] = Field(min_length=1)

    @field_validator("experiments")
    @classmethod
    def _names(cls, experiments: dict[str, Experiment]) -> dict[str, Experiment]:
        for name in experiments:
            named(name)
        return experiments

    def experiment(self, name: str) -> Experiment:
        """The experiment called ``name``, or an error that lists the names there are."""
        if name not in self.experiments:
            names, near = ", ".join(self.experiments), did_you_mean(name, self.experiments)
            raise OcckdError(
                f"recipe {self.name!r} has no experiment {name!r}{near}; it has: {names}"
            )
        return self.experiments[name]

    def command(self, name: str) -> str:
        """What runs an experiment of it, or goes on with it."""
        return f"occkd run {self.name} --only {name}"
