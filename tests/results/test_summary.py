import numpy as np
import pytest

from occkd_lib.evaluation import (
    compare_over_faces,
    compare_over_seeds,
    holm,
    mcnemar_test,
    score_over_seeds,
)
from occkd_lib.results import HOLM, WITHOUT_COPIES, collect, open_store, summary

from .conftest import FUSED, made_up_faces, make_recipe, pick, worse, write_run


def test_collect_by_hand(outputs):
    recipe = make_recipe("gender")
    write_run(recipe, "gender", 0, "student", 3, n=10, duplicates=2)
    write_run(recipe, "gender", 2, "student", 5, n=10, duplicates=2)
    table = collect(open_store(recipe))
    assert list(table["seed"]) == [0, 2, 0, 2]
    assert list(table["subset"]) == ["official"] * 2 + ["without copies of train"] * 2
    assert list(table["n"]) == [10, 10, 8, 8]
    assert table["value"].tolist() == pytest.approx([7 / 10, 5 / 10, 5 / 8, 3 / 8])
    assert table["validation"].tolist() == pytest.approx([0.7, 0.5, 0.7, 0.5])
    row = table.iloc[0]
    assert (row.row, row.train_faces, row.test_faces) == ("student", "upper", "upper")


def test_validation_is_of_the_validation_faces(outputs):
    recipe = make_recipe("gender")
    run = write_run(recipe, "gender", 0, "student", 3, n=10)
    table = run.predictions
    wrong = (table["split"] == "val") & (table["id"] < "val0008")
    table.loc[wrong, "prediction"] = 1 - table.loc[wrong, "target"]
    run.save_table("predictions.parquet", table)
    row = collect(open_store(recipe)).iloc[0]
    assert (row["value"], row["validation"]) == (pytest.approx(0.7), 0)


def test_near_copies_are_left_out_like_identical_ones(outputs):
    """Of ten faces two are in train as they are, three more nearly; all five are recognised."""
    recipe = make_recipe("gender")
    write_run(recipe, "gender", 0, "student", 3, n=10, duplicates=2, near=3)
    rest = pick(summary(open_store(recipe)), subset=WITHOUT_COPIES).iloc[0]
    assert (rest["n"], rest["mean"]) == (5, pytest.approx(2 / 5))


def test_metrics_and_views_of_each_task(full, results):
    table = collect(full)
    metrics = table.groupby("experiment")["metric"].unique().map(list).to_dict()
    assert metrics == {
        "expression": ["accuracy", "weighted_accuracy"],
        "gender": ["accuracy"],
        "age": ["mean_absolute_error"],
    }
    views = pick(table, experiment="age", row="teacher", subset="official")
    assert list(views["test_faces"]) == ["full", "lower", "upper"]
    assert views["value"].tolist() == pytest.approx([4, 4, 4], abs=1e-5)
    assert set(pick(table, experiment="gender", row="triplet")["train_faces"]) == {"full+upper"}
    assert set(pick(table, experiment="expression", row="control_svm")["train_faces"]) == {"lower"}
    titles = results.groupby(["task", "row"])["title"].first()
    assert titles["age"]["control_svm"] == "control, SVR"
    assert titles["gender"]["control_svm"] == "control, SVM"
    assert set(results["network"]) == {"compact"}
    assert set(pick(results, task="expression")["label_rule"]) == {"majority"}


def test_the_network_is_the_row_s_own(outputs):
    content = make_recipe("gender").experiments["gender"].model_dump(mode="json")
    small = {"name": "compact", "width": 8}
    for stage in ("student", "other_half", "control", "standard", "triplet"):
        content["stages"][stage] |= {"network": small, "start": None}
    content["stages"]["teacher"]["network"] = {"name": "vgg_f"}
    recipe = make_recipe("gender", stages=content["stages"])
    for stage in ("teacher", "standard"):
        write_run(recipe, "gender", 0, stage, 1)
    found = summary(open_store(recipe)).groupby("row")["network"].first()
    assert found.to_dict() == {"teacher": "vgg_f", "standard": "compact"}


def test_nothing_ran_nothing_reported(outputs):
    store = open_store(make_recipe("gender"))
    assert collect(store).empty and summary(store).empty


def test_only_some_tasks(full, results):
    assert set(summary(full, ("gender",))["experiment"]) == {"gender"}
    assert summary(full, ()).empty


def test_unfinished_runs_are_absent(outputs):
    recipe = make_recipe("gender")
    write_run(recipe, "gender", 0, "teacher", 1)
    write_run(recipe, "gender", 0, "control", 1, finish=False)
    assert set(collect(open_store(recipe))["row"]) == {"teacher"}


