"""Which GPUs there are, and a fair share of them; asks without importing torch (seconds)."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pynvml
from filelock import FileLock, Timeout

from occkd_lib.errors import OcckdError


def visible_gpus() -> dict[str, str]:
    """{id: name} of the CUDA devices this process may use; the ids fit CUDA_VISIBLE_DEVICES."""
    try:
        pynvml.nvmlInit()
        count = range(pynvml.nvmlDeviceGetCount())
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in count]
        names = [pynvml.nvmlDeviceGetName(handle) for handle in handles]
        uuids = [pynvml.nvmlDeviceGetUUID(handle) for handle in handles]
    except pynvml.NVMLError:  # no driver, or no GPU that answers
        return {}
    every = {str(index): name for index, name in enumerate(names)}
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is None:
        return every
    by_any_id = every | dict(zip(uuids, names, strict=True))
    ids = [part.strip() for part in allowed.split(",")]
    return {i: by_any_id.get(i, "GPU") for i in ids if i and not i.startswith("-")}


def device_name() -> str:
    """What a child of this process computes on, in words."""
    gpus = visible_gpus()
    threads = os.environ.get("OMP_NUM_THREADS") or os.cpu_count()
    return ", ".join(gpus.values()) if gpus else f"cpu, {threads} threads"


def claim_gpu() -> None:
    """Let this process and its children see one GPU only, which no other ``claim_gpu`` holds.

    The scheduler hands out as many tokens as there are GPUs, so one is always free; a lock says
    which, until this process ends, however it ends. Nothing happens with fewer than two GPUs.
    """
    gpus = list(visible_gpus())
    if len(gpus) < 2:
        return
    for gpu in gpus:
        lock = FileLock(Path(tempfile.gettempdir()) / f"occkd-{os.getuid()}-gpu-{gpu}.lock")
        try:
            lock.acquire(blocking=False)
        except Timeout:
            continue
        _held.append(lock)
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
        return
    raise OcckdError(f"all {len(gpus)} GPUs are held by other occkd jobs: wait until one has ended")


_held: list[FileLock] = []  # a lock that nobody refers to any more is given back
