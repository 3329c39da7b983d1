"""The plan of a recipe, the order of its jobs, and what a failed or repeated run does.

Jobs are replaced by a script that copies the notebook and notes the call, so that the graph runs
in a second.
"""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from occkd_lib.errors import OcckdError
from occkd_lib.progress import Job, clock, last_line
from occkd_lib.project import library_hash
from occkd_lib.workflow import DONE, OLD, TO_DO, Workflow

REPOSITORY = Path(__file__).parents[1]
CHAPTERS = (
    "01_data", "02_teachers", "03_students", "04_kd", "05_triplet_kd", "06_fusion",
    "07_ablations", "08_grad_cam",
)  # fmt: skip
ORDER = [*CHAPTERS, "09_mcnemar", "10_results"]  # by number

BEFORE = (
    ("01_data", "02_teachers"), ("02_teachers", "03_students"), ("03_students", "04_kd"),
    ("03_students", "05_triplet_kd"), ("04_kd", "06_fusion"), ("05_triplet_kd", "06_fusion"),
    ("06_fusion", "07_ablations"), ("05_triplet_kd", "08_grad_cam"), ("06_fusion", "09_mcnemar"),
    ("07_ablations", "10_results"), ("09_mcnemar", "10_results"),
)  # fmt: skip

COPY_INSTEAD = """#!/bin/sh
# called as: python -m occkd_lib.cli nb --job NOTEBOOK -o OUTPUT ...
echo "$OMP_NUM_THREADS $*" >> "{calls}"
case "$7" in *"{failing}"*) echo "occkd: no such luck" >&2; exit 2;; esac
sleep 0.05; cp "$5" "$7"
echo '{{"environment": {{"library_hash": "{library}"}}}}' > "${{7%.ipynb}}.status.json"
"""


@pytest.fixture
def project(tmp_path, monkeypatch, outputs):
    """A checkout with the real Snakefile and empty notebooks; returns its folder."""
    (tmp_path / "workflow").mkdir()
    (tmp_path / "workflow" / "Snakefile").symlink_to(REPOSITORY / "workflow" / "Snakefile")
    (tmp_path / "notebooks").mkdir()
    for chapter in ORDER:
        (tmp_path / "notebooks" / f"{chapter}.ipynb").touch()
    monkeypatch.setenv("OCCKD_ROOT", str(tmp_path))
    monkeypatch.delenv("SNAKEMAKE_PROFILE", raising=False)
    return tmp_path


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
        assert own == [*CHAPTERS, "09_mcnemar"]
    assert jobs[1] == Job("02_teachers", "expression", 0)
    assert jobs[-1] == Job("10_results", None, None)
    assert len(jobs) == 28
    assert not (project / "outputs").exists()


def test_the_plan_of_a_part(project):
    jobs = list(Workflow("demo", experiments=("age",), seeds=(3, 4)).plan())
    assert {j.experiment for j in jobs} == {"age", None}
    assert [j.seed for j in jobs if j.chapter == "06_fusion"] == [3, 4]
    assert len(jobs) == 1 + 2 * 7 + 1 + 1


def test_a_run_in_order_and_its_repetition(project, fake_jobs):
    asked = fake_jobs()
    workflow = Workflow("demo", experiments=("gender",), cores=2)
    said: list[str] = []
    workflow.run(said.append)
    names = asked()
    place = {name.split("-")[-1]: n for n, name in enumerate(names)}
    assert sorted(place) == ORDER
    for earlier, later in BEFORE:
        assert place[earlier] < place[later], (earlier, later)
    assert names[1] == "gender-seed0-02_teachers"
    assert "[10/10] done" in said[-1]
    first = (project / "calls.txt").read_text().splitlines()[1]
    assert first.startswith("1 -m occkd_lib.cli nb --job")
    assert first.endswith("-p recipe=demo -p experiment=gender -p seed=0")
    assert set(workflow.plan().values()) == {DONE}

    asked = fake_jobs()
    workflow.run(said.append)
    assert asked() == [] and said[-1] == "demo: all 10 notebooks are done"

    (project / "outputs/demo/notebooks/gender-seed0-05_triplet_kd.ipynb").unlink()
    workflow.run(said.append)
    assert sorted(name.split("-")[-1] for name in asked()) == ORDER[4:]


