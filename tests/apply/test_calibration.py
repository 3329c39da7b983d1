"""Temperatures and calibration errors, against what is worked out by hand or by a plain loop."""

from __future__ import annotations

import math

import pytest
import torch

from occkd_lib.apply.calibration import (
    coverage,
    errors_of,
    expected_calibration_error,
    fit_temperature,
    log_loss,
)
from occkd_lib.apply.model import probabilities


def overconfident(factor: float, n: int = 20_000, classes: int = 4):
    """Logits ``factor`` times too large for the labels that were drawn from them."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(n, classes, generator=generator) * 2
    target = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
    return logits * factor, target


@pytest.mark.parametrize("factor", [0.03, 0.5, 1.0, 3.0])
def test_the_temperature_that_was_hidden_is_found(factor):
    output, target = overconfident(factor)
    assert fit_temperature(output, target) == pytest.approx(factor, rel=0.05)


def test_of_two_classes():
    generator = torch.Generator().manual_seed(1)
    logit = torch.randn(20_000, 1, generator=generator) * 2
    target = (torch.rand(20_000, generator=generator) < logit[:, 0].sigmoid()).long()
    assert fit_temperature(logit * 4, target) == pytest.approx(4, rel=0.05)


def test_it_is_the_best_on_a_fine_grid():
    output, target = overconfident(2.0, n=300)
    found = fit_temperature(output, target)
    best = min(log_loss(output, target, 0.5 + k / 200) for k in range(1000))
    assert log_loss(output, target, found) <= best + 1e-9
    assert log_loss(output, target, found) < log_loss(output, target, 1.0)


def test_nothing_to_fit():
    assert fit_temperature(torch.empty(0, 3), torch.empty(0, dtype=torch.int64)) == 1.0
    never_wrong = torch.eye(3) * 5
    assert 1e-3 <= fit_temperature(never_wrong, torch.arange(3)) < 0.1


def test_log_loss_by_hand():
    output = torch.tensor([[0.0, math.log(3.0)]])
    assert log_loss(output, torch.tensor([1]), 1.0) == pytest.approx(-math.log(0.75))
    assert log_loss(torch.tensor([[math.log(3.0)]]), torch.tensor([0]), 1.0) == pytest.approx(
        -math.log(0.25)
    )


def test_calibration_error_by_hand():
    sure = torch.tensor([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.4, 0.6]])
    target = torch.tensor([0, 1, 0, 1])  # right, wrong, right, right
    # bin of 0.9: 2 faces, right 0.5, gap 0.4; bin of 0.6: 2 faces, right 1, gap 0.4
    assert expected_calibration_error(sure, target) == pytest.approx(0.4)


def test_calibration_error_by_a_loop():
    output, target = overconfident(2.0, n=500)
    sure = output.softmax(1)
    total = 0.0
    for b in range(15):
        inside = [
            (p.max().item(), p.argmax().item() == t)
            for p, t in zip(sure.double(), target.tolist(), strict=True)
            if b / 15 < p.max().item() <= (b + 1) / 15
        ]
        if inside:
            gap = sum(p for p, _ in inside) / len(inside) - sum(r for _, r in inside) / len(inside)
            total += abs(gap) * len(inside) / 500
    assert expected_calibration_error(sure, target) == pytest.approx(total, abs=1e-6)


def test_the_right_temperature_calibrates_and_a_wrong_one_does_not():
    output, target = overconfident(3.0)
    found = fit_temperature(output, target)
    error = {
        t: expected_calibration_error(probabilities(output, t, softmax=True), target)
        for t in (found, 1.0, 1 / found)
    }
    assert error[found] < 0.02 < 0.1 < error[1.0] < error[1 / found]


def test_years_by_hand():
    output, target = torch.tensor([[10.0], [20.0], [33.0]]), torch.tensor([10.0, 24.0, 30.0])
    found = errors_of(output, target)  # errors 0, -4, 3
    assert found.n == 3
    assert found.bias == pytest.approx(-1 / 3)
    assert found.spread == pytest.approx(math.sqrt(25 / 3))
    assert found.sd == pytest.approx(math.sqrt(25 / 3 - 1 / 9))
    assert coverage(output, target, 1.6) == pytest.approx(2 / 3)  # reaches 3.14
    assert errors_of(output[:0], target[:0]).spread is None
