"""Few labels: nested, stratified, and nobody's but those of the drawn faces are learnt from."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from occkd_lib.losses.task import Facts, LossChoice
from occkd_lib.models import NetworkSettings
from occkd_lib.training.batches import Batches
from occkd_lib.training.labels import labelled_faces
from occkd_lib.training.objective import Objective
from occkd_lib.training.views import Views

CPU = torch.device("cpu")


@given(st.integers(0, 1000), st.integers(2, 5), st.floats(0.01, 0.5))
@settings(max_examples=30, deadline=None)
def test_nested_and_stratified(seed, classes, share):
    targets = torch.arange(200) % classes
    few, more = labelled_faces(targets, share, seed), labelled_faces(targets, 2 * share, seed)
    assert set(few.tolist()) <= set(more.tolist())
    for k in range(classes):
        members = int((targets == k).sum())
        assert int((targets[few] == k).sum()) == max(1, round(share * members))
    assert labelled_faces(targets, 1.0, seed).tolist() == list(range(200))


def test_ages_are_drawn_decade_by_decade():
    ages = torch.tensor([3.0] * 50 + [27.0] * 30 + [95.0])
    known = labelled_faces(ages, 0.1, 0)
    assert ages[known].tolist() == [3.0] * 5 + [27.0] * 3 + [95.0]


def test_another_seed_draws_others():
    targets = torch.arange(200) % 2
    assert not torch.equal(labelled_faces(targets, 0.1, 0), labelled_faces(targets, 0.1, 1))
    with pytest.raises(ValueError, match="share must lie in"):
        labelled_faces(targets, 0.0, 0)


def spec():
    return NetworkSettings(name="compact", width=4, input_size=32).build(1).input_spec


def test_every_batch_brings_as_many_labelled_faces(faces):
    batches = Batches(Views(faces, spec(), CPU), batch_size=8, seed=0, label_share=0.2)
    known = set(batches.labelled.tolist())
    assert len(known) == 6
    met = []
    for batch in batches.epoch(0):
        assert len(batch.labelled.index) == len(batch.index)
        assert torch.equal(batch.labelled.target, faces.targets[batch.labelled.index])
        met += batch.labelled.index.tolist()
    assert set(met) == known and len(met) == 30
    assert set(met[:6]) == known  # all of them before any comes again

    def order(epoch):
        return torch.cat([batch.labelled.index for batch in batches.epoch(epoch)]).tolist()

    assert order(0) == met != order(1)


def test_no_other_label_is_looked_at(faces):
    """Labels of all other faces are turned round: the loss stays what it is."""
    views = Views(faces, spec(), CPU)
    batches = Batches(views, batch_size=8, seed=0, label_share=0.2)
    torch.manual_seed(0)
    net = NetworkSettings(name="compact", width=4, input_size=32).build(1).eval()
    facts = Facts(1, net.embedding_dim, (15, 15))
    objective = Objective(LossChoice(name="binary_cross_entropy").build(facts), "lower")

    def losses():
        return [objective(net, batch).item() for batch in batches.epoch(0)]

    before = losses()
    others = torch.ones(30, dtype=torch.bool)
    others[batches.labelled] = False
    batches.targets[others] = 1 - batches.targets[others]
    assert losses() == before
    batches.targets[batches.labelled[0]] = 1 - batches.targets[batches.labelled[0]]
    assert losses() != before
