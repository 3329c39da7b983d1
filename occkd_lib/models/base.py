"""What every network of the book has in common, and the dictionary that the files of nets/ fill."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, NamedTuple, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from occkd_lib.errors import OcckdError
from occkd_lib.models.weights.pretrained import NO_SCALING, Pretrained, Reader, Tensors
from occkd_lib.occlusion import cut_row

# torchvision's ImageNet statistics, times 255
IMAGENET_MEAN = (0.485 * 255, 0.456 * 255, 0.406 * 255)
IMAGENET_STD = (0.229 * 255, 0.224 * 255, 0.225 * 255)
# of networks trained from scratch: pixels become -2..2
CENTRE, SPREAD = (127.5,) * 3, (64.0,) * 3
Half = Literal["lower", "upper"]


class Prediction(NamedTuple):
    """embedding: B x D, the layer before the last (the face embedding). output: B x K.

    coarse: B x 4 logits of ``losses.coarse_fine.COARSE``; None of a network without coarse stream.
    """

    embedding: Tensor
    output: Tensor
    coarse: Tensor | None = None

    def each(self, change: Callable[[Tensor], Tensor]) -> Prediction:
        """``change`` made to every part that there is."""
        coarse = None if self.coarse is None else change(self.coarse)
        return Prediction(change(self.embedding), change(self.output), coarse)


@dataclass(frozen=True)
class InputSpec:
    """What a network wants to see: (pixels 0..255 - mean) / std, per channel.

    resize: faces are made this large, and the network sees a window of ``size`` pixels: a random
    one in training, in testing the central one, or the whole face if ``whole_test``. None: the
    whole face, ``size`` pixels. half: the network gets these rows alone, the others are cut off.
    """

    size: int
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    resize: int | None = None
    whole_test: bool = False
    half: Half | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, rows and columns that reach the network."""
        return self.channels, len(range(self.size)[self.rows]), self.size

    @property
    def rows(self) -> slice:
        """Those that reach the network, of all that it could see."""
        middle = cut_row(self.size)
        return {None: slice(None), "lower": slice(middle, None), "upper": slice(middle)}[self.half]

    @property
    def side(self) -> int:
        """Pixels of the whole face."""
        return self.resize or self.size

    @property
    def margin(self) -> int:
        """By how many pixels the whole face is larger than the window."""
        return self.side - self.size


def rgb_input(
    size: int,
    channels: int,
    mean: tuple[float, ...],
    std: tuple[float, ...] = NO_SCALING,
    *,
    smallest: int = 1,
) -> InputSpec:
    """Spec for RGB statistics ``mean`` and ``std``; one channel (grey) gets their averages.

    Raises OcckdError when ``channels`` is not 1 or 3, or ``size`` is below ``smallest``.
    """
    if channels not in (1, 3):
        raise OcckdError(f"channels is {channels}: a network takes 1 (grey) or 3 (RGB)")
    if size < smallest:
        raise OcckdError(f"input_size is {size}: this network needs at least {smallest} pixels")
    if channels == 1:
        mean, std = (sum(mean) / 3,), (sum(std) / 3,)
    return InputSpec(size=size, channels=channels, mean=mean, std=std)


class FaceNet(nn.Module):
    """Base of all networks. Subclasses set input_spec and embedding_dim, call ``add_head`` and
    define ``features``; names of layers that a weights file may lack begin with ``fc``.

    layouts: name of a tensor that only one public layout of weights has -> the reader of that
    layout. constants: attributes (tuples) that a weights file may set besides values and
    input_spec. init_record: where the initial weights came from; ``build_model`` fills it in.
    """

    layouts: ClassVar[Mapping[str, Reader]] = {}
    constants: ClassVar[tuple[str, ...]] = ()

    name: str
    input_spec: InputSpec
    embedding_dim: int
    head: nn.Linear
    dropout: nn.Module
    init_record: dict[str, Any]

    def __init__(self) -> None:
        super().__init__()
        self.dropout = nn.Identity()

    @property
    def trunks(self) -> tuple[FaceNet, ...]:
        """The networks whose pretrained weights it began with; usually itself."""
        return (self,)

    def look_at(self, half: Half | None) -> None:
        """From now on it gets these rows alone; None: the whole face."""
        for trunk in self.trunks:
            if trunk is self:
                self.input_spec = replace(self.input_spec, half=half)
            else:
                trunk.look_at(half)

    def add_head(self, outputs: int, dropout: float = 0.0) -> None:
        """The last layer, and dropout before it; the embedding itself stays clean."""
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(self.embedding_dim, outputs)

    def features(self, x: Tensor) -> Tensor:
        """Normalised pixels B x C x H x W -> embedding B x D."""
        raise TypeError(f"{type(self).__name__} must define features()")

    def forward(self, x: Tensor) -> Prediction:
        embedding = self.features(x)
        return Prediction(embedding, self.head(self.dropout(embedding)))

    def read(self, tensors: Tensors) -> Pretrained | None:
        """A state dict in this network's terms, None if it is none of the layouts it knows."""
        if tensors.keys() == self.state_dict().keys():
            return Pretrained(tensors, "saved by this book")
        return read_layout(self.layouts, tensors)


class CosineLinear(nn.Linear):
    """Cosines of embeddings and class weights: the head that LDAM wants (Cao et al., 2019)."""

    def __init__(self, width: int, outputs: int) -> None:
        super().__init__(width, outputs, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        directions, classes = F.normalize(x.float()), F.normalize(self.weight.float())
        # no matrix product: autocast would round to bf16, whose steps are too coarse times 30
        return (directions[:, None] * classes).sum(2)


Net = TypeVar("Net", bound=FaceNet)
NETWORKS: dict[str, type[FaceNet]] = {}  # what a recipe's ``network.name`` can be


def network(kind: type[Net]) -> type[Net]:
    """Decorator of a network in nets/: enters it under its name."""
    NETWORKS[kind.name] = kind
    return kind


def read_layout(layouts: Mapping[str, Reader], tensors: Tensors) -> Pretrained | None:
    """What the reader makes of ``tensors`` whose mark is among their names; None without one."""
    for mark, reader in layouts.items():
        if mark in tensors:
            return reader(tensors)
    return None


def fill(net: nn.Module, rule: Callable[[Tensor], Any], *kinds: type[nn.Module]) -> None:
    """Random values for the weights of all layers of these kinds by ``rule``, zeros for biases."""
    for module in net.modules():
        if isinstance(module, kinds):
            rule(module.get_parameter("weight"))
            nn.init.zeros_(module.get_parameter("bias"))


def he(weight: Tensor, mode: Literal["fan_in", "fan_out"] = "fan_in") -> Tensor:
    """He et al.'s rule, which keeps the scale of the maps through ReLU."""
    return nn.init.kaiming_normal_(weight, mode=mode, nonlinearity="relu")


def parameter_count(model: nn.Module) -> int:
    """Number of trainable values."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def normalize(pixels: Tensor, spec: InputSpec) -> Tensor:
    """uint8 B x C x S x S -> float32 B x spec.shape, (pixels - mean) / std per channel."""
    shape = (1, spec.channels, 1, 1)
    mean = torch.tensor(spec.mean, device=pixels.device).view(shape)
    std = torch.tensor(spec.std, device=pixels.device).view(shape)
    return (pixels[..., spec.rows, :].float() - mean) / std
