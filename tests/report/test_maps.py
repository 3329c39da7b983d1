"""t-SNE of one experiment: the same few faces through every network, or a sentence why not."""

from pathlib import Path

import pytest
import torch

from occkd_lib.errors import OcckdError
from occkd_lib.report import maps
from occkd_lib.training.networks import new_model
from occkd_lib.training.stages import faces_of

from .conftest import make_recipe, write_run

STAGES = ("teacher", "student_upper", "standard")


@pytest.fixture
def trained(outputs):
    """Built-in faces, 60 of them; networks that were never trained, but saved."""
    recipe = make_recipe("gender", data="synthetic")
    data = recipe.experiments["gender"].data.model_copy(update={"faces": 60})
    experiment = recipe.experiments["gender"].model_copy(update={"data": data})
    recipe = recipe.model_copy(update={"experiments": {"gender": experiment}})
    print_of_faces = faces_of(experiment.data, "gender").fingerprint()
    for seed, stage in enumerate(STAGES):
        run = write_run(recipe, "gender", 0, stage, {stage: 1}, config={"faces": print_of_faces})
        torch.manual_seed(seed)
        run.save_tensors("model", new_model(experiment).state_dict())
    return recipe


def test_every_panel_shows_the_same_few_test_faces(trained, monkeypatch):
    seen = []
    real = maps.embeddings
    monkeypatch.setattr(
        maps,
        "embeddings",
        lambda e, run, f, view: seen.append((run, f, view)) or real(e, run, f, view),
    )
    assert maps.why_none(trained, "gender") == ""
    figure = maps.embedding_maps(trained, "gender", most=8)
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert titles == ["teacher, sees full", "student, sees upper", "standard T-S, sees upper", ""]
    assert [view for _, _, view in seen] == ["full", "upper", "upper"]
    assert [run.folder.name for run, _, _ in seen] == list(STAGES)
    assert len({tuple(faces.ids) for _, faces, _ in seen}) == 1
    assert len(seen[0][1]) == 8 and set(seen[0][1].splits) == {"test"}
    for ax in figure.axes[:3]:
        assert sum(len(dots.get_offsets()) for dots in ax.collections) == 8


def test_reasons_for_no_map(trained, outputs, tmp_path, monkeypatch):
    run = outputs / "tiny" / "gender" / "seed0"
    (run / "standard" / "model.safetensors").unlink()
    assert "the weights of standard are not kept" in maps.why_none(trained, "gender")
    with pytest.raises(OcckdError, match="tiny/gender: No map .* weights of standard"):
        maps.embedding_maps(trained, "gender")


def test_without_the_data_there_is_a_sentence(outputs, tmp_path, monkeypatch):
    monkeypatch.setenv("OCCKD_DATA", str(tmp_path))
    recipe = make_recipe("gender", "age")
    run = write_run(recipe, "gender", 0, "teacher", {"teacher": 1})
    Path(run.folder, "model.safetensors").touch()
    reason = maps.why_none(recipe, "gender")
    assert "UTKFace" in reason and "not on this machine" in reason
    assert "no network of it is trained" in maps.why_none(recipe, "age")


def test_other_faces_are_an_error(trained, outputs):
    status = outputs / "tiny" / "gender" / "seed0" / "standard" / "status.json"
    content = status.read_text()
    known = faces_of(trained.experiments["gender"].data, "gender").fingerprint()
    status.write_text(content.replace(known, "abc"))
    with pytest.raises(OcckdError, match="standard saw other faces than those in"):
        maps.embedding_maps(trained, "gender")
