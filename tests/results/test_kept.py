"""The results that came with the book are read as they were written."""

import json

import pandas as pd
import pytest

from occkd_lib.errors import OcckdError
from occkd_lib.results import (
    benchmark,
    faces_table,
    false_alarms,
    protocol,
    reference,
    reference_differences,
    reference_faces,
    told,
)


@pytest.fixture
def written(published):
    store, table, folder = published
    [section] = false_alarms.sections(store)
    section.text.to_csv(folder / "false-alarms.csv", index=False)
    return table


def test_differences_in_points_and_years(written):
    for name, factor in (("gender", 100), ("age", 1)):
        table = reference_differences("tiny", name).set_index("method")
        ours = written[(written["experiment"] == name) & (written["subset"] == "official")]
        line = ours[ours["row"] == "standard"].iloc[0]
        found = table.loc["standard T-S"]
        assert found["against"] == "control" and found["seeds"] == 2
        assert found["difference"] == pytest.approx(factor * line["vs_control"])
        assert found["low"] == pytest.approx(factor * line["vs_control_low"])
        assert found["p (Holm)"] == pytest.approx(line["p_vs_control_holm"])
        assert found["needed"] == pytest.approx(line["seeds_vs_control"])
        assert "student" not in table.index, "it has no control"
        against = reference_differences("tiny", name, "student")
        assert set(against["against"]) == {"student"}


def test_which_faces(published):
    store, _, folder = published
    (folder / "protocol.json").write_text(json.dumps(protocol(store)))
    ours = faces_table(store).drop(index=["visible", "network"])
    assert reference_faces("tiny").astype(str).equals(ours.astype(str))
    with pytest.raises(OcckdError, match="occkd results nix --reference"):
        reference_faces("nix")


def test_the_word_for_a_comparison():
    assert told(True, True) == "better than" and told(True, False) == "worse than"
    assert told(False, True) == told(False, False) == "not told apart from"
    assert told(True, False, ("up", "down", "level")) == "down"


def test_other_tables_by_their_name(written):
    assert {"row", "pairs", "alarms"} <= set(reference("tiny", "false-alarms").columns)
    assert isinstance(reference("tiny"), pd.DataFrame)
    with pytest.raises(OcckdError, match=r"no outputs/reference/tiny/nose.csv: write it with"):
        reference("tiny", "nose")


def test_a_benchmark_is_read_or_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("OCCKD_ROOT", str(tmp_path))
    with pytest.raises(OcckdError, match=r"python benchmarks/toy.py --json .*/toy.json"):
        benchmark("toy")
    folder = tmp_path / "outputs" / "reference" / "benchmarks"
    folder.mkdir(parents=True)
    (folder / "toy.json").write_text('{"ratio": 3}')
    assert benchmark("toy") == {"ratio": 3}
