"""Everything a recipe names is tried before anything starts: one clear line for what is wrong."""

from __future__ import annotations

import shutil

import pytest

from occkd_lib.config import load_recipe
from occkd_lib.config.experiment import Experiment
from occkd_lib.errors import OcckdError
from occkd_lib.execution.preflight import check, check_experiment
from occkd_lib.execution.workflow import Workflow
from tests.tiny import tiny_recipe

GOOD = """
import torch
from torch.nn import functional as F
from occkd_lib.mining import mine_hard_triplets
from occkd_lib.models import FaceNet, InputSpec


class Net(FaceNet):
    def __init__(self, outputs, input_size=32):
        super().__init__()
        self.input_spec = InputSpec(input_size, 1, (128.0,), (64.0,))
        self.embedding_dim = 8
        self.layer = torch.nn.Linear(input_size**2, 8)
        self.add_head(outputs)

    def features(self, x):
        return self.layer(x.flatten(1))


def loss(output, target, *, scale=1.0):
    return scale * F.cross_entropy(output, target)


def eyes(images):
    hidden = images.clone()
    hidden[..., : images.shape[-2] // 3, :] = 0
    return hidden
"""
STAGES = ("  expression:\n", "  expression:\n    stages: {{teacher: {{{}}}}}\n")


@pytest.fixture
def plug_ins(project, own_recipe):
    """Write a module beside a recipe that names its things; returns the workflow."""

    def write(name: str, code: str, *exchanged: tuple[str, str]) -> Workflow:
        (project / f"{name}.py").write_text(code)
        return Workflow(own_recipe(*exchanged), experiments=("expression",))

    return write


def teacher(settings: str) -> tuple[str, str]:
    """The teacher of the first experiment, with these settings."""
    return STAGES[0], STAGES[1].format(settings)


def test_what_is_as_it_must_be_passes(plug_ins):
    plug_ins(
        "good_things", GOOD,
        ("name: compact, width: 6", 'name: "good_things:Net"'), (", channels: 1", ""),
        ("visible: lower", 'visible: "good_things:eyes"'),
        teacher('loss: {name: "good_things:loss", scale: 2.0}'),
    ).check()  # fmt: skip


@pytest.mark.parametrize(
    ("code", "exchanged", "message"),
    [
        (
            GOOD.replace("return self.layer(", "return self.layers("),
            [("name: compact, width: 6", 'name: "MODULE:Net"'), (", channels: 1", "")],
            "network 'MODULE:Net' fails on .*AttributeError",
        ),
        (
            GOOD.replace("self.embedding_dim = 8", "self.embedding_dim = 9"),
            [("name: compact, width: 6", 'name: "MODULE:Net"'), (", channels: 1", "")],
            "MODULE:Net",
        ),
        (
            GOOD.replace("hidden = images.clone()", "hidden = images.copy()"),
            [("visible: lower", 'visible: "MODULE:eyes"')],
            "view 'MODULE:eyes' does not work .*AttributeError.*copy",
        ),
        (
            GOOD.replace("return hidden", "return hidden[..., 0]"),
            [("visible: lower", 'visible: "MODULE:eyes"')],
            "view 'MODULE:eyes' does not work .*come out of",
        ),
        (GOOD, [("visible: lower", 'visible: "MODULE:ears"')], "has no 'ears'"),
        (GOOD, [teacher('loss: "MODULE:los"')], "has no 'los'"),
        (GOOD, [("fraction: 0.1}", 'fraction: 0.1, mining: "MODULE:mine"}')], "has no 'mine'"),
        (
            GOOD,
            [("{epochs: 1, mining: random}", '{epochs: 1, mining: "nowhere.to:be"}')],
            "nowhere.to:be.* cannot be imported",
        ),
        (GOOD, [teacher('view: "MODULE:nose"')], "has no 'nose'"),
        (
            GOOD,
            [("  expression:\n", '  expression:\n    data: {name: "MODULE:DATA", faces: null}\n')],
            "has no 'DATA'",
        ),
        (GOOD, [("student: {epochs: 8", 'student: {method: "MODULE:M", epochs: 8')], "has no 'M'"),
        (
            GOOD + "\nfrom occkd_lib.losses.task import TaskLoss\n\n\n"
            "class Bad(TaskLoss):\n    def __init__(self, facts):\n        facts.nothing\n",
            [teacher('loss: "MODULE:Bad"')],
            "loss 'MODULE:Bad' does not suit .*nothing",
        ),
        (GOOD, [("channels: 1}", "channels: 1, init: nowhere}")], "no weights 'nowhere'"),
        ("import nothing_at_all", [("visible: lower", 'visible: "MODULE:eyes"')], "nothing_at_all"),
    ],
)
def test_what_is_wrong_is_one_line(plug_ins, request, code, exchanged, message):
    module = f"bad_{abs(hash(request.node.name))}"  # Python imports a name once
    exchanged = [(old, new.replace("MODULE", module)) for old, new in exchanged]
    with pytest.raises(OcckdError, match=message.replace("MODULE", module)) as caught:
        plug_ins(module, code, *exchanged).check()
    assert "\n" not in str(caught.value)


