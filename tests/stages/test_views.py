"""Networks tested on further views; what of them a run's fingerprint knows."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from occkd_lib.config import load_recipe
from occkd_lib.errors import OcckdError
from occkd_lib.execution.preflight import check
from occkd_lib.occlusion import OCCLUDERS, view_title
from occkd_lib.results import collect, open_store, views
from occkd_lib.runs import fingerprint
from occkd_lib.stages import graph, rows_of, run_stage, stage_of
from occkd_lib.stages.run import decides
from tests.tiny import tiny_recipe

REFERENCE = Path(__file__).parents[2] / "outputs" / "reference"
MORE = {"test_views": ["mask", "lower", "top_20"]}


def silent(line):
    pass


@pytest.mark.skipif(not REFERENCE.is_dir(), reason="published runs are not here")
@pytest.mark.parametrize("name", ["fer", "gender"])
def test_published_runs_keep_their_fingerprints(name):
    known = json.loads((REFERENCE / "trunk" / "protocol.json").read_text())["experiments"][name]
    experiment = load_recipe("trunk").experiment(name)
    teachers = {key: run for key, run in known["runs"].items() if key.endswith("/teacher")}
    assert teachers
    for key, run in teachers.items():
        settled = {
            **decides(experiment, stage_of(experiment, "teacher")),
            "seed": int(key.split("/")[0].removeprefix("seed")),
            "faces": known["faces_fingerprint"],
            "parents": {},
        }
        assert fingerprint(settled) == run["fingerprint"]


def test_who_is_tested_on_what():
    plain = tiny_recipe().experiment("expression")
    more = tiny_recipe(**MORE).experiment("expression")
    before, after = graph(plain), graph(more)
    assert after["teacher"].tested_on == ("full", "lower", "upper", "mask", "top_20")
    assert after["student"].tested_on == ("lower", "mask", "top_20")
    assert after["other_half"].tested_on == ("upper", "mask", "lower", "top_20")
    assert after["fusion"].tested_on == before["fusion"].tested_on == ("lower",)
    assert stage_of(more, "triplet@alpha=0.1").tested_on == after["triplet"].tested_on
    rows = rows_of(more)
    assert {view for name, view in rows if name == "student"} == {"lower", "mask", "top_20"}
    assert set(rows_of(plain)) < set(rows)
    assert rows["student", "lower"].published and not rows["student", "mask"].published
    assert rows["other_half", "upper"].published and not rows["other_half", "lower"].published


def test_the_fingerprint_knows_further_views_and_what_is_drawn(monkeypatch):
    plain = tiny_recipe().experiment("expression")
    more = tiny_recipe(**MORE).experiment("expression")
    ours = decides(plain, stage_of(plain, "student"))
    theirs = decides(more, stage_of(more, "student"))
    assert "occluders" not in ours and "test_views" not in ours
    changed = {key for key in theirs if theirs[key] != ours.get(key)}
    assert changed == {"tested_on", "occluders"}
    assert theirs["occluders"] == {"mask": OCCLUDERS["mask"].version}
    monkeypatch.setitem(OCCLUDERS, "mask", replace(OCCLUDERS["mask"], version="other"))
    assert decides(more, stage_of(more, "student"))["occluders"] == {"mask": "other"}


def test_cross_testing_end_to_end(outputs, monkeypatch):
    """A student of masks and halves, tested on both and on less; every number has its rows."""
    stages = {"student": {"view": "upper+mask", "epochs": 1}, "teacher": {"epochs": 1}}
    recipe = tiny_recipe(**MORE, stages=stages)
    check(recipe, ["gender"])
    run = run_stage(recipe, "gender", 0, "student", say=silent)
    table = run.predictions
    assert set(table["view"]) == {"upper+mask", "mask", "lower", "top_20"}
    assert set(table.loc[table["split"] == "val", "view"]) == {"upper+mask"}, "nothing is chosen"
    test = table[table["split"] == "test"].set_index("id")
    scores = {view: rows["score_0"].sort_index() for view, rows in test.groupby("view")}
    same = np.isclose(scores["mask"], scores["upper+mask"])
    assert 0 < same.sum() < len(same), "of a mixture, some faces wear the mask"
    again = run_stage(recipe, "gender", 0, "student", say=silent)
    assert again.fingerprint == run.fingerprint
    store = open_store(recipe)
    found = collect(store)
    known = found[(found["row"] == "student") & (found["metric"] == "accuracy")]
    assert set(known["test_faces"]) == {"upper+mask", "mask", "lower", "top_20"}
    shown = views.common_views(recipe.experiment("gender"), ["teacher", "student"])
    assert shown == ("lower", "upper+mask", "mask", "top_20")
    wide = views.by_view(store, "gender", ["teacher", "student"], shown)
    line = wide[(wide["stage"] == "student") & (wide["tested on"] == "mask")].iloc[0]
    mask = test[test["view"] == "mask"]
    right = 100 * (mask["prediction"] == mask["target"]).mean()
    assert line["accuracy, %"] == pytest.approx(right, abs=0.01)
    assert line["trained on"] == "upper+mask" and view_title("upper+mask") in line["title"]
    monkeypatch.setitem(OCCLUDERS, "mask", replace(OCCLUDERS["mask"], version="other"))
    with pytest.raises(OcckdError, match="another version of the recipe"):
        open_store(recipe).run("gender", 0, "student")


@pytest.mark.parametrize(
    ("view", "message"),
    [("masc", "test_views: visible must be .*did you mean 'mask'"), ("no.png", "cannot be read")],
)
def test_a_view_that_there_is_not(view, message):
    with pytest.raises((ValueError, OcckdError), match=message):
        tiny_recipe(test_views=[view])


def test_a_view_that_breaks_is_found_before_anything_starts(monkeypatch):
    def broken(images, faces):
        raise RuntimeError("no paint left")

    monkeypatch.setitem(OCCLUDERS, "mask", replace(OCCLUDERS["mask"], hide=broken))
    with pytest.raises(OcckdError, match="no paint left"):
        check(tiny_recipe(test_views=["mask"]), ["gender"])
