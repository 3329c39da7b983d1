"""Center loss: every embedding near the centre of its class."""

from __future__ import annotations

from torch import Tensor


def center_loss(embeddings: Tensor, targets: Tensor, centers: Tensor) -> Tensor:
    r"""Half the batch mean of squared distances to the own centre (Wen et al., ECCV 2016, Eq. 2).

    .. math:: L = \frac{1}{2B} \sum_i \lVert x_i - c_{y_i} \rVert_2^2

    embeddings: B x D. targets: B. centers: K x D. Computed in float32.
    """
    if embeddings.ndim != 2 or centers.ndim != 2 or embeddings.shape[1] != centers.shape[1]:
        raise ValueError(
            f"embeddings {tuple(embeddings.shape)} and centers {tuple(centers.shape)} must be "
            "matrices of one width"
        )
    return 0.5 * (embeddings.float() - centers.float()[targets]).square().sum(1).mean()
