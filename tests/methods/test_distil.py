"""distil: every term as its loss says, beside the task loss, from the teacher's own answers."""

import pytest
import torch
from torch import nn

from occkd_lib.config import Recipe
from occkd_lib.errors import OcckdError
from occkd_lib.losses import (
    contrastive_loss,
    decoupled_loss,
    dist_loss,
    hint_loss,
    pseudo_label_loss,
    relational_angle_loss,
    relational_distance_loss,
    representation_loss,
    similarity_loss,
    soft_target_loss,
)
from occkd_lib.methods.terms import TERMS, Called
from occkd_lib.models import Prediction
from occkd_lib.stages import run_stage
from tests.tiny import tiny_recipe

TARGET = torch.tensor([0, 1, 2, 0])


def said(seed, width=6):
    generator = torch.Generator().manual_seed(seed)
    return Prediction(
        torch.randn(4, width, generator=generator), torch.randn(4, 3, generator=generator)
    )


OURS, THEIRS = said(0), said(1)
E_S, E_T, Z_S, Z_T = OURS.embedding, THEIRS.embedding, OURS.output, THEIRS.output
EXPECTED = {
    "soft_targets": ({"tau": 2}, soft_target_loss(Z_S, Z_T, 2, tau_squared=True)),
    "decoupled": (
        {"alpha": 2, "beta": 3, "tau": 2},
        decoupled_loss(Z_S, Z_T, TARGET, alpha=2, beta=3, tau=2),
    ),
    "dist": ({"beta": 2, "gamma": 3, "tau": 2}, dist_loss(Z_S, Z_T, beta=2, gamma=3, tau=2)),
    "hint": ({"reduction": "sum"}, hint_loss(E_S, E_T, reduction="sum")),
    "fitnets": ({"reduction": "sum"}, representation_loss(E_S, E_T, reduction="sum")),
    "relational_distance": ({}, relational_distance_loss(E_S, E_T)),
    "relational_angle": ({}, relational_angle_loss(E_S, E_T)),
    "similarity": ({}, similarity_loss(E_S, E_T)),
    "contrastive": (
        {"tau": 0.5, "spare_class": True},
        contrastive_loss(E_S, E_T, tau=0.5, target=TARGET),
    ),
    # smoothed by 1, the label is gone
    "smoothing": ({}, nn.functional.cross_entropy(Z_S, TARGET, label_smoothing=1.0)),
    "pseudo_labels": ({"threshold": 0.5}, pseudo_label_loss(Z_S, Z_T, threshold=0.5)),
}


def test_every_term_is_here():
    assert EXPECTED.keys() == TERMS.keys()


@pytest.mark.parametrize("name", TERMS)
def test_a_term_is_its_weight_times_its_loss(name):
    parameters, expected = EXPECTED[name]
    called = Called(TERMS[name](weight=1.5, **parameters), nn.Identity())
    torch.testing.assert_close(called(OURS, THEIRS, TARGET), 1.5 * expected)


def stage(**settings):
    common = {"epochs": 1, "lr": 1e-3, "optimizer": "adamw", "schedule": "onecycle"}
    return {"method": "distil", **common, **settings}


def expression(stages):
    chosen = tiny_recipe().experiment("expression").varied({"stages": stages})
    return Recipe(name="tiny", description="toy", experiments={"expression": chosen})


def test_widths_meet_through_an_adapter_and_everything_runs(outputs):
    terms = {name: {"weight": 0.1, **EXPECTED[name][0]} for name in TERMS}
    triplets = {"weight": 0.2, "alpha": 0.2, "normalize": True, "mining": "semi_hard"}
    narrow = {"name": "compact", "width": 6, "input_size": 32}
    all_of_it = stage(terms=terms, triplets=triplets, network=narrow, start=None)
    few = {**all_of_it, "label_share": 0.2, "triplets": {**triplets, "negatives": "apart"}}
    recipe = expression({"all_of_it": all_of_it, "few": few})
    for name in ("all_of_it", "few"):
        run = run_stage(recipe, "expression", 0, name, say=lambda line: None)
        assert run.done and run.status["parameters_of_objective"] > 0


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ({}, "nothing is learnt from the teacher"),
        ({"terms": {"nonsense": {"weight": 1}}}, "term 'nonsense'"),
        ({"terms": {"dist": {"weight": 1, "sigma": 2}}}, "dist: "),
        ({"terms": {"dist": {}}}, "weight"),
        ({"terms": {"contrastive": {"weight": 1}}, "triplets": {"weight": 1}}, "alpha"),
    ],
)
def test_settings_that_make_no_sense(settings, wrong):
    with pytest.raises((ValueError, OcckdError), match=wrong):
        expression({"d": stage(**settings)})


def test_a_quantity_has_no_classes():
    recipe = tiny_recipe()
    for terms in ({"dist": {"weight": 1}}, {"contrastive": {"weight": 1, "spare_class": True}}):
        with pytest.raises(ValueError, match="has one output|has no classes"):
            recipe.experiment("age").varied({"stages": {"d": stage(terms=terms)}})
