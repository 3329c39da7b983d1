"""Which models there are, and whether each still says what it said."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from safetensors.torch import save_file

from occkd_lib.apply import shelf
from occkd_lib.apply.export import export, onnx_of, write_onnx
from occkd_lib.apply.facts import pattern
from occkd_lib.apply.graph import Complete
from occkd_lib.apply.model import rounded, save_model
from occkd_lib.apply.quantise import Cost
from occkd_lib.apply.tensors import hash_of
from occkd_lib.errors import OcckdError
from tests.apply.test_model import facts, random_net, rewrite
from tests.apply.test_predict import occkd


@pytest.fixture
def folder(tmp_path):
    chosen = facts()
    save_model(tmp_path / "shelf" / "m", random_net(chosen), chosen)
    return tmp_path / "shelf" / "m"


def test_nothing_is_wrong(folder):
    assert shelf.verify_model(folder) == []


@pytest.mark.parametrize("task", ["gender", "age"])
def test_of_one_output(tmp_path, task):
    classes = ["male", "female"] if task == "gender" else []
    chosen = facts(task=task, classes=classes, outputs=1)
    save_model(tmp_path / "m", random_net(chosen), chosen)
    assert shelf.verify_model(tmp_path / "m") == []


def test_other_values_with_their_own_hash_are_found(folder):
    def change(tensors, known):
        tensors["head.bias"][0] += 1
        known["sha256"] = hash_of(tensors)

    rewrite(folder, change)
    edited, problem = shelf.verify_model(folder)
    assert "was either edited" in edited and "something else of the test pattern" in problem


def test_an_answer_that_moved(folder):
    """More than a thousandth is a problem, less is not; not a number is one."""

    def move(by):
        def change(tensors, known):
            known["check"][0][0] += by

        rewrite(folder, change)
        return shelf.verify_model(folder)

    assert move(5e-4) == []
    assert move(1e-3) != []
    rewrite(folder, lambda tensors, known: known.update(check=[[0.1, 0.2, 0.7]]))
    assert "said (1, 3)" in shelf.verify_model(folder)[0]


@pytest.mark.parametrize("field", [{"classes": ["b", "a", "c"]}, {"title": "\ud800"}])
def test_facts_that_are_not_those_of_the_card(folder, field):
    rewrite(folder, lambda tensors, known: known.update(field))
    (problem,) = shelf.verify_model(folder)
    assert "card.md is not what model.safetensors says of itself" in problem


def test_exports_are_verified_too(folder, tmp_path):
    pytest.importorskip("onnxruntime")
    chosen, wrong = facts(), facts(check=[[0.2, 0.3, 0.5]] * 3)
    script, onnx = export(folder, "torchscript"), export(folder, output=tmp_path / "a.onnx")
    assert shelf.verify_model(script) == shelf.verify_model(onnx) == []
    model = rounded(random_net(chosen), chosen, "fp16")
    proto = onnx_of(Complete(model).eval(), pattern(chosen.crop))
    write_onnx(onnx, proto, {"facts": wrong.model_dump_json()})
    assert "something else of the test pattern" in shelf.verify_model(onnx)[0]
    cost = Cost("accuracy", 1, 1.0, 1.0, 1.0, 1)
    text = {"facts": wrong.model_dump_json(), "int8": json.dumps(cost._asdict())}
    write_onnx(onnx, proto, text)
    assert "has eight bits, which say something else" in shelf.verify_model(onnx)[0]


def test_what_a_path_names(folder, tmp_path):
    (tmp_path / "shelf/e").mkdir()
    (tmp_path / "shelf/e/model.onnx").write_bytes(b"")
    assert shelf.named(tmp_path) == [tmp_path / "shelf/e", folder]
    for path in (folder, folder / "model.safetensors", tmp_path / "nix"):
        assert shelf.named(path) == [path]
    (tmp_path / "empty").mkdir()
    with pytest.raises(OcckdError, match="empty holds no model"):
        shelf.named(tmp_path / "empty")


def test_the_commands_take_what_predict_takes(folder, tmp_path, outputs, monkeypatch):
    pytest.importorskip("onnxruntime")
    monkeypatch.setenv("OCCKD_ROOT", str(tmp_path / "project"))
    none = occkd("models", "verify")
    assert isinstance(none.exception, OcckdError) and "no models to verify" in str(none.exception)
    (tmp_path / "empty").mkdir()
    assert "holds no model" in str(occkd("models", "verify", tmp_path / "empty").exception)
    copied = shutil.copytree(folder, tmp_path / "shelf" / "n")
    done = occkd("models", "verify", tmp_path / "shelf")
    assert done.exit_code == 0 and done.output.count("as it was written") == 2
    (copied / "card.md").unlink()
    assert occkd("models", "verify", tmp_path / "shelf").exit_code == 1
    done = occkd("export", tmp_path / "shelf", "--to", "torchscript")
    assert done.output.split() == [str(path / "model.pt") for path in (folder, copied)]
    assert occkd("models", "verify", folder / "model.pt").exit_code == 0
    assert occkd("export", folder / "model.safetensors", "-o", tmp_path / "x").exit_code == 0
    two = occkd("export", tmp_path / "shelf", "-o", tmp_path / "x")
    assert "-o is of one model: of the 2 below" in str(two.exception)
    again = occkd("export", folder / "model.pt")
    assert "model.pt is no model's folder (an export?)" in str(again.exception)


def test_what_the_wheel_brought_is_exported_elsewhere(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("occkd_lib.apply.export.BOOK", folder.parent)
    with pytest.raises(OcckdError, match="came with the library: say where to write"):
        export(folder, "torchscript")
    assert export(folder, "torchscript", tmp_path / "m.pt").is_file()


def test_damage_and_a_missing_card(folder):
    (folder / "card.md").unlink()
    save_file({"a": torch.zeros(1)}, folder / "model.safetensors")
    missing, damaged = shelf.verify_model(folder)
    assert "card.md is missing" in missing and "describes no model" in damaged


def test_the_models_at_hand(folder, tmp_path, outputs, monkeypatch):
    monkeypatch.setenv("OCCKD_ROOT", str(tmp_path / "project"))
    assert shelf.models() == []
    chosen = facts()
    for place in (
        outputs / "models" / "b",
        outputs / "models" / "a",
        tmp_path / "project/models/c",
    ):
        save_model(place, random_net(chosen), chosen)
    assert [path.name for path in shelf.models()] == ["a", "b", "c"]
    assert [path.name for path in shelf.models(folder.parent)] == ["m"]
