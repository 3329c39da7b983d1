"""Every test writes its runs to a folder of its own."""

from __future__ import annotations

import pytest


@pytest.fixture
def outputs(tmp_path, monkeypatch):
    """A fresh outputs root."""
    folder = tmp_path / "outputs"
    monkeypatch.setenv("OCCKD_OUTPUTS", str(folder))
    return folder
