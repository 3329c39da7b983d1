"""Whole stages at toy size: caching, resuming, failing."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from occkd_lib.config import Recipe, Stages
from occkd_lib.errors import OcckdError
from occkd_lib.models.base import InputSpec
from occkd_lib.report.evidence import check_settings
from occkd_lib.runs import Run
from occkd_lib.tasks import TASKS
from occkd_lib.training import stages
from occkd_lib.training.batches import Batches
from occkd_lib.training.device import Compute
from occkd_lib.training.networks import load_model, new_model
from occkd_lib.training.predict import FrozenTeacher
from occkd_lib.training.stages import STAGES, run_stage
from occkd_lib.training.views import Views
from tests.tiny import tiny_recipe


def silent(_: str) -> None:
    """Progress nobody reads."""


@pytest.mark.parametrize("experiment", ["expression", "gender", "age"])
def test_every_stage_leaves_a_complete_run(outputs, tiny, experiment):
    for stage in STAGES:
        run = run_stage(tiny, experiment, 0, stage, say=silent)
        assert run.done
        table = run.predictions
        assert set(table.split) == {"val", "test"}
        assert not table.isna().any().any()
    visible = tiny.experiment(experiment).visible
    teacher = Run(outputs / "tiny" / experiment / "seed0" / "teacher")
    assert set(teacher.predictions.visible) == {"full", "lower", "upper"}
    assert teacher.status["n"] == {"train": 72, "val": 24, "test": 24}
    assert len(teacher.history) == 2
    assert set(run.predictions.visible) == {visible}
    assert set(run.predictions.method) == {
        "standard+triplet", "standard_svm", "triplet_svm", "control_svm",
    }  # fmt: skip
    assert run.status["config"]["parents"].keys() == {"standard", "triplet", "control"}


def test_same_seed_same_predictions_other_seed_others(tmp_path, monkeypatch, tiny):
    tables = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        monkeypatch.setenv("OCCKD_OUTPUTS", str(tmp_path / name))
        tables.append(run_stage(tiny, "expression", seed, "triplet", say=silent).predictions)
    pd.testing.assert_frame_equal(tables[0], tables[1])
    assert not np.allclose(tables[0].score_0, tables[2].score_0)


def test_a_done_stage_is_not_run_again_and_its_folder_is_guarded(outputs, tiny):
    run = run_stage(tiny, "gender", 0, "teacher", say=silent)
    stamp = (run.folder / "model.safetensors").stat().st_mtime_ns
    said: list[str] = []
    run_stage(tiny, "gender", 0, "teacher", say=said.append)
    assert (run.folder / "model.safetensors").stat().st_mtime_ns == stamp
    assert said == []
    other = tiny_recipe(stages={"teacher": {"lr": 0.5}})
    with pytest.raises(OcckdError, match="settings.lr"):
        run_stage(other, "gender", 0, "teacher", say=silent)
    assert (run.folder / "model.safetensors").stat().st_mtime_ns == stamp


def test_changing_a_late_stage_keeps_the_early_ones(outputs, tiny):
    run_stage(tiny, "gender", 0, "student_upper", say=silent)
    other = tiny_recipe(stages={"triplet": {"alpha": 0.4}})
    said: list[str] = []
    run_stage(other, "gender", 0, "triplet", say=said.append)
    assert all(line.startswith("triplet") for line in said)


def test_cached_teacher_equals_live_teacher(tiny):
    experiment = tiny.experiment("expression")
    faces = stages.faces_of(experiment.data, "expression").split("train")
    torch.manual_seed(0)
    model = new_model(experiment)
    compute = Compute.best("fp32")
    views = Views(faces, model.input_spec, compute.device)
    cached = FrozenTeacher(model.to(compute.device), views, compute=compute, live=False)
    live = FrozenTeacher(model, views, compute=compute, live=True)
    for batch in Batches(views, batch_size=16, seed=0).epoch(0):
        for a, b in zip(cached.of(batch), live.of(batch), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


def test_every_stage_sees_faces_as_the_pretrained_weights_want_them(outputs, tiny, monkeypatch):
    """Weights made for (pixels - 10) / 2: no student may fall back to the network's default."""
    built = new_model(tiny.experiment("gender"))
    wanted = InputSpec(32, 1, (10.0,), (2.0,))
    assert built.input_spec != wanted

    def pretrained(experiment):
        model = new_model(experiment)
        model.input_spec = wanted
        model.init_record = {**model.init_record, "mean": wanted.mean, "std": wanted.std}
        return model

    monkeypatch.setattr(stages, "new_model", pretrained)
    for stage in ("student_upper", "standard"):
        run = run_stage(tiny, "gender", 0, stage, say=silent)
        assert load_model(tiny.experiment("gender"), run).input_spec == wanted


