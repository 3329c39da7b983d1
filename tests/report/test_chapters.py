import numpy as np
import pandas as pd
import pytest
import torch

from occkd_lib.data import FaceSet
from occkd_lib.errors import OcckdError
from occkd_lib.models.base import normalize
from occkd_lib.occlusion import occlude
from occkd_lib.report import chapters
from occkd_lib.runs import Run, run_folder
from occkd_lib.tasks import TASKS
from occkd_lib.training.networks import new_model

from .conftest import make_recipe


def run_of(recipe, task, stage):
    return Run(run_folder(recipe.name, task, 0, stage))


def bar_heights(figure) -> list[float]:
    return [round(bar.get_height(), 6) for bar in figure.axes[0].patches]


@pytest.fixture
def ages():
    """Four grey faces of 48 x 48 pixels, of 3, 8, 41 and 97 years; face k is all 50 k."""
    images = (50 * torch.arange(1, 5)).view(4, 1, 1, 1).expand(4, 1, 48, 48).to(torch.uint8)
    return FaceSet(
        name="made up",
        task="age",
        classes=(),
        images=images,
        targets=torch.tensor([3.0, 8.0, 41.0, 97.0]),
        ids=np.array(list("abcd")),
        splits=np.array(["train"] * 4),
        duplicate_of_train=np.zeros(4, dtype=bool),
    )


def test_answers_of_puts_looks_side_by_side(full_recipe):
    teacher = run_of(full_recipe, "gender", "teacher")
    student = run_of(full_recipe, "gender", "student_lower")
    table = chapters.answers_of({"t": (teacher, "full"), "s": (student, "lower")})
    assert list(table) == ["target", "t", "s"] and len(table) == 40
    assert [(table[name] != table["target"]).sum() for name in "ts"] == [4, 12]
    val = chapters.answers_of({"t": (teacher, "upper")}, split="val")
    assert val.index.str.startswith("val").all()


def test_answers_of_refuses_what_a_run_did_not_see(full_recipe):
    student = run_of(full_recipe, "gender", "student_lower")
    with pytest.raises(OcckdError, match="student_lower did not see the upper half"):
        chapters.answers_of({"s": (student, "upper")})


def test_age_bands():
    bands, names = chapters.age_bands([0, 9.9, 10, 89, 90, 116])
    assert [names[b] for b in bands] == ["0-9", "0-9", "10-19", "80-89", "90+", "90+"]


def test_contact_sheet_leaves_places_empty(ages):
    places = [ax.images[0].get_array() for ax in chapters.contact_sheet(ages, each=2).axes]
    assert [int(image[0, 0]) for image in places] == [50, 100, 150, 255, 200, 255]


def test_by_group_is_recall_or_error_in_years():
    genders = pd.DataFrame({"target": [0, 0, 0, 1], "m": [0, 0, 1, 1], "k": [1, 0, 0, 0]})
    found = bar_heights(chapters.by_group(genders, ["m", "k"], ("male", "female")))
    assert found == pytest.approx([66.666667, 100, 66.666667, 0])
    years = pd.DataFrame({"target": [3.0, 8.0, 41.0], "m": [4.0, 11.0, 40.0]})
    assert bar_heights(chapters.by_group(years, ["m"], ())) == [2, 1]


def test_shares_are_per_split():
    counts = pd.DataFrame({"train": [3, 1], "val": [1, 1], "test": [0, 2]}, index=["a", "b"])
    assert bar_heights(chapters.shares(counts)) == [75, 25, 50, 50, 0, 100]


def test_variant_changes_one_setting_under_another_name():
    book = make_recipe("expression", "gender")
    change = {"stages": {"student": {"epochs": 7}}}
    longer = chapters.variant(book, "gender", "longer", change)
    assert longer.name == "tiny_longer" and list(longer.experiments) == ["gender"]
    before, after = (b.experiments["gender"].model_dump() for b in (book, longer))
    assert after["stages"]["student"].pop("epochs") == 7
    assert before["stages"]["student"].pop("epochs") == 2
    assert before == after


def test_decisions_are_those_of_the_saved_network(tmp_path, ages):
    chosen = make_recipe("age", data="synthetic").experiments["age"]
    torch.manual_seed(0)
    network = new_model(chosen).eval()
    run = Run.open(tmp_path / "teacher", {})
    run.save_tensors("model", network.state_dict())
    with torch.no_grad():
        seen = network(normalize(occlude(ages.images, "lower"), network.input_spec))
    expected = TASKS["age"].decide(seen.output).numpy()
    found = chapters.decisions(chosen, run, ages, "lower")
    assert list(found.index) == list("abcd")
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    torch.testing.assert_close(chapters.embeddings(chosen, run, ages, "lower"), seen.embedding)
