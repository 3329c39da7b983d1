"""The command line: what it prints, and its exit status."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import nbformat
import pytest
import yaml
from PIL import Image
from typer.testing import CliRunner

import occkd_lib
from occkd_lib.cli import app, main, parse_seeds
from occkd_lib.cli_data import assigned
from occkd_lib.data import DATA_SETS
from occkd_lib.errors import OcckdError
from tests.tiny import tiny_recipe


def occkd(*arguments: str, **options) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "occkd_lib", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **options)


@pytest.fixture
def book(tmp_path):
    """A notebook with a seed and one cell of code."""

    def write(code: str) -> Path:
        book = nbformat.v4.new_notebook()
        cell = nbformat.v4.new_code_cell("seed: int = 0")
        cell.metadata.tags = ["parameters"]
        book.cells = [cell, nbformat.v4.new_code_cell(code)]
        nbformat.write(book, tmp_path / "book.ipynb")
        return tmp_path / "book.ipynb"

    return write


def test_help_is_quick_and_complete():
    shown = CliRunner().invoke(app, ["--help"])
    assert shown.exit_code == 0
    for command in ("run", "nb", "data", "results", "stage"):
        assert command in shown.output
    heavy = "import sys, occkd_lib.cli; print({'torch', 'papermill', 'snakemake'} & {*sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True)
    assert loaded.stdout == "set()\n"


def test_jobs_do_not_import_torch():
    """Every job's first seconds: its kernel needs torch, the process around it does not."""
    code = "import sys, occkd_lib.execution.notebooks as n, occkd_lib.execution.chapters"
    code += ", occkd_lib.execution.devices; print('torch' in sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert loaded.stdout == "False\n"


def test_a_notebook_shows_an_error_of_the_library_alone(book, tmp_path):
    """One line with what to do, no page of traceback; any other error has its page."""
    code = "from occkd_lib.errors import OcckdError\nraise OcckdError('lower the lr')"
    done = occkd("nb", str(book(code)), "-o", str(tmp_path / "out.ipynb"))
    assert done.returncode == 2
    failed = nbformat.read(tmp_path / "out.failed.ipynb", as_version=4)
    (error,) = [o for c in failed.cells for o in c.get("outputs", ()) if o.output_type == "error"]
    assert error.traceback == ["OcckdError: lower the lr"]


def test_the_version():
    assert occkd("--version").stdout == f"occkd {occkd_lib.__version__}\n"


def test_a_notebook_from_the_command_line(book, outputs):
    done = occkd("nb", str(book("print('seed', seed)")), "-p", "seed=7")
    assert done.returncode == 0
    assert done.stdout.splitlines()[0] == "seed 7"
    assert (outputs / "notebooks" / "book.ipynb").is_file()


def test_a_failing_notebook_has_a_nonzero_exit_status(book, tmp_path):
    done = occkd("nb", str(book("1 / 0")), "-o", str(tmp_path / "out.ipynb"))
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]  # a loaded machine's kernel may have complained before
    assert last.startswith("occkd: ")
    assert "book.ipynb, cell 2: ZeroDivisionError: division by zero" in last


def test_an_interrupt_ends_the_kernel_and_is_recorded(book, tmp_path):
    started = tmp_path / "started"
    code = f"import os, time; open({str(started)!r}, 'w').write(str(os.getpid())); time.sleep(90)"
    command = [sys.executable, "-m", "occkd_lib", "nb", str(book(code))]
    command += ["-o", str(tmp_path / "out.ipynb")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 240
    while not (started.is_file() and started.read_text()) and time.monotonic() < deadline:
        time.sleep(0.1)
    kernel = int(started.read_text())
    process.send_signal(signal.SIGTERM)
    assert process.wait(120) == 130
    assert process.stderr
    assert "occkd: interrupted" in process.stderr.read()
    with pytest.raises(ProcessLookupError):
        os.kill(kernel, 0)
    assert '"state": "failed"' in (tmp_path / "out.status.json").read_text()
    assert not (tmp_path / "out.ipynb").exists()


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("run nix -n", "no recipe 'nix'"),
        ("run lapto", "no recipe 'lapto': did you mean 'laptop'"),
        ("run demo --only gendr", "no experiment 'gendr': did you mean 'gender'"),
        ("run demo --seeds -1", "--seeds -1: write 0,1,2 or 0-4; a seed is 0 or more"),
        ("run demo --seeds 0-", "--seeds 0-: write 0,1,2 or 0-4"),
        ("run demo --profile slrm -n", "no profile 'slrm': did you mean 'slurm'"),
        ("nb nix.ipynb", "no notebook nix.ipynb"),
        ("stage demo expression -1 teacher", "seed -1: a seed is 0 or more"),
        ("stage demo expresion 0 teacher", "did you mean 'expression'"),
        ("stage demo expression 0 techer", "no stage 'techer': did you mean 'teacher'"),
        ("stage demo expression 0 triplet@alpa=0.1", "did you mean 'alpha'"),
        ("stage demo expression 0 triplet@mining=hardest", "no miner 'hardest'"),
        ("data verify fer_plus", "no data set 'fer_plus': did you mean 'ferplus'"),
        ("data prepare folder --set path", "--set: write setting=value"),
        ("results demo", "no finished run of recipe 'demo'"),
    ],
)
def test_mistakes_are_one_line(command, message, monkeypatch, capsys, outputs):
    monkeypatch.setattr("sys.argv", ["occkd", *command.split()])
    with pytest.raises(SystemExit) as end:
        main()
    said = capsys.readouterr().err
    assert end.value.code == 2
    assert said.startswith("occkd: ")
    assert said.count("\n") == 1
    assert message in said
    assert not outputs.exists()


