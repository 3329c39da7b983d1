"""Tables of the reference that were written to be read, read again: ablations, Grad-CAM.

Their cells are text, ``75.12 [73.85, 76.39]``; what a sentence needs is parsed from it. Functions
return a Section and raise OcckdError where nothing is on file, as in ``reference_panels``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd

from occkd_lib.errors import OcckdError
from occkd_lib.project import project_root
from occkd_lib.results.differences import LEVEL
from occkd_lib.results.kept import reference
from occkd_lib.results.text import Section

INTERVAL = re.compile(r"([+-]?[\d.]+)(?: ± [\d.]+)? \[([+-]?[\d.]+), ([+-]?[\d.]+)\]")
LOOKED: Sequence[tuple[str, str]] = (
    ("laptop", "fer"), ("laptop", "gender"), ("laptop", "age"), ("face", "fer"),
)  # fmt: skip


def reference_ablations(recipe: str, experiment: str) -> Section:
    """One row a question: its first arm, how many others, which of them are told apart from it.

    Against the first arm; p by Holm's rule within the question, of these networks: over the faces,
    the answers of the seeds (each row tells how many) averaged.
    """
    folder = project_root() / "outputs" / "reference" / recipe
    start, rows = f"ablation-{experiment}-", {}
    for path in sorted(folder.glob(f"{start}*.csv")):
        table = reference(recipe, path.stem)
        [column] = [name for name in table if name.startswith("against ")]
        first, others = table["arm"].iloc[0], table.iloc[1:]
        clear = others[others["p (Holm)"].map(number) < LEVEL]
        told = [f"{row['arm']}: {row[column]}" for row in clear.to_dict("records")]
        rows[path.stem.removeprefix(start).replace("-", " ")] = {
            "compared with": first, "others": len(others),
            "told apart": "; ".join(told) or "none", "seeds": table["seeds"].max(),
        }  # fmt: skip
    if not rows:
        reference(recipe, f"{start}curriculum")  # says how to write it
    found = pd.DataFrame(rows).T.rename_axis("question")
    some = found.index[found["told apart"] != "none"]
    said = f"{recipe}/{experiment}: {len(some)} of {len(found)} questions have an answer"
    if len(some):
        said += f" that is told apart from the first ({', '.join(some)})"
    said += "; of these networks, over faces alone"
    return Section("Ablations on real faces", f"{said}.", found, found)


def reference_attention(
    networks: Sequence[str], where: Sequence[tuple[str, str]] = LOOKED
) -> Section:
    """Grad-CAM mass on the visible part, and each network's difference to the student, points.

    networks: of whom the sentence speaks. Intervals are over faces alone, not over trainings.
    """
    parts, missing = {}, ""
    for recipe, name in where:
        try:
            table = reference(recipe, f"grad-cam-{name}")
        except OcckdError as error:
            missing = missing or str(error)
            continue
        mass, minus = table.columns[2:4]
        own = minus.removeprefix("minus ").removesuffix(
            ", points"
        )  # its half, as it was called once
        called = {own: "student", "teacher on full": "teacher, full face"}
        parts[f"{recipe}/{name}"] = table[["network", "sees", "n", "seeds"]].assign(**{
            "network": table["network"].replace(called),
            "n": table["n"].astype(str).str.replace(",", "").astype(int),
            "mass, %": table[mass], "minus student": table[minus].fillna(""),
        })  # fmt: skip
    if not parts:
        raise OcckdError(missing)
    found = pd.concat(parts, names=["recipe"]).reset_index("recipe")
    asked = found[found["network"].isin(networks)]
    level = "not told apart"
    sides: dict[str, list[str]] = {"more": [], "less": [], level: []}
    for recipe, gap in zip(asked["recipe"], asked["minus student"], strict=True):
        low, high = interval_of(gap)[1:]
        sides["more" if low > 0 else "less" if high < 0 else level].append(recipe)
    said = [
        f"{words} in {len(names)} ({', '.join(dict.fromkeys(names))})"
        for words, names in sides.items() if names
    ]  # fmt: skip
    text = f"{', '.join(networks)} against the student, {len(asked)} comparisons, mass on the "
    text += f"visible part: {'; '.join(said)} (95 % intervals over faces, one at a time; a "
    text += "difference is over the faces of which both networks have a map)."
    return Section("Grad-CAM on real faces", text, found, found.set_index(["recipe", "network"]))


def interval_of(text: str) -> tuple[float, float, float]:
    """Value, low and high of a printed one; ValueError for anything else."""
    found = INTERVAL.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is no value with an interval")
    value, low, high = map(float, found.groups())
    return value, low, high


def number(p: str | float) -> float:
    """A printed p; ``<0.001`` counts as 0.001."""
    return float(str(p).removeprefix("<"))
