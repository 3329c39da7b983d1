"""From finished runs to tables, figures and a page, beside the published values."""

from occkd_lib.report.published import published
from occkd_lib.report.results import write_results
from occkd_lib.report.tables import collect, side_by_side, summary

__all__ = ["collect", "published", "side_by_side", "summary", "write_results"]
