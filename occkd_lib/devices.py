"""Which devices there are, and a fair share of them; asks without importing torch (seconds)."""

from __future__ import annotations

import fcntl
import os
import subprocess
import tempfile
from pathlib import Path
from typing import TextIO

from occkd_lib.errors import OcckdError


def visible_gpus() -> dict[str, str]:
    """{id: name} of the CUDA devices this process may use; the ids fit CUDA_VISIBLE_DEVICES."""
    query = ["nvidia-smi", "--query-gpu=index,uuid,name", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return {}
    if answer.returncode != 0:
        return {}
    rows = [[part.strip() for part in line.split(",", 2)] for line in answer.stdout.splitlines()]
    every = {index: name for index, _, name in rows}
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is None:
        return every
    by_any_id = every | {uuid: name for _, uuid, name in rows}
    return {i: by_any_id.get(i, "GPU") for i in allowed.split(",") if i and not i.startswith("-")}


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
        handle = open(Path(tempfile.gettempdir()) / f"occkd-{os.getuid()}-gpu-{gpu}.lock", "w")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.close()
            continue
        _held.append(handle)
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
        return
    raise OcckdError(f"all {len(gpus)} GPUs are held by other occkd jobs: wait until one has ended")


_held: list[TextIO] = []  # a lock lasts as long as its file is open
