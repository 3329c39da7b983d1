"""``occkd``: a thin skin over the library's functions; each command imports what it needs."""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer
from typer import Argument, Option

import occkd_lib
from occkd_lib.cli_data import DataFolder, data_app, use_data
from occkd_lib.cli_models import export_model, models_app
from occkd_lib.cli_predict import predict
from occkd_lib.errors import OcckdError
from occkd_lib.project import here, printable, shown

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Recognising half-hidden faces: the command line of the experiment book.",
)
app.add_typer(data_app, name="data")
app.add_typer(models_app, name="models")
app.command("export")(export_model)
app.command("predict")(predict)

RecipeName = Annotated[str, Argument(help="A built-in recipe, or a recipe file.")]
SNAKEMAKE = "After --: more for Snakemake, as in -- --jobs 20"
PROFILE = "Run on a cluster: slurm, or a folder with a config.yaml for Snakemake."
GPUS = "GPUs to use, with --profile those of the cluster (default: all here; none there)"
MOST_SEEDS = 1_000
THREADS = "(default: 1 on built-in faces, else all)"


def tell_version(asked: bool) -> None:
    """``--version``: say it, and end."""
    if asked:
        print(f"occkd {occkd_lib.__version__}")
        raise typer.Exit


@app.callback()
def occkd(
    version: Annotated[bool, Option("--version", callback=tell_version, is_eager=True)] = False,
) -> None:
    """Recognising half-hidden faces: the command line of the experiment book."""


@app.command()
def run(
    recipe: RecipeName,
    snakemake: Annotated[list[str] | None, Argument(help=SNAKEMAKE)] = None,
    dry_run: Annotated[bool, Option("--dry-run", "-n", help="Only show the plan.")] = False,
    notebooks: Annotated[bool, Option("--notebooks", help="With -n: every notebook.")] = False,
    tflops: Annotated[float | None, Option(min=1e-6, help="With -n: rate for its hours.")] = None,
    cores: Annotated[int | None, Option("--cores", "-j", min=1, help="(default: all)")] = None,
    threads: Annotated[int | None, Option("--threads-per-job", min=1, help=THREADS)] = None,
    gpus: Annotated[int | None, Option("--gpus", min=0, help=GPUS)] = None,
    profile: Annotated[str | None, Option(help=PROFILE)] = None,
    only: Annotated[list[str] | None, Option(help="Experiment, or pattern: 'fer_*'.")] = None,
    seeds: Annotated[str | None, Option(help="0,1,2 or 0-4 (default: the recipe's)")] = None,
    again: Annotated[bool, Option("--again", help="Also those done; training stays.")] = False,
    data: DataFolder = None,
) -> None:
    """Execute all notebooks of a recipe that are not done, in order, as parallel as they can be."""
    from occkd_lib.execution.plan import show_plan
    from occkd_lib.execution.progress import clock
    from occkd_lib.execution.workflow import Workflow
    from occkd_lib.project import bring_book, outputs_root, project_root

    use_data(data)
    bring_book(copy=not dry_run)
    workflow = Workflow(
        recipe,
        tuple(only or ()),
        parse_seeds(seeds),
        cores,
        threads,
        again,
        extra=snakemake or (),
        profile=profile,
        gpus=gpus,
    )
    if dry_run:
        show_plan(workflow, every_notebook=notebooks, tflops=tflops)
        try:
            workflow.check()
        except OcckdError as error:  # the plan is right all the same
            print(f"Not yet: {error}")
        return
    workflow.check()
    jobs_know(project_root(), outputs_root())
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
def lab(
    jupyter: Annotated[list[str] | None, Argument(help="After --: more for JupyterLab.")] = None,
    source: Annotated[
        bool, Option("--source", help="The chapters themselves, for their authors.")
    ] = False,
) -> None:
    """Open the chapters in JupyterLab: copies in outputs/lab, which may be run and changed."""
    from importlib.util import find_spec

    from occkd_lib.execution.copies import lab_command
    from occkd_lib.project import bring_book, outputs_root

    if find_spec("jupyterlab") is None:
        raise OcckdError("JupyterLab is not installed: pip install 'occkd[lab]'")
    jobs_know(root := bring_book().resolve(), outputs_root())
    options = lab_command(source, root, jupyter or [])
    os.execv(sys.executable, [sys.executable, "-m", "jupyterlab", *options])


@app.command()
def edition(
    kind: Annotated[Literal["student", "solved"], Argument(help="Without solutions, or run.")],
    folder: Annotated[Path | None, Option("--to", help="(default: build/KIND)")] = None,
) -> None:
    """Write the chapters without their solutions, or with these as code to be run."""
    from occkd_lib.execution.editions import write_editions
    from occkd_lib.project import bring_book

    root = bring_book()
    written = write_editions(kind, folder or root / "build" / kind)
    print(f"{len(written)} chapters in {shown(written[0].parent)}")


