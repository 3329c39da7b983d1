"""A fine and a coarse stream on one or two trunks: KTN and STSN (Li et al., Table I)."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from occkd_lib.losses.coarse_fine import COARSE
from occkd_lib.models.base import FaceNet, InputSpec, Prediction
from occkd_lib.settings import Settings

BETWEEN = {"none": nn.Identity, "relu": nn.ReLU}


class StreamSettings(Settings):
    """How the streams are built.

    trunks: "two" (KTN), one that is "shared" by both streams (STSN), or the "fine" stream alone.
    width: of FC1-1 and FC2-1. combine: the streams' outputs are averaged as "logits" or as
    "probabilities"; the paper does not say. between: what follows FC1-1 and FC2-1 before the next
    layer: Table I lists nothing, the text on batch norm (values between 0 and 1) suggests one.
    """

    trunks: Literal["two", "shared", "fine"]
    width: int = Field(256, ge=1)
    combine: Literal["logits", "probabilities"] = "logits"
    between: Literal["none", "relu", "batch_norm"] = "none"


class Streams(FaceNet):
    """Li et al., Table I, with any network of the book as the trunk.

    With h and g what the fine and the coarse trunk make of a face: u = FC1-1(h), v = FC2-1(g);
    embedding V^a = (u + v) / 2; coarse V^c = FC2-2(v); output V^f, the mean of FC1-2(u) (``head``)
    and FC2-3(V^c). The fine stream alone has V^a = u, V^f = FC1-2(u) and no V^c. With one shared
    trunk h = g, computed once. Two ResNet-50 give 48.07 M parameters, a shared ResNet-18 11.44 M.
    """

    def __init__(self, fine: FaceNet, coarse: FaceNet | None, outputs: int, s: StreamSettings):
        super().__init__()
        self.name = f"{fine.name} ({s.trunks} trunk{'s' if s.trunks == 'two' else ''})"
        self.settings, self.embedding_dim = s, s.width
        self.fine, self.coarse = fine, coarse  # coarse: the second trunk of two
        for trunk in self.trunks:
            del trunk.head
        width = fine.embedding_dim
        self.fc1_1, self.after_fine = nn.Linear(width, s.width), between(s)
        self.head = nn.Linear(s.width, outputs)  # FC1-2
        if s.trunks != "fine":
            self.fc2_1, self.after_coarse = nn.Linear(width, s.width), between(s)
            self.fc2_2 = nn.Linear(s.width, len(COARSE))
            self.fc2_3 = nn.Linear(len(COARSE), outputs)

    @property
    def trunks(self) -> tuple[FaceNet, ...]:
        return (self.fine,) if self.coarse is None else (self.fine, self.coarse)

    @property
    def input_spec(self) -> InputSpec:  # type: ignore[override]
        """Of its trunks."""
        return self.fine.input_spec

    @property
    def init_record(self) -> dict:  # type: ignore[override]
        """How its trunks began."""
        return self.fine.init_record

    def forward(self, x: Tensor) -> Prediction:
        # the coarse trunk first: Grad-CAM explains the last map, which then is the fine stream's
        g = None if self.coarse is None else self.coarse.dropout(self.coarse.features(x))
        h = self.fine.dropout(self.fine.features(x))
        u = self.after_fine(self.fc1_1(h))
        if self.settings.trunks == "fine":
            return Prediction(u, self.head(u))
        v = self.after_coarse(self.fc2_1(h if g is None else g))
        coarse = self.fc2_2(v)
        said = torch.stack([self.head(u), self.fc2_3(coarse)]).float()
        if self.settings.combine == "logits":
            output = said.mean(0)
        else:
            output = said.softmax(2).mean(0).clamp_min(1e-12).log()
        return Prediction((u + v) / 2, output, coarse)


def between(s: StreamSettings) -> nn.Module:
    """What follows the first fully connected layer of a stream."""
    return nn.BatchNorm1d(s.width) if s.between == "batch_norm" else BETWEEN[s.between]()
