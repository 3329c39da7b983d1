"""The order of an epoch: every face once, another one every epoch, the same one again."""

from dataclasses import replace

import torch

from occkd_lib.models import InputSpec
from occkd_lib.training.batches import Batches
from occkd_lib.training.views import Views

SPEC = InputSpec(20, 1, (0.0,), (1.0,))


def drawn(batches, epoch, part="index"):
    return torch.cat([getattr(batch, part) for batch in batches.epoch(epoch)]).tolist()


def test_every_epoch_has_an_order_and_flips_and_shifts_of_its_own(faces):
    batches = Batches(Views(faces, SPEC, torch.device("cpu")), batch_size=7, seed=3, shift=3)
    for part in ("index", "flipped", "offset"):
        assert drawn(batches, 0, part) != drawn(batches, 1, part), part
        assert drawn(batches, 1, part) == drawn(batches, 1, part), part
    assert sorted(drawn(batches, 0)) == list(range(30))
    other = Batches(batches.views, batch_size=7, seed=4, shift=3)
    assert drawn(other, 0) != drawn(batches, 0)


def test_a_label_is_drawn_anew_every_epoch(faces):
    soft = torch.full((30, 2), 0.5)
    sampled = replace(faces, soft_targets=soft, sample_labels=True)
    batches = Batches(Views(sampled, SPEC, torch.device("cpu")), batch_size=30, seed=0)
    labels = [next(iter(batches.epoch(k))) for k in range(2)]
    by_face = [batch.target[batch.index.argsort()].tolist() for batch in labels]
    assert by_face[0] != by_face[1] and set(by_face[0]) == {0, 1}
    assert labels[0].soft_target is None
