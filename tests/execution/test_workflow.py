"""The plan of a recipe, the order of its jobs, and what a failed or repeated run does.

Jobs are replaced by a script that copies the notebook and notes the call, so that the graph runs
in a second.
"""

from __future__ import annotations

import json
import logging
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest

from occkd_lib.config import builtin_recipes
from occkd_lib.errors import OcckdError
from occkd_lib.execution.chapters import Job, read_chapters
from occkd_lib.execution.progress import Listener, clock, last_line
from occkd_lib.execution.workflow import DONE, OLD, TO_DO, Workflow
from occkd_lib.project import library_hash, locked, write_json
from occkd_lib.runs import FORMAT, Run, run_folder

REPOSITORY = Path(__file__).parents[2]
EVERY = list(read_chapters(REPOSITORY / "workflow" / "chapters.yaml"))
ORDER = [*EVERY[1:11], EVERY[-1]]  # the first part, on half faces; chapter 0 waits for nothing

BEFORE = (
    ("01_data", "02_teachers"), ("02_teachers", "03_students"), ("03_students", "04_kd"),
    ("03_students", "05_triplet_kd"), ("04_kd", "06_fusion"), ("05_triplet_kd", "06_fusion"),
    ("06_fusion", "07_ablations"), ("05_triplet_kd", "08_grad_cam"), ("06_fusion", "09_mcnemar"),
    ("09_mcnemar", "10_results"), ("07_ablations", "19_report"), ("10_results", "19_report"),
)  # fmt: skip

COPY_INSTEAD = """#!/bin/sh
# called as: python -m occkd_lib nb --job NOTEBOOK -o OUTPUT ...
echo "$OMP_NUM_THREADS $*" >> "{calls}"
case "$7" in *"{failing}"*) echo "occkd: no such luck" >&2; exit 2;; esac
sleep 0.05; cp "$5" "$7"
echo '{{"environment": {{"library_hash": "{library}"}}}}' > "${{7%.ipynb}}.status.json"
"""


@pytest.fixture
def fake_jobs(project, monkeypatch):
    """Replace what jobs execute; returns a function that says which notebooks were asked for."""
    calls = project / "calls.txt"

    def fake(failing="nothing", library=None):
        script = project / "copy"
        script.write_text(
            COPY_INSTEAD.format(calls=calls, failing=failing, library=library or library_hash())
        )
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setattr("sys.executable", str(script))
        calls.write_text("")

        def asked() -> list[str]:
            return [Path(line.split()[7]).stem for line in calls.read_text().splitlines()]

        return asked

    return fake


def test_the_plan_of_the_demo(project):
    plan = Workflow("demo").plan()
    assert set(plan.values()) == {TO_DO}
    jobs = list(plan)
    for experiment in ("expression", "gender", "age"):
        own = [j.chapter for j in jobs if j.experiment == experiment]
        without = {
            "expression": (), "age": ("07",), "gender": ("01", "07", "08", "09"),
        }[experiment]  # fmt: skip
        assert own == [each for each in ORDER[:-2] if each[:2] not in without]
    assert {j.chapter for j in jobs} == set(EVERY)
    assert [j.chapter[:2] for j in jobs if j.experiment == "education"] == [
        "01", "11", "12", "13",
    ]  # fmt: skip
    assert [j.chapter for j in jobs if j.experiment == "together"] == ["15_together"]
    assert [j.chapter for j in jobs if j.experiment == "losses"] == ["16_other_teachers"]
    assert [j for j in jobs if j.chapter == "17_few_labels"] == [Job("17_few_labels")]
    assert not any(j.experiment == "labels_3" for j in jobs)
    assert [j.chapter for j in jobs if j.experiment == "occluders"] == ["18_real_occlusion"]
    assert jobs[1] == Job("02_teachers", "expression", 0)
    assert jobs[-1] == Job("19_report", None, None)
    assert len(jobs) == 35
    assert not (project / "outputs").exists()


