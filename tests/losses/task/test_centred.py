"""Losses with centres: how these move, what is learnt from them, what a checkpoint keeps."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from occkd_lib.errors import OcckdError
from occkd_lib.losses import adareg_loss, importance_coefficients, reg_loss
from occkd_lib.losses.regularisers.center import moved_centers
from occkd_lib.losses.task import TASK_LOSSES, Facts, LossChoice

FACTS = Facts(3, 2, (9, 3, 1), ("neutral", "happiness", "fear"))
NAMES = ("center", "island", "uniform", "reg", "adareg")
OUTPUT, TARGET = torch.tensor([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]]), torch.tensor([0, 1])


def test_centres_move_by_hand():
    """Class 0 has one face at (4, 0): half of the way, halved again by 1 + n."""
    old = torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    x = torch.tensor([[4.0, 0.0]], requires_grad=True)
    new = moved_centers(old, x, torch.tensor([0]), rate=0.5)
    assert new.tolist() == [[1.0, 0.0], [1.0, 1.0]]
    new.sum().backward()
    assert x.grad.tolist() == [[0.25, 0.25]]


@pytest.mark.parametrize("name", NAMES)
def test_the_network_learns_from_the_centres_and_they_are_kept(name):
    torch.manual_seed(0)
    loss = LossChoice(name=name).build(FACTS)
    loss(OUTPUT, torch.randn(2, 2), TARGET)  # some centres begin with the first batch
    before = loss.centers.clone()
    x = torch.randn(2, 2, requires_grad=True)
    loss(OUTPUT, x, TARGET).backward()
    assert x.grad.abs().sum() > 0 and not loss.centers.requires_grad
    assert not torch.equal(loss.centers, before), "a batch moves them"
    assert "centers" in loss.state_dict(), "and a checkpoint keeps them"
    loss.eval()
    kept = loss.centers.clone()
    loss(OUTPUT, x.detach(), TARGET)
    assert torch.equal(loss.centers, kept), "validation does not move them"


def test_adareg_puts_neutral_last():
    torch.manual_seed(1)
    loss = LossChoice(name="adareg").build(FACTS)
    old, x = loss.centers.clone(), torch.randn(2, 2)
    new = moved_centers(old, x, TARGET)
    alpha = importance_coefficients(TARGET, classes=3, neutral=0)
    order = [1, 2, 0]
    expected = 5 * F.cross_entropy(OUTPUT, TARGET) + 0.01 * adareg_loss(new[order], alpha[order])
    torch.testing.assert_close(loss(OUTPUT, x, TARGET), expected)
    torch.manual_seed(1)
    plain = LossChoice(name="reg", weight=0.5, task_weight=0.0).build(FACTS)
    torch.testing.assert_close(plain(OUTPUT, x, TARGET), 0.5 * reg_loss(new))


@pytest.mark.parametrize("name", NAMES)
def test_what_happens_at_the_edges(name):
    """One face, one class, a class that never occurs, bf16, soft labels: numbers all the same."""
    loss = LossChoice(name=name).build(FACTS)
    for target in (torch.tensor([2]), torch.tensor([[0.5, 0.5, 0.0]])):
        x = torch.zeros(1, 2, dtype=torch.bfloat16, requires_grad=True)
        found = loss(torch.zeros(1, 3).bfloat16(), x, target)
        found.backward()
        assert found.isfinite() and x.grad.isfinite().all()


def test_ldam_takes_the_counts_of_the_training_faces():
    cosines = replace(FACTS, cosines=True)
    loss = LossChoice(name="ldam", scale=1.0, max_margin=0.0).build(cosines)
    found = loss(OUTPUT, torch.zeros(2, 2), TARGET)
    torch.testing.assert_close(found, F.cross_entropy(OUTPUT, TARGET))
    assert set(NAMES) | {"focal", "ldam"} <= set(TASK_LOSSES)


def slope_of(name, **parameters):
    """Gradient of the loss's own term with respect to the embeddings, cross-entropy left out."""
    torch.manual_seed(0)
    loss = LossChoice(name=name, task_weight=0.0, weight=1.0, **parameters).build(FACTS)
    x = torch.randn(2, 2, requires_grad=True)
    loss(OUTPUT.clone().requires_grad_(), x, TARGET).backward()
    return torch.zeros(2, 2) if x.grad is None else x.grad


@pytest.mark.parametrize("name", ["reg", "adareg"])
def test_representations_that_are_only_kept_teach_nothing(name):
    assert slope_of(name).abs().sum() > 0
    assert slope_of(name, moved=False).abs().sum() == 0, "the literal reading"


def test_the_order_of_the_classes_is_a_reading():
    """As given, neutral (class 0) is the lower index of its pairs, so its coefficient counts."""
    torch.manual_seed(1)
    loss = LossChoice(name="adareg", order="given", task_weight=0.0, weight=1.0).build(FACTS)
    old, x = loss.centers.clone(), torch.randn(2, 2)
    alpha = importance_coefficients(TARGET, classes=3, neutral=None)
    expected = adareg_loss(moved_centers(old, x, TARGET), alpha)
    torch.testing.assert_close(loss(OUTPUT, x, TARGET), expected)


