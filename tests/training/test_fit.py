"""Schedules and optimisers: what they do, epoch by epoch."""

import re

import pandas as pd
import pytest
import torch
from torch import nn

from occkd_lib.training.fit import Progress, check_finite, make_optimizer, make_schedule
from occkd_lib.training.settings import FitSettings


def rates(values, **settings):
    """The learning rate of each epoch, when validation says ``values``."""
    chosen = FitSettings(epochs=len(values), lr=1.0, **settings)
    optimizer = make_optimizer([nn.Parameter(torch.zeros(1))], chosen)
    schedule = make_schedule(optimizer, chosen, steps=1)
    seen = []
    for value in values:
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step(value)
    return seen


def test_a_patience_of_three_is_three_epochs_without_progress():
    found = rates([0.5, 0.5, 0.5, 0.5, 0.5, 0.5], schedule="plateau", plateau_patience=3)
    assert found == pytest.approx([1, 1, 1, 1, 0.1, 0.1])


def test_progress_starts_the_patience_anew_and_the_floor_holds():
    found = rates(
        [0.5, 0.5, 0.6, 0.6, 0.6, 0.6, 0.6],
        schedule="plateau", plateau_patience=2, final_lr=0.05,
    )  # fmt: skip
    assert found == pytest.approx([1, 1, 1, 1, 1, 0.1, 0.1])
    found = rates([0.5] * 7, schedule="plateau", plateau_patience=1, final_lr=0.05)
    assert found[-1] == pytest.approx(0.05)


def test_a_step_schedule_goes_down_every_few_epochs(tmp_path):
    found = train(tmp_path, Pull(), epochs=9, schedule="step", step_epochs=4, step_factor=0.2)
    assert found == pytest.approx([0.1] * 4 + [0.02] * 4 + [0.004])
    found = train(tmp_path / "b", Pull(), epochs=4, schedule="step", step_epochs=2, step_factor=0.5)
    assert found == pytest.approx([0.1, 0.1, 0.05, 0.05])


def test_one_cycle_rises_and_falls_over_all_steps():
    chosen = FitSettings(epochs=5, lr=1.0, schedule="onecycle")
    optimizer = make_optimizer([nn.Parameter(torch.zeros(1))], chosen)
    schedule = make_schedule(optimizer, chosen, steps=4)
    seen = []
    for _ in range(20):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert max(seen) == pytest.approx(1.0, rel=0.02) and seen[0] == pytest.approx(0.04)
    assert seen[-1] < 1e-3 and seen.index(max(seen)) in (5, 6)
    assert make_schedule(optimizer, FitSettings(epochs=1, lr=1, schedule="constant"), 4) is None


def test_adamw_spares_vectors_from_decay():
    layer = nn.Linear(3, 2)
    chosen = FitSettings(epochs=1, lr=0.1, optimizer="adamw", weight_decay=0.3)
    groups = make_optimizer(list(layer.parameters()), chosen).param_groups
    decay = {id(p): g["weight_decay"] for g in groups for p in g["params"]}
    assert decay == {id(layer.weight): 0.3, id(layer.bias): 0.0}
    for name, kind in (("sgd", torch.optim.SGD), ("adam", torch.optim.Adam)):
        plain = FitSettings(epochs=1, lr=0.1, optimizer=name, weight_decay=0.3)
        made = make_optimizer(list(layer.parameters()), plain)
        assert type(made) is kind and made.param_groups[0]["weight_decay"] == 0.3


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_fused_steps_are_plain_steps_whatever_the_memory_format(name):
    """Fused kernels walk through memory; a convolution's is not in the order of its shape."""
    torch.manual_seed(0)
    chosen = FitSettings(epochs=1, lr=0.1, optimizer=name, weight_decay=0.3)
    ours, theirs = (nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last) for _ in range(2))
    theirs.load_state_dict(ours.state_dict())
    fused, plain = (make_optimizer(list(net.parameters()), chosen) for net in (ours, theirs))
    for group in plain.param_groups:
        group["fused"] = False
    for _ in range(3):
        faces = torch.randn(2, 3, 8, 8).contiguous(memory_format=torch.channels_last)
        for net, optimizer in ((ours, fused), (theirs, plain)):
            optimizer.zero_grad()
            net(faces).square().mean().backward()
            optimizer.step()
    for ours_now, theirs_now in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(ours_now, theirs_now)


