"""A recipe on a real Slurm: the controller, one node with two GPUs that are plain files, munge.

All of it is started by hand, in a folder of its own, and ended with the test (minutes). A whole
recipe goes through it, too, where one is named:

    OCCKD_SLURM=demo .venv/bin/pytest tests/cluster
"""

from __future__ import annotations

import getpass
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp

import nbformat
import pandas as pd
import pytest
from safetensors import safe_open

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "sinfo")
PATH = f"{os.environ['PATH']}:/usr/sbin"
MISSING = [program for program in PROGRAMS if shutil.which(program, path=PATH) is None]
if find_spec("snakemake_executor_plugin_slurm") is None:
    MISSING.append("snakemake-executor-plugin-slurm")
pytestmark = pytest.mark.skipif(
    bool(MISSING),
    reason=f"no {', '.join(MISSING)}: apt-get install slurmctld slurmd munge; pip install .[slurm]",
)
REPOSITORY = Path(__file__).parents[2]
MUNGE = ("key", "pid", "log", "seed")
WAIT = 400.0  # seconds, also where other work keeps the cores busy

CONFIGURATION = """
ClusterName=occkd
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2
SlurmdParameters=config_overrides
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=64000 Gres=gpu:2
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""

RECIPE = """
name: short
description: two chapters of the demo
defaults:
  data: {name: synthetic, faces: 600}
  network: {name: compact, width: 8, input_size: 48, channels: 1}
  seeds: [0]
  batch_size: 32
  stages:
    teacher: {epochs: 40, lr: 4.0e-3, optimizer: adamw, weight_decay: 0.05, schedule: onecycle}
    student: {epochs: 2, lr: 3.0e-3, optimizer: adamw, weight_decay: 0.05, schedule: onecycle}
    other_half: null
    standard: null
    triplet: null
    control: null
    fusion: null
experiments:
  expression: {task: expression, visible: lower, chapters: [01_data, 02_teachers]}
"""


class Cluster:
    """Slurm in a folder; its programs are called with ``call``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf"), "PATH": PATH}
        self.daemons: list[subprocess.Popen] = []

    def start(self) -> None:
        for name in ("state", "spool", "bin"):
            (self.folder / name).mkdir()
        for name in ("gpu0", "gpu1"):
            (self.folder / name).touch()
        host, user, ports = socket.gethostname().split(".")[0], getpass.getuser(), free_ports(2)
        (self.folder / "slurm.conf").write_text(
            CONFIGURATION.format(host=host, user=user, ports=ports, folder=self.folder)
        )
        gres = f"NodeName={host} Name=gpu File={self.folder}/gpu[0-1]\n"
        (self.folder / "gres.conf").write_text(gres)
        (self.folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n")
        # a job forgets SLURM_CONF; a cluster's own srun needs none
        srun, real = self.folder / "bin" / "srun", shutil.which("srun", path=PATH)
        srun.write_text(f'#!/bin/sh\nSLURM_CONF={self.folder}/slurm.conf exec {real} "$@"\n')
        srun.chmod(0o755)
        self.environment["PATH"] = f"{self.folder}/bin:{PATH}"
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        munge = [f"--socket={self.folder}/munge.socket"]
        munge += [f"--{what}-file={self.folder}/munge.{what}" for what in MUNGE]
        self.daemon("munged", "--foreground", "--force", *munge)
        until(lambda: (self.folder / "munge.socket").exists(), 30)
        self.daemon("slurmctld", "-D", "-f", str(self.folder / "slurm.conf"))
        self.daemon("slurmd", "-D", "-f", str(self.folder / "slurm.conf"))
        until(lambda: "idle" in self.call("sinfo", "-h", "-o", "%t"), 60)

    def daemon(self, *command: str) -> None:
        with open(self.folder / f"{command[0]}.said", "w") as said:
            process = subprocess.Popen(
                command, env=self.environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said
            )
        self.daemons.append(process)

    def call(self, *command: str) -> str:
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        return done.stdout

    def stop(self) -> None:
        self.call("scancel", "--user", getpass.getuser())
        for daemon in reversed(self.daemons):
            daemon.terminate()
            daemon.wait(30)

    def job_of(self, chapter: str) -> str:
        """The number of the chapter's running job, or nothing."""
        for line in self.call("squeue", "-h", "-t", "R", "-o", "%i %k").splitlines():
            number, _, comment = line.partition(" ")
            if chapter in comment:
                return number
        return ""

    def run(self, recipe: Path | str, outputs: Path, book: Path) -> subprocess.Popen:
        """``occkd run RECIPE --profile slurm``, asking Slurm often, not every 40 seconds.

        book: where notebooks and workflow lie.
        """
        command = [sys.executable, "-m", "occkd_lib", "run", str(recipe), "--profile", "slurm"]
        command += ["--gpus", "2", "--", "--seconds-between-status-checks", "2"]
        command += ["--slurm-init-seconds-before-status-checks", "2"]
        command += ["--slurm-status-command", "squeue"]  # there is no accounting here
        environment = {**self.environment, "OCCKD_OUTPUTS": str(outputs), "OMP_NUM_THREADS": "1"}
        environment["OCCKD_ROOT"] = str(book)
        return subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )


