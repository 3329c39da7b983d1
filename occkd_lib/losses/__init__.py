"""Losses as pure functions, one equation a file, and how they blend.

distillation/: what a student learns from its teacher. task/: what anybody learns from labels.
regularisers/: what shapes the space of embeddings.
"""

from occkd_lib.losses.blend import blend
from occkd_lib.losses.coarse_fine import coarse_labels
from occkd_lib.losses.distillation.attention import attention_loss, attention_map
from occkd_lib.losses.distillation.contrastive import contrastive_loss
from occkd_lib.losses.distillation.decoupled import decoupled_loss
from occkd_lib.losses.distillation.dist import dist_loss
from occkd_lib.losses.distillation.hint import hint_loss
from occkd_lib.losses.distillation.pseudo_labels import pseudo_label_loss
from occkd_lib.losses.distillation.relational import (
    relational_angle_loss,
    relational_distance_loss,
)
from occkd_lib.losses.distillation.representation import opinion_loss, representation_loss
from occkd_lib.losses.distillation.similarity import similarity_loss
from occkd_lib.losses.distillation.soft_targets import soft_target_loss
from occkd_lib.losses.distillation.triplet import triplet_kd_loss
from occkd_lib.losses.regularisers.center import center_loss
from occkd_lib.losses.regularisers.importance import importance_coefficients
from occkd_lib.losses.regularisers.island import island_loss
from occkd_lib.losses.regularisers.reg import adareg_loss, reg_loss
from occkd_lib.losses.regularisers.uniform import uniform_loss
from occkd_lib.losses.task.focal import focal_loss
from occkd_lib.losses.task.ldam import ldam_loss

__all__ = [
    "adareg_loss", "attention_loss", "attention_map", "blend", "center_loss", "coarse_labels",
    "contrastive_loss", "decoupled_loss", "dist_loss", "focal_loss", "hint_loss",
    "importance_coefficients", "island_loss", "ldam_loss", "opinion_loss", "pseudo_label_loss",
    "reg_loss", "relational_angle_loss", "relational_distance_loss", "representation_loss",
    "similarity_loss", "soft_target_loss", "triplet_kd_loss", "uniform_loss",
]  # fmt: skip
