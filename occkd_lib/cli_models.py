"""``occkd models`` and ``occkd export``: networks that describe themselves, and other runtimes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from occkd_lib.cli_data import DataFolder, use_data
from occkd_lib.project import printable

if TYPE_CHECKING:
    from occkd_lib.apply.facts import Facts  # torch

models_app = typer.Typer(
    no_args_is_help=True, help="Trained networks: what there is, is it whole, publish one."
)
ModelFolder = Annotated[Path, Argument(help="A model's folder, or one with models below it.")]
OWN = "Trust the model's author: let it import a network or view of its own."
OwnCode = Annotated[bool, Option("--own-code", help=OWN)]


@models_app.command("list")
def list_models(
    root: Annotated[Path | None, Argument(help="(default: outputs/models and models)")] = None,
) -> None:
    """The models at hand: task, visible half, main result, folder."""
    from occkd_lib.apply.model import facts_in
    from occkd_lib.apply.shelf import models
    from occkd_lib.errors import OcckdError

    found = models(root)
    for folder in found:
        try:
            facts = facts_in(folder)
        except OcckdError as error:
            print(printable(f"{folder}  unusable: {error}"))
            continue
        line = f"{facts.task:<12} {facts.visible:<8} {headline(facts):<40} {folder}"
        print(printable(line))
    if not found:
        print("no models: 'occkd models publish' makes one of a finished run")


def headline(facts: Facts) -> str:
    """The main metric of the stored network on test, with its interval."""
    found = [r for r in facts.results if r.subset == "this file"]
    if not found:
        return "not measured"
    return f"{found[0].metric} {found[0].value:.2f} [{found[0].low:.2f}, {found[0].high:.2f}]"


@models_app.command("verify")
def verify_models(
    folders: Annotated[
        list[Path] | None,
        Argument(help="Models, exports, or folders with models below (default: all at hand)"),
    ] = None,
    own_code: OwnCode = False,
) -> None:
    """Read models, and compare what they say of a fixed picture with what they said before.

    Ends with status 1 if one is not as it was written, 2 if there is none.
    """
    from occkd_lib.apply.shelf import models, named, verify_model
    from occkd_lib.errors import OcckdError

    bad = 0
    every = [model for folder in folders for model in named(folder)] if folders else models()
    if not every:
        raise OcckdError("no models to verify: 'occkd models publish' makes one of a finished run")
    for folder in every:
        problems = verify_model(folder, own_code=own_code)
        bad += bool(problems)
        print(printable(f"{folder}: {'; '.join(problems) if problems else 'as it was written'}"))
    if bad:
        raise typer.Exit(1)


@models_app.command("publish", context_settings={"ignore_unknown_options": True})
def publish_model(
    recipe: Annotated[str, Argument(help="A built-in recipe, or a recipe file.")],
    experiment: Annotated[str, Argument(help="One of the recipe's experiments.")],
    seed: Annotated[int, Argument(help="Of a finished run.")],
    stage: Annotated[str, Argument(help="One of its stages, or an arm.")],
    output: Annotated[
        Path | None, Option("--output", "-o", help="(default: in outputs/models)")
    ] = None,
    dtype: Annotated[str, Option(help="fp16 or fp32")] = "fp16",
    data: DataFolder = None,
) -> None:
    """Make a folder of a finished run: values, calibration, results with intervals, a card."""
    from occkd_lib.apply.publish import publish
    from occkd_lib.errors import OcckdError
    from occkd_lib.project import outputs_root

    if dtype not in ("fp16", "fp32"):
        raise OcckdError(f"--dtype {dtype}: write fp16 or fp32")
    use_data(data)
    name = "-".join((Path(recipe).stem, experiment, stage, f"seed{seed}"))
    folder = output or outputs_root() / "models" / name
    print(publish(recipe, experiment, seed, stage, folder, dtype=dtype))  # type: ignore[arg-type]


def export_model(
    model: ModelFolder,
    to: Annotated[str, Option(help="onnx or torchscript")] = "onnx",
    output: Annotated[
        Path | None, Option("--output", "-o", help="(default: model.onnx or model.pt in it)")
    ] = None,
    int8: Annotated[
        bool, Option("--int8", help="Eight bits (ONNX); needs the data, says what it costs.")
    ] = False,
    own_code: OwnCode = False,
    data: DataFolder = None,
) -> None:
    """Write a model as one file for other runtimes: from pixels to calibrated answers.

    Of a folder with several models below, each is written beside itself.
    """
    from occkd_lib.apply.export import export, opened
    from occkd_lib.apply.shelf import named
    from occkd_lib.errors import OcckdError

    use_data(data)
    every = named(model)
    if output and len(every) > 1:
        raise OcckdError(f"-o is of one model: of the {len(every)} below {model}, give one")
    for each in every:
        path = export(each, to, output, int8=int8, own_code=own_code)  # type: ignore[arg-type]
        cost = opened(path, own_code=own_code)[2] if int8 else None
        if cost:
            print(
                f"int8: {cost.metric} {cost.int8:.4f}, float32 {cost.fp32:.4f} on {cost.n:,} test "
                f"faces; {100 * cost.same:.1f} % of the answers stay"
            )
        print(path)
