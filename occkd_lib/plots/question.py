"""The book's question in one picture: what the teacher sees, and what is left for its students."""

from __future__ import annotations

from matplotlib.figure import Figure
from torch import Tensor

from occkd_lib.occlusion import occlude
from occkd_lib.plots.faces import show_image
from occkd_lib.plots.style import PALETTE, canvas

SEEN = (
    ("full", "the teacher sees\nthe whole face"),
    ("lower", "a headset:\nthe lower half is left"),
    ("upper", "a mask:\nthe upper half is left"),
)


def question(face: Tensor, taught: str = "soft targets,\nhints, triplets") -> Figure:
    """One face as a teacher sees it, and its halves as the students do. face: C x H x W uint8."""
    if face.ndim != 3:
        raise ValueError(f"face must be C x H x W, not {tuple(face.shape)}")
    with canvas(1, 4, figsize=(7.2, 2.0), width_ratios=(1, 0.8, 1, 1)) as (figure, axes):
        for ax, (view, words) in zip(axes[0, [0, 2, 3]], SEEN, strict=True):
            show_image(ax, occlude(face[None], view)[0].numpy(), words)
        axes[0, 1].axis("off")
        arrow = {"arrowstyle": "-|>", "color": PALETTE[0], "lw": 2}
        axes[0, 1].annotate("", (1, 0.5), (0, 0.5), xycoords="axes fraction", arrowprops=arrow)
        for height, words in ((0.7, taught), (0.33, "how much comes back?")):
            axes[0, 1].text(0.5, height, words, ha="center", va="center", fontsize=9)
    return figure
