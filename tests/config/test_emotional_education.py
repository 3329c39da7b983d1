"""The recipe of emotional education says what its paper says, and which readings it takes."""

import pytest

from occkd_lib.config import Experiment, load_recipe
from occkd_lib.config.arms import arm_name, parse_arm
from occkd_lib.errors import OcckdError
from occkd_lib.stages import graph, stage_of
from occkd_lib.stages.run import decides

EXPERIMENTS = ("rafdb", "affectnet", "fer", "rafdb_to_affectnet", "affectnet_to_rafdb")


@pytest.fixture(scope="module")
def literal():
    return load_recipe("emotional_education")


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_section_4_b_literally(literal, name):
    experiment = literal.experiment(name)
    assert (experiment.batch_size, experiment.flip, experiment.task) == (32, True, "expression")
    for stage in graph(experiment).values():
        s, net = stage.settings, stage.network
        assert (s.optimizer, s.lr, s.weight_decay) == ("adam", 1e-4, 5e-4)
        assert (s.schedule, s.step_epochs, s.step_factor, s.select) == ("step", 4, 0.2, "last")
        assert (net.resize, net.input_size, net.test_window) == (224, 200, "centre")
        assert net.init != "random", "of ImageNet"
        assert stage.view == "full"


def test_equations_3_4_and_8(literal):
    stages = graph(literal.experiment("rafdb"))
    ktn, stsn, taught = (stages[name] for name in ("ktn", "stsn", "stsn_alone"))
    loss = ktn.settings.loss.parameters
    assert (loss["task_weight"], loss["weight"], loss["expansion"]) == (5, 0.01, 10)
    assert loss["order"].startswith("surprise, fear, disgust")
    alone = stages["adareg"].settings.loss.parameters  # Table II: all with one cross-entropy
    assert (alone["task_weight"], alone["weight"]) == (1, 0.002)
    assert stages["softmax"].settings.loss.parameters == {}
    assert ktn.settings.lam_c == 3
    assert (ktn.network.name, ktn.network.streams.trunks) == ("resnet50", "two")
    s = stsn.settings
    assert (s.lam_d, s.lam_s, s.lam_1, s.lam_2, s.temperature) == (1, 1, 3, 1, 1)
    assert s.loss is None and s.representation == "mean" and not s.triplets
    assert (stsn.network.name, stsn.network.streams.trunks) == ("resnet18", "shared")
    assert (
        taught.settings.loss.parameters == {"weight": s.lam_1} and taught.settings.lam_c == s.lam_2
    )
    assert taught.network == stsn.network
    plain = stages["two_trunks"].settings
    assert plain.lam_c == 0 and plain.loss.parameters == {"weight": 5}


def test_data_and_tables(literal):
    data = {name: literal.experiment(name).data for name in EXPERIMENTS}
    assert data["rafdb"].validation is False
    assert (data["affectnet"].classes, data["affectnet"].most) == (7, "all")
    assert [d.name for d in literal.experiment("rafdb_to_affectnet").test_on] == ["affectnet"]
    assert [d.name for d in literal.experiment("affectnet_to_rafdb").test_on] == ["rafdb"]
    rafdb = literal.experiment("rafdb")
    assert {
        f"{n}{a}" for n in ("squeezenet", "shufflenet", "mobilenet") for a in ("", "_alone")
    } <= {*rafdb.stages}
    sizes = {arm.get("batch_size", 32) for arm in rafdb.ablations["batch_size"].arms}
    assert sizes == {8, 16, 32, 64, 128}
    lambdas = {arm.get("loss.expansion", 10) for arm in rafdb.ablations["expansion"].arms}
    assert lambdas == {1, 10, 100, 1000}


@pytest.mark.parametrize("recipe", ["demo", "emotional_education", "emotional_education_laptop"])
def test_compared_stages_differ_in_what_they_are_compared_for_alone(recipe):
    """Whatever has a control trains as it does: epochs, rate, batches, start and view."""
    for experiment in load_recipe(recipe).experiments.values():
        stages = graph(experiment)
        for name, stage in stages.items():
            control = experiment.control_of(name)
            if control is None or not hasattr(stage.settings, "epochs"):
                continue
            other = stages[control]
            assert other.view == stage.view
            for key in ("epochs", "lr", "optimizer", "schedule", "weight_decay", "start", "select"):
                assert getattr(stage.settings, key) == getattr(other.settings, key), (name, key)
            same = stage.network == other.network
            assert same or stage.settings.loss.name == "ldam", (name, "its head gives cosines")


# --- arms with a dot, and what makes a stage itself --------------------------------------------


def test_a_dot_leads_into_a_setting():
    experiment = load_recipe("demo").experiment("education")
    name = arm_name("ktn", {"loss.expansion": 100, "batch_size": 64})
    assert name == "ktn@loss.expansion=100,batch_size=64"
    assert parse_arm(name) == ("ktn", {"loss.expansion": 100, "batch_size": 64})
    settings = experiment.settings(name)
    assert settings.loss.parameters == {"expansion": 100} and settings.loss.name == "adareg"
    assert settings.batch_size == 64
    assert experiment.settings("ktn").loss.parameters == {}, "the stage itself is as it was"
    assert stage_of(experiment, "ktn@network.streams.combine=probabilities").network != (
        stage_of(experiment, "ktn").network
    )


@pytest.mark.parametrize(
    ("arm", "message"),
    [
        ("fusion@C=1", "no stage 'fusion'"),
        ("stsn@loss.gamma=1", "the stage has no loss of its own to change"),
        ("ktn@loss.expanse=1", "no parameter 'expanse'"),
        ("ktn@batch_size=1", "batch_size"),
    ],
)
def test_an_arm_there_cannot_be(arm, message):
    with pytest.raises(OcckdError, match=message):
        load_recipe("demo").experiment("education").settings(arm)


def test_neither_title_nor_whose_control_it_is_makes_another_run():
    experiment = load_recipe("demo").experiment("education")
    change = {"stages": {"softmax": {"title": "plain", "of": ["adareg"]}}}
    other = experiment.varied(change)
    ours, theirs = (decides(e, stage_of(e, "softmax")) for e in (experiment, other))
    assert ours == theirs
    smaller = stage_of(experiment, "stsn@batch_size=8")
    assert decides(experiment, smaller) != decides(experiment, stage_of(experiment, "stsn"))


def test_an_ablation_that_is_null_is_left_out():
    demo = load_recipe("demo")
    assert (
        demo.experiment("education").ablations and not demo.experiment("education_street").ablations
    )


def test_every_arm_says_what_the_first_one_changes():
    content = load_recipe("demo").experiment("education").model_dump(mode="json")
    content["ablations"]["expansion"]["arms"] = [{"epochs": 2}, {"loss.expansion": 1}]
    with pytest.raises(ValueError, match="does not say epochs, which the first arm changes"):
        Experiment.model_validate(content)
