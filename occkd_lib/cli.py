"""``occkd``: a thin skin over the library's functions; each command imports what it needs."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from occkd_lib.errors import OcckdError

if TYPE_CHECKING:
    from occkd_lib.progress import Job
    from occkd_lib.workflow import Workflow

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Recognising half-hidden faces: the command line of the experiment book.",
)
data_app = typer.Typer(no_args_is_help=True, help="Data sets: where they are, what is in them.")
app.add_typer(data_app, name="data")

RecipeName = Annotated[str, typer.Argument(help="A built-in recipe, or a recipe file.")]
DataFolder = Annotated[
    Path | None,
    typer.Option("--data", help="Folder of the data sets (default: $OCCKD_DATA, then ./data)"),
]


@app.command()
def run(
    recipe: RecipeName,
    snakemake: Annotated[
        list[str] | None,
        typer.Argument(help="After --: more for Snakemake, as in -- --executor slurm --jobs 20"),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Only show the plan.")] = False,
    cores: Annotated[
        int | None, typer.Option("--cores", "-j", min=1, help="(default: all)")
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option("--threads-per-job", min=1, help="(default: 1 on built-in faces, else all)"),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            help="Only this experiment, or those of a pattern: 'fer_*' (may be repeated)."
        ),
    ] = None,
    seeds: Annotated[
        str | None, typer.Option(help="These seeds, as 0,1,2 or 0-4 (default: the recipe's)")
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Also notebooks that are done; training is not redone.")
    ] = False,
    data: DataFolder = None,
) -> None:
    """Execute all notebooks of a recipe that are not done, in order, as parallel as they can be."""
    from occkd_lib.progress import clock
    from occkd_lib.project import outputs_root, project_root
    from occkd_lib.workflow import Workflow

    use_data(data)
    workflow = Workflow(
        recipe, tuple(only or ()), parse_seeds(seeds), cores, threads, again, snakemake or ()
    )
    if dry_run:
        show_plan(workflow.content.name, workflow.plan())
        show_cost(workflow)
        return
    workflow.check_data()
    # jobs run in folders of their own
    os.environ.update(OCCKD_ROOT=str(project_root()), OCCKD_OUTPUTS=str(outputs_root()))
    begun = time.monotonic()
    try:
        workflow.run(say=lambda line: print(line, flush=True))
    except KeyboardInterrupt:
        print("\nocckd: interrupted; the same command goes on from here", file=sys.stderr)
        raise typer.Exit(130) from None
    print(f"\n{recipe} is done ({clock(time.monotonic() - begun)}). Where to look:")
    for what, where in workflow.results().items():
        print(f"  {what:<20} {shown(where)}")


@app.command()
def nb(
    notebook: Annotated[Path, typer.Argument(help="The notebook to execute.")],
    parameter: Annotated[
        list[str] | None,
        typer.Option("--parameter", "-p", help="name=value (may be repeated)"),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="(default: notebooks/ in the outputs folder)"),
    ] = None,
    timeout: Annotated[float | None, typer.Option(min=1, help="Seconds for all cells.")] = None,
    cell_timeout: Annotated[float | None, typer.Option(min=1, help="Seconds for a cell.")] = None,
    kernel: Annotated[str, typer.Option(help="Name of the Jupyter kernel.")] = "python3",
    job: Annotated[bool, typer.Option("--job", hidden=True)] = False,
    gpu: Annotated[bool, typer.Option("--claim-gpu", hidden=True)] = False,
) -> None:
    """Execute one notebook with checked parameters; its output appears only when all went well."""
    from occkd_lib.notebooks import execute
    from occkd_lib.parameters import parse_parameters
    from occkd_lib.project import outputs_root

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt_once)
    values = parse_parameters(notebook, parameter or [])
    output = output or outputs_root() / "notebooks" / notebook.name
    bar = sys.stderr.isatty()
    try:
        if job:
            become_job()
        if gpu:
            from occkd_lib.devices import claim_gpu

            claim_gpu()
        written = execute(
            notebook,
            output,
            values,
            timeout=timeout,
            cell_timeout=cell_timeout,
            kernel=kernel,
            echo=None if bar else sys.stdout,
            progress=bar,
        )
    except KeyboardInterrupt:
        print("occkd: interrupted", file=sys.stderr)
        raise typer.Exit(130) from None
    print(shown(written))


@app.command()
def results(
    recipe: RecipeName,
    reference: Annotated[
        bool, typer.Option("--reference", help="Into outputs/reference/, which git keeps.")
    ] = False,
    maps: Annotated[bool, typer.Option(help="Also t-SNE maps of the embeddings.")] = True,
    data: DataFolder = None,
) -> None:
    """Write the tables and figures of a recipe's finished runs, beside the published values."""
    from occkd_lib.project import project_root
    from occkd_lib.report import write_results
    from occkd_lib.report.readme import has_place, update_readme

    use_data(data)
    folder = write_results(recipe, reference=reference, maps=maps)
    print(shown(folder / "index.html"))
    readme = project_root() / "README.md"
    if reference and has_place(readme, folder.name):
        update_readme(readme, folder.name, folder)
        print(f"{shown(readme)}: results of {folder.name} renewed")


