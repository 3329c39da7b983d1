"""The plan of a recipe as tables: what is to do, experiment by experiment, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from rich.console import Console
from rich.table import Table

from occkd_lib.execution.chapters import Job
from occkd_lib.execution.estimate import estimate
from occkd_lib.execution.workflow import OLD, TO_DO, Workflow

# TFLOP/s of training, overheads included. A core: what the reference runs of recipe laptop reached
# (55 to 105 GFLOP/s); a GPU: assumed, no run has measured it
CORE = 0.08
GPU = {"fp32": 20.0, "bf16": 60.0}


def show_plan(
    workflow: Workflow, *, every_notebook: bool = False, tflops: float | None = None
) -> None:
    """Print a row an experiment; every_notebook: and a row a notebook.

    tflops: how fast training is on all devices together, in TFLOP/s; None: as assumed above.
    """
    plan, recipe = workflow.plan(), workflow.content
    costs = estimate(recipe, workflow.experiments, workflow.seeds)
    many, each, what = assumed_rates(workflow)
    rates = {p: tflops or many * rate for p, rate in each.items()}
    precision = [recipe.experiment(str(name)).precision for name in costs.index]
    costs["hours"] = costs["pflop"] * 1e3 / [rates[p] for p in precision] / 3600
    if every_notebook:
        Console().print(notebooks_table(plan))
    Console().print(experiments_table(recipe.name, plan, costs))
    stated = " and ".join(f"{each[p]:g} TFLOP/s in {p}" for p in sorted(set(precision)))
    assumed = f"if each of {many} {what} reaches {stated} (--tflops changes it)"
    print(f"Hours of training alone, {f'at {tflops:g} TFLOP/s' if tflops else assumed}")
    if old := list(plan.values()).count(OLD):
        print(f"{old} notebooks were made by another version of the library, see --again")


def assumed_rates(workflow: Workflow) -> tuple[int, dict[str, float], str]:
    """How many devices, TFLOP/s of each by precision, and what they are called."""
    if workflow.gpus:
        return workflow.gpus, GPU, "GPUs"
    return workflow.cores or 1, dict.fromkeys(GPU, CORE), "cores"


def experiments_table(recipe: str, plan: Mapping[Job, str], costs: pd.DataFrame) -> Table:
    """A row an experiment, and one for all: notebooks and training runs to do, epochs, hours."""
    table = Table(title=f"{recipe}: what is to do")
    table.add_column("experiment", no_wrap=True)
    for column in ("notebooks", "runs", "epochs", "PFLOP", "hours"):
        table.add_column(column, justify="right")
    for name, row in costs.iterrows():
        states = [state for job, state in plan.items() if job.experiment == name]
        table.add_row(str(name), *amounts(states, row))
    table.add_section()
    table.add_row("all", *amounts(list(plan.values()), costs.sum(skipna=False)))
    return table


def amounts(states: list[str], row: pd.Series) -> tuple[str, ...]:
    """Notebooks to do, runs, epochs, PFLOP and hours as they are printed."""
    notebooks = f"{states.count(TO_DO)} of {len(states)}"
    known = pd.notna(row["pflop"])
    cost = (f"{row['pflop']:,.3g}", f"{row['hours']:,.2f}") if known else ("unknown size", "")
    return (notebooks, f"{row['runs']:,.0f}", f"{row['epochs']:,.0f}", *cost)


def notebooks_table(plan: Mapping[Job, str]) -> Table:
    """A row a notebook: chapter, experiment, seed, done or to do."""
    table = Table("chapter", "experiment", "seed", "", title="notebooks")
    for job, state in plan.items():
        seed = "" if job.seed is None else str(job.seed)
        table.add_row(job.chapter, job.experiment or "", seed, state)
    return table
