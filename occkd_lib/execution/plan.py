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

    tflops: how fast training is on all devices together, in TFLOP/s; None: an assumption.
    """
    plan, recipe = workflow.plan(), workflow.content
    costs = estimate(recipe, workflow.experiments, workflow.seeds)
    for name in costs.index:
        rate = tflops or assumed_rate(workflow, recipe.experiment(str(name)).precision)
        costs.loc[name, "hours"] = costs.loc[name, "pflop"] * 1e3 / rate / 3600
    if every_notebook:
        Console().print(notebooks_table(plan))
    Console().print(experiments_table(recipe.name, plan, costs))
    print(f"Hours of training alone, {stated(workflow, tflops)}")
    if old := list(plan.values()).count(OLD):
        print(f"{old} notebooks were made by another version of the library, see --again")


def assumed_rate(workflow: Workflow, precision: str) -> float:
    """TFLOP/s of training on all GPUs together, or on all cores where there is no GPU."""
    return workflow.gpus * GPU[precision] if workflow.gpus else (workflow.cores or 1) * CORE


def stated(workflow: Workflow, tflops: float | None) -> str:
    """The rate behind the hours, in words."""
    if tflops:
        return f"at {tflops:g} TFLOP/s"
    if workflow.gpus:
        rates = ", ".join(f"{rate:g} TFLOP/s in {precision}" for precision, rate in GPU.items())
        return f"if each of {workflow.gpus} GPUs reaches {rates} (assumed; --tflops changes it)"
    return f"if each of {workflow.cores} cores reaches {CORE:g} TFLOP/s (--tflops changes it)"


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
