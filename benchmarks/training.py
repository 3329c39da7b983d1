"""Where does the time of teacher training go? A real epoch of ``fit``, with a clock on its parts.

    OCCKD_DATA=... python benchmarks/training.py            # FER+, the laptop recipe's network
    python benchmarks/training.py --recipe demo --experiment expression

Prints seconds and shares: forward, backward, step; rendering inputs; validation; checkpoint; the
rest. Runs in a temporary outputs folder and leaves no trained network behind.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from occkd_lib.training.networks import new_model
from occkd_lib.training.objectives import TaskObjective
from occkd_lib.training.stages import faces_of

from occkd_lib.config import load_recipe
from occkd_lib.evaluation import METRICS
from occkd_lib.project import write_json
from occkd_lib.runs import Run, environment
from occkd_lib.tasks import TASKS
from occkd_lib.training.batches import Batches
from occkd_lib.training.device import Compute
from occkd_lib.training.fit import fit
from occkd_lib.training.predict import predict
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
    experiment = load_recipe(options.recipe).experiment(options.experiment)
    faces, task = faces_of(experiment.data, experiment.task), TASKS[experiment.task]
    compute = Compute.best(experiment.precision)
    model = new_model(experiment).to(compute.device, memory_format=torch.channels_last)
    views = {s: Views(faces.split(s), model.input_spec, compute.device) for s in ("train", "val")}
    batches = Batches(views["train"], batch_size=experiment.batch_size, seed=0)
    settings = experiment.stages.teacher.model_copy(update={"epochs": 1})

    def validate(network: Any) -> float:
        output = predict(network, views["val"], "full", compute=compute).output
        return METRICS[task.metric](views["val"].faces.targets, task.decide(output).cpu())

    clock = Clock(compute.device)
    with TemporaryDirectory() as folder:
        run = Run.open(folder, {"benchmark": "training"})
        with (
            clock.on(model, "forward", "forward"),
            clock.on(torch.Tensor, "backward", "backward"),
            clock.on(torch.optim.AdamW, "step", "step"),
            clock.on(Views, "inputs", "rendering inputs"),
            clock.on(Run, "save_tensors", "checkpoint"),
        ):
            begun = clock.now()
            fit(
                model,
                batches,
                TaskObjective(task, "full", faces.rule),
                settings,
                run,
                validate=validate,
                compute=compute,
                seed=0,
            )
            total = clock.now() - begun
    clock.seconds["the rest"] = total - sum(clock.seconds.values())
    outside = total - sum(clock.seconds[part] for part in CORE)
    n = len(views["train"])
    print(f"{n:,} faces in {total:.1f} s, {n / total:.0f} a second, validation included")
    for part, seconds in sorted(clock.seconds.items(), key=lambda item: -item[1]):
        print(f"  {part:<18} {seconds:8.2f} s  {seconds / total:6.1%}")
    print(f"outside forward, backward and step: {outside / total:.1%}")
    if options.json:
        facts = {"seconds": clock.seconds, "total": total, "faces": n, "outside": outside / total}
        write_json(options.json, {**facts, "environment": environment()})


if __name__ == "__main__":
    main()
