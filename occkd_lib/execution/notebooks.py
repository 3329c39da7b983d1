"""Executing a notebook so that it cannot fail quietly: papermill with guards.

* parameters are checked against the notebook's own cell tagged ``parameters`` before anything
  starts: an unknown name or a wrong type is an error;
* the kernel talks through sockets in a private folder (IPC), not through TCP ports;
* the output is written aside and renamed only when every cell has run; what a failure leaves is
  kept as ``<name>.failed.ipynb``;
* ``<name>.status.json`` beside it says what was executed, by which code, how it ended.
"""

from __future__ import annotations

import hashlib
import os
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from math import ceil
from pathlib import Path
from typing import Any, TextIO

import nbformat
from nbformat import NotebookNode

from occkd_lib.errors import OcckdError
from occkd_lib.execution.devices import device_name
from occkd_lib.execution.parameters import Value, check_parameters, declared_parameters
from occkd_lib.project import git_commit, library_hash, locked, one_line, project_root, write_json


def execute(
    notebook: str | Path,
    output: str | Path,
    parameters: Mapping[str, Any] | None = None,
    *,
    timeout: float | None = None,
    cell_timeout: float | None = None,
    kernel: str = "python3",
    echo: TextIO | None = None,
    progress: bool = False,
) -> Path:
    """Execute ``notebook`` in its own folder, as JupyterLab does; returns the path of ``output``.

    ``timeout`` (seconds) bounds all cells together, ``cell_timeout`` each of them. ``echo``
    receives what cells print; ``progress`` shows a bar on a terminal. The environment passes
    through to the kernel.

    Raises OcckdError, with the cell and the reason in one line, when a parameter is wrong, a cell
    fails, the kernel dies or time is up. An output of an earlier execution then stays as it was.
    """
    notebook, output = Path(notebook).resolve(), Path(output).resolve()
    checked = check_parameters(notebook, parameters or {})
    output.parent.mkdir(parents=True, exist_ok=True)
    message = f"waiting for another process that executes {output}"
    lock = output.with_name(f".{output.stem}.lock")  # it ends with the process
    with locked(lock, lambda: print(message, file=sys.stderr)):
        execution = _Execution(notebook, output, checked)
        execution.run(kernel, _deadlines(timeout, cell_timeout), echo, progress)
    return output


def _deadlines(timeout: float | None, cell_timeout: float | None) -> Any:
    """nbclient's question before each cell: how many seconds may it take? (None: no limit)"""
    end = time.monotonic() + timeout if timeout else None

    def seconds(cell: NotebookNode) -> int | None:
        limits = [cell_timeout] if cell_timeout else []
        limits += [end - time.monotonic()] if end else []
        return max(1, ceil(min(limits))) if limits else None

    return seconds


