"""The three distillation terms and their blend with the task loss; one equation a file."""

from occkd_lib.losses.blend import blend
from occkd_lib.losses.hint import hint_loss
from occkd_lib.losses.soft_targets import soft_target_loss
from occkd_lib.losses.triplet import triplet_kd_loss

__all__ = ["blend", "hint_loss", "soft_target_loss", "triplet_kd_loss"]
