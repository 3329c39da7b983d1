"""How far a recipe is: Snakemake's log, heard as events and told in plain lines."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from occkd_lib.execution.chapters import Job
from occkd_lib.project import one_line

Say = Callable[[str], None]


class Listener(logging.Handler):
    """Hears what Snakemake logs and keeps the jobs it speaks of.

    say: is told each start and end, of ``total``, as ``0:01:12 [ 3/22] done  02_teachers  fer``,
    and how long the rest takes, if its notebooks take as long as those before.
    """

    def __init__(self, total: int = 0, say: Say = lambda line: None) -> None:
        super().__init__()
        self.total, self.say, self.ended = total, say, 0
        self.jobs: dict[int, Job] = {}
        self.failed: dict[Job, str] = {}
        self.complaint = ""
        self.begun = time.monotonic()
        self.since: dict[Job, float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        about = vars(record)
        job = self.jobs.get(about.get("jobid", about.get("job_id", -1)))
        match about.get("event"):
            case "job_info" if about["rule_name"] != "all":
                self.jobs[about["jobid"]] = job = job_of(record)
                self.since[job] = time.monotonic()
                self.tell("started", job)
            case "job_finished" if job:
                self.ended += 1
                self.failed.pop(job, None)  # a profile may have jobs tried again
                now, to_do = time.monotonic(), self.total - self.ended
                left = clock((now - self.begun) * to_do / self.ended)
                more = f", about {left} left" if to_do > 0 else ""
                self.tell("done", job, f"  in {now - self.since[job]:.0f} s{more}")
            case "job_error" if job:
                self.failed[job] = failure(about)
                self.tell("FAILED", job, f": {self.failed[job]}")
            case _ if record.levelno >= logging.ERROR and not self.complaint:
                said = record.getMessage().strip()
                if "Traceback (most recent call last)" in said:  # its last line says what it is
                    said = said.rpartition("\n")[2]
                self.complaint = one_line(said)

    def tell(self, what: str, job: Job, more: str = "") -> None:
        count = f"[{self.ended:>{len(str(self.total))}}/{self.total}]"
        self.say(f"{clock(time.monotonic() - self.begun)} {count} {what:<7} {job}{more}")


def job_of(record: Any) -> Job:
    """The job that a record of Snakemake's log is about."""
    seed = record.wildcards.get("seed")
    experiment = record.wildcards.get("experiment")
    return Job(record.rule_name, experiment, None if seed is None else int(seed))


def failure(about: Mapping[str, Any]) -> str:
    """Why a job failed: how its log ends, and what a cluster says of it, with the cluster's log."""
    own, *clusters = map(Path, about["log"])
    state = re.search(r"status is: '(\w+)'", about.get("rule_msg") or "")
    more = f"; {clusters[-1]}" if clusters else ""
    return last_line(own) + (f" ({state[1]} on the cluster{more})" if state else "")


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
