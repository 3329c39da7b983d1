from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from occkd_lib.data import FaceSet
from occkd_lib.data.vocabularies import EXPRESSIONS
from occkd_lib.errors import OcckdError
from occkd_lib.explain import NoFeatureMap
from occkd_lib.models import build_model
from occkd_lib.results import attention, open_store
from occkd_lib.results.weights import check_faces, has_data, has_weights
from occkd_lib.runs import Run
from occkd_lib.stages import graph

from .conftest import make_recipe, write_run

NAN = float("nan")
STAGES = ("teacher", "student", "control", "standard", "triplet")


@pytest.fixture
def ten():
    """Ten faces of 32 x 32 pixels; face k is of class k mod 8 and has the id str(k)."""
    images = torch.randint(256, (10, 3, 32, 32), generator=torch.Generator().manual_seed(0))
    return FaceSet(
        name="made up",
        task="expression",
        classes=EXPRESSIONS,
        images=images.to(torch.uint8),
        targets=torch.arange(10) % 8,
        ids=np.arange(10).astype(str),
        splits=np.array(["test"] * 10),
        table=pd.DataFrame(index=range(10)),
    )


@pytest.fixture
def model():
    torch.manual_seed(0)
    return build_model("compact", 8, width=4, input_size=32).eval()


def test_everything_is_over_the_same_faces():
    """Faces 0 and 4 have a map in teacher and student; the blind one has none at all."""
    shares = {
        "teacher": np.array([0.5, 0.7, NAN, NAN, 0.6]),
        "student": np.array([0.9, NAN, 0.8, 0.4, 0.7]),
        "blind": np.full(5, NAN),
    }
    sees = {"teacher": "full", "student": "upper", "blind": "upper"}
    table = attention.shares_table(shares, sees, "student")
    assert list(table["n"]) == [2, 2, 2]
    assert list(table["empty"]) == [2, 1, 5] and list(table["maps"]) == [5, 5, 5]
    assert table["mass, %"].tolist()[:2] == [55, 80]
    assert table.loc["teacher", "minus student"] == 55 - 80, "the means differ by the difference"
    assert table.loc["teacher", ["low", "high"]].tolist() == [50, 60]  # a bootstrap of two faces
    assert table.loc["student", ["minus student", "minus student, low"]].isna().all()
    assert table.loc["blind", ["mass, %", "low", "high", "minus student"]].isna().all()


def test_no_face_has_a_map_in_all_networks():
    shares = {"a": np.array([0.5, NAN]), "b": np.array([NAN, 0.5])}
    table = attention.shares_table(shares, {"a": "full", "b": "full"}, "a")
    assert (table["n"] == 0).all() and table["mass, %"].isna().all()
    assert list(table["empty"]) == [1, 1]


def test_a_face_s_share_is_its_mean_over_the_seeds():
    """Face 1 lacks a map of a in one seed, so it counts nowhere."""
    shares = {"a": np.array([[0.2, NAN], [0.6, 0.9]]), "b": np.array([[0.1, 0.1], [0.1, 0.1]])}
    table = attention.shares_table(shares, {"a": "full", "b": "full"}, "b")
    assert table["mass, %"].tolist() == [40, 10] and table.loc["a", "minus b"] == 30
    assert list(table["n"]) == [1, 1] and list(table["empty"]) == [1, 0]
    assert list(table["maps"]) == [4, 4]


def test_a_table_of_some_faces(ten, model):
    networks = {"teacher": (model, "full"), "student": (model, "lower")}
    table = attention.attention_table(networks, ten, "lower", against="student", faces=4)
    chosen = ten.sample(4)
    seen = attention.visible_shares((model, "full"), chosen, "lower")
    assert table.loc["teacher", "mass, %"] == pytest.approx(100 * seen.mean(), abs=0.01)
    assert list(table["sees"]) == ["full", "lower"] and set(table["maps"]) == {4}


def test_shares_are_of_the_maps(ten, model, monkeypatch):
    monkeypatch.setattr(attention, "CHUNK", 3)
    found = attention.explain((model, "upper"), ten)
    assert found.view == "upper" and found.said[0] in EXPRESSIONS
    maps = found.maps
    shares = attention.visible_shares((model, "upper"), ten, "lower")
    expected = maps[:, 16:].sum((1, 2)) / maps.sum((1, 2))
    np.testing.assert_allclose(shares, expected, rtol=1e-5)
    assert not found.seen[:, :, 16:].any() and found.seen[:, :, :16].any()


@pytest.fixture
def two_seeds(ten, outputs, monkeypatch):
    """Networks of two seeds that have been looked at: the student 0.6 and 0.8, the others 0.5.
    Face 0 has no map in either seed, face 1 none in the first."""
    recipe = make_recipe("expression")
    for seed in (0, 1):
        for stage in STAGES:
            run = write_run(recipe, "expression", seed, stage, 1)
            (run.folder / "model.safetensors").touch()
            share = np.full(10, 0.6 + 0.2 * seed if stage == "student" else 0.5)
            share[: 2 - seed] = NAN
            table = pd.DataFrame({"id": ten.ids, "share": share})
            for view in ("full", "lower"):
                name = f"attention-{view}-on-lower.parquet"
                run.save_table(name, table)
    monkeypatch.setattr(attention, "faces_of", lambda *_: ten)
    monkeypatch.setattr(attention, "check_faces", lambda *_: None)
    monkeypatch.setattr(attention, "has_data", lambda *_: True)
    return open_store(recipe)


