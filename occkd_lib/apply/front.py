"""The YAML at the head of a model's card, which Hugging Face reads."""

from __future__ import annotations

from typing import Any

import yaml

from occkd_lib.apply.facts import Facts, Result
from occkd_lib.project import one_line
from occkd_lib.tasks import METRICS, task_of


def front_matter(facts: Facts) -> str:
    """YAML that Hugging Face reads. PyYAML quotes whatever needs it; nobody's line can end it."""
    content: dict[str, Any] = {
        "license": facts.licence.tag,
        "library_name": "occkd",
        **({"pipeline_tag": "image-classification"} if facts.classes else {}),
        "tags": ["face", "occlusion", "knowledge-distillation", facts.task, facts.visible],
        "datasets": [one_line(facts.data.name)],
        "metrics": [metric.name for metric in task_of(facts.task).metrics],
        "model-index": [{"name": one_line(facts.title), "results": indexed(facts)}],
    }
    if facts.licence.tag == "other":
        content["license_name"] = "research-only"
        content["license_link"] = "#licences"
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=10**6)


def indexed(facts: Facts) -> list[dict[str, Any]]:
    """The test results on what the network is for, as Hugging Face's model-index."""
    found = [r for r in facts.results if of_the_model(r, facts) and r.subset == "all"]
    kind = "image-classification" if facts.classes else "image-regression"
    return [
        {
            "task": {"type": kind, "name": facts.task},
            "dataset": {"name": one_line(r.data), "type": one_line(r.data), "split": r.split},
            "metrics": [{"type": r.metric, "name": METRICS[r.metric].heading, "value": r.value}],
        }
        for r in found
    ]


def of_the_model(result: Result, facts: Facts) -> bool:
    """Is it of test faces, seen as the network is to see them, all groups together?"""
    return result.split == "test" and result.view == facts.visible and result.group is None