def test_the_best_weights_are_a_copy_of_their_moment():
    layer, nothing = nn.Linear(1, 1, bias=False), nn.Identity()
    progress = Progress(layer, nothing, torch.optim.SGD(layer.parameters(), lr=0.1), None)
    for epoch, (value, metric) in enumerate([(1.0, 0.2), (2.0, 0.7), (3.0, 0.7), (4.0, 0.5)]):
        nn.init.constant_(layer.weight, value)
        progress.history.append({"epoch": epoch})
        progress.keep_best(metric, always=False)
    assert (progress.best_epoch, progress.best["weight"].item()) == (1, 2.0), "the first of equals"
    progress.keep_best(0.0, always=True)
    assert (progress.best_epoch, progress.best["weight"].item()) == (3, 4.0)


def test_a_loss_that_is_no_number_is_named_by_its_step(tmp_path):
    from occkd_lib.errors import OcckdError
    from occkd_lib.runs import Run

    check_finite(torch.tensor([1.0, 2.0]), 0, Run(tmp_path))
    with pytest.raises(OcckdError, match="became inf at epoch 3, step 2"):
        check_finite(torch.tensor([1.0, float("inf"), float("nan")]), 2, Run(tmp_path))


class Pull(nn.Module):
    """An objective with a weight of its own, pulled towards 3; a loss of the epoch's choice."""

    def __init__(self, losses=None):
        super().__init__()
        self.own, self.losses = nn.Parameter(torch.zeros(1)), losses

    def start_epoch(self, student, epoch):
        self.epoch = epoch

    def forward(self, student, batch):
        if self.losses:
            return student.weight.sum() * 0 + self.own.sum() * 0 + self.losses[self.epoch]
        return (self.own - 3).square().sum() + student.weight.square().sum()

    def parts(self, loss):
        return torch.stack([loss.detach() - 1, torch.ones(())])


def test_the_history_has_the_task_loss_and_the_rest_of_it(tmp_path):
    train(tmp_path, Pull([4.0, 3.0]), epochs=2)
    history = pd.read_csv(tmp_path / "history.csv")
    assert history["task"].tolist() == [3, 2] and history["rest"].tolist() == [1, 1]


class OneBatch:
    """An epoch of a single batch."""

    def __len__(self):
        return 1

    def epoch(self, number):
        return iter([None])


def train(folder, objective, validate=lambda model: 0.5, say=lambda line: None, **settings):
    """``fit`` of a layer of one weight; the run and the rates of its epochs."""
    from occkd_lib.runs import Run
    from occkd_lib.training.device import Compute
    from occkd_lib.training.fit import fit

    chosen = FitSettings(**{"epochs": 4, "lr": 0.1, "schedule": "constant", **settings})
    run = Run.open(folder, {"seed": 0})
    run.start()
    fit(
        nn.Linear(1, 1, bias=False), OneBatch(), objective, chosen, run,
        validate=validate, compute=Compute.best(), seed=0, say=say,
    )  # fmt: skip
    return run.history["lr"].tolist()


def test_each_epoch_says_what_it_came_to_and_how_long_the_rest_takes(tmp_path):
    said = []
    train(tmp_path / "teacher", Pull([3.0] * 4), epochs=2, say=said.append)
    assert re.fullmatch(
        r"teacher epoch 1/2  loss 3\.0000  validation 0\.5000  0 s, about 0 s left", said[0]
    )
    assert re.fullmatch(r"teacher epoch 2/2  .*  0 s", said[1]) and len(said) == 2


def test_without_validation_the_training_loss_drives_the_plateau(tmp_path):
    plateau = {"schedule": "plateau", "plateau_patience": 1, "select": "last"}
    nothing = {"validate": lambda model: float("nan")}
    falling = train(tmp_path / "a", Pull([4.0, 3.0, 2.0, 1.0]), **plateau, **nothing)
    assert falling == pytest.approx([0.1] * 4)
    rising = train(tmp_path / "b", Pull([1.0, 2.0, 3.0, 4.0]), **plateau, **nothing)
    assert rising == pytest.approx([0.1, 0.1, 0.01, 0.001])


def test_what_an_objective_has_to_learn_is_learnt_and_resumed(tmp_path):
    undisturbed = Pull()
    train(tmp_path / "a", undisturbed)
    assert undisturbed.own.item() > 1, "it is trained, too"
    calls = []

    def interrupted(model):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return 0.5

    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "b", Pull(), interrupted)
    resumed = Pull()
    train(tmp_path / "b", resumed)
    assert resumed.own.item() == pytest.approx(undisturbed.own.item())
