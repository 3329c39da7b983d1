"""One style for all figures.

A figure is closed for pyplot before it is returned: a notebook shows it once, a script without a
screen just saves it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

Color = Any  # whatever matplotlib takes for one

WIDTH = 7.5  # inches; what a notebook shows without scaling
PALETTE = [  # seaborn's "colorblind"; ``Row.color`` counts in it
    to_rgb(f"#{colour}")
    for colour in (
        "0173b2", "de8f05", "029e73", "d55e00", "cc78bc",
        "ca9161", "fbafe4", "949494", "ece133", "56b4e9",
    )
]  # fmt: skip
SIGNIFICANT, FAINT = PALETTE[0], "0.5"
DASHES = ("-", "--", ":", "-.")
STYLE: dict[str, Any] = {
    "figure.dpi": 100, "savefig.dpi": 150, "savefig.bbox": "tight",
    "font.size": 10, "axes.titlesize": 11, "axes.titleweight": "bold", "axes.titlelocation": "left",
    "figure.titlesize": 11, "figure.titleweight": "bold", "figure.labelsize": 10,
    "axes.labelsize": 10, "xtick.labelsize": 9, "ytick.labelsize": 9,
    "legend.fontsize": 9, "legend.frameon": False,
    "axes.edgecolor": "0.4", "axes.linewidth": 0.8, "grid.color": "0.92", "grid.linewidth": 0.8,
}  # fmt: skip


@contextlib.contextmanager
def canvas(rows: int = 1, columns: int = 1, **how: Any) -> Iterator[tuple[Figure, Any]]:
    """Figure and axes (2-D array) in the book's style; pyplot forgets them at the end."""
    with plt.style.context(["seaborn-v0_8-ticks", STYLE]):
        figure, axes = plt.subplots(rows, columns, squeeze=False, layout="constrained", **how)
        try:
            yield figure, axes
            for ax in axes.flat:
                ax.spines[["top", "right"]].set_visible(False)
        finally:
            plt.close(figure)


def colored(names: Iterable[str], colors: Mapping[str, int] | None) -> dict[str, Color]:
    """Each name's colour; colors: name -> place in PALETTE, None for one after the other."""
    places = {name: place for place, name in enumerate(names)} if colors is None else colors
    return {name: PALETTE[places[name] % len(PALETTE)] for name in names}


def dashes(colors: Iterable[Color]) -> list[str]:
    """A style for each of some lines: those that share a colour are told apart by their dashes."""
    found = list(colors)
    return [DASHES[found[:k].count(c) % len(DASHES)] for k, c in enumerate(found)]


def label_rows(ax: Axes, labels: Iterable[str]) -> None:
    """Names beside horizontal bars or dots, the first on top."""
    names = list(labels)
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)


def told_apart(titles: Mapping[str, str]) -> dict[str, str]:
    """name -> title; titles that several names share get the name behind them."""
    shared = list(titles.values())
    return {n: t if shared.count(t) == 1 else f"{t} ({n})" for n, t in titles.items()}
