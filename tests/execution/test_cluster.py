"""Profiles and executors: what is asked for, what is missing, and whose GPUs are counted."""

from __future__ import annotations

import logging
import shutil
import sys

import pytest
import yaml

from occkd_lib.errors import OcckdError
from occkd_lib.execution import cluster
from occkd_lib.execution.chapters import Job
from occkd_lib.execution.cluster import Place, install, named_executor, place
from occkd_lib.execution.progress import Listener, failure
from occkd_lib.execution.workflow import CLUSTER_THREADS, Workflow
from tests.execution.conftest import REPOSITORY

SLURM = REPOSITORY / "workflow" / "profiles" / "slurm"


@pytest.fixture
def profiles(project, monkeypatch):
    """A project with the profile of the book, on a machine with one GPU."""
    shutil.copytree(SLURM.parent, project / "workflow" / "profiles")
    monkeypatch.setattr("occkd_lib.execution.workflow.visible_gpus", lambda: {"0": "x"})
    monkeypatch.chdir(project)
    return project / "workflow" / "profiles"


@pytest.fixture
def told(monkeypatch):
    """What Snakemake's command line gets."""
    calls: list[list[str]] = []
    monkeypatch.setattr("snakemake.cli.main", calls.append)
    return calls


def value(arguments: list[str], option: str) -> str:
    return arguments[arguments.index(option) + 1]


def test_the_cluster_s_gpus_are_counted_not_those_here(profiles, told):
    workflow = Workflow("demo", ("gender",), profile="slurm", gpus=6)
    assert workflow.gpus == 6
    workflow._snakemake(Listener())
    (arguments,) = told
    assert value(arguments, "--profile") == str(profiles / "slurm")
    assert value(arguments, "--resources") == "gpu=6"
    assert "gpu=1" in arguments[arguments.index("--config") :]  # one token a training job
    assert "--cores" not in arguments
    assert workflow.where() == "on slurm, GPUs: 6"

    none = Workflow("demo", ("gender",), profile="slurm", cores=9)
    assert none.gpus == 0 and none.where().startswith("on slurm, cores: 9, GPUs: 0 (the cluster's")
    none._snakemake(Listener())
    assert value(told[1], "--cores") == "9" and "gpu=0" in told[1][told[1].index("--config") :]


def test_the_plan_needs_neither_plug_in_nor_cluster(profiles, monkeypatch):
    monkeypatch.setattr(cluster, "find_spec", lambda name: None)
    workflow = Workflow("demo", ("gender",), profile="slurm")
    assert workflow.plan() == Workflow("demo", ("gender",)).plan()
    with pytest.raises(OcckdError, match="executor 'slurm' is not installed"):
        workflow.check()


def test_threads_where_the_nodes_are_not_known(profiles, own_recipe):
    real = own_recipe(
        ("    task: age\n    data: *fewer\n", "    task: age\n    data: {name: utkface}\n")
    )
    assert Workflow(real, profile="slurm").threads == CLUSTER_THREADS
    assert Workflow(real, profile="slurm", cores=2).threads == 2
    assert Workflow("demo", profile="slurm").threads == 1


@pytest.mark.parametrize(("gpus", "message"), [(2, "there are 1 here"), (0, "CUDA_VISIBLE_DEV")])
def test_gpus_that_are_not_here(profiles, gpus, message):
    assert Workflow("demo", gpus=1).gpus == 1
    with pytest.raises(OcckdError, match=f"--gpus {gpus}: .*{message}"):
        Workflow("demo", gpus=gpus)


def test_one_token_for_every_gpu_here(profiles, told, monkeypatch):
    eight = {str(number): "H100" for number in range(8)}
    monkeypatch.setattr("occkd_lib.execution.workflow.visible_gpus", lambda: eight)
    for gpus, tokens in ((None, 8), (3, 3)):
        Workflow("demo", cores=16, gpus=gpus)._snakemake(Listener())
        assert value(told[-1], "--resources") == f"gpu={tokens}"
        assert value(told[-1], "--cores") == "16" and "--profile" not in told[-1]


