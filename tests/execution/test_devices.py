"""GPUs as the driver lists them, and one each for jobs side by side."""

from __future__ import annotations

import os

import pynvml
import pytest

from occkd_lib.errors import OcckdError
from occkd_lib.execution import devices

TWO_GPUS = (("GPU-aaa", "NVIDIA H200"), ("GPU-bbb", "NVIDIA L4, special"))


@pytest.fixture(autouse=True)
def _two_gpus(tmp_path, monkeypatch):
    monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetCount", lambda: len(TWO_GPUS))
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByIndex", lambda index: index)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetUUID", lambda handle: TWO_GPUS[handle][0])
    monkeypatch.setattr(pynvml, "nvmlDeviceGetName", lambda handle: TWO_GPUS[handle][1])
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "x")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")  # and forget, afterwards, what claim_gpu sets
    monkeypatch.setattr(devices, "_held", [])


def test_all_gpus():
    assert devices.visible_gpus() == {"0": "NVIDIA H200", "1": "NVIDIA L4, special"}
    assert devices.device_name() == "NVIDIA H200, NVIDIA L4, special"


@pytest.mark.parametrize(
    ("allowed", "seen"),
    [
        ("1", {"1": "NVIDIA L4, special"}),
        ("1,0", {"1": "NVIDIA L4, special", "0": "NVIDIA H200"}),
        ("GPU-aaa", {"GPU-aaa": "NVIDIA H200"}),
        ("MIG-17", {"MIG-17": "GPU"}),
        ("", {}),
        ("-1", {}),
    ],
)
def test_only_those_that_the_environment_allows(monkeypatch, allowed, seen):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", allowed)
    assert devices.visible_gpus() == seen
    assert list(devices.visible_gpus()) == list(seen)


def no_driver():
    raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)


def test_no_driver_no_gpu(monkeypatch):
    monkeypatch.setattr(pynvml, "nvmlInit", no_driver)
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
