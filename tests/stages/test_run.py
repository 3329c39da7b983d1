"""Whole stages at toy size: caching, resuming, failing."""

import os
import shutil
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

from occkd_lib.config import Experiment, Recipe
from occkd_lib.errors import OcckdError
from occkd_lib.methods import METHODS
from occkd_lib.models import InputSpec, NetworkSettings
from occkd_lib.runs import FORMAT, Run
from occkd_lib.stages import faces_of, run_stage
from occkd_lib.stages import networks as loading
from occkd_lib.stages import run as running
from tests.tiny import tiny_recipe


def silent(_: str) -> None:
    """Progress nobody reads."""


@pytest.mark.parametrize("experiment", ["expression", "gender", "age"])
def test_every_stage_leaves_a_complete_run(outputs, tiny, experiment):
    for stage in tiny.experiment(experiment).order():
        run = run_stage(tiny, experiment, 0, stage, say=silent)
        assert run.done
        table = run.predictions
        assert set(table.split) == {"val", "test"}
        assert set(table.data) == {"synthetic"}
        assert not table.isna().any().any()
    visible = tiny.experiment(experiment).visible
    teacher = Run(outputs / "tiny" / experiment / "seed0" / "teacher")
    assert set(teacher.predictions["view"]) == {"full", "lower", "upper"}
    assert set(teacher.predictions["row"]) == {""}
    assert teacher.status["n"] == {"train": 72, "val": 24, "test": 24}
    assert len(teacher.history) == 2
    assert set(run.predictions["view"]) == {visible}
    assert set(run.predictions["row"]) == {
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
    run_stage(tiny, "gender", 0, "student", say=silent)
    other = tiny_recipe(stages={"triplet": {"alpha": 0.4}})
    said: list[str] = []
    run_stage(other, "gender", 0, "triplet", say=said.append)
    assert all(line.startswith("triplet") for line in said)


def test_every_stage_sees_faces_as_the_pretrained_weights_want_them(outputs, tiny, monkeypatch):
    """Weights made for (pixels - 10) / 2: no student may fall back to the network's default."""
    other = InputSpec(32, 1, (10.0,), (2.0,))
    build = NetworkSettings.build
    assert build(tiny.experiment("gender").network, 1).input_spec != other

    def pretrained(self, outputs):
        model = build(self, outputs)
        model.input_spec = other
        model.init_record = {**model.init_record, "mean": other.mean, "std": other.std}
        return model

    monkeypatch.setattr(NetworkSettings, "build", pretrained)
    teacher = run_stage(tiny, "gender", 0, "teacher", say=silent)
    monkeypatch.setattr(NetworkSettings, "build", build)
    for stage in ("student", "standard"):
        run = run_stage(tiny, "gender", 0, stage, say=silent)
        network = tiny.experiment("gender").network
        assert loading.load_network(network, 1, run).input_spec == other
    assert loading.load_network(network, 1, teacher).input_spec == other


def test_weights_that_were_replaced_are_noticed(outputs, tiny, tmp_path):
    path = tmp_path / "start.safetensors"
    own = {"name": "mobilenet_v1", "input_size": 32, "channels": 3}
    first, other = (NetworkSettings(**own).build(1).state_dict() for _ in range(2))
    save_file(first, path)
    recipe = tiny_recipe(network={**own, "init": str(path)})
    run_stage(recipe, "gender", 0, "teacher", say=silent)
    assert run_stage(recipe, "gender", 0, "student", say=silent).done
    save_file(other, path)
    with pytest.raises(OcckdError, match="start.safetensors is not the file that .*teacher began"):
        run_stage(recipe, "gender", 0, "other_half", say=silent)
    path.unlink()
    assert run_stage(recipe, "gender", 0, "other_half", say=silent).done


@pytest.mark.parametrize("moves", [{"shift": 2}, {"scale": 0.1}, {"tilt": 5}])
def test_a_teacher_of_moved_faces_runs_live(outputs, monkeypatch, moves):
    lives, frozen_teacher = [], running.frozen_teacher

    def remembering(*rest, live):
        lives.append(live)
        return frozen_teacher(*rest, live=live)

    monkeypatch.setattr(running, "frozen_teacher", remembering)
    run = run_stage(tiny_recipe(**moves), "gender", 0, "standard", say=silent)
    assert run.done and lives == [True]
    assert moves.items() <= run.status["config"].items()


def test_moves_that_are_not_asked_for_are_not_in_the_protocol(outputs, tiny):
    """So that what was trained before there were scale and tilt is found again."""
    config = run_stage(tiny, "gender", 0, "teacher", say=silent).status["config"]
    assert config["shift"] == 0 and not {"scale", "tilt"} & set(config)


def test_a_loss_that_is_no_number_stops_the_stage_and_says_where(outputs, tiny, monkeypatch):
    teacher = run_stage(tiny, "gender", 0, "teacher", say=silent)
    stamp = (teacher.folder / "model.safetensors").stat().st_mtime_ns
    with monkeypatch.context() as patch:
        patch.setattr(running, "load_network", broken_network)
        with pytest.raises(OcckdError, match=r"student: the loss became nan at epoch 1, step 1"):
            run_stage(tiny, "gender", 0, "student", say=silent)
    status = Run(teacher.folder.parent / "student").status
    assert status["state"] == "failed"
    assert "nan" in status["error"]
    assert (teacher.folder / "model.safetensors").stat().st_mtime_ns == stamp
    assert run_stage(tiny, "gender", 0, "student", say=silent).done, "and can be run again"


def broken_network(network, outputs, run):
    model = network.build(outputs)
    torch.nn.init.constant_(model.head.bias, float("nan"))
    return model


def test_less_error_is_better(outputs, tiny):
    """Validation is minus the error in years, so that the best epoch is that of the least."""
    run = run_stage(tiny, "age", 0, "student", say=silent)
    rows = run.predictions.query("split == 'val'")
    error = (rows["prediction"] - rows["target"]).abs().mean()
    assert run.status["validation_metric"] == pytest.approx(-error, rel=1e-5)
    assert run.status["validation_metric"] == run.history["validation"].max() < 0


def test_age_starts_at_the_mean_age(outputs):
    recipe = tiny_recipe(stages={"teacher": {"lr": 1e-9, "epochs": 1}})
    run = run_stage(recipe, "age", 0, "teacher", say=silent)
    mean = float(faces_of(recipe.experiment("age")).split("train").targets.mean())
    assert abs(run.predictions.prediction.mean() - mean) < 5
    teacher = {"lr": 1e-9, "epochs": 1, "head_start": "random"}
    run = run_stage(tiny_recipe(stages={"teacher": teacher}), "age", 1, "teacher", say=silent)
    assert run.predictions.prediction.mean() < mean / 2


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        ("graduation", "stages are teacher, student"),
        ("tripplet", "did you mean 'triplet'"),
        ("fusion@C=0.1", "'fusion' has no arms: it trains no network"),
        ("triplet@alfa=0.1", "triplet@alfa=0.1: alfa: there is no such setting: did you mean 'al"),
        ("triplet@alpha=-1", "triplet@alpha=-1: alpha: Input should be greater"),
        ("triplet@alpha", "write triplet@setting=value"),
    ],
)
def test_unknown_stage(tiny, stage, message):
    with pytest.raises(OcckdError, match=message):
        run_stage(tiny, "gender", 0, stage)


