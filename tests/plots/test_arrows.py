"""Boxes in columns, each after the last of those that lead to it."""

from occkd_lib.plots import arrows_between
from occkd_lib.plots.arrows import column_of, places, ways

ARROWS = {("a", "b"): "weights", ("b", "c"): "weights", ("a", "c"): "answers"}


def test_a_box_stands_behind_the_longest_way_to_it():
    assert [column_of(name, ARROWS) for name in "abcd"] == [0, 1, 2, 0]


def test_a_box_a_name_an_arrow_a_pair_and_a_dash_a_kind():
    figure = arrows_between(
        {"a": "first", "b": "second", "c": "third"}, ARROWS, {"a": 0, "b": 1, "c": 2}
    )
    (ax,) = figure.axes
    said = {text.get_text(): text.get_position() for text in ax.texts if text.get_text()}
    assert said == {"first": (0, 0), "second": (1, 0.5), "third": (2, 0)}
    drawn = [text for text in ax.texts if not text.get_text()]
    assert len(drawn) == len(ARROWS)
    assert len({text.arrow_patch.get_linestyle() for text in drawn}) == 2
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["weights", "answers"]


def test_an_arrow_runs_behind_no_box():
    column = {name: column_of(name, ARROWS) for name in "abc"}
    along = ways(ARROWS, column)
    assert along["a", "b"] == ["a", "b"] and along["a", "c"] == ["a", ("a", "c", 1), "c"]
    place = places("abc", along.values(), column)
    assert place["b"] == (1, 0.5) and place["a", "c", 1] == (1, -0.5), "beside b, not through it"


def test_a_column_is_sorted_by_where_its_arrows_come_from():
    crossed = {("a", "d"): "", ("b", "c"): ""}
    column = {name: column_of(name, crossed) for name in "abcd"}
    place = places("abcd", ways(crossed, column).values(), column)
    assert place["a"] > place["b"] and place["d"] > place["c"]


def test_arrows_without_words_need_no_legend():
    assert not arrows_between({"a": "", "b": ""}, {("a", "b"): ""}).legends
