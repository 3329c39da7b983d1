"""KTN and STSN: the objectives of Eq. 4 and 8 by hand, what each looks at, and what is refused."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import accuracy_score, recall_score

from occkd_lib.config import Experiment, Recipe
from occkd_lib.data import FaceSet
from occkd_lib.errors import OcckdError
from occkd_lib.losses import triplet_kd_loss
from occkd_lib.losses.coarse_fine import COARSE, coarse_shares
from occkd_lib.losses.task import Facts, LossChoice
from occkd_lib.methods import METHODS, ktn
from occkd_lib.methods.ktn import KtnObjective, coarse_cross_entropy
from occkd_lib.methods.stsn import StsnObjective, StsnSettings, TripletShare
from occkd_lib.methods.triplet import TripletTerm
from occkd_lib.models import NetworkSettings
from occkd_lib.models.base import Prediction
from occkd_lib.runs import Run, run_folder
from occkd_lib.stages import faces_of, graph, run_stage
from occkd_lib.training import fit as loop
from occkd_lib.training.batches import Batches
from occkd_lib.training.device import Compute
from occkd_lib.training.predict import FrozenTeacher
from occkd_lib.training.views import Views
from tests.tiny import tiny_education

CPU = Compute(torch.device("cpu"), "fp32")
CLASSES = ("neutral", "happiness", "surprise", "sadness", "contempt")
COARSE_OF = torch.tensor([2, 0, 3, 1, 1])
FIT = {"epochs": 1, "lr": 0.1}


@pytest.fixture
def feelings(faces) -> FaceSet:
    """The random faces, with five expressions."""
    targets = torch.arange(len(faces)) % len(CLASSES)
    return replace(faces, task="expression", classes=CLASSES, targets=targets)


def network(seed, streams="shared", outputs=5):
    torch.manual_seed(seed)
    settings = NetworkSettings(name="compact", width=4, input_size=20, streams=streams)
    return settings.build(outputs).eval()


def scene(feelings, label_share=None):
    """(student, teacher network, frozen teacher, batches, one of them)"""
    student, teacher = network(1), network(2, "two")
    views = Views(feelings, student.input_spec, CPU.device)
    frozen = FrozenTeacher(teacher, views, "full", compute=CPU, live=False)
    batches = Batches(views, batch_size=30, seed=0, label_share=label_share)
    return student, teacher, frozen, batches, next(iter(batches.epoch(0)))


def decide(outputs):
    """N x 5 -> N, two classes: an untrained network's largest output may always be the same."""
    return (outputs[:, 0] > outputs[:, 0].median()).long()


def cross_entropy():
    return LossChoice(name="cross_entropy").build(Facts(5, 256, (6,) * 5, CLASSES))


def divergence(theirs, ours):
    """KL(theirs || ours), summed over classes, mean over faces; no library function."""
    p, q = theirs.softmax(1), ours.softmax(1)
    return (p * (p.log() - q.log())).sum(1).mean()


@pytest.mark.parametrize("label_share", [None, 0.4])
def test_ktn_is_equation_4(feelings, label_share):
    student, *_, batch = scene(feelings, label_share)
    torch.manual_seed(5)
    adareg = LossChoice(name="adareg").build(Facts(5, 256, (6,) * 5, CLASSES)).eval()
    found = KtnObjective(adareg, "lower", coarse_shares(CLASSES), 3.0)(student, batch)
    batch = batch.labelled if label_share else batch
    seen = student(batch.inputs("lower"))
    coarse = F.cross_entropy(seen.coarse, COARSE_OF[batch.target])
    fine = adareg(seen.output, seen.embedding, batch.target)  # 5 CE + 0.01 AdaReg
    torch.testing.assert_close(found, fine + 3 * coarse)
    without = KtnObjective(adareg, "lower", coarse_shares(CLASSES), 0.0)(student, batch)
    torch.testing.assert_close(without, fine)


WEIGHTS = [
    {},
    {"lam_d": 0.0},
    {"lam_s": 0.0},
    {"lam_d": 2.0, "lam_s": 0.5, "lam_1": 1.5, "lam_2": 0.7},
    {"representation": "sum", "temperature": 2.0},
]


