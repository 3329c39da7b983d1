import numpy as np
import pytest

from occkd_lib.errors import OcckdError
from occkd_lib.evaluation import holm, mcnemar_test, paired_bootstrap
from occkd_lib.report import collect, side_by_side, summary
from occkd_lib.report.evidence import STAGES, gather
from occkd_lib.training import stages

from .conftest import FUSED, made_up_faces, make_recipe, pick, worse, write_run


def test_stages_are_those_of_training():
    assert STAGES == stages.STAGES


def test_collect_by_hand(outputs):
    recipe = make_recipe("gender")
    write_run(recipe, "gender", 0, "student_upper", {"student_upper": 3}, n=10, duplicates=2)
    write_run(recipe, "gender", 2, "student_upper", {"student_upper": 5}, n=10, duplicates=2)
    table = collect(recipe)
    assert list(table["seed"]) == [0, 2, 0, 2]
    assert list(table["subset"]) == ["official"] * 2 + ["without train duplicates"] * 2
    assert list(table["n"]) == [10, 10, 8, 8]
    assert table["value"].tolist() == pytest.approx([7 / 10, 5 / 10, 5 / 8, 3 / 8])
    assert table["validation"].tolist() == pytest.approx([0.7, 0.5, 0.7, 0.5])
    row = table.iloc[0]
    assert (row.method, row.train_faces, row.test_faces) == ("student_upper", "upper", "upper")


def test_metrics_and_views_of_each_task(full_recipe):
    table = collect(full_recipe)
    metrics = table.groupby("experiment")["metric"].unique().map(list).to_dict()
    assert metrics == {
        "expression": ["accuracy", "weighted_accuracy"],
        "gender": ["accuracy"],
        "age": ["mae_years"],
    }
    views = pick(table, experiment="age", method="teacher", subset="official")
    assert list(views["test_faces"]) == ["full", "lower", "upper"]
    assert views["value"].tolist() == pytest.approx([4, 4, 4], abs=1e-5)
    assert set(pick(table, experiment="gender", method="triplet")["train_faces"]) == {"full+upper"}
    control = pick(table, experiment="expression", method="control_svm")
    assert set(control["train_faces"]) == {"lower"}


def test_nothing_ran_nothing_reported(outputs):
    recipe = make_recipe("gender")
    assert collect(recipe).empty and summary(recipe).empty and side_by_side(recipe, 2).empty


def test_unfinished_runs_are_absent(outputs):
    recipe = make_recipe("gender")
    write_run(recipe, "gender", 0, "teacher", {"teacher": 1})
    write_run(recipe, "gender", 0, "control", {"control": 1}, finish=False)
    assert set(collect(recipe)["method"]) == {"teacher"}


def test_one_seed_is_tested_with_mcnemar(results):
    table = pick(results, experiment="gender", subset="official")
    row = pick(table, method="standard").iloc[0]
    target = made_up_faces("gender", 40)["target"].to_numpy()[40:]
    standard, student, control = (worse(target, wrong) == target for wrong in (9, 14, 10))
    assert row["mean"] == pytest.approx(31 / 40)
    assert np.isnan(row["sd"]) and row["values"] == [pytest.approx(31 / 40)]
    assert row["vs_student"] == pytest.approx(5 / 40)
    assert row["p_vs_student"] == mcnemar_test(standard, student).p == pytest.approx(2 / 32)
    assert row["p_vs_student_by_seed"] == [row["p_vs_student"]]
    assert row["vs_control"] == pytest.approx(1 / 40)
    assert row["p_vs_control"] == mcnemar_test(standard, control).p == 1


def test_an_svm_is_judged_against_the_svm_on_the_control(results):
    table = pick(results, experiment="gender", subset="official")
    fused = pick(table, method="standard+triplet").iloc[0]
    assert fused["vs_control"] == pytest.approx((FUSED["control_svm"] - 2) / 40)
    assert fused["vs_student"] == pytest.approx((14 - 2) / 40)
    assert pick(table, method="control_svm").iloc[0]["vs_control"] == 0
    undistilled = table[table["method"].isin(["teacher", "student_upper", "student_lower"])]
    assert undistilled[["vs_student", "vs_control"]].isna().all(axis=None)