def test_an_empty_name_is_not_this_folder(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["occkd", "predict", "models/expression", ""])
    with pytest.raises(SystemExit):
        main()
    assert capsys.readouterr().err == "occkd: a photo's name is empty: for this folder, write .\n"


def test_a_file_s_name_is_printed_and_not_obeyed_by_the_terminal(tmp_path, monkeypatch, capsys):
    (tmp_path / "UTKFace").mkdir()
    names = [f"{20 + i}_{i % 2}_0_{i:017d}.jpg.chip.jpg" for i in range(12)]
    for i, name in enumerate([*names, chr(27) + "[31m.jpg"]):
        Image.new("RGB", (20, 20), (20 * i, 0, 0)).save(tmp_path / "UTKFace" / name)
    monkeypatch.setenv("OCCKD_OUTPUTS", str(tmp_path / "outputs"))
    monkeypatch.setattr("sys.argv", ["occkd", "data", "verify", "utkface", "--data", str(tmp_path)])
    with suppress(SystemExit):
        main()
    said = capsys.readouterr()
    assert "\\x1b[31m.jpg" in said.out
    assert chr(27) not in said.out + said.err


def test_one_arm_of_a_stage(tmp_path, outputs):
    """As the README has it: a stage, or an arm of one, with what it needs and nothing else."""
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(tiny_recipe().model_dump(mode="json")))
    arm = "triplet@alpha=0.1,mining=random"
    command = ["stage", str(tmp_path / "tiny.yaml"), "expression", "3", arm]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.exception
    folder = outputs / "tiny" / "expression" / "seed3"
    assert done.output.splitlines()[-1] == str(folder / arm)
    assert sorted(path.name for path in folder.iterdir()) == ["student", "teacher", arm]
    settings = json.loads((folder / arm / "status.json").read_text())["config"]["settings"]
    assert (settings["alpha"], settings["mining"]) == (0.1, "random")


@pytest.mark.parametrize(("asked", "opened"), [([], "outputs/lab"), (["--source"], "notebooks")])
def test_lab_opens_copies_and_with_source_the_chapters(asked, opened, tmp_path, monkeypatch):
    for folder in ("notebooks", "workflow"):
        (tmp_path / folder).mkdir()
    (tmp_path / "workflow" / "chapters.yaml").touch()
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / "notebooks" / "01_data.ipynb")
    monkeypatch.setenv("OCCKD_ROOT", str(tmp_path))
    monkeypatch.setenv("OCCKD_OUTPUTS", str(tmp_path / "outputs"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: True)
    begun = []
    monkeypatch.setattr(os, "execv", lambda program, line: begun.append((program, line)))
    assert CliRunner().invoke(app, ["lab", *asked, "--", "--port=1"]).exit_code == 0
    [(program, line)] = begun
    assert program == line[0] == sys.executable and line[1:3] == ["-m", "jupyterlab"]
    assert line[3:] == [
        f"--ServerApp.root_dir={tmp_path.resolve()}", f"--LabApp.default_url=/lab/tree/{opened}",
        "--port=1",
    ]  # fmt: skip
    assert (tmp_path / "outputs" / "lab" / "01_data.ipynb").is_file() == (not asked)
    assert os.environ["OCCKD_ROOT"] == str(tmp_path.resolve())


def test_settings_of_a_data_set():
    assert assigned(["path=a=b.csv", "size=64"]) == {"path": "a=b.csv", "size": "64"}
    assert assigned(None) == {}


def test_seeds():
    assert parse_seeds(None) == ()
    assert parse_seeds("3,0-2,1") == (3, 0, 1, 2)
    assert parse_seeds("2147483647") == (2**31 - 1,) and len(parse_seeds("0-999")) == 1000
    for wrong in ("a", "1,", "2-x", "3-1", "0-1000", "2147483648", f"0-{10**30}"):
        with pytest.raises(OcckdError, match="write 0,1,2 or 0-4"):
            parse_seeds(wrong)


def test_data_list(tmp_path):
    shown = CliRunner().invoke(app, ["data", "list", "--data", str(tmp_path)])
    lines = {line.split()[0]: line for line in shown.output.splitlines()}
    assert set(lines) == set(DATA_SETS)
    assert "built in" in lines["synthetic"]
    for name in ("ferplus", "utkface", "affectnet", "rafdb"):
        assert f"missing in {tmp_path}: get " in lines[name]
        assert "http" in lines[name] and re.search(r"about [\d.]+ GB", lines[name])
