"""Exports: the same answers as torch from the same pixels, and facts that travel along."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from occkd_lib.apply.export import (
    export,
    onnx_of,
    opened,
    run_onnx,
    run_torchscript,
    write_onnx,
)
from occkd_lib.apply.facts import pattern
from occkd_lib.apply.graph import (
    Complete,
    Preprocessing,
    average_weights,
    exportable,
    with_whole_norms,
)
from occkd_lib.apply.model import Beginning, inputs, read_model, rounded, save_model
from occkd_lib.apply.publish import publish
from occkd_lib.apply.quantise import before_the_network, faces_of
from occkd_lib.apply.runtime import ask, session_of
from occkd_lib.data import data_root, load_faces
from occkd_lib.errors import OcckdError
from occkd_lib.models import NetworkSettings, build_model
from occkd_lib.occlusion import Occluder
from tests.apply.test_model import FACTS, NETWORK, RANDOM, facts, random_net
from tests.apply.test_publish import recipe  # noqa: F401
from tests.apply.test_shipped import FOLDERS

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
CALIBRATED = {"n": 9, "temperature": 0.4}


@pytest.fixture(scope="module")
def drawn():
    return load_faces("synthetic", task="expression", faces=120, cache=False).images[:100]


@pytest.fixture
def folder(tmp_path):
    chosen = facts(calibration=CALIBRATED)
    save_model(tmp_path / "m", random_net(chosen), chosen)
    return tmp_path / "m"


def numbers(model, faces):
    said = model.predict(faces)
    return (said.answer[:, None] if said.probabilities is None else said.probabilities).numpy()


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"visible": "upper", "network": {**NETWORK, "input_size": 64}},
        {
            "visible": "full",
            "network": {**NETWORK, "channels": 3, "input_size": 48},
            "beginning": {**RANDOM, "mean": [127.5, 120, 110], "std": [64.0, 50, 70]},
        },
        {"network": {**NETWORK, "resize": 40}},
        {"network": {**NETWORK, "resize": 40, "test_window": "whole"}},
        {"network": {**NETWORK, "half": "lower"}},
        {"task": "gender", "classes": ["male", "female"], "outputs": 1},
        {"task": "age", "classes": [], "outputs": 1, "calibration": {"n": 3, "spread": 4.0}},
        {"network": {**NETWORK, "streams": {"trunks": "two", "combine": "probabilities"}}},
        {"network": {**NETWORK, "cosine_head": True}, "calibration": {"n": 3, "temperature": 0.03}},
    ],
    ids=[
        "smaller",
        "larger",
        "as_it_is",
        "window",
        "whole",
        "half",
        "gender",
        "age",
        "streams",
        "cosine",
    ],
)
def test_both_say_what_torch_says(tmp_path, drawn, change):
    chosen = facts(**{"calibration": CALIBRATED, **change})
    model = save_model(tmp_path / "m", random_net(chosen), chosen)
    expected = numbers(model, drawn)
    assert expected.std(0).max() > 1e-2
    found = run_onnx(export(tmp_path / "m"), drawn, batch_size=33)
    np.testing.assert_allclose(found, expected, atol=1e-4, rtol=0)
    script = run_torchscript(export(tmp_path / "m", "torchscript"), drawn)
    np.testing.assert_allclose(script.numpy(), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("streams", [None, "shared"])
def test_a_frozen_trunk(tmp_path, drawn, streams):
    torch.manual_seed(1)
    trunk = build_model("compact", 3, width=4, input_size=32)
    save_file(trunk.state_dict(), tmp_path / "small.safetensors")
    layers = [n for n, m in trunk.named_modules() if isinstance(m, torch.nn.Conv2d)][-2:]
    frozen = {"layers": layers, "grid": 3, "hidden": 5}  # maps of 4 x 4: cells overlap
    network = NetworkSettings(
        **NETWORK, init=str(tmp_path / "small.safetensors"), streams=streams, frozen=frozen
    )
    net = network.build(3).train()
    for _ in range(40):
        net(inputs(drawn, "lower", net))
    began = {name: net.init_record[name] for name in Beginning.model_fields}
    chosen = facts(network=network.model_dump(mode="json"), beginning=began)
    (tmp_path / "small.safetensors").unlink()
    model = save_model(tmp_path / "m", net.eval(), chosen)
    expected = numbers(model, drawn)
    np.testing.assert_allclose(run_onnx(export(tmp_path / "m"), drawn), expected, atol=1e-4)
    script = run_torchscript(export(tmp_path / "m", "torchscript"), drawn)
    np.testing.assert_allclose(script.numpy(), expected, atol=1e-4)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda f: f"{f.parent.name}-{f.name}")
def test_real_faces(tmp_path, folder):
    """What ships says the same of 200 test faces in every runtime: probabilities within 1e-5, years
    within 1e-3; and not one pixel is rounded otherwise on the way to the network."""
    model = read_model(folder)
    try:
        test = faces_of(model.facts).split("test")
    except OcckdError:
        pytest.skip(f"no {model.facts.data.name} in {data_root()}")
    faces = test.images[torch.arange(200)]
    seen = inputs(faces, model.facts.visible, model.net)
    assert torch.equal(Preprocessing(model)(faces), seen)
    expected = numbers(model, faces)
    atol = 1e-5 if model.facts.classes else 1e-3
    found = run_onnx(export(folder, output=tmp_path / "m.onnx"), faces)
    np.testing.assert_allclose(found, expected, atol=atol, rtol=0)
    script = run_torchscript(export(folder, "torchscript", tmp_path / "m.pt"), faces)
    np.testing.assert_allclose(script.numpy(), expected, atol=atol, rtol=0)


@pytest.mark.parametrize("visible", ["full", "lower"])
def test_every_pixel_is_rounded_as_in_training(visible):
    """Also after a resize as UTKFace's, of which a product of matrices misses some."""
    faces = torch.randint(0, 2, (40, 3, 200, 200), generator=torch.manual_seed(0)) * 255
    crop, network = {"size": 200, "channels": 3, "style": "utkface"}, {**NETWORK, "channels": 3}
    began = {**RANDOM, "mean": [127.5] * 3, "std": [64.0] * 3}
    chosen = facts(
        crop=crop, visible=visible, network={**network, "input_size": 64}, beginning=began
    )
    model = rounded(random_net(chosen), chosen, "fp32")
    faces = faces.to(torch.uint8)
    assert torch.equal(Preprocessing(model)(faces), inputs(faces, visible, model.net))