@pytest.mark.parametrize("weights", WEIGHTS, ids=str)
@pytest.mark.parametrize("triplets", [None, "labels", "teacher"])
@pytest.mark.parametrize("label_share", [None, 0.4])
def test_stsn_is_equation_8(feelings, weights, triplets, label_share):
    """The labels' terms on faces whose labels are known, the rest on all; triplets on either."""
    student, teacher, frozen, batches, batch = scene(feelings, label_share)
    s = StsnSettings(**FIT, **weights)
    term, pulled = None, 0.0
    if triplets:
        share = TripletShare(lam=0.4, alpha=0.3, fraction=1.0, classes=triplets)
        s = StsnSettings(**FIT, **weights, triplets=share)
        term = TripletTerm(
            share, frozen, "lower",
            adapter=torch.nn.Identity(), batches=batches, decide=decide, compute=CPU, seed=0,
        )  # fmt: skip
    objective = StsnObjective(
        cross_entropy(), "lower", frozen, s,
        shares=coarse_shares(CLASSES), adapter=torch.nn.Identity(), triplets=term,
    )  # fmt: skip
    objective.start_epoch(student, 0)
    found = objective(student, batch)
    seen, labelled = student(batch.inputs("lower")), batch.labelled if label_share else batch
    told = student(labelled.inputs("lower"))
    with torch.no_grad():
        known = teacher(batch.inputs("full"))
    if triplets:
        of, anchors = (labelled, told) if triplets == "labels" else (batch, seen)
        found_for, by = term.triplets, feelings.targets
        if triplets == "teacher":  # by its word on the faces as they are, not mirrored
            with torch.no_grad():
                every = torch.arange(len(feelings))
                by = teacher(batches.views.inputs("full", every, every < 0)).output
            by = decide(by)
        assert (by[of.index] == by[found_for.positive[of.index]]).all()
        assert (by[of.index] != by[found_for.negative[of.index]]).all()
        positive = known_embeddings(teacher, of, found_for.positive)
        negative = student(of.inputs("lower", found_for.negative[of.index]))
        pulled = 0.4 * triplet_kd_loss(anchors.embedding, positive, negative.embedding, alpha=0.3)
    gap = (seen.embedding - known.embedding).square()
    mse = gap.sum(1).mean() if s.representation == "sum" else gap.mean()
    t = s.temperature
    expected = (
        s.lam_d * (mse + divergence(known.coarse / t, seen.coarse / t))
        + s.lam_s * divergence(known.output / t, seen.output / t)
        + s.lam_1 * F.cross_entropy(told.output, labelled.target)
        + s.lam_2 * F.cross_entropy(told.coarse, COARSE_OF[labelled.target])
        + pulled
    )
    torch.testing.assert_close(found, expected)
    found.backward()
    assert all(p.grad is None for p in teacher.parameters()), "the teacher is fixed"


@pytest.mark.parametrize(
    ("classes", "said"),
    [("labels", "the labels say"), ("teacher", "the teacher, which may need more")],
)
def test_where_all_are_of_one_class_who_said_so_is_named(feelings, classes, said):
    student, _, frozen, batches, _ = scene(feelings, None)
    frozen.output.zero_()[..., 2] = 1
    batches.targets.fill_(2)
    if classes == "teacher":
        batches.targets[0] = 1
    else:
        frozen.output[:, 0, 1] = 2
    term = TripletTerm(
        TripletShare(lam=0.4, alpha=0.3, fraction=1.0, classes=classes), frozen, "lower",
        adapter=torch.nn.Identity(), batches=batches, decide=decide, compute=CPU, seed=0,
    )  # fmt: skip
    with pytest.raises(OcckdError, match=f"{said}.* who belongs with whom: all targets belong"):
        term.mine(student, 0)


def test_representations_of_another_width_go_through_the_adapter(feelings):
    """In Eq. 5 and in the triplets, mined and trained."""
    student, teacher = network(1), network(2, {"trunks": "two", "width": 24})
    views = Views(feelings, student.input_spec, CPU.device)
    frozen = FrozenTeacher(teacher, views, "full", compute=CPU, live=False)
    batch = next(iter(Batches(views, batch_size=30, seed=0).epoch(0)))
    share = TripletShare(lam=0.4, alpha=0.3, fraction=1.0)
    bridge = torch.nn.Linear(256, 24)
    parts = {
        "batches": Batches(views, batch_size=30, seed=0),
        "decide": decide,
        "compute": CPU,
        "seed": 0,
        "adapter": bridge,
    }
    objective = StsnObjective(
        cross_entropy(), "full", frozen, StsnSettings(**FIT, triplets=share, lam_s=0),
        shares=coarse_shares(CLASSES), adapter=bridge,
        triplets=TripletTerm(share, frozen, "full", **parts),
    )  # fmt: skip
    objective.start_epoch(student, 0)
    objective(student, batch).backward()
    assert bridge.weight.grad.abs().sum() > 0, "it is learnt"
    assert sum(p is bridge.weight for p in objective.parameters()) == 1


