"""Running a recipe: Snakemake executes ``workflow/Snakefile``, this says how far it is."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from importlib import resources
from pathlib import Path
from typing import NoReturn

from occkd_lib.config import Recipe, builtin_recipes, load_recipe
from occkd_lib.devices import visible_gpus
from occkd_lib.errors import OcckdError
from occkd_lib.progress import Job, Listener, Narrator, Say
from occkd_lib.project import library_hash, locked, outputs_root, project_root

TO_DO, DONE, OLD = "to do", "done", "done by another version of the library"


@dataclass
class Workflow:
    """A recipe and how to run it.

    recipe: name or file. experiments, seeds: run these instead of all (experiments may be given by
    a pattern, seeds may be new ones). cores: of this machine, all by default. threads: per training
    job; by default 1 where all faces are built in (many short jobs side by side are faster), else
    an equal share of the cores for every GPU, or all cores for one job at a time. again: execute
    what is done, too (training stages that are done stay done). extra: further arguments for
    Snakemake, such as ``--executor slurm --jobs 20``.
    """

    recipe: str
    experiments: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    cores: int | None = None
    threads: int | None = None
    again: bool = False
    extra: Sequence[str] = ()
    content: Recipe = field(init=False)
    file: Path = field(init=False)

    def __post_init__(self) -> None:
        self.content = load_recipe(self.recipe)
        if self.recipe in builtin_recipes():
            folder = resources.files("occkd_lib") / "recipes"
            self.file = Path(str(folder / f"{self.recipe}.yaml"))
        else:
            self.file = Path(self.recipe).resolve()
            self.recipe = str(self.file)  # jobs run in other folders
        named = (name for only in self.experiments for name in self.named(only))
        self.experiments = tuple(dict.fromkeys(named))
        self.snakefile = project_root() / "workflow" / "Snakefile"
        if not self.snakefile.is_file():
            raise OcckdError(
                f"no {self.snakefile}: run occkd inside the project's checkout, or set OCCKD_ROOT"
            )
        self.folder = outputs_root() / self.content.name
        self._again = ("--forceall",) if self.again else ()
        self.gpus = len(visible_gpus())
        self.cores = self.cores or available_cores()
        if self.threads is None:
            built_in = all(e.data.name == "synthetic" for e in self.content.experiments.values())
            self.threads = 1 if built_in else max(1, self.cores // max(1, self.gpus))

    def named(self, pattern: str) -> list[str]:
        """The experiments that a name or a shell pattern (``fer_*``) means."""
        found = [name for name in self.content.experiments if fnmatchcase(name, pattern)]
        if not found:
            self.content.experiment(pattern)  # the error that lists what there is
        return found

    def check_data(self) -> None:
        """OcckdError when a data set is missing: how to get it, and what can run without it."""
        names = self.experiments or tuple(self.content.experiments)
        chosen = {name: self.content.experiments[name].data.name for name in names}
        missing: dict[str, OcckdError] = {}
        for data in sorted(set(chosen.values()) - {"synthetic"}):
            from occkd_lib.data.registry import locate  # imports torch

            try:
                locate(data)
            except OcckdError as error:
                missing[data] = error
        if missing:
            ready = [f"--only {name}" for name, data in chosen.items() if data not in missing]
            rest = f". Without it: {' '.join(ready)}" if ready else ""
            raise OcckdError(f"{'. '.join(map(str, missing.values()))}{rest}")

    def plan(self) -> dict[Job, str]:
        """Every job of the recipe in the order of the book: TO_DO, DONE or OLD."""
        every, to_do = Listener(), Listener()
        self._snakemake(every, "--dry-run", "--forceall")
        self._snakemake(to_do, "--dry-run", *self._again)
        order = {name: n for n, name in enumerate([*self.content.experiments, None])}
        jobs = sorted(
            every.jobs.values(),
            key=lambda j: (order[j.experiment], j.chapter >= "09", j.seed or 0, j.chapter),
        )
        now, waiting = library_hash(), set(to_do.jobs.values())
        return {j: TO_DO if j in waiting else self._made_by(now, j) for j in jobs}

    def _made_by(self, library: str, job: Job) -> str:
        """DONE, or OLD if the notebook's status names another version of the library."""
        status = (self.folder / job.output).with_suffix(".status.json")
        try:
            made_by = json.loads(status.read_text())["environment"]["library_hash"]
        except (OSError, ValueError, KeyError):
            return OLD
        return DONE if made_by == library else OLD

    def run(self, say: Say = print) -> None:
        """Execute what is not done; ``say`` gets a line whenever a job starts or ends.

        Raises OcckdError when a notebook fails; what does not build on it is executed all the
        same. Raises KeyboardInterrupt on Ctrl-C, after ending the jobs.
        """
        name, plan = self.content.name, list(self.plan().values())
        to_do, old = plan.count(TO_DO), plan.count(OLD)
        if old:
            say(
                f"{name}: {old} notebooks were made by another version of the library (see --again)"
            )
        if not to_do:
            say(f"{name}: all {len(plan)} notebooks are done")
            return
        say(
            f"{name}: {to_do} of {len(plan)} notebooks to execute; cores: {self.cores}, GPUs: "
            f"{self.gpus}, threads a training job: {self.threads}; logs: {self.folder / 'logs'}"
        )
        listener = Narrator(to_do, self.folder, say)
        with self._alone(), ending_jobs_on_interrupt():
            self._snakemake(listener, *self._again)
        listener.check()

    def results(self) -> dict[str, Path]:
        """What a finished run leaves to look at."""
        places = {
            "results": self.folder / "results" / "index.html",
            "results chapter": self.folder / "notebooks" / "10_results.ipynb",
            "all notebooks": self.folder / "notebooks",
            "logs": self.folder / "logs",
        }
        return {what: where for what, where in places.items() if where.exists()}

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One run of a recipe at a time; unlike Snakemake's, this lock ends with the process."""

        def refuse() -> NoReturn:
            name = self.content.name
            raise OcckdError(
                f"recipe {name!r} is being run by another process: wait for it, or end it"
            ) from None

        with locked(self.folder / ".occkd-run.lock", refuse):
            yield

    def _first(self) -> list[str]:
        """The longest ways through the graph, to be begun first: experiments with ablations."""
        chosen = self.experiments or tuple(self.content.experiments)
        return [
            f"notebooks/{name}-seed{seed}-07_ablations.ipynb"
            for name in chosen
            for seed in self.seeds or self.content.experiment(name).seeds
            if self.content.experiment(name).ablations_of(seed)
        ]

    def _snakemake(self, listener: Listener, *mode: str) -> None:
        from snakemake.cli import main

        config = {
            "recipe": self.recipe,
            "recipe_file": str(self.file),
            "experiments": list(self.experiments),
            "seeds": list(self.seeds),
            "threads": self.threads,
            "gpu": min(1, self.gpus),
        }
        parent = logging.getLogger("snakemake")
        parent.addHandler(listener)
        with contextlib.ExitStack() as stack:
            stack.callback(parent.removeHandler, listener)
            folder = self.folder
            if "--dry-run" in mode:  # it is never quiet, and should leave nothing behind
                stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
                stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
                if not folder.is_dir():
                    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            arguments = [
                *("--snakefile", str(self.snakefile), "--directory", str(folder)),
                *("--cores", str(self.cores), "--resources", f"gpu={self.gpus}"),
                *("--nolock", "--rerun-incomplete", "--rerun-triggers", "mtime", "--keep-going"),
                *("--quiet", "all", *mode, *self.extra),
                *(("--prioritize", *first) if (first := self._first()) else ()),
                *("--config", *(f"{k}={json.dumps(v)}" for k, v in config.items() if v != [])),
            ]
            try:
                main(arguments)
            except SystemExit as end:
                if end.code and not listener.failed:
                    raise OcckdError(f"Snakemake: {listener.complaint or end.code}") from None


@contextmanager
def ending_jobs_on_interrupt() -> Iterator[None]:
    """On Ctrl-C, end the jobs too; Snakemake alone would wait for them, maybe for hours."""
    import psutil

    interrupted = False

    def end_jobs(number: int, frame: object) -> NoReturn:
        nonlocal interrupted
        interrupted = True
        for job in psutil.Process().children():
            with contextlib.suppress(psutil.NoSuchProcess):
                job.terminate()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, end_jobs)
    try:
        yield
    except OcckdError:
        if not interrupted:
            raise
    finally:
        signal.signal(signal.SIGINT, before)
    if interrupted:
        raise KeyboardInterrupt


def available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
