import numpy as np
import pytest

from occkd_lib.errors import OcckdError
from occkd_lib.results import Source, Store, collect, open_store, summary
from occkd_lib.results.store import COPIES, rows_on

from .conftest import MISTAKES, make_recipe, pick, write_run


def test_seeds_runs_and_those_that_are_complete(full):
    assert full.seeds("expression") == [0, 1] and full.seeds("gender") == [0]
    assert list(full.runs("gender")) == [
        (0, stage) for stage in full.recipe.experiments["gender"].order()
    ]
    assert full.complete_seeds("expression") == [0, 1]
    assert full.complete_seeds("expression", ["triplet@alpha=0.7"]) == []


def test_what_finishes_later_is_found(outputs):
    recipe = make_recipe("gender")
    store = open_store(recipe)
    assert store.run("gender", 3, "teacher") is None and store.complete_seeds("gender") == []
    write_run(recipe, "gender", 3, "teacher", 1)
    assert store.complete_seeds("gender", ["teacher"]) == [3]
    run = store.run("gender", 3, "teacher")
    assert store.run("gender", 3, "teacher") is run, "read once"


def test_stores_of_other_folders_are_others(outputs, tmp_path, monkeypatch):
    recipe = make_recipe("gender")
    write_run(recipe, "gender", 0, "teacher", 1)
    assert open_store(recipe).seeds("gender") == [0]
    monkeypatch.setenv("OCCKD_OUTPUTS", str(tmp_path / "other"))
    assert open_store(recipe).seeds("gender") == []


def test_unknown_experiments_are_errors(full):
    with pytest.raises(OcckdError, match="no experiment 'gendr': did you mean 'gender'"):
        full.seeds("gendr")


def test_answers_come_row_by_row_with_all_seeds(full):
    answers = full.answers("expression")
    assert [(a.row.name, a.row.view) for a in answers][:5] == [
        ("teacher", "full"), ("teacher", "lower"), ("teacher", "upper"), ("student", "lower"),
        ("other_half", "upper"),
    ]  # fmt: skip
    student = answers[3]
    assert list(student.predictions) == [0, 1]
    wrong = [int((said != student.target).sum()) for said in student.predictions.values()]
    assert wrong == [MISTAKES["student"], MISTAKES["student"] + 1]
    assert student.faces[COPIES].sum().tolist() == [4, 6] and student.copies.sum() == 6
    held_out = full.answers("expression", split="val")[0]
    assert not held_out.copies.any() and held_out.faces["id"].iloc[0] == "val0000"


def test_a_table_is_what_all_say_of_the_visible_part(full):
    table = full.table("gender", 0)
    assert "other_half" not in table and len(table) == 40
    assert table.index.name == "id" and table.index.str.startswith("test").all()
    wrong = {name: int((table[name] != table["target"]).sum()) for name in table.columns[1:]}
    assert wrong == {
        "teacher on full": 4, "teacher": 4, "student": 14, "control": 10, "standard": 9,
        "triplet": 11, "control_svm": 10, "standard_svm": 9, "triplet_svm": 8,
        "standard+triplet": 2,
    }  # fmt: skip
    assert list(full.table("gender", 0, view="full")) == ["target", "teacher"]
    other = full.table("gender", 0, view="lower", split="val")
    assert list(other) == ["target", "teacher on full", "teacher", "other_half"]
    assert other.index.str.startswith("val").all()
    with pytest.raises(OcckdError, match="gender has no finished run of seed 7"):
        full.table("gender", 7)


def test_nothing_is_said_of_full_faces_where_nothing_is_hidden():
    recipe = make_recipe("gender", visible="full")
    names = list(rows_on(recipe.experiments["gender"], "full"))
    assert names[:2] == ["teacher", "student"] and not any(" on " in name for name in names)


def test_columns_of_chosen_sources(full):
    sources = {"t": Source("teacher", "", "full"), "s": Source("fusion", "triplet_svm", "upper")}
    table = full.columns("gender", sources, 0)
    assert list(table) == ["target", "t", "s"]
    assert [(table[name] != table["target"]).sum() for name in "ts"] == [4, 8]
    with pytest.raises(OcckdError, match="seed0/student has no answers of 'student' to view 'low"):
        full.columns("gender", {"s": Source("student", "", "lower")}, 0)
    with pytest.raises(OcckdError, match="gender, seed 5: student is not finished"):
        full.columns("gender", {"s": Source("student", "", "upper")}, 5)


def test_without_validation_there_is_a_table_without_rows(outputs):
    recipe = make_recipe("gender")
    write_run(recipe, "gender", 0, "teacher", 1, splits=("test",))
    table = open_store(recipe).table("gender", 0, split="val")
    assert list(table) == ["target", "teacher on full", "teacher"] and table.empty