def test_several_seeds_are_tested_together(results):
    table = pick(results, experiment="expression", subset="official")
    row = pick(table, method="standard", metric="accuracy").iloc[0]
    assert row["seeds"] == 2
    assert row["values"] == pytest.approx([31 / 40, 30 / 40])
    assert row["mean"] == pytest.approx(30.5 / 40)
    assert row["sd"] == pytest.approx(np.std([31 / 40, 30 / 40], ddof=1))
    target = made_up_faces("expression", 40)["target"].to_numpy()[40:]
    ours, theirs = ([worse(target, w + seed) for seed in (0, 1)] for w in (9, 12))
    test = paired_bootstrap(target, ours, theirs, "accuracy")
    found = row[["vs_student", "vs_student_low", "vs_student_high", "p_vs_student"]]
    assert list(found) == [test.difference, test.low, test.high, test.p]
    assert row["p_vs_student_by_seed"] == pytest.approx([2 / 8, 2 / 8])
    assert np.mean(row["vs_student_by_seed"]) == pytest.approx(row["vs_student"])
    weighted = pick(table, method="standard", metric="weighted_accuracy").iloc[0]
    assert weighted["p_vs_student_by_seed"] == []
    assert 0 < weighted["p_vs_student"] < 1


def test_only_common_seeds_are_compared(outputs):
    recipe = make_recipe("gender")
    for seed, wrong in ((0, 10), (1, 20)):
        write_run(recipe, "gender", seed, "student_upper", {"student_upper": wrong})
    write_run(recipe, "gender", 1, "control", {"control": 8})
    row = pick(summary(recipe), method="control").iloc[0]
    assert row["vs_student"] == pytest.approx(12 / 40)
    assert len(row["p_vs_student_by_seed"]) == 1


def test_holm_goes_over_a_data_set_task_and_subset(results):
    for _, family in results.groupby(["dataset", "task", "subset"]):
        for reference in ("student", "control"):
            expected = pytest.approx(holm(family[f"p_vs_{reference}"]), nan_ok=True)
            assert family[f"p_vs_{reference}_holm"].to_numpy() == expected
    family = pick(results, task="gender", subset="official")["p_vs_student"]
    assert family.notna().sum() == 7, "3 stages, 4 SVMs"


def test_runs_of_other_settings_are_refused(outputs):
    recipe = make_recipe("gender")
    run = write_run(recipe, "gender", 0, "teacher", {"teacher": 1}, config={"batch_size": 7})
    with pytest.raises(OcckdError, match=r"seed0/teacher was made .*batch_size: 7 -> 128"):
        collect(recipe)
    assert run.done


def test_stage_settings_are_checked_too(outputs):
    recipe = make_recipe("gender")
    student = recipe.experiments["gender"].stages.student
    settings = student.model_dump(mode="json", exclude={"tune"})
    good = {"settings": settings}
    write_run(recipe, "gender", 0, "student_upper", {"student_upper": 1}, config=good)
    assert len(collect(recipe)) == 1
    bad = {"settings": {**settings, "lr": 0.2}}
    write_run(recipe, "gender", 1, "student_upper", {"student_upper": 1}, config=bad)
    with pytest.raises(OcckdError, match=r"settings.lr: 0.2 -> 0.1"):
        collect(recipe)


def test_runs_on_different_faces_are_refused(outputs):
    recipe = make_recipe("gender")
    write_run(recipe, "gender", 0, "student_upper", {"student_upper": 1})
    write_run(recipe, "gender", 0, "control", {"control": 1}, n=41)
    with pytest.raises(OcckdError, match="different val faces"):
        gather(recipe, "gender")


def test_faces_are_matched_by_id_not_by_row(outputs):
    recipe = make_recipe("gender")
    write_run(recipe, "gender", 0, "student_upper", {"student_upper": 5})
    run = write_run(recipe, "gender", 0, "control", {"control": 3})
    run.save_table("predictions.parquet", run.predictions.sample(frac=1, random_state=0))
    row = pick(summary(recipe), method="control").iloc[0]
    assert row["vs_student"] == pytest.approx(2 / 40)
    assert row["p_vs_student"] == pytest.approx(0.5)


def test_an_unknown_method_is_an_error(outputs):
    recipe = make_recipe("gender")
    write_run(recipe, "gender", 0, "control", {"magic": 3})
    with pytest.raises(OcckdError, match="predictions.parquet: unknown method 'magic'"):
        collect(recipe)
