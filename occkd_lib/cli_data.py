"""``occkd data``: which data sets there are, where they lie, what is in them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from occkd_lib.errors import OcckdError
from occkd_lib.project import printable

data_app = typer.Typer(no_args_is_help=True, help="Data sets: where they are, what is in them.")
DATA = "Folder of the data sets (default: $OCCKD_DATA, then ./data)"
DataFolder = Annotated[Path | None, Option("--data", help=DATA)]
DataTask = Annotated[str | None, Option(help="Only this task (default: all).")]
DataSetting = Annotated[list[str] | None, Option("--set", "-s", help="setting=value, repeatable")]


@data_app.command("list")
def list_data(data: DataFolder = None) -> None:
    """The data sets that there are, and where each was found."""
    from occkd_lib.data.verify import describe

    for name, tasks, where in describe(data):
        print(f"{name:<12} {tasks:<24} {where}")


@data_app.command()
def prepare(
    name: str, task: DataTask = None, settings: DataSetting = None, data: DataFolder = None
) -> None:
    """Decode a data set once, so that every later start is instant."""
    from occkd_lib.data.verify import prepare

    print(prepare(name, root=data, task=task, **assigned(settings)))


@data_app.command()
def verify(
    name: str,
    labels: Annotated[str | None, Option(help="FER+ only: one label rule")] = None,
    task: DataTask = None,
    settings: DataSetting = None,
    data: DataFolder = None,
) -> None:
    """Count the faces, and report duplicates and contradictory labels."""
    from occkd_lib.data.verify import verify

    for line in verify(name, root=data, task=task, labels=labels, **assigned(settings)):
        print(printable(line))


def assigned(settings: list[str] | None) -> dict[str, str]:
    """``["path=mine.csv"]`` as {"path": "mine.csv"}."""
    pairs = [setting.partition("=") for setting in settings or ()]
    if any(not equals for _, equals, _ in pairs):
        raise OcckdError("--set: write setting=value")
    return {name: value for name, _, value in pairs}


def use_data(folder: Path | None) -> None:
    """Let this process, and its jobs in other folders, find the data sets."""
    chosen = folder or os.environ.get("OCCKD_DATA")
    if chosen:
        from occkd_lib.data import data_root

        os.environ["OCCKD_DATA"] = str(data_root(chosen).resolve())
