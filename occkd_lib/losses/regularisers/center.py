"""Center loss: every embedding near the centre of its class."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def moved_centers(
    centers: Tensor, embeddings: Tensor, targets: Tensor, *, rate: float = 0.5
) -> Tensor:
    r"""The centres after a batch (Wen et al., Eq. 4, Alg. 1); centers: K x D.

    .. math:: c_j \leftarrow c_j - \gamma \frac{\sum_i 1[y_i = j] (c_j - x_i)}{1 + n_j}

    with n_j the faces of class j. Old centres are constants; gradients flow into the embeddings,
    which is what lets a loss on centres alone (Reg, AdaReg, uniform) teach the network.
    """
    x, old = embeddings.float(), centers.detach().float()
    member = F.one_hot(targets, len(old)).to(x.dtype).T  # K x B
    counts = member.sum(1, keepdim=True)
    return old - rate * (counts * old - member @ x) / (1 + counts)


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
