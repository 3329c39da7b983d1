"""Running a recipe: Snakemake executes ``workflow/Snakefile``, this says how far it is."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NoReturn

import psutil
from joblib import cpu_count

from occkd_lib.config import Recipe, builtin_recipes, load_recipe, recipe_file
from occkd_lib.data import data_set
from occkd_lib.errors import OcckdError
from occkd_lib.execution.chapters import Graph, Job, Share, read_chapters
from occkd_lib.execution.cluster import place
from occkd_lib.execution.devices import visible_gpus
from occkd_lib.execution.preflight import check, trained
from occkd_lib.execution.progress import Listener, Say
from occkd_lib.plugins import did_you_mean
from occkd_lib.project import library_hash, locked, outputs_root, project_root

CLUSTER_THREADS = 4  # of a training job on real faces, where the cores of a node are not known
TO_DO, DONE, OLD = "to do", "done", "done by another version of the library"


@dataclass
class Workflow:
    """A recipe and how to run it.

    recipe: name or file. experiments, seeds: run these instead of all (experiments may be given by
    a pattern, seeds may be new ones). cores: of this machine, all by default. threads: per training
    job; by default 1 where all faces are built in (many short jobs side by side are faster), else
    an equal share of the cores for every GPU, or all cores for one job at a time. again: execute
    what is done, too (training stages that are done stay done). extra: further arguments for
    Snakemake. profile: name or folder of a profile, such as ``slurm``: jobs run on a cluster, where
    gpus counts its GPUs (default: none), cores bounds those in use (default: no bound), and
    training jobs have CLUSTER_THREADS. Here, gpus: this many of those that are visible.
    """

    recipe: str
    experiments: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    cores: int | None = None
    threads: int | None = None
    again: bool = False
    extra: Sequence[str] = ()
    profile: str | None = None
    gpus: int | None = None
    content: Recipe = field(init=False)
    graph: Graph = field(init=False)

    def __post_init__(self) -> None:
        self.content = load_recipe(self.recipe)
        self.file = recipe_file(self.recipe).resolve()
        if self.recipe not in builtin_recipes():
            self.recipe = str(self.file)  # jobs run in other folders
        named = (name for only in self.experiments or ("*",) for name in self.named(only))
        self.experiments = tuple(dict.fromkeys(named))
        chapters = read_chapters()
        for name in self.experiments:
            for chapter in self.content.experiment(name).chapters or ():
                if chapter not in chapters:
                    near = did_you_mean(chapter, chapters)
                    raise OcckdError(
                        f"recipe {self.content.name!r}: {name}.chapters: no chapter "
                        f"{chapter!r}{near}; there are {', '.join(chapters)}"
                    )
        self.graph = Graph(chapters, {name: self.share(name) for name in self.experiments})
        self.folder = outputs_root() / self.content.name
        self._again = ("--forceall",) if self.again else ()
        self.place = place(self.profile, self.extra)
        self.gpus = self.counted_gpus()
        if self.cores is None and not self.place.elsewhere:
            self.cores = cpu_count()
        if self.threads is None:
            chosen = self.content.experiments.values()
            built_in = all(data_set(each.data.name).find is None for each in chosen)
            share = CLUSTER_THREADS
            if not self.place.elsewhere and self.cores:
                share = max(1, self.cores // max(1, self.gpus))
            self.threads = 1 if built_in else min(share, self.cores or share)

    def counted_gpus(self) -> int:
        """The GPUs that jobs may hold: the cluster's, which only its user knows, or those here."""
        if self.place.elsewhere:
            return self.gpus or 0
        visible = len(visible_gpus())
        if self.gpus is None:
            return visible
        if self.gpus == 0 < visible:
            raise OcckdError("--gpus 0: put CUDA_VISIBLE_DEVICES= in front to hide the GPUs here")
        if self.gpus > visible:
            raise OcckdError(
                f"--gpus {self.gpus}: there are {visible} here; a cluster's are counted with "
                "--profile slurm"
            )
        return self.gpus

    def named(self, pattern: str) -> list[str]:
        """The experiments that a name or a shell pattern (``fer_*``) means."""
        found = [name for name in self.content.experiments if fnmatchcase(name, pattern)]
        if not found:
            self.content.experiment(pattern)  # the error that lists what there is
        return found

    def share(self, name: str) -> Share:
        """What the graph must know of an experiment."""
        experiment = self.content.experiment(name)
        methods = {experiment.method(stage).name for stage in experiment.stages}
        share: Share = {
            "seeds": self.seeds or experiment.told_seeds,
            "methods": sorted(methods),
            "stages": sorted(experiment.stages),
        }
        # what is not there is not passed on: Snakemake makes a text of every value, also of false
        if experiment.test_on:
            share["test_on"] = True
        if experiment.ablations:
            share["ablations"] = True
        if experiment.chapters is not None:
            share["chapters"] = experiment.chapters
        return share

    def check(self) -> None:
        """OcckdError for what would stop a job later: data, networks, plug-ins, notebooks."""
        self.place.check()
        for chapter in self.graph.chapters:
            notebook = project_root() / "notebooks" / f"{chapter}.ipynb"
            if not notebook.is_file():
                raise OcckdError(f"no {notebook}, which workflow/chapters.yaml names")
        check(self.content, self.experiments, self.seeds)
        for name in self.experiments:
            named = self.content.experiment(name).chapters
            trains = [each for each in named or () if self.graph.chapters[each].trains]
            if named and not trains and not trained(self.content, name, self.seeds):
                raise OcckdError(
                    f"experiment {name!r} is told in {', '.join(named)}, where nothing is trained: "
                    f"train it with 'occkd stage {self.recipe} {name} SEED STAGE' first, or "
                    "name a chapter that trains in its 'chapters'"
                )

    def plan(self) -> dict[Job, str]:
        """Every job of the recipe in the order of the book: TO_DO, DONE or OLD."""
        heard = Listener()
        self._snakemake(heard, "--dry-run", *self._again)
        now, waiting = library_hash(), set(heard.jobs.values())
        return {
            job: TO_DO if job in waiting else self._made_by(now, job) for job in self.graph.jobs()
        }

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
            say(f"{name}: {old} notebooks were made by another version of the library, see --again")
        if not to_do:
            say(f"{name}: all {len(plan)} notebooks are done")
            return
        say(
            f"{name}: {to_do} of {len(plan)} notebooks to execute; {self.where()}, threads a "
            f"training job: {self.threads}; logs: {self.folder / 'logs'}"
        )
        listener = Listener(to_do, say)
        lock = self.folder / ".occkd-run.lock"  # unlike Snakemake's, it ends with the process
        with locked(lock, self._refuse), ending_jobs_on_interrupt():
            self._snakemake(listener, *self._again)
        if listener.failed:
            job, reason = next(iter(listener.failed.items()))
            raise OcckdError(
                f"{len(listener.failed)} of {to_do} notebooks failed; {' '.join(str(job).split())}"
                f": {reason}. See {self.folder / 'logs'}; the same command goes on from here"
            )

    def where(self) -> str:
        """``cores: 8, GPUs: 1``, and on a cluster its name."""
        if not self.place.elsewhere:
            return f"cores: {self.cores}, GPUs: {self.gpus}"
        bound = "" if self.cores is None else f", cores: {self.cores}"
        none = "" if self.gpus else " (the cluster's are counted with --gpus)"
        return f"on {self.place.executor}{bound}, GPUs: {self.gpus}{none}"

    def results(self) -> dict[str, Path]:
        """What a finished run leaves to look at."""
        of_all = [chapter for chapter in self.graph.chapters.values() if chapter.once == "recipe"]
        places = {
            "results": self.folder / "results" / "index.html",
            **{f"{c.title} chapter": self.folder / Job(c.file).output for c in of_all},
            "all notebooks": self.folder / "notebooks",
            "logs": self.folder / "logs",
        }
        return {what: where for what, where in places.items() if where.exists()}

    def _refuse(self) -> NoReturn:
        name = self.content.name
        raise OcckdError(f"recipe {name!r} is being run by another process: wait, or end it")

    def _first(self) -> list[str]:
        """The longest ways through the graph, to be begun first: experiments with ablations."""
        experiments = self.content.experiments
        return [
            job.output
            for job in self.graph.jobs()
            if job.experiment and isinstance(job.seed, int) and self.graph.awaited(job.chapter)
            if experiments[job.experiment].ablations_of(job.seed)
        ]

    def _snakemake(self, listener: Listener, *mode: str) -> None:
        from snakemake.cli import main

        if self.extra:  # it may name what only the plug-in knows
            self.place.check()
        config = {
            "recipe": self.recipe,
            "recipe_file": str(self.file),
            "experiments": self.graph.experiments,
            "threads": self.threads,
            "gpu": int(bool(self.gpus)),
        }
        parent = logging.getLogger("snakemake")
        parent.addHandler(listener)
        with contextlib.ExitStack() as stack:
            stack.callback(parent.removeHandler, listener)
            folder, refused = self.folder, io.StringIO()
            if "--dry-run" in mode:  # it is never quiet, and should leave nothing behind
                stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
                stack.enter_context(contextlib.redirect_stderr(refused))
                if not folder.is_dir():
                    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            arguments = [
                *("--snakefile", str(project_root() / "workflow" / "Snakefile")),
                *("--directory", str(folder)),
                *(() if "--dry-run" in mode else self.place.arguments),
                *(("--cores", str(self.cores)) if self.cores else ()),
                *("--resources", f"gpu={self.gpus}"),
                *("--nolock", "--rerun-incomplete", "--rerun-triggers", "mtime", "--keep-going"),
                *("--quiet", "all", *mode, *self.extra),
                *(("--prioritize", *first) if (first := self._first()) else ()),
                *("--config", *(f"{key}={json.dumps(value)}" for key, value in config.items())),
            ]
            try:
                main(arguments)
            except SystemExit as end:
                if end.code and not listener.failed:
                    said = refused.getvalue().strip().rpartition("\n")[2]
                    raise OcckdError(
                        f"Snakemake: {listener.complaint or said or end.code}"
                    ) from None


@contextmanager
def ending_jobs_on_interrupt() -> Iterator[None]:
    """On Ctrl-C, end the jobs too; Snakemake alone would wait for them, maybe for hours."""
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