def test_only_jobs_that_compute_claim_a_gpu(project, fake_jobs, monkeypatch):
    """Others hold no token, so all GPUs may be taken when they start."""
    monkeypatch.setattr("occkd_lib.workflow.visible_gpus", lambda: {"0": "x", "1": "y"})
    fake_jobs()
    Workflow("demo", experiments=("gender",), cores=4).run(lambda line: None)
    calls = (project / "calls.txt").read_text().splitlines()
    without = [Path(line.split()[7]).stem for line in calls if "--claim-gpu" not in line]
    assert sorted(without) == ["gender-01_data", "gender-09_mcnemar"]


def test_a_failure_stops_only_what_builds_on_it(project, fake_jobs):
    asked = fake_jobs(failing="gender-seed0-04_kd")
    workflow = Workflow("demo", experiments=("gender", "age"), cores=4)
    said: list[str] = []
    with pytest.raises(OcckdError, match=r"1 of 19 notebooks failed; 04_kd gender .* luck"):
        workflow.run(said.append)
    assert "age-09_mcnemar" in asked()
    assert not {"gender-seed0-06_fusion", "10_results"} & set(asked())
    assert sum("FAILED" in line for line in said) == 1

    asked = fake_jobs()
    workflow.run(said.append)
    again = [n.split("-")[-1] for n in asked()]
    before = {"06_fusion", "07_ablations", "09_mcnemar"}  # chapter 8 may come last
    assert again[0] == "04_kd" and before <= set(again[: again.index("10_results")])
    after = {"04_kd", "06_fusion", "07_ablations", "08_grad_cam", "09_mcnemar", "10_results"}
    assert len(again) == len(after) and set(again) == after


def test_notebooks_of_another_version_are_named_and_redone_on_demand(project, fake_jobs):
    fake_jobs(library="another")
    said: list[str] = []
    Workflow("demo", experiments=("gender",)).run(said.append)
    asked = fake_jobs()
    workflow = Workflow("demo", experiments=("gender",))
    assert set(workflow.plan().values()) == {OLD}
    workflow.run(said.append)
    assert asked() == [] and "10 notebooks were made by another version" in said[-2]
    Workflow("demo", experiments=("gender",), again=True).run(said.append)
    assert len(asked()) == 10
    assert set(workflow.plan().values()) == {DONE}


def test_only_one_run_of_a_recipe_at_a_time(project, fake_jobs):
    fake_jobs()
    workflow = Workflow("demo", experiments=("gender",))
    with workflow._alone(), pytest.raises(OcckdError, match="by another process"):
        Workflow("demo", experiments=("gender",)).run()


def test_a_recipe_file_is_passed_on_by_its_full_path(project, monkeypatch):
    (project / "mine.yaml").write_text(
        (REPOSITORY / "occkd_lib/recipes/demo.yaml").read_text().replace("name: demo", "name: mine")
    )
    monkeypatch.chdir(project)
    workflow = Workflow("mine.yaml")
    assert workflow.recipe == str(project / "mine.yaml")
    assert workflow.folder == project / "outputs" / "mine"
    assert len(workflow.plan()) == 28


@pytest.mark.parametrize(("gpus", "cores", "threads"), [(0, 4, 1), (2, 8, 1)])
def test_threads_of_the_demo(project, monkeypatch, gpus, cores, threads):
    monkeypatch.setattr("occkd_lib.workflow.visible_gpus", lambda: dict.fromkeys("ab"[:gpus], ""))
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


def test_missing_data_are_told_before_anything_starts(project, monkeypatch):
    text = (REPOSITORY / "occkd_lib/recipes/demo.yaml").read_text()
    utkface = text.replace("task: age,", "task: age,").replace(
        "  age:\n", "  age:\n    data: {name: utkface, faces: null}\n"
    )
    (project / "real.yaml").write_text(utkface)
    monkeypatch.setenv("OCCKD_DATA", str(project / "nothing"))
    workflow = Workflow(str(project / "real.yaml"), cores=6)
    assert workflow.threads == 6
    with pytest.raises(OcckdError, match="UTKFace.* is missing") as caught:
        workflow.check_data()
    assert str(caught.value).endswith(". Without it: --only expression --only gender")
    Workflow(str(project / "real.yaml"), experiments=("gender",)).check_data()


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
