from ..results.conftest import full, results

__all__ = ["full", "results"]