def test_weights_that_were_replaced_are_noticed(outputs, tiny, tmp_path):
    experiment, path = tiny.experiment("gender"), tmp_path / "start.safetensors"
    own = {"name": "mobilenet_v1", "width": None, "channels": 3, "init": "random"}
    network = experiment.network.model_copy(update=own)
    plain = experiment.model_copy(update={"network": network})
    first, other = (new_model(plain).state_dict() for _ in range(2))
    network = network.model_copy(update={"init": str(path)})
    changed = experiment.model_copy(update={"network": network})
    recipe = tiny.model_copy(update={"experiments": {"gender": changed}})
    save_file(first, path)
    run_stage(recipe, "gender", 0, "teacher", say=silent)
    assert run_stage(recipe, "gender", 0, "student_upper", say=silent).done
    save_file(other, path)
    with pytest.raises(OcckdError, match="start.safetensors is not the file that .*teacher began"):
        run_stage(recipe, "gender", 0, "student_lower", say=silent)
    path.unlink()
    assert run_stage(recipe, "gender", 0, "student_lower", say=silent).done


def test_a_shifted_teacher_runs_live(outputs):
    recipe = tiny_recipe(shift=2)
    assert run_stage(recipe, "gender", 0, "standard", say=silent).done


def test_a_loss_that_is_no_number_stops_the_stage_and_says_where(outputs, tiny, monkeypatch):
    teacher = run_stage(tiny, "gender", 0, "teacher", say=silent)
    stamp = (teacher.folder / "model.safetensors").stat().st_mtime_ns
    with pytest.raises(OcckdError, match=r"student_upper: the loss became nan at epoch 1, step 1"):
        with monkeypatch.context() as patch:
            patch.setattr(stages, "load_model", broken_model)
            run_stage(tiny, "gender", 0, "student_upper", say=silent)
    status = Run(teacher.folder.parent / "student_upper").status
    assert status["state"] == "failed"
    assert "nan" in status["error"]
    assert (teacher.folder / "model.safetensors").stat().st_mtime_ns == stamp
    assert run_stage(tiny, "gender", 0, "student_upper", say=silent).done, "and can be run again"


def broken_model(experiment, run):
    model = new_model(experiment)
    torch.nn.init.constant_(model.head.bias, float("nan"))
    return model


def test_age_starts_at_the_mean_age(outputs):
    recipe = tiny_recipe(stages={"teacher": {"lr": 1e-9, "epochs": 1}})
    run = run_stage(recipe, "age", 0, "teacher", say=silent)
    faces = stages.faces_of(recipe.experiment("age").data, "age")
    mean = float(faces.split("train").targets.mean())
    assert abs(run.predictions.prediction.mean() - mean) < 5
    assert TASKS["age"].outputs == 1


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        ("graduation", "teacher, student_lower"),
        ("teacher@lr=0.1", "teacher, student_lower"),  # what builds on it would need arms, too
        ("triplet@alfa=0.1", "triplet@alfa=0.1: alfa: Extra inputs"),
        ("triplet@alpha=-1", "triplet@alpha=-1: alpha: Input should be greater"),
        ("triplet@alpha", "write triplet@setting=value"),
    ],
)
def test_unknown_stage(tiny, stage, message):
    with pytest.raises(OcckdError, match=message):
        run_stage(tiny, "gender", 0, stage)


def test_an_arm_changes_one_setting_and_shares_the_rest(outputs, tiny):
    own = run_stage(tiny, "expression", 0, "triplet", say=silent)
    said: list[str] = []
    arm = run_stage(tiny, "expression", 0, "triplet@alpha=0.5,mining=random", say=said.append)
    assert all(line.startswith("triplet@") for line in said), "teacher and student are there"
    assert arm.folder.name == "triplet@alpha=0.5,mining=random"
    wanted = {**own.status["config"]["settings"], "alpha": 0.5, "mining": "random"}
    assert arm.status["config"] == {**own.status["config"], "settings": wanted}
    assert set(arm.predictions.method) == {"triplet"}
    assert not np.allclose(arm.predictions.score_0, own.predictions.score_0)


def test_without_step_2_distillation_begins_with_the_teacher(outputs, tiny):
    run = run_stage(tiny, "expression", 0, "standard@start=teacher,lr=1e-12", say=silent)
    assert run.status["config"]["parents"].keys() == {"teacher"}
    assert not (run.folder.parent / "student_lower").exists()
    teacher = Run(run.folder.parent / "teacher").predictions.query("visible == 'lower'")
    # nothing was learnt at that rate, but batch norm has followed the hidden half a little
    assert np.corrcoef(run.predictions.score_0, teacher.score_0)[0, 1] > 0.5


def test_an_arm_that_says_what_the_recipe_says_is_the_recipe_s_own(outputs, tiny):
    own = run_stage(tiny, "gender", 0, "standard", say=silent)
    said: list[str] = []
    arm = run_stage(tiny, "gender", 0, "standard@lam=0.5", say=said.append)
    assert (arm.folder.resolve(), said) == (own.folder.resolve(), [])


