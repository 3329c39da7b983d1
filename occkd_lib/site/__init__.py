"""From finished runs to a folder of tables, figures and one page, beside the published values."""

from occkd_lib.site import compact, maps, pictures, tables
from occkd_lib.site.write import write_results

__all__ = ["compact", "maps", "pictures", "tables", "write_results"]