def test_a_negative_seed_trains_nothing(outputs, tiny):
    with pytest.raises(OcckdError, match="a seed is 0 or more"):
        run_stage(tiny, "gender", -1, "teacher")
    assert not outputs.exists()


def test_an_arm_changes_one_setting_and_shares_the_rest(outputs, tiny):
    own = run_stage(tiny, "expression", 0, "triplet", say=silent)
    said: list[str] = []
    arm = run_stage(tiny, "expression", 0, "triplet@alpha=0.5,mining=random", say=said.append)
    assert all(line.startswith("triplet@") for line in said), "teacher and student are there"
    assert arm.folder.name == "triplet@alpha=0.5,mining=random"
    wanted = {**own.status["config"]["settings"], "alpha": 0.5, "mining": "random"}
    assert arm.status["config"] == {**own.status["config"], "settings": wanted}
    assert set(arm.predictions["row"]) == {""}
    assert not np.allclose(arm.predictions.score_0, own.predictions.score_0)


def test_without_step_2_distillation_begins_with_the_teacher(outputs, tiny):
    run = run_stage(tiny, "expression", 0, "standard@start=teacher,lr=1e-12", say=silent)
    assert run.status["config"]["parents"].keys() == {"teacher"}
    assert not (run.folder.parent / "student").exists()
    ours, theirs = (
        Run(f).load_tensors("model")[0] for f in (run.folder, run.folder.parent / "teacher")
    )
    weights = [name for name in ours if "running" not in name and "tracked" not in name]
    for name in weights:  # nothing was learnt at that rate
        torch.testing.assert_close(ours[name], theirs[name])