@app.command()
def stage(
    recipe: RecipeName,
    experiment: Annotated[str, typer.Argument()],
    seed: Annotated[int, typer.Argument()],
    stage: Annotated[str, typer.Argument(help="teacher, student_lower, ..., fusion")],
    data: DataFolder = None,
) -> None:
    """Run one training stage, and what it needs, without a notebook."""
    from occkd_lib.config import load_recipe
    from occkd_lib.training.stages import run_stage

    use_data(data)
    print(shown(run_stage(load_recipe(recipe), experiment, seed, stage).folder))


@data_app.command("list")
def list_data(data: DataFolder = None) -> None:
    """The data sets that there are, and where each was found."""
    from occkd_lib.data.verify import describe

    for name, tasks, where in describe(data):
        print(f"{name:<12} {tasks:<24} {where}")


@data_app.command()
def prepare(name: str, data: DataFolder = None) -> None:
    """Decode a data set once, so that every later start is instant."""
    from occkd_lib.data.verify import prepare

    print(prepare(name, root=data))


@data_app.command()
def verify(
    name: str,
    labels: Annotated[str | None, typer.Option(help="FER+ only: one label rule")] = None,
    data: DataFolder = None,
) -> None:
    """Count the faces, and report duplicates and contradictory labels."""
    from occkd_lib.data.verify import verify

    print("\n".join(verify(name, root=data, labels=labels)))


def use_data(folder: Path | None) -> None:
    """Let this process, and its jobs in other folders, find the data sets."""
    chosen = folder or os.environ.get("OCCKD_DATA")
    if chosen:
        from occkd_lib.data.registry import data_root

        os.environ["OCCKD_DATA"] = str(data_root(chosen).resolve())


def parse_seeds(text: str | None) -> tuple[int, ...]:
    """``0,2,5-7`` as (0, 2, 5, 6, 7)."""
    seeds: list[int] = []
    try:
        for part in text.split(",") if text else ():
            first, _, last = part.partition("-")
            counted = range(int(first), int(last or first) + 1)
            seeds += [counted[0], *counted[1:]]
    except (ValueError, IndexError):
        raise OcckdError(f"--seeds {text}: write 0,1,2 or 0-4") from None
    return tuple(dict.fromkeys(seeds))


def show_plan(recipe: str, plan: dict[Job, str]) -> None:
    """A table: chapter, experiment, seed, done or to do."""
    from rich.console import Console
    from rich.table import Table

    to_do = list(plan.values()).count("to do")
    table = Table("chapter", "experiment", "seed", "", title=f"{recipe}: {to_do} notebooks to do")
    for job, state in plan.items():
        seed = "" if job.seed is None else str(job.seed)
        table.add_row(job.chapter, job.experiment or "", seed, state)
    Console().print(table)


def show_cost(workflow: Workflow) -> None:
    """A table: the training runs that are not done, and what they cost on the device found."""
    from rich.console import Console
    from rich.table import Table

    from occkd_lib.estimate import estimate, matrix_rate
    from occkd_lib.runs import environment

    recipe = workflow.content
    costs = estimate(recipe, workflow.experiments, workflow.seeds)
    precisions = {recipe.experiment(name).precision for name in costs.index}
    rates = {precision: matrix_rate(precision) for precision in sorted(precisions)}
    table = Table("experiment", title=f"{recipe.name}: training to do")
    for column in ("runs", "epochs", "PFLOP", "hours, at least"):
        table.add_column(column, justify="right")
    hours = []
    for name, row in costs.iterrows():
        rate = rates[recipe.experiment(str(name)).precision]
        hours.append(row["pflop"] * 1e15 / rate / 3600)
        runs, epochs = (f"{row[column]:,.0f}" for column in ("runs", "epochs"))
        table.add_row(str(name), runs, epochs, f"{row['pflop']:,.3g}", f"{hours[-1]:,.2f}")
    table.add_section()
    runs, epochs, pflop = (costs[column].sum() for column in ("runs", "epochs", "pflop"))
    table.add_row("all", f"{runs:,.0f}", f"{epochs:,.0f}", f"{pflop:,.3g}", f"{sum(hours):,.2f}")
    Console().print(table)
    measured = ", ".join(f"{rate / 1e12:,.2f} TFLOP/s in {p}" for p, rate in rates.items())
    print(
        f"Hours on {environment()['device']}, at the rate of large matrix products measured just "
        f"now ({measured}). Training reaches a part of it, rarely more than half on a GPU."
    )


def shown(path: Path) -> str:
    """The path from here, if it lies below."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def interrupt_once(number: int, frame: object) -> NoReturn:
    """Ctrl-C or a scheduler's signal: stop, and let nothing disturb the tidying up."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


def become_job() -> None:
    """A part of a workflow: end when the workflow's process ends."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def main() -> None:
    """The ``occkd`` command: a user's mistake is one line on stderr and exit status 2."""
    try:
        app()
    except OcckdError as error:
        print(f"occkd: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
