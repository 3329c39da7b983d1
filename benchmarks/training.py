"""Where does the time of teacher training go? A real stage of one epoch, with a clock on its parts.

    OCCKD_DATA=... python benchmarks/training.py            # FER+, the laptop recipe's network
    python benchmarks/training.py --recipe demo --experiment expression

Prints seconds and shares: forward, backward, step; rendering inputs; checkpoint; the rest. Runs in
a temporary outputs folder and leaves no trained network behind.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from occkd_lib.config import Recipe, load_recipe
from occkd_lib.models import FaceNet
from occkd_lib.project import write_json
from occkd_lib.runs import Run, environment
from occkd_lib.stages import faces_of, run_stage
from occkd_lib.training.device import Compute
from occkd_lib.training.views import Views

CORE = ("forward", "backward", "step")


class Clock:
    """Seconds by part; a part inside another counts for itself only."""

    def __init__(self, device: torch.device) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.device, self.inner = device, [0.0]

    def now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    @contextmanager
    def on(self, owner: Any, name: str, part: str) -> Iterator[None]:
        """Time every call of ``owner.name`` as ``part``."""
        original: Callable = getattr(owner, name)

        def timed(*args: Any, **kwargs: Any) -> Any:
            self.inner.append(0.0)
            begun = self.now()
            try:
                return original(*args, **kwargs)
            finally:
                spent = self.now() - begun
                self.seconds[part] += spent - self.inner.pop()
                self.inner[-1] += spent

        setattr(owner, name, timed)
        try:
            yield
        finally:
            setattr(owner, name, original)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", default="laptop")
    parser.add_argument("--experiment", default="fer")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    change = {"stages": {"teacher": {"epochs": 1}}}
    experiment = load_recipe(options.recipe).experiment(options.experiment).varied(change)
    once = Recipe(name="benchmark", description="one epoch", experiments={"e": experiment})
    n = len(faces_of(experiment).split("train"))  # decoded, or drawn, before the clock starts
    clock = Clock(Compute.best().device)
    with TemporaryDirectory() as folder:
        os.environ["OCCKD_OUTPUTS"] = folder
        with (
            clock.on(FaceNet, "forward", "forward"),
            clock.on(torch.Tensor, "backward", "backward"),
            clock.on(torch.optim.AdamW, "step", "step"),
            clock.on(Views, "inputs", "rendering inputs"),
            clock.on(Run, "save_tensors", "checkpoint"),
        ):
            begun = clock.now()
            run_stage(once, "e", 0, "teacher")
            total = clock.now() - begun
    clock.seconds["the rest"] = total - sum(clock.seconds.values())
    outside = total - sum(clock.seconds[part] for part in CORE)
    print(f"{n:,} faces in {total:.1f} s, validation and test on every view included")
    for part, seconds in sorted(clock.seconds.items(), key=lambda item: -item[1]):
        print(f"  {part:<18} {seconds:8.2f} s  {seconds / total:6.1%}")
    print(f"outside forward, backward and step: {outside / total:.1%}")
    if options.json:
        facts = {"seconds": clock.seconds, "total": total, "faces": n, "outside": outside / total}
        write_json(options.json, {**facts, "environment": environment()})


if __name__ == "__main__":
    main()
