"""The chapters of the book, as ``workflow/chapters.yaml`` has them, and the graph of their jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import groupby
from pathlib import Path
from typing import Literal, NotRequired, TypedDict

import yaml
from pydantic import Field, ValidationError

from occkd_lib.errors import OcckdError
from occkd_lib.plugins import did_you_mean
from occkd_lib.project import one_line, project_root
from occkd_lib.settings import Settings, first_error

PARAMETERS = ("recipe", "experiment", "seed")


class Chapter(Settings):
    """A notebook of the book; what the fields mean stands at the head of chapters.yaml."""

    file: str = Field(pattern=r"^\d\d_[a-z0-9_]+$")
    title: str
    about: str
    builds_on: tuple[str, ...] = ()
    once: Literal["recipe", "experiment", "seed"]
    methods: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    test_on: bool = False
    ablations: bool = False
    computes: bool = False
    report: bool = False
    seconds: int = Field(default=10, gt=0)
    parts: tuple[str, ...] = Field(min_length=1)

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of what its notebook is given."""
        return PARAMETERS[: PARAMETERS.index(self.once) + 1]

    @property
    def trains(self) -> bool:
        return self.computes and not self.report

    def job(self, experiment: str, seed: int | str) -> Job:
        """Its job for an experiment and seed."""
        whose = (experiment, seed)[: len(self.parameters) - 1]
        return Job(self.file, *whose)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Job:
    """One notebook to be executed for one experiment and seed (None: for all of them)."""

    chapter: str
    experiment: str | None = None
    seed: int | str | None = None

    def __str__(self) -> str:
        seed = "" if self.seed is None else f"seed {self.seed}"
        return f"{self.chapter:<14} {self.experiment or '':<12} {seed:<8}".rstrip()

    @property
    def name(self) -> str:
        """``fer-seed0-02_teachers``"""
        seed = "" if self.seed is None else f"seed{self.seed}"
        return "-".join(filter(None, (self.experiment, seed, self.chapter)))

    @property
    def output(self) -> str:
        """The executed notebook, in the recipe's output folder."""
        return f"notebooks/{self.name}.ipynb"


class Share(TypedDict):
    """What the graph must know of an experiment: its seeds, its stages and their methods, whether
    it is tested on other data sets, too, and has ablations, and the chapters that it is told in
    (not there: all)."""

    seeds: Sequence[int]
    methods: Sequence[str]
    stages: NotRequired[Sequence[str]]
    test_on: NotRequired[bool]
    ablations: NotRequired[bool]
    chapters: NotRequired[Sequence[str]]


