import pandas as pd

from occkd_lib.plots import agreement
from occkd_lib.plots.confusion import confusion_matrix
from occkd_lib.tasks import TASKS


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_confusion_matrix_counts_rows():
    ax = confusion_matrix([0, 0, 0, 1], [0, 0, 1, 1], ("male", "female")).axes[0]
    assert texts(ax) == ["67\n(2)", "33\n(1)", "", "100\n(1)"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["male  (3)", "female  (1)"]


def test_agreement_of_classes_counts_all_seeds():
    table = pd.DataFrame({"target": [0, 1], "m": [0, 1]})
    both = [table, table.assign(m=[1, 1])]
    ax = agreement(both, "m", TASKS["gender"], ("male", "female")).axes[0]
    assert texts(ax) == ["50\n(1)", "50\n(1)", "", "100\n(2)"]
    assert ax.get_title(loc="left") == "m"


def test_agreement_of_a_quantity_is_a_cloud_and_the_medians_of_full_bands():
    years = [20.0, 21.0, 22.0, 23.0, 24.0, 71.0]
    table = pd.DataFrame({"target": years, "m": [20.0, 22.0, 40.0, 23.0, 30.0, 60.0]})
    ax = agreement(table, "m", TASKS["age"], ()).axes[0]
    assert len(ax.collections[0].get_offsets()) == 6
    median = ax.lines[1]
    assert median.get_xydata().tolist() == [[22, 23]], "one face of 71 has no typical answer"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("true age, years", "predicted age, years")
    assert ax.get_xlim() == ax.get_ylim() == (0, 76)
