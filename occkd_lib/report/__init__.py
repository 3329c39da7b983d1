"""From finished runs to tables, figures and a page, beside the published values."""

from occkd_lib.report.beside import side_by_side
from occkd_lib.report.complete import as_printed
from occkd_lib.report.published import published
from occkd_lib.report.results import write_results
from occkd_lib.report.tables import collect, summary

__all__ = ["as_printed", "collect", "published", "side_by_side", "summary", "write_results"]