def test_centres_begin_where_their_class_first_occurs():
    loss = LossChoice(name="reg", start="first_batch").build(FACTS)
    random = loss.centers.clone()
    x = torch.tensor([[4.0, 2.0], [2.0, 0.0], [1.0, 1.0]])
    loss(torch.zeros(3, 3), x, torch.tensor([1, 1, 2]))
    # begun at their means, then moved by the batch: n / (1 + n) of rate times 0
    torch.testing.assert_close(loss.centers[1:], torch.tensor([[3.0, 1.0], [1.0, 1.0]]))
    assert torch.equal(loss.centers[0], random[0]), "no face yet"
    kept = LossChoice(name="reg", start="first_batch").build(FACTS)
    kept.load_state_dict(loss.state_dict())
    for each in (loss, kept):
        each(torch.zeros(1, 3), torch.tensor([[9.0, 1.0]]), torch.tensor([1]))
    # old 3, 1; moved by half of half the way to 9, 1
    torch.testing.assert_close(kept.centers[1], torch.tensor([4.5, 1.0]))
    assert torch.equal(loss.centers, kept.centers), "a checkpoint knows which have begun"


def test_islands_drift_apart_and_the_faces_follow_them():
    """Cai et al.: the pairs move the centres; a face is drawn to its centre alone."""
    torch.manual_seed(0)
    loss = LossChoice(name="island", start="random", weight=1.0).build(FACTS)
    loss.centers = torch.tensor([[1.0, 0.0], [1.0, 0.2], [-1.0, 0.0]])
    old, x = loss.centers.clone(), torch.tensor([[1.0, 0.0], [1.0, 0.2]], requires_grad=True)
    loss(OUTPUT, x, TARGET).backward()
    assert x.grad.abs().sum() == 0, "each face is at its centre"
    cosine = F.cosine_similarity
    assert cosine(loss.centers[0], loss.centers[1], 0) < cosine(old[0], old[1], 0)
    # by hand: class 0 is pushed along -slope of cos(c0, c1) + cos(c0, c2), times 10 / 2 * 0.5
    c = old.clone().requires_grad_()
    pairs = cosine(c[0], c[1], 0) + cosine(c[0], c[2], 0) + cosine(c[1], c[2], 0)
    (slope,) = torch.autograd.grad(pairs, c)
    torch.testing.assert_close(loss.centers, old - 0.5 * 10 / 2 * slope)


def test_all_classes_may_be_put_in_order():
    torch.manual_seed(1)
    named = LossChoice(name="adareg", order="fear, happiness, neutral", task_weight=0.0, weight=1.0)
    loss = named.build(FACTS)
    old, x = loss.centers.clone(), torch.randn(2, 2)
    new, order = moved_centers(old, x, TARGET), [2, 1, 0]
    alpha = importance_coefficients(TARGET, classes=3, neutral=0)
    torch.testing.assert_close(loss(OUTPUT, x, TARGET), adareg_loss(new[order], alpha[order]))


def test_centres_are_in_full_precision_whatever_surrounds_them():
    x = torch.randn(2, 2)
    torch.manual_seed(0)
    plain = LossChoice(name="adareg").build(FACTS)
    torch.manual_seed(0)
    inside = LossChoice(name="adareg").build(FACTS)
    expected = plain(OUTPUT, x, TARGET)
    with torch.autocast("cpu", torch.bfloat16):
        found = inside(OUTPUT, x, TARGET)
    assert torch.equal(found, expected) and torch.equal(inside.centers, plain.centers)


def test_the_weights_of_center_and_island_are_their_authors():
    """Half the mean square distance to the centre before the batch, times the weight."""
    x = torch.tensor([[4.0, 0.0], [0.0, 2.0]])
    ce = F.cross_entropy(OUTPUT, TARGET)
    for name, weight in (("center", 0.003), ("island", 0.01)):
        loss = LossChoice(name=name, **({} if name == "center" else {"start": "random"})).build(
            FACTS
        )
        loss.centers = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]])
        center = 0.5 * (9.0 + 1.0) / 2
        root = 2**0.5
        pairs = 2 * (3 + 0 - 1 / root - 1 / root) if name == "island" else 0.0
        found = loss(OUTPUT, x, TARGET)
        assert float(found) == pytest.approx(float(ce) + weight * (center + 10 * pairs), rel=1e-5)


def test_ldam_s_margins_follow_the_counts():
    cosines, target = torch.tensor([[0.2, 0.1, -0.3]]), torch.tensor([2])
    loss = LossChoice(name="ldam").build(replace(FACTS, cosines=True))
    margins = torch.tensor([9.0, 3.0, 1.0]) ** -0.25
    z = cosines.clone()
    z[0, 2] -= 0.5 * margins[2] / margins.max()
    torch.testing.assert_close(loss(cosines, cosines, target), F.cross_entropy(30 * z, target))
    common = torch.tensor([0])
    z = cosines.clone()
    z[0, 0] -= 0.5 * margins[0] / margins.max()
    torch.testing.assert_close(loss(cosines, cosines, common), F.cross_entropy(30 * z, common))


def test_focal_takes_the_likeliest_class_of_soft_labels():
    soft = torch.tensor([[0.6, 0.3, 0.1], [0.1, 0.8, 0.1]])
    loss = LossChoice(name="focal").build(FACTS)
    assert torch.equal(loss(OUTPUT, OUTPUT, soft), loss(OUTPUT, OUTPUT, TARGET))


@pytest.mark.parametrize(
    ("name", "parameters"), [("reg", {"start": "zeros"}), ("adareg", {"order": "neutral_first"})]
)
def test_a_reading_there_is_not_is_refused(name, parameters):
    with pytest.raises(OcckdError, match="it can be"):
        LossChoice(name=name, **parameters).build(FACTS)