def test_an_arm_that_says_what_the_recipe_says_is_the_recipe_s_own(outputs, tiny):
    own = run_stage(tiny, "gender", 0, "standard", say=silent)
    said: list[str] = []
    arm = run_stage(tiny, "gender", 0, "standard@lam=0.5", say=said.append)
    assert (arm.folder.resolve(), said) == (own.folder.resolve(), [])


def test_recipes_share_equal_stages(outputs, tiny):
    """A teacher is trained once, whatever asks for it; another student is another student."""
    first = run_stage(tiny, "gender", 0, "student", say=silent)
    changed = tiny_recipe(stages={"student": {"lr": 0.002}}).experiment("gender")
    other = Recipe(name="other", description="another", experiments={"g": changed})
    said: list[str] = []
    student = run_stage(other, "g", 0, "student", say=said.append)
    assert {line.split()[0] for line in said} == {"student"}
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
        "from occkd_lib.stages import run_stage\n"
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
    fitted = ("teacher", "student", "other_half", "standard", "triplet")
    change = {stage: {"select": "last", "schedule": "plateau"} for stage in fitted}
    recipe = tiny_recipe(stages={**change, "fusion": {"C": [1.0]}})
    faces = faces_of(recipe.experiment("expression"))
    rest = faces.select(np.flatnonzero(faces.splits != "val"))
    monkeypatch.setattr(running, "faces_of", lambda experiment: rest)
    run = run_stage(recipe, "expression", 0, "fusion", say=silent)
    assert set(run.predictions.split) == {"test"}
    student = Run(run.folder.parent / "student")
    assert student.status["selected_epoch"] == 1
    assert student.history.validation.isna().all()


