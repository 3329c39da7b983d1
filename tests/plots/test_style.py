from matplotlib.colors import to_rgb

from occkd_lib.plots.style import PALETTE, canvas, colored, dashes, told_apart


def test_palette_is_seaborns():
    import seaborn as sns

    assert list(sns.color_palette("colorblind")) == PALETTE


def test_colours_come_from_the_rows_or_one_after_the_other():
    assert colored(["a", "b"], None) == {"a": PALETTE[0], "b": PALETTE[1]}
    assert colored(["a", "b"], {"b": 7, "a": 13, "c": 1}) == {"a": PALETTE[3], "b": PALETTE[7]}


def test_lines_of_one_colour_are_told_apart_by_their_dashes():
    red, blue = to_rgb("red"), to_rgb("blue")
    assert dashes([red, blue, red, red, blue]) == ["-", "-", "--", ":", "--"]


def test_titles_that_are_shared_get_the_name():
    titles = {"standard": "standard T-S", "long": "standard T-S", "triplet": "triplet T-S"}
    assert told_apart(titles) == {
        "standard": "standard T-S (standard)",
        "long": "standard T-S (long)",
        "triplet": "triplet T-S",
    }


def test_a_canvas_has_two_spines():
    with canvas(1, 2) as (_, axes):
        pass
    assert axes.shape == (1, 2)
    assert [axes[0, 1].spines[side].get_visible() for side in ("left", "top")] == [True, False]
