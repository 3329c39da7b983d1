"""What README.md and RESULTS.md say of results, against the tables that the runs wrote.

Each sentence is looked for, word for word but for its numbers, so that neither a table nor a
sentence changes alone.
"""

import json
import re
from functools import cache
from pathlib import Path

import pandas as pd

from occkd_lib.results import OFFICIAL
from occkd_lib.tasks import METRICS

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "outputs" / "reference"
LEVEL = 0.05


def said(page: str, sentence: str) -> list[str]:
    """The numbers of a sentence of a page: {} in it stands for one. It must stand there once."""
    text = " ".join((ROOT / page).read_text(encoding="utf-8").replace("**", "").split())
    pattern = re.escape(sentence).replace(r"\{\}", r"([-+]?\d+(?:\.\d+)?)")
    found = re.findall(pattern, text)
    assert len(found) == 1, f"{page}: {len(found)} times: {sentence}"
    return [found[0]] if isinstance(found[0], str) else list(found[0])


@cache
def summary(recipe: str) -> pd.DataFrame:
    """Rows of the official test faces, in the unit of the tables."""
    table = pd.read_csv(REFERENCE / recipe / "summary.csv")
    table = table[table["subset"] == OFFICIAL]
    factor = table["metric"].map(lambda name: METRICS[name].factor)
    columns = ["mean", *(c for c in table if re.fullmatch("vs_(student|control)(_low|_high)?", c))]
    return table.assign(
        sign=table["metric"].map(lambda name: METRICS[name].sign),
        **{column: factor * table[column] for column in columns},
    )


def ways(experiment: str, metric: str) -> pd.DataFrame:
    """What ``trunk`` compares with its control, by row."""
    table = summary("trunk")
    table = table[(table["experiment"] == experiment) & (table["metric"] == metric)]
    return table[table["vs_control"].notna()].set_index("row")


def value(recipe: str, experiment: str, row: str, view: str, metric: str = "accuracy") -> str:
    table = summary(recipe)
    [found] = table.loc[
        (table["experiment"] == experiment) & (table["row"] == row)
        & (table["test_faces"] == view) & (table["metric"] == metric), "mean",
    ]  # fmt: skip
    return f"{found:.1f}"


def test_no_way_of_teaching_is_ahead_of_its_control():
    said("RESULTS.md", "No way of teaching is ahead of its control")
    said("README.md", "Where every face has a label, no teacher is ahead of as much training")
    rows = summary("trunk")
    assert set(rows["experiment"]) >= {"fer", "gender", "age"}
    ahead = rows[(rows["sign"] * rows["vs_control"] > 0) & (rows["p_vs_control_holm"] < LEVEL)]
    assert ahead.empty, ahead[["experiment", "row", "metric"]]


def test_the_limits_that_are_kindest_to_a_teacher():
    accuracy, weighted, fer, gender, genders, years, ages = said(
        "RESULTS.md",
        "kindest to a teacher are {} points of accuracy and {} of weighted accuracy on FER+ ({} "
        "ways), {} points on gender ({}), {} years on age ({})",
    )
    of = {
        "fer": ways("fer", "accuracy"), "gender": ways("gender", "accuracy"),
        "age": ways("age", "mean_absolute_error"),
    }  # fmt: skip
    assert f"{of['fer']['vs_control_high'].max():.1f}" == accuracy
    assert f"{ways('fer', 'weighted_accuracy')['vs_control_high'].max():.1f}" == weighted
    assert f"{of['gender']['vs_control_high'].max():.1f}" == gender
    assert f"{-of['age']['vs_control_low'].min():.2f}" == years
    assert [str(len(table)) for table in of.values()] == [fer, genders, ages]
    said("README.md", "no interval of a gain in accuracy reaches half a point")
    rows = summary("trunk")
    assert rows.loc[rows["metric"] == "accuracy", "vs_control_high"].max() < 0.5


def test_those_behind_their_control_are_all_named():
    numbers = said(
        "RESULTS.md",
        "on FER+ DIST ({} points, p {}; weighted {}, p {}) and DKD (weighted accuracy {}, p {})",
    )
    rows = summary("trunk")
    behind = rows[(rows["sign"] * rows["vs_control"] < 0) & (rows["p_vs_control_holm"] < LEVEL)]
    found = behind.set_index(["experiment", "row", "metric"])
    dist, dkd, weighted = ("fer", "dist"), ("fer", "decoupled"), "weighted_accuracy"
    named = [(*dist, "accuracy"), (*dist, weighted), (*dkd, weighted)]
    years = [("age", row, "mean_absolute_error") for row in ("triplet", "fitnets", "contrastive")]
    assert set(found.index) == {*named, *years}
    pairs = zip(numbers[::2], numbers[1::2], strict=True)
    for place, (gap, p) in zip(named, pairs, strict=True):
        assert f"{found.loc[place, 'vs_control']:.1f}" == gap
        assert f"{found.loc[place, 'p_vs_control_holm']:.3f}" == p
    *numbers, last = said(
        "RESULTS.md",
        "the paper's triplets ({}, p {}), FitNets ({}, p <0.001) and InfoNCE ({}, p <0.001)",
    )
    triplets, p, fitnets = numbers
    for place, gap in zip(years, (triplets, fitnets, last), strict=True):
        assert f"{found.loc[place, 'vs_control']:+.2f}" == gap
    assert f"{found.loc[years[0], 'p_vs_control_holm']:.3f}" == p
    assert found.loc[years[1:], "p_vs_control_holm"].max() < 0.001


