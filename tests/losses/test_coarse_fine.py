"""Coarse labels, and the transfer losses of emotional education."""

import math

import pytest
import torch

from occkd_lib.data import VOCABULARIES
from occkd_lib.losses import coarse_labels, opinion_loss, representation_loss, soft_target_loss
from occkd_lib.losses.coarse_fine import COARSE


@pytest.mark.parametrize("vocabulary", ["ferplus8", "rafdb7", "affectnet7", "affectnet8"])
def test_every_expression_has_its_coarse_class(vocabulary):
    classes = VOCABULARIES[vocabulary]
    found = coarse_labels(torch.arange(len(classes)), classes).tolist()
    named = {name: COARSE[k] for name, k in zip(classes, found, strict=True)}
    assert named["happiness"] == "positive" and named["surprise"] == "surprise"
    assert named["neutral"] == "neutral" and named.get("contempt", "negative") == "negative"
    assert {named[n] for n in ("sadness", "anger", "disgust", "fear")} == {"negative"}


def test_contempts_place_is_a_choice():
    classes = ("contempt", "happiness")
    assert coarse_labels(torch.tensor([0, 1]), classes, contempt="neutral").tolist() == [2, 0]
    with pytest.raises(ValueError, match="contempt must be one of positive"):
        coarse_labels(torch.tensor([0]), classes, contempt="cold")
    with pytest.raises(ValueError, match="no coarse class for boredom"):
        coarse_labels(torch.tensor([0]), ("boredom",))


def test_representation_loss_by_hand():
    s, t = torch.tensor([[1.0, 2.0], [0.0, 0.0]]), torch.tensor([[0.0, 0.0], [0.0, 2.0]])
    assert representation_loss(s, t).item() == (1 + 4 + 4) / 4
    assert representation_loss(s, t, reduction="sum").item() == (5 + 4) / 2


def test_opinion_loss_by_hand():
    s, t = torch.tensor([[0.0, 0.0]]), torch.tensor([[0.0, math.log(3.0)]])
    expected = 0.25 * math.log(0.25 / 0.5) + 0.75 * math.log(0.75 / 0.5)
    assert opinion_loss(s, t).item() == pytest.approx(expected)
    assert opinion_loss(t, t).item() == pytest.approx(0, abs=1e-7)


def test_no_gradient_reaches_the_teacher_and_opinions_pull_as_soft_targets_do():
    s, t = (torch.randn(6, 4, requires_grad=True) for _ in range(2))
    (opinion_loss(s, t) + representation_loss(s, t)).backward()
    assert t.grad is None
    a, b = (s.detach().clone().requires_grad_() for _ in range(2))
    opinion_loss(a, t).backward()
    soft_target_loss(b, t, 1.0).backward()
    torch.testing.assert_close(a.grad, b.grad)
