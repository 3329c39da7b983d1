"""Where and how precisely to compute."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import torch


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
        """The GPU if there is one, else the CPU."""
        return cls(torch.device("cuda" if torch.cuda.is_available() else "cpu"), precision)

    def autocast(self) -> contextlib.AbstractContextManager:
        """Context in which networks run."""
        if self.precision == "bf16":
            return torch.autocast(self.device.type, torch.bfloat16)
        return contextlib.nullcontext()
