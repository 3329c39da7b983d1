"""A checkout with the real graph of the book and empty notebooks."""

from __future__ import annotations

from pathlib import Path

import pytest
import snakemake.cli  # noqa: F401  keeps the stdout of its import: not one that a test captures

from occkd_lib.execution.chapters import read_chapters

REPOSITORY = Path(__file__).parents[2]
CHAPTERS = read_chapters(REPOSITORY / "workflow" / "chapters.yaml")


@pytest.fixture
def project(tmp_path, monkeypatch, outputs):
    """Its folder."""
    (tmp_path / "workflow").mkdir()
    for name in ("Snakefile", "chapters.yaml"):
        (tmp_path / "workflow" / name).symlink_to(REPOSITORY / "workflow" / name)
    (tmp_path / "notebooks").mkdir()
    for chapter in CHAPTERS:
        (tmp_path / "notebooks" / f"{chapter}.ipynb").touch()
    monkeypatch.setenv("OCCKD_ROOT", str(tmp_path))
    monkeypatch.delenv("SNAKEMAKE_PROFILE", raising=False)
    return tmp_path


@pytest.fixture
def own_recipe(project, monkeypatch):
    """Write a recipe of one's own: the demo's, with some text exchanged; returns its path."""

    def write(*exchanged: tuple[str, str], name: str = "mine") -> str:
        text = (REPOSITORY / "occkd_lib/config/recipes/demo.yaml").read_text()
        for old, new in (("name: demo", f"name: {name}"), *exchanged):
            assert old in text, old
            text = text.replace(old, new)
        (project / f"{name}.yaml").write_text(text)
        return str(project / f"{name}.yaml")

    return write
