"""One published table beside one experiment of ours: what a chapter shows."""

from __future__ import annotations

import pandas as pd

from occkd_lib.papers.by_stage import COMPARED, our_lines, their_lines
from occkd_lib.papers.correspondence import stage_table
from occkd_lib.papers.layout import in_order
from occkd_lib.papers.missing import titles
from occkd_lib.papers.published import PAPERS, published_table
from occkd_lib.results.store import Store
from occkd_lib.results.summary import OFFICIAL

CONTROL, DIFFERENCE, _, HOLM = COMPARED


def one_table(store: Store, number: str, experiment: str, *, short: bool = False) -> pd.DataFrame:
    """A table of emotional education beside one experiment, whatever its faces and networks are.

    number: "II" ... "IX" or "text IV-E". Official test faces. One row a (stage, metric): as the
    paper prints the row, our mean ± SD and 95 % interval (seeds and faces both random), n, seeds,
    the matched control, the difference to it with its interval and Holm's p over this table of this
    store, and what the paper has, a column a data set: to be compared with ours only where
    ``comparability`` says so. Where nothing of ours ran, "ours" is "no run". short: only as
    printed, metric, ours, published. Raises ValueError for another table, OcckdError for an
    experiment there is not.
    """
    spec = published_table(f"emotional education {number}")
    paper = PAPERS[spec.paper]
    table, theirs = stage_table(paper, spec.number), their_lines(paper, spec.number)
    tested = list(table.sets(paper, store.recipe.experiment(experiment))) or [""]
    theirs = theirs[theirs["stage"].isin(table.stages)]
    ours = our_lines(store, paper, spec, theirs)
    ours = ours[(ours["experiment"] == experiment) & (ours["subset"] == OFFICIAL)]
    sets = list(dict.fromkeys(theirs["data set"]))
    wide = theirs.pivot(index=["stage", "metric"], columns="data set", values="published")[sets]
    wide.columns = [f"published, {name}" for name in sets]
    cells = wide.reset_index().merge(pd.DataFrame({"data set": tested}), how="cross")
    shown = cells.merge(ours, on=["stage", "metric", "data set"], how="outer")
    printed = dict(zip(theirs["stage"], theirs["as printed"], strict=True))
    shown["method"] = shown["stage"].map(titles(store.recipe, table)).fillna(shown["stage"])
    shown["as printed"] = shown["stage"].map(printed).fillna("")
    shown["ours"] = shown["ours"].fillna("no run")
    order = {"data set": tested, "metric": list(theirs["metric"]), "stage": table.stages}
    shown = in_order(shown, order)
    rest = ["95 % interval", "n", "seeds", CONTROL, DIFFERENCE, HOLM]
    columns = ["method", "as printed", "metric", "ours", *([] if short else rest), *wide]
    if len(tested) > 1:
        columns.insert(2, "data set")
    return shown[columns].fillna("").set_index("method")
