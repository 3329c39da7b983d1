"""How far a recipe is: Snakemake's log, heard as events and told in plain lines."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from occkd_lib.errors import OcckdError
from occkd_lib.project import one_line

Say = Callable[[str], None]


@dataclass(frozen=True)
class Job:
    """One notebook to be executed for one experiment and seed (None: for all of them)."""

    chapter: str
    experiment: str | None
    seed: int | None
    output: str = field(default="", compare=False)  # relative to the recipe's output folder

    def __str__(self) -> str:
        seed = "" if self.seed is None else f"seed {self.seed}"
        return f"{self.chapter:<14} {self.experiment or '':<12} {seed:<8}".rstrip()

    @classmethod
    def of(cls, record: Any) -> Job:
        """The job that a record of Snakemake's log is about."""
        seed = record.wildcards.get("seed")
        experiment = record.wildcards.get("experiment")
        seed = None if seed is None else int(seed)
        return cls(record.rule_name, experiment, seed, record.output[0])


class Listener(logging.Handler):
    """Hears what Snakemake logs and keeps the jobs it speaks of."""

    def __init__(self) -> None:
        super().__init__()
        self.jobs: dict[int, Job] = {}
        self.failed: dict[Job, str] = {}
        self.complaint = ""

    def emit(self, record: logging.LogRecord) -> None:
        event = getattr(record, "event", None)
        about = vars(record)
        if event == "job_info" and about["rule_name"] != "all":
            self.jobs[about["jobid"]] = job = Job.of(record)
            self.started(job)
        elif event == "job_finished" and about["job_id"] in self.jobs:
            self.finished(self.jobs[about["job_id"]])
        elif event == "job_error" and about["jobid"] in self.jobs:
            job = self.jobs[about["jobid"]]
            self.failed[job] = last_line(Path(about["log"][0]))
            self.broke(job)
        elif record.levelno >= logging.ERROR and not self.complaint:
            self.complaint = one_line(record.getMessage())

    def started(self, job: Job) -> None: ...
    def finished(self, job: Job) -> None: ...
    def broke(self, job: Job) -> None: ...


class Narrator(Listener):
    """Says each start and end as ``0:01:12 [ 3/22] done  02_teachers  expression  seed 0``."""

    def __init__(self, total: int, folder: Path, say: Say) -> None:
        super().__init__()
        self.total, self.folder, self.say = total, folder, say
        self.begun, self.ended = time.monotonic(), 0
        self.since: dict[Job, float] = {}

    def tell(self, what: str, job: Job, more: str = "") -> None:
        elapsed = clock(time.monotonic() - self.begun)
        count = f"[{self.ended:>{len(str(self.total))}}/{self.total}]"
        self.say(f"{elapsed} {count} {what:<7} {job}{more}")

    def started(self, job: Job) -> None:
        self.since[job] = time.monotonic()
        self.tell("started", job)

    def finished(self, job: Job) -> None:
        self.ended += 1
        self.tell("done", job, f"  in {time.monotonic() - self.since[job]:.0f} s")

    def broke(self, job: Job) -> None:
        self.tell("FAILED", job, f": {self.failed[job]}")

    def check(self) -> None:
        """OcckdError when a job failed."""
        if self.failed:
            job, reason = next(iter(self.failed.items()))
            raise OcckdError(
                f"{len(self.failed)} of {self.total} notebooks failed; {' '.join(str(job).split())}"
                f": {reason}. See {self.folder / 'logs'}; the same command goes on from here"
            )


def last_line(path: Path) -> str:
    """The last line of a log, which says how it ended."""
    if not path.is_file():
        return "it left no log"
    lines = path.read_text(errors="replace").strip().splitlines()
    return one_line(lines[-1]).removeprefix("occkd: ") if lines else f"see {path}"


def clock(seconds: float) -> str:
    """``1:02:03``"""
    minutes, left = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{left:02}"
