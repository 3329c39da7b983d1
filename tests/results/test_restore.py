"""Published results become runs again: the same numbers, and more seeds join them."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from occkd_lib.config import Recipe
from occkd_lib.errors import OcckdError
from occkd_lib.results import collect, open_store, summary
from occkd_lib.results.recalls import recalls
from occkd_lib.results.restore import restore
from occkd_lib.results.store import Source
from occkd_lib.runs import Run, finished_twin, run_folder
from occkd_lib.site import write_results
from occkd_lib.stages import load_network, rows_of, run_stage, stage_of
from tests.tiny import tiny_education, tiny_recipe

ARMS = [{"lr": 1e-3}, {"lr": 3e-3}]
SHOWN = ["row", "test_faces", "metric", "subset", "mean", "low", "high", "p_vs_control"]


def silent(line):
    pass


def recipe_of(**change) -> Recipe:
    stages = {"standard": {"tune": ARMS}, "control": {"of": ["standard"], "tune": ARMS}}
    one = tiny_recipe(stages=stages, tuning_seeds=[7]).experiments["expression"]
    few = {name: one.stages[name] for name in ("teacher", "student", "standard", "control")}
    one = one.model_copy(update={"stages": few, "ablations": {}})
    return Recipe(name="tiny", description="toy", experiments={"expression": one.varied(change)})


def train(recipe, seed):
    for stage in recipe.experiments["expression"].order():
        run_stage(recipe, "expression", seed, stage, say=silent)


def held_out(store):
    """What rows amount to on validation faces."""
    rows = rows_of(store.recipe.experiments["expression"]).values()
    return {
        (row.name, row.view, seed): store.on_validation("expression", Source.of(row), seed)
        for row in rows for seed in (0, 1)
    }  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """(a project with two seeds in outputs/reference, what their runs amounted to on test and on
    validation faces)"""
    folder = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OCCKD_ROOT", str(folder))
        patch.setenv("OCCKD_OUTPUTS", str(folder / "runs"))
        for seed in (0, 1):
            train(recipe_of(), seed)
        write_results(recipe_of(), reference=True, maps=False)
        store = open_store(recipe_of())
        return folder, summary(store), held_out(store)


@pytest.fixture
def published(project, outputs, monkeypatch):
    """The recipe and what was published of it; outputs are empty."""
    monkeypatch.setenv("OCCKD_ROOT", str(project[0]))
    return recipe_of(), project[1]


def test_the_same_numbers_and_one_more_seed(published, outputs):
    recipe, before = published
    said = []
    # two seeds of four stages, and of the tuning seed two arms each of two on teacher and student
    assert restore(recipe, said.append) == 2 * 4 + 2 + 4
    assert said == ["tiny/expression: seeds 0, 1 are there"]
    pd.testing.assert_frame_equal(summary(open_store(recipe))[SHOWN], before[SHOWN])
    assert collect(open_store(recipe))["validation"].isna().all(), "not published"
    assert restore(recipe, silent) == 0, "what there is stays"

    train(recipe, 2)
    choices = outputs / "tiny" / "expression" / "choices"
    assert json.loads((choices / "standard.json").read_text())["validation"].keys() == {
        "standard@lr=0.001", "standard@lr=0.003"
    }  # fmt: skip
    assert Run(run_folder("tiny", "expression", 7, "standard@lr=0.001")).restored, "not again"
    now = summary(open_store(recipe))
    assert (now["seeds"] == 3).all()
    folder = write_results(recipe)  # with maps: of the seed that has weights
    assert "seed 2." in (folder / "index.html").read_text()


def test_what_was_known_of_validation_comes_back(published, project):
    recipe, _ = published
    restore(recipe, silent)
    before, now = project[2], held_out(open_store(recipe))
    own = {
        key
        for key in before
        if key[:2]
        in {("teacher", "full"), ("student", "lower"), ("standard", "lower"), ("control", "lower")}
    }
    assert len(own) == 8 < len(before) and not any(map(np.isnan, before.values()))
    assert {key: now[key] for key in own} == {key: before[key] for key in own}
    assert all(np.isnan(now[key]) for key in before.keys() - own), "a teacher's of hidden faces"


def test_where_networks_began_is_written_once_and_comes_back(published, project):
    recipe, _ = published
    written = project[0] / "outputs" / "reference" / "tiny" / "protocol.json"
    known = json.loads(written.read_text())["experiments"]["expression"]
    assert len(known["initialisations"]) == 1 < len(known["runs"])
    restore(recipe, silent)
    for key in known["runs"]:
        before = Run(project[0] / "runs" / "tiny" / "expression" / key).status
        now = Run(run_folder("tiny", "expression", int(key[4]), key.split("/")[1])).status
        assert now["initialisation"] == before["initialisation"], key


def test_nothing_can_be_built_on_what_has_no_weights(published):
    recipe, _ = published
    restore(recipe, silent)
    run = Run(run_folder("tiny", "expression", 0, "teacher"))
    teacher = stage_of(recipe.experiments["expression"], "teacher")
    with pytest.raises(OcckdError, match="restored from published results, which hold no weights"):
        load_network(teacher.network, 6, run)


def test_no_other_experiment_stands_on_what_has_no_weights(published):
    recipe, _ = published
    restore(recipe, silent)
    restored = Run(run_folder("tiny", "expression", 0, "teacher"))
    config = restored.status["config"]
    assert finished_twin(config) is None
    other = Run.open(run_folder("tiny", "other", 0, "teacher"), config)
    assert not other.done and not other.folder.is_symlink()


FIVE = [{"lr": 1e-3}, {"lr": 5e-3}]


@pytest.mark.parametrize(
    ("stages", "said"),
    [
        ({"teacher": {"lr": 0.5}}, "teacher: seed 0 has another protocol"),
        ({"standard": {"tune": FIVE}, "control": {"tune": FIVE}}, "among other arms now"),
    ],
)
def test_another_recipe_is_refused_and_leaves_nothing(published, outputs, stages, said):
    with pytest.raises(OcckdError, match=said):
        restore(recipe_of(stages=stages), silent)
    assert not list(outputs.glob("tiny/*/seed*/*")) and not list(outputs.glob("tiny/*/choices/*"))


def test_coarse_answers_come_back(outputs, tmp_path, monkeypatch):
    monkeypatch.setenv("OCCKD_ROOT", str(tmp_path / "project"))
    whole = tiny_education().experiments["together"]
    few = whole.model_copy(update={"stages": {"teacher": whole.stages["teacher"]}, "ablations": {}})
    recipe = Recipe(name="tiny", description="toy", experiments={"together": few.varied({})})
    run = run_stage(recipe, "together", 0, "teacher", say=silent)
    write_results(recipe, reference=True, maps=False)
    before = run.predictions.query("split == 'test'").reset_index(drop=True)
    shutil.rmtree(outputs)
    restore(recipe, silent)
    after = Run(run.folder).predictions
    pd.testing.assert_frame_equal(after, before[after.columns], check_dtype=False)
    assert {"coarse_target", "coarse_prediction"} <= set(after)
    assert not recalls(open_store(recipe), "together", ["teacher"], coarse=True).empty


def test_nothing_published(outputs, tmp_path, monkeypatch):
    monkeypatch.setenv("OCCKD_ROOT", str(tmp_path))
    with pytest.raises(OcckdError, match="nothing of 'tiny' was published"):
        restore(tiny_recipe(), silent)
