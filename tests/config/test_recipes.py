"""The recipes of the papers hold every hyperparameter that the papers state, number by number."""

import pytest
import yaml

from occkd_lib.config import load_recipe

# journal, Sect. 4.2.4 and 4.3.4; null: not stated
JOURNAL = yaml.safe_load("""
momentum: 0.9
batch: {vgg_f: 512, vgg_face: 64, resnet50: 16}
optimizer: {vgg_f: sgd, vgg_face: sgd, resnet50: adam}
alpha_grid: [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]
svm_C_grid: [0.1, 1, 10, 100, 1000]
svr_epsilon: 0
fer: # FER+ and AffectNet
  fraction: 0.10
  vgg_f:
    teacher: {epochs: 800, lr: null}
    student: {epochs: 80, lr: null}
    standard: {epochs: 200, lr: 1.0e-3, final_lr: 1.0e-4, plateau_patience: 10, lam: 0.7}
    triplet: {epochs: 10, lr: 1.0e-5, lam: 0.5}
  vgg_face:
    teacher: {epochs: 50, lr: null}
    student: {epochs: 40, lr: null}
    standard: {epochs: 50, lr: 1.0e-4, final_lr: 1.0e-5, plateau_patience: 10, lam: 0.7}
    triplet: {epochs: 10, lr: 1.0e-6, lam: 0.5}
  resnet50:
    teacher: {epochs: 75, lr: 1.0e-4}
    student: {epochs: 75, lr: 1.0e-4}
    standard: {epochs: 10, lr: 1.0e-5, lam: 0.9}
    triplet: {epochs: 10, lr: 1.0e-5, lam: 0.1}
gender:
  fraction: 0.20
  vgg_f:
    teacher: {epochs: 200, lr: 1.0e-4}
    student: {epochs: 200, lr: 1.0e-4}
    standard: {epochs: 20, lr: 1.0e-6, lam: 0.3}
    triplet: {epochs: 30, lr: 1.0e-5, lam: 0.7}
  vgg_face:
    teacher: {epochs: 250, lr: 1.0e-4}
    student: {epochs: 250, lr: 1.0e-4}
    standard: {epochs: 40, lr: 1.0e-6, lam: 0.3}
    triplet: {epochs: 40, lr: 1.0e-6, lam: 0.7}
  resnet50:
    teacher: {epochs: 100, lr: 1.0e-4}
    student: {epochs: 100, lr: 1.0e-4}
    standard: {epochs: 40, lr: 1.0e-5, plateau_patience: 10, lam: 0.1}
    triplet: {epochs: 40, lr: 1.0e-5, lam: 0.4}
age:
  fraction: 0.20
  vgg_f:
    teacher: {epochs: 200, lr: 1.0e-4}
    student: {epochs: 200, lr: 1.0e-4}
    standard: {epochs: 20, lr: 1.0e-6, lam: 0.5}
    triplet: {epochs: 40, lr: 1.0e-6, lam: 0.7}
  vgg_face:
    teacher: {epochs: 250, lr: 1.0e-4}
    student: {epochs: 250, lr: 1.0e-4}
    standard: {epochs: 40, lr: 1.0e-5, lam: 0.3}
    triplet: {epochs: 40, lr: 1.0e-6, lam: 0.7}
  resnet50:
    teacher: {epochs: 100, lr: 1.0e-4}
    student: {epochs: 100, lr: 1.0e-4}
    standard: {epochs: 40, lr: 1.0e-5, plateau_patience: 10, lam: 0.1}
    triplet: {epochs: 40, lr: 1.0e-5, lam: 0.7}
""")
NETWORKS = ("vgg_f", "vgg_face", "resnet50")


def check_stages(experiment, stated):
    for stage, values in stated.items():
        settings = experiment.stages[stage]
        for key, value in values.items():
            if value is not None:
                assert getattr(settings, key) == value, (stage, key)
        if "final_lr" in values or "plateau_patience" in values:
            assert settings.schedule == "plateau"


