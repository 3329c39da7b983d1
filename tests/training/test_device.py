"""Where and how precisely to compute."""

import pytest
import torch

from occkd_lib.training import device
from occkd_lib.training.device import SLOW, Compute, cpu_has_bf16


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("has", [True, False])
def test_a_processor_without_bf16_says_so(monkeypatch, capsys, has, precision):
    monkeypatch.setattr(device, "cpu_has_bf16", lambda: has)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert Compute.best(precision).precision == precision, "no quiet change"
    warned = SLOW in capsys.readouterr().err
    assert warned == (precision == "bf16" and not has)


def test_bf16_is_asked_of_this_processor():
    assert cpu_has_bf16() in (True, False)
    with Compute(torch.device("cpu"), "bf16").autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16
    with Compute(torch.device("cpu"), "fp32").autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