def test_what_is_missing_is_one_line_with_the_command(profiles, monkeypatch):
    asked = place("slurm")
    assert asked == Place(profiles / "slurm", "slurm") and asked.elsewhere
    monkeypatch.setattr(cluster, "find_spec", lambda name: {"pip": name}.get(name))
    with pytest.raises(OcckdError) as caught:
        asked.check()
    assert str(caught.value) == (
        f"Snakemake's executor 'slurm' is not installed: {sys.executable} -m pip install "
        "snakemake-executor-plugin-slurm"
    )
    monkeypatch.setattr(cluster, "find_spec", lambda name: None)
    assert install("it") == f"uv pip install --python {sys.executable} it"
    monkeypatch.setattr(cluster, "find_spec", lambda name: name)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(OcckdError, match="there is no sbatch on this machine"):
        asked.check()
    Place().check()

    with pytest.raises(OcckdError, match=r"no profile 'slrm': did you mean 'slurm'\?; .*: cp -r "):
        place("slrm")
    shutil.rmtree(profiles)
    with pytest.raises(OcckdError, match=r"config.yaml: git checkout -- workflow/profiles$"):
        place("slurm")


def test_a_profile_of_one_s_own(profiles):
    own = profiles.parents[1] / "own"
    own.mkdir()
    (own / "config.yaml").write_text("jobs: 3\n")
    assert place("own") == Place(own, "local") and not place("own").elsewhere
    assert place("own", ["--executor", "lsf"]) == Place(own, "lsf")
    for content in ("- a", "a: [", ""):
        (own / "config.yaml").write_text(content)
        with pytest.raises(OcckdError, match=r"own/config\.yaml: no"):
            place("own")


@pytest.mark.parametrize(
    ("extra", "executor"),
    [
        ([], None),
        (["--jobs", "3"], None),
        (["--executor", "slurm"], "slurm"),
        (["--executor=slurm"], "slurm"),
        (["-e", "lsf", "--jobs", "2"], "lsf"),
        (["--executor"], None),
    ],
)
def test_an_executor_after_the_dashes(extra, executor):
    assert named_executor(extra) == executor
    assert place(None, extra).executor == (executor or "local")


def test_the_profile_of_the_book():
    content = yaml.safe_load((SLURM / "config.yaml").read_text())
    assert content["executor"] == "slurm"
    assert content["retries"] > 0
    chapters = yaml.safe_load((REPOSITORY / "workflow" / "chapters.yaml").read_text())
    trains = [name for name, chapter in chapters.items() if chapter.get("computes")]
    assert list(content["set-resources"]) == trains
    every = [content["default-resources"], *content["set-resources"].values()]
    assert all("attempt" in each["mem_mb"] for each in every)


def test_a_job_that_a_second_try_does_is_no_failure(tmp_path):
    said: list[str] = []
    listener = Listener(1, said.append)
    log, slurm = tmp_path / "log", tmp_path / "7.log"
    log.write_text("epoch 3\n")
    facts = {"jobid": 1, "log": [str(log), str(slurm)]}
    facts["rule_msg"] = "SLURM-job '7' failed, SLURM status is: 'TIMEOUT'. For more ..."
    job = Job("02_teachers", "fer", 0)
    wildcards = {"experiment": "fer", "seed": "0"}
    begins = {"jobid": 1, "rule_name": "02_teachers", "wildcards": wildcards}
    for event, more in (("job_info", begins), ("job_error", facts)):
        listener.emit(logging.makeLogRecord({"event": event, **more}))
    assert listener.failed == {job: f"epoch 3 (TIMEOUT on the cluster; {slurm})"}
    for event, more in (("job_info", begins), ("job_finished", {"job_id": 1})):
        listener.emit(logging.makeLogRecord({"event": event, **more}))
    assert not listener.failed and "[1/1] done" in said[-1]
    assert failure({"log": [str(log)], "rule_msg": None}) == "epoch 3"
