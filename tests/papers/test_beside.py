"""Rows beside the published ones: the short form, the complete one, the papers' layout."""

import pandas as pd
import pytest

from occkd_lib.config import Recipe
from occkd_lib.papers import PAPERS, TABLES, published, published_table
from occkd_lib.papers.beside import as_printed, side_by_side
from occkd_lib.results import WITHOUT_COPIES, open_store, summary

from ..results.conftest import experiment, make_recipe, pick, write_run


def test_beside_the_published_values(full, results):
    table = side_by_side(full, 1, results=results)
    table = pick(table, subset="official", metric="accuracy, %")
    student = pick(table, method="student, lower half").iloc[0]
    columns = ["published VGG-f", "published VGG-face", "published ResNet-50"]
    assert list(student[columns]) == ["78.23", "82.28", "81.79"]
    assert student["ours"] == "63.75 ± 1.77" and student["95 % interval"].startswith("[")
    assert (student["n"], student["seeds"], student["label rule"]) == ("40", "2", "majority")
    assert student["p vs student"] == ""
    standard = pick(table, method="standard T-S").iloc[0]
    assert list(standard[columns]) == ["80.17†", "82.37", "82.37†"]
    assert standard["ours - published"] == "", "the compact network is not in the paper"
    assert standard["note"] == "network not in the paper"
    assert standard["p vs student (McNemar, by seed)"] == "0.062, 0.062"
    control = pick(table, method="control: as long, no teacher").iloc[0]
    assert list(control[columns]) == ["", "", ""] and control["note"] == "not in the paper"
    assert not table["method"].str.contains("^standard T-S, SVM").any(), "that is Table 4"
    assert {"published", "data set"}.isdisjoint(table.columns)


@pytest.mark.parametrize(("number", "rows"), [(1, 8), (2, 8), (3, 8)])
def test_every_published_row_has_its_place(full, results, number, rows):
    ours = side_by_side(full, number, results=results).query("subset == 'official'")
    cells = published("journal", number)
    cells = cells[~cells["method"].str.startswith("sota") & (cells["dataset"] != "AffectNet")]
    for network in ("VGG-f", "VGG-face", "ResNet-50"):
        shown = ours[f"published {network}"].str.rstrip("†")
        expected = cells[cells["model"] == network]["value"]
        assert len(expected) == rows * ours["metric"].nunique()
        assert sorted(shown[shown != ""].astype(float)) == sorted(expected)


def test_table_4_holds_the_svms(full, results):
    table = side_by_side(full, 4, results=results)
    gender = pick(table, subset="official", experiment="gender")
    row = pick(gender, method="triplet T-S, SVM").iloc[0]
    assert (row["published VGG-f"], row["published VGG-face"]) == ("89.70", "90.27")
    assert row["p vs student"] and row["p vs student (McNemar, by seed)"] == "", "one seed"
    assert "published ResNet-50" not in table
    assert set(gender["method"]) == {
        "control: as long, no teacher", "standard T-S", "triplet T-S", "control, SVM",
        "standard T-S, SVM", "triplet T-S, SVM", "standard T-S + triplet T-S, SVM",
    }  # fmt: skip
    weighted = pick(table, metric="weighted accuracy, %", subset="official")
    assert (weighted["note"] == "not in the paper").all()


def test_official_rows_come_first_and_only_they_stand_beside_the_paper(full, results):
    table = side_by_side(full, 1, results=results)
    blocks = table[["subset", "metric"]].drop_duplicates().to_numpy().tolist()
    accuracy, weighted = "accuracy, %", "weighted accuracy, %"
    assert blocks == [[s, m] for s in ("official", WITHOUT_COPIES) for m in (accuracy, weighted)]
    rest = pick(table, subset=WITHOUT_COPIES)
    assert (rest["published VGG-f"] == "").all()
    assert (rest["note"] == "subset not in the paper").all()


