"""GPUs as nvidia-smi lists them, and one each for jobs side by side."""

from __future__ import annotations

import os

import pytest

from occkd_lib import devices
from occkd_lib.errors import OcckdError

TWO_GPUS = """#!/bin/sh
echo "0, GPU-aaa, NVIDIA H200"
echo "1, GPU-bbb, NVIDIA L4, special"
"""


@pytest.fixture(autouse=True)
def two_gpus(tmp_path, monkeypatch):
    (tmp_path / "nvidia-smi").write_text(TWO_GPUS)
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "x")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")  # and forget, afterwards, what claim_gpu sets
    monkeypatch.setattr(devices, "_held", [])
    return tmp_path


def test_all_gpus():
    assert devices.visible_gpus() == {"0": "NVIDIA H200", "1": "NVIDIA L4, special"}
    assert devices.device_name() == "NVIDIA H200, NVIDIA L4, special"


@pytest.mark.parametrize(
    ("allowed", "seen"), [("1", ["1"]), ("GPU-aaa", ["GPU-aaa"]), ("", []), ("-1", [])]
)
def test_only_those_that_the_environment_allows(monkeypatch, allowed, seen):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", allowed)
    assert list(devices.visible_gpus()) == seen


def test_no_driver_no_gpu(two_gpus, monkeypatch):
    (two_gpus / "nvidia-smi").write_text("#!/bin/sh\nexit 9\n")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert devices.visible_gpus() == {}
    assert devices.device_name() == "cpu, 3 threads"
    devices.claim_gpu()
    assert "CUDA_VISIBLE_DEVICES" not in os.environ


def test_each_job_claims_another_gpu():
    claimed = []
    for _ in range(2):
        devices.claim_gpu()
        claimed.append(os.environ.pop("CUDA_VISIBLE_DEVICES"))
    assert claimed == ["0", "1"]
    with pytest.raises(OcckdError, match="all 2 GPUs are held"):
        devices.claim_gpu()