def test_the_experiment_is_named(plug_ins):
    broken = GOOD.replace("images.clone()", "images.copy()")
    workflow = plug_ins("broken_view", broken, ("visible: lower", 'visible: "broken_view:eyes"'))
    with pytest.raises(OcckdError, match=r"^experiment 'expression': view 'broken_view:eyes'"):
        workflow.check()


def test_all_that_is_missing_is_said_at_once(own_recipe, tmp_path, monkeypatch):
    monkeypatch.setenv("OCCKD_WEIGHTS", str(tmp_path / "none"))
    path = own_recipe(
        ("channels: 1}", "channels: 1, init: imagenet-vgg-f}"),
        ("  expression:\n", "  expression:\n    data: {name: ferplus, labels: majority, "
         "faces: null}\n"),
    )  # fmt: skip
    with pytest.raises(OcckdError) as caught:
        Workflow(path, experiments=("expression",)).check()
    said = str(caught.value)
    assert "no weights 'imagenet-vgg-f'" in said and "MatConvNet's page" in said
    assert "FER+" in said and "\n" not in said


def test_the_experiments_own_view(tiny):
    """Although every stage has a view of its own."""
    whole = tiny.experiments["expression"]
    content = whole.model_dump(mode="json", exclude_none=True, include={"data", "task", "network"})
    stages = {"teacher": {"view": "full", "epochs": 1, "lr": 0.1}}
    assert Experiment.model_validate({**content, "visible": "upper", "stages": stages})
    with pytest.raises(ValueError, match="did you mean 'upper'"):
        Experiment.model_validate({**content, "visible": "uper", "stages": stages})


def test_no_room_on_the_disk(own_recipe, monkeypatch):
    workflow = Workflow(own_recipe(), experiments=("expression",))
    full = shutil.disk_usage("/")._replace(free=10_000)
    monkeypatch.setattr("occkd_lib.execution.preflight.shutil.disk_usage", lambda path: full)
    with pytest.raises(OcckdError, match=r"networks need about \d+ MB, .* has 0 MB left: make"):
        workflow.check()


def test_outputs_that_cannot_be_written(own_recipe, project, monkeypatch):
    file = project / "a_file"
    file.write_text("")
    monkeypatch.setenv("OCCKD_OUTPUTS", str(file))
    with pytest.raises(OcckdError, match="nothing can be written to .*a_file: set OCCKD_OUTPUTS"):
        check(load_recipe(own_recipe()), ["expression"])


def test_a_list_that_does_not_fit_the_task(own_recipe, project):
    (project / "faces").mkdir()
    (project / "faces" / "labels.csv").write_text("file,mood\n1.png,happy\n")
    own = f"data: {{name: folder, path: {project}/faces/labels.csv, size: 32}}"
    recipe = own_recipe(("data: {name: synthetic, faces: 3000}", own))
    with pytest.raises(OcckdError, match=r"labels\.csv: no column 'label', it has file, mood"):
        check(load_recipe(recipe), ["expression"])


def test_finished_runs_of_other_settings(trained, project):
    """Found before anything starts, with the way out; networks that are not begun may change."""
    check_experiment(tiny_recipe(), "expression", [0])
    check_experiment(tiny_recipe(stages={"teacher": {"epochs": 3}}), "expression", [1])
    with pytest.raises(OcckdError, match=r"teacher holds .*epochs: 2 -> 3.* change 'name:' in"):
        check_experiment(tiny_recipe(stages={"teacher": {"epochs": 3}}), "expression", [0])