def test_age_is_in_years_and_uses_svr(full, results):
    table = side_by_side(full, 3, results=results)
    row = pick(table, method="standard T-S + triplet T-S, SVR").iloc[0]
    assert (row["ours"], row["95 % interval"]) == ("2.00", "[2.00, 2.00]")
    assert row["metric"] == "mean absolute error, years"
    assert row["difference to student"] == "-12.00 [-12.00, -12.00]"
    assert row["p vs student"] == "<0.001"
    assert row["published VGG-f"] == "6.22"


def test_the_same_network_is_subtracted(outputs):
    recipe = make_recipe("gender", network={"name": "vgg_face"})
    write_run(recipe, "gender", 0, "standard", 8)
    row = side_by_side(open_store(recipe), "2").iloc[0]
    assert row["ours - published"] == f"{80 - 88.45:+.2f}" and row["network"] == "VGG-face"


def test_built_in_and_other_faces_stand_beside_nothing(outputs):
    for data, said in (
        ({"name": "synthetic"}, "built-in faces: not comparable with the papers"),
        ({"name": "folder", "path": "faces.csv", "size": 48}, "data set not in the paper"),
    ):
        recipe = make_recipe("gender", name=data["name"], data=data)
        write_run(recipe, "gender", 0, "standard", 8)
        row = side_by_side(open_store(recipe), 2).iloc[0]
        assert row["published VGG-f"] == "" and row["note"] == said


def test_a_method_that_no_paper_has_stands_in_every_table_of_its_task(outputs):
    """Here: a second control, under another name."""
    stages = experiment("gender")["stages"]
    stages["patience"] = stages["control"] | {"method": "control", "of": ["triplet"]}
    stages["control"] = stages["control"] | {"of": ["standard"]}
    recipe = make_recipe("gender", stages=stages)
    write_run(recipe, "gender", 0, "patience", 8)
    store = open_store(recipe)
    for table in (2, 4):
        row = side_by_side(store, table).iloc[0]
        assert row["method"].startswith("control") and row["note"] == "not in the paper"
    assert side_by_side(store, 1).empty


def test_there_is_no_table_5(full):
    with pytest.raises(ValueError, match="no Table 5"):
        side_by_side(full, 5)


# --- a recipe like the journal's: several data sets and networks ----------------------------------


def grid_experiment(task: str, data: dict, network: str, *, other_half: bool = True) -> dict:
    """All stages of one epoch, chosen without validation, which AffectNet does not have."""
    content = experiment(task, data=data, network={"name": network})
    stages = {name: dict(settings) for name, settings in content["stages"].items()}
    for name, stage in stages.items():
        stage |= {"C": [1.0]} if name == "fusion" else {"select": "last"}
    if not other_half:
        del stages["other_half"]
    return content | {"stages": stages}


