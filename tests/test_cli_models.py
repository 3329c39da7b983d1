"""``occkd models ...`` and ``occkd export``: what they print, and their exit status."""

from __future__ import annotations

import sys

import pytest
import torch
import yaml
from typer.testing import CliRunner

from occkd_lib.apply.export import run_onnx
from occkd_lib.apply.model import read_model, save_model
from occkd_lib.cli import app, main
from occkd_lib.cli_models import headline
from tests.apply.test_model import facts, random_net
from tests.tiny import tiny_recipe


def occkd(*arguments: object):
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture
def folder(tmp_path):
    chosen = facts()
    save_model(tmp_path / "shelf" / "m", random_net(chosen), chosen)
    return tmp_path / "shelf" / "m"


def test_publish_list_verify_export(trained, tmp_path, outputs):
    recipe = tmp_path / "tiny.yaml"
    recipe.write_text(yaml.safe_dump(tiny_recipe().model_dump(mode="json")))
    done = occkd("models", "publish", recipe, "expression", 0, "student")
    folder = outputs / "models" / "tiny-expression-student-seed0"
    assert done.exit_code == 0, done.exception
    assert done.output.splitlines()[-1] == str(folder)
    listed = occkd("models", "list").output
    assert "expression" in listed and "lower" in listed and str(folder) in listed
    assert headline(read_model(folder).facts) in listed
    assert "as it was written" in occkd("models", "verify").output
    pytest.importorskip("onnx")
    done = occkd("export", folder, "--to", "onnx", "-o", tmp_path / "m.onnx", "--int8")
    assert done.exit_code == 0, done.exception
    assert "int8: accuracy" in done.output and "on 24 test faces" in done.output
    faces = torch.zeros(2, 3, 48, 48, dtype=torch.uint8)
    assert run_onnx(tmp_path / "m.onnx", faces).shape == (2, 8)


def test_verify_has_an_exit_status(folder, tmp_path):
    assert occkd("models", "verify", folder).exit_code == 0
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-4] + b"\0\1\2\3")
    done = occkd("models", "verify", folder)
    assert done.exit_code == 1 and "not those it was written with" in done.output


def test_list_shows_what_is_unusable(folder):
    assert "not measured" in occkd("models", "list", folder.parent).output
    (folder / "model.safetensors").write_bytes(b"no")
    done = occkd("models", "list", folder.parent)
    assert done.exit_code == 0 and "unusable" in done.output
    (folder / "model.safetensors").unlink()
    assert "no models" in occkd("models", "list", folder.parent).output


def test_a_folder_may_be_called_anything(folder):
    odd = folder.rename(folder.parent / "a\n\x1b[31m\udcff")
    for command in ("list", "verify"):
        said = occkd("models", command, odd.parent if command == "list" else odd).output
        assert said.count("\n") == 1 and "a\\n\\x1b[31m\\udcff" in said


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("export nix", "nix/model.safetensors is missing"),
        ("export nix --to tflite", "write onnx or torchscript"),
        ("models publish demo expression 0 student --dtype fp8", "write fp16 or fp32"),
        ("models publish demo expression 9 student", "not finished: run 'occkd stage demo"),
    ],
)
def test_mistakes_are_one_line(command, message, monkeypatch, capsys, outputs):
    monkeypatch.setattr(sys, "argv", ["occkd", *command.split()])
    with pytest.raises(SystemExit) as end:
        main()
    said = capsys.readouterr().err
    assert end.value.code == 2 and said.count("\n") == 1 and message in said