def test_a_tuned_stage_is_the_arm_that_validation_prefers(outputs):
    arms = [{"lr": 1e-9}, {"lr": 3e-3}, {"lr": 1e-8}]
    recipe = tiny_recipe(stages={"standard": {"tune": arms}})
    run = run_stage(recipe, "age", 0, "standard", say=silent)
    tried = [Run(run.folder.parent / f"standard@lr={lr}") for lr in ("1e-09", "0.003", "1e-08")]
    reached = [arm.status["validation_metric"] for arm in tried]
    assert run.folder.name == "standard"
    assert run.fingerprint == tried[int(np.argmax(reached))].fingerprint
    assert run_stage(recipe, "age", 0, "standard", say=silent).folder == run.folder
    check_settings(run, recipe.experiment("age"), "standard")
    with pytest.raises(OcckdError, match=r"another version of the recipe \(settings.lr"):
        check_settings(run, tiny_recipe().experiment("age"), "standard")


def test_recipes_share_equal_stages(outputs, tiny):
    """A teacher is trained once, whatever asks for it; another student is another student."""
    first = run_stage(tiny, "gender", 0, "student_upper", say=silent)
    content = tiny_recipe(stages={"student": {"lr": 0.002}}).model_dump()
    other = Recipe.model_validate(
        {**content, "name": "other", "experiments": {"g": content["experiments"]["gender"]}}
    )
    said: list[str] = []
    student = run_stage(other, "g", 0, "student_upper", say=said.append)
    assert {line.split()[0] for line in said} == {"student_upper"}
    teacher = outputs / "other" / "g" / "seed0" / "teacher"
    assert teacher.is_symlink() and Run(teacher).done
    assert student.fingerprint != first.fingerprint
    for path in sorted((outputs / "tiny" / "gender" / "seed0" / "teacher").iterdir()):
        path.unlink()
    (outputs / "tiny" / "gender" / "seed0" / "teacher").rmdir()
    assert run_stage(other, "g", 0, "teacher", say=silent).done, "a link into nothing is renewed"
    assert not teacher.is_symlink()


def test_two_processes_do_not_make_the_same_run(outputs, tiny):
    """The second one waits for the first, and finds it done."""
    code = (
        "import sys; from tests.tiny import tiny_recipe\n"
        "from occkd_lib.training.stages import run_stage\n"
        "run_stage(tiny_recipe(), 'gender', 0, 'teacher')\n"
    )
    root = Path(__file__).parents[2]
    both = [
        subprocess.Popen(
            [sys.executable, "-c", code], cwd=root, env=dict(os.environ), text=True,
            stdout=subprocess.PIPE,
        )
        for _ in range(2)
    ]  # fmt: skip
    said = "".join(process.communicate()[0] for process in both)
    assert [process.returncode for process in both] == [0, 0]
    assert said.count("epoch 1/2") == 1


def test_without_a_validation_split_the_last_epoch_is_kept(outputs, monkeypatch):
    """As for AffectNet, whose validation set is the test set."""
    change = {stage: {"select": "last", "schedule": "plateau"} for stage in Stages.model_fields}
    recipe = tiny_recipe(stages=change, fusion={"C": [1.0]})
    faces = stages.faces_of(recipe.experiment("expression").data, "expression")
    rest = faces.select(np.flatnonzero(faces.splits != "val"))
    monkeypatch.setattr(stages, "faces_of", lambda data, task: rest)
    run = run_stage(recipe, "expression", 0, "fusion", say=silent)
    assert set(run.predictions.split) == {"test"}
    student = Run(run.folder.parent / "student_lower")
    assert student.status["selected_epoch"] == 1
    assert student.history.validation.isna().all()


KILL = """
import os, signal, sys
sys.path.insert(0, {root!r})
from occkd_lib.runs import Run
from occkd_lib.training.stages import run_stage
from tests.tiny import tiny_recipe

save, calls = Run.save_tensors, []
def save_or_die(self, name, *rest):
    save(self, name, *rest)
    calls.append((self.folder.name, name))
    if calls[-1] == ("{stage}", "checkpoint"):
        os.kill(os.getpid(), signal.SIGKILL)
Run.save_tensors = save_or_die
run_stage(tiny_recipe(), "expression", 0, "{stage}", say=lambda line: None)
"""


@pytest.mark.parametrize("stage", ["teacher", "triplet"])
def test_a_killed_stage_ends_where_an_undisturbed_one_ends(tmp_path, monkeypatch, tiny, stage):
    monkeypatch.setenv("OCCKD_OUTPUTS", str(tmp_path / "undisturbed"))
    expected = run_stage(tiny, "expression", 0, stage, say=silent)
    monkeypatch.setenv("OCCKD_OUTPUTS", str(tmp_path / "killed"))
    root = str(Path(__file__).parents[2])
    code = textwrap.dedent(KILL).format(root=root, stage=stage)
    killed = subprocess.run([sys.executable, "-c", code], env=dict(os.environ))
    assert killed.returncode == -signal.SIGKILL
    folder = tmp_path / "killed" / "tiny" / "expression" / "seed0" / stage
    assert Run(folder).status["state"] == "running"
    said: list[str] = []
    resumed = run_stage(tiny, "expression", 0, stage, say=said.append)
    assert [line.split("  ")[0] for line in said] == [f"{stage} epoch 2/2"], "epoch 1 is kept"
    pd.testing.assert_frame_equal(resumed.predictions, expected.predictions)
    pd.testing.assert_frame_equal(
        resumed.history.drop(columns="seconds"), expected.history.drop(columns="seconds")
    )
