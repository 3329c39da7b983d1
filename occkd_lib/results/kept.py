"""Results that came with the book: outputs/reference/<recipe>, read again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from occkd_lib.errors import OcckdError
from occkd_lib.project import project_root
from occkd_lib.results.summary import OFFICIAL
from occkd_lib.tasks import METRICS, task_of


def reference(recipe: str, name: str = "summary") -> pd.DataFrame:
    """A table of the reference, as ``results.write_results`` wrote it; OcckdError for none."""
    return pd.read_csv(on_file(f"{recipe}/{name}.csv", f"occkd results {recipe} --reference"))


def reference_differences(recipe: str, experiment: str, against: str = "control") -> pd.DataFrame:
    """The reference's differences to ``against``, in the columns of ``results.differences``.

    One row a method with such a difference, of the task's own metric over all test faces; seeds
    and faces are random. More columns: seeds, needed (seeds that would show what was seen).
    """
    table = reference(recipe)
    table = table[(table["experiment"] == experiment) & (table["subset"] == OFFICIAL)]
    rows = []
    for line in table.to_dict("records"):
        metric = METRICS[line["metric"]]
        if metric.name != task_of(line["task"]).metric.name or pd.isna(line[f"vs_{against}"]):
            continue
        found = [metric.factor * line[f"vs_{against}{part}"] for part in ("", "_low", "_high")]
        p = line[f"p_vs_{against}"], line[f"p_vs_{against}_holm"]
        seeds = len(str(line[f"vs_{against}_by_seed"]).split())
        rows.append((line["title"], line[against], *found, *p, seeds, line[f"seeds_vs_{against}"]))
    columns = ["method", "against", "difference", "low", "high", "p", "p (Holm)", "seeds", "needed"]
    return pd.DataFrame(rows, columns=columns)


def benchmark(name: str) -> dict[str, Any]:
    """What a script of ``benchmarks/`` measured and kept; OcckdError for nothing kept."""
    place = f"benchmarks/{name}.json"
    how = f"python benchmarks/{name}.py --json outputs/reference/{place}"
    return json.loads(on_file(place, how).read_text())


def on_file(place: str, command: str) -> Path:
    """A file of outputs/reference; OcckdError, with the command that writes it, for none."""
    path = project_root() / "outputs" / "reference" / place
    if not path.is_file():
        raise OcckdError(f"no outputs/reference/{place}: write it with '{command}'")
    return path
