"""Printed tables of the reference, read again."""

import pytest

from occkd_lib.errors import OcckdError
from occkd_lib.results import reference_ablations, reference_attention
from occkd_lib.results.reference_texts import interval_of, number

ABLATION = """arm,"test accuracy, %",validation,against recipe: {arm},p,p (Holm),seeds,n
recipe: {arm},"74.86 [73.53, 76.22]",75.79,,,,3,3137
one,"74.80 [73.48, 76.13]",75.89,"-0.06 [-0.27, +0.13]",0.536,1.000,3,3137
two,"70.80 [69.48, 72.13]",75.89,"-4.06 [-4.27, -3.13]",{p},{p},3,3137
"""
MASS = """network,sees,"mass on the lower half, %","minus student, points",n,empty,seeds
student,lower,"32.95 [32.80, 33.10]",,"3,132","3 of 3,137",2
standard,lower,"32.64 [32.49, 32.78]","-0.31 [-0.44, -0.19]","3,132","1 of 3,137",2
triplet,lower,"33.93 [33.79, 34.07]","+0.08 [-0.07, +1.09]","3,132","1 of 3,137",2
control,lower,"33.21 [33.06, 33.35]","+0.26 [+0.16, +0.35]","3,132","2 of 3,137",2
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("OCCKD_ROOT", str(tmp_path))
    folder = tmp_path / "outputs" / "reference" / "tiny"
    folder.mkdir(parents=True)
    return folder


def test_questions_with_an_answer_that_is_told_apart(folder):
    (folder / "ablation-fer-step-2.csv").write_text(ABLATION.format(arm="start x", p="<0.001"))
    (folder / "ablation-fer-margin.csv").write_text(ABLATION.format(arm="alpha 1", p="0.051"))
    (folder / "ablation-age-margin.csv").write_text(ABLATION.format(arm="alpha 1", p="0.001"))
    found = reference_ablations("tiny", "fer")
    assert list(found.table.index) == ["margin", "step 2"]
    assert list(found.table["told apart"]) == ["none", "two: -4.06 [-4.27, -3.13]"]
    assert list(found.table["others"]) == [2, 2]
    assert found.sentence == (
        "tiny/fer: 1 of 2 questions have an answer that is told apart from the first (step 2); of "
        "these networks, over faces alone."
    )


def test_mass_against_the_student(folder):
    (folder / "grad-cam-fer.csv").write_text(MASS)
    where = [("tiny", "fer"), ("tiny", "age")]
    said = reference_attention(["standard", "triplet"], where).sentence
    assert "2 comparisons" in said
    assert "less in 1 (tiny/fer); not told apart in 1 (tiny/fer)" in said
    assert "more in 1 (tiny/fer)" in reference_attention(["control"], where).sentence


def test_an_older_table_calls_the_student_by_its_half(folder):
    older = MASS.replace("minus student", "minus student_lower").replace(
        "\nstudent,", "\nstudent_lower,"
    )
    (folder / "grad-cam-fer.csv").write_text(older)
    then = reference_attention(["triplet"], [("tiny", "fer")])
    (folder / "grad-cam-fer.csv").write_text(MASS)
    now = reference_attention(["triplet"], [("tiny", "fer")])
    assert then.sentence == now.sentence and then.text.equals(now.text)
    assert now.text.index[0] == ("tiny/fer", "student")


def test_nothing_on_file_says_how_to_write_it(folder):
    with pytest.raises(OcckdError, match=r"reference/tiny/ablation-fer-\w+.csv: write it with"):
        reference_ablations("tiny", "fer")
    with pytest.raises(OcckdError, match=r"reference/tiny/grad-cam-fer.csv: write it with"):
        reference_attention(["standard"], [("tiny", "fer")])


def test_printed_numbers():
    assert interval_of("+0.31 ± 0.20 [-0.90, +1.52]") == (0.31, -0.90, 1.52)
    assert number("<0.001") == 0.001
    with pytest.raises(ValueError, match="no value with an interval"):
        interval_of("no data")
