"""The papers: one folder each, with its tables cell by cell, and what corresponds to them here."""

from occkd_lib.papers.base import Paper, PublishedTable
from occkd_lib.papers.beside import as_printed, side_by_side
from occkd_lib.papers.one import one_table
from occkd_lib.papers.published import (
    PAPERS,
    TABLES,
    comparability,
    disagreements,
    published,
    published_table,
)

__all__ = [
    "PAPERS", "TABLES", "Paper", "PublishedTable", "as_printed", "comparability", "disagreements",
    "one_table", "published", "published_table", "side_by_side",
]  # fmt: skip