def fitted(experiment):
    """The settings of every stage that trains a network."""
    return [s for s in experiment.stages.values() if hasattr(s, "epochs")]


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("prefix", ["fer", "affectnet", "gender", "age"])
def test_paper_is_the_journal_literally(prefix, network):
    experiment = load_recipe("paper").experiment(f"{prefix}_{network}")
    stated = JOURNAL["fer" if prefix == "affectnet" else prefix]
    check_stages(experiment, stated[network])
    stages = experiment.stages
    assert experiment.network.name == network
    assert experiment.network.input_size in (None, 224)
    assert experiment.batch_size == JOURNAL["batch"][network]
    assert stages["triplet"].fraction == stated["fraction"]
    assert stages["triplet"].squared and not stages["triplet"].keep_task_weight, "Eq. 4 and 5"
    for settings in fitted(experiment):
        assert settings.optimizer == JOURNAL["optimizer"][network]
        assert settings.momentum == JOURNAL["momentum"]
    assert stages["fusion"].epsilon == JOURNAL["svr_epsilon"]
    if prefix == "affectnet":
        assert all(settings.select == "last" for settings in fitted(experiment))
    else:
        assert [arm["alpha"] for arm in stages["triplet"].tune] == JOURNAL["alpha_grid"]
        assert list(stages["fusion"].C) == JOURNAL["svm_C_grid"]
    upper = prefix in ("gender", "age")
    assert experiment.visible == ("upper" if upper else "lower")
    assert stages["other_half"].view == ("lower" if upper else "upper")
    assert stages["standard"].kind == ("hint" if upper else "soft_targets")
    assert stages["triplet"].max_target_gap == (5 if prefix == "age" else None)
    if upper and network == "resnet50":
        assert experiment.network.init == "random", "from scratch"


@pytest.mark.parametrize("network", ["vgg_f", "vgg_face"])
@pytest.mark.parametrize("prefix", ["fer", "affectnet"])
def test_icpr2020_differs_from_the_journal_where_the_papers_do(prefix, network):
    name = f"{prefix}_{network}"
    older, newer = load_recipe("icpr2020").experiment(name), load_recipe("paper").experiment(name)
    check_stages(older, JOURNAL["fer"][network])
    triplet = older.stages["triplet"]
    assert (triplet.squared, triplet.keep_task_weight, triplet.lam) == (False, True, 0.5)
    assert (triplet.alpha, triplet.fraction, triplet.tune) == (0.1, 0.1, ())
    assert (older.stages["standard"].tau, older.stages["standard"].lam) == (20, 0.7)
    assert older.stages["fusion"].C == (1,)
    for stage in ("teacher", "student", "other_half"):
        assert older.stages[stage] == newer.stages[stage], "so that they are shared"


@pytest.mark.parametrize("name", ["demo", "laptop", "fast", "paper", "icpr2020"])
def test_every_distilled_stage_has_a_control_that_is_trained_alike(name):
    """Only the teacher may make the difference."""
    same = ("epochs", "lr", "optimizer", "weight_decay", "schedule", "final_lr", "select", "start")
    for experiment in load_recipe(name).experiments.values():
        for stage in {"standard", "triplet"} & set(experiment.stages):
            control = experiment.stages[experiment.control_of(stage)]
            distilled = experiment.stages[stage]
            assert [getattr(control, k) for k in same] == [getattr(distilled, k) for k in same]


@pytest.mark.parametrize("name", ["fast", "paper", "icpr2020"])
def test_nothing_is_chosen_on_affectnets_test_set(name):
    """Its published validation set is the test set, so there is nothing to choose on."""
    experiments = load_recipe(name).experiments
    affectnet = [e for e in experiments.values() if e.data.name == "affectnet"]
    assert len(affectnet) == {"fast": 3, "paper": 3, "icpr2020": 2}[name]
    for experiment in affectnet:
        assert len(experiment.stages["fusion"].C) == 1
        for settings in fitted(experiment):
            assert settings.select == "last" and not settings.tune


def test_fast_has_every_cell_of_the_journal():
    assert set(load_recipe("fast").experiments) == set(load_recipe("paper").experiments)
