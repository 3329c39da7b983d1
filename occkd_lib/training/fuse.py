"""The last stage: SVM / SVR on the distilled students' embeddings (journal, Sec. 4.2.4 and 4.4)."""

from __future__ import annotations

from typing import Any

from occkd_lib.config import Experiment
from occkd_lib.data import FaceSet
from occkd_lib.fusion import fit_fusion
from occkd_lib.runs import Run
from occkd_lib.tasks import TASKS
from occkd_lib.training.networks import look_at
from occkd_lib.training.predictions import prediction_table, save_predictions

# Table 4 and the control that it lacks: method -> the stages whose embeddings are concatenated
METHODS = {
    "standard+triplet": ("standard", "triplet"),
    "standard_svm": ("standard",),
    "triplet_svm": ("triplet",),
    "control_svm": ("control",),
}


def fuse(
    experiment: Experiment, seed: int, faces: FaceSet, parents: dict[str, Run], run: Run
) -> dict[str, Any]:
    """Fit every method on train, choose its C on val, save its predictions for val and test."""
    task, visible = TASKS[experiment.task], experiment.visible
    splits = {name: faces.split(name) for name in ("train", "val", "test")}
    splits = {name: part for name, part in splits.items() if len(part)}  # AffectNet has no val
    embeddings = {
        stage: look_at(experiment, parent, faces, visible).embedding.numpy()
        for stage, parent in parents.items()
    }
    tables, facts = [], {}
    for method, stages in METHODS.items():
        parts = {
            name: [embeddings[stage][faces.splits == name] for stage in stages] for name in splits
        }
        fusion = fit_fusion(
            parts["train"],
            splits["train"].targets,
            parts.get("val"),
            splits["val"].targets if "val" in splits else None,
            task=task.name,
            seed=seed,
            **experiment.fusion.model_dump(),
        )
        facts[method] = {
            "C": fusion.C,
            "validation": fusion.validation,
            "converged": fusion.converged,
        }
        for name in [name for name in splits if name != "train"]:
            decided, scores = fusion.predict(parts[name]), fusion.scores(parts[name])
            tables.append(prediction_table(splits[name], visible, method, decided, scores))
    save_predictions(run, tables, task)
    return {"fusion": facts}
