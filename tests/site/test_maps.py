"""t-SNE of one experiment: the same few faces through every network, or a sentence why not."""

from pathlib import Path

import pytest
import torch

from occkd_lib.config import load_recipe
from occkd_lib.errors import OcckdError
from occkd_lib.results import Store
from occkd_lib.site import maps
from occkd_lib.site.maps import experiment_map, shown_stages, why_no_map
from occkd_lib.stages import faces_of
from occkd_lib.stages.networks import outputs_of

from .conftest import make_recipe, write_run

NAMES = ("teacher", "student", "standard")


@pytest.fixture
def trained(outputs):
    """Built-in faces, 60 of them; networks that were never trained, but saved."""
    recipe = make_recipe(data={"name": "synthetic", "faces": 60})
    experiment = recipe.experiments["gender"]
    seen = faces_of(experiment).fingerprint()
    for seed, stage in enumerate((*NAMES, "control", "other_half")):
        run = write_run(recipe, "gender", stage, faces=seen)
        torch.manual_seed(seed)
        model = experiment.network.build(outputs_of(experiment))
        run.save_tensors("model", model.state_dict())
        run._write_status(initialisation=model.init_record)
    return Store(recipe)


def test_every_panel_shows_the_same_few_test_faces(trained, monkeypatch):
    write_run(trained.recipe, "gender", "teacher", seed=1)  # without weights
    seen = []
    real = maps.answers_of
    monkeypatch.setattr(maps, "answers_of", lambda *call: seen.append(call[2:]) or real(*call))
    assert why_no_map(trained, "gender") == ""
    figure = experiment_map(trained, "gender", most=8)
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert titles == ["teacher: full face", "student: upper half", "standard T-S: upper half", ""]
    assert [view for _, _, view in seen] == ["full", "upper", "upper"]
    assert [run.folder.parts[-2:] for run, _, _ in seen] == [("seed0", name) for name in NAMES]
    assert len({tuple(faces.ids) for _, faces, _ in seen}) == 1
    assert len(seen[0][1]) == 8
    assert set(seen[0][1].splits) == {"test"}
    for ax in figure.axes[:3]:
        assert sum(len(dots.get_offsets()) for dots in ax.collections) == 8


def test_controls_machines_and_other_views_are_left_out():
    assert list(shown_stages(make_recipe().experiments["gender"])) == [*NAMES, "triplet"]
    only = make_recipe(visible="full", stages={"teacher": {"epochs": 1, "lr": 0.1}})
    assert list(shown_stages(only.experiments["gender"])) == ["teacher"]
    many = load_recipe("demo").experiments["education"]
    assert list(shown_stages(many)) == ["adareg", "reg", "ktn", "ktn_reg", "stsn", "stsn_d"]


def test_reasons_for_no_map(trained, outputs):
    run = outputs / "tiny" / "gender" / "seed0"
    (run / "standard" / "model.safetensors").unlink()
    assert "the weights of standard are not kept" in why_no_map(trained, "gender")
    with pytest.raises(OcckdError, match=r"tiny/gender: No map .* weights of standard"):
        experiment_map(trained, "gender")


def test_without_the_data_there_is_a_sentence(outputs, tmp_path, monkeypatch):
    monkeypatch.setenv("OCCKD_DATA", str(tmp_path))
    recipe = make_recipe()
    assert "no network of it is trained" in why_no_map(Store(recipe), "gender")
    Path(write_run(recipe, "gender", "teacher").folder, "model.safetensors").touch()
    reason = why_no_map(Store(recipe), "gender")
    assert "UTKFace" in reason
    assert "not on this machine" in reason


def test_other_faces_are_an_error(trained, outputs):
    status = outputs / "tiny" / "gender" / "seed0" / "standard" / "status.json"
    known = faces_of(trained.recipe.experiments["gender"]).fingerprint()
    status.write_text(status.read_text().replace(known, "abc"))
    with pytest.raises(OcckdError, match="standard saw other faces than those in"):
        experiment_map(trained, "gender")
