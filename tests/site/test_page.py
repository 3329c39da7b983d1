import pandas as pd
import pytest

from occkd_lib.papers import TABLES
from occkd_lib.site import write
from occkd_lib.site.page import Part, Picture, page

from .conftest import make_recipe


def test_everything_is_escaped():
    table = pd.DataFrame({"<a>": ["<x>", "R&D"], "empty": ["", ""]})
    part = Part("1 < 2", ["What <b> does."], [Picture("figures/a.png", "<i>")], "t", table,
                odd=["5 > 4"])  # fmt: skip
    recipe = make_recipe().model_copy(update={"description": "made <up>"})
    html = page(recipe, [part])
    assert "<h2>1 &lt; 2</h2>\n<p>What &lt;b&gt; does.</p>" in html
    assert "<p>made &lt;up&gt;</p>" in html
    assert "<th>&lt;a&gt;</th></tr>" in html, "columns without content are left out"
    assert "<td>&lt;x&gt;</td>" in html
    assert "<td>R&amp;D</td>" in html
    assert '<img src="figures/a.png" alt="&lt;i&gt;">' in html
    assert "<li>5 &gt; 4</li>" in html
    assert 'href="t.csv"' in html
    assert "complete" not in html.split("<h2>")[1]


def test_a_part_may_be_one_sentence():
    html = page(make_recipe(), [Part("A", ["Nothing."])])
    after = html.split("<h2>A</h2>")[1]
    assert "<p>Nothing.</p>" in after
    assert "<table" not in after
    assert "<details" not in after


def test_long_cells_are_shown_in_full():
    long = ", ".join(["0.123"] * 12)
    html = page(make_recipe(), [Part("A", table=pd.DataFrame({"a": [long]}), stem="a")])
    assert f"<td>{long}</td>" in html


@pytest.mark.parametrize("ours", [pd.DataFrame(), pd.DataFrame({"ours": ["77.50"]})])
def test_a_published_table_stands_with_what_is_odd_about_it(tmp_path, monkeypatch, ours):
    complete = pd.DataFrame({"published": ["89.13"]})
    monkeypatch.setattr(write, "TABLES", {"2": TABLES["2"]})
    monkeypatch.setattr(
        write, "side_by_side", lambda *_, results, complete=False: full if complete else ours
    )
    full = complete
    (part,) = write.published_parts(tmp_path, None, None)
    html = page(make_recipe(), [part])
    assert "only ResNet-50 has a dagger" in html
    assert "89.13" in html
    assert 'href="table2-complete.tex"' in html
    assert ('href="table2.tex"' in html) == (tmp_path / "table2.tex").is_file() == bool(len(ours))
    assert ("No finished run of this recipe belongs here." in html) == ours.empty


def test_how_to_read_a_paper_s_tables_stands_above_them(tmp_path, monkeypatch):
    table = pd.DataFrame({"ours": ["77.50"]})
    monkeypatch.setattr(write, "side_by_side", lambda *_, **__: table)
    for key, said in (("emotional education III", True), ("2", False)):
        monkeypatch.setattr(write, "TABLES", {key: TABLES[key]})
        (part,) = write.published_parts(tmp_path, None, None)
        assert bool(part.sentences) == said
        assert ("Seeds and faces are both random" in page(make_recipe(), [part])) == said
    assert (tmp_path / "emotional-education-iii-complete.tex").is_file()
