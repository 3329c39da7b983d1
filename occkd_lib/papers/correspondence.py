"""Which stage of a recipe stands beside which printed row: a paper's stages.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

import pandas as pd
import yaml

from occkd_lib.config import Experiment
from occkd_lib.data import DataSettings
from occkd_lib.models import NetworkSettings
from occkd_lib.papers.base import Paper
from occkd_lib.results.store import data_name


@dataclass(frozen=True)
class StageTable:
    """A table of stages.yaml.

    row: columns of a published cell that tell its row. rows: as printed (their values, joined by
    ", ") -> stage. ours: stages that the table does not have. coarse: answers of the coarse
    stream. elsewhere: None, or for answers to other data sets what this table calls these.
    networks: of the whole paper, "network streams" -> stages that have it there. methods: of the
    whole paper; a stage of the same name and another method is something else.
    """

    row: tuple[str, ...]
    rows: Mapping[str, str]
    networks: Mapping[str, list[str]]
    methods: tuple[str, ...]
    ours: tuple[str, ...] = ()
    coarse: bool = False
    elsewhere: Mapping[str, str] | None = field(default=None)

    @property
    def stages(self) -> tuple[str, ...]:
        """Those of the table, then ours."""
        return (*self.rows.values(), *self.ours)

    def has(self, experiment: Experiment, stage: str) -> bool:
        """Has an experiment this stage, and is it the paper's?"""
        return stage in experiment.stages and experiment.method(stage).name in self.methods

    def printed(self, cells: pd.DataFrame) -> pd.Series:
        """How each published cell's row is printed."""
        first, *rest = (cells[column] for column in self.row)
        return first.str.cat(rest, sep=", ") if rest else first

    def sets(self, paper: Paper, experiment: Experiment) -> dict[str, DataSettings]:
        """What the paper calls whatever an experiment is tested on -> the data set tested on."""
        if self.elsewhere is None:
            return {called(paper, experiment.data, experiment.task): experiment.data}
        names = [
            called(paper, data, experiment.task) for data in (experiment.data, *experiment.test_on)
        ]
        train, *tests = [self.elsewhere.get(name, name) for name in names]
        return {
            f"train {train} -> test {test}": data
            for test, data in zip(tests, experiment.test_on, strict=True)
        }

    def same_network(self, stage: str, network: NetworkSettings) -> bool:
        """Does the paper train this network in this stage?"""
        return stage in self.networks.get(f"{network.name} {streams(network)}", ())


def called(paper: Paper, data: DataSettings, task: str) -> str:
    """The paper's name of a data set, or ours where it has none like that."""
    theirs = None if data.called else paper.called(data, task)
    return theirs or data_name(data)


def streams(network: NetworkSettings) -> str:
    """Its streams in a word, "" for a network without."""
    return network.streams.trunks if network.streams else ""


@cache
def everything(paper: str, text: str) -> dict[str, StageTable]:
    """Number -> table of a paper's stages.yaml; read once."""
    found = yaml.safe_load(text)
    return {
        number: StageTable(
            row=tuple(table["row"]),
            rows=table["rows"],
            networks=found["networks"],
            methods=tuple(found["methods"]),
            ours=tuple(table.get("ours", ())),
            coarse=table.get("coarse", False),
            elsewhere=table.get("elsewhere"),
        )
        for number, table in found["tables"].items()
    }


def stage_table(paper: Paper, number: str) -> StageTable:
    """What corresponds to a table."""
    text = (paper.folder / "stages.yaml").read_text(encoding="utf-8")
    return everything(paper.name, text)[number]
