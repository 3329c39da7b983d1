"""A figure that can be moved by hand: sliders and menus in JupyterLab, a picture anywhere else."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from matplotlib.figure import Figure

PHOTO = "a photo"  # a choice: one that the reader picks
WIDGET = "application/vnd.jupyter.widget-view+json"


def by_hand(draw: Callable[..., Figure], **choices: Any) -> None:
    """Show ``draw`` of its defaults and, where ipywidgets is installed, a control for every choice.

    draw: its keywords have defaults. choices: keyword -> (low, high, step) for a slider, a list of
    values for a menu, or PHOTO for a button that takes an image file: ``draw`` gets its bytes, and
    the default as long as there is none. Whoever moves a control sees the same picture drawn anew.
    Pages, pdf and executed notebooks keep the picture of the defaults, and no trace of controls.
    Raises ValueError for a choice that ``draw`` does not have, or that leaves its default out.
    """
    from IPython.display import display

    defaults = {name: p.default for name, p in inspect.signature(draw).parameters.items()}
    for name, choice in choices.items():
        given = defaults.get(name, inspect.Parameter.empty)
        if given is inspect.Parameter.empty:
            raise ValueError(f"{draw.__name__} has no keyword {name!r} with a default")
        if isinstance(choice, str) and choice == PHOTO:
            continue
        inside = choice[0] <= given <= choice[1] if isinstance(choice, tuple) else given in choice
        if not inside:
            raise ValueError(f"{name}: its default {given!r} is not among {choice}")
    shown = display(draw(), display_id=True)
    try:
        import ipywidgets
    except ImportError:
        return
    controls = {
        name: control(ipywidgets, choice, defaults[name]) for name, choice in choices.items()
    }

    def redraw(_: Any) -> None:
        now = {name: chosen(each, defaults[name]) for name, each in controls.items()}
        shown.update(draw(**now))

    for name, each in controls.items():
        each.description = name.replace("_", " ")
        each.observe(redraw, names="value")
    box = ipywidgets.HBox(list(controls.values()))
    display(box, include=[WIDGET])  # without its text: a page that cannot move has no use for it


def control(widgets: Any, choice: Any, first: Any) -> Any:
    """A slider for (low, high, step), a menu for a list, a button for PHOTO."""
    if isinstance(choice, str) and choice == PHOTO:
        return widgets.FileUpload(accept="image/*", multiple=False)
    if not isinstance(choice, tuple):
        return widgets.Dropdown(options=choice, value=first)
    kind = widgets.IntSlider if all(isinstance(v, int) for v in choice) else widgets.FloatSlider
    low, high, step = choice
    return kind(min=low, max=high, step=step, value=first, continuous_update=False)


def chosen(each: Any, first: Any) -> Any:
    """What a control says; of a button for files the bytes of the last one, else ``first``."""
    if not isinstance(each.value, tuple):
        return each.value
    return bytes(each.value[-1]["content"]) if each.value else first
