"""Results: from the predictions of finished runs to values, intervals, tests and sentences.

store → summary → over_seeds          every line of every table
      → differences → hidden_half     one experiment, row beside row; what is won back of it
      → ablations, attention          one question, one table, one sentence
      → labels, false_alarms          over several experiments; a method against itself
      → views                         trained on one view, tested on another
kept, reference_panels, reference_texts   what came with the book
"""

from occkd_lib.results import (
    ablations,
    false_alarms,
    hidden_half,
    labels,
    over_seeds,
    recalls,
    views,
)
from occkd_lib.results.differences import (
    differences,
    is_better,
    right,
    scores,
    spoken,
    verdicts,
    won_back,
)
from occkd_lib.results.kept import benchmark, reference, reference_differences
from occkd_lib.results.protocol import (
    every_prediction,
    faces_table,
    finished_table,
    protocol,
    reference_faces,
    stage_table,
)
from occkd_lib.results.reference_panels import HALF_FACES, reference_contrasts, reference_gains
from occkd_lib.results.reference_texts import reference_ablations, reference_attention
from occkd_lib.results.store import Answers, Source, Store, open_store
from occkd_lib.results.summary import HOLM, OFFICIAL, WITHOUT_COPIES, collect, summary
from occkd_lib.results.text import Section, p_text, title_of, told, with_interval

__all__ = [
    "HALF_FACES", "HOLM", "OFFICIAL", "WITHOUT_COPIES", "Answers", "Section", "Source", "Store",
    "ablations", "benchmark", "collect", "differences", "every_prediction", "faces_table",
    "false_alarms", "finished_table", "hidden_half", "is_better", "labels", "open_store",
    "over_seeds", "p_text", "protocol", "recalls", "reference", "reference_ablations",
    "reference_attention", "reference_contrasts", "reference_differences", "reference_faces",
    "reference_gains", "right", "scores", "spoken", "stage_table", "summary", "title_of", "told",
    "verdicts", "views", "with_interval", "won_back",
]  # fmt: skip
