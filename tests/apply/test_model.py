"""A model's folder: complete, self-describing, and saying what the run said."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from occkd_lib.apply.facts import Crop, pattern
from occkd_lib.apply.model import (
    Beginning,
    Calibration,
    FaceModel,
    Facts,
    inputs,
    probabilities,
    read_model,
    rounded,
    save_model,
)
from occkd_lib.apply.tensors import as_stored, hash_of, values_of
from occkd_lib.data import load_faces
from occkd_lib.errors import OcckdError
from occkd_lib.models import NetworkSettings, build_model
from occkd_lib.runs import Run
from occkd_lib.stages import load_network
from occkd_lib.training.device import Compute
from occkd_lib.training.predict import predict
from occkd_lib.training.views import Views

NETWORK = {"name": "compact", "width": 4, "input_size": 32}
RANDOM = {
    "source": "random", "sha256": None, "note": "", "mean": [127.5], "std": [64.0], "constants": {},
}  # fmt: skip
FACTS = {
    "title": "a test", "network": NETWORK, "outputs": 3, "beginning": RANDOM, "task": "category",
    "classes": ["a", "b", "c"], "visible": "lower", "trained_on": ["lower"],
    "crop": {"size": 48, "channels": 3, "style": "folder"},
    "data": {"name": "synthetic", "title": "drawn", "settings": {"name": "synthetic"},
             "label_rule": None, "fingerprint": "f", "n": {"train": 6, "val": 2, "test": 2}},
    "origin": {"recipe": "r", "experiment": "e", "stage": "s", "seed": 0, "fingerprint": "x",
               "library_version": "0", "library_hash": None, "git_commit": None},
    "licence": {"data": "d", "weights": "w", "tag": "mit"},
}  # fmt: skip


def facts(**change) -> Facts:
    return Facts.model_validate({**FACTS, **change})


def random_net(chosen: Facts, seed: int = 0):
    """A network that tells faces apart: statistics as after some training, a decided head."""
    torch.manual_seed(seed)
    net = chosen.network.build(chosen.outputs).train()
    spec = net.input_spec
    with torch.no_grad():
        for _ in range(40):
            coarse = 3 * torch.rand(64, spec.channels, 5, 5) - 2
            net(torch.nn.functional.interpolate(coarse, (spec.size, spec.size)))
        for part in net.modules():
            if isinstance(part, torch.nn.Linear) and part.out_features == chosen.outputs:
                part.weight.mul_(5)
    return net.eval()


@pytest.fixture
def folder(tmp_path):
    chosen = facts(calibration={"n": 9, "temperature": 0.5})
    save_model(tmp_path / "m", random_net(chosen), chosen)
    return tmp_path / "m"


@pytest.fixture(scope="module")
def drawn():
    return load_faces("synthetic", task="expression", faces=120, cache=False)


def rewrite(folder, change):
    """The file again, with changed tensors and facts; nothing else."""
    path = folder / "model.safetensors"
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        known = json.loads(file.metadata()["facts"])
    change(tensors, known)
    save_file(tensors, path, metadata={"facts": json.dumps(known)})


def test_round_trip(folder, drawn):
    chosen = facts(calibration={"n": 9, "temperature": 0.5})
    read, again = read_model(folder), rounded(random_net(chosen), chosen, "fp16")
    faces = drawn.images[:20]
    assert read.predict(faces).probabilities.std(0).max() > 0.05  # it tells faces apart
    assert torch.equal(read.outputs(faces), again.outputs(faces))
    assert read.facts.sha256 == hash_of(values_of(read.net, "fp16"))
    assert not read.net.training
    assert (folder / "card.md").read_text().startswith("---\n")


def test_the_way_of_training(folder, drawn):
    """Hidden, resized and normalised as Views does it."""
    model = read_model(folder)
    views = Views(drawn, model.net.input_spec, torch.device("cpu"))
    for visible in ("full", "lower", "upper"):
        looking = FaceModel(model.facts.model_copy(update={"visible": visible}), model.net)
        theirs = predict(model.net, views, visible, compute=Compute(torch.device("cpu"), "fp32"))
        torch.testing.assert_close(
            looking.outputs(drawn.images[:]), theirs.output, rtol=0, atol=1e-5
        )


def test_windows_of_a_larger_face(drawn):
    network = {**NETWORK, "resize": 40}
    for window in ("centre", "whole"):
        chosen = facts(network={**network, "test_window": window})
        model = rounded(random_net(chosen), chosen, "fp32")
        views = Views(drawn, model.net.input_spec, torch.device("cpu"))
        theirs = predict(model.net, views, "lower", compute=Compute(torch.device("cpu"), "fp32"))
        torch.testing.assert_close(model.outputs(drawn.images[:]), theirs.output, rtol=0, atol=1e-5)


def test_neither_batch_size_nor_order_matters(folder, drawn):
    model, faces = read_model(folder), drawn.images[:50]
    whole = model.predict(faces, batch_size=50)
    order = torch.randperm(50, generator=torch.Generator().manual_seed(3))
    for size in (1, 7, 32):
        said = model.predict(faces[order], batch_size=size)
        torch.testing.assert_close(
            said.probabilities, whole.probabilities[order], rtol=0, atol=1e-5
        )
        assert said.answer == [whole.answer[i] for i in order]


def test_probabilities_by_hand():
    said = probabilities(torch.tensor([[1.0, 3.0]]), 2.0, softmax=True)
    p = 1 / (1 + np.exp(1.0))
    np.testing.assert_allclose(said.numpy(), [[p, 1 - p]], rtol=1e-6)
    one = probabilities(torch.tensor([[2.0]]), 2.0, softmax=False)  # of the second class
    np.testing.assert_allclose(one.numpy(), [[p, 1 - p]], rtol=1e-6)


def test_two_classes_and_years(drawn):
    chosen = facts(task="gender", classes=["male", "female"], outputs=1)
    model = rounded(random_net(chosen), chosen, "fp32")
    faces = drawn.images[:30]
    said, output = model.predict(faces), model.outputs(faces)[:, 0]
    assert said.answer == ["female" if x > 0 else "male" for x in output]
    torch.testing.assert_close(said.probabilities[:, 1], output.sigmoid())

    chosen = facts(task="age", classes=[], outputs=1, calibration={"n": 5, "spread": 2.0})
    model = rounded(random_net(chosen), chosen, "fp32")
    said = model.predict(faces)
    assert said.probabilities is None
    torch.testing.assert_close(said.answer, model.outputs(faces)[:, 0])
    torch.testing.assert_close(said.high - said.answer, torch.full((30,), 2 * 1.959964))
    assert (said.low >= 0).all()
    unsure = FaceModel(chosen.model_copy(update={"calibration": Calibration()}), model.net)
    assert unsure.predict(faces).low is None


def test_no_faces(folder):
    said = read_model(folder).predict(torch.empty(0, 3, 48, 48, dtype=torch.uint8))
    assert said.probabilities.shape == (0, 3)
    assert said.answer == []


@pytest.mark.parametrize(
    "faces",
    [
        torch.zeros(2, 3, 48, 48), torch.zeros(2, 1, 48, 48, dtype=torch.uint8),
        torch.zeros(2, 3, 47, 48, dtype=torch.uint8), torch.zeros(3, 48, 48, dtype=torch.uint8),
    ],
)  # fmt: skip
def test_other_faces_are_refused(folder, faces):
    with pytest.raises(OcckdError, match="this model takes uint8 N x 3 x 48 x 48"):
        read_model(folder).predict(faces)


def test_a_value_that_changed(folder):
    rewrite(folder, lambda tensors, known: tensors["head.bias"].add_(1e-3))
    with pytest.raises(OcckdError, match="not those it was written with"):
        read_model(folder)


@pytest.mark.parametrize(("version", "remedy"), [(2, "update occkd"), (0, "publish the model")])
def test_another_format(folder, version, remedy):
    rewrite(folder, lambda tensors, known: known.update(format=version))
    with pytest.raises(OcckdError, match=f"has format {version}.*{remedy}"):
        read_model(folder)


def test_missing_and_damaged(folder):
    path = folder / "model.safetensors"
    with pytest.raises(OcckdError, match="is missing: give a folder"):
        read_model(folder / "nix")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(OcckdError, match="is damaged"):
        read_model(folder)
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(OcckdError, match="describes no model"):
        read_model(folder)


def test_a_missing_fact_and_another_network(folder):
    rewrite(folder, lambda tensors, known: known.pop("crop"))
    with pytest.raises(OcckdError, match="crop: Field required"):
        read_model(folder)
    chosen = facts()
    save_model(folder, random_net(chosen), chosen)
    rewrite(folder, lambda tensors, known: known["network"].update(width=8))
    with pytest.raises(OcckdError, match="does not fit its network"):
        read_model(folder)
    save_model(folder, random_net(chosen), chosen)
    rewrite(folder, lambda tensors, known: known["beginning"].update(mean=[1.0, 2.0, 3.0]))
    with pytest.raises(OcckdError, match="mean and std of 3 channels, not 1"):
        read_model(folder)


@pytest.mark.parametrize(
    "edit",
    [
        {"classes": ["a", "b"]}, {"classes": ["a", "a", "b"]}, {"classes": []}, {"outputs": -1},
        {"task": "nix"}, {"visible": "nix"}, {"check": [[1.0], [0.5, 0.5, 0.0]]},
        {"crop": {"size": 10**6, "channels": 3, "style": "folder"}},
        {"calibration": {"temperature": 0.0}}, {"calibration": {"temperature": math.nan}},
        {"beginning": {**RANDOM, "std": [0.0]}}, {"network": {**NETWORK, "input_size": 10**6}},
    ],
    ids=str,
)  # fmt: skip
def test_facts_that_cannot_be(folder, edit):
    rewrite(folder, lambda tensors, known: known.update(edit))
    with pytest.raises(OcckdError, match="get the folder again"):
        read_model(folder)


def test_facts_that_would_fill_the_memory(folder):
    rewrite(folder, lambda tensors, known: known["network"].update(width=1024))
    with pytest.raises(OcckdError, match="values are too few"):
        read_model(folder)
    values = {"a": torch.zeros(1)}
    save_file(values, folder / "model.safetensors", metadata={"facts": "[" * 100_000})
    with pytest.raises(OcckdError, match="describes no model"):
        read_model(folder)


def test_values_that_are_no_numbers(folder, drawn):
    def change(tensors, known):
        tensors["head.weight"].fill_(math.nan)
        known["sha256"] = hash_of(tensors)

    rewrite(folder, change)
    with pytest.raises(OcckdError, match="says no number of a face"):
        read_model(folder).predict(drawn.images[:2])


def test_any_type_of_values_has_a_hash():
    assert hash_of({"a": torch.zeros(2).bfloat16()}) != hash_of({"a": torch.zeros(2).half()})


@pytest.mark.parametrize("where", ["network", "visible", "task"])
def test_reading_runs_nobodys_code(folder, where, monkeypatch):
    def change(tensors, known):
        if where == "network":
            known["network"]["name"] = "os:system"
        else:
            known[where] = "os:system"

    rewrite(folder, change)
    called = []
    monkeypatch.setattr("occkd_lib.plugins.importlib.import_module", called.append)
    with pytest.raises(OcckdError, match="needs code of its author's"):
        read_model(folder)
    assert not called


def test_what_is_stored():
    assert as_stored(torch.ones(2, 2), "fp16").dtype == torch.float16
    assert as_stored(torch.ones(2, 2), "fp32").dtype == torch.float32
    assert as_stored(torch.ones(2), "fp16").dtype == torch.float32  # a vector
    assert as_stored(torch.full((2, 2), 1e6), "fp16").dtype == torch.float32  # would be infinite
    assert as_stored(torch.ones(2, 2, dtype=torch.int64), "fp16").dtype == torch.int64


def test_the_hash_knows_names_shapes_and_values():
    base = {"a": torch.zeros(2, 2), "b": torch.ones(1)}
    others = [
        {"a": torch.zeros(4), "b": torch.ones(1)}, {"aa": torch.zeros(2, 2), "b": torch.ones(1)},
        {"a": torch.zeros(2, 2), "b": torch.zeros(1)}, {"a": torch.zeros(2, 2).half(), **base},
    ]  # fmt: skip
    assert hash_of(dict(reversed(base.items()))) == hash_of(base)
    assert all(hash_of(other) != hash_of(base) for other in others[:3])
    assert hash_of({**base, "a": torch.zeros(2, 2).half()}) != hash_of(base)


def test_pattern():
    crop = Crop(size=48, channels=3, style="folder")
    faces = pattern(crop)
    assert faces.shape == (3, 3, 48, 48) and faces.dtype == torch.uint8
    assert torch.equal(faces, pattern(crop))
    assert len({face.numpy().tobytes() for face in faces}) == 3
    assert int(faces[1, 2, 5, 7]) == (3 * 5 * 7 // 7 + 6 * 5 + 5 * 7 + 58 + 37) % 256


@pytest.mark.parametrize("streams", [None, "fine", "two", "shared"])
def test_a_frozen_trunk_is_in_the_folder(tmp_path, drawn, streams):
    """The user has no weights file; the folder alone must say the same."""
    torch.manual_seed(1)
    weights = tmp_path / "small.safetensors"
    trunk = build_model("compact", 3, width=4, input_size=32)
    save_file(trunk.state_dict(), weights)
    layers = [n for n, m in trunk.named_modules() if isinstance(m, torch.nn.Conv2d)][-2:]
    network = NetworkSettings(
        **NETWORK, init=str(weights), streams=streams,
        frozen={"layers": layers, "grid": 3, "hidden": 5},
    )  # fmt: skip
    net = network.build(3).train()
    for _ in range(40):  # statistics of its norms as after some training
        net(inputs(drawn.images[:60], "lower", net))
    net.eval()
    began = {name: net.init_record[name] for name in Beginning.model_fields}
    chosen = facts(
        network={**network.model_dump(mode="json"), "init": "small.safetensors"}, beginning=began
    )
    before = FaceModel(chosen, net).outputs(drawn.images[:10])
    weights.unlink()
    save_model(tmp_path / "m", net, chosen, dtype="fp32")
    after = read_model(tmp_path / "m").outputs(drawn.images[:10])
    torch.testing.assert_close(after, before, rtol=0, atol=1e-5)
    assert before.std(0).max() > 1e-3  # faces differ, so equality means something

    def other_trunk(tensors, known):
        name = next(n for n in tensors if ".trunk." in f".{n}" and n.endswith("weight"))
        tensors[name] = tensors[name] * 3
        known["sha256"] = hash_of(tensors)

    rewrite(tmp_path / "m", other_trunk)
    assert not torch.allclose(read_model(tmp_path / "m").outputs(drawn.images[:10]), before)


def test_constants_and_input_of_pretrained_weights(tmp_path, drawn):
    """Mean and deviation of the weights file are part of what is restored."""
    chosen = facts()
    net = random_net(chosen)
    net.input_spec = replace(net.input_spec, mean=(100.0,), std=(50.0,))
    began = {**RANDOM, "mean": [100.0], "std": [50.0]}
    save_model(tmp_path / "m", net, facts(beginning=began), dtype="fp32")
    faces = drawn.images[:10]
    before = FaceModel(chosen, net).outputs(faces)
    torch.testing.assert_close(read_model(tmp_path / "m").outputs(faces), before)


def test_reading_leaves_the_random_stream_alone(folder):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    read_model(folder)
    assert torch.equal(torch.rand(1), expected)


def test_as_the_run_said(trained, tiny, tmp_path):
    """Of the same faces, exactly what predictions.parquet has (as far as floats go)."""
    experiment = tiny.experiment("expression")
    run = Run(trained / "student")
    net = load_network(experiment.network, 8, run)
    faces = load_faces("synthetic", task="expression", faces=120).split("test")
    chosen = facts(
        network=experiment.network.model_dump(mode="json"), outputs=8, task="expression",
        classes=list(faces.classes),
    )  # fmt: skip
    save_model(tmp_path / "m", net, chosen, dtype="fp32")
    model = read_model(tmp_path / "m")
    table = run.predictions
    table = table[(table["split"] == "test") & (table["view"] == "lower")].set_index("id")
    table = table.loc[list(faces.ids)]
    scores = table[[f"score_{k}" for k in range(8)]].to_numpy()
    np.testing.assert_allclose(model.outputs(faces.images[:]).numpy(), scores, atol=1e-5, rtol=0)
    said = model.predict(faces.images[:])
    assert said.answer == [faces.classes[k] for k in table["prediction"]]


def test_a_file_in_the_way(tmp_path):
    (tmp_path / "m").write_text("")
    with pytest.raises(OcckdError, match="is a file"):
        save_model(tmp_path / "m", random_net(facts()), facts())
