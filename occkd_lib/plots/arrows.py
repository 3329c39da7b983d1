"""What comes from what: boxes in columns, with arrows between them."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure

from occkd_lib.plots.style import DASHES, PALETTE, WIDTH, canvas


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
    columns: dict[int, list[str]] = {}
    for name in words:
        columns.setdefault(column_of(name, arrows), []).append(name)
    place = {
        name: (column, (len(members) - 1) / 2 - row)
        for column, members in columns.items()
        for row, name in enumerate(members)
    }
    tallest, widest = max(map(len, columns.values())), max(columns)
    size = WIDTH, (0.3 + 0.055 * fontsize) * tallest + 0.6
    with canvas(figsize=size) as (figure, [[ax]]):
        boxes = {}
        for name, (x, y) in place.items():
            edge = "0.4" if colors is None else PALETTE[colors[name] % len(PALETTE)]
            frame = {"boxstyle": "round", "fc": "white", "ec": edge, "lw": 1.3}
            centred = {"ha": "center", "va": "center", "fontsize": fontsize}
            boxes[name] = ax.text(x, y, words[name], bbox=frame, zorder=3, **centred)
        for number, kind in enumerate(dict.fromkeys(arrows.values())):
            line = {"ls": DASHES[number % len(DASHES)], "color": "0.35", "lw": 1.0}
            for (start, end), along in arrows.items():
                if along != kind:
                    continue
                (x, y), (beyond, height) = place[start], place[end]
                bend = 0.0 if beyond - x == 1 else -0.25 if height >= y else 0.25  # past others
                how = {
                    "arrowstyle": "-|>", "shrinkA": 2, "shrinkB": 2, **line,
                    "connectionstyle": f"arc3,rad={bend}",
                    "patchA": boxes[start].get_bbox_patch(),
                    "patchB": boxes[end].get_bbox_patch(),
                }  # fmt: skip
                ax.annotate("", place[end], place[start], arrowprops=how, zorder=1)
            if kind:
                ax.plot([], [], label=kind, **line)
        ax.set(xlim=(-0.6, widest + 0.6), ylim=(-tallest / 2, tallest / 2))
        ax.axis("off")
        if any(arrows.values()):
            figure.legend(loc="outside lower center", ncols=4)
    return figure


def column_of(name: str, arrows: Mapping[tuple[str, str], str]) -> int:
    """The number of arrows on the longest way to a box."""
    return max((1 + column_of(a, arrows) for a, b in arrows if b == name), default=0)
