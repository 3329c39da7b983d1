import numpy as np
import pandas as pd
import pytest
import torch

from occkd_lib.data import FaceSet
from occkd_lib.explain import NoFeatureMap
from occkd_lib.models import build_model
from occkd_lib.report import explanations
from occkd_lib.runs import Run
from occkd_lib.tasks import TASKS

from .conftest import make_recipe

NAN = float("nan")


@pytest.fixture
def ten():
    """Ten faces of 32 x 32 pixels; face k is of class k mod 8 and has the id str(k)."""
    images = torch.randint(256, (10, 3, 32, 32), generator=torch.Generator().manual_seed(0))
    return FaceSet(
        name="made up",
        task="expression",
        classes=TASKS["expression"].classes,
        images=images.to(torch.uint8),
        targets=torch.arange(10) % 8,
        ids=np.arange(10).astype(str),
        splits=np.array(["test"] * 10),
        duplicate_of_train=np.zeros(10, dtype=bool),
        table=pd.DataFrame(index=range(10)),
    )


@pytest.fixture
def model():
    torch.manual_seed(0)
    return build_model("compact", 8, width=4, input_size=32).eval()


def test_attention_table_by_hand(ten, model, monkeypatch):
    shares = {
        "full": np.array([0.5, 0.7, NAN, NAN]),
        "upper": np.array([0.9, NAN, 0.8, 0.4]),
        "lower": np.full(4, NAN),
    }
    monkeypatch.setattr(explanations, "visible_shares", lambda look, *_: shares[look[1]])
    looks = {"teacher": (model, "full"), "student": (model, "upper"), "blind": (model, "lower")}
    table = explanations.attention_table(looks, ten, "upper", against="student", faces=4)
    assert list(table["n"]) == [2, 3, 0] and list(table["empty"]) == [2, 1, 4]
    assert table["mass, %"].tolist()[:2] == [60, 70]
    assert table.loc["teacher", ["low", "high"]].tolist() == [50, 70]  # a bootstrap of two faces
    # only the first face has a map in both
    assert table.loc["teacher", "minus student"] == pytest.approx(-40)
    assert table.loc["student", ["minus student", "minus student, low"]].isna().all()
    assert table.loc["blind", ["mass, %", "low", "high", "minus student"]].isna().all()


def test_shares_are_of_the_maps(ten, model, monkeypatch):
    monkeypatch.setattr(explanations, "CHUNK", 3)
    maps = explanations.explain((model, "upper"), ten).maps
    found = explanations.visible_shares((model, "upper"), ten, "lower")
    wanted = maps[:, 16:].sum((1, 2)) / maps.sum((1, 2))
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_grid_has_the_rows_of_figure_3(ten, model):
    some = ten.select(np.arange(3))
    shown = {
        "teacher": explanations.explain((model, "full"), some),
        "student": explanations.explain((model, "lower"), some),
    }
    axes = np.array(explanations.explanation_grid(some, shown).axes).reshape(6, 3)
    assert [axes[r, 0].texts[0].get_text() for r in range(6)] == [
        "full face", "lower half", "teacher", "laid over it", "student", "laid over it",
    ]  # fmt: skip
    assert [ax.get_title() for ax in axes[0]] == ["neutral", "happiness", "surprise"]
    assert axes[4, 1].get_title() == f"“{shown['student'].said[1]}”"
    half = axes[1, 2].images[0].get_array()
    assert not half[:16].any() and half[16:].any()
    np.testing.assert_array_equal(axes[4, 2].images[1].get_array(), shown["student"].maps[2])
    np.testing.assert_array_equal(axes[3, 2].images[1].get_array(), shown["teacher"].maps[2])
    assert axes[4, 0].lines[0].get_ydata()[0] == 15.5


def test_forest_shows_every_row(ten, model):
    looks = {"teacher": (model, "full"), "student": (model, "lower")}
    table = explanations.attention_table(looks, ten, "lower", against="student")
    axes = explanations.attention_forest(table, "lower").axes[0]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["teacher", "student"]
    dots = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "o"]
    assert dots == table["mass, %"].tolist()


@pytest.fixture
def two_seeds(ten, tmp_path, monkeypatch):
    """A recipe whose networks of two seeds have been looked at: student 0.6 and 0.8, others 0.5."""
    runs = {}
    for seed in (0, 1):
        runs[seed] = {}
        for kind in explanations.KINDS:
            stage = kind.format(half="lower")
            run = runs[seed][stage] = Run(tmp_path / str(seed) / stage)
            share = np.full(10, 0.6 + 0.2 * seed if stage == "student_lower" else 0.5)
            share[: 2 - seed] = NAN  # face 0 has no map in either seed, face 1 none in the first
            table = pd.DataFrame({"id": ten.ids, "share": share})
            for view in ("full", "lower"):
                run.save_table(f"attention-{view}.parquet", table[::-1])  # any order will do
    monkeypatch.setattr(explanations, "networks_by_seed", lambda *_: runs)
    monkeypatch.setattr(explanations, "faces_of", lambda *_: ten)
    monkeypatch.setattr(explanations, "check_faces", lambda *_: None)
    monkeypatch.setattr(explanations, "why_none", lambda *_: "")
    return make_recipe("expression")


def test_attention_over_seeds_averages_each_face(two_seeds):
    table = explanations.attention_over_seeds(two_seeds, "expression")
    assert list(table.index) == [
        "teacher, full face", "teacher", "student_lower", "control", "standard", "triplet",
    ]  # fmt: skip
    assert set(table["n"]) == {9} and set(table["empty"]) == {1} and set(table["seeds"]) == {2}
    # eight faces at 0.7, one known from the second seed only: 0.8
    assert table.loc["student_lower", "mass, %"] == pytest.approx((8 * 70 + 80) / 9, abs=0.01)
    assert table.loc["control", "minus student_lower"] == pytest.approx(
        -(8 * 20 + 30) / 9, abs=0.01
    )


def test_sections_say_where_the_networks_look(two_seeds):
    (section,) = explanations.sections(two_seeds)
    assert section.title == "Grad-CAM expression" and section.figure is not None
    row = section.table.set_index("network").loc["control"]
    assert row["mass on the visible half, %"] == "50.00 [50.00, 50.00]"
    assert row["minus student_lower, points"].startswith("-21.11 [")


def test_a_network_without_a_map_is_named_on_the_page(two_seeds, monkeypatch):
    def refuse(*_):
        raise NoFeatureMap("network 'vit' does not end on a feature map")

    monkeypatch.setattr(explanations, "attention_over_seeds", refuse)
    (section,) = explanations.sections(two_seeds)
    assert "vit" in section.sentence and section.figure is None


def test_shares_are_computed_once(ten, model, tmp_path, monkeypatch):
    experiment, run = make_recipe("expression").experiment("expression"), Run(tmp_path)
    monkeypatch.setattr(explanations, "load_model", lambda *_: model)
    first = explanations.kept_shares(run, experiment, "lower", ten)
    np.testing.assert_allclose(first, explanations.visible_shares((model, "lower"), ten, "lower"))
    monkeypatch.delattr(explanations, "load_model")
    np.testing.assert_array_equal(explanations.kept_shares(run, experiment, "lower", ten), first)
