import json
import re
import shutil

import pandas as pd
import pytest
from matplotlib.figure import Figure

from occkd_lib.errors import OcckdError
from occkd_lib.evaluation import accuracy
from occkd_lib.results import Section, collect, open_store
from occkd_lib.site import write, write_results
from occkd_lib.site.page import page

from .conftest import make_recipe, write_run


def test_everything_is_written_and_linked(recipe, outputs):
    folder = write_results(recipe)
    assert folder == outputs / "tiny" / "results"
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {
        "index.html", "protocol.json", "summary.csv", "values.csv", "predictions-gender.parquet",
        "table2.csv", "table2.md", "table4.csv", "figures/gender-accuracy.png",
        "figures/gender-curves.png", "figures/gender-by-group.png", "figures/gender-agreement.png",
        "figures/gender-mcnemar.png", "table2.tex", "table1-complete.csv", "table3-complete.tex",
        "icpr-table1-complete.md", "emotional-education-ix-complete.csv",
        "emotional-education-text-iv-e-complete.md", "where-the-two-papers-disagree.csv",
        "ablation-gender-curriculum.csv", "figures/ablation-gender-curriculum.png",
    } <= names  # fmt: skip
    assert "table1.csv" not in names, "no expression experiment"
    html = (folder / "index.html").read_text()
    links = re.findall(r"(?:href|src)=[\"']([^\"']+)", html)
    assert set(links) <= names
    assert {f"figures/{name}" for name in names if name.endswith(".png")} <= {
        f"figures/{link}" for link in links
    }
    assert "No map of the embeddings: the weights of teacher," in html, "made-up runs have none"
    assert "89.13" in html
    assert "standard T-S + triplet T-S, SVM" in html

    # numbers: from the runs, through the parquet, to the tables
    kept = pd.read_parquet(folder / "predictions-gender.parquet")
    rows = kept[(kept["row"] == "standard") & (kept["seed"] == 0)]
    value = accuracy(rows["target"].to_numpy(), rows["prediction"].to_numpy())
    assert value == pytest.approx(31 / 40)
    values = pd.read_csv(folder / "values.csv")
    assert len(values) == len(collect(open_store(recipe)))
    pick = (values["row"] == "standard") & (values["subset"] == "official")
    assert values.loc[pick, "value"].item() == pytest.approx(value)
    lines = pd.read_csv(folder / "summary.csv").query("row == 'standard'")
    assert float(lines["vs_student_by_seed"].iloc[0]) == pytest.approx(5 / 40), "no list"
    table = pd.read_csv(folder / "table2.csv", dtype=str).query("method == 'standard T-S'")
    assert table["ours"].iloc[0] == "77.50"

    protocol = json.loads((folder / "protocol.json").read_text())
    assert protocol["recipe"]["name"] == "tiny"
    assert len(protocol["experiments"]["gender"]["runs"]) == 7
    for path in folder.rglob("*.*"):
        if path.suffix in (".html", ".json", ".csv", ".md"):
            assert str(outputs) not in path.read_text(), f"{path.name} names this machine's folders"


def test_other_destinations(outputs, tmp_path, monkeypatch):
    monkeypatch.setattr(write, "TABLES", {})
    monkeypatch.setattr(write, "pictures", lambda *_: iter(()))
    monkeypatch.setattr(write, "section_parts", lambda *_, **__: iter(()))
    recipe = make_recipe()
    write_run(recipe, "gender", "teacher")
    assert write_results(recipe, tmp_path / "here", maps=False) == tmp_path / "here"
    assert "No map of the embeddings was asked for." in (tmp_path / "here/index.html").read_text()
    monkeypatch.setenv("OCCKD_ROOT", str(tmp_path))
    assert write_results(recipe, reference=True) == tmp_path / "outputs" / "reference" / "tiny"


def test_what_changed_since_is_read_again(recipe, outputs, tmp_path, monkeypatch):
    monkeypatch.setattr(write, "TABLES", {})
    monkeypatch.setattr(write, "pictures", lambda *_: iter(()))
    monkeypatch.setattr(write, "section_parts", lambda *_, **__: iter(()))

    def seeds(number):
        folder = write_results(recipe, tmp_path / str(number), maps=False)
        return set(pd.read_csv(folder / "values.csv").query("row == 'teacher'")["seed"])

    write_run(recipe, "gender", "teacher", seed=1)
    assert seeds(1) == {0, 1}
    write_run(recipe, "gender", "teacher", seed=2)
    shutil.rmtree(outputs / "tiny" / "gender" / "seed0" / "teacher")
    assert seeds(2) == {1, 2}


