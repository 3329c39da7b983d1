"""Run: one folder that holds all that a stage leaves behind.

    <outputs>/<recipe>/<experiment>/seed<k>/<stage>/
        (or a link to the same stage of another recipe or experiment)
        status.json            state, protocol, inputs' hashes, device, wall time, peak memory
        checkpoint.safetensors everything needed to go on after a kill (removed when done)
        model.safetensors      the selected weights
        history.csv            one row an epoch
        predictions.parquet    one row a face and view, val and test
        metrics.json           what the predictions say, view by view

Every file is written aside and renamed, so a kill or a full disk never harms the file before.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from occkd_lib.changes import as_json, differences
from occkd_lib.errors import OcckdError
from occkd_lib.project import (
    git_commit,
    library_hash,
    locked,
    outputs_root,
    write_atomically,
    write_json,
)

FORMAT = 2  # of a run's files; runs of another are refused, never misread


def run_folder(recipe: str, experiment: str, seed: int, stage: str) -> Path:
    """Where a stage of an experiment and seed has its run."""
    return outputs_root() / recipe / experiment / f"seed{seed}" / stage


def fingerprint(content: Any) -> str:
    """Hash of a JSON-able value, independent of key order."""
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def environment() -> dict[str, Any]:
    """What a result depends on besides its recipe: code, versions, device."""
    cuda = torch.cuda.is_available()
    return {
        "git_commit": git_commit(),
        "library_hash": library_hash(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "device": torch.cuda.get_device_name()
        if cuda
        else f"cpu, {torch.get_num_threads()} threads",
    }


def peak_memory_mib() -> dict[str, int]:
    """High-water marks of this process: host, and device if there is one."""
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss: bytes on macOS, KiB on Linux
    host = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    marks = {"host": host >> 20}
    if torch.cuda.is_available():
        marks["device"] = torch.cuda.max_memory_allocated() >> 20
    return marks


def finished_twin(config: dict[str, Any]) -> Path | None:
    """The folder of a finished run of the same config that has its weights (restored: none)."""
    key = fingerprint(config)
    for path in outputs_root().glob(f"*/*/seed{config.get('seed')}/*/status.json"):
        run = Run(path.parent)
        if run.folder.is_symlink() or (run.raw_status() or {}).get("format") != FORMAT:
            continue
        if run.done and not run.restored and run.fingerprint == key:
            return run.folder
    return None


class Run:
    """A stage's folder. ``Run.open`` creates it or goes on with it; ``status`` tells its state."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._begun: float | None = None
        self._before = 0.0

    @staticmethod
    @contextmanager
    def alone(config: dict[str, Any], say: Callable[[str], None] = print) -> Iterator[None]:
        """Wait until no other process makes the run of ``config``; keep others out meanwhile.

        The lock ends with the process, however that ends.
        """
        path = outputs_root() / ".locks" / fingerprint(config)
        what = config.get("method", "this run")
        with locked(path, lambda: say(f"{what}: another process makes it, waiting")):
            yield

    @classmethod
    def open(cls, folder: str | Path, config: dict[str, Any]) -> Run:
        """The run in ``folder``, made by ``config`` (any JSON-able protocol).

        A new folder becomes a link to a finished run of the same config, if the outputs hold one.
        Raises OcckdError when the folder holds a run made by another config.
        """
        run = cls(folder)
        if run.folder.is_symlink() and not run.folder.exists():
            run.folder.unlink()  # what it pointed to was deleted
        twin = None if run.folder.exists() else finished_twin(config)
        if twin is not None:
            Run(twin).stand_for(run.folder)
        status = run.status
        known = status or {"fingerprint": None}
        asked = str(known.get("error")).startswith("OcckdError: ")
        if asked and known["fingerprint"] != fingerprint(config):  # something was put right
            (run.folder / "checkpoint.safetensors").unlink(missing_ok=True)
        if status is None or (status["state"] != "done" and not run.has_checkpoint):
            # nothing is lost: a run without an epoch never stands in the way of another recipe
            run.folder.mkdir(parents=True, exist_ok=True)
            run._write_status(
                format=FORMAT, state="new", config=config, fingerprint=fingerprint(config)
            )
        elif status["fingerprint"] != fingerprint(config):
            raise run._other(differences(status["config"], as_json(config)))
        return run

    def refuse_other(self, part: dict[str, Any]) -> None:
        """OcckdError if the run was made by a config in which ``part`` is another."""
        made, asked = (self.status or {}).get("config") or {}, as_json(part)
        changed = differences({key: made.get(key) for key in asked}, asked)
        if made and changed:
            raise self._other(changed)

    def _other(self, changed: list[str]) -> OcckdError:
        return OcckdError(
            f"{self.folder} holds a run of another recipe ({'; '.join(changed[:3])}): change "
            "'name:' in the recipe's file, delete that folder, or set OCCKD_OUTPUTS to another one"
        )

    def stand_for(self, folder: Path) -> Run:
        """Make ``folder`` a link to this run (if it is not) and return the run by that name.

        Raises OcckdError when the folder holds something of its own.
        """
        if folder.is_symlink():
            folder.unlink()
        elif folder.exists():
            raise OcckdError(f"{folder} holds a run of another recipe: delete that folder")
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.symlink_to(os.path.relpath(self.folder.resolve(), folder.parent.resolve()))
        return Run(folder)

    @property
    def status(self) -> dict[str, Any] | None:
        """Content of status.json, None for a folder without one.

        Raises OcckdError for a run of another version of the library, whose files mean other
        things.
        """
        status = self.raw_status()
        if status is not None and status.get("format") != FORMAT:
            raise OcckdError(
                f"{self.folder} holds a run of another version of the library (format "
                f"{status.get('format', 1)}, now {FORMAT}): delete that folder, or set "
                "OCCKD_OUTPUTS to another one"
            )
        return status

    def raw_status(self) -> dict[str, Any] | None:
        """Content of status.json, whatever version of the library wrote it."""
        path = self.folder / "status.json"
        if not path.is_file():
            return None
        try:
            return json.loads(path.read_text())
        except ValueError:
            raise OcckdError(f"{path} is not readable: delete the folder and run again") from None

    @property
    def fingerprint(self) -> str:
        """Hash of the config that made this run."""
        return self._known()["fingerprint"]

    @property
    def done(self) -> bool:
        status = self.status
        return status is not None and status["state"] == "done"

    @property
    def restored(self) -> bool:
        """Was it made from published results, without weights, history or validation answers?"""
        return "restored" in (self.status or {})

    def _known(self) -> dict[str, Any]:
        if self.status is None:
            raise OcckdError(f"no run in {self.folder}: run its stage first")
        return self.status

    def _write_status(self, **change: Any) -> None:
        write_json(self.folder / "status.json", {**(self.status or {}), **change})

    @property
    def has_checkpoint(self) -> bool:
        """Has at least one epoch been trained?"""
        return (self.folder / "checkpoint.safetensors").is_file()

    def start(self) -> None:
        self._begun = time.monotonic()
        self._write_status(state="running", environment=environment(), error=None)

    def add_seconds(self, seconds: float) -> None:
        """Count what earlier processes spent on this run, too."""
        self._before = seconds

    def fail(self, error: BaseException) -> None:
        """Record the failure; never raises (the disk may be the reason)."""
        with suppress(OcckdError):
            self._write_status(state="failed", error=f"{type(error).__name__}: {error}")

    def finish(self, **facts: Any) -> None:
        """Mark the run as done, with what was learnt on the way (n, selected epoch ...)."""
        self._write_status(
            state="done",
            wall_seconds=round(self.seconds, 1),
            peak_memory_mib=peak_memory_mib(),
            **facts,
        )
        (self.folder / "checkpoint.safetensors").unlink(missing_ok=True)

    @property
    def seconds(self) -> float:
        """Seconds spent on this run, by earlier processes up to their last checkpoint, too."""
        here = 0.0 if self._begun is None else time.monotonic() - self._begun
        return self._before + here

    # --- what a stage leaves behind -------------------------------------------------------

    def save_tensors(
        self, name: str, tensors: dict[str, Tensor], facts: dict | None = None
    ) -> None:
        """Write ``<name>.safetensors``; ``facts`` (JSON-able) travel in the same file."""
        plain = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
        header = {"facts": json.dumps(facts or {})}
        path = self.folder / f"{name}.safetensors"
        write_atomically(path, lambda aside: save_file(plain, aside, metadata=header))

    def load_tensors(self, name: str) -> tuple[dict[str, Tensor], dict] | None:
        """(tensors, facts) of ``<name>.safetensors``, None if there is no such file."""
        path = self.folder / f"{name}.safetensors"
        if not path.is_file():
            return None
        try:
            with safe_open(path, framework="pt") as file:
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
                return tensors, json.loads(file.metadata()["facts"])
        except (SafetensorError, KeyError, TypeError) as error:
            raise OcckdError(f"{path} is damaged ({error}): delete it and run again") from None

    def save_table(self, name: str, table: pd.DataFrame) -> None:
        """Write ``<name>.parquet`` or, for small tables to be read by people, ``<name>.csv``."""
        path = self.folder / name
        if path.suffix == ".parquet":
            write_atomically(path, lambda aside: table.to_parquet(aside, index=False))
        else:
            write_atomically(path, lambda aside: table.to_csv(aside, index=False))

    def table(self, name: str) -> pd.DataFrame:
        """Read a table that ``save_table`` wrote."""
        path = self.folder / name
        if not path.is_file():
            raise OcckdError(f"{path} is missing: run its stage first")
        return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)

    @property
    def predictions(self) -> pd.DataFrame:
        """One row a face: see ``training.predictions.prediction_table``."""
        return self.table("predictions.parquet")

    @property
    def history(self) -> pd.DataFrame:
        """epoch, lr, train loss, validation metric, seconds ..."""
        return self.table("history.csv")
