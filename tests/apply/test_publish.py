"""From a finished run to a folder: what is said of it is what the run's predictions give."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from occkd_lib.apply import measured
from occkd_lib.apply.calibration import expected_calibration_error, fit_temperature
from occkd_lib.apply.model import read_model
from occkd_lib.apply.publish import described, publish, without_folders
from occkd_lib.data import load_faces
from occkd_lib.errors import OcckdError
from occkd_lib.evaluation import interval, score_over_seeds
from occkd_lib.results import open_store
from occkd_lib.runs import Run
from occkd_lib.stages import run_stage
from occkd_lib.tasks import task_of
from tests.apply.test_card import section
from tests.tiny import tiny_recipe


@pytest.fixture
def recipe(tmp_path):
    """The toy recipe as a file."""
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(tiny_recipe().model_dump(mode="json")))
    return path


def rows_of(run, split="test", view="lower"):
    table = run.predictions
    return table[(table["split"] == split) & (table["view"] == view)].sort_values("id")


def found(facts, **wanted):
    wanted = {"split": "test", "view": "lower", "subset": "all", "group": None, **wanted}
    (line,) = [r for r in facts.results if all(getattr(r, k) == v for k, v in wanted.items())]
    return line


def test_a_student(trained, recipe, tmp_path):
    folder = publish(recipe, "expression", 0, "triplet", tmp_path / "m", dtype="fp32")
    model, run = read_model(folder), Run(trained / "triplet")
    facts = model.facts
    assert (facts.visible, facts.trained_on) == ("lower", ("full", "lower"))
    assert facts.data.n == {"train": 72, "val": 24, "test": 24}
    assert (facts.crop.size, facts.crop.channels, facts.crop.style) == (48, 3, "folder")
    assert facts.origin.fingerprint == run.fingerprint
    assert facts.agreement == 1.0

    test = rows_of(run)
    by_hand = interval(test["target"].to_numpy(), test["prediction"].to_numpy(), "accuracy")
    line = found(facts, metric="accuracy")
    assert (line.value, line.low, line.high) == pytest.approx(
        (100 * by_hand.value, 100 * by_hand.low, 100 * by_hand.high)
    )
    assert (line.n, line.seeds, line.over) == (24, 1, "faces")
    assert found(facts, metric="accuracy", subset="this file").value == pytest.approx(line.value)

    val = rows_of(run, "val")
    logits = torch.tensor(val[[f"score_{k}" for k in range(8)]].to_numpy())
    temperature = fit_temperature(logits, torch.tensor(val["target"].to_numpy()))
    assert facts.calibration.temperature == pytest.approx(temperature, rel=1e-3)
    scores = torch.tensor(test[[f"score_{k}" for k in range(8)]].to_numpy())
    error = expected_calibration_error(
        (scores / temperature).softmax(1), torch.tensor(test["target"].to_numpy())
    )
    assert facts.calibration.ece_after == pytest.approx(error, abs=1e-4)
    faces = load_faces("synthetic", task="expression", faces=120).split("test")
    said = model.predict(faces.images[:]).probabilities
    order = np.argsort(faces.ids)
    torch.testing.assert_close(
        said[order], (scores / temperature).softmax(1).float(), atol=1e-4, rtol=0
    )
    assert f"{facts.calibration.temperature:.4f}" in section(
        (folder / "card.md").read_text(), "Calibration"
    )


def test_groups_by_hand(trained, recipe, tmp_path):
    facts = read_model(publish(recipe, "expression", 0, "student", tmp_path / "m")).facts
    faces = load_faces("synthetic", task="expression", faces=120).split("test")
    rows = rows_of(Run(trained / "student")).set_index("id").loc[list(faces.ids)]
    right = (rows["target"] == rows["prediction"]).to_numpy()
    for number, gender in enumerate(("male", "female")):
        chosen = (faces.table["gender"] == number).to_numpy()
        line = found(facts, group=f"gender {gender}")
        assert line.n == chosen.sum() >= measured.SMALLEST
        assert line.value == pytest.approx(100 * right[chosen].mean())
    assert all(r.n >= measured.SMALLEST for r in facts.results if r.group)


def test_several_seeds(trained, recipe, tmp_path):
    for stage in ("teacher", "student"):
        run_stage(tiny_recipe(), "expression", 1, stage, say=lambda line: None)
    facts = read_model(publish(recipe, "expression", 1, "student", tmp_path / "m")).facts
    runs = [Run(trained.parent / f"seed{seed}" / "student") for seed in (0, 1)]
    target = rows_of(runs[0])["target"].to_numpy()
    said = np.stack([rows_of(run)["prediction"].to_numpy() for run in runs])
    by_hand = score_over_seeds(target, said, "accuracy")
    line = found(facts, metric="accuracy")
    assert (line.seeds, line.over) == (2, "seeds and faces")
    assert line.value == pytest.approx(100 * by_hand.difference)
    assert line.high == pytest.approx(min(100, 100 * by_hand.high))
    assert found(facts, metric="accuracy", subset="this file").seeds == 1
    assert facts.origin.seed == 1


def test_years(outputs, recipe, tmp_path):
    run = run_stage(tiny_recipe(), "age", 0, "student", say=lambda line: None)
    model = read_model(publish(recipe, "age", 0, "student", tmp_path / "m"))
    val, c = rows_of(run, "val", "upper"), model.facts.calibration
    errors = val["prediction"].to_numpy() - val["target"].to_numpy()
    assert c.spread == pytest.approx(np.sqrt((errors**2).mean()), rel=1e-2)
    assert c.temperature == 1 and c.ece_before is None and 0 <= c.coverage <= 1
    line = found(model.facts, view="upper", metric="mean_absolute_error")
    test = rows_of(run, "test", "upper")
    assert line.value == pytest.approx((test["prediction"] - test["target"]).abs().mean())
    assert model.facts.classes == () and len(model.facts.check[0]) == 1


def test_an_arm(trained, recipe, tmp_path):
    arm = "triplet@alpha=0.1"
    run = run_stage(tiny_recipe(), "expression", 0, arm, say=lambda line: None)
    facts = read_model(publish(recipe, "expression", 0, arm, tmp_path / "m")).facts
    assert (facts.origin.stage, facts.origin.fingerprint) == (arm, run.fingerprint)


@pytest.mark.parametrize(
    ("seed", "stage", "message"),
    [
        (7, "student", "not finished: run 'occkd stage tiny expression 7 student'"),
        (0, "fusion", "no network but a machine"),
        (0, "studnt", "did you mean 'student'"),
    ],
)
def test_what_cannot_be_published(trained, recipe, tmp_path, seed, stage, message):
    with pytest.raises(OcckdError, match=message):
        publish(recipe, "expression", seed, stage, tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_other_faces_than_the_run_saw(trained, recipe, tmp_path):
    path = trained / "student" / "status.json"
    status = json.loads(path.read_text())
    status["config"]["faces"] = "0" * 16
    path.write_text(json.dumps(status))
    with pytest.raises(OcckdError, match="saw other faces"):
        publish(recipe, "expression", 0, "student", tmp_path / "m")


def test_a_run_without_weights(trained, recipe, tmp_path):
    (trained / "student" / "model.safetensors").unlink()
    with pytest.raises(OcckdError, match="weights|model.safetensors"):
        publish(recipe, "expression", 0, "student", tmp_path / "m")


def test_groups_without_and_with_labels():
    faces = load_faces("synthetic", task="age", faces=60, cache=False)
    named = measured.groups_of(faces, task_of("age"))
    assert list(named) == ["age", "gender"]
    first = faces.targets[list(faces.ids).index(named.index[0])]
    assert named["age"].iloc[0].startswith(str(int(first) // 10 * 10))
    bare = replace(faces, table=pd.DataFrame())
    assert list(measured.groups_of(bare, task_of("age"))) == ["age"]
    turned = faces.select(np.arange(59, -1, -1))
    pd.testing.assert_frame_equal(measured.groups_of(turned, task_of("age")), named)  # by id
    words = replace(faces, table=pd.DataFrame({"ethnicity": ["x"] * 50 + ["y"] * 10}))
    named = measured.groups_of(words, task_of("age"))
    counted = {g: int(c.sum()) for g, c in measured.members(named) if g.startswith("eth")}
    assert counted == {"ethnicity x": 50, "ethnicity y": 10}


def test_where_nothing_varies_the_interval_is_over_faces():
    place = measured.Place("d", "test", "lower")
    target, wrong = np.zeros(20, int), np.ones((3, 20), int)
    line = measured.result(place, task_of("expression").metric, target, wrong, target == 0)
    assert (line.value, line.low, line.over) == (0, 0, "faces") and 10 < line.high < 20


def test_no_folder_of_the_publisher_is_told():
    assert without_folders({"path": "/ada/faces/l.csv", "name": "folder", "size": 48}) == {
        "path": "l.csv", "name": "folder", "size": 48,
    }  # fmt: skip


def test_weights_are_named_without_their_folder(trained, recipe):
    path = trained / "student" / "status.json"
    status = json.loads(path.read_text())
    status["config"]["network"]["init"] = "/ada/w.safetensors"
    status["initialisation"]["source"] = "w.safetensors"
    path.write_text(json.dumps(status))
    faces, run = load_faces("synthetic", task="expression", faces=120), Run(path.parent)
    facts = described(open_store(recipe), "expression", 0, "student", run, faces)
    assert facts.network.init == facts.beginning.source == "w.safetensors"
    assert "ada" not in facts.model_dump_json()
    assert facts.licence.tag == "other"


def test_the_store_is_that_of_the_recipe(trained, recipe):
    place = measured.Place("synthetic", "test", "lower")
    faces, said = measured.answers(open_store(recipe), "expression", "student")[place]
    assert list(said) == [0] and len(faces) == 24
