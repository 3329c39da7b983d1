"""``occkd run -n``: a row an experiment, hours at a rate that is stated."""

from __future__ import annotations

import pytest

from occkd_lib.execution.plan import CORE, GPU, assumed_rates, show_plan
from occkd_lib.execution.workflow import Workflow
from occkd_lib.runs import run_folder
from occkd_lib.stages import run_stage
from tests.tiny import tiny_recipe


def cells(text: str, first: str) -> list[str]:
    """The cells of the last row that begins with ``first``."""
    rows = [line[1:-1].split("│") for line in text.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in row] for row in rows if row[0].strip() == first][-1]


@pytest.fixture(autouse=True)
def _no_gpu(monkeypatch):
    monkeypatch.setattr("occkd_lib.execution.workflow.visible_gpus", dict)
    monkeypatch.setenv("COLUMNS", "120")


def test_a_row_an_experiment(project, capsys):
    workflow = Workflow("demo", cores=2)
    show_plan(workflow, tflops=0.001)
    text = capsys.readouterr().out
    assert cells(text, "gender")[:4] == ["gender", "5 of 5", "7", "27"]
    assert cells(text, "all")[1] == "35 of 35"
    pflop, hours = (float(cell) for cell in cells(text, "all")[-2:])
    assert hours == pytest.approx(pflop * 1e15 / 0.001e12 / 3600, rel=0.01)  # three digits
    assert "at 0.001 TFLOP/s" in text
    assert "02_teachers" not in text
    assert not (project / "outputs").exists()  # a plan leaves nothing behind
    show_plan(workflow, every_notebook=True)
    assert "02_teachers" in capsys.readouterr().out


def test_the_same_hours_every_time_and_at_the_rate_that_is_stated(project, capsys):
    show_plan(Workflow("laptop", cores=2))
    once = capsys.readouterr().out
    show_plan(Workflow("laptop", cores=2))
    assert capsys.readouterr().out == once
    assert f"each of 2 cores reaches {CORE:g} TFLOP/s" in once
    pflop, hours = (float(cell) for cell in cells(once, "all")[-2:])
    assert hours == pytest.approx(pflop * 1e3 / (2 * CORE) / 3600, rel=0.01)


def test_gpus_count_for_themselves(project, capsys, monkeypatch):
    monkeypatch.setattr("occkd_lib.execution.workflow.visible_gpus", lambda: {"0": "", "1": ""})
    workflow = Workflow("demo", cores=16)
    show_plan(workflow)
    text = capsys.readouterr().out
    assert f"each of 2 GPUs reaches {GPU['fp32']:g} TFLOP/s in fp32 (" in text
    assert assumed_rates(workflow)[:2] == (2, GPU)


def test_what_is_done_is_not_counted(project, capsys):
    tiny = tiny_recipe()
    run = run_stage(tiny, "age", 0, "teacher", say=lambda line: None)
    run.stand_for(run_folder("demo", "age", 0, "teacher"))
    show_plan(Workflow("demo", experiments=("age",)))
    assert cells(capsys.readouterr().out, "age")[2] == "6"


def test_faces_of_one_s_own_have_no_price_but_a_plan(project, own_recipe, capsys):
    """No KeyError for a data set that the book does not know, even where it is not there."""
    (project / "own_faces.py").write_text(
        "from dataclasses import replace\n"
        "from occkd_lib.data import DATA_SETS, DataSettings\n"
        "DATA_SET = replace(DATA_SETS['synthetic'], name='mine', settings=DataSettings,"
        " sizes=lambda settings: (), find=lambda root, settings: None)\n"
    )
    recipe = own_recipe(
        ("data: {name: synthetic, faces: 3000}", 'data: {name: "own_faces:DATA_SET"}'),
        ("  losses:\n", "  losses:\n    data: {name: synthetic, faces: 50000}\n"),
    )
    show_plan(Workflow(recipe))
    text = capsys.readouterr().out
    assert cells(text, "expression")[-2:] == ["unknown size", ""]
    assert cells(text, "all")[-2:] == ["unknown size", ""]
    assert float(cells(text, "losses")[-1]) > 0
