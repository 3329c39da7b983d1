"""The cost of a recipe, against the totals worked out from the papers' own epochs (PFLOP)."""

import pytest

from occkd_lib.config import load_recipe
from occkd_lib.estimate import all_stages, estimate, faces_to_see, stage_flop
from occkd_lib.models.cost import network_cost
from occkd_lib.training.stages import run_stage
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
    cost = network_cost(experiment.network.name, 8)
    stages = ("teacher", f"student_{experiment.visible}", "standard", "triplet")
    # a few per cent apart: validation on AffectNet's test set, and the two passes of the teacher
    for stage, pflop in zip(stages, stated, strict=True):
        assert stage_flop(experiment, stage, cost) / 1e15 == pytest.approx(pflop, rel=0.08), stage


def test_every_run_of_the_plan_is_counted_once(outputs):
    """7 stages, of which triplet is 6 arms; a second experiment that is equal adds nothing."""
    paper = load_recipe("paper")
    first = paper.experiment("fer_vgg_f")
    assert len(all_stages(first, 0)) == 6 + 6
    same = paper.model_copy(update={"experiments": {"a": first, "b": first}})
    table = estimate(same, seeds=[0, 1])
    assert table["runs"].to_dict() == {"a": 24, "b": 0}
    assert table.loc["a", "epochs"] == 2 * (800 + 80 + 80 + 200 + 200 + 6 * 10)
    assert table.loc["b", "pflop"] == 0


def test_what_is_done_costs_nothing(outputs):
    tiny = tiny_recipe()
    before = estimate(tiny, ["gender"])
    run_stage(tiny, "gender", 0, "student_upper", say=lambda line: None)
    after = estimate(tiny, ["gender"])
    assert before.loc["gender", "runs"] - after.loc["gender", "runs"] == 2
    assert after.loc["gender", "pflop"] < before.loc["gender", "pflop"]


def test_the_built_in_faces_are_split_as_the_estimate_says():
    data = tiny_recipe().experiment("gender").data
    assert faces_to_see(data) == (72, 24)
