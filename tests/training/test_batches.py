"""The order of an epoch: every face once, another one every epoch, the same one again."""

from dataclasses import replace

import torch

from occkd_lib.models import InputSpec
from occkd_lib.training.batches import Batches, Moves
from occkd_lib.training.views import Views

SPEC = InputSpec(20, 1, (0.0,), (1.0,))


def drawn(batches, epoch, part="index"):
    return torch.cat([getattr(batch, part) for batch in batches.epoch(epoch)]).tolist()


def test_every_epoch_has_an_order_flips_and_moves_of_its_own(faces):
    views, moves = Views(faces, SPEC, torch.device("cpu")), Moves(3, 0.1, 10)
    batches = Batches(views, batch_size=7, seed=3, moves=moves)
    for part in ("index", "flipped", "offset", "pose"):
        assert drawn(batches, 0, part) != drawn(batches, 1, part), part
        assert drawn(batches, 1, part) == drawn(batches, 1, part), part
    assert sorted(drawn(batches, 0)) == list(range(30))
    other = Batches(views, batch_size=7, seed=4, moves=moves)
    assert drawn(other, 0) != drawn(batches, 0)


def test_faces_are_made_larger_as_often_as_smaller_and_turned_either_way():
    pose = Moves(scale=0.25, tilt=12).poses(20_000, torch.Generator().manual_seed(0))
    factor, degrees = pose[:, 0], pose[:, 1].rad2deg()
    assert 0.8 <= factor.min() < 0.801 and 1.249 < factor.max() <= 1.25
    assert abs((factor > 1).float().mean() - 0.5) < 0.02
    assert -12 <= degrees.min() < -11.9 and 11.9 < degrees.max() <= 12
    assert abs(torch.corrcoef(torch.stack([factor, degrees]))[0, 1]) < 0.03
    assert Moves(3).poses(5, torch.Generator()) is None
    assert not Moves() and Moves(1) and Moves(scale=0.1) and Moves(tilt=1)


def test_a_face_is_moved_alike_whatever_the_batch_size(faces):
    """So methods with batches of other sizes are compared on the same faces."""
    views, seen = Views(faces, SPEC, torch.device("cpu")), []
    for batch_size in (7, 30):
        batches = list(
            Batches(views, batch_size=batch_size, seed=3, moves=Moves(3, 0.1, 10)).epoch(0)
        )
        order = torch.cat([batch.index for batch in batches]).argsort()
        for part in ("flipped", "offset", "pose"):
            seen.append(torch.cat([getattr(batch, part) for batch in batches])[order])
    for few, many in zip(seen[:3], seen[3:], strict=True):
        assert torch.equal(few, many)


def test_a_label_is_drawn_anew_every_epoch(faces):
    soft = torch.full((30, 2), 0.5)
    sampled = replace(faces, soft_targets=soft, sample_labels=True)
    batches = Batches(Views(sampled, SPEC, torch.device("cpu")), batch_size=30, seed=0)
    labels = [next(iter(batches.epoch(k))) for k in range(2)]
    by_face = [batch.target[batch.index.argsort()].tolist() for batch in labels]
    assert by_face[0] != by_face[1] and set(by_face[0]) == {0, 1}
    assert labels[0].soft_target is None