class _Execution:
    """One execution: where its files are, how far it is, what it says in the end."""

    def __init__(self, notebook: Path, output: Path, parameters: dict[str, Value]) -> None:
        self.notebook, self.output, self.parameters = notebook, output, parameters
        self.aside = output.with_name(f".{output.stem}.part.ipynb")
        self.failed = output.with_name(f"{output.stem}.failed.ipynb")
        self.index, self.cell, self.injected = 0, 0, False
        self.begun = time.monotonic()
        declared = declared_parameters(notebook).values()
        self.facts: dict[str, Any] = {
            "notebook": self.shown(notebook),
            "notebook_sha256": hashlib.sha256(notebook.read_bytes()).hexdigest(),
            "parameters": {p.name: p.default for p in declared} | parameters,
            "environment": {
                "git_commit": git_commit(),
                "library_hash": library_hash(),
                "python": platform.python_version(),
                "torch": version("torch"),
                "device": device_name(),
            },
            "started": now(),
        }

    def shown(self, path: Path) -> str:
        """The path as a reader knows it: from the project's root where it lies below it."""
        root = project_root()
        return str(path.relative_to(root) if path.is_relative_to(root) else path)

    def say(self, state: str, **facts: Any) -> None:
        path = self.output.with_suffix(".status.json")
        write_json(path, {**self.facts, "state": state, **facts})

    def run(self, kernel: str, deadlines: Any, echo: TextIO | None, progress: bool) -> None:
        self.say("running", pid=os.getpid())
        try:
            self.perform(kernel, deadlines, echo, progress)
        except BaseException as error:
            message = self.explain(error)
            kept = self.keep_failed()
            self.say("failed", cell=self.cell, error=message, **self.end())
            if isinstance(error, Exception):
                raise OcckdError(f"{message}{kept}") from error
            raise
        os.replace(self.aside, self.output)
        self.failed.unlink(missing_ok=True)
        self.say("done", **self.end())

    def keep_failed(self) -> str:
        """Keep what was executed so far under another name, and say so."""
        if not self.aside.exists():
            return ""
        with suppress(OSError):  # a full disk may be the reason
            partial = nbformat.read(self.aside, as_version=4)
            if not partial.metadata.papermill.exception:  # then papermill calls all completed
                for cell in partial.cells[self.index :]:
                    cell.metadata.papermill.status = "pending"
                nbformat.write(partial, self.aside)
        os.replace(self.aside, self.failed)
        return f" (see {self.shown(self.failed)})"

    def end(self) -> dict[str, Any]:
        """Seconds, and the high-water mark of this process's kernels (KiB on Linux)."""
        unit = 1 if sys.platform == "darwin" else 1024
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit
        seconds = round(time.monotonic() - self.begun, 1)
        return {"ended": now(), "wall_seconds": seconds, "peak_memory_mib": peak >> 20}

    def perform(self, kernel: str, deadlines: Any, echo: TextIO | None, progress: bool) -> None:
        import papermill
        from traitlets.config import Config

        # the path of a socket may have 100 characters or so, which some TMPDIRs exceed
        short = "/tmp" if len(tempfile.gettempdir()) > 60 else None
        with tempfile.TemporaryDirectory(prefix="occkd-", dir=short) as sockets:
            private = {"transport": "ipc", "connection_file": f"{sockets}/k.json"}
            done = papermill.execute_notebook(
                str(self.notebook).replace("{", "{{").replace("}", "}}"),
                str(self.aside).replace("{", "{{").replace("}", "}}"),
                self.parameters,
                kernel_name=kernel,
                language="python",
                progress_bar=progress,
                stdout_file=echo,
                stderr_file=echo,
                start_timeout=300,
                config=Config({"KernelManager": private}),
                resources={"metadata": {"path": str(self.notebook.parent)}},
                timeout_func=deadlines,
                iopub_timeout=60,
                on_cell_start=self.at_cell,
            )
        self.refuse_skipped(done)
        done.metadata.papermill.update(
            input_path=self.notebook.name, output_path=self.output.name
        )  # papermill writes the paths of this machine
        nbformat.write(done, self.aside)

    def at_cell(self, cell: NotebookNode, cell_index: int) -> None:
        """Remember the cell's number in the source: papermill adds one cell, with the values."""
        self.injected |= "injected-parameters" in cell.metadata.get("tags", [])
        self.index, self.cell = cell_index, cell_index + 1 - self.injected

    def refuse_skipped(self, done: NotebookNode) -> None:
        """``sys.exit(0)`` in a cell ends papermill early, without an error."""
        for cell in done.cells:
            skipped = "skip-execution" in cell.metadata.get("tags", [])
            must_run = cell.cell_type == "code" and cell.source.strip() and not skipped
            if must_run and cell.execution_count is None:
                raise RuntimeError("the notebook ended itself here, before its last cell")

    def explain(self, error: BaseException) -> str:
        """What went wrong, where, in one line."""
        from nbclient.exceptions import CellTimeoutError, DeadKernelError
        from papermill.exceptions import PapermillExecutionError

        if isinstance(error, PapermillExecutionError):
            self.cell = error.cell_index + 1 - self.injected
        where = self.shown(self.notebook)
        if self.cell:
            where += f", cell {self.cell}"
        match error:
            case PapermillExecutionError():
                return f"{where}: {error.ename}: {one_line(error.evalue)}"
            case CellTimeoutError():
                return f"{where}: TimeoutError: still running when its time was up"
            case DeadKernelError():
                return f"{where}: DeadKernelError: the kernel was killed (out of memory?)"
            case KeyboardInterrupt() | SystemExit():
                return f"{where}: interrupted"
        return f"{where}: {type(error).__name__}: {one_line(error)}"


def now() -> str:
    """The time, in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