def test_attention_over_seeds(two_seeds):
    table = attention.attention_over_seeds(two_seeds, "expression")
    assert list(table.index) == [
        "teacher on full", "teacher", "student", "control", "standard", "triplet",
    ]  # fmt: skip
    assert set(table["n"]) == {8} and set(table["empty"]) == {3} and set(table["maps"]) == {20}
    assert set(table["seeds"]) == {2} and set(table["chance"]) == {50.0}
    assert table.loc["student", "mass, %"] == 70
    assert table.loc["control", "minus student"] == -20


def test_a_seed_without_weights_is_left_out(two_seeds):
    run = two_seeds.run("expression", 1, "triplet")
    assert list(attention.networks_by_seed(two_seeds, "expression")) == [0, 1]
    (run.folder / "model.safetensors").unlink()
    assert list(attention.networks_by_seed(two_seeds, "expression")) == [0]


def test_sections_say_where_the_networks_look(two_seeds, monkeypatch):
    (section,) = attention.sections(two_seeds)
    assert section.title == "Grad-CAM expression"
    assert (
        "lower half; 50 % of the pixels" in section.sentence and "same 8 test" in section.sentence
    )
    row = section.text.set_index("network").loc["control"]
    assert row["mass on the lower half, %"] == "50.00 [50.00, 50.00]"
    assert row["minus student, points"].startswith("-20.00 [")
    assert (row["n"], row["empty"], row["seeds"]) == ("8", "3 of 20", "2")
    monkeypatch.setattr(attention, "has_data", lambda *_: False)
    assert not list(attention.sections(two_seeds))


def test_a_network_without_a_map_is_named_on_the_page(two_seeds, monkeypatch):
    def refuse(*_):
        raise NoFeatureMap("network 'vit' does not end on a feature map")

    monkeypatch.setattr(attention, "attention_over_seeds", refuse)
    (section,) = attention.sections(two_seeds)
    assert "vit" in section.sentence and section.table.empty


def test_a_frozen_trunk_s_maps_are_not_drawn_by_the_hundred(two_seeds, monkeypatch):
    stages = graph(two_seeds.recipe.experiment("expression"))
    on_trunk = {
        name: replace(stage, network=stage.network.model_copy(update={"frozen": object()}))
        for name, stage in stages.items()
    }
    monkeypatch.setattr(attention, "graph", lambda _: on_trunk)
    monkeypatch.setattr(attention, "attention_over_seeds", lambda *_: pytest.fail("drawn"))
    (section,) = attention.sections(two_seeds)
    assert section.sentence == attention.FROZEN and section.table.empty


def test_where_nothing_is_hidden_nothing_is_said():
    experiment = make_recipe("expression", visible="full").experiments["expression"]
    rows = attention.watched(experiment)
    assert attention.reference_of(rows) in rows
    assert "other_half" not in rows and not any(" on " in name for name in rows)


def test_shares_are_computed_once_for_each_part_of_the_face(ten, model, tmp_path, monkeypatch):
    experiment = make_recipe("expression").experiments["expression"]
    row, run = attention.watched(experiment)["teacher on full"], Run(tmp_path)
    monkeypatch.setattr(attention, "load_network", lambda *_: model)
    first = attention.kept_shares(run, experiment, row, ten)
    expected = attention.visible_shares((model, "full"), ten, "lower")
    np.testing.assert_allclose(first, expected)
    upper = experiment.model_copy(update={"visible": "upper"})
    np.testing.assert_allclose(attention.kept_shares(run, upper, row, ten), 1 - expected, rtol=1e-5)
    monkeypatch.delattr(attention, "load_network")
    name = "attention-full-on-lower.parquet"
    run.save_table(name, run.table(name)[::-1])  # any order will do
    np.testing.assert_array_equal(attention.kept_shares(run, experiment, row, ten), first)


def test_what_looking_takes(ten, outputs, tmp_path, monkeypatch):
    monkeypatch.setenv("OCCKD_DATA", str(tmp_path))
    recipe = make_recipe("gender")
    assert not has_data(recipe.experiments["gender"])
    drawn = make_recipe("gender", data={"name": "synthetic"})
    assert has_data(drawn.experiments["gender"])
    run = write_run(recipe, "gender", 0, "teacher", 1)
    assert not has_weights(run)
    with pytest.raises(OcckdError, match="teacher saw other faces than those in"):
        check_faces([run], ten)
    same = write_run(recipe, "gender", 1, "teacher", 1, config={"faces": ten.fingerprint()})
    check_faces([same], ten)
