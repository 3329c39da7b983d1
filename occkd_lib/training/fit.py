"""The one training loop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from occkd_lib.errors import OcckdError
from occkd_lib.models import FaceNet
from occkd_lib.randomness import derived_seed
from occkd_lib.runs import Run
from occkd_lib.training.batches import Batches
from occkd_lib.training.device import Compute
from occkd_lib.training.norms import rest_norms
from occkd_lib.training.objective import Objective
from occkd_lib.training.settings import FitSettings


def make_optimizer(parameters: list[nn.Parameter], settings: FitSettings) -> torch.optim.Optimizer:
    """SGD, Adam or AdamW as the recipe says; AdamW spares biases and norms from decay.

    Fused: one kernel for all tensors, on the CPU, too (there a quarter of the optimiser's time).
    """
    lr, decay = settings.lr, settings.weight_decay
    if settings.optimizer == "sgd":
        return torch.optim.SGD(
            parameters, lr=lr, momentum=settings.momentum, weight_decay=decay, fused=True
        )
    if settings.optimizer == "adam":
        return torch.optim.Adam(parameters, lr=lr, weight_decay=decay, fused=True)
    matrices = [p for p in parameters if p.ndim > 1]
    vectors = [p for p in parameters if p.ndim <= 1]
    groups: list[dict[str, Any]] = [{"params": matrices}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=lr, weight_decay=decay, fused=True)


def make_schedule(optimizer: torch.optim.Optimizer, settings: FitSettings, steps: int) -> Any:
    """A plateau or step schedule (once an epoch), a one-cycle one (once a batch), or None."""
    if settings.schedule == "plateau":
        return torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer,
            mode="max",
            factor=settings.plateau_factor,
            patience=settings.plateau_patience - 1,  # torch lowers the rate one epoch later
            threshold=0.0,
            min_lr=settings.final_lr or 0.0,
        )
    if settings.schedule == "step":
        return torch.optim.lr_scheduler.StepLR(
            optimizer, settings.step_epochs, gamma=settings.step_factor
        )
    if settings.schedule == "onecycle":
        return torch.optim.lr_scheduler.OneCycleLR(
            optimizer, settings.lr, total_steps=settings.epochs * steps, cycle_momentum=False
        )
    return None


class Progress:
    """What a checkpoint holds: network, objective, best network, optimiser, schedule, history."""

    def __init__(
        self,
        model: nn.Module,
        objective: nn.Module,
        optimizer: torch.optim.Optimizer,
        schedule: Any,
    ) -> None:
        self.model, self.objective = model, objective
        self.optimizer, self.schedule = optimizer, schedule
        self.history: list[dict[str, float]] = []
        self.best_metric = -math.inf
        self.best_epoch = -1
        self.best: dict[str, Tensor] = {}

    def keep_best(self, metric: float, *, always: bool) -> None:
        """Remember the weights if ``metric`` (higher is better) is the best yet, or always."""
        if always or metric > self.best_metric:
            self.best_metric, self.best_epoch = metric, len(self.history) - 1
            self.best = {k: v.detach().clone() for k, v in self.model.state_dict().items()}

    def save(self, run: Run) -> None:
        state = self.optimizer.state_dict()
        tensors = {f"model/{k}": v for k, v in self.model.state_dict().items()}
        tensors |= {f"objective/{k}": v for k, v in self.objective.state_dict().items()}
        tensors |= {f"best/{k}": v for k, v in self.best.items()}
        for number, slots in state["state"].items():
            tensors |= {f"optimizer/{number}/{k}": v for k, v in slots.items() if v is not None}
        facts = {
            "history": self.history,
            "best_metric": self.best_metric,
            "best_epoch": self.best_epoch,
            "param_groups": state["param_groups"],
            "schedule": self.schedule.state_dict() if self.schedule else None,
            "seconds": run.seconds,
        }
        run.save_tensors("checkpoint", tensors, facts)

    def resume(self, run: Run) -> None:
        """Go on from the run's checkpoint, if it has one."""
        loaded = run.load_tensors("checkpoint")
        if loaded is None:
            return
        tensors, facts = loaded
        parts: dict[str, dict[str, Tensor]] = {
            part: {} for part in ("model", "objective", "best", "optimizer")
        }
        for key, value in tensors.items():
            part, name = key.split("/", 1)
            parts[part][name] = value
        self.model.load_state_dict(parts["model"])
        self.objective.load_state_dict(parts["objective"])
        self.best = parts["best"]
        slots: dict[int, dict[str, Tensor]] = {}
        for key, value in parts["optimizer"].items():
            number, name = key.split("/")
            slots.setdefault(int(number), {})[name] = value
        self.optimizer.load_state_dict({"state": slots, "param_groups": facts["param_groups"]})
        for parameter, own in self.optimizer.state.items():
            for name, value in own.items():
                if value.shape == parameter.shape:  # fused kernels pair values by their place
                    own[name] = torch.empty_like(parameter).copy_(value)  # in memory
        if self.schedule:
            self.schedule.load_state_dict(facts["schedule"])
        self.history = facts["history"]
        self.best_metric, self.best_epoch = facts["best_metric"], facts["best_epoch"]
        run.add_seconds(facts["seconds"])


def fit(
    model: FaceNet,
    batches: Batches,
    objective: Objective,
    settings: FitSettings,
    run: Run,
    *,
    validate: Callable[[FaceNet], float],
    compute: Compute,
    seed: int,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Train ``model`` (and what ``objective`` has to learn) in place; leave the selected weights.

    validate: metric on the validation split, higher is better; it chooses the epoch
    (settings.select == "best") and drives the plateau schedule. Where there is no such split it is
    NaN, the last epoch is kept, and the training loss drives the schedule. A checkpoint is written
    after every epoch; whatever an epoch draws at random depends on (seed, epoch) alone, so a run
    killed at any moment and started again ends where an undisturbed one ends.

    Returns facts for the run's status. Raises OcckdError when the loss stops being a number.
    """
    learnt = [p for p in (*model.parameters(), *objective.parameters()) if p.requires_grad]
    optimizer = make_optimizer(learnt, settings)
    schedule = make_schedule(optimizer, settings, len(batches))
    progress = Progress(model, objective, optimizer, schedule)
    progress.resume(run)
    every = max(1, settings.epochs // 20)  # at most about 20 lines a stage
    for epoch in range(len(progress.history), settings.epochs):
        begun = time.monotonic()
        torch.manual_seed(derived_seed(seed, "dropout", epoch))
        lr = optimizer.param_groups[0]["lr"]
        objective.start_epoch(model, epoch)
        model.train()
        if settings.freeze_norm:
            rest_norms(model)
        objective.train()
        losses, parts = [], []
        for batch in batches.epoch(epoch):
            with compute.autocast():
                loss = objective(model, batch)
            parts.append(objective.parts(loss))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            if settings.schedule == "onecycle":
                schedule.step()
            losses.append(loss.detach())  # no synchronisation inside the epoch
        check_finite(torch.stack(losses), epoch, run)
        metric, mean_loss = validate(model), float(torch.stack(losses).mean())
        task, rest = torch.stack(parts).mean(0).tolist()
        if settings.schedule == "plateau":
            schedule.step(-mean_loss if math.isnan(metric) else metric)
        elif settings.schedule == "step":
            schedule.step()
        progress.history.append(
            {
                "epoch": epoch,
                "lr": lr,
                "loss": mean_loss,
                "task": task,  # by itself
                "rest": rest,  # of the loss without it, as weighted
                "validation": metric,
                "seconds": round(time.monotonic() - begun, 2),
            }
        )
        progress.keep_best(metric, always=settings.select == "last")
        progress.save(run)
        if epoch % every == 0 or epoch == settings.epochs - 1:
            held_out = "no validation" if math.isnan(metric) else f"validation {metric:.4f}"
            seconds, to_do = progress.history[-1]["seconds"], settings.epochs - epoch - 1
            left = f", about {to_do * seconds:.0f} s left" if to_do else ""
            say(
                f"{run.folder.name} epoch {epoch + 1}/{settings.epochs}  loss {mean_loss:.4f}  "
                f"{held_out}  {seconds:.0f} s{left}"
            )
    model.load_state_dict(progress.best)
    run.save_table("history.csv", pd.DataFrame(progress.history))
    return {
        "selected_epoch": progress.best_epoch,
        "validation_metric": progress.best_metric,
        "train_seconds": sum(row["seconds"] for row in progress.history),
    }


def check_finite(losses: Tensor, epoch: int, run: Run) -> None:
    """Raise OcckdError at the first step whose loss is not a number."""
    bad = (~losses.isfinite()).nonzero()
    if len(bad):
        raise OcckdError(
            f"{run.folder}: the loss became {float(losses[bad[0]])} at epoch {epoch + 1}, step "
            f"{int(bad[0]) + 1}: lower the stage's lr in the recipe, or use precision fp32"
        )