def test_one_seed_is_tested_with_mcnemar(results):
    table = pick(results, experiment="gender", subset="official")
    row = pick(table, row="standard").iloc[0]
    target = made_up_faces("gender", 40)["target"].to_numpy()[40:]
    standard, student, control = (worse(target, wrong) == target for wrong in (9, 14, 10))
    assert row["mean"] == pytest.approx(31 / 40)
    assert np.isnan(row["sd"]) and row["values"] == [pytest.approx(31 / 40)]
    assert (row["student"], row["control"]) == ("student", "control")
    assert row["vs_student"] == pytest.approx(5 / 40)
    assert row["p_vs_student"] == mcnemar_test(standard, student).p == pytest.approx(2 / 32)
    assert row["p_vs_student_by_seed"] == [row["p_vs_student"]] == [row["p_vs_student_faces"]]
    assert np.isnan(row["seeds_vs_student"]), "one seed says nothing about others"
    assert row["vs_control"] == pytest.approx(1 / 40)
    assert row["p_vs_control"] == mcnemar_test(standard, control).p == 1


def test_a_machine_is_judged_against_the_machine_on_the_control(results):
    table = pick(results, experiment="gender", subset="official")
    fused = pick(table, row="standard+triplet").iloc[0]
    assert fused["control"] == "control_svm"
    assert fused["vs_control"] == pytest.approx((FUSED["control_svm"] - 2) / 40)
    assert fused["vs_student"] == pytest.approx((14 - 2) / 40)
    undistilled = table[table["row"].isin(["teacher", "student", "other_half"])]
    assert undistilled[["vs_student", "vs_control"]].isna().all(axis=None)
    assert (undistilled["student"] == "").all()


def test_several_seeds_are_tested_together(results):
    table = pick(results, experiment="expression", subset="official")
    row = pick(table, row="standard", metric="accuracy").iloc[0]
    assert row["seeds"] == 2
    assert row["values"] == pytest.approx([31 / 40, 30 / 40])
    assert row["mean"] == pytest.approx(30.5 / 40)
    assert row["sd"] == pytest.approx(np.std([31 / 40, 30 / 40], ddof=1))
    target = made_up_faces("expression", 40)["target"].to_numpy()[40:]
    ours, theirs = ([worse(target, w + seed) for seed in (0, 1)] for w in (9, 14))
    test = compare_over_seeds(target, np.stack(ours), np.stack(theirs), "accuracy")
    found = row[["vs_student", "vs_student_low", "vs_student_high", "p_vs_student"]]
    assert list(found) == [test.difference, test.low, test.high, test.p]
    assert row["seeds_vs_student"] == test.seeds_needed()
    faces = compare_over_faces(target, np.stack(ours), np.stack(theirs), "accuracy")
    assert row["p_vs_student_faces"] == faces.p
    within = score_over_seeds(target, np.stack(ours), "accuracy")
    assert list(row[["mean", "low", "high"]]) == [within.difference, within.low, within.high]
    assert row["p_vs_student_by_seed"] == pytest.approx([2 / 32, 2 / 32])
    assert np.mean(row["vs_student_by_seed"]) == pytest.approx(row["vs_student"])
    weighted = pick(table, row="standard", metric="weighted_accuracy").iloc[0]
    assert weighted["p_vs_student_by_seed"] == []
    assert 0 < weighted["p_vs_student"] < 1


def test_only_common_seeds_are_compared(outputs):
    recipe = make_recipe("gender")
    for seed, wrong in ((0, 10), (1, 20)):
        write_run(recipe, "gender", seed, "student", wrong)
    for seed in (1, 2):  # there is no student of seed 2
        write_run(recipe, "gender", seed, "control", 8)
    row = pick(summary(open_store(recipe)), row="control").iloc[0]
    assert row["vs_student"] == pytest.approx(12 / 40)
    assert len(row["p_vs_student_by_seed"]) == 1


def test_holm_goes_over_the_family_that_the_text_states(results):
    for _, family in results.groupby(["dataset", "task", "subset"]):
        for reference in ("student", "control"):
            expected = pytest.approx(holm(family[f"p_vs_{reference}"]), nan_ok=True)
            assert family[f"p_vs_{reference}_holm"].to_numpy() == expected
    assert "one data set, task and subset" in HOLM
    family = pick(results, task="gender", subset="official").set_index("row")
    with_student = family.index[family["p_vs_student"].notna()]
    with_control = family.index[family["p_vs_control"].notna()]
    assert set(with_student) == {"control", "standard", "triplet", *FUSED}
    assert set(with_control) == {"standard", "triplet", *FUSED}
    assert "its networks' control; that SVM has the control itself" in HOLM
    machines = family.loc[list(FUSED), "control"].to_dict()
    assert machines == dict.fromkeys(FUSED, "control_svm") | {"control_svm": "control"}


def test_without_validation(outputs):
    recipe = make_recipe("gender")
    write_run(recipe, "gender", 0, "teacher", 3, splits=("test",))
    values = collect(open_store(recipe))
    assert values["validation"].isna().all() and (values["value"] == 37 / 40).all()
