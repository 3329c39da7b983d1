"""Recalls worked out by hand: 8 classes of FER+, four faces each, in the order of EXPRESSIONS."""

import numpy as np
import pytest
from sklearn.metrics import recall_score

from occkd_lib.errors import OcckdError
from occkd_lib.evaluation import holm
from occkd_lib.results import open_store
from occkd_lib.results.recalls import answers_by_face, recalls, right_answers, sections

from .education import experiment, make_recipe, write_run

FER = {"name": "ferplus", "labels": "majority"}
STREET = {"name": "synthetic", "called": "street"}


@pytest.fixture
def recipe(outputs):
    """Two seeds; of KTN and its control two_trunks."""
    recipe = make_recipe(fer=experiment(FER))
    # neutral is faces 0-3, happiness 4-7, surprise 8-11 ...
    write_run(recipe, "fer", "ktn", [0, 8, 9], seed=0, coarse_wrong=[0, 1])
    write_run(recipe, "fer", "ktn", [0, 1, 8], seed=1, coarse_wrong=[0])
    write_run(recipe, "fer", "two_trunks", [0, 1, 2, 8], seed=0)
    write_run(recipe, "fer", "two_trunks", [0, 1, 2, 8], seed=1)
    return recipe


def test_recall_of_each_class_by_hand(recipe):
    table = recalls(open_store(recipe), "fer", ["ktn"]).set_index("class")
    assert table["n"].tolist() == [4] * 8 and set(table["seeds"]) == {2}
    assert table.loc["neutral", "recall"] == pytest.approx(100 * (3 + 2) / 8)
    assert table.loc["surprise", "recall"] == pytest.approx(100 * (2 + 3) / 8)
    assert table.loc["happiness", "recall"] == 100
    assert table.loc["happiness", ["low", "high"]].tolist() == [100, 100]
    assert (table["against"] == "two_trunks").all()
    assert table.loc["neutral", "difference"] == pytest.approx(100 * (5 - 2) / 8)
    assert table.loc["surprise", "difference"] == pytest.approx(100 * (5 - 6) / 8)
    for _, row in table.iterrows():
        assert row["low"] <= row["recall"] <= row["high"]
        assert row["difference low"] <= row["difference"] <= row["difference high"]


def test_as_scikit_learn_counts(recipe):
    store = open_store(recipe)
    ours = recalls(store, "fer", ["ktn"], seeds=[1])["recall"]
    rows = store.run("fer", 1, "ktn").predictions
    theirs = recall_score(rows["target"], rows["prediction"], average=None)
    np.testing.assert_allclose(ours, 100 * theirs)


def test_coarse_classes_from_the_coarse_stream(recipe):
    store = open_store(recipe)
    table = recalls(store, "fer", ["ktn"], coarse=True).set_index("class")
    assert table.index.tolist() == ["positive", "negative", "neutral", "surprise"]
    assert table["n"].tolist() == [4, 20, 4, 4], "sadness, anger, disgust, fear, contempt"
    assert table.loc["neutral", "recall"] == pytest.approx(100 * (2 + 3) / 8)
    assert table.loc["surprise", "recall"] == 100, "its fine answers are wrong, not its coarse ones"
    rows = store.run("fer", 0, "ktn").predictions
    theirs = recall_score(rows["coarse_target"], rows["coarse_prediction"], average=None)
    one = recalls(store, "fer", ["ktn"], coarse=True, seeds=[0])["recall"]
    np.testing.assert_allclose(one, 100 * theirs)


def test_a_control_without_coarse_labels_is_none_for_coarse_answers(recipe):
    coarse = recalls(open_store(recipe), "fer", ["ktn"], coarse=True)
    assert coarse[["against", "difference", "p"]].isna().all(axis=None)
    write_run(recipe, "fer", "stsn", coarse_wrong=[0])
    write_run(recipe, "fer", "stsn_alone", coarse_wrong=[0, 1])
    taught = recalls(open_store(recipe), "fer", ["stsn"], coarse=True).set_index("class")
    assert taught.loc["neutral", ["against", "difference"]].tolist() == ["stsn_alone", 25]


