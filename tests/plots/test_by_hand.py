"""Controls redraw the picture; without ipywidgets, or moved by nobody, there is one picture."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import pytest
from matplotlib.figure import Figure

from occkd_lib.plots import PHOTO, by_hand
from occkd_lib.plots.by_hand import WIDGET


class Shown:
    """What stands in for the page: what was displayed, and what it was changed to."""

    def __init__(self):
        self.first, self.changes, self.boxes = None, [], []

    def display(self, thing, display_id=False, include=None):
        if display_id:
            self.first = thing
            return self
        self.boxes.append((thing, include))
        return None

    def update(self, thing):
        self.changes.append(thing)


@pytest.fixture
def page(monkeypatch):
    shown = Shown()
    monkeypatch.setattr("IPython.display.display", shown.display)
    return shown


def named(**values):
    figure = Figure()
    figure.suptitle(str(values))
    return figure


def draw(tau: float = 4.0, pool: int = 10, side: str = "top"):
    return named(tau=tau, pool=pool, side=side)


def title(figure):
    return figure.get_suptitle()


def test_a_moved_control_redraws_with_all_values(page):
    widgets = pytest.importorskip("ipywidgets", reason="ipywidgets is in the extra 'lab'")
    by_hand(draw, tau=(1.0, 20.0, 0.5), pool=(1, 100, 1), side=["top", "bottom"])
    assert title(page.first) == "{'tau': 4.0, 'pool': 10, 'side': 'top'}"
    ((box, include),) = page.boxes
    assert include == [WIDGET]
    tau, pool, side = box.children
    assert (type(tau), type(pool)) == (widgets.FloatSlider, widgets.IntSlider)
    assert [tau.description, pool.description, side.description] == ["tau", "pool", "side"]
    assert page.changes == []
    tau.value = 7.5
    side.value = "bottom"
    assert [title(each) for each in page.changes] == [
        "{'tau': 7.5, 'pool': 10, 'side': 'top'}",
        "{'tau': 7.5, 'pool': 10, 'side': 'bottom'}",
    ]


def test_a_chosen_file_is_given_as_bytes_and_taken_back(page):
    pytest.importorskip("ipywidgets", reason="ipywidgets is in the extra 'lab'")

    def ask(photo: bytes | None = None, about: str = "age"):
        return named(photo=photo, about=about)

    by_hand(ask, photo=PHOTO, about=["age", "gender"])
    assert title(page.first) == "{'photo': None, 'about': 'age'}"
    photo, about = page.boxes[0][0].children
    assert photo.accept == "image/*" and not photo.multiple
    photo.value = ({"name": "a.png", "type": "", "size": 3, "content": memoryview(b"abc"),
                    "last_modified": datetime.now(UTC)},)  # fmt: skip
    about.value = "gender"
    photo.value = ()
    assert [title(each) for each in page.changes] == [
        "{'photo': b'abc', 'about': 'age'}",
        "{'photo': b'abc', 'about': 'gender'}",
        "{'photo': None, 'about': 'gender'}",
    ]


def test_the_picture_alone_without_ipywidgets(page, monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    by_hand(draw, tau=(1.0, 20.0, 0.5))
    assert title(page.first).startswith("{'tau': 4.0") and page.boxes == []


@pytest.mark.parametrize(
    ("choice", "why"),
    [
        ({"heat": (1, 2, 1)}, "no keyword 'heat'"),
        ({"tau": (5.0, 20.0, 0.5)}, "tau: its default 4.0 is not among"),
        ({"side": ["bottom", "left"]}, "side: its default 'top' is not among"),
    ],
)
def test_a_choice_that_does_not_fit_is_refused(page, choice, why):
    with pytest.raises(ValueError, match=why):
        by_hand(draw, **choice)
    assert page.first is None
