"""Where and how precisely to compute."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass

import torch

SLOW = (
    "precision: bf16, which this processor does not have: about ten times slower here than fp32. "
    "Set 'precision: fp32' in a copy of the recipe"
)


@dataclass(frozen=True)
class Compute:
    """A torch device and a precision, "fp32" or "bf16" (autocast, weights stay float32).

    One process uses one device; several GPUs are kept busy by running several seeds or
    experiments at a time, which needs no communication at all.
    """

    device: torch.device
    precision: str

    @classmethod
    def best(cls, precision: str = "fp32") -> Compute:
        """The GPU if there is one, else the CPU; says so where that CPU has no bf16."""
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        if device.type == "cpu" and precision == "bf16" and not cpu_has_bf16():
            print(SLOW, file=sys.stderr)
        return cls(device, precision)

    def autocast(self) -> contextlib.AbstractContextManager:
        """Context in which networks run."""
        if self.precision == "bf16":
            return torch.autocast(self.device.type, torch.bfloat16)
        return contextlib.nullcontext()


def cpu_has_bf16() -> bool:
    """Can this processor's library compute in bf16, or does it only pretend to?"""
    if not torch.backends.mkldnn.is_available():  # macOS, say, where the question is unknown
        return False
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
