"""``half``: rows cut off instead of blackened, from the pixels to training, Grad-CAM and export."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from safetensors.torch import save_file

from occkd_lib.errors import OcckdError
from occkd_lib.explain import grad_cam
from occkd_lib.models import InputSpec, NetworkSettings, build_model, normalize
from occkd_lib.models.cost import network_cost
from occkd_lib.occlusion import occlude
from occkd_lib.runs import Run
from occkd_lib.stages import run_stage
from occkd_lib.training.views import Views
from tests.tiny import tiny_recipe

SMALL = {"name": "compact", "width": 4, "input_size": 32}


def settings(half="lower", **change):
    return NetworkSettings(**{**SMALL, "half": half, **change})


def test_rows_by_hand():
    pixels = torch.arange(25, dtype=torch.uint8).view(1, 1, 5, 5)
    for half, rows in (("lower", [3, 4]), ("upper", [0, 1, 2]), (None, [0, 1, 2, 3, 4])):
        spec = InputSpec(5, 1, (0.0,), (1.0,), half=half)
        assert normalize(pixels, spec)[0, 0, :, 0].tolist() == [5 * row for row in rows]
        assert spec.shape == (1, len(rows), 5)


@given(size=st.integers(2, 40), half=st.sampled_from(["lower", "upper"]))
def test_what_is_cut_off_is_what_would_be_black(size, half):
    spec = InputSpec(size, 1, (0.0,), (1.0,), half=half)
    white = occlude(torch.full((1, 1, size, size), 255, dtype=torch.uint8), half)
    assert normalize(white, spec).min() == 255 and int((white == 255).sum()) == spec.shape[1] * size


def test_the_network_gets_these_rows_alone(faces):
    net = settings().build(1).eval()
    index, plain = torch.arange(4), torch.zeros(4, dtype=torch.bool)
    views = Views(faces, net.input_spec, torch.device("cpu"))
    seen = views.inputs("lower", index, plain)
    assert seen.shape == (4, 1, 16, 32) and net.input_spec.shape == (1, 16, 32)
    assert not torch.equal(seen, views.inputs("upper", index, plain))
    whole = Views(faces, settings(None).build(1).input_spec, torch.device("cpu"))
    assert torch.equal(seen, whole.inputs("lower", index, plain)[:, :, 16:])


def test_half_the_work_and_as_many_values():
    cut, whole = network_cost(settings(), 8), network_cost(settings(None), 8)
    assert cut.parameters == whole.parameters
    assert cut.forward == pytest.approx(whole.forward / 2, rel=0.01)


def test_old_settings_are_written_as_they_were():
    assert "half" not in settings(None).model_dump() and settings().model_dump()["half"] == "lower"


def test_a_window_has_another_middle():
    with pytest.raises(ValidationError, match="half does not go with resize"):
        settings(input_size=24, resize=32)


def test_a_network_for_squares_alone_says_so():
    with pytest.raises(OcckdError, match=r"vgg_f' fails on \(2, 3, 112, 224\) images"):
        network_cost(NetworkSettings(name="vgg_f", half="upper"), 8)


def test_a_frozen_trunk_reads_these_rows(tmp_path, faces):
    path = tmp_path / "w.safetensors"
    save_file(build_model("compact", 2, width=4, input_size=32).state_dict(), path)
    frozen = {"layers": ["body.6"], "grid": 2, "hidden": 5}
    cut, whole = (settings(h, init=str(path), frozen=frozen).build(2) for h in ("lower", None))
    assert cut.reads == {**whole.reads, "half": "lower"} and "half" not in whole.reads
    pixels = torch.randn(3, 1, 16, 32)
    assert torch.equal(cut.eval().read_off(pixels), whole.eval().read_off(pixels))
    whole.look_at("upper")
    assert whole.input_spec.half == whole.trunk.input_spec.half == "upper"


@pytest.mark.parametrize("half", ["lower", "upper"])
def test_grad_cam_is_dark_where_it_gets_nothing(half, faces):
    torch.manual_seed(0)
    net = settings(half).build(1).eval()
    views = Views(faces, net.input_spec, torch.device("cpu"))
    maps = grad_cam(net, views, "full", torch.arange(30))
    assert maps.shape == (30, 32, 32)
    lit, rows = maps.amax((0, 2)) > 0, torch.arange(32)
    inside = rows >= 16 if half == "lower" else rows < 16
    assert lit[inside].any() and not lit[~inside].any()


HALF = {**SMALL, "channels": 1, "half": "lower"}


def test_a_student_of_a_cut_half(outputs):
    """It begins with the teacher of whole faces, and what is in the other half changes nothing."""
    size = {"input_size": 48}  # as large as the faces: resizing would mix rows across the cut
    cut = {"method": "student", "view": "lower", "network": HALF | size, "epochs": 1, "lr": 0.01}
    stages = {"cut": cut, "teacher": {"epochs": 1}}
    recipe = tiny_recipe(stages=stages, test_views=["full", "lower"], network=size)
    assert recipe.experiments["expression"].network.half is None
    for stage in ("teacher", "cut"):
        run = run_stage(recipe, "expression", 0, stage, say=lambda line: None)
    assert isinstance(run, Run)
    table = run.predictions
    test = table[table["split"] == "test"]
    full, lower = (test[test["view"] == view] for view in ("full", "lower"))
    logits = [c for c in table if c.startswith("score")]
    assert len(full) and lower[logits].std().max() > 0
    assert np.array_equal(full[logits].to_numpy(), lower[logits].to_numpy())


def test_a_half_that_the_view_hides_is_refused():
    with pytest.raises(ValueError, match="gets the lower half, which 'upper' hides"):
        tiny_recipe(stages={"cut": {
            "method": "student", "view": "upper", "network": HALF, "epochs": 1, "lr": 0.01
        }})  # fmt: skip


def test_another_network_still_cannot_begin_with_the_teacher():
    with pytest.raises(ValueError, match="its network is not that of 'teacher'"):
        tiny_recipe(stages={"cut": {
            "method": "student", "view": "lower", "network": {**HALF, "width": 8}, "epochs": 1,
            "lr": 0.01,
        }})  # fmt: skip
