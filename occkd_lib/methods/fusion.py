"""The last step: an SVM or SVR on the students' embeddings (journal, Sect. 4.2.4 and 4.4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from occkd_lib.data import SPLITS
from occkd_lib.methods.base import Job, Method, Row, Stage, StageSettings, control_of, student_of
from occkd_lib.models import NetworkSettings
from occkd_lib.tasks import Task
from occkd_lib.training.features import views_of
from occkd_lib.training.predict import predict
from occkd_lib.training.predictions import prediction_table, save_predictions

SINGLE = {"standard": "standard_TS+SVM", "triplet": "triplet_TS+SVM"}  # journal, Table 4


class FusionSettings(StageSettings):
    """of: the stages whose embeddings are used, each alone and the distilled ones together; the
    controls among them alone. C is chosen on validation."""

    method: Literal["fusion"] = "fusion"
    of: tuple[str, ...] = Field(("standard", "triplet", "control"), min_length=1)
    C: tuple[Annotated[float, Field(gt=0)], ...] | None = Field(
        None, min_length=1, description="None: fit_fusion's own grid"
    )
    epsilon: float = Field(0.0, ge=0)
    standardize: bool = False


class Fusion(Method):
    """A linear machine on one embedding, or on several side by side."""

    name = "fusion"
    title = "{machine}"
    settings = FusionSettings
    color = 4
    makes_network = False

    def needs(self, settings: FusionSettings) -> tuple[str, ...]:
        return settings.of

    def check(
        self,
        settings: FusionSettings,
        task: Task,
        *,
        has_validation: bool,
        network: NetworkSettings,
    ) -> None:
        if not has_validation and (settings.C is None or len(settings.C) > 1):
            raise ValueError("the data set has no validation split: C must be one value")

    def combinations(self, stage: Stage) -> dict[str, tuple[str, ...]]:
        """Key of a row -> the stages whose embeddings it joins (Table 4, and the controls)."""
        parts = stage.settings.of
        controls = tuple(p for p in parts if stage.parents[p].settings.controls)
        distilled = tuple(p for p in parts if p not in controls)
        joined = {"+".join(group): group for group in (distilled, controls) if len(group) > 1}
        return joined | {f"{part}_svm": (part,) for part in parts}

    def carry_out(self, job: Job) -> dict[str, Any]:
        from occkd_lib.fusion import fit_fusion  # scikit-learn, a second

        stage, settings = job.stage, job.stage.settings
        splits = {name: job.faces.split(name) for name in SPLITS}
        splits = {name: faces for name, faces in splits.items() if len(faces)}
        embeddings: dict[str, dict[str, np.ndarray]] = {}
        for name, parent in stage.parents.items():
            model = job.load(name).to(job.compute.device)
            embeddings[name] = {
                split: predict(
                    model, views_of(faces, model, job.compute), parent.view, compute=job.compute
                )
                .embedding.cpu()
                .numpy()
                for split, faces in splits.items()
            }
        tables, facts = [], {}
        for key, names in self.combinations(stage).items():
            parts = {split: [embeddings[name][split] for name in names] for split in splits}
            fusion = fit_fusion(
                parts["train"],
                splits["train"].targets,
                parts.get("val"),
                splits["val"].targets if "val" in splits else None,
                task=job.task.name,
                C=settings.C,
                epsilon=settings.epsilon,
                standardize=settings.standardize,
                seed=job.seed,
                outputs=job.outputs,
            )
            facts[key] = {
                "C": fusion.C,
                "validation": fusion.validation,
                "converged": fusion.converged,
                "edge": fusion.edge,
            }
            for split in [name for name in splits if name != "train"]:
                decided, scores = fusion.predict(parts[split]), fusion.scores(parts[split])
                tables.append(prediction_table(splits[split], stage.view, key, decided, scores))
        save_predictions(job.run, tables, job.task)
        return {"fusion": facts}

    def rows(self, stage: Stage, stages: Mapping[str, Stage]) -> list[Row]:
        combinations = self.combinations(stage)
        return [self.row(key, parts, stage, stages) for key, parts in combinations.items()]

    def row(
        self, key: str, parts: tuple[str, ...], stage: Stage, stages: Mapping[str, Stage]
    ) -> Row:
        """One machine's line, compared with the machine on the controls of its parts."""
        first = stage.parents[parts[0]]
        titles = [stage.parents[part].method.title.split(":")[0] for part in parts]
        methods = tuple(stage.parents[part].method.name for part in parts)
        controls = tuple(dict.fromkeys(control_of(part, stages) for part in parts))
        machines = {joined: name for name, joined in self.combinations(stage).items()}
        on_control = len(parts) == 1 and first.settings.controls  # compared with its own network
        published = SINGLE.get(methods[0]) if len(methods) == 1 else None
        if methods == ("standard", "triplet"):
            published = "triplet+standard_TS"
        views = (*first.method.rows(first, stages)[0].trained_on,)
        return Row(
            name=key,
            stage=stage.name,
            key=key,
            method=self.name,
            title=f"{' + '.join(titles)}, {{machine}}",
            parts=parts,
            trained_on=views,
            view=stage.view,
            student=student_of(first),
            control=first.name if on_control else machines.get(controls),  # type: ignore[arg-type]
            published={"journal": published, "icpr2020": published} if published else {},
            color=self.color,
        )
