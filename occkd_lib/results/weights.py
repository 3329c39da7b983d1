"""What it takes to look into the networks of finished runs: their weights, and the same faces."""

from __future__ import annotations

from collections.abc import Iterable

from occkd_lib.config import Experiment
from occkd_lib.data import FaceSet, data_root, data_set
from occkd_lib.errors import OcckdError
from occkd_lib.runs import Run


def has_weights(run: Run) -> bool:
    """Is the network of a run kept on this machine?"""
    return (run.folder / "model.safetensors").is_file()


def has_data(experiment: Experiment) -> bool:
    """Are the faces of an experiment on this machine?"""
    known = data_set(experiment.data.name)
    return known.find is None or known.find(data_root(), experiment.data) is not None


def check_faces(runs: Iterable[Run], faces: FaceSet) -> None:
    """Raise OcckdError for a run that saw other faces than ``faces`` (all splits)."""
    known = faces.fingerprint()
    for run in runs:
        if (run.status or {})["config"]["faces"] != known:
            raise OcckdError(
                f"{run.folder} saw other faces than those in {data_root()}: "
                "restore the data set, or delete that folder and run its stage again"
            )
