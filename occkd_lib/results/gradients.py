"""How hard the terms of a loss pull: the gradient of one beside that of another."""

from __future__ import annotations

from copy import deepcopy
from itertools import islice

import pandas as pd
import torch
from torch import Tensor

from occkd_lib.data import FaceSet
from occkd_lib.errors import OcckdError
from occkd_lib.losses.task import Facts, LossChoice
from occkd_lib.losses.task.centred import Centred
from occkd_lib.losses.task.cross_entropy import cross_entropy
from occkd_lib.models import FaceNet
from occkd_lib.training.batches import Batch, Batches
from occkd_lib.training.views import Views

COLUMNS = ["cross-entropy", "term", "ratio"]


def gradient_norms(
    net: FaceNet,
    choice: LossChoice,
    faces: FaceSet,
    *,
    batch_size: int,
    seed: int,
    view: str = "full",
    batches: int = 10,
    settle: int = 0,
) -> pd.DataFrame:
    """One row a batch: the norms of the gradients of both terms of a loss on representations.

    choice: reg, adareg, uniform, center or island, with its weights. faces: of training, in the
    batches of epoch 0. settle: batches that move the representations first; none, as at the first
    step, for a new network. Norms are over all that comes before the embedding; only the
    cross-entropy reaches what follows. Columns: COLUMNS; ratio: term / cross-entropy. The network
    is in training mode, and is left as it was. OcckdError for a loss without representations.
    """
    net = deepcopy(net).train()
    counts = tuple(torch.bincount(faces.targets, minlength=len(faces.classes)).tolist())
    facts = Facts(len(faces.classes), net.embedding_dim, counts, faces.classes)
    device = next(net.parameters()).device
    torch.manual_seed(seed)
    loss = choice.build(facts).to(device)
    if not isinstance(loss, Centred):
        raise OcckdError(f"loss {choice.name!r} has no term on category representations")
    drawn = Batches(Views(faces, net.input_spec, device), batch_size=batch_size, seed=seed).epoch(0)
    with torch.no_grad():
        for batch in islice(drawn, settle):
            seen = net(batch.inputs(view))
            loss(seen.output, seen.embedding, batch.target)
    rows = [norms(net, loss, batch, view) for batch in islice(drawn, batches)]
    return pd.DataFrame(rows, columns=COLUMNS)


def norms(net: FaceNet, loss: Centred, batch: Batch, view: str) -> tuple[float, float, float]:
    """Of one batch, at the loss's weights; the representations then move on."""
    embedding, output, _ = net(batch.inputs(view))
    old = loss.begin(embedding.detach().float(), batch.target)
    new = loss.move(old, embedding, batch.target)
    target = batch.target if batch.soft_target is None else batch.soft_target
    task = loss.task_weight * cross_entropy(output, target)
    term = loss.weight * loss.term(embedding, batch.target, old, new)
    loss.centers = new.detach()
    learnt = [p for p in net.parameters() if p.requires_grad]
    reached = torch.autograd.grad(embedding.sum(), learnt, retain_graph=True, allow_unused=True)
    shared = [p for p, slope in zip(learnt, reached, strict=True) if slope is not None]
    a, b = norm(task, shared), norm(term, shared)
    return a, b, b / a


def norm(value: Tensor, parameters: list[torch.nn.Parameter]) -> float:
    """Of the gradient of ``value``; 0 where nothing leads from the parameters to it."""
    if not value.requires_grad:
        return 0.0
    slopes = torch.autograd.grad(value, parameters, retain_graph=True, allow_unused=True)
    return float(torch.stack([s.double().norm() for s in slopes if s is not None]).norm())