def test_holm_s_family_is_the_table(recipe):
    for seed in (0, 1):
        write_run(recipe, "fer", "stsn", [0, 5], seed=seed)
        write_run(recipe, "fer", "stsn_alone", [0, 1, 6, 7], seed=seed)
    store = open_store(recipe)
    both = recalls(store, "fer", ["ktn", "stsn"])
    np.testing.assert_array_equal(both["p (Holm)"], holm(both["p"].to_numpy()))
    alone = recalls(store, "fer", ["stsn"])
    assert (both[both["stage"] == "stsn"]["p (Holm)"].to_numpy() >= alone["p (Holm)"]).all()


def test_a_stage_without_control_and_a_class_of_one_face(outputs):
    recipe = make_recipe(fer=experiment(FER))
    write_run(recipe, "fer", "softmax", [0], each=1)
    table = recalls(open_store(recipe), "fer", ["softmax"])
    assert table["n"].tolist() == [1] * 8 and table["recall"].isna().all()
    assert table[["against", "p", "p (Holm)"]].isna().all(axis=None)


def test_other_test_faces(outputs):
    recipe = make_recipe(fer=experiment(FER, test_on=[STREET]))
    write_run(recipe, "fer", "softmax", [0], data=["ferplus", "street"])
    store = open_store(recipe)
    street = recalls(store, "fer", ["softmax"], data="street").set_index("class")
    assert street.loc["neutral", "recall"] == 75
    target, right = right_answers(store, "fer", "softmax", [0], data="street")
    assert target.tolist() == np.repeat(np.arange(8), 4).tolist() and right.shape == (1, 32)
    assert right.sum() == 31


def test_what_is_missing_is_an_error(recipe):
    store = open_store(recipe)
    with pytest.raises(OcckdError, match="no seed has all of adareg, softmax: run them"):
        recalls(store, "fer", ["adareg"])
    with pytest.raises(OcckdError, match="adareg is not finished: run it first"):
        right_answers(store, "fer", "adareg", [0])
    with pytest.raises(OcckdError, match="has no answers to street"):
        answers_by_face(store, "fer", "ktn", 0, data="street")
    write_run(recipe, "fer", "softmax")
    with pytest.raises(OcckdError, match="has no coarse answers"):
        answers_by_face(open_store(recipe), "fer", "softmax", 0, coarse=True)


def test_one_section_an_experiment_whose_stages_have_controls(outputs):
    pairs = {"few": ("ktn", "two_trunks"), "none": ("softmax",)}
    content = {name: experiment(FER) for name in pairs}
    for name, kept in pairs.items():
        content[name]["stages"] = {stage: content[name]["stages"][stage] for stage in kept}
    content["none"]["stages"]["softmax"].pop("of")
    recipe = make_recipe(**content)
    assert list(sections(open_store(recipe))) == [], "nothing is finished yet"
    for stage, wrong in (("ktn", [0]), ("two_trunks", [0, 1, 8])):
        for seed in (0, 1):
            write_run(recipe, "few", stage, wrong, seed=seed)
    write_run(recipe, "none", "softmax", [0])
    [section] = sections(open_store(recipe))
    assert section.title == "Recalls few"
    assert section.table.equals(recalls(open_store(recipe), "few", ["ktn"]))
    text = section.text.set_index("class")
    assert text.map(lambda cell: isinstance(cell, str)).all(axis=None), "ready to print"
    assert text.loc["neutral", ["n", "seeds", "against"]].tolist() == ["4", "2", "two_trunks"]
    assert text.loc["neutral", "recall, %"].startswith("75.00 [")
    assert text.loc["neutral", "difference, points"].startswith("+25.00 [")