@pytest.mark.parametrize("name", sorted({*builtin_recipes()} - {"students"}))
def test_chapters_train_what_a_recipe_of_the_book_asks(name):
    """Else `occkd run` refuses all of it. (Students are trained stage by stage.)"""
    workflow = Workflow(name)
    for experiment in workflow.experiments:
        named = workflow.content.experiment(experiment).chapters
        every = workflow.graph.chapters
        assert named is None or any(every[each].trains for each in named), experiment


def test_seeds_that_are_told_in_no_chapter(project):
    jobs = list(Workflow("demo", experiments=("expression",)).plan())
    assert {j.seed for j in jobs if j.chapter == "04_kd"} == {0}
    chosen = Workflow("demo", experiments=("expression",), seeds=(1, 2))
    assert [j.seed for j in chosen.plan() if j.chapter == "04_kd"] == [1, 2], "asked for, told"


def test_the_plan_of_a_part(project):
    jobs = list(Workflow("demo", experiments=("age",), seeds=(3, 4)).plan())
    assert {j.experiment for j in jobs} == {"age", None}
    assert [j.seed for j in jobs if j.chapter == "06_fusion"] == [3, 4]
    assert len(jobs) == 1 + 2 * 6 + 1 + 3


def test_a_run_in_order_and_its_repetition(project, fake_jobs):
    asked = fake_jobs()
    workflow = Workflow("demo", experiments=("expression",), cores=2)
    said: list[str] = []
    workflow.run(said.append)
    names = asked()
    assert names.count("00_start") == 1  # it waits for nothing, so it may begin at any time
    names.remove("00_start")
    place = {name.split("-")[-1]: n for n, name in enumerate(names)}
    assert sorted(place) == ORDER
    for earlier, later in BEFORE:
        assert place[earlier] < place[later], (earlier, later)
    assert names[1] == "expression-seed0-02_teachers"
    assert "[12/12] done" in said[-1]
    calls = (project / "calls.txt").read_text().splitlines()
    first = next(line for line in calls if "02_teachers" in line)
    assert first.startswith("1 -m occkd_lib nb --job")
    assert first.endswith("-precipe=demo -pexperiment=expression -pseed=0")
    assert set(workflow.plan().values()) == {DONE}

    asked = fake_jobs()
    workflow.run(said.append)
    assert asked() == []
    assert said[-1] == "demo: all 12 notebooks are done"

    (project / "outputs/demo/notebooks/expression-seed0-05_triplet_kd.ipynb").unlink()
    workflow.run(said.append)
    assert sorted(name.split("-")[-1] for name in asked()) == ORDER[4:]


def test_what_is_executed_is_what_was_planned(project, fake_jobs):
    """Snakemake's graph is the plan's: an experiment without ablations has no chapter 7."""
    asked = fake_jobs()
    workflow = Workflow("demo", experiments=("age", "together"), cores=4)
    planned = [job.name for job in workflow.plan()]
    workflow.run(lambda line: None)
    assert sorted(asked()) == sorted(planned) and "age-seed0-07_ablations" not in planned


def test_only_jobs_that_compute_claim_a_gpu(project, fake_jobs, monkeypatch):
    """Others hold no token, so all GPUs may be taken when they start."""
    monkeypatch.setattr("occkd_lib.execution.workflow.visible_gpus", lambda: {"0": "x", "1": "y"})
    fake_jobs()
    Workflow("demo", experiments=("expression",), cores=4).run(lambda line: None)
    calls = (project / "calls.txt").read_text().splitlines()
    without = [Path(line.split()[7]).stem for line in calls if "--claim-gpu" not in line]
    assert sorted(without) == ["00_start", "10_results", "expression-01_data"]


