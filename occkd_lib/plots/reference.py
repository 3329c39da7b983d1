"""What the reference says over recipes: one forest, points above years."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from occkd_lib.plots.forests import BESIDE, better, blue, edge_of, grow, wrapped
from occkd_lib.plots.style import WIDTH, canvas, label_rows
from occkd_lib.results.differences import LEVEL
from occkd_lib.tasks import METRICS

UNBROKEN = "\N{NO-BREAK SPACE}"


def reference_forest(table: pd.DataFrame, *, title: str = "") -> Figure:
    """Differences of ``results.reference_panels``, one row a line, a panel a metric.

    table: recipe, visible, method, against, metric, difference, difference low, difference high,
    p (Holm), seeds. What is the same in all rows stands once, below. A value far beyond the others
    is written at the edge.
    """
    parts = described(table)
    shared = [column for column in parts if parts[column].nunique() == 1 and len(parts) > 1]
    own = parts.drop(columns=shared).agg(lambda row: "\n".join(filter(None, row)), axis=1)
    lines = own.map(lambda text: wrapped(text, BESIDE))
    groups = [rows for _, rows in table.groupby("metric", sort=False)]
    heights = [
        0.4 + sum(0.2 + 0.15 * (1 + text.count("\n")) for text in lines[rows.index])
        for rows in groups
    ]
    beyond = False
    size = (WIDTH, 0.5 + 0.35 * len(groups) + 0.25 * bool(title) + sum(heights))
    with canvas(len(groups), 1, figsize=size, height_ratios=heights) as (figure, axes):
        for ax, rows in zip(axes[:, 0], groups, strict=True):
            metric = METRICS[rows["metric"].iloc[0]]
            values = rows[["difference", "difference low", "difference high"]]
            edge = edge_of(values)
            grow(ax, values, blue(rows["p (Holm)"] < LEVEL), 0, edge)
            beyond |= bool((rows["difference"].abs() > edge).any())
            label_rows(ax, lines[rows.index])
            ax.set_xlabel(f"{metric.short}, {metric.unit} ({better(metric)})")
        said = f"blue: p (Holm) < {LEVEL}; bars: 95 % intervals, other seeds and other faces"
        said += " (one seed: other faces alone)" if (table["seeds"] == 1).any() else ""
        said += "; arrow: beyond the axis" if beyond else ""
        same = "; ".join(filter(None, (parts[column].iloc[0] for column in shared)))
        figure.supxlabel(wrapped(f"{same}\n{said}" if same else said, 100))
        if title:
            figure.suptitle(wrapped(title, 84), x=0.01, ha="left")
    return figure


def described(table: pd.DataFrame) -> pd.DataFrame:
    """What a row is about, in words: the method, what it stands against, where.

    A recipe that all rows share is named apart from their places.
    """
    recipe, name = (table["recipe"].str.split("/").str[k] for k in (0, -1))
    several = recipe.nunique() > 1
    where = pd.DataFrame({
        "place": table["recipe"] if several else name,
        "view": table["visible"],
        "seeds": table["seeds"].map(lambda n: f"{n}{UNBROKEN}seed{'s' if n != 1 else ''}"),
    })  # fmt: skip
    same = [column for column in where if len(table) > 1 and where[column].nunique() == 1]
    return pd.DataFrame({
        "method": table["method"],
        "against": "against " + table["against"],
        "recipe": "" if several else recipe,
        "place": where.drop(columns=same).agg(", ".join, axis=1) if len(same) < 3 else "",
        "same": ", ".join(where[same].iloc[0]),
    })  # fmt: skip