@dataclass(frozen=True)
class Graph:
    """The jobs of some experiments (by name) of a recipe, and what each of them builds on."""

    chapters: Mapping[str, Chapter]
    experiments: Mapping[str, Share]

    def jobs(self) -> list[Job]:
        """All jobs, each after those it builds on: in the order of the book, experiment by
        experiment, the whole recipe's last."""
        found: list[Job] = []
        for name, share in self.experiments.items():
            own = [chapter for chapter in self.chapters.values() if self.has(name, chapter)]
            for _, several in groupby(own, key=lambda chapter: chapter.once):
                block = list(several)
                found += [chapter.job(name, seed) for seed in share["seeds"] for chapter in block]
        whole = list(dict.fromkeys(job for job in found if job.experiment is None))
        waits = {job: set(self.before(job)) & set(whole) for job in whole}
        last = list(TopologicalSorter(waits).static_order())
        return [job for job in dict.fromkeys(found) if job not in whole] + last

    def has(self, experiment: str, chapter: Chapter) -> bool:
        """Has an experiment all that a chapter is about?"""
        share = self.experiments[experiment]
        if "chapters" in share and chapter.file not in share["chapters"]:
            return False
        named = set(chapter.stages) <= set(share.get("stages", ()))
        elsewhere = share.get("test_on", False) or not chapter.test_on
        asked = share.get("ablations", False) or not chapter.ablations
        return set(chapter.methods) <= set(share["methods"]) and named and elsewhere and asked

    def before(self, job: Job) -> list[Job]:
        """The jobs that must be done before ``job``, of the experiments that it is about."""
        found: list[Job] = []
        chapter = self.chapters[job.chapter]
        whole = [name for name in self.experiments if self.has(name, chapter)]
        for name in [job.experiment] if job.experiment else whole:
            seeds = self.experiments[name]["seeds"] if job.seed is None else [job.seed]
            before = self.builds_on(name, chapter)
            found += [chapter.job(name, seed) for seed in seeds for chapter in before]
        return list(dict.fromkeys(found))

    def builds_on(self, experiment: str, chapter: Chapter) -> list[Chapter]:
        """The chapters before one; those that the experiment lacks are left out of the chain."""
        found: dict[str, Chapter] = {}
        for other in (self.chapters[file] for file in chapter.builds_on):
            known = [other] if self.has(experiment, other) else self.builds_on(experiment, other)
            found |= {each.file: each for each in known}
        sooner = {e.file for other in found.values() for e in self.all_before(experiment, other)}
        return [other for file, other in found.items() if file not in sooner]

    def all_before(self, experiment: str, chapter: Chapter) -> list[Chapter]:
        """What a chapter builds on, and what that builds on, and so on."""
        direct = self.builds_on(experiment, chapter)
        return direct + [e for other in direct for e in self.all_before(experiment, other)]

    def awaited(self, chapter: str) -> bool:
        """Does any other chapter wait for this one?"""
        return any(chapter in other.builds_on for other in self.chapters.values())

    def way(self, chapter: str) -> int:
        """Seconds from a chapter's start to the book's end, by the longest way: begun first.

        Without a report at the end, which is everybody's.
        """
        own, others = self.chapters[chapter], self.chapters.items()
        after = [self.way(file) for file, other in others if chapter in other.builds_on]
        return (0 if own.report else own.seconds) + max(after, default=0)


def read_chapters(file: Path | None = None) -> dict[str, Chapter]:
    """The chapters by the names of their notebooks, in the order of the book.

    file: by default the project's workflow/chapters.yaml. Raises OcckdError, with the file and the
    key, for one that is missing or says what it cannot.
    """
    path = file or project_root() / "workflow" / "chapters.yaml"
    if not path.is_file():
        raise OcckdError(f"no {path}: run occkd inside the project's checkout, or set OCCKD_ROOT")
    chapters: dict[str, Chapter] = {}
    try:
        for name, content in yaml.safe_load(path.read_text(encoding="utf-8")).items():
            chapters[name] = Chapter.model_validate({"file": name, **content})
    except ValidationError as error:
        raise OcckdError(f"{path}: {name}: {first_error(error, Chapter.model_fields)}") from None
    except (yaml.YAMLError, AttributeError, TypeError) as error:
        raise OcckdError(f"{path}: not a mapping of chapters: {one_line(error)}") from None
    for name, chapter in chapters.items():
        for other in chapter.builds_on:
            if other not in chapters:
                near = did_you_mean(other, [file for file in chapters if file != name])
                raise OcckdError(f"{path}: {name}: no chapter {other!r}{near}")
    try:
        TopologicalSorter({name: c.builds_on for name, c in chapters.items()}).prepare()
    except CycleError as error:
        raise OcckdError(f"{path}: {' needs '.join(error.args[1][::-1])}: a circle") from None
    return chapters


def chapters_table(chapters: Mapping[str, Chapter] | None = None) -> str:
    """The README's table of contents, a line a chapter."""
    lines = ["| | chapter | what happens |", "|---|---|---|"]
    for chapter in (chapters or read_chapters()).values():
        link = f"[{chapter.title}](notebooks/{chapter.file}.ipynb)"
        lines.append(f"| {chapter.file[:2]} | {link} | {chapter.about} |")
    return "\n".join(lines)
