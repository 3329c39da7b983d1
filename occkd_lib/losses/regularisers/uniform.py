"""Uniform loss: centres spread evenly."""

from __future__ import annotations

import torch
from torch import Tensor


def uniform_loss(centers: Tensor) -> Tensor:
    r"""Centres as like charges, mean over ordered pairs (Duan et al., UniformFace, CVPR 2019).

    .. math:: L = \frac{1}{K (K - 1)} \sum_j \sum_{k \ne j} \frac{1}{1 + \lVert c_j - c_k \rVert_2}

    centers: K x D, K > 1.
    """
    k = len(centers)
    if centers.ndim != 2 or k < 2:
        raise ValueError(f"centers {tuple(centers.shape)} must be K x D with K > 1")
    lower, upper = torch.triu_indices(k, k, 1, device=centers.device)
    c = centers.float()
    distances = (c[lower] - c[upper]).square().sum(1).clamp_min(1e-12).sqrt()
    return (1 / (1 + distances)).mean()
