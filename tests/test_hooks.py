"""The hooks of pre-commit find what they are for; and everything tracked passes them."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests import hooks

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("name", "content", "check", "found"),
    [
        ("face.jpg", "x", "large", "photographs"),
        ("big.csv", "x" * 1_500_001, "large", "larger than"),
        ("small.csv", "x", "large", None),
        ("key.txt", "-----BEGIN RSA PRIVATE " + "KEY-----", "secrets", "looks like a secret"),
        ("a.py", "api_key = " + "'0123456789abcdef'", "secrets", "looks like a secret"),
        ("b.py", "open('/home/" + "ada/faces')", "secrets", "path of one machine"),
        ("c.py", "password = ask()", "secrets", None),
    ],
)
def test_what_the_hooks_find(tmp_path, capsys, name, content, check, found):
    path = tmp_path / name
    path.write_text(content)
    assert hooks.main(check, [str(path)]) == (found is not None)
    said = capsys.readouterr().out
    assert found in said if found else not said


def test_every_tracked_file_passes(monkeypatch, capsys):
    if not shutil.which("git") or not (ROOT / ".git").exists():  # an unpacked sdist
        pytest.skip("not a git checkout: nothing is tracked")
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    monkeypatch.chdir(ROOT)
    for check in ("large", "secrets"):
        hooks.main(check, listed.stdout.splitlines())
    assert not capsys.readouterr().out


def test_the_hooks_are_those_of_the_configuration():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    entries = [hook["entry"].split() for repo in config["repos"] for hook in repo["hooks"]]
    assert {entry[-1] for entry in entries if "tests/hooks.py" in entry} == {"large", "secrets"}