@pytest.mark.parametrize(("source", "cells"), [(7, 2), (4, 3), (6, 3), (5, 5)])
def test_averaging_is_torchs(source, cells):
    x = torch.randn(2, 3, source, source)
    expected = F.adaptive_avg_pool2d(x, cells)
    weights = average_weights(source, cells)
    torch.testing.assert_close(weights @ x @ weights.T, expected)
    plain = F.adaptive_avg_pool2d
    with exportable():
        assert F.adaptive_avg_pool2d is not plain
        torch.testing.assert_close(F.adaptive_avg_pool2d(x, cells), expected)
    assert F.adaptive_avg_pool2d is plain


def test_every_grey_is_rounded_as_in_training():
    """Luma has ties (x.5), which another order of adding would round the other way."""
    values = torch.randint(0, 256, (40, 3, 32, 32), dtype=torch.uint8)
    chosen = facts(crop={"size": 32, "channels": 3, "style": "folder"}, visible="full")
    model = rounded(random_net(chosen), chosen, "fp32")
    assert torch.equal(Preprocessing(model)(values), inputs(values, "full", model.net))


def test_norms_without_weights():
    norm = torch.nn.Sequential(torch.nn.BatchNorm1d(4, affine=False)).eval()
    norm[0].running_mean.copy_(torch.arange(4.0))
    copied = with_whole_norms(norm)
    assert norm[0].weight is None and copied[0].weight is not None
    x = torch.randn(5, 4)
    torch.testing.assert_close(copied(x), norm(x))


def test_the_facts_travel(folder, tmp_path):
    known = read_model(folder).facts
    session, facts_there, cost = opened(export(folder, output=tmp_path / "a.onnx"))
    assert facts_there == known and cost is None
    (entry,) = session.get_inputs()
    assert entry.type == "tensor(uint8)" and entry.shape[1:] == [3, 48, 48]
    assert isinstance(entry.shape[0], str)  # any number of faces
    extra = {"facts.json": ""}
    torch.jit.load(str(export(folder, "torchscript", tmp_path / "a.pt")), _extra_files=extra)
    assert json.loads(extra["facts.json"])["sha256"] == known.sha256


def test_running_a_file_imports_nobodys_code(folder, tmp_path, drawn, monkeypatch):
    model = read_model(folder)
    known = json.loads(model.facts.model_dump_json())
    known["network"]["name"] = "os:system"
    proto = onnx_of(Complete(model).eval(), pattern(model.facts.crop))
    write_onnx(tmp_path / "own.onnx", proto, {"facts": json.dumps(known)})
    called = []
    monkeypatch.setattr("occkd_lib.plugins.importlib.import_module", called.append)
    with pytest.raises(OcckdError, match="needs code of its author's"):
        run_onnx(tmp_path / "own.onnx", drawn)
    assert not called


