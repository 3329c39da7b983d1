"""Island loss: center loss, and centres that point apart."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from occkd_lib.losses.regularisers.center import center_loss


def island_loss(
    embeddings: Tensor, targets: Tensor, centers: Tensor, *, weight: float = 10.0
) -> Tensor:
    r"""Center loss, and centres that point apart (Cai et al., FG 2018, Eq. 6).

    .. math:: L = L_C + \lambda_1 \sum_j \sum_{k \ne j}
              \Bigl( \frac{c_k \cdot c_j}{\lVert c_k \rVert \lVert c_j \rVert} + 1 \Bigr)

    weight: lambda_1. Shapes as in ``center_loss``.
    """
    directions = F.normalize(centers.float())
    cosines = directions @ directions.T
    apart = (cosines + 1).sum() - (cosines.diagonal() + 1).sum()
    return center_loss(embeddings, targets, centers) + weight * apart