def test_other_data_sets_are_kept_apart(outputs):
    """Trained on RAF-DB, tested on FER+, too; two mistakes there, three here."""
    last = {"select": "last"}
    content = make_recipe("expression").model_dump(mode="json")["experiments"]["expression"]
    stages = {"teacher": content["stages"]["teacher"] | last}
    change = {
        "data": {"name": "rafdb"},
        "test_on": [{"name": "ferplus", "labels": "majority"}],
        "stages": stages,
    }
    recipe = make_recipe("expression", **change)
    write_run(recipe, "expression", 0, "teacher", 2, elsewhere="ferplus", duplicates=1)
    store = open_store(recipe)
    here, there = (store.answers("expression", data=data)[0] for data in (None, "ferplus"))
    wrong = [int((a.predictions[0] != a.target).sum()) for a in (here, there)]
    assert wrong == [2, 3]
    found = pick(summary(store), test_faces="full", metric="accuracy")
    assert found.set_index("subset")["n"].to_dict() == {
        "official": 40, "without copies of train": 39, "on ferplus": 40,
    }  # fmt: skip
    assert found.set_index("subset")["mean"]["on ferplus"] == pytest.approx(37 / 40)


def test_runs_of_other_settings_are_refused(outputs):
    recipe = make_recipe("gender")
    run = write_run(recipe, "gender", 0, "teacher", 1, config={"batch_size": 7})
    with pytest.raises(OcckdError, match=r"seed0/teacher was made .*batch_size: 7 -> 128"):
        collect(open_store(recipe))
    assert run.done


def test_stage_settings_are_checked_too(outputs):
    recipe = make_recipe("gender")
    write_run(recipe, "gender", 0, "student", 1)
    assert len(collect(open_store(recipe))) == 1
    settings = recipe.experiments["gender"].stages["student"].model_dump(mode="json")
    for left_out in ("tune", "view", "network"):
        del settings[left_out]
    bad = {"settings": {**settings, "lr": 0.2}}
    write_run(recipe, "gender", 1, "student", 1, config=bad)
    with pytest.raises(OcckdError, match=r"settings.lr: 0.2 -> 0.1"):
        collect(open_store(recipe))


def test_a_tuned_stage_is_one_of_its_arms(outputs):
    content = make_recipe("gender").experiments["gender"].model_dump(mode="json")
    content["stages"]["triplet"]["tune"] = [{"alpha": 0.3}, {"alpha": 0.5}]
    recipe = make_recipe("gender", stages=content["stages"], tuning_seeds=[7])
    best = write_run(recipe, "gender", 0, "triplet@alpha=0.5", 3)
    best.stand_for(best.folder.parent / "triplet")
    assert open_store(recipe).run("gender", 0, "triplet") is not None
    untuned = make_recipe("gender")
    with pytest.raises(OcckdError, match=r"settings.alpha: 0.5 -> 0.1"):
        Store(untuned).run("gender", 0, "triplet")


def test_runs_of_another_version_of_the_library_are_refused(outputs):
    recipe = make_recipe("gender")
    run = write_run(recipe, "gender", 0, "teacher", 1)
    status = run.folder / "status.json"
    status.write_text(status.read_text().replace('"format": 2', '"format": 1'))
    with pytest.raises(OcckdError, match="run of another version of the library"):
        open_store(recipe).runs("gender")


def test_runs_on_different_faces_are_refused(outputs):
    recipe = make_recipe("gender")
    write_run(recipe, "gender", 0, "student", 1)
    write_run(recipe, "gender", 0, "control", 1, n=41)
    with pytest.raises(OcckdError, match=r"control/pred.* and .*student/pred.*different val faces"):
        open_store(recipe).answers("gender")


def test_other_labels_of_the_same_faces_are_refused(outputs):
    recipe = make_recipe("gender")
    write_run(recipe, "gender", 0, "student", 1)
    run = write_run(recipe, "gender", 0, "control", 1)
    table = run.predictions
    run.save_table("predictions.parquet", table.assign(target=1 - table["target"]))
    with pytest.raises(OcckdError, match="different val faces"):
        open_store(recipe).table("gender", 0)


def test_faces_are_matched_by_id_not_by_row(outputs):
    recipe = make_recipe("gender")
    write_run(recipe, "gender", 0, "student", 5)
    run = write_run(recipe, "gender", 0, "control", 3)
    run.save_table("predictions.parquet", run.predictions.sample(frac=1, random_state=0))
    row = pick(summary(open_store(recipe)), row="control").iloc[0]
    assert row["vs_student"] == pytest.approx(2 / 40)
    assert row["p_vs_student"] == pytest.approx(0.5)
    table = open_store(recipe).table("gender", 0)
    assert np.count_nonzero(table["control"] != table["target"]) == 3
