"""What the tables learn from the methods: titles, trainings, what is compared with what."""

import pytest

from occkd_lib.config import Experiment, load_recipe
from occkd_lib.methods.fusion import Fusion
from occkd_lib.methods.student import Student
from occkd_lib.methods.teacher import Teacher
from occkd_lib.stages import graph, rows_of


def rows(recipe, experiment):
    return {
        name: row for (name, _), row in rows_of(load_recipe(recipe).experiment(experiment)).items()
    }


def test_the_rows_of_the_demo():
    found = rows_of(load_recipe("demo").experiment("expression"))
    assert list(found) == [
        ("teacher", "full"), ("teacher", "lower"), ("teacher", "upper"), ("student", "lower"),
        ("other_half", "upper"), ("standard", "lower"), ("triplet", "lower"), ("control", "lower"),
        ("standard+triplet", "lower"), ("standard_svm", "lower"), ("triplet_svm", "lower"),
        ("control_svm", "lower"),
    ]  # fmt: skip
    assert found["other_half", "upper"].title == "student, upper half"
    assert found["triplet", "lower"].trained_on == ("full", "lower")
    assert found["standard+triplet", "lower"].parts == ("standard", "triplet")
    assert found["triplet_svm", "lower"].published["journal"] == "triplet_TS+SVM"
    assert found["teacher", "lower"].published["icpr2020"] == "teacher"
    assert found["control", "lower"].published == {}


@pytest.mark.parametrize(
    ("recipe", "row", "student", "control"),
    [
        ("demo", "teacher", None, None),
        ("demo", "student", None, None),
        ("demo", "control", "student", None),
        ("demo", "standard", "student", "control"),
        ("demo", "triplet", "student", "control"),
        ("demo", "triplet_svm", "student", "control_svm"),
        ("demo", "standard+triplet", "student", "control_svm"),
        ("demo", "control_svm", "student", "control"),
        ("paper", "triplet", "student", "control_triplet"),
        ("paper", "triplet_svm", "student", "control_triplet_svm"),
        ("paper", "standard+triplet", "student", "control+control_triplet"),
    ],
)
def test_what_is_compared_with_what(recipe, row, student, control):
    found = rows(recipe, {"demo": "expression", "paper": "fer_vgg_f"}[recipe])[row]
    assert (found.student, found.control) == (student, control)


def test_a_teacher_sees_full_faces_and_is_tested_on_every_view():
    teacher, student = Teacher(), Student()
    settings = load_recipe("demo").experiment("expression").stages
    assert teacher.view(settings["teacher"], "lower") == "full"
    assert student.view(settings["student"], "lower") == "lower"
    assert student.view(settings["other_half"], "lower") == "upper"
    assert teacher.tested_on("full", ("full", "lower", "band")) == ("full", "lower", "band")
    assert student.tested_on("lower", ("full", "lower")) == ("lower",)


def test_a_fusion_joins_the_distilled_and_never_a_control_with_them():
    stage = graph(load_recipe("paper").experiment("fer_vgg_f"))["fusion"]
    joined = Fusion().combinations(stage)
    assert joined["standard+triplet"] == ("standard", "triplet")
    assert joined["control+control_triplet"] == ("control", "control_triplet")
    assert joined["control_svm"] == ("control",)
    assert len(joined) == 6


def test_a_control_that_differs_in_more_than_the_teacher_is_refused():
    experiment = load_recipe("demo").experiment("expression")
    content = experiment.model_dump(mode="json")
    content["stages"]["control"]["lr"] = 0.5
    with pytest.raises(ValueError, match="stages.control: lr is 0.5, but 0.001 in 'standard'"):
        Experiment.model_validate(content)
    changed = experiment.varied({"stages": {"standard": {"lr": 0.5}, "triplet": {"lr": 0.5}}})
    assert changed.stages["control"].lr == 0.5, "it follows"
