"""Values of public implementations on the same inputs; none of them is needed to run this.

torchdistill 1.1.5 (PyPI): ``torchdistill.losses.mid_level``. info-nce-pytorch 0.1.4 (PyPI):
``info_nce.info_nce``. mdistiller (github.com/megvii-research/mdistiller, a08d46f): DKD and SP.
torch 2.15.0, CPU, float32.
"""

import math

import pytest
import torch

from occkd_lib.losses import (
    attention_loss,
    contrastive_loss,
    decoupled_loss,
    dist_loss,
    relational_angle_loss,
    relational_distance_loss,
    similarity_loss,
)


def waves(*shape, step, scale=1.0):
    """scale * sin(0), sin(step), sin(2 step), ... in the given shape."""
    values = [scale * math.sin(step * i) for i in range(math.prod(shape))]
    return torch.tensor(values, dtype=torch.float64).reshape(shape).float()


LOGITS = waves(5, 4, step=1.7, scale=2.0), waves(5, 4, step=0.9, scale=3.0)
WIDTHS_DIFFER = waves(5, 4, step=1.7), waves(5, 6, step=0.9)
EMBEDDINGS = waves(5, 4, step=1.7), waves(5, 4, step=0.9)
MAPS = waves(3, 4, 2, 3, step=1.7), waves(3, 5, 2, 3, step=0.9)


@pytest.mark.parametrize(
    ("alpha", "beta", "tau", "value"),
    [(1.0, 8.0, 4.0, 16.802188873291016), (2.0, 0.5, 1.0, 1.261522889137268)],
)
def test_decoupled_is_mdistillers(alpha, beta, tau, value):
    target = torch.tensor([0, 3, 1, 1, 2])
    found = decoupled_loss(*LOGITS, target, alpha=alpha, beta=beta, tau=tau)
    assert found.item() == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize(
    ("beta", "gamma", "tau", "value"),
    [(1.0, 1.0, 1.0, 1.6065373420715332), (0.5, 2.0, 4.0, 33.50127029418945)],
)
def test_dist_is_torchdistills(beta, gamma, tau, value):
    found = dist_loss(*LOGITS, beta=beta, gamma=gamma, tau=tau)
    assert found.item() == pytest.approx(value, rel=1e-5)


def test_relations_are_torchdistills():
    found = relational_distance_loss(*WIDTHS_DIFFER).item()
    assert found == pytest.approx(0.012041483074426651, rel=1e-5)
    found = relational_angle_loss(*WIDTHS_DIFFER).item()
    assert found == pytest.approx(0.03720363229513168, rel=1e-5)


def test_similarity_is_mdistillers():
    """torchdistill has 0.02242: its 1 is the norm's order, not the axis; the paper's order is 2."""
    assert similarity_loss(*WIDTHS_DIFFER).item() == pytest.approx(0.08912410587072372, rel=1e-5)


@pytest.mark.parametrize(
    ("squared", "value"), [(True, 0.005475208163261414), (False, 0.18120455741882324)]
)
def test_attention_is_torchdistills_in_both_modes(squared, value):
    assert attention_loss(*MAPS, squared=squared).item() == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize(("tau", "value"), [(0.1, 6.573880672454834), (0.5, 2.0683531761169434)])
def test_contrastive_is_info_nces(tau, value):
    assert contrastive_loss(*EMBEDDINGS, tau=tau).item() == pytest.approx(value, rel=1e-5)
