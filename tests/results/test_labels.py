"""Few labels: one row a share and stage, against the control of the same share."""

import numpy as np
import pytest

from occkd_lib.config import Recipe
from occkd_lib.errors import OcckdError
from occkd_lib.evaluation import holm
from occkd_lib.plots import label_curves
from occkd_lib.results import crossed_table, labels, open_store

from .conftest import make_recipe, write_run

STAGES = ("student", "control", "standard", "triplet")


def with_share(share):
    content = make_recipe("expression").experiments["expression"].model_dump(mode="json")
    for stage in STAGES:
        content["stages"][stage]["label_share"] = share
    content["stages"]["student"]["start"] = None
    del content["stages"]["fusion"], content["stages"]["other_half"]
    return content


@pytest.fixture
def store(outputs):
    recipe = Recipe(
        name="tiny",
        description="toy",
        experiments={"half": with_share(0.5), "tenth": with_share(0.1)},
    )
    for name, more in (("half", 0), ("tenth", 10)):
        for seed in (0, 1):
            for stage, wrong in zip(STAGES, (9, 8, 4, 10), strict=True):
                write_run(recipe, name, seed, stage, wrong + more + seed)
    return open_store(recipe)


def test_shares_from_the_smallest(store):
    assert labels.shares(store) == {0.1: "tenth", 0.5: "half"}
    with pytest.raises(OcckdError, match="no student has a label_share"):
        labels.shares(open_store(make_recipe("gender")))


def test_each_share_against_its_own_control(store):
    table = labels.by_share(store, STAGES)
    assert table["share"].tolist() == [10.0] * 4 + [50.0] * 4
    assert table["stage"].tolist() == [*STAGES] * 2
    wrong = np.array([19.5, 18.5, 14.5, 20.5, 9.5, 8.5, 4.5, 10.5])
    assert table["accuracy, %"].to_numpy() == pytest.approx(100 - 2.5 * wrong, abs=0.01)
    gaps = table["difference"].to_numpy()
    assert gaps == pytest.approx([np.nan, np.nan, 10, -5] * 2, nan_ok=True)
    p = [
        crossed_table.differences(
            crossed_table.answers_by_seed(store, share, ["control", stage]),
            [(stage, "control")],
            metric,
        )["p"].iloc[0]
        for metric in ("accuracy", "weighted_accuracy")
        for share in ("tenth", "half")
        for stage in ("standard", "triplet")
    ]
    compared = table[table["difference"].notna()]
    assert compared["p"].tolist() == p[:4]
    assert compared["p (Holm)"].to_numpy() == pytest.approx(holm(np.array(p))[:4], abs=1e-4)
    assert (
        table["command"].tolist()
        == ["occkd run tiny --only tenth"] * 4 + ["occkd run tiny --only half"] * 4
    )
    assert table["title"].tolist()[2] == "standard T-S" and set(table["seeds"]) == {2}
    tables = crossed_table.answers_by_seed(store, "tenth", ["control", "standard"])
    found = crossed_table.differences(tables, [("standard", "control")], "accuracy").iloc[0]
    ours = table.iloc[2]
    assert list(ours[["difference low", "difference high"]]) == list(found[["low", "high"]])


def test_one_section_where_there_are_shares(store):
    [section] = labels.sections(store)
    assert "teacher" not in set(section.table["stage"])
    assert len(section.text) == len(section.table) == 8
    assert section.text.map(lambda cell: isinstance(cell, str)).all(axis=None), "ready to print"
    assert section.text["difference"].tolist()[:3] == ["", "", "10.0"]
    figure = label_curves(section.table, "accuracy")
    above, below = figure.axes
    assert len(above.containers) == 4 and len(below.containers) == 2, "a control has no difference"
    assert above.get_xscale() == below.get_xscale() == "log"
    assert [t.get_text() for t in below.get_xticklabels()] == ["10", "50"]
    assert list(labels.sections(open_store(make_recipe("gender")))) == []


def test_a_share_that_is_not_trained_yet_is_left_out(outputs):
    content = {"half": with_share(0.5), "tenth": with_share(0.1)}
    recipe = Recipe(name="tiny", description="toy", experiments=content)
    with pytest.raises(OcckdError, match="no seed of any share has control and one of student, "):
        labels.by_share(open_store(recipe), STAGES)
    assert list(labels.sections(open_store(recipe))) == []
    for stage in STAGES:
        write_run(recipe, "half", 3, stage, 5)
    table = labels.by_share(open_store(recipe), STAGES)
    assert set(table["share"]) == {50.0} and set(table["seeds"]) == {1}


def test_a_stage_of_fewer_seeds_takes_none_from_the_others(store):
    """A third seed of all but the triplets: those keep to two, and are compared on these two."""
    before = labels.by_share(store, STAGES).set_index(["share", "stage"])
    for stage, wrong in (("student", 9), ("control", 2), ("standard", 4)):
        write_run(store.recipe, "half", 2, stage, wrong)
    table = labels.by_share(open_store(store.recipe), STAGES).set_index(["share", "stage"])
    assert table.loc[50.0, "seeds"].to_dict() == dict(zip(STAGES, (3, 3, 3, 2), strict=True))
    assert table.loc[(50.0, "triplet"), "difference"] == -5
    assert table.loc[50.0, "difference"]["standard"] == pytest.approx(5.0), "2.5 x (8+9+2-4-5-4)/3"
    assert (
        table.loc[10.0].drop(columns="p (Holm)").equals(before.loc[10.0].drop(columns="p (Holm)"))
    )