def test_a_failure_stops_only_what_builds_on_it(project, fake_jobs):
    asked = fake_jobs(failing="expression-seed0-04_kd")
    workflow = Workflow("demo", experiments=("expression", "age"), cores=4)
    said: list[str] = []
    with pytest.raises(OcckdError, match=r"1 of 20 notebooks failed; 04_kd expression .* luck"):
        workflow.run(said.append)
    assert "age-09_mcnemar" in asked()
    assert not {"expression-seed0-06_fusion", "10_results", "19_report"} & set(asked())
    assert sum("FAILED" in line for line in said) == 1

    asked = fake_jobs()
    workflow.run(said.append)
    again = [n.split("-")[-1] for n in asked()]
    before = {"06_fusion", "07_ablations", "09_mcnemar", "10_results"}  # chapter 8 may come last
    assert again[0] == "04_kd"
    assert before <= set(again[: again.index("19_report")])
    after = before | {"04_kd", "08_grad_cam", "19_report"}
    assert len(again) == len(after)
    assert set(again) == after


def test_notebooks_of_another_version_are_named_and_redone_on_demand(project, fake_jobs):
    fake_jobs(library="another")
    said: list[str] = []
    Workflow("demo", experiments=("expression",)).run(said.append)
    asked = fake_jobs()
    workflow = Workflow("demo", experiments=("expression",))
    assert set(workflow.plan().values()) == {OLD}
    workflow.run(said.append)
    assert asked() == []
    assert "12 notebooks were made by another version" in said[-2]
    Workflow("demo", experiments=("expression",), again=True).run(said.append)
    assert len(asked()) == 12
    assert set(workflow.plan().values()) == {DONE}


def test_only_one_run_of_a_recipe_at_a_time(project, fake_jobs):
    fake_jobs()
    workflow = Workflow("demo", experiments=("gender",))
    lock = workflow.folder / ".occkd-run.lock"
    with locked(lock, pytest.fail), pytest.raises(OcckdError, match="by another process"):
        workflow.run()


def test_a_recipe_file_is_passed_on_by_its_full_path(project, own_recipe, monkeypatch):
    own_recipe()
    monkeypatch.chdir(project)
    workflow = Workflow("mine.yaml")
    assert workflow.recipe == str(project / "mine.yaml")
    assert workflow.folder == project / "outputs" / "mine"
    assert len(workflow.plan()) == 35


@pytest.mark.parametrize(("gpus", "cores", "threads"), [(0, 4, 1), (2, 8, 1)])
def test_threads_of_the_demo(project, monkeypatch, gpus, cores, threads):
    monkeypatch.setattr(
        "occkd_lib.execution.workflow.visible_gpus", lambda: dict.fromkeys("ab"[:gpus], "")
    )
    workflow = Workflow("demo", cores=cores)
    assert (workflow.threads, workflow.gpus) == (threads, gpus)


def test_mistakes_are_told_before_anything_starts(project, monkeypatch):
    with pytest.raises(OcckdError, match="no recipe 'nix'"):
        Workflow("nix")
    with pytest.raises(OcckdError, match="no experiment 'nix'; it has: expression, gender, age"):
        Workflow("demo", experiments=("nix",))
    monkeypatch.setenv("OCCKD_ROOT", str(project / "notebooks"))
    with pytest.raises(OcckdError, match="inside the project's checkout"):
        Workflow("demo")


def test_missing_data_are_told_before_anything_starts(project, own_recipe, monkeypatch):
    recipe = own_recipe(
        ("    task: age\n    data: *fewer\n", "    task: age\n    data: {name: utkface}\n")
    )
    monkeypatch.setenv("OCCKD_DATA", str(project / "nothing"))
    workflow = Workflow(recipe, cores=6)
    assert workflow.threads == 6
    with pytest.raises(OcckdError, match=r"UTKFace.* is missing") as caught:
        workflow.check()
    rest = " ".join(f"--only {name}" for name in workflow.experiments if name != "age")
    assert rest.startswith("--only expression --only gender --only education ")
    assert str(caught.value).endswith(f". Without it: {rest}")
    Workflow(recipe, experiments=("gender",)).check()


