"""Batch norm at rest: it neither uses nor moves with the statistics of the batch at hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def rest_norms(model: nn.Module) -> list[nn.Module]:
    """Put every batch norm into eval mode, until ``model.train()``; returns those that were not."""
    awake: list[nn.Module] = [
        m for m in model.modules() if isinstance(m, _BatchNorm) and m.training
    ]
    for module in awake:
        module.eval()
    return awake


@contextmanager
def norms_at_rest(model: nn.Module) -> Iterator[None]:
    """The same, for a while."""
    awake = rest_norms(model)
    try:
        yield
    finally:
        for module in awake:
            module.train()
