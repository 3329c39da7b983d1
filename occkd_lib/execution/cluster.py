"""Where jobs run when not on this machine: Snakemake's profiles, executors that are plug-ins."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import yaml

from occkd_lib.errors import OcckdError
from occkd_lib.plugins import did_you_mean
from occkd_lib.project import one_line, project_root

HERE = {"local", "dryrun", "touch"}  # Snakemake's own executors
SUBMIT = {"slurm": "sbatch"}  # what an executor calls: it is there on a login node
BUILT_IN_PROFILE = "slurm"


@dataclass(frozen=True)
class Place:
    """Where the jobs of a run are executed.

    profile: folder of Snakemake's profile; executor: its name, "local" for this machine.
    """

    profile: Path | None = None
    executor: str = "local"

    @property
    def elsewhere(self) -> bool:
        """On other machines than this one, whose cores and GPUs then say nothing?"""
        return self.executor not in HERE

    @property
    def arguments(self) -> list[str]:
        """What Snakemake is told of the profile."""
        return ["--profile", str(self.profile)] if self.profile else []

    def check(self) -> None:
        """OcckdError, with the command that helps, where plug-in or scheduler is missing."""
        if not self.elsewhere:
            return
        plugin = f"snakemake-executor-plugin-{self.executor}"
        if find_spec(plugin.replace("-", "_")) is None:
            raise OcckdError(
                f"Snakemake's executor {self.executor!r} is not installed: {install(plugin)}"
            )
        command = SUBMIT.get(self.executor)
        if command and shutil.which(command) is None:
            raise OcckdError(
                f"executor {self.executor!r}: there is no {command} on this machine: run the same "
                "command on a login node of the cluster, or leave out --profile"
            )


def place(profile: str | None, extra: Sequence[str] = ()) -> Place:
    """What ``--profile`` and further arguments for Snakemake mean.

    profile: a folder with a config.yaml, or the name of one in workflow/profiles. Raises
    OcckdError for one that is not there or cannot be read.
    """
    folder = profile_folder(profile) if profile else None
    settings = read_profile(folder / "config.yaml") if folder else {}
    executor = named_executor(extra) or settings.get("executor") or "local"
    return Place(folder, str(executor))


def named_executor(extra: Sequence[str]) -> str | None:
    """The value of ``--executor`` (or ``-e``), if there is one."""
    for number, word in enumerate(extra):
        option, equals, value = word.partition("=")
        if option in ("--executor", "-e"):
            return value if equals else next(iter(extra[number + 1 :]), None)
    return None


def profile_folder(name: str) -> Path:
    """The folder that ``--profile`` means; the name of a built-in one comes first."""
    every = project_root() / "workflow" / "profiles"
    for folder in (every / name, Path(name)):
        if (folder / "config.yaml").is_file():
            return folder.resolve()
    known = sorted(path.parent.name for path in every.glob("*/config.yaml"))
    if BUILT_IN_PROFILE not in known:
        raise OcckdError(f"no {every / name}/config.yaml: git checkout -- workflow/profiles")
    raise OcckdError(
        f"no profile {name!r}{did_you_mean(name, known)}; there are: {', '.join(known)}, or a "
        f"folder with a config.yaml of your own: cp -r {every / BUILT_IN_PROFILE} {name}"
    )


def read_profile(file: Path) -> dict[str, object]:
    """The settings of a profile."""
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise OcckdError(f"{file}: no YAML: {one_line(error)}") from None
    if not isinstance(content, dict):
        raise OcckdError(f"{file}: not a mapping of Snakemake's options: write executor: slurm")
    return content


def install(package: str) -> str:
    """The command that installs a package for this Python; a venv of uv's brings no pip."""
    if find_spec("pip") is not None:
        return f"{sys.executable} -m pip install {package}"
    return f"uv pip install --python {sys.executable} {package}"
