"""The results page: its parts, and the template that they are put into."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from occkd_lib.config import Recipe
from occkd_lib.results import HOLM
from occkd_lib.runs import environment
from occkd_lib.site.tables import without_empty_columns

TEMPLATES = Environment(
    loader=PackageLoader("occkd_lib", "site"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=StrictUndefined,
)
TEMPLATES.filters["filled"] = without_empty_columns


class Picture(NamedTuple):
    """A figure that lies beside the page. path: from the page's folder."""

    path: str
    caption: str


@dataclass(frozen=True)
class Part:
    """A part of the page: sentences, pictures and tables under a title.

    table, complete: of text; they lie as files ``stem`` and ``stem``-complete beside the page.
    complete: a published table with every cell. odd: what is odd about it.
    """

    title: str
    sentences: Sequence[str] = ()
    figures: Sequence[Picture] = ()
    stem: str = ""
    table: pd.DataFrame | None = None
    complete: pd.DataFrame | None = None
    odd: Sequence[str] = ()


def page(recipe: Recipe, parts: Sequence[Part]) -> str:
    """The whole page in HTML: how to read it, then its parts."""
    template = TEMPLATES.get_template("page.html.j2")
    return template.render(recipe=recipe, parts=parts, now=environment(), holm=HOLM)
