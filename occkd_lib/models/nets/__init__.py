"""One file a network: whatever lies in this folder is imported, and enters itself in NETWORKS."""

from importlib import import_module
from pkgutil import iter_modules

from occkd_lib.models.base import NETWORKS

__all__ = ["NETWORKS"]


def import_files() -> None:
    """Import every file of this folder."""
    for file in iter_modules(__path__):
        import_module(f"{__name__}.{file.name}")


import_files()