def test_data_sets_to_be_tested_on_are_missed_too(own_recipe, project, monkeypatch):
    own = "    data: {name: ferplus, labels: majority}\n    test_on: [{name: rafdb}]\n"
    recipe = own_recipe(("  expression:\n", f"  expression:\n{own}"))
    monkeypatch.setenv("OCCKD_DATA", str(project / "nothing"))
    with pytest.raises(OcckdError, match=r"FER\+ is missing.*RAF-DB.* is missing"):
        Workflow(recipe).check()


def test_a_missing_notebook_is_told_before_anything_starts(project):
    (project / "notebooks" / "03_students.ipynb").unlink()
    with pytest.raises(OcckdError, match=r"03_students\.ipynb, which workflow/chapters.yaml names"):
        Workflow("demo").check()


def test_an_experiment_whose_chapters_train_nothing_is_refused_until_it_is_trained(
    own_recipe, project
):
    """The report alone would show what is there, and call an interrupted experiment done."""
    stages = "{student: null, other_half: null, standard: null, triplet: null, control: null, "
    short = (
        f"{{task: gender, visible: full, chapters: [19_report], stages: {stages}fusion: null}}}}"
    )
    recipe = own_recipe(("experiments:\n", f"experiments:\n  short: {short}\n"))
    workflow = Workflow(recipe, experiments=("short",))
    with pytest.raises(OcckdError, match="told in 19_report, .*mine.yaml short SEED STAGE"):
        workflow.check()
    run = Run(run_folder("mine", "short", 0, "teacher"))
    run.folder.mkdir(parents=True)
    write_json(run.folder / "status.json", {"state": "done", "format": FORMAT})
    workflow.check()


def test_an_experiment_without_triplets_is_run_without_their_chapters(own_recipe, fake_jobs):
    """What waits for a chapter that is not there waits for the one before it."""
    asked = fake_jobs()
    stages = "{triplet: null, fusion: null, control: {of: [standard]}}"
    short = f"  short: {{task: expression, visible: lower, stages: {stages}}}"
    recipe = own_recipe(("experiments:\n", f"experiments:\n{short}\n"))
    workflow = Workflow(recipe, experiments=("short",), cores=2)
    workflow.run(lambda line: None)
    names = [name.removeprefix("short-").removeprefix("seed0-") for name in asked()]
    names.remove("00_start")
    assert sorted(names) == [
        "01_data", "02_teachers", "03_students", "04_kd", "08_grad_cam", "10_results", "19_report",
    ]  # fmt: skip
    assert names[:4] == ["01_data", "02_teachers", "03_students", "04_kd"]
    assert set(workflow.plan().values()) == {DONE}


def test_a_chapter_of_one_s_own_is_one_entry_and_one_notebook(project, fake_jobs):
    (project / "workflow" / "chapters.yaml").unlink()
    (project / "workflow" / "chapters.yaml").write_text(
        "01_first: {title: a, about: b, once: recipe, parts: [c]}\n"
        "02_then: {title: a, about: b, once: seed, parts: [c], builds_on: [01_first]}\n"
        "03_never: {title: a, about: b, once: seed, parts: [c], methods: [nobody_s]}\n"
    )
    for name in ("01_first", "02_then", "03_never"):
        (project / "notebooks" / f"{name}.ipynb").touch()
    asked = fake_jobs()
    workflow = Workflow("demo", experiments=("age",), seeds=(4, 2))
    workflow.check()
    workflow.run(lambda line: None)
    assert asked()[0] == "01_first"
    assert sorted(asked()[1:]) == ["age-seed2-02_then", "age-seed4-02_then"]
    assert list(workflow.plan()) == [
        Job("02_then", "age", 4), Job("02_then", "age", 2), Job("01_first"),
    ]  # fmt: skip


def test_experiments_with_ablations_come_first(project):
    """In the demo ``expression`` and ``education``; chapter 8 is waited for by nobody."""
    first = Workflow("demo")._first()
    assert "notebooks/expression-seed0-07_ablations.ipynb" in first
    whose = {name.split("/")[1].split("-")[0] for name in first}
    assert whose == {"expression", "education"} and not [n for n in first if "08_" in n]