def test_how_often_the_smaller_weight_was_chosen():
    numbers = said(
        "RESULTS.md",
        "For {} of the {} ({} of {} on gender, all {} on age) validation chose the smaller weight",
    )
    chosen = json.loads((REFERENCE / "trunk" / "protocol.json").read_text())["experiments"]

    def smaller(experiment: str) -> list[bool]:
        found = []
        for stage, choice in chosen[experiment]["choices"].items():
            if stage == "control":
                continue
            first, *rest = (
                dict(setting.split("=") for setting in arm.split("@")[1].split(","))
                for arm in [choice["chosen"], *choice["validation"]]
            )
            [weight] = [key for key in first if len({arm[key] for arm in rest}) > 1 and key != "lr"]
            found.append(float(first[weight]) == min(float(arm[weight]) for arm in rest))
        return found

    of = [smaller(name) for name in ("fer", "gender", "age")]
    assert numbers == [
        str(count) for found in of[:2] for count in (sum(found), len(found))
    ] + [str(len(of[2]))]  # fmt: skip
    assert all(of[2])


def test_few_labels():
    table = pd.read_csv(REFERENCE / "few_labels" / "few-labels.csv")
    rows = summary("few_labels")
    here = rows[(rows["experiment"] == "share_1") & (rows["metric"] == "accuracy")].set_index("row")
    gain, rival = said(
        "README.md",
        "with 1 % of the labels {} points, 3.7 of them beyond what another, wider network without "
        "the hidden half gives (not adjusted); the usual rival, pseudo-labels, is worth {}.",
    )
    assert f"{here.loc['modest_standard', 'vs_control']:+.1f}" == gain
    assert f"{here.loc['pseudo_labels', 'vs_control']:+.1f}" == rival
    assert here.loc[["modest_standard", "pseudo_labels"], "p_vs_control_holm"].max() < LEVEL
    said("README.md", "are not told apart from no teacher at any share")
    papers = table[table["stage"].isin(["triplet", "modest_triplet"])]
    assert len(papers) == 9 and (papers["p (Holm)"] >= LEVEL).all()
    told, hints, _soft = said(
        "README.md", "they win {} with 1 % (five seeds; there hints win {}, soft targets {})"
    )
    assert f"{here.loc['told_triplet', 'vs_control']:+.1f}" == told
    assert f"{here.loc['hint', 'vs_control']:+.1f}" == hints
    said("README.md", "such a teacher's soft targets pay with 1 % only.")
    rows = rows[(rows["row"] == "modest_standard") & (rows["metric"] == "weighted_accuracy")]
    paid = rows[(rows["vs_control"] > 0) & (rows["p_vs_control_holm"] < LEVEL)]
    assert paid["experiment"].tolist() == ["share_1"]
    [family] = said("RESULTS.md", "p by Holm's rule over the {} comparisons of that table")
    assert int(family) == 2 * table["p"].notna().sum()


def test_what_practice_wins_back():
    found = [("teacher", "full"), ("teacher", "lower"), ("student", "lower")]
    ours = [value("laptop", "fer", *of) for of in found]
    assert ours == said("README.md", "falls from {} to {} % on lower halves is back at {} % after")
    sentence = "falls from {} % on full faces to {} % on lower halves, the student reaches {} %"
    assert ours == said("RESULTS.md", sentence)


def test_the_face_network():
    places = [("teacher", "full"), ("teacher", "lower"), ("student", "lower")]
    ours = [value("face", "fer", *of) for of in places]
    sentence = "(one that had seen faces before: {}, {}, {} %)"
    assert ours == said("README.md", sentence)
    assert ours == said(
        "RESULTS.md",
        "reaches {} % on full faces; shown lower halves it falls to {}; the student reaches {},",
    )
    rows = summary("face").set_index(["row", "test_faces", "metric"]).sort_index()
    rows = rows[rows["vs_control"].notna()]
    assert set(rows["seeds"]) == {5}
    machine = rows.loc[("control_svm", "lower", "weighted_accuracy")]
    rows = rows.drop("control_svm")
    assert rows["p_vs_control_holm"].min() >= LEVEL
    behind, p = said(
        "RESULTS.md", "own SVM is {} points of weighted accuracy behind the control, p {}"
    )
    assert f"{-machine['vs_control']:.1f}" == behind
    assert f"{machine['p_vs_control_holm']:.3f}" == p
    *numbers, kindest = said(
        "RESULTS.md",
        "soft targets stand at {} [{}, {}] points against it, triplets at {} [{}, {}], their SVMs' "
        "fusion against the control's SVM at {} [{}, {}]; the kindest limit of the five "
        "comparisons is {} points",
    )
    found = []
    for row in ("standard", "triplet", "standard+triplet"):
        line = rows.loc[(row, "lower", "accuracy")]
        found += [f"{line[c]:+.1f}" for c in ("vs_control", "vs_control_low", "vs_control_high")]
    assert found == numbers
    accuracy = rows.xs("accuracy", level="metric")["vs_control_high"]
    assert len(accuracy) == 5 and f"{accuracy.max():.1f}" == kindest
