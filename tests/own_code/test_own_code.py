"""A network, loss, miner, view, data set and method from outside of the package, all the way."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from occkd_lib.config import load_recipe
from occkd_lib.errors import OcckdError
from occkd_lib.execution.estimate import estimate
from occkd_lib.execution.workflow import Workflow
from occkd_lib.runs import Run
from occkd_lib.site import write_results
from occkd_lib.stages import rows_of, run_stage

HERE = Path(__file__).parent


def silent(_: str) -> None:
    """Progress nobody reads."""


@pytest.fixture
def recipe_file(tmp_path, monkeypatch) -> Path:
    """A folder of one's own: a recipe, and the module that it names."""
    folder = tmp_path / "own"
    folder.mkdir()
    for name in ("my_own.py", "recipe.yaml"):
        shutil.copy(HERE / name, folder / name)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "my_own", raising=False)
    yield folder / "recipe.yaml"
    sys.modules.pop("my_own", None)


def test_everything_of_one_s_own_runs(outputs, recipe_file):
    recipe = load_recipe(recipe_file)
    for stage in recipe.experiment("mine").order():
        run = run_stage(recipe, "mine", 0, stage, say=silent)
        assert run.done
        assert set(run.predictions["data"]) == {"my_own:MY_FACES"}
    mine = Run(outputs / "own" / "mine" / "seed0" / "mine")
    sources = mine.status["config"]["sources"]
    assert {"my_own:MyNet", "my_own:my_view", "my_own:MY_FACES", "my_own:MyMethod"} <= set(sources)
    teacher = Run(outputs / "own" / "mine" / "seed0" / "teacher")
    assert set(teacher.predictions["view"]) == {"full", "lower", "upper", "my_own:my_view"}
    assert teacher.status["loss"] == {"name": "my_own:my_loss", "smoothing": 0.2}
    titles = [row.title for row in rows_of(recipe.experiment("mine")).values()]
    assert "my method" in titles and "my method, {machine}" in titles
    assert "student, my_view" in titles

    folder = write_results(recipe)
    page = (folder / "index.html").read_text()
    assert "my method" in page
    summary = pd.read_csv(folder / "summary.csv")
    assert {"my method", "my method, SVM"} <= set(summary["title"])
    assert summary.loc[summary["row"] == "mine", "vs_control"].notna().all()
    drawn = {path.name for path in (folder / "figures").iterdir()}
    assert {"mine-accuracy.png", "mine-curves.png", "mine-embeddings.png"} <= drawn


def test_everything_of_one_s_own_is_planned(outputs, recipe_file):
    workflow = Workflow(str(recipe_file))
    chapters = {job.chapter for job in workflow.plan()}
    assert {"01_data", "02_teachers", "03_students", "19_report"} <= chapters
    costs = estimate(workflow.content)
    assert costs.loc["mine", "runs"] == 6


KILL = """
import os, signal, sys
from occkd_lib.config import load_recipe
from occkd_lib.runs import Run
from occkd_lib.stages import run_stage

save = Run.save_tensors
def save_or_die(self, name, *rest):
    save(self, name, *rest)
    if (self.folder.name, name) == ("mine", "checkpoint"):
        os.kill(os.getpid(), signal.SIGKILL)
Run.save_tensors = save_or_die
run_stage(load_recipe(sys.argv[1]), "mine", 0, "mine", say=lambda line: None)
"""


def test_a_method_of_one_s_own_resumes_after_a_kill(tmp_path, monkeypatch, recipe_file):
    recipe = load_recipe(recipe_file)
    monkeypatch.setenv("OCCKD_OUTPUTS", str(tmp_path / "undisturbed"))
    expected = run_stage(recipe, "mine", 0, "mine", say=silent)
    monkeypatch.setenv("OCCKD_OUTPUTS", str(tmp_path / "killed"))
    killed = subprocess.run([sys.executable, "-c", KILL, str(recipe_file)], env=dict(os.environ))
    assert killed.returncode == -signal.SIGKILL
    said: list[str] = []
    resumed = run_stage(recipe, "mine", 0, "mine", say=said.append)
    assert [line.split("  ")[0] for line in said] == ["mine epoch 2/2"]
    pd.testing.assert_frame_equal(resumed.predictions, expected.predictions)


def test_another_source_is_another_run(outputs, recipe_file):
    run_stage(load_recipe(recipe_file), "mine", 0, "teacher", say=silent)
    module = recipe_file.parent / "my_own.py"
    module.write_text(module.read_text() + "\n# changed\n")
    with pytest.raises(OcckdError, match="sources.my_own:MyNet"):
        run_stage(load_recipe(recipe_file), "mine", 0, "teacher", say=silent)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("my_own:MyNet", "my_own:MyNetz", "my_own.py has no 'MyNetz'"),
        ("my_own:my_loss", "my_own:their_loss", "my_own.py has no 'their_loss'"),
        ("smoothing: 0.2", "smothing: 0.2", "'smothing': did you mean 'smoothing'"),
        ("my_own:my_miner", "my_onw:my_miner", "cannot be imported"),
        ("my_own:my_view", "my_own:no_view", "my_own.py has no 'no_view'"),
        ("my_own:MY_FACES", "my_own:MyNet", "is no DataSet"),
        ("power: 1", "powr: 1", "there is no such setting: did you mean 'power'"),
    ],
)
def test_what_is_wrong_is_said_before_anything_starts(recipe_file, old, new, message):
    recipe_file.write_text(recipe_file.read_text().replace(old, new))
    with pytest.raises(OcckdError, match=message) as found:
        load_recipe(recipe_file)
    assert "\n" not in str(found.value) and str(recipe_file) in str(found.value)
