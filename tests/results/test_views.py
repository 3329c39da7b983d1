"""Trained on one view, tested on another: values, intervals, curves, a section."""

import io

import pandas as pd
import pytest

from occkd_lib.config import Recipe
from occkd_lib.errors import OcckdError
from occkd_lib.results import crossed_table, open_store, views

from .conftest import FIT, make_recipe, write_run

SHOWN = ("full", "lower", "upper", "mask", "top_25")


@pytest.fixture
def store(outputs):
    content = make_recipe("gender").experiments["gender"].model_dump(mode="json")
    content["visible"] = "full"
    content["test_views"] = [*SHOWN]
    content["stages"] = {
        "teacher": FIT,
        "masked": {**FIT, "method": "student", "view": "mask"},
        "halved": {**FIT, "method": "student", "view": "upper", "title": "half"},
    }
    recipe = Recipe(name="tiny", description="toy", experiments={"worn": content})
    for seed in (0, 1):
        for stage, wrong in (("teacher", 2), ("masked", 6), ("halved", 10)):
            write_run(recipe, "worn", seed, stage, wrong + seed)
    return open_store(recipe)


def test_every_stage_on_every_view(store):
    stages = ["teacher", "masked", "halved"]
    assert views.common_views(store.recipe.experiment("worn"), stages) == SHOWN
    table = views.by_view(store, "worn", stages, SHOWN)
    assert table["stage"].tolist() == [s for s in stages for _ in SHOWN]
    assert table["tested on"].tolist() == [*SHOWN] * 3
    assert table["trained on"].tolist() == ["full"] * 5 + ["mask"] * 5 + ["upper"] * 5
    own = table[table["own"]][["stage", "tested on"]].to_numpy().tolist()
    assert own == [["teacher", "full"], ["masked", "mask"], ["halved", "upper"]]
    assert set(table["title"]) == {"teacher", "student, all but a mask", "half"}
    mean = table.groupby("stage")["accuracy, %"].unique()
    assert {s: list(v) for s, v in mean.items()} == {
        "teacher": [93.75], "masked": [83.75], "halved": [73.75],
    }  # fmt: skip
    said = views.answers(store, "worn", ["masked"], ["mask"])
    gap = crossed_table.scores(said, "accuracy", digits=4).loc["masked on mask"]
    line = table[(table["stage"] == "masked") & (table["tested on"] == "mask")].iloc[0]
    assert [line["low"], line["high"], line["seeds"]] == [gap["low"], gap["high"], 2]
    assert line["low"] != round(line["low"], 2), "what is drawn is rounded once"


def test_a_view_that_one_was_not_tested_on(store):
    with pytest.raises(OcckdError, match="no answers of 'masked' to view 'band'"):
        views.by_view(store, "worn", ["masked"], ["band"])


def test_curves_begin_at_the_full_face():
    table = pd.DataFrame({"tested on": ["mask", "top_60", "full", "bottom_05", "lower", "upper"]})
    found = views.shares_hidden(table)
    points = sorted(zip(found["side"], found["hidden"], found["tested on"], strict=True))
    assert points == [
        ("bottom", 0, "full"), ("bottom", 5, "bottom_05"), ("bottom", 50, "upper"),
        ("top", 0, "full"), ("top", 50, "lower"), ("top", 60, "top_60"),
    ]  # fmt: skip
    assert found["hidden"].is_monotonic_increasing
    assert views.shares_hidden(table[:1]).empty
    assert views.shapes([*table["tested on"], "mask"]) == ["mask", "full", "lower", "upper"]


def test_one_section_an_experiment_with_further_views(store):
    [section] = views.sections(store)
    assert set(section.table["tested on"]) == {*SHOWN}
    assert len(section.text) == len(section.table) == 15
    read = pd.read_csv(io.StringIO(section.text.to_csv(index=False)))
    pd.testing.assert_frame_equal(read, section.table, check_dtype=False)
    assert section.text.map(lambda cell: isinstance(cell, str)).all(axis=None), "ready to print"
    assert list(views.sections(open_store(make_recipe("gender")))) == []


def test_no_section_before_a_seed_is_finished(outputs):
    recipe = make_recipe("gender", test_views=["mask"])
    assert list(views.sections(open_store(recipe))) == []
