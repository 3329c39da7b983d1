import json
import re

import pandas as pd
import pytest

from occkd_lib.errors import OcckdError
from occkd_lib.evaluation import accuracy
from occkd_lib.report import collect, figures, results, write_results
from occkd_lib.report.page import Section, table_section
from occkd_lib.report.published import TABLES

from .conftest import FUSED, MISTAKES, make_recipe, write_run


@pytest.fixture
def recipe(outputs):
    recipe = make_recipe("gender")
    for stage, wrong in MISTAKES.items():
        write_run(recipe, "gender", 0, stage, {stage: wrong}, duplicates=4)
    write_run(recipe, "gender", 0, "fusion", FUSED, duplicates=4)
    return recipe


def test_everything_is_written_and_linked(recipe, outputs):
    folder = write_results(recipe)
    assert folder == outputs / "tiny" / "results"
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {
        "index.html", "protocol.json", "summary.csv", "values.csv", "predictions-gender.parquet",
        "table2.csv", "table2.md", "table4.csv", "figures/gender-accuracy.png",
        "figures/gender-curves.png", "figures/gender-recall.png", "figures/gender-confusion.png",
        "figures/gender-mcnemar.png", "table2.tex", "table1-complete.csv", "table3-complete.tex",
        "icpr-table1-complete.md", "where-the-two-papers-disagree.csv",
    } <= names  # fmt: skip
    assert "table1.csv" not in names, "no expression experiment"
    html = (folder / "index.html").read_text()
    links = re.findall(r"(?:href|src)=[\"']([^\"']+)", html)
    assert set(links) <= names
    assert {f"figures/{name}" for name in names if name.endswith(".png")} <= {
        f"figures/{link}" for link in links
    }
    assert "No map of the embeddings: the weights of teacher," in html, "made-up runs have none"
    assert "89.13" in html and "standard + triplet T-S, SVM" in html

    # numbers: from the runs, through the parquet, to the tables
    kept = pd.read_parquet(folder / "predictions-gender.parquet")
    rows = kept[(kept["method"] == "standard") & (kept["seed"] == 0)]
    value = accuracy(rows["target"].to_numpy(), rows["prediction"].to_numpy())
    assert value == pytest.approx(31 / 40)
    values = pd.read_csv(folder / "values.csv")
    assert len(values) == len(collect(recipe))
    pick = (values["method"] == "standard") & (values["subset"] == "official")
    assert values.loc[pick, "value"].item() == pytest.approx(value)
    table = pd.read_csv(folder / "table2.csv", dtype=str).query("method == 'standard T-S'")
    assert table["ours"].iloc[0] == "77.50"

    protocol = json.loads((folder / "protocol.json").read_text())
    assert protocol["recipe"]["name"] == "tiny"
    facts = protocol["experiments"]["gender"]
    assert facts["n"] == {"train": 100, "val": 40, "test": 40}
    assert facts["faces_fingerprint"] == "abc"
    assert facts["test_faces_that_duplicate_train"] == 4
    assert len(facts["runs"]) == 7
    run = facts["runs"]["seed0/fusion"]
    assert {"wall_seconds", "environment", "fingerprint", "peak_memory_mib"} <= run.keys()
    assert "library_hash" in run["environment"]
    for path in folder.rglob("*.*"):
        if path.suffix in (".html", ".json", ".csv", ".md"):
            assert str(outputs) not in path.read_text(), f"{path.name} names this machine's folders"


def test_other_destinations(outputs, tmp_path, monkeypatch):
    for part in ("recipe_figures", "TABLES", "FURTHER"):
        monkeypatch.setattr(results, part, {} if part != "recipe_figures" else lambda *_: iter(()))
    recipe = make_recipe("gender")
    write_run(recipe, "gender", 0, "teacher", {"teacher": 1})
    assert write_results(recipe, tmp_path / "here", maps=False) == tmp_path / "here"
    assert "No map of the embeddings was asked for." in (tmp_path / "here/index.html").read_text()
    monkeypatch.setenv("OCCKD_ROOT", str(tmp_path))
    assert write_results(recipe, reference=True) == tmp_path / "outputs" / "reference" / "tiny"


def test_nothing_to_write(outputs):
    with pytest.raises(OcckdError, match="no finished run of recipe 'tiny'.*occkd run tiny"):
        write_results(make_recipe("gender"))
    assert not (outputs / "tiny").exists()


def test_the_page_shows_long_cells_in_full():
    long = ", ".join(["0.123"] * 12)
    shown = pd.DataFrame({"a": [long], "b": ["<x>"]})
    html = table_section(TABLES["2"], shown, shown)
    assert html.count(long) == 2 and "&lt;x&gt;" in html
    assert "only ResNet-50 has a dagger" in html, "what is odd about the published table"


def test_a_table_without_runs_still_shows_what_is_published():
    html = table_section(TABLES["2"], pd.DataFrame(), pd.DataFrame({"published": ["89.13"]}))
    assert "No finished run of this recipe belongs here." in html and "89.13" in html
    assert "href='table2-complete.tex'" in html and "href='table2.tex'" not in html


def test_a_section_is_a_sentence_a_table_and_perhaps_a_figure(tmp_path):
    figure = figures.metric_bars({"a": (1, 0, 2)})
    section = Section("Too Much, or %?", pd.DataFrame({"arm": ["x"]}), "What <b> does.", figure)
    html = results.write_section(tmp_path, section)
    assert html.startswith("<h2>Too Much, or %?</h2>\n<p>What &lt;b&gt; does.</p>")
    assert pd.read_csv(tmp_path / "too-much-or.csv")["arm"].tolist() == ["x"]
    assert (tmp_path / "figures" / "too-much-or.png").is_file()
    assert 'src="figures/too-much-or.png"' in html and "href='too-much-or.tex'" in html


def test_the_papers_disagree_on_one_value():
    (section,) = results.disagreements_section(make_recipe("gender"), pd.DataFrame())
    assert section.table[["model", "journal", "icpr2020"]].to_numpy().tolist() == [
        ["VGG-face", "82.28", "81.28"]
    ]
