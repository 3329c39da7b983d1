"""Drawing: each function takes data and returns a matplotlib Figure, in one style.

A figure draws what it is given: labels come from the caller, colours from ``Row.color``.
"""

from occkd_lib.plots.arrows import arrows_between
from occkd_lib.plots.bars import by_group, discordant_bars, score_bars, shares
from occkd_lib.plots.by_hand import PHOTO, by_hand
from occkd_lib.plots.confusion import agreement
from occkd_lib.plots.curves import label_curves, setting_curves
from occkd_lib.plots.faces import contact_sheet, explanation_grid, image_grid, triplet_strip
from occkd_lib.plots.forests import (
    ablation_forest,
    attention_forest,
    difference_forest,
    over_seeds_forest,
    references,
    results_forest,
)
from occkd_lib.plots.learning import learning_curves
from occkd_lib.plots.photo import asked_of_photo
from occkd_lib.plots.planes import embedding_maps
from occkd_lib.plots.question import question
from occkd_lib.plots.reference import reference_forest
from occkd_lib.plots.style import PALETTE, WIDTH, canvas, told_apart
from occkd_lib.plots.views import hidden_curves, view_matrix

__all__ = [
    "PALETTE", "PHOTO", "WIDTH", "ablation_forest", "agreement", "arrows_between", "asked_of_photo",
    "attention_forest", "by_group", "by_hand", "canvas", "contact_sheet", "difference_forest",
    "discordant_bars", "embedding_maps", "explanation_grid", "hidden_curves", "image_grid",
    "label_curves", "learning_curves", "over_seeds_forest", "question", "reference_forest",
    "references", "results_forest", "score_bars", "setting_curves", "shares", "told_apart",
    "triplet_strip", "view_matrix",
]  # fmt: skip