def test_what_snakemake_says_is_passed_on(project):
    workflow = Workflow("demo", experiments=("expression",), extra=("--bogus",))
    with pytest.raises(OcckdError, match="Snakemake: .*unrecognized arguments: --bogus"):
        workflow.plan()
    heard = Listener()
    said = "Traceback (most recent call last):\n  File x\nPermissionError: no home\n"
    heard.emit(logging.LogRecord("x", logging.ERROR, "", 0, said, (), None))
    assert heard.complaint == "PermissionError: no home"


def test_how_long_the_rest_takes(monkeypatch):
    """Two of three notebooks in 40 seconds: 20 more."""
    now, heard = [100.0], []
    monkeypatch.setattr("occkd_lib.execution.progress.time.monotonic", lambda: now[0])
    listener = Listener(3, heard.append)

    def emit(**about):
        record = logging.LogRecord("x", logging.INFO, "", 0, "", (), None)
        vars(record).update(about)
        listener.emit(record)

    for number, end in enumerate((110.0, 140.0, 160.0)):
        name = f"0{number}_x"
        emit(event="job_info", rule_name=name, jobid=number, wildcards=SimpleNamespace(get={}.get))
        now[0] = end
        emit(event="job_finished", job_id=number)
    done = [line for line in heard if "done" in line]
    assert done[0].endswith("in 10 s, about 0:00:20 left")
    assert done[1].endswith("in 30 s, about 0:00:20 left") and done[2].endswith("in 20 s")


def test_small_helpers(tmp_path):
    assert clock(3723) == "1:02:03"
    (tmp_path / "log").write_text("one\nocckd: the reason\n\n")
    assert last_line(tmp_path / "log") == "the reason"
    assert last_line(tmp_path / "none") == "it left no log"


def test_experiments_are_chosen_by_name_or_pattern(project):
    assert Workflow("paper", ("fer_*", "age_vgg_f", "*_vgg_f")).experiments == (
        "fer_vgg_f", "fer_vgg_face", "fer_resnet50", "age_vgg_f", "affectnet_vgg_f", "gender_vgg_f",
    )  # fmt: skip
    with pytest.raises(OcckdError, match=r"no experiment 'agee_\*'; it has: fer_vgg_f"):
        Workflow("paper", ("agee_*",))


def test_real_notebooks_from_the_command_line(project):
    """Two chapters of a toy book, with nothing replaced: jobs, kernels, status, a second run."""
    (project / "workflow" / "chapters.yaml").unlink()
    (project / "workflow" / "chapters.yaml").write_text(
        "01_one: {title: a, about: b, once: experiment, parts: [c]}\n"
        "02_two: {title: a, about: b, once: seed, parts: [c], builds_on: [01_one]}\n"
    )
    parameters = 'recipe: str = "demo"\nexperiment: str = "expression"'
    for name, more in (("01_one", ""), ("02_two", "\nseed: int = 0")):
        book = nbformat.v4.new_notebook()
        cell = nbformat.v4.new_code_cell(parameters + more)
        cell.metadata.tags = ["parameters"]
        book.cells = [cell, nbformat.v4.new_code_cell("print('done by the kernel')")]
        nbformat.write(book, project / "notebooks" / f"{name}.ipynb")
    command = [sys.executable, "-m", "occkd_lib", "run", "demo", "--only", "a*", "--seeds", "5"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "demo is done" in done.stdout
    folder = project / "outputs" / "demo" / "notebooks"
    status = json.loads((folder / "age-seed5-02_two.status.json").read_text())
    assert status["parameters"] == {"recipe": "demo", "experiment": "age", "seed": 5}
    assert "done by the kernel" in (folder / "age-01_one.ipynb").read_text()
    again = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=project)
    assert "all 2 notebooks are done" in again.stdout
