"""``occkd predict`` with an exported file: the answers of the model that it was made of."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from occkd_lib.apply import load
from occkd_lib.apply.export import export, onnx_of, write_onnx
from occkd_lib.apply.exported import ExportedModel, file_of, read_any, read_exported
from occkd_lib.apply.facts import pattern
from occkd_lib.apply.graph import Complete
from occkd_lib.apply.model import Said, read_model, save_model
from occkd_lib.apply.picture import evidence
from occkd_lib.errors import OcckdError
from tests.apply.test_model import facts, random_net
from tests.apply.test_predict import occkd, photo

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
KINDS = {
    "classes": {"calibration": {"n": 9, "temperature": 0.4}},
    "gender": {"task": "gender", "classes": ["male", "female"], "outputs": 1},
    "age": {"task": "age", "classes": [], "outputs": 1, "calibration": {"n": 9, "spread": 5.0}},
    "no spread": {"task": "age", "classes": [], "outputs": 1},
}


def made(folder, **change):
    chosen = facts(**change)
    save_model(folder, random_net(chosen), chosen)
    return folder


@pytest.fixture(scope="module")
def album(tmp_path_factory):
    folder = tmp_path_factory.mktemp("album")
    for i in range(5):
        Image.fromarray(photo(i, 50 + i, 60)).save(folder / f"{i}.png")
    (folder / "5.png").write_text("broken")
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model of three classes, with both of its exports in its folder."""
    folder = made(tmp_path_factory.mktemp("models") / "m")
    export(folder), export(folder, "torchscript")
    return folder


def lines(*arguments):
    done = occkd("predict", *arguments)
    assert done.exit_code == 1, done.exception  # one photo is broken
    return [json.loads(line) for line in done.output.splitlines()]


def assert_alike(ours, theirs):
    """The same JSON, numbers within 1e-4 and the rounding to four digits."""
    assert type(ours) is type(theirs)
    if isinstance(ours, dict):
        assert ours.keys() == theirs.keys()
        for key in ours:
            assert_alike(ours[key], theirs[key])
    elif isinstance(ours, list):
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            assert_alike(one, other)
    else:
        assert ours == (pytest.approx(theirs, abs=2e-4) if isinstance(ours, float) else theirs)


@pytest.mark.parametrize("change", KINDS.values(), ids=KINDS)
def test_predict_says_the_same_of_all_three(tmp_path, album, change):
    folder = made(tmp_path / "m", **change)
    expected = lines(folder, album, "--crop")
    assert len(expected) == 6 and "error" in expected[5]
    files = [export(folder, output=tmp_path / "up.onnx"), tmp_path / "only"]
    export(folder, output=tmp_path / "only" / "model.onnx")
    files += [export(folder, "torchscript", tmp_path / "up.pt"), tmp_path / "any name"]
    shutil.copy(tmp_path / "up.pt", tmp_path / "any name")
    for file in files:
        found = lines(file, album, "--crop", "--batch-size", "2", "--draw", tmp_path / "drawn")
        assert_alike(found, expected)
    assert len(list((tmp_path / "drawn").iterdir())) == 5


