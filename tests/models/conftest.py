"""What several tests of networks use."""

import pytest


@pytest.fixture
def narrow(monkeypatch):
    """VGGs with 64 instead of 4096 hidden units, where a test looks at convolutions."""
    monkeypatch.setattr("occkd_lib.models.nets.vgg.HIDDEN", 64)