def free_ports(n: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def until(happened: Callable[[], object], seconds: float = WAIT) -> None:
    end = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.2)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    folder = Path(mkdtemp(prefix="occkd-slurm-"))  # a short path: sockets have 100 characters
    slurm = Cluster(folder)
    try:
        slurm.start()
    except TimeoutError:
        slurm.stop()
        said = {f.name: f.read_text().strip()[-200:] for f in folder.glob("*.said")}
        pytest.skip(f"Slurm does not start here: {said}")
    try:
        yield slurm
    finally:
        slurm.stop()
        shutil.rmtree(folder)


def test_cancelled_killed_and_done(cluster, tmp_path):
    recipe, outputs = tmp_path / "short.yaml", tmp_path / "outputs"
    recipe.write_text(RECIPE)
    for part in ("notebooks", "workflow"):  # what is edited meanwhile would be executed again
        shutil.copytree(REPOSITORY / part, tmp_path / part)
    teacher = outputs / "short" / "expression" / "seed0" / "teacher"
    notebook = outputs / "short" / "notebooks" / "expression-seed0-02_teachers.ipynb"

    # cancelled while it trains: no job stays in the queue, no notebook is half there
    run = cluster.run(recipe, outputs, tmp_path)
    until(lambda: (teacher / "checkpoint.safetensors").is_file() or run.poll() is not None)
    number = cluster.job_of("02_teachers")
    asked = cluster.call("scontrol", "show", "job", number)
    run.send_signal(signal.SIGINT)
    said = run.communicate(timeout=WAIT)[0]
    assert run.returncode == 130, said
    assert "on slurm, GPUs: 2" in said
    assert "TresPerJob=gres:gpu:1" in asked and "MinMemoryNode=8000M" in asked, asked
    until(lambda: not cluster.call("squeue", "-h"))
    assert not notebook.exists()
    first = notebook.with_name("expression-01_data.ipynb")
    nbformat.read(first, as_version=4)
    executed = first.stat().st_mtime_ns

    # the same command goes on; its job is killed while it trains, and tried again
    run = cluster.run(recipe, outputs, tmp_path)
    until(lambda: cluster.job_of("02_teachers") not in ("", number) or run.poll() is not None)
    number, before = cluster.job_of("02_teachers"), epochs(teacher)
    assert before
    until(lambda: len(epochs(teacher)) > len(before) or run.poll() is not None)
    cluster.call("scancel", "--signal=KILL", number)
    until(lambda: cluster.job_of("02_teachers") != number)
    assert not notebook.exists()
    said = run.communicate(timeout=WAIT)[0]
    assert run.returncode == 0, said
    assert said.count("FAILED  02_teachers") == 1 and "on the cluster" in said
    assert "[1/1] done    02_teachers" in said
    nbformat.read(notebook, as_version=4)
    assert first.stat().st_mtime_ns == executed

    # and no epoch was trained twice
    history = pd.read_csv(teacher / "history.csv")
    assert len(history) == 40
    assert list(history["seconds"][: len(before)]) == before
    status = json.loads(notebook.with_suffix(".status.json").read_text())
    assert status["state"] == "done"


@pytest.mark.skipif(
    "OCCKD_SLURM" not in os.environ, reason="OCCKD_SLURM=demo sends a whole recipe through Slurm"
)
def test_a_whole_recipe(cluster, tmp_path):
    run = cluster.run(os.environ["OCCKD_SLURM"], tmp_path, REPOSITORY)
    said = run.communicate()[0]
    assert run.returncode == 0, said
    print(said)
    numbers = re.findall(r"\[ *(\d+)/(\d+)\] done", said)
    notebooks = list(tmp_path.glob("*/notebooks/*.ipynb"))
    assert numbers[-1] == (str(len(notebooks)),) * 2 and len(notebooks) > 1
    for notebook in notebooks:
        nbformat.read(notebook, as_version=4)
        status = json.loads(notebook.with_suffix(".status.json").read_text())
        assert status["state"] == "done", notebook


def epochs(teacher: Path) -> list[float]:
    """Seconds of the epochs that the checkpoint counts; they tell one training from another."""
    try:
        with safe_open(teacher / "checkpoint.safetensors", framework="pt") as file:
            return [row["seconds"] for row in json.loads(file.metadata()["facts"])["history"]]
    except OSError:  # done, or not begun
        return []