def test_a_stage_with_a_teacher_of_another_width_has_one_adapter(outputs):
    wide = {"network": {"name": "compact", "width": 4, "input_size": 32,
                        "streams": {"trunks": "two", "width": 24}}}  # fmt: skip
    recipe = own("stsn_triplets", parent=wide)
    facts = run("stsn_triplets", recipe).status
    assert facts["parameters_of_objective"] == 256 * 24 + 24


def known_embeddings(teacher, batch, positive):
    """The teacher on the full faces of the positives, flipped as the anchors are."""
    with torch.no_grad():
        return teacher(batch.inputs("full", positive[batch.index])).embedding


def test_networks_without_coarse_stream_leave_it_out(feelings):
    student, teacher = network(1, "fine"), network(2, "fine")
    views = Views(feelings, student.input_spec, CPU.device)
    frozen = FrozenTeacher(teacher, views, "full", compute=CPU, live=False)
    batch = next(iter(Batches(views, batch_size=30, seed=0).epoch(0)))
    objective = StsnObjective(
        cross_entropy(), "full", frozen, StsnSettings(**FIT, lam_2=0),
        shares=coarse_shares(CLASSES), adapter=torch.nn.Identity(), triplets=None,
    )  # fmt: skip
    seen = student(batch.inputs("full"))
    known = frozen.of(batch)
    expected = (
        (seen.embedding - known.embedding).square().mean()
        + divergence(known.output, seen.output)
        + 3 * F.cross_entropy(seen.output, batch.target)
    )
    torch.testing.assert_close(objective(student, batch), expected)


def test_soft_labels_have_the_shares_of_their_fine_ones():
    soft = torch.tensor([[0.5, 0.0, 0.0, 0.25, 0.25], [0.0, 1.0, 1.0, 0.0, 0.0]])
    coarse = torch.tensor([[1.0, 0.5, -1.0, 0.0], [0.0, 0.0, 2.0, 1.0]])
    batch = SimpleNamespace(target=torch.tensor([0, 1]), soft_target=soft)
    seen = Prediction(torch.zeros(2, 1), torch.zeros(2, 5), coarse)
    log_p = coarse.log_softmax(1)
    expected = -(0.5 * log_p[0, 2] + 0.5 * log_p[0, 1] + 0.5 * log_p[1, 0] + 0.5 * log_p[1, 3]) / 2
    found = coarse_cross_entropy(seen, batch, coarse_shares(CLASSES))
    torch.testing.assert_close(found, expected)


# --- as stages --------------------------------------------------------------------------------


def run(stage, recipe=None, experiment="education", seed=0) -> Run:
    return run_stage(recipe or tiny_education(), experiment, seed, stage, say=lambda line: None)


def test_coarse_answers_are_kept_and_counted(outputs):
    rows = run("stsn_alone").predictions
    rows = rows[(rows["split"] == "test") & (rows["data"] == "synthetic")]
    assert set(rows["coarse_prediction"]) <= set(range(len(COARSE)))
    names = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
    of = {n: c for n, c in zip(names, [2, 0, 3, 1, 1, 1, 1, 1], strict=True)}
    fine = tiny_faces().classes
    assert rows["coarse_target"].tolist() == [of[fine[k]] for k in rows["target"]]
    folder = run_folder("tiny", "education", 0, "stsn_alone")
    metrics = json.loads((folder / "metrics.json").read_text())
    [line] = [m for m in metrics if m["split"] == "test" and m["data"] == "synthetic"]
    truth, said = rows["coarse_target"], rows["coarse_prediction"]
    assert line["coarse_accuracy"] == pytest.approx(accuracy_score(truth, said))
    classes = sorted(set(rows["target"]))
    recalls = recall_score(rows["target"], rows["prediction"], average=None, labels=classes)
    assert line["weighted_accuracy"] == pytest.approx(recalls.mean())


def tiny_faces():
    return faces_of(tiny_education().experiments["education"])


def remembered(place, kind):
    """The objective, which notes the shares that it is given."""

    def made(task_loss, view, shares, lam_c):
        place["given"] = shares
        return kind(task_loss, view, shares, lam_c)

    return made