@pytest.mark.parametrize("change", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("to", ["onnx", "torchscript"])
def test_the_interface_of_a_model(tmp_path, change, to):
    model = read_model(made(tmp_path / "m", **change))
    exported = read_exported(export(tmp_path / "m", to))
    assert exported.facts == model.facts
    faces = torch.randint(0, 256, (7, 3, 48, 48), dtype=torch.uint8)
    for n in (7, 0):
        ours, theirs = exported.predict(faces[:n], batch_size=3), model.predict(faces[:n])
        for name in Said.__dataclass_fields__:
            one, other = getattr(ours, name), getattr(theirs, name)
            if isinstance(other, torch.Tensor):
                torch.testing.assert_close(one, other, atol=1e-4, rtol=0)
            else:
                assert one == other
    with pytest.raises(OcckdError, match="this model takes uint8 N x 3 x 48 x 48"):
        exported.predict(faces[:, :1])


def test_a_folder_of_exports_one_a_view(tmp_path):
    for visible in ("full", "lower", "upper"):
        folder = made(tmp_path / "m" / visible, visible=visible)
        (tmp_path / "e" / visible).mkdir(parents=True)
        export(folder, output=tmp_path / "e" / visible / "model.onnx")
    face = photo(height=48, width=48).copy()
    face[:24] = 0
    (ours,), (theirs,) = (load(tmp_path / n, finds="whole")(face) for n in ("e", "m"))
    assert ours.visible == theirs.visible == "lower" and ours.sure == 1
    assert ours.probabilities == pytest.approx(theirs.probabilities, abs=1e-4)
    (warned,) = load(tmp_path / "e" / "upper", finds="whole")(face)
    assert "seems to be covered" in warned.warning


def test_grad_cam_is_refused_before_the_first_photo(model, album, tmp_path):
    draw = ("--draw", tmp_path / "d", "--cam")
    for file in ("model.onnx", "model.pt"):
        done = occkd("predict", model / file, album, "--crop", *draw)
        assert isinstance(done.exception, OcckdError) and not done.output
        assert f"{file} is an export, whose layers cannot be looked into" in str(done.exception)
        with pytest.raises(OcckdError, match="leave out --cam"):
            evidence(read_any(model / file), pattern(facts().crop))
    assert not (tmp_path / "d").exists()
    assert lines(model, album, "--crop", *draw)


def test_which_file_a_path_names(model, tmp_path):
    assert file_of(model) == file_of(model / "model.safetensors") == model / "model.safetensors"
    assert file_of(model / "model.pt") == model / "model.pt"
    assert file_of(tmp_path) is file_of(tmp_path / "nix") is file_of("n" * 300) is None
    assert isinstance(read_any(model / "model.onnx"), ExportedModel)
    assert read_any(model / "model.safetensors").facts == read_any(model).facts


def test_mistakes(model, tmp_path):
    def refused(name, content=None):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(OcckdError) as caught:
            load(tmp_path / name, finds="whole")
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "nix.onnx is missing: write it with 'occkd export'" in refused("nix.onnx")
    assert "nix/model.safetensors is missing" in refused("nix")
    assert "is no ONNX model" in refused("a.onnx", b"no")
    assert "is no TorchScript" in refused("a.pt", b"no")
    assert "is no TorchScript" in refused("b", (model / "model.pt").read_bytes()[:500])
    proto = onnx_of(Complete(read_model(model)).eval(), pattern(facts().crop))
    write_onnx(tmp_path / "c.onnx", proto, {})
    assert "describes no model of this book" in refused("c.onnx")
    write_onnx(tmp_path / "d.onnx", proto, {"int8": "{}"})
    assert "does not say what its eight bits cost" in refused("d.onnx")


def test_facts_of_another_model(model, tmp_path):
    """A graph of three classes whose facts say two, or crops of another size."""
    proto = onnx_of(Complete(read_model(model)).eval(), pattern(facts().crop))
    for change, said in (
        ({"classes": ["a", "b"], "outputs": 2}, "says something else than its facts"),
        ({"crop": {"size": 32, "channels": 3, "style": "folder"}}, "fails on a face"),
    ):
        write_onnx(tmp_path / "x.onnx", proto, {"facts": facts(**change).model_dump_json()})
        with pytest.raises(OcckdError, match=said):
            load(tmp_path / "x.onnx", finds="whole")(np.zeros((48, 48, 3), np.uint8))


def test_no_number_is_an_error(model, tmp_path):
    broken = ExportedModel(
        facts(), tmp_path / "x", lambda faces: torch.full((len(faces), 3), 1e999)
    )
    with pytest.raises(OcckdError, match="says no number of a face"):
        broken.predict(pattern(facts().crop))


def test_nothing_of_a_prediction_is_reported_or_kept(tmp_path):
    """onnxruntime keeps a file of its use in the cache and sends it, unless it is told not to."""
    code = (
        "from occkd_lib.apply import runtime, quantise, detect\n"
        "import onnxruntime, torch\n"
        "from occkd_lib.apply.runtime import onnx_package, session_of\n"
        "onnx = onnx_package()\n"
        "from onnx import helper, TensorProto\n"
        "x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [1]) for n in 'xy')\n"
        "graph = helper.make_graph([helper.make_node('Identity', ['x'], ['y'])], 'g', [x], [y])\n"
        "model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)])\n"
        "model.ir_version = 8\n"
        "print(len(session_of(model.SerializeToString(), 'no').get_inputs()))\n"
    )
    home = {
        "HOME": str(tmp_path),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=home, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "1", done.stderr
    assert not [path for path in tmp_path.rglob("*") if "onnxruntime" in str(path)]
