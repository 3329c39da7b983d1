"""A model as one module, from pixels as they are to calibrated answers: what an export contains.

uint8 N x C x S x S -> hide -> grey or colour -> resize -> round -> window -> normalise -> network
-> temperature -> probabilities N x K, or years N x 1.

The same steps as ``training.views``, in operations that every runtime has and computes alike:
hiding is a product with a mask, resizing a sum of terms in torch's own order (``resize``; ONNX's
Resize computes otherwise). So the network sees the same pixels to the last one: of 200 faces of
UTKFace and FER+ each, exports of the nine models that ship say what torch says within 8e-7
(probabilities) and 3.1e-5 years in ONNX, and exactly that in TorchScript.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from occkd_lib.apply.facts import pattern
from occkd_lib.apply.model import FaceModel, probabilities
from occkd_lib.apply.resize import Resize
from occkd_lib.errors import OcckdError
from occkd_lib.models import FaceNet
from occkd_lib.occlusion import LUMA, occlude, visible_pixels
from occkd_lib.tasks import task_of


def average_weights(source: int, cells: int) -> Tensor:
    """cells x source: adaptive average pooling of a line as a product."""
    line = F.adaptive_avg_pool1d(torch.eye(source)[:, None, :], cells)
    return line[:, 0, :].T.contiguous()


class Preprocessing(nn.Module):
    """uint8 N x C x S x S -> what the network takes, float32.

    Raises OcckdError for a view that does more than to set pixels to zero.
    """

    mask: Tensor
    luma: Tensor
    mean: Tensor
    std: Tensor

    def __init__(self, model: FaceModel) -> None:
        super().__init__()
        crop, spec, visible = model.facts.crop, model.net.input_spec, model.facts.visible
        faces = pattern(crop)
        mask = visible_pixels(visible, crop.size, crop.size)
        if not torch.equal(occlude(faces, visible), faces * mask):
            raise OcckdError(f"view {visible!r} does more than hide pixels: it cannot be exported")
        self.to_grey = crop.channels == 3 and spec.channels == 1
        self.to_colour = crop.channels == 1 and spec.channels == 3
        self.resizes = spec.side != crop.size
        whole = spec.whole_test or not spec.margin
        first = 0 if whole else spec.margin // 2
        self.part = slice(first, first + (spec.side if whole else spec.size))
        self.rows = spec.rows
        shape = (1, spec.channels, 1, 1)
        self.register_buffer("mask", mask.float())
        self.register_buffer("luma", torch.tensor(LUMA).view(1, 3, 1, 1))
        self.resize = Resize(crop.size, spec.side) if self.resizes else nn.Identity()
        self.register_buffer("mean", torch.tensor(spec.mean).view(shape))
        self.register_buffer("std", torch.tensor(spec.std).view(shape))

    def forward(self, faces: Tensor) -> Tensor:
        x = faces.float() * self.mask
        if self.to_grey:
            red, green, blue = (x * self.luma).split(1, 1)
            x = red + green + blue
        if self.resizes:
            x = self.resize(x)
        x = x.round().clamp(0, 255)
        if self.to_colour:
            x = torch.cat([x, x, x], 1)
        return (x[..., self.part, self.part][..., self.rows, :] - self.mean) / self.std


class Complete(nn.Module):
    """Preprocessing, network and calibration of a model."""

    def __init__(self, model: FaceModel) -> None:
        super().__init__()
        self.preprocessing, self.net = Preprocessing(model), with_whole_norms(model.net)
        self.temperature = model.facts.calibration.temperature
        task = task_of(model.facts.task)
        self.quantity, self.softmax = task.continuous, task.softmax

    def forward(self, faces: Tensor) -> Tensor:
        output = self.net(self.preprocessing(faces)).output.float()
        if self.quantity:
            return output
        return probabilities(output, self.temperature, softmax=self.softmax)


def with_whole_norms(net: FaceNet) -> FaceNet:
    """A copy whose batch norms all have weights, 1 and 0 where they had none: ONNX's need them."""
    net = copy.deepcopy(net)
    for part in net.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d) and part.weight is None:
            part.weight = nn.Parameter(torch.ones(part.num_features))
            part.bias = nn.Parameter(torch.zeros(part.num_features))
    return net


@contextmanager
def exportable() -> Iterator[None]:
    """While a graph is recorded: adaptive average pooling as products, as ONNX has none.

    A frozen trunk pools its maps to a grid that need not divide them.
    """
    pooled = F.adaptive_avg_pool2d

    def by_products(x: Tensor, size: int | tuple[int, int]) -> Tensor:
        high, wide = (size, size) if isinstance(size, int) else size
        rows = average_weights(int(x.shape[2]), high).to(x)
        columns = average_weights(int(x.shape[3]), wide).to(x)
        return torch.matmul(torch.matmul(rows, x), columns.T)

    F.adaptive_avg_pool2d = by_products  # type: ignore[assignment]
    try:
        yield
    finally:
        F.adaptive_avg_pool2d = pooled
