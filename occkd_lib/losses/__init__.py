"""Losses as pure functions, one equation a file: distillation/, task/, and how they blend."""

from occkd_lib.losses.blend import blend
from occkd_lib.losses.distillation.hint import hint_loss
from occkd_lib.losses.distillation.soft_targets import soft_target_loss
from occkd_lib.losses.distillation.triplet import triplet_kd_loss

__all__ = ["blend", "hint_loss", "soft_target_loss", "triplet_kd_loss"]
