"""Lists of labels: their rows, and whether they fit the images."""

import pytest

from occkd_lib.data.listing import check_listed, existing, files_in, first_rows, homes, titled_rows
from occkd_lib.errors import OcckdError


def test_where_things_lie(tmp_path):
    for name in ("FERplus", "other", ".b.JPG", "c.jpg", "a.JPG"):
        (tmp_path / name).mkdir() if "." not in name else (tmp_path / name).touch()
    assert homes(tmp_path, "ferplus") == [tmp_path / "FERplus", tmp_path]
    assert homes(tmp_path / "no", "ferplus") == [] == files_in(tmp_path / "no", ".jpg")
    assert [file.name for file in files_in(tmp_path, ".jpg")] == ["a.JPG", "c.jpg"]
    assert existing(tmp_path / "no", tmp_path / "c.jpg", remedy="put it there").name == "c.jpg"
    with pytest.raises(OcckdError, match=r"no is missing: put it there$"):
        existing(tmp_path / "no", tmp_path / "nor", remedy="put it there")


@pytest.mark.parametrize("titles", ["\ufeff b, a \n\n", ""])
def test_rows_with_and_without_titles(tmp_path, titles):
    """Empty rows count, but are left out; blanks around cells go."""
    (tmp_path / "list.csv").write_text(f"{titles}1, 2\n\n 3,4\n", encoding="utf-8")
    rows = list(titled_rows(tmp_path / "list.csv", ("a", "c") if not titles else ()))
    first, second = ("b", "a") if titles else ("a", "c")
    number = 3 if titles else 1
    assert rows == [(number, {first: "1", second: "2"}), (number + 2, {first: "3", second: "4"})]
    assert list(titled_rows(tmp_path / "list.csv", (first, second))) == rows


def test_the_first_row_of_a_name_counts():
    labels, repeated = first_rows([(2, "a", "sad"), (3, "b", "glad"), (4, "a", "glad")])
    assert labels == {"a": (2, "sad"), "b": (3, "glad")} and repeated == ["a"]


def test_list_and_images_must_fit():
    labels = {"b": (7, 0), "a": (9, 1)}
    check_listed("home", ["a", "b"], labels, "list", "name, code")
    for images, known, wanted in (
        ([], labels, "home: 2 rows of list have no image, the first is a in row 9"),
        (["a", "b", "d", "c"], labels, "home: 2 images have no row in list, the first is c: add"),
        (["a"], {}, r"home: list is empty: expected a row an image \(name, code\)"),
    ):
        with pytest.raises(OcckdError, match=wanted):
            check_listed("home", images, known, "list", "name, code")
