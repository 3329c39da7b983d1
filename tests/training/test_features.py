"""Features of a frozen trunk: those of the pixels, computed once, and never of other faces."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from occkd_lib.errors import OcckdError
from occkd_lib.models import NetworkSettings, build_model
from occkd_lib.occlusion import OCCLUDERS
from occkd_lib.runs import fingerprint
from occkd_lib.training.device import Compute
from occkd_lib.training.features import FeatureViews, image_hash, views_of
from occkd_lib.training.views import Views

CPU = Compute(torch.device("cpu"), "fp32")


@pytest.fixture
def net(tmp_path):
    torch.manual_seed(1)
    path = tmp_path / "small.safetensors"
    trunk = build_model("compact", 2, width=4, input_size=32)
    save_file(trunk.state_dict(), path)
    layers = [n for n, m in trunk.named_modules() if isinstance(m, torch.nn.Conv2d)][-1:]
    frozen = {"layers": layers, "grid": 2, "hidden": 5}
    chosen = NetworkSettings(name="compact", width=4, input_size=32, init=str(path), frozen=frozen)
    return chosen.build(2).eval()


def test_features_are_those_of_the_pixels(faces, net, outputs):
    index = torch.tensor([4, 0, 9, 29])
    flipped = torch.tensor([True, False, False, True])
    for view in ("full", "lower", "mask", "upper+mask"):
        pixels = Views(faces, net.input_spec, CPU.device).inputs(view, index, flipped)
        features = views_of(faces, net, CPU).inputs(view, index, flipped)
        torch.testing.assert_close(features, net.read_off(pixels))


def test_the_trunk_looks_once(faces, net, outputs, monkeypatch):
    index = torch.arange(30)
    first = FeatureViews(faces, net, CPU).inputs("lower", index, index < 15)
    monkeypatch.setattr(net, "read_off", None)  # whoever calls it now fails
    again = FeatureViews(faces, net, CPU).inputs("lower", index, index < 15)
    assert torch.equal(first, again)


def test_one_pixel_of_any_face_is_enough_for_other_features(faces, net, outputs):
    images = faces.images.clone()
    images[17, 0, 19, 19] += 1
    other = replace(faces, images=images)
    assert image_hash(other) != image_hash(faces)
    assert image_hash(faces.select(np.arange(30))) == image_hash(faces)
    index, plain = torch.arange(30), torch.zeros(30, dtype=torch.bool)
    ours, theirs = (views_of(f, net, CPU).inputs("full", index, plain) for f in (faces, other))
    assert not torch.equal(ours[17], theirs[17])


def test_of_a_drawn_view_the_drawing_and_the_names_decide(faces, net, outputs, monkeypatch):
    def path(view, of=faces):
        return FeatureViews(of, net, CPU)._path(view, False)

    renamed = replace(faces, ids=np.array([f"other{i}" for i in range(30)]))
    lower, mask, mixed = path("lower"), path("mask"), path("lower+mask")
    assert path("lower", renamed) == lower and path("mask", renamed) != mask
    monkeypatch.setitem(OCCLUDERS, "mask", replace(OCCLUDERS["mask"], version="other"))
    assert path("mask") != mask and path("lower+mask") != mixed and path("lower") == lower
    as_before = {
        "faces": image_hash(faces), "view": "lower", "flipped": False, "precision": "fp32",
        **net.reads,
    }  # fmt: skip
    assert lower.stem == f"features-{fingerprint(as_before)}", "what was kept is still found"


def test_a_damaged_file_is_made_again(faces, net, outputs):
    index, plain = torch.arange(30), torch.zeros(30, dtype=torch.bool)
    first = views_of(faces, net, CPU).inputs("full", index, plain)
    (kept,) = (outputs / "cache").glob("features-*.npy")
    kept.write_bytes(kept.read_bytes()[:200])
    assert torch.equal(views_of(faces, net, CPU).inputs("full", index, plain), first)
    assert np.load(kept).shape == (30, net.feature_width)


def test_what_serves_whom(faces, net):
    pixels, features = Views(faces, net.input_spec, CPU.device), FeatureViews(faces, net, CPU)
    assert features.serves(net) and not pixels.serves(net)
    assert pixels.serves(net.trunk) and not features.serves(net.trunk)
    net.trunk.init_record = {**net.init_record, "sha256": "other"}
    other = FeatureViews(faces, net, CPU)
    assert other.serves(net)


def test_faces_lie_still(faces, net, outputs):
    views, index = views_of(faces, net, CPU), torch.arange(4)
    with pytest.raises(OcckdError, match="set shift, scale"):
        views.inputs("full", index, index < 0, torch.zeros(4, 2, dtype=torch.int64))
    with pytest.raises(OcckdError, match="and tilt to 0"):
        views.inputs("full", index, index < 0, pose=torch.ones(4, 2))
