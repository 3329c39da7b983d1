"""Tables and pages of recipes."""

from __future__ import annotations

from pathlib import Path

import pytest
import recipes
import tables


@pytest.fixture
def folder(tmp_path) -> Path:
    """A reference of three tables and two figures."""
    captions = {
        "table1": "The journal's Table 1. label rule: majority; metric: accuracy, \\%.",
        "over-seeds-share_10": "Over seeds share\\_10",
        "over-seeds-share_3": "Over seeds share\\_3",
        "zebra": "Zebra",
        "table1-complete": "All",
    }
    here = tmp_path / "reference" / "mine"
    (here / "figures").mkdir(parents=True)
    for stem, caption in captions.items():
        (here / f"{stem}.tex").write_text(f"\\caption{{{caption}}} \\\\\n")
        (here / f"{stem}.csv").write_text("name,value,faces\na,1,lower\nb,<2,lower\n")
    for name in ("summary.csv", "figures/zebra.png", "figures/fer-9.png", "figures/fer-10.png"):
        (here / name).write_text("")
    (tmp_path / "reference" / "unfinished").mkdir()
    return here


def test_what_is_read_first_comes_first_and_3_before_10(folder):
    shown = ["over-seeds-share_3", "over-seeds-share_10", "table1", "zebra"]
    assert recipes.stems(folder) == shown
    assert recipes.recipes(folder.parent) == {"mine": folder}


def test_titles_are_captions_without_values_and_latex(folder):
    assert recipes.title(folder, "table1") == "The journal's Table 1"
    assert recipes.title(folder, "over-seeds-share_3") == "Over seeds share_3"
    assert recipes.slug("The journal's Table 1 (of 2)") == "the-journals-table-1-of-2"
    assert recipes.anchors(folder)["table1.md"] == "index.md#the-journals-table-1"


def test_the_page_has_tables_figures_and_files(folder, tmp_path):
    config = tmp_path / "mine.yaml"
    config.write_text("description: all of mine\n")
    page = recipes.recipe_page(folder, config)
    assert "all of mine" in page and '<a href="summary.csv">' in page
    assert "values.csv" not in page and "page.html" not in page  # they are not there
    assert page.count("<table") == 4 and page.count("<p>All rows: faces: lower.</p>") == 4
    assert '<a href="table1-complete.tex">' in page and "zebra-complete" not in page
    belongs, others = page.split("## Figures of experiment fer")
    assert "figures/zebra.png" in belongs and "figures/zebra.png" not in others
    assert others.index("fer-9.png") < others.index("fer-10.png")
    assert recipes.recipe_page(folder, tmp_path / "none.yaml").startswith("# Results of `mine`")


def test_published_tables_are_listed_with_the_recipes_that_have_them(folder):
    lines = recipes.beside_the_papers(folder.parent)
    link = "[`mine`](/outputs/reference/mine/index.md#the-journals-table-1)"
    assert f"**The journal**\n\n* The journal's Table 1: {link}\n" in lines
    assert "Zebra" not in lines


def test_what_all_rows_say_is_told_once():
    rows = [["a", "", "5", "1"], ["b", "", "5", "2"]]
    kept = ["name", "value"], [["a", "1"], ["b", "2"]]
    assert tables.told_once(["name", "none", "seeds", "value"], rows) == (*kept, {"seeds": "5"})
    one = (["name", "seeds"], [["a", "5"]], {})  # one row has nothing to compare with
    assert tables.told_once(["name", "none", "seeds"], [["a", "", "5"]]) == one
    assert tables.told_once(["name"], []) == ([], [], {})


def test_a_table_is_html_that_shows_what_it_was_given():
    html = tables.html_table(["p <"], [["a & b"], ["x" * 41]])
    assert "<th>p &lt;</th>" in html and "<td>a &amp; b</td>" in html
    assert f'<td class="long">{"x" * 41}</td>' in html and html.count("<tr>") == 3
    assert tables.raw(html).startswith("````{raw} html\n<div")