KILL = """
import os, signal, sys
sys.path.insert(0, {root!r})
from occkd_lib.runs import Run
from occkd_lib.stages import run_stage
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


def test_a_resumed_run_counts_the_time_before_the_kill(tmp_path, monkeypatch, tiny):
    monkeypatch.setenv("OCCKD_OUTPUTS", str(tmp_path))
    save = Run.save_tensors

    def interrupt(self, name, tensors, facts=None):
        if facts:
            facts["seconds"] += 100
        save(self, name, tensors, facts)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Run, "save_tensors", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run_stage(tiny, "gender", 0, "teacher", say=silent)
    run = run_stage(tiny, "gender", 0, "teacher", say=silent)
    assert run.status["wall_seconds"] >= 100
    assert Run(run.folder).seconds == 0, "and a run that was not started has taken none"


def test_a_run_that_trained_no_epoch_does_not_block_the_corrected_recipe(outputs, monkeypatch):
    wrong = tiny_recipe(stages={"teacher": {"lr": 1e30}})
    with pytest.raises(OcckdError, match="the loss became"):
        run_stage(wrong, "gender", 0, "teacher", say=silent)
    assert run_stage(tiny_recipe(), "gender", 0, "teacher", say=silent).done


def test_runs_of_an_earlier_version_are_refused_with_one_line(outputs, tiny):
    run = run_stage(tiny, "gender", 0, "teacher", say=silent)
    path = run.folder / "status.json"
    text = path.read_text().replace(f'"format": {FORMAT}', '"format": 1')
    path.write_text(text)
    with pytest.raises(
        OcckdError, match=r"another version of the library \(format 1, now"
    ) as found:
        run_stage(tiny, "gender", 0, "student", say=silent)
    assert "\n" not in str(found.value)


def test_a_student_of_another_architecture_learns_through_an_adapter(outputs):
    """Other width and input size than the teacher; the adapter is trained, and named in a row."""
    from occkd_lib.stages import rows_of

    own = {"network": {"name": "compact", "width": 6, "input_size": 24, "channels": 1}}
    change = {
        "student": {**own, "start": None},
        "other_half": {**own, "start": None},
        "standard": own,
        "triplet": own,
    }
    gender = tiny_recipe().experiment("gender").varied({"stages": change})
    recipe = Recipe(name="two", description="two networks", experiments={"gender": gender})
    for stage in ("standard", "triplet"):  # gender: hints
        run = run_stage(recipe, "gender", 0, stage, say=silent)
        assert run.done
        assert run.status["parameters_of_objective"] == 48 * 32 + 32
    titles = {name: row.title for (name, _), row in rows_of(recipe.experiment("gender")).items()}
    assert titles["standard"] == "standard T-S, linear adapter"
    assert titles["control"] == "control: as long, no teacher"


def test_an_experiment_without_occlusion_is_an_ordinary_one(outputs):
    experiment = tiny_recipe().experiment("expression").model_dump(mode="json")
    experiment["visible"] = "full"
    stages = experiment["stages"]
    experiment["stages"] = {name: stages[name] for name in ("teacher", "student", "standard")}
    experiment["ablations"] = {}
    recipe = Recipe(
        name="open", description="nothing is hidden",
        experiments={"e": Experiment.model_validate(experiment)},
    )  # fmt: skip
    run = run_stage(recipe, "e", 0, "standard", say=silent)
    assert set(run.predictions["view"]) == {"full"}
    assert set(Run(run.folder.parent / "teacher").predictions["view"]) == {"full"}


def test_every_method_declares_what_the_tables_need():
    for name, method in METHODS.items():
        assert name == method.name == method.settings.model_fields["method"].default
        assert method.title


def test_a_network_of_its_own_cannot_begin_with_another_network(tiny):
    wide = {"network": {"name": "compact", "width": 8, "input_size": 32, "channels": 1}}
    with pytest.raises(ValueError, match="stages.student: its network is not that of 'teacher'"):
        tiny.experiment("gender").varied({"stages": {"student": wide}})


def test_children_of_a_teacher_that_began_with_other_weights_are_other_runs(outputs, tmp_path):
    path = tmp_path / "start.safetensors"
    own = {"name": "mobilenet_v1", "input_size": 32, "channels": 3}
    recipe = tiny_recipe(network={**own, "init": str(path)})
    for seed in range(2):
        torch.manual_seed(seed)
        save_file(NetworkSettings(**own).build(1).state_dict(), path)
        if seed == 0:
            student = run_stage(recipe, "gender", 0, "student", say=silent)
            shutil.rmtree(student.folder.parent / "teacher")
    with pytest.raises(OcckdError, match=r"student holds a run of another recipe .parents.teacher"):
        run_stage(recipe, "gender", 0, "student", say=silent)


def test_on_another_set_of_the_same_name(outputs):
    other = {"name": "synthetic", "faces": 60, "split_seed": 1}
    with pytest.raises(ValueError, match="tell them apart with 'called:'"):
        tiny_recipe(test_on=[other])
    recipe = tiny_recipe(test_on=[{**other, "called": "neighbours"}])
    run = run_stage(recipe, "gender", 0, "teacher", say=silent)
    counts = run.predictions.query("split == 'test' and view == 'full'").groupby("data").size()
    assert counts.to_dict() == {"neighbours": 12, "synthetic": 24}
    assert len(run.status["config"]["test_faces"]) == 1
