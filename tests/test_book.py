"""What a chapter is given: lines, answers and networks of the stages of its experiment."""

from __future__ import annotations

import pytest

from occkd_lib import book
from occkd_lib.errors import OcckdError


@pytest.fixture
def chapter(outputs, tiny):
    return book.Chapter(tiny, "gender", 0)


def test_a_chapter_has_a_seed_of_0_or_more():
    with pytest.raises(OcckdError, match="seed -1: a seed is 0 or more"):
        book.open("demo", seed=-1)


def test_a_recipe_is_opened_at_the_first_experiment_that_a_chapter_is_about(tmp_path):
    assert book.open_first("demo", "10_results").name == "expression"
    assert book.open_first("demo", "16_other_teachers").name == "losses"
    demo = book.config.recipe_file("demo").read_text()
    own = tmp_path / "mine.yaml"
    own.write_text(demo.replace("  expression:\n", "  expression:\n    chapters: [19_report]\n", 1))
    assert book.open_first(own, "10_results").name == "age"
    with pytest.raises(OcckdError, match="students: chapter 10_results is about none .* control"):
        book.open_first("students", "10_results")


def test_alone_an_experiment_has_its_runs_and_no_neighbours(trained, tiny):
    alone = book.Chapter(tiny, "expression", 0).alone
    assert list(alone.recipe.experiments) == ["expression"]
    assert alone.complete_seeds("expression") == [0]


def test_a_chapter_knows_its_stages(chapter):
    assert chapter.of_method("student") == ["student", "other_half"]
    assert chapter.row("other_half").view == "lower"
    assert list(chapter.rows)[:3] == ["teacher on full", "teacher", "student"]
    assert chapter.row("standard").control == "control"


def test_answers_are_those_of_the_network(chapter):
    chapter.run("student", 0)
    test = chapter.faces.split("test")
    table = chapter.answers({"whole": ("teacher", "full"), "part": ("student", "upper")})
    assert list(table) == ["target", "whole", "part"]
    for label, stage, view in (("whole", "teacher", "full"), ("part", "student", None)):
        assert table[label].to_dict() == chapter.decisions(stage, test, view).to_dict()
    assert chapter.table()["student"].equals(table["part"].rename("student"))
    assert chapter.embeddings("student", test).shape == (
        len(test),
        chapter.network("student").embedding_dim,
    )
    with pytest.raises(OcckdError, match="standard is not finished"):
        chapter.answers({"standard": ("standard", "upper")})


def test_a_changed_chapter_has_a_recipe_of_its_own(chapter):
    longer = chapter.changed("longer", {"stages": {"student": {"epochs": 7}}})
    assert (longer.recipe.name, list(longer.recipe.experiments)) == ("tiny_longer", ["gender"])
    assert (longer.settings("student").epochs, chapter.settings("student").epochs) == (7, 2)


def test_rooms_that_take_seconds_are_entered_when_asked_for():
    assert book.fusion.fit_fusion
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        book.nothing  # noqa: B018