def test_contempt_s_place_is_a_setting(outputs, monkeypatch):
    rows = run("stsn_alone").predictions
    other = run("stsn_alone", own("stsn_alone", contempt="neutral"), seed=1).predictions
    shares = {}
    monkeypatch.setattr(ktn, "KtnObjective", remembered(shares, ktn.KtnObjective))
    run("stsn_alone", own("stsn_alone", contempt="surprise"), seed=2)
    contempt = tiny_faces().classes.index("contempt")
    assert shares["given"][contempt].argmax() == COARSE.index("surprise"), "it is trained so, too"
    for table, place in ((rows, "negative"), (other, "neutral")):
        held = table.loc[table["target"] == contempt, "coarse_target"]
        assert len(held) and set(held) == {COARSE.index(place)}


def own(stage, parent=None, **settings):
    """The toy recipe's ``stage`` and what it needs alone, with some of its settings changed.

    parent: changes of the stages that it needs.
    """
    recipe = tiny_education()
    content = recipe.experiments["education"].model_dump(mode="json")
    whole = graph(recipe.experiments["education"])
    teachers = {settings["teacher"]} if "teacher" in settings else set(whole[stage].parents)
    content["stages"] = {name: content["stages"][name] for name in (*teachers, stage)}
    content["stages"] = {k: {**v, "of": ()} for k, v in content["stages"].items()}
    content["stages"][stage] |= settings
    for name in teachers if parent else ():
        content["stages"][name] |= parent
    one = Experiment.model_validate({**content, "ablations": {}})
    return Recipe(name="tiny", description="one stage", experiments={"education": one})


@pytest.mark.parametrize("stage", ["ktn", "stsn_triplets"])
def test_a_killed_stage_goes_on_to_the_same_end(outputs, monkeypatch, stage):
    """Network, category representations, adapter and triplets: as if nobody had disturbed it."""
    recipe = own(stage, epochs=3)
    save, calls = loop.Progress.save, []

    def stop(self, where):
        save(self, where)
        if where.folder.name == stage:
            calls.append(where)
            if len(calls) == 2:
                raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(loop.Progress, "save", stop)
        with pytest.raises(KeyboardInterrupt):
            run(stage, recipe)
    resumed = run(stage, recipe)
    monkeypatch.setenv("OCCKD_OUTPUTS", str(outputs / "again"))
    undisturbed = run(stage, recipe)
    ours, theirs = (r.load_tensors("model")[0] for r in (resumed, undisturbed))
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)
    assert resumed.predictions.equals(undisturbed.predictions)


def test_the_student_begins_with_values_of_its_own_and_sees_what_is_visible():
    stages = tiny_education().experiments
    education, together = graph(stages["education"]), graph(stages["together"])
    assert education["stsn"].view == "full" and set(education["stsn"].parents) == {"ktn"}
    assert together["education"].view == "lower" and together["teacher"].view == "full"
    assert set(together["both"].parents) == {"teacher", "student"}
    assert together["teacher"].tested_on == ("full", "lower", "upper")
    assert together["student"].tested_on == ("lower",)
    assert together["control"].view == "lower"


BAD = [
    ({"ktn": {"network": {"streams": "fine"}}}, "education", "no coarse stream"),
    ({"stsn": {"network": {"streams": "fine"}}}, "education", "lam_2: 0"),
    ({"stsn": {"lam_d": 0, "lam_s": 0}}, "education", "nothing is learnt from the teacher"),
    ({"stsn": {"triplets": {"lam": 1, "alpha": 0, "mining": "softest"}}}, "education", "softest"),
    ({"stsn": {"triplets": {"lam": 1, "alpha": 0, "max_target_gap": 5}}}, "education", "takes no"),
    ({"ktn": {"contempt": "odd"}}, "education", "contempt"),
    ({"stsn_alone": {"lam_c": 3}}, "education", "lam_c is 3.0, but lam_2 1.0"),
    ({"stsn_alone": {"loss": {"name": "adareg"}}}, "education", "weight: 3"),
    ({"stsn_alone": {"contempt": "neutral"}}, "education", "contempt is neutral, but negative"),
    ({"stsn_alone": {"network": {"width": 6}}}, "education", "its network is not that of 'stsn'"),
    ({"softmax": {"network": {"width": 6}}}, "education", "its network is not that of 'adareg'"),
    ({"ldam": {"network": {"cosine_head": False}}}, "education", "do not go together"),
    ({"focal": {"network": {"cosine_head": True}}}, "education", "do not go together"),
    ({"control": {"view": "full"}}, "together", "view is full, but lower in 'education'"),
    ({"control": {"epochs": 2}}, "together", "epochs is 2, but 1 in 'education'"),
    ({"control": {"batch_size": 8}}, "together", "batch_size is 8"),
]


