"""How the task loss and a distillation term become one: the journal's Eq. 1, 3 and 5."""

from __future__ import annotations

from torch import Tensor


def blend(
    task_loss: Tensor, distillation_loss: Tensor, lam: float, *, keep_task_weight: bool = False
) -> Tensor:
    """(1 - lam) * task + lam * distillation (journal); task + lam * distillation (ICPR 2020).

    task_loss, distillation_loss: scalars. lam: 0 to 1. keep_task_weight=True is the ICPR form,
    in which the task loss keeps weight 1.
    """
    if not 0 <= lam <= 1:
        raise ValueError(f"lam must lie between 0 and 1, not {lam}")
    return (1.0 if keep_task_weight else 1 - lam) * task_loss + lam * distillation_loss
