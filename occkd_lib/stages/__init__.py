"""The stages of an experiment: how they hang together, what they cost, and carrying one out.

teacher ── student ─┬─ control ──┐
                    ├─ standard ─┼─ fusion
teacher ────────────┴─ triplet ──┘
"""

from occkd_lib.stages.graph import all_stages, graph, rows_of, stage_of
from occkd_lib.stages.lesson import first_lesson
from occkd_lib.stages.networks import answers_of, faces_of, load_network
from occkd_lib.stages.run import run_stage

__all__ = [
    "all_stages",
    "answers_of",
    "faces_of",
    "first_lesson",
    "graph",
    "load_network",
    "rows_of",
    "run_stage",
    "stage_of",
]