def test_a_wrong_temperature_would_be_seen(folder, drawn, tmp_path):
    model = read_model(folder)
    wrong = Complete(model).eval()
    wrong.temperature = 1.0
    write_onnx(
        tmp_path / "wrong.onnx", onnx_of(wrong, pattern(model.facts.crop)),
        {"facts": model.facts.model_dump_json()},
    )  # fmt: skip
    gap = np.abs(run_onnx(tmp_path / "wrong.onnx", drawn) - numbers(model, drawn)).max()
    assert gap > 1e-2


def test_a_wrong_half_would_be_seen(folder, drawn):
    model = read_model(folder)
    upper = replace(model, facts=model.facts.model_copy(update={"visible": "upper"}))
    assert np.abs(numbers(upper, drawn) - numbers(model, drawn)).max() > 1e-3


def test_no_faces_and_other_faces(folder):
    file = export(folder)
    assert run_onnx(file, torch.empty(0, 3, 48, 48, dtype=torch.uint8)).shape == (0, 3)
    with pytest.raises(OcckdError, match="this model takes uint8 N x 3 x 48 x 48"):
        run_onnx(file, torch.zeros(1, 1, 48, 48, dtype=torch.uint8))


def test_batches_change_nothing(folder, drawn):
    file = export(folder)
    session = session_of(file.read_bytes(), "no")
    parts = ask(session, drawn, 7)
    assert [len(part) for part in parts] == [len(part) for part in drawn.split(7)]
    np.testing.assert_allclose(np.concatenate(parts), run_onnx(file, drawn), atol=1e-6)
    assert ask(session, drawn[:0], 7) == []


def test_a_view_that_is_no_mask(monkeypatch):
    import occkd_lib.occlusion as occlusion

    monkeypatch.setitem(occlusion.OCCLUDERS, "dim", Occluder("dim", lambda faces: faces // 2))
    chosen = facts(visible="dim")
    with pytest.raises(OcckdError, match="does more than hide"):
        Preprocessing(rounded(random_net(chosen), chosen, "fp32"))


def test_mistakes(folder, tmp_path):
    with pytest.raises(OcckdError, match="write onnx or torchscript"):
        export(folder, "tflite")
    with pytest.raises(OcckdError, match="ONNX only"):
        export(folder, "torchscript", int8=True)
    with pytest.raises(OcckdError, match="is a folder"):
        export(folder, output=tmp_path)
    with pytest.raises(OcckdError, match="is missing"):
        run_onnx(tmp_path / "nix.onnx", torch.zeros(0))
    (tmp_path / "bad.onnx").write_bytes(b"no")
    with pytest.raises(OcckdError, match="is no ONNX model"):
        run_onnx(tmp_path / "bad.onnx", torch.zeros(0))
    (tmp_path / "bad.pt").write_bytes(b"no")
    with pytest.raises(OcckdError, match="is no TorchScript"):
        run_torchscript(tmp_path / "bad.pt", torch.zeros(0))


def test_int8_says_what_it_costs(trained, recipe, tmp_path):  # noqa: F811
    folder = publish(recipe, "expression", 0, "student", tmp_path / "m")
    path = export(folder, output=tmp_path / "small.onnx", int8=True)
    _, known, cost = opened(path)
    test = load_faces("synthetic", task="expression", faces=120).split("test")
    said = run_onnx(path, test.images[:]).argmax(1)
    exact = numbers(read_model(folder), test.images[:]).argmax(1)
    target = test.targets.numpy()
    assert (cost.metric, cost.n, cost.calibrated_on) == ("accuracy", 24, 24)
    assert cost.int8 == pytest.approx((said == target).mean())
    assert cost.fp32 == pytest.approx((exact == target).mean())
    assert cost.same == pytest.approx((said == exact).mean())
    assert known == read_model(folder).facts
    assert "called" not in known.data.settings, "what nobody set is not required when read again"


def test_int8_needs_the_faces_it_learnt_from(folder, outputs):
    with pytest.raises(OcckdError, match="not those the model learnt from"):
        faces_of(facts(task="age", classes=[], outputs=1))  # its fingerprint is "f"
    with pytest.raises(OcckdError, match="the faces are missing"):
        export(folder, int8=True)  # there is no such task
    for settings, message in (
        ({"name": "own:SET"}, "runs code"),
        ({"name": "folder", "path": "nix.csv", "size": 48}, "the faces are missing"),
    ):
        data = {**FACTS["data"], "settings": settings}
        with pytest.raises(OcckdError, match=message):
            faces_of(facts(data=data))


def test_the_preprocessing_stays_exact(folder):
    model = read_model(folder)
    proto = onnx_of(Complete(model).eval(), pattern(model.facts.crop))
    kept = set(before_the_network(proto))
    kinds = [node.op_type for node in proto.graph.node if node.name in kept]
    assert kinds.count("Gather") == 6 and "Round" in kinds and "Conv" not in kinds
