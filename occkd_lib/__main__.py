"""``python -m occkd_lib`` is ``occkd``."""

from occkd_lib.cli import main

main()
