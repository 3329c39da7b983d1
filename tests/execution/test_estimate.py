"""The cost of a recipe, against the totals worked out from the papers' own epochs (PFLOP)."""

from __future__ import annotations

import math

import pytest

from occkd_lib.config import load_recipe
from occkd_lib.execution.estimate import cost_of, estimate, identity, known_outputs, stage_flop
from occkd_lib.stages import run_stage, stage_of
from occkd_lib.stages.graph import all_stages
from tests.tiny import tiny_recipe


@pytest.mark.parametrize(
    ("name", "stated"),
    [
        ("fer_vgg_f", (87, 9, 22, 2.5)),
        ("fer_vgg_face", (121, 97, 122, 56)),
        ("fer_resnet50", (48, 48, 6.5, 15)),
        ("affectnet_vgg_f", (299, 30, 75, 9)),
        ("gender_vgg_face", (366, 366, 59, 129)),
        ("age_vgg_f", (13, 13, 1.3, 5.9)),
    ],
)
def test_the_journal_s_stages_cost_what_was_worked_out(name, stated):
    """By hand, in two digits: epochs x (faces x FLOP forward and backward + validation forward)."""
    experiment = load_recipe("paper").experiment(name)
    # a few per cent apart: validation on AffectNet's test set, and the two passes of the teacher
    for stage, pflop in zip(("teacher", "student", "standard", "triplet"), stated, strict=True):
        found = stage_flop(experiment, stage_of(experiment, stage)) / 1e15
        assert found == pytest.approx(pflop, rel=0.08), stage


def test_every_run_of_the_plan_is_counted_once(outputs):
    """Seven stages, some of them several arms; a second experiment that is equal adds nothing."""
    paper = load_recipe("paper")
    first = paper.experiment("fer_vgg_f")
    same = paper.model_copy(update={"experiments": {"a": first, "b": first}})
    table = estimate(same, seeds=[0, 1])
    every, (chosen_with,) = all_stages(first, 0), first.tuning_seeds
    arms = all_stages(first, chosen_with)
    assert arms[:2] == ("teacher", "student")
    assert [arm.startswith("triplet@alpha=") for arm in arms[2:]] == [True] * 6
    assert table["runs"].to_dict() == {"a": 2 * len(every) + len(arms), "b": 0}
    assert table.loc["b", "pflop"] == 0
    epochs = [getattr(first.settings(each), "epochs", 0) for each in (*every, *every, *arms)]
    assert table.loc["a", "epochs"] == sum(epochs)
    shorter = first.varied({"stages": {"standard": {"epochs": 1}}})
    table = estimate(same.model_copy(update={"experiments": {"a": first, "b": shorter}}), seeds=[0])
    assert table.loc["b", "runs"] > 0  # that stage and what builds on it, but no teacher
    assert table.loc["b", "runs"] < table.loc["a", "runs"] - 2


def test_what_is_done_costs_nothing(outputs):
    tiny = tiny_recipe()
    before = estimate(tiny, ["gender"])
    run_stage(tiny, "gender", 0, "student", say=lambda line: None)
    after = estimate(tiny, ["gender"])
    assert before.loc["gender", "runs"] - after.loc["gender", "runs"] == 2
    assert after.loc["gender", "pflop"] < before.loc["gender", "pflop"]


def test_stages_are_one_run_in_the_estimate_where_their_fingerprints_are_one(outputs):
    """Identity follows the protocol of a run: what shares one there, shares one here."""
    tiny = tiny_recipe().experiment("gender")
    other = tiny.varied({"stages": {"standard": {"lam": 0.9}}})
    longer = tiny.varied({"stages": {"teacher": {"epochs": 3}}})

    def known(experiment, *names):
        return [identity(experiment, name, {}) for name in names]

    assert known(tiny, "teacher", "student", "triplet") == known(
        other, "teacher", "student", "triplet"
    )
    assert known(tiny, "standard") != known(other, "standard")
    assert known(tiny, "fusion") != known(other, "fusion")
    for ours, changed in zip(known(tiny, *tiny.stages), known(longer, *tiny.stages), strict=True):
        assert ours != changed  # all of them build on the teacher
    assert len(set(known(tiny, *tiny.stages))) == len(tiny.stages)


def test_a_tuned_stage_is_not_the_untuned_one():
    """What builds on the best of several arms is another run than what builds on one of them."""
    tiny = tiny_recipe().experiment("gender")
    tuned = tiny.varied(
        {"tuning_seeds": [7], "stages": {"triplet": {"tune": [{"alpha": 0.1}, {"alpha": 0.3}]}}}
    )
    assert identity(tiny, "fusion", {}) != identity(tuned, "fusion", {})


def test_faces_nobody_has_counted_have_no_price(outputs, tmp_path, monkeypatch):
    """A folder of one's own faces that is not even there: a plan all the same."""
    monkeypatch.setenv("OCCKD_DATA", str(tmp_path))
    own = {"data": {"name": "folder", "path": "mine.csv", "size": 32}, "task": "category"}
    stages = {"standard": {"kind": "soft_targets"}, "triplet": {"max_target_gap": None}}
    experiment = load_recipe("demo").experiment("expression").varied({**own, "stages": stages})
    assert known_outputs(experiment) == 8
    recipe = tiny_recipe().model_copy(update={"experiments": {"mine": experiment}})
    table = estimate(recipe)
    assert table.loc["mine", "runs"] > 7
    assert math.isnan(table.loc["mine", "pflop"])


def test_a_teacher_with_another_network_is_asked_at_its_own_price():
    """The frozen teacher looks at every training face twice (both orientations)."""
    tiny = tiny_recipe().experiment("gender")
    network = {"name": "compact", "width": 16, "input_size": 32, "channels": 1}
    stages = {"teacher": {"network": network}, "student": {"start": None}}
    stages["other_half"] = {"start": None}
    wide = tiny.varied({"stages": stages})
    faces = 72  # 60 per cent of 120
    ours, theirs = (stage_flop(e, stage_of(e, "standard")) for e in (tiny, wide))
    teacher = stage_of(wide, "teacher").network
    expected = 2 * faces * (cost_of(teacher, 1).forward - cost_of(tiny.network, 1).forward)
    assert theirs - ours == pytest.approx(expected)


def test_every_teacher_has_its_price():
    tiny = tiny_recipe().experiment("expression")
    stages = {"again": {**tiny.stages["teacher"].model_dump(), "draw": 1}}
    alone = tiny.varied({"stages": {**stages, "standard": {"kind": "soft_targets"}}})
    two = alone.varied({"stages": {"standard": {"with_teachers": ["again"]}}})
    less, more = (stage_flop(e, stage_of(e, "standard")) for e in (alone, two))
    faces, asked = 72, cost_of(tiny.network, known_outputs(tiny)).forward
    assert more - less == pytest.approx(2 * faces * asked)
