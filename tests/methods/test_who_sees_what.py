"""Who sees which view, who learns from whom, where each begins, what is kept: every method.

Inputs are recorded as they reach each network; weights are compared with those of the runs that a
stage says it begins with. Each of these tests fails for a program that trains something else under
the same name.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from occkd_lib.config import Recipe
from occkd_lib.fusion import fit_fusion
from occkd_lib.methods import fitted, triplet
from occkd_lib.models import FaceNet
from occkd_lib.occlusion import cut_row
from occkd_lib.runs import Run
from occkd_lib.stages import answers_of, faces_of, run_stage
from occkd_lib.training import fit as loop
from occkd_lib.training import predict as asking
from tests.tiny import tiny_recipe

EXPRESSION, GENDER = "expression", "gender"  # lower half and soft targets, upper half and hints


def silent(_: str) -> None:
    """Progress nobody reads."""


@pytest.fixture
def recipe() -> Recipe:
    return tiny_recipe()


class Recorder:
    """What networks were given in training mode and in eval mode, as (network, pixels)."""

    def __init__(self) -> None:
        self.trained: list[Tensor] = []
        self.asked: list[tuple[FaceNet, Tensor]] = []


@pytest.fixture
def recorder(monkeypatch) -> Iterator[Recorder]:
    found, forward = Recorder(), FaceNet.forward

    def record(self, x):
        if self.training:
            found.trained.append(x.detach().clone())
        else:
            found.asked.append((self, x.detach().clone()))
        return forward(self, x)

    monkeypatch.setattr(FaceNet, "forward", record)
    return found


def hidden_rows(pixels: Tensor) -> set[str]:
    """Which halves of normalised pixels (every face of the batch) carry nothing."""
    cut = cut_row(pixels.shape[-2])
    black = pixels.amin()
    halves = {"upper": pixels[..., : cut - 2, :], "lower": pixels[..., cut + 2 :, :]}
    return {name for name, half in halves.items() if (half == black).all()}


STAGES = [
    ("teacher", set()),
    ("student", {"upper"}),
    ("other_half", {"lower"}),
    ("control", {"upper"}),
    ("standard", {"upper"}),
    ("triplet", {"upper"}),
]


@pytest.mark.parametrize(("stage", "hidden"), STAGES)
def test_what_is_trained_sees_its_view_alone(trained, recipe, recorder, stage, hidden):
    """The expression's visible half is the lower one; a triplet's negatives are hidden as well."""
    again(trained, recipe, stage)
    assert recorder.trained
    assert all(hidden_rows(pixels) == hidden for pixels in recorder.trained)


def test_gender_hides_the_lower_half(outputs, recipe, recorder):
    run_stage(recipe, GENDER, 0, "teacher", say=silent)
    recorder.trained.clear()
    run_stage(recipe, GENDER, 0, "student", say=silent)
    assert all(hidden_rows(pixels) == {"lower"} for pixels in recorder.trained)


@pytest.mark.parametrize("stage", ["standard", "triplet"])
def test_the_teacher_speaks_of_full_faces(trained, recipe, recorder, monkeypatch, stage):
    teachers = []
    original = asking.FrozenTeacher.__init__

    def record(self, network, *rest, **more):
        before = len(recorder.asked)
        original(self, network, *rest, **more)
        assert self.both, "asked at once, so that what follows is the teacher's"
        teachers.append((network, [x for _, x in recorder.asked[before:]]))

    monkeypatch.setattr(asking.FrozenTeacher, "__init__", record)
    monkeypatch.setattr("occkd_lib.stages.run._teachers", {})
    run = again(trained, recipe, stage)
    [(network, inputs)] = teachers
    assert all(hidden_rows(pixels) == set() for pixels in inputs)
    assert_same_weights(network.state_dict(), weights(run.folder.parent / "teacher"))


@pytest.mark.parametrize(
    ("stage", "begins_with"),
    [
        ("student", "teacher"),
        ("other_half", "teacher"),
        ("control", "student"),
        ("standard", "student"),
        ("triplet", "student"),
        ("standard@start=teacher", "teacher"),
    ],
)
def test_where_each_begins(trained, recipe, monkeypatch, stage, begins_with):
    first: dict[str, Tensor] = {}
    original = fitted.fit

    def record(model, *rest, **more):
        first.update({k: v.clone() for k, v in model.state_dict().items()})
        return original(model, *rest, **more)

    monkeypatch.setattr(fitted, "fit", record)
    again(trained, recipe, stage)
    assert_same_weights(first, weights(trained / begins_with))
    different = weights(trained / {"teacher": "student", "student": "teacher"}[begins_with])
    assert any(not torch.equal(first[k], different[k]) for k in first)


def test_triplets_are_mined_between_student_and_teacher(trained, monkeypatch):
    """Anchors and negatives: the student on half faces; positives: the teacher on full ones."""
    given = []
    original = triplet.MINERS["hard"]

    def record(student, teacher, targets, **more):
        given.append((student.clone(), teacher.clone(), targets.clone(), more))
        return original(student, teacher, targets, **more)

    monkeypatch.setitem(triplet.MINERS, "hard", record)
    plain = tiny_recipe(stages={"triplet": {"normalize": False}})
    run = again(trained, plain, "triplet")
    experiment = plain.experiment(EXPRESSION)
    train = faces_of(experiment).split("train")
    student, teacher, targets, more = given[0]
    torch.testing.assert_close(student, seen_by(plain, run, "student", train, "lower"))
    torch.testing.assert_close(teacher, seen_by(plain, run, "teacher", train, "full"))
    assert torch.equal(targets, train.targets)
    assert more["fraction"] == 0.1
    assert len(given) == 2, "once an epoch"
    assert not torch.allclose(given[0][0], given[1][0]), "with the weights of its beginning"
    assert torch.equal(given[0][1], given[1][1]), "the teacher is frozen"


def test_a_step_on_triplets_is_the_papers(trained, recipe, monkeypatch):
    """(1 - lam) task(anchors) + lam [ |a - p|^2 - |a - n|^2 + alpha ]+, p flipped like a."""
    steps = []
    original = triplet.TripletObjective.forward

    def record(self, student, batch):
        student.eval()  # no batch statistics: the step can be computed again
        loss = original(self, student, batch)
        a, n = (
            student(batch.inputs("lower", index)) for index in
            (batch.index, self.term.triplets.negative[batch.index])
        )  # fmt: skip
        positives = self.term.triplets.positive[batch.index]
        p = self.teacher.teacher(batch.inputs("full", positives)).embedding
        s = self.settings
        unit = [torch.nn.functional.normalize(e.float()) for e in (a.embedding, p, n.embedding)]
        to_p, to_n = ((unit[0] - other).square().sum(1) for other in unit[1:])
        hinge = (to_p - to_n + s.alpha).clamp_min(0).mean()
        task = torch.nn.functional.cross_entropy(a.output, batch.target)
        steps.append((loss.item(), ((1 - s.lam) * task + s.lam * hinge).item()))
        student.train()
        return loss

    monkeypatch.setattr(triplet.TripletObjective, "forward", record)
    again(trained, recipe, "triplet")
    assert len(steps) > 4
    for ours, expected in steps:
        assert ours == pytest.approx(expected, rel=1e-4)


def test_the_epoch_that_validation_prefers_is_kept(outputs, monkeypatch):
    """Epoch 1 of 3 is made the best; its weights, not the last ones, are saved and predict."""
    recipe = tiny_recipe(stages={"teacher": {"epochs": 3}})
    after: list[dict[str, Tensor]] = []
    keep = loop.Progress.keep_best

    def record(self, metric, *, always):
        after.append({k: v.clone() for k, v in self.model.state_dict().items()})
        keep(self, [0.1, 0.9, 0.5][len(after) - 1], always=always)

    monkeypatch.setattr(loop.Progress, "keep_best", record)
    run = run_stage(recipe, EXPRESSION, 0, "teacher", say=silent)
    assert run.status["selected_epoch"] == 1
    assert_same_weights(weights(run.folder), after[1])
    assert any(not torch.equal(after[1][k], after[2][k]) for k in after[1])
    test = faces_of(recipe.experiment(EXPRESSION)).split("test")
    said = seen_by(recipe, run, "teacher", test, "full", output=True).argmax(1)
    saved = run.predictions.query("split == 'test' and view == 'full'")
    assert said.tolist() == saved["prediction"].tolist()


def test_methods_of_one_seed_differ_in_the_method_alone(trained, recipe, recorder):
    """Control, standard and triplet share the order of the faces and the flips."""
    seen = {}
    for stage in ("control", "standard", "triplet"):
        recorder.trained.clear()
        again(trained, recipe, stage)
        size = recipe.experiment(EXPRESSION).batch_size
        seen[stage] = [pixels[:size] for pixels in recorder.trained]
    for a, b, c in zip(*seen.values(), strict=True):
        n = min(len(a), len(b))
        assert torch.equal(a[:n], b[:n])
        assert torch.equal(a[: len(c) // 2], c[: len(c) // 2])


def test_a_fusion_reads_each_faces_embedding_of_its_visible_part(trained, recipe, recorder):
    run = again(trained, recipe, "fusion")
    assert recorder.asked and all(hidden_rows(x) == {"upper"} for _, x in recorder.asked)
    faces = faces_of(recipe.experiment(EXPRESSION))
    parts = {split: faces.split(split) for split in ("train", "val", "test")}
    seen = {k: [seen_by(recipe, run, "control", part, "lower")] for k, part in parts.items()}
    settings = recipe.experiment(EXPRESSION).stages["fusion"]
    machine = fit_fusion(
        seen["train"], parts["train"].targets, seen["val"], parts["val"].targets,
        task=EXPRESSION, C=settings.C, standardize=True, outputs=8,
    )  # fmt: skip
    saved = run.predictions.query("row == 'control_svm' and split == 'test'").set_index("id")
    expected = dict(zip(parts["test"].ids, machine.predict(seen["test"]), strict=True))
    assert saved["prediction"].to_dict() == expected


def again(trained, recipe, stage) -> Run:
    """Carry out one stage of the expression, on top of the finished ones that it needs."""
    if (trained / stage).exists():
        shutil.rmtree(trained / stage)
    return run_stage(recipe, EXPRESSION, 0, stage, say=silent)


def seen_by(recipe, run, stage, faces, view, *, output=False) -> Tensor:
    """Embeddings (or outputs) of a finished stage beside ``run``, asked anew, face by face."""
    experiment = recipe.experiment(EXPRESSION)
    found = answers_of(experiment, experiment.network, Run(run.folder.parent / stage), faces, view)
    return found.output if output else found.embedding


def weights(folder) -> dict[str, Tensor]:
    return Run(folder).load_tensors("model")[0]


def assert_same_weights(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert torch.equal(ours[name].cpu(), theirs[name].cpu()), name


def test_a_setting_younger_than_the_published_runs_leaves_them_their_fingerprint():
    asked = {"epochs": 1, "lr": 0.1, "lam": 0.3, "alpha": 0.2}
    papers, ours = (
        triplet.TripletSettings(**asked, **more) for more in ({}, {"classes": "teacher"})
    )
    assert "classes" not in papers.model_dump(mode="json")
    assert ours.model_dump(mode="json")["classes"] == "teacher"
