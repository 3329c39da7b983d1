"""Docstrings, plain text with formulas, in the words of reStructuredText."""

from __future__ import annotations

from docstrings import as_rst


def rst(text: str) -> str:
    return "\n".join(as_rst(text.split("\n"))).rstrip()


def test_a_paragraph_stays_one_and_means_what_it_says():
    assert rst("One line,\nand ``a_ * b``, :math:`x_i`.\n\n\nTwo.") == (
        "One line,\nand ``a_ * b``, :math:`x_i`.\n\nTwo."
    )
    assert rst("a * b, `c`, |d|, e_ f_g") == r"a \* b, \`c\`, \|d\|, e\_ f_g"


def test_code_over_two_lines_is_left_alone():
    assert rst("see ``a *\nb``") == "see ``a *\nb``"


def test_a_formula_is_left_alone():
    formula = ".. math:: L = \\frac{1}{B} \\sum_i a_i\n          + |b|_*"
    assert rst(f"Loss.\n\n{formula}\n\nDone.") == f"Loss.\n\n{formula}\n\nDone."


def test_a_list_is_a_list():
    assert rst("- a_ b\n  c\n* d") == "* a\\_ b\n  c\n* d"


def test_columns_stand_as_they_were_set():
    assert rst("    a    b") == ".. code-block:: text\n\n    a    b"
    assert rst("a    one\n  b  two * 2") == ".. code-block:: text\n\n    a    one\n      b  two * 2"