@pytest.mark.parametrize(("stages", "experiment", "message"), BAD, ids=lambda x: str(x)[:40])
def test_what_there_cannot_be(stages, experiment, message):
    content = tiny_education().experiments[experiment].model_dump(mode="json")
    for name, change in stages.items():
        for key, value in change.items():
            held = content["stages"][name]
            held[key] = {**(held[key] or {}), **value} if key == "network" else value
    with pytest.raises(ValueError, match=message):
        Experiment.model_validate(content)


def test_a_control_is_matched_in_what_it_sees_not_in_what_its_recipe_says():
    """Neither names a view: STSN then sees the visible half, KTN full faces."""
    content = tiny_education().experiments["together"].model_dump(mode="json")
    for name in ("education", "triplets", "both", "control"):
        content["stages"][name]["view"] = None
    with pytest.raises(ValueError, match="view is full, but lower in 'education'"):
        Experiment.model_validate(content)


def test_coarse_labels_are_of_expressions():
    content = tiny_education().experiments["together"].model_dump(mode="json")
    with pytest.raises(ValueError, match="of expressions, not of task 'gender'"):
        Experiment.model_validate({**content, "task": "gender"})


def test_a_teacher_without_coarse_stream_cannot_teach_one():
    """It is said before anything is trained."""
    recipe = own("stsn", teacher="softmax")
    with pytest.raises(OcckdError, match="its teacher 'softmax' has none"):
        graph(recipe.experiments["education"])


def test_classes_in_other_words_have_their_coarse_ones_and_others_none():
    found = ktn.shares_of(("Happy", "sad", "calm"), "negative").argmax(1).tolist()
    assert [COARSE[k] for k in found] == ["positive", "negative", "neutral"]
    with pytest.raises(OcckdError, match="no coarse class for bored"):
        ktn.shares_of(("happiness", "bored"), "negative")


def test_labels_that_need_their_own_loss_refuse_another(outputs, monkeypatch):
    from occkd_lib.stages import run as running

    faces = tiny_faces()
    soft = torch.nn.functional.one_hot(faces.targets, len(faces.classes)).float()
    multi = replace(faces, soft_targets=soft, loss="multi_target")
    monkeypatch.setattr(running, "faces_of", lambda experiment: multi)
    with pytest.raises(OcckdError, match=r"need 'multi_target': leave 'loss' out"):
        run("ktn", own("ktn"))


def test_the_counts_of_ldam_are_those_of_the_training_faces(outputs, monkeypatch):
    from occkd_lib.losses.task.ldam import Ldam

    given = []
    original = Ldam.__init__

    def record(self, facts, **more):
        given.append(facts.counts)
        original(self, facts, **more)

    monkeypatch.setattr(Ldam, "__init__", record)
    run("ldam", own("ldam"))
    train = tiny_faces().split("train").targets
    assert {len(counts) for counts in given} == {3, 8}, "tried on three outputs before"
    assert next(c for c in given if len(c) == 8) == tuple(
        torch.bincount(train, minlength=8).tolist()
    )


def test_what_it_costs(outputs):
    """Triplets send a negative through the student, too; windows ask the teacher every epoch."""
    from occkd_lib.models.cost import Cost

    stsn, s = METHODS["stsn"], StsnSettings(epochs=10, lr=0.1)
    cost, teacher = Cost(1, 2.0, 6.0), Cost(1, 5.0, 15.0)
    plain = stsn.flop(s, 100, 20, cost, [teacher])
    assert plain == 10 * (100 * 6 + 20 * 2) + 2 * 100 * 5
    share = {"lam": 1, "alpha": 0.1}
    more = stsn.flop(StsnSettings(epochs=10, lr=0.1, triplets=share), 100, 20, cost, [teacher])
    assert more == plain + 10 * 100 * (6 + 2)
    net = {"name": "compact", "resize": 56}
    live = stsn.flop(StsnSettings(epochs=10, lr=0.1, network=net), 100, 20, cost, [teacher])
    assert live == plain + 8 * 100 * 5
