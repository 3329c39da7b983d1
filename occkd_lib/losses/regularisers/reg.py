"""Keep category representations apart: Reg and AdaReg of emotional education, Eq. 2-3."""

from __future__ import annotations

import torch
from torch import Tensor

SMALLEST = 1e-12  # below every squared distance: a root of 0 has no slope, a sum of 0 no reciprocal


def adareg_loss(
    representations: Tensor, coefficients: Tensor, *, expansion: float = 10.0
) -> Tensor:
    r"""The reciprocal of all weighted distances between categories (Li et al., Eq. 3).

    .. math:: L = \frac{1}{\lambda \sum_{i=0}^{N-1} \sum_{j=i+1}^{N}
              \alpha_i \lVert e_i - e_j \rVert_2}

    representations: K x D, one row a class, in the paper's order (neutral last). coefficients: K,
    from ``importance_coefficients``; each pair is weighted with that of its lower index.
    expansion: lambda. Computed in float32. Where all distances or coefficients are 0 (a batch of
    one class, which has the lowest index) the reciprocal is large, but finite.
    """
    e = representations.float()
    if e.ndim != 2 or len(e) < 2 or coefficients.shape != e.shape[:1]:
        raise ValueError(
            f"representations {tuple(e.shape)} must be K x D with K > 1, coefficients "
            f"{tuple(coefficients.shape)} K"
        )
    if expansion <= 0:
        raise ValueError(f"expansion must be positive, not {expansion}")
    lower, upper = torch.triu_indices(len(e), len(e), 1, device=e.device)
    distances = (e[lower] - e[upper]).square().sum(1).clamp_min(SMALLEST).sqrt()
    weighted = coefficients.to(e)[lower] * distances
    return 1 / (expansion * weighted.sum().clamp_min(SMALLEST**0.5))


def reg_loss(representations: Tensor, *, expansion: float = 10.0) -> Tensor:
    r"""AdaReg with all coefficients 1 (Li et al., Eq. 2). representations: K x D."""
    ones = torch.ones(len(representations), device=representations.device)
    return adareg_loss(representations, ones, expansion=expansion)
