import re

import pandas as pd
import pytest

from occkd_lib.papers import TABLES, side_by_side
from occkd_lib.results import Store
from occkd_lib.site.tables import brief, latex, markdown, without_constants, write_table

from .conftest import make_recipe


def latex_rows(text: str) -> list[list[str]]:
    """The cells of every row, heads first; checks what LaTeX would stumble over on the way."""
    bare = re.sub(r"\\\\[{}]", "", text)
    assert bare.count("{") == bare.count("}")
    begun, ended = re.findall(r"\\begin\{(\w+)\}", text), re.findall(r"\\end\{(\w+)\}", text)
    assert sorted(begun) == sorted(ended) == ["longtable"]
    body = text[text.index(r"\toprule") : text.index(r"\end{longtable}")]
    assert body.count(r"\toprule") == 2
    assert body.count(r"\bottomrule") == 1
    rows = []
    for line in body.splitlines():
        if not line.endswith(r"\\") or line.startswith((r"\caption", r"\multicolumn")):
            continue
        plain = re.sub(r"\\[%&#_$]", "", line.removesuffix(r"\\"))
        assert not re.search(r"[%#_†±]", plain), f"not escaped: {line}"
        assert plain.count("$") % 2 == 0
        rows.append([cell.strip() for cell in re.split(r"(?<!\\)&", line.removesuffix(r"\\"))])
    return rows


def test_latex_escapes():
    table = pd.DataFrame(
        {"a_1": ["R&D", "50 %"], "b": ["80.17†", "1 ± 2"], "note": ["<0.001", "#1 {x}"]}
    )
    text = latex(table, "A & B, 5 %")
    head, again, *rows = latex_rows(text)
    assert head == again == [r"a\_1", "b", "note"]
    assert rows == [
        [r"R\&D", r"80.17$^\dagger$", "$<$0.001"],
        [r"50 \%", r"1 $\pm$ 2", r"\#1 \{x\}"],
    ]
    assert r"\begin{longtable}{llp{4cm}}" in text
    assert r"\caption{A \& B, 5 \%.}" in text


def test_latex_puts_what_is_the_same_everywhere_into_the_caption():
    table = pd.DataFrame({"n": ["7", "7"], "a": ["[x]", "y"], "empty": ["", ""]})
    text = latex(table, "T")
    assert r"\caption{T. n: 7.}" in text
    assert latex_rows(text)[2:] == [["{[}x]"], ["y"]], "[ after a line break is an argument"
    left, same = without_constants(table)
    assert list(left) == ["a"]
    assert same == {"n": "7"}


@pytest.mark.parametrize("table", TABLES)
def test_every_table_is_well_formed_everywhere(outputs, tmp_path, table):
    complete = side_by_side(Store(make_recipe()), table, complete=True)
    write_table(tmp_path, "t", complete, TABLES[table].title)
    back = pd.read_csv(tmp_path / "t.csv", dtype=str, keep_default_na=False)
    assert list(back) == list(complete)
    assert back.to_numpy().tolist() == complete.to_numpy().tolist()
    text = (tmp_path / "t.tex").read_text()
    rows = latex_rows(text)
    (columns,) = re.findall(r"\\begin\{longtable\}\{(.*)\}", text)
    width = len(re.sub(r"p\{.*?\}", "p", columns))
    assert {len(row) for row in rows} == {width}
    assert len(rows) == len(complete) + 2, "the head stands on every page"
    assert text.count(r"$^\dagger$") == complete["published"].str.contains("†").sum()
    head, rule, *lines = (tmp_path / "t.md").read_text().splitlines()
    assert {line.count(" | ") for line in lines} == {head.count(" | ")}
    assert rule.count("-|-") == head.count(" | ")
    assert len(lines) == len(complete)


def test_markdown_escapes_and_leaves_out_empty_columns():
    table = pd.DataFrame({"a": ["x|y", ""], "b": ["", ""], "c": ["1.50", "007"]})
    lines = markdown(table).splitlines()
    cells = [[cell.strip() for cell in line[1:-1].split(" | ")] for line in lines]
    assert cells == [["a", "c"], [lines[1][1:-1]], ["x\\|y", "1.50"], ["", "007"]]
    assert set(lines[1]) == {"|", "-"}
    assert markdown(table).endswith("|\n")


def test_a_brief_table_says_once_what_is_the_same():
    table = pd.DataFrame({"method": ["a", "b"], "n": ["7", "7"], "network": ["x", "y"],
                          "p (McNemar, by seed)": ["1", "2"], "ours": ["3", "4"]})  # fmt: skip
    rows, words = brief(table)
    assert words == "n: 7"
    assert rows.index.tolist() == ["a", "b"] and list(rows) == ["ours"]
