import pytest

from occkd_lib.results import Store, summary
from occkd_lib.site.pictures import pictures

from .conftest import make_recipe, write_run


def drawn(recipe, task):
    store = Store(recipe)
    return {stem: (said, figure) for stem, said, figure in pictures(store, task, summary(store))}


def legend(figure):
    return [text.get_text() for text in figure.legends[0].texts]


def test_classes_are_shown_by_recall_confusion_and_disagreement(recipe):
    found = drawn(recipe, "gender")
    assert list(found) == ["accuracy", "curves", "by-group", "agreement", "mcnemar"]
    fused = "standard T-S + triplet T-S, SVM"
    assert legend(found["by-group"][1]) == [
        "student, upper half", "control: as long, no teacher", fused
    ]  # fmt: skip
    assert found["by-group"][0].startswith("Recall per class, seed 0;")
    assert found["agreement"][0] == f"{fused}: what is taken for what, all seeds together."
    labels = [label.get_text() for label in found["mcnemar"][1].axes[0].get_yticklabels()]
    assert labels == [f"{name}, seed 0" for name in ("standard T-S", "triplet T-S", fused)]
    # the fused one is wrong 2 times of 40, the student 14: twelve faces only the first gets right
    assert found["mcnemar"][1].axes[0].patches[2].get_width() == 12
    assert legend(found["curves"][1]) == [
        "teacher", "student", "other_half", "control", "standard", "triplet"
    ]  # fmt: skip


def test_years_are_shown_by_error_and_agreement(outputs):
    recipe = make_recipe("age")
    for seed in (0, 1):
        for stage in recipe.experiments["age"].stages:
            write_run(recipe, "age", stage, seed)
    found = drawn(recipe, "age")
    assert list(found) == ["mean_absolute_error", "curves", "by-group", "agreement"]
    said, figure = found["by-group"]
    assert said.startswith("Error by age, mean over 2 seeds;")
    heights = {round(bar.get_height(), 3) for bar in figure.axes[0].patches}
    assert heights == {14.5, 10.5, 2.5}, "student, control and fused, seeds averaged"
    assert legend(figure)[2].endswith("SVR")


def test_only_seeds_that_have_all_that_is_shown_are_averaged(recipe):
    write_run(recipe, "gender", "student", seed=1)
    found = drawn(recipe, "gender")
    assert found["by-group"][0].startswith("Recall per class, seed 0;")


def test_an_experiment_without_occlusion_has_its_pictures(outputs):
    fit = {"epochs": 2, "lr": 0.1}
    stages = {"teacher": fit, "standard": {**fit, "kind": "hint", "lam": 0.7, "start": None}}
    recipe = make_recipe(visible="full", stages=stages)
    for stage in stages:
        write_run(recipe, "gender", stage)
    found = drawn(recipe, "gender")
    assert list(found) == ["accuracy", "curves", "by-group", "agreement"]
    title = found["accuracy"][1].axes[0].get_title(loc="left")
    assert title == "gender: full face visible, n = 40"
    assert legend(found["by-group"][1]) == ["teacher", "standard T-S"]


def test_a_view_of_ones_own_has_its_pictures(outputs, monkeypatch):
    from occkd_lib.occlusion import OCCLUDERS, Occluder

    monkeypatch.setitem(OCCLUDERS, "band", Occluder("a band", lambda images: images))
    recipe = make_recipe(visible="band")
    for stage in recipe.experiments["gender"].stages:
        write_run(recipe, "gender", stage)
    found = drawn(recipe, "gender")
    assert found["accuracy"][0].startswith("accuracy, %, a band visible.")
    assert legend(found["by-group"][1])[0] == "student, a band"


def test_a_teacher_alone_is_enough(outputs):
    recipe = make_recipe()
    write_run(recipe, "gender", "teacher")
    found = drawn(recipe, "gender")
    assert list(found) == ["accuracy", "curves", "by-group", "agreement"]
    assert found["agreement"][0].startswith("teacher: what is taken for what")


@pytest.mark.parametrize("stage", ["other_half", "fusion"])
def test_one_stage_alone_is_enough(outputs, stage):
    recipe = make_recipe()
    write_run(recipe, "gender", stage)
    found = drawn(recipe, "gender")
    assert ("accuracy" in found) == (stage == "fusion"), "the other half is another view"
    assert ("curves" in found) == (stage == "other_half")
