"""Importance coefficients of expressions in a batch: emotional education, Eq. 1."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def importance_coefficients(targets: Tensor, *, classes: int, neutral: int | None) -> Tensor:
    r"""How much each class is to count: the rarer in the batch, the more (Li et al., Eq. 1).

    .. math:: \alpha_i = 1 - E_i / M

    with E_i the faces of class i among the M of the batch. targets: M, int64. neutral: the class
    that has no coefficient (0: it is "not an emotion"); None for none. A class that does not occur
    has 1; an empty batch gives 1 for every class. Returns ``classes`` float32 values.
    """
    try:
        counts = F.one_hot(targets, classes).float().sum(0)
    except RuntimeError as error:
        raise ValueError(f"there are {classes} classes: {error}") from None
    coefficients = 1 - counts / max(1, len(targets))
    if neutral is not None:
        coefficients[neutral] = 0.0
    return coefficients
