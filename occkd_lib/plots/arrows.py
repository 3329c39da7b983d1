"""What comes from what: boxes in columns, with arrows between them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from statistics import mean

from matplotlib.figure import Figure

from occkd_lib.plots.style import DASHES, PALETTE, WIDTH, canvas

Stop = str | tuple[str, str, int]  # a box, or where an arrow passes through a column


def arrows_between(
    words: Mapping[str, str],
    arrows: Mapping[tuple[str, str], str],
    colors: Mapping[str, int] | None = None,
    *,
    fontsize: float = 8,
) -> Figure:
    """A box a name, each in the column after the last of those that lead to it.

    words: name -> what stands in its box. arrows: (from, to) -> what goes along it; each of these
    has a dash of its own. No circle may be among them. colors: name -> place in PALETTE.
    """
    column = {name: column_of(name, arrows) for name in words}
    along = ways(arrows, column)
    place = places(words, along.values(), column)
    tallest = 1 + 2 * max(abs(y) for _, y in place.values())
    widest = max(x for x, _ in place.values())
    size = WIDTH, (0.3 + 0.055 * fontsize) * tallest + 0.6
    with canvas(figsize=size) as (figure, [[ax]]):
        boxes = {}
        for name in words:
            x, y = place[name]
            edge = "0.4" if colors is None else PALETTE[colors[name] % len(PALETTE)]
            frame = {"boxstyle": "round", "fc": "white", "ec": edge, "lw": 1.3}
            centred = {"ha": "center", "va": "center", "fontsize": fontsize}
            boxes[name] = ax.text(x, y, words[name], bbox=frame, zorder=3, **centred)
        for number, kind in enumerate(dict.fromkeys(arrows.values())):
            line = {"ls": DASHES[number % len(DASHES)], "color": "0.35", "lw": 1.0}
            for (start, end), what in arrows.items():
                if what != kind:
                    continue
                way = [place[stop] for stop in along[start, end]]
                ax.plot(*zip(*way[:-1], strict=True), **line, zorder=1)
                last = {"patchA": boxes[start].get_bbox_patch()} if len(way) == 2 else {}
                last |= {"patchB": boxes[end].get_bbox_patch(), "shrinkA": 0, "shrinkB": 2}
                how = {"arrowstyle": "-|>", **line, **last}
                ax.annotate("", way[-1], way[-2], arrowprops=how, zorder=1)
            if kind:
                ax.plot([], [], label=kind, **line)
        ax.set(xlim=(-0.6, widest + 0.6), ylim=(-tallest / 2, tallest / 2))
        ax.axis("off")
        if any(arrows.values()):
            figure.legend(loc="outside lower center", ncols=4)
    return figure


def ways(
    arrows: Iterable[tuple[str, str]], column: Mapping[str, int]
) -> dict[tuple[str, str], list[Stop]]:
    """Arrow -> its stops: the box it leaves, a place in each column it passes, the box it meets."""
    return {
        (a, b): [a, *((a, b, between) for between in range(column[a] + 1, column[b])), b]
        for a, b in arrows
    }


def places(
    words: Iterable[str], along: Iterable[Sequence[Stop]], column: Mapping[str, int]
) -> dict[Stop, tuple[int, float]]:
    """Stop -> its column and height. An arrow has a row of its own in every column that it passes,
    so it runs behind no box; a column is sorted by where its arrows come from (K. Sugiyama et al.,
    1981, one sweep)."""
    before: dict[Stop, list[Stop]] = {name: [] for name in words}
    columns: dict[Stop, int] = {name: column[name] for name in column}
    for way in along:
        for last, stop in pairwise(way):
            before.setdefault(stop, []).append(last)
            columns.setdefault(stop, columns[last] + 1)
    found: dict[Stop, tuple[int, float]] = {}
    for here in range(1 + max(columns.values())):
        members = [stop for stop in before if columns[stop] == here]
        low = {s: -mean(found[b][1] for b in before[s]) if before[s] else 0.0 for s in members}
        for row, stop in enumerate(sorted(members, key=low.__getitem__)):
            found[stop] = here, (len(members) - 1) / 2 - row
    return found


def column_of(name: str, arrows: Mapping[tuple[str, str], str]) -> int:
    """The number of arrows on the longest way to a box."""
    return max((1 + column_of(a, arrows) for a, b in arrows if b == name), default=0)