def test_each_experiment_has_its_own_pictures(outputs, tmp_path, monkeypatch):
    monkeypatch.setattr(write, "TABLES", {})
    one = make_recipe().experiments["gender"]
    other, age = one.varied({"network": {"width": 5}}), make_recipe("age").experiments["age"]
    three = {"gender": one, "other": other, "age": age}
    recipe = make_recipe().model_copy(update={"experiments": three})
    for name in three:
        write_run(recipe, name, "teacher")
    folder = write_results(recipe, tmp_path / "here", maps=False)
    drawn = {path.stem for path in (folder / "figures").iterdir()}
    assert {"gender-accuracy", "other-accuracy", "age-mean_absolute_error"} <= drawn
    kept = {name: pd.read_parquet(folder / f"predictions-{name}.parquet") for name in three}
    assert [kept[name]["target"].max() for name in three] == [1, 1, 80]


def test_several_processes_write_the_same(recipe, outputs, tmp_path):
    def written(processes):
        folder = write_results(recipe, tmp_path / str(processes), processes=processes)
        return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}

    alone, several = written(1), written(2)
    assert alone.keys() == several.keys() and "figures" in {path.parts[0] for path in alone}
    assert [str(path) for path in alone if alone[path] != several[path]] == []


def test_nothing_to_write(outputs):
    with pytest.raises(OcckdError, match=r"no finished run of recipe 'tiny'.*occkd run tiny"):
        write_results(make_recipe())
    assert not (outputs / "tiny").exists()


def test_a_section_is_a_sentence_a_table_and_perhaps_a_figure(tmp_path):
    text = pd.DataFrame({"arm": ["x"]})
    section = Section("Too Much, or %?", "What it does.", text, text)
    part = write.section_part(tmp_path, section, Figure())
    html = page(make_recipe(), [part])
    assert pd.read_csv(tmp_path / "too-much-or.csv")["arm"].tolist() == ["x"]
    assert (tmp_path / "figures" / "too-much-or.png").is_file()
    assert 'src="figures/too-much-or.png"' in html
    assert 'href="too-much-or.tex"' in html


def test_a_network_without_a_map_is_a_sentence(outputs, tmp_path, monkeypatch):
    from occkd_lib.results import attention

    section = Section("Grad-CAM", "network 'vit' has none.", pd.DataFrame(), pd.DataFrame())
    monkeypatch.setattr(attention, "sections", lambda _: [section])
    recipe = make_recipe()
    write_run(recipe, "gender", "teacher")
    store = open_store(recipe)
    *_, part = write.section_parts(tmp_path, store, write.summary(store), maps=True)
    assert (part.sentences, part.table, part.figures) == (["network 'vit' has none."], None, ())
    assert not list(tmp_path.rglob("grad-cam*"))


def test_each_section_is_drawn_in_its_own_way(recipe, tmp_path, monkeypatch):
    from occkd_lib.results import attention

    columns = {"sees": ["full"], "mass, %": [30.0], "low": [29.0], "high": [31.0], "chance": [25.0]}
    table = pd.DataFrame(columns, index=["teacher"])
    looked = Section("Grad-CAM gender", "There.", table, table.astype(str))
    monkeypatch.setattr(attention, "sections", lambda _: [looked])
    drawn = []
    real = write.plots.forests.forest
    monkeypatch.setattr(
        write.plots.forests, "forest", lambda *a, **how: drawn.append(how) or real(*a, **how)
    )
    write_run(recipe, "gender", "student", seed=1)
    write_run(recipe, "gender", "control", seed=1)
    store = open_store(recipe)
    parts = list(write.section_parts(tmp_path, store, write.summary(store), maps=True))
    titles = [part.title for part in parts]
    assert titles[:2] == ["Over seeds gender", "False alarms"]
    assert titles[-2:] == ["Where the two papers disagree", "Grad-CAM gender"]
    words = {"False alarms", "Where the two papers disagree"}
    assert {part.title for part in parts if not part.figures} == words
    assert all(len(part.figures) == 1 for part in parts if part.title not in words)
    first, *questions, last = drawn
    assert "at" not in first
    assert all(how["title"].endswith("?") for how in questions)
    assert last["at"] == 25


def test_the_papers_disagree_on_one_value():
    section = write.disagreement()
    assert section.text[["model", "journal", "icpr2020"]].to_numpy().tolist() == [
        ["VGG-face", "82.28", "81.28"]
    ]