@pytest.fixture(scope="module")
def paper(tmp_path_factory):
    """Networks x data sets, seed 0; two experiments have the teacher only."""
    fer, affectnet = {"name": "ferplus", "labels": "majority"}, {"name": "affectnet"}
    experiments = {
        "fer_vgg_f": grid_experiment("expression", fer, "vgg_f"),
        "fer_resnet50": grid_experiment("expression", fer, "resnet50"),
        "affectnet_vgg_f": grid_experiment("expression", affectnet, "vgg_f"),
        "affectnet_vgg_face": grid_experiment(
            "expression", affectnet, "vgg_face", other_half=False
        ),
        "rafdb_vgg_f": grid_experiment("expression", {"name": "rafdb"}, "vgg_f"),
        "gender_vgg_face": grid_experiment("gender", {"name": "utkface"}, "vgg_face"),
    }
    recipe = Recipe.model_validate(
        {"name": "big", "description": "made up", "experiments": experiments}
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OCCKD_OUTPUTS", str(tmp_path_factory.mktemp("paper")))
        wrong = iter(range(1, 40))
        for name in experiments:
            only = name in ("fer_resnet50", "gender_vgg_face")
            for stage in ("teacher",) if only else ("teacher", "standard"):
                write_run(recipe, name, 0, stage, next(wrong), duplicates=4)
        store = open_store(recipe)
        yield store, summary(store)


def test_every_experiment_stands_beside_its_own_column(paper):
    store, results = paper
    table = side_by_side(store, 1, results=results)
    table = pick(table, subset="official", metric="accuracy, %", method="standard T-S")
    columns = ["published VGG-f", "published VGG-face", "published ResNet-50"]
    found = {row.experiment: list(row[columns]) for _, row in table.iterrows()}
    assert found == {
        "fer_vgg_f": ["80.17†", "", ""],
        "affectnet_vgg_f": ["48.75†", "", ""],
        "affectnet_vgg_face": ["", "49.75", ""],
        "rafdb_vgg_f": ["", "", ""],
    }
    minus = table.set_index("experiment")["ours - published"].to_dict()
    assert minus == {  # wrong: 2 of 40, 5, 7, 9
        "fer_vgg_f": f"{95 - 80.17:+.2f}",
        "affectnet_vgg_f": f"{100 * 35 / 40 - 48.75:+.2f}",
        "affectnet_vgg_face": f"{100 * 33 / 40 - 49.75:+.2f}",
        "rafdb_vgg_f": "",
    }
    assert table.set_index("experiment")["note"]["rafdb_vgg_f"] == "data set not in the paper"


def test_affectnet_has_no_weighted_accuracy_in_the_journal(paper):
    store, results = paper
    rows = pick(side_by_side(store, 1, results=results), experiment="affectnet_vgg_f",
                metric="weighted accuracy, %", subset="official")  # fmt: skip
    assert (rows["published VGG-f"] == "").all() and set(rows["note"]) == {"not in the paper"}


@pytest.mark.parametrize("table", TABLES)
def test_the_complete_form_has_every_published_cell_once(paper, table):
    store, results = paper
    spec = published_table(table)
    complete = side_by_side(store, table, results=results, complete=True)
    cells = published(spec.paper, spec.number)
    shown = complete[complete["published"] != ""]
    assert len(shown) == len(cells)
    expected = [
        (c.dataset, c.model, c.train_faces, c.test_faces,
         "-" if pd.isna(c.value) else f"{c.value:.2f}" + "†" * c.significant)
        for c in cells.itertuples()
    ]  # fmt: skip
    names = ["data set", "network", "train faces", "test faces", "published"]
    assert sorted(shown[names].itertuples(index=False, name=None)) == sorted(expected)
    cited = shown["method"].str.startswith("cited work")
    assert (shown.loc[cited, "ours"] == "").all() and (shown.loc[~cited, "ours"] != "").all()
    theirs = cells["method"].str.startswith(PAPERS[spec.paper].cited)
    theirs &= ~cells["model"].isin(["Focal Loss [36]", "LDAM [40]"])  # which we train, too
    assert cited.sum() == theirs.sum()


def test_a_complete_row_with_and_without_a_run(paper):
    store, results = paper
    table = side_by_side(store, 1, results=results, complete=True)
    table = pick(table, metric="accuracy, %", **{"data set": "FER+"})
    ours = pick(table, method="standard T-S", network="VGG-f", subset="official").iloc[0]
    assert (ours["ours"], ours["published"], ours["ours - published"]) == (
        "95.00", "80.17†", "+14.83"
    )  # fmt: skip
    assert (ours["n"], ours["seeds"], ours["experiment"]) == ("40", "1", "fer_vgg_f")
    assert ours["label rule"] == "majority" and ours["command"] == "occkd run big --only fer_vgg_f"
    empty = pick(table, method="standard T-S", network="ResNet-50").iloc[0]
    assert (empty["ours"], empty["published"], empty["n"]) == ("no run", "82.37†", "")
    assert empty["command"] == "occkd run big --only fer_resnet50"
    copies = pick(table, subset=WITHOUT_COPIES)
    assert len(copies) and (copies["published"] == "").all()


def test_the_command_leads_to_an_experiment_that_trains_that_student(paper):
    store, results = paper
    table = side_by_side(store, 1, results=results, complete=True)
    table = pick(table, network="VGG-face", **{"data set": "AffectNet"})
    how = table.set_index("method")["command"].to_dict()
    assert how["student, lower half"] == "occkd run big --only affectnet_vgg_face"
    assert how["student, upper half"] == "occkd run paper --only affectnet_vgg_face"


def test_rows_come_as_the_paper_prints_them(paper):
    store, results = paper
    table = side_by_side(store, 1, results=results, complete=True)
    official = pick(table, subset="official")
    first = official.drop_duplicates(["method", "network", "test faces"])[["method", "network"]]
    order = first.to_numpy().tolist()
    assert order[:2] == [["cited work [5]", "VGG-13"], ["cited work [12]", "DACL"]]
    assert order[12:15] == [["teacher", n] for n in ("VGG-f", "VGG-face", "ResNet-50")]
    assert official["data set"].iloc[0] == "AffectNet"
    assert list(table["subset"]).index(WITHOUT_COPIES) == len(official)


def test_what_the_paper_lacks_stands_in_the_complete_form_too(full, results):
    table = side_by_side(full, 1, results=results, complete=True)
    rows = pick(table, network="compact", subset="official", metric="accuracy, %")
    assert len(rows) == 10, "3 views of the teacher, 2 students, control, 2 T-S, 2 SVMs"
    assert (rows["published"] == "").all()
    notes = rows.set_index("method")["note"]
    assert notes["control: as long, no teacher"] == "not in the paper"
    assert notes["standard T-S"] == "network not in the paper"


def test_nothing_ran_and_yet_the_table_is_complete(outputs):
    store = open_store(make_recipe("gender"))
    table = side_by_side(store, 2, complete=True)
    assert len(table) == 25 and set(table["ours"]) == {"", "no run"}
    assert side_by_side(store, 2).empty


def test_the_icpr_table_notes_the_cell_that_differs(paper):
    store, results = paper
    table = side_by_side(store, "icpr", results=results, complete=True)
    noted = table[table["note"].str.contains("82.28")]
    assert noted[["method", "network", "published"]].to_numpy().tolist() == [
        ["student, lower half", "VGG-face", "81.28"]
    ]
    short = side_by_side(store, "icpr", results=results)
    assert "published ResNet-50" not in short and "published VGG-face" in short
    row = pick(short, experiment="affectnet_vgg_f", method="teacher", subset="official").iloc[0]
    assert row["published VGG-f"] == "57.37"


def test_the_papers_layout(paper):
    store, results = paper
    complete = side_by_side(store, 4, results=results, complete=True)
    wide = as_printed(complete)
    rows = wide.loc["standard T-S", "VGG-f", "full+lower", "lower"]
    assert rows["FER+", "accuracy, %", "published"] == "80.17"
    assert rows["FER+", "accuracy, %", "ours"] == "95.00"
    assert rows["UTKFace-gender", "accuracy, %", "published"] == ""
    twice = as_printed(pd.concat([complete, complete.replace("95.00", "94.00")]))
    row = twice.loc["standard T-S", "VGG-f", "full+lower", "lower"]
    assert row["FER+", "accuracy, %", "ours"] == "95.00 / 94.00"
    named = complete["experiment"] != ""
    other = complete.replace("95.00", "94.00").assign(
        experiment=complete["experiment"].mask(named, "other")
    )
    more = other[other["ours"] == "94.00"].head(1).assign(**{"test faces": "band", "published": ""})
    both, order = pd.concat([complete, other, more]), [*store.recipe.experiments, "other"]
    pd.testing.assert_frame_equal(as_printed(both, order), wide)
    assert row["FER+", "accuracy, %", "published"] == "80.17"


def test_views_that_nobody_practised_stand_elsewhere(outputs):
    recipe = make_recipe("gender", test_views=["band"])
    write_run(recipe, "gender", 0, "standard", 8)
    store = open_store(recipe)
    found = summary(store)
    more = pd.concat([found, found.assign(test_faces="band")], ignore_index=True)
    table = side_by_side(store, 2, results=more)
    assert len(table) and set(table["test faces"]) <= {"full", "lower", "upper"}