@app.command()
def nb(
    notebook: Annotated[Path, Argument(help="The notebook to execute.")],
    parameter: Annotated[
        list[str] | None, Option("--parameter", "-p", help="name=value, repeatable")
    ] = None,
    output: Annotated[
        Path | None, Option("--output", "-o", help="(default: notebooks/ in the outputs folder)")
    ] = None,
    timeout: Annotated[float | None, Option(min=1, help="Seconds for all cells.")] = None,
    cell_timeout: Annotated[float | None, Option(min=1, help="Seconds for a cell.")] = None,
    kernel: Annotated[str, Option(help="Name of the Jupyter kernel.")] = "python3",
    job: Annotated[bool, Option("--job", hidden=True)] = False,
    gpu: Annotated[bool, Option("--claim-gpu", hidden=True)] = False,
) -> None:
    """Execute one notebook with checked parameters; its output appears only when all went well."""
    from occkd_lib.execution.devices import claim_gpu
    from occkd_lib.execution.notebooks import execute
    from occkd_lib.execution.parameters import parse_parameters
    from occkd_lib.project import outputs_root, project_root

    jobs_know(project_root(), outputs_root())
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt_once)
    values = parse_parameters(notebook, parameter or [])
    bar = sys.stderr.isatty()
    try:
        if job:
            become_job()
        if gpu:
            claim_gpu()
        written = execute(
            notebook,
            output or outputs_root() / "notebooks" / notebook.name,
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
        bool, Option("--reference", help="Into outputs/reference/, which git keeps.")
    ] = False,
    maps: Annotated[bool, Option(help="Also t-SNE maps of the embeddings.")] = True,
    data: DataFolder = None,
) -> None:
    """Write the tables and figures of a recipe's finished runs, beside the published values."""
    from occkd_lib.project import project_root
    from occkd_lib.site import write_results
    from occkd_lib.site.headline import has_place, renew

    use_data(data)
    folder = write_results(recipe, reference=reference, maps=maps)
    print(shown(folder / "index.html"))
    page = project_root() / "RESULTS.md"
    if reference and has_place(page, folder.name):
        renew(page, folder.name, folder)
        print(f"{shown(page)}: results of {folder.name} renewed")


@app.command()
def restore(recipe: RecipeName, data: DataFolder = None) -> None:
    """Take published results for finished runs, so that more seeds can be added to them."""
    from occkd_lib.config import load_recipe
    from occkd_lib.results.restore import restore

    use_data(data)
    print(f"{restore(load_recipe(recipe))} runs restored")


# a negative seed is to be refused as such, not as an option that there is not
@app.command(context_settings={"ignore_unknown_options": True})
def stage(
    recipe: RecipeName,
    experiment: Annotated[str, Argument(help="One of the recipe's experiments.")],
    seed: Annotated[int, Argument(help="0 or more.")],
    stage: Annotated[
        str, Argument(help="One of its stages, or an arm: triplet@alpha=0.1,mining=random")
    ],
    data: DataFolder = None,
) -> None:
    """Run one training stage, and what it needs, without a notebook."""
    from occkd_lib.config import load_recipe
    from occkd_lib.stages import run_stage

    use_data(data)
    print(shown(run_stage(load_recipe(recipe), experiment, seed, stage).folder))


def jobs_know(root: Path, outputs: Path) -> None:
    """Tell notebooks, which run in folders of their own, these and where the command was given."""
    places = {"OCCKD_ROOT": root, "OCCKD_OUTPUTS": outputs, "OCCKD_HERE": here()}
    os.environ.update({name: str(place) for name, place in places.items()})


def parse_seeds(text: str | None) -> tuple[int, ...]:
    """``0,2,5-7`` as (0, 2, 5, 6, 7)."""
    seeds: list[int] = []
    try:
        for part in text.split(",") if text is not None else ():
            first, dash, last = part.partition("-")
            counted = range(int(first), int(last if dash else first) + 1)
            if not 0 < len(counted) <= MOST_SEEDS or counted[-1] >= 2**31:
                raise ValueError
            seeds += counted
    except (ValueError, OverflowError):
        rule = (
            f"write 0,1,2 or 0-4; a seed is 0 or more and below 2^31, {MOST_SEEDS:,} are the most"
        )
        raise OcckdError(f"--seeds {text}: {rule}") from None
    return tuple(dict.fromkeys(seeds))


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
        app(prog_name="occkd")
    except OcckdError as error:
        print(f"occkd: {printable(error)}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        print(f"occkd: {printable(error)}: free some, or send elsewhere", file=sys.stderr)
        os._exit(2)  # an ordinary end would try to write what is left once more
