"""Grad-CAM: which part of a face speaks for what the network says of it.

R. R. Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
Localization", ICCV 2017. With A (C x h x w) the last feature map and y the output to explain:

    weight_k = mean over all cells (i, j) of dy / dA_kij      (Eq. 1)
    map      = ReLU(sum over k of weight_k A_k)               (Eq. 2)
"""

from __future__ import annotations

import contextlib
import copy
from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import (
    BinaryClassifierOutputTarget,
    ClassifierOutputTarget,
    RawScoresOutputTarget,
)
from torch import Tensor, nn

from occkd_lib.errors import OcckdError
from occkd_lib.models.base import FaceNet, InputSpec
from occkd_lib.occlusion import occlude
from occkd_lib.training.views import Views

BATCH = 128
Target = Callable[[Tensor], Tensor]


class NoFeatureMap(OcckdError):
    """A network that has no "where" left at its end."""


def target_layer(model: FaceNet) -> nn.Module:
    """The module that outputs the network's last feature map, found by running one blank image.

    That is the last module called, once, whose output is 1 x C x s x s with s > 1 (after global
    pooling there is no "where" left). It ends on ReLU where the network has a module for that;
    where it calls a function instead, it is the last convolution itself, before ReLU.
    Raises NoFeatureMap for a network that ends otherwise, on tokens for instance.
    """
    calls: Counter[nn.Module] = Counter()
    maps: list[nn.Module] = []

    def note(module: nn.Module, _, output: object) -> None:
        calls[module] += 1
        if isinstance(output, Tensor) and output.ndim == 4:
            rows, columns = output.shape[2:]
            if rows == columns > 1:
                maps.append(module)
        elif isinstance(output, Tensor) and output.ndim == 3:
            maps.clear()  # tokens: whatever was a map before is none any more

    hooks = [module.register_forward_hook(note) for module in model.modules()]
    try:
        with borrowed(model), torch.no_grad():
            model(blank(model.input_spec).to(next(model.parameters()).device))
    finally:
        for hook in hooks:
            hook.remove()
    found = [module for module in maps if calls[module] == 1]
    if not found:
        raise NoFeatureMap(
            f"network {model.name!r} does not end on a feature map: for Grad-CAM, choose a "
            "convolutional one, or a larger input_size"
        )
    return found[-1]


def blank(spec: InputSpec) -> Tensor:
    """One image of zeros, as the network takes it."""
    return torch.zeros(1, spec.channels, spec.size, spec.size)


def grad_cam(
    model: FaceNet,
    views: Views,
    visible: str,
    index: Tensor,
    *,
    target: int | Tensor | None = None,
) -> Tensor:
    """Grad-CAM maps of the faces at ``index``: N x S x S in [0, 1], float32, on the CPU.

    Each map is enlarged to the network's input (bilinear) and divided by its own maximum; a map
    without any evidence stays all zero. model and views: on one device; visible: what the network
    sees of the faces.

    target: the class to explain, for all faces or one each (N); by default what the network
    itself says. Explained is the class's logit, for gender the logit of "female" or minus it, for
    age (which takes no target) the years, so: what makes the face look older.
    Raises ValueError for a class that the task does not have.
    """
    layer = target_layer(model)
    targets = explained(views.faces.task, views.faces.classes, target, len(index))
    maps = []
    for start in range(0, len(index), BATCH):
        some = index[start : start + BATCH]
        inputs = views.inputs(visible, some, torch.zeros_like(some, dtype=torch.bool))
        raw = raw_maps(model, layer, inputs, targets[start : start + BATCH])
        large = F.interpolate(raw.relu()[:, None], inputs.shape[-2:], mode="bilinear")[:, 0]
        top = large.amax((1, 2), keepdim=True)
        maps.append(large / torch.where(top > 0, top, 1))
    return torch.cat(maps)


def explained(
    task: str, classes: tuple[str, ...], target: int | Tensor | None, count: int
) -> list[Target]:
    """For each of ``count`` faces, the function of its output (K) that is differentiated."""
    if target is None:
        own: dict[str, Target] = {
            "expression": torch.max,
            "gender": torch.abs,
            "age": RawScoresOutputTarget(),
        }
        return [own[task]] * count
    wanted = torch.as_tensor(target).expand(count).tolist()
    for name in set(wanted):
        if name not in range(len(classes)):
            raise ValueError(f"target {name} is no class: {task} has {len(classes)}")
    kind = BinaryClassifierOutputTarget if task == "gender" else ClassifierOutputTarget
    return [kind(name) for name in wanted]


def raw_maps(model: FaceNet, layer: nn.Module, inputs: Tensor, targets: list[Target]) -> Tensor:
    """Eq. 2 before its ReLU, B x h x w on the CPU. inputs: normalised pixels B x C x S x S.

    The graph begins at ``layer``: what lies before it is only run, never differentiated.
    """
    with borrowed(model):
        begin = layer.register_forward_hook(lambda *call: call[-1].detach().requires_grad_())
        cam = KeepsRaw(OutputOnly(model), [layer])
        try:  # not "with cam": its exit swallows any IndexError
            cam(inputs, targets)
        finally:
            cam.activations_and_grads.release()
            begin.remove()
    return torch.from_numpy(cam.raw)


class KeepsRaw(GradCAM):
    """The package's Grad-CAM, with its maps as they are before ReLU.

    What the package returns has each map's minimum subtracted (twice). That is harmless in a
    picture, but it changes the share of the mass that lies somewhere.
    """

    raw: np.ndarray

    def get_cam_image(self, *how, **more) -> np.ndarray:
        self.raw = super().get_cam_image(*how, **more)
        return self.raw


class OutputOnly(nn.Module):
    """A FaceNet whose forward returns the output B x K alone, as the package wants it."""

    def __init__(self, model: FaceNet) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x).output

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Nothing: the package calls this, but the weights are frozen and their grads not ours."""


@contextlib.contextmanager
def borrowed(model: nn.Module) -> Iterator[None]:
    """In eval mode and frozen; afterwards every module and parameter is as it was."""
    modes = [(module, module.training) for module in model.modules()]
    frozen = [(weight, weight.requires_grad) for weight in model.parameters()]
    try:
        with torch.enable_grad():
            model.eval().requires_grad_(False)
            yield
    finally:
        for module, mode in modes:
            module.training = mode
        for weight, wanted in frozen:
            weight.requires_grad_(wanted)


def mass_on_visible(maps: Tensor, visible: str) -> Tensor:
    """Share of each map's mass that lies on the visible half, N in 0..1. maps: N x S x S.

    Rows are halved as in ``occlude``; by chance one expects the share of the pixels, 0.5. A map
    that is zero everywhere has no mass to share out: NaN, for the caller to count.
    """
    return occlude(maps, visible).sum((1, 2)) / maps.sum((1, 2))


def randomized(model: FaceNet, *, seed: int = 0) -> FaceNet:
    """A copy with torch's default random weights in every layer; its generator is left alone.

    J. Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018: an explanation that looks
    the same for such a network does not explain what was learnt.
    """
    fresh = copy.deepcopy(model)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for module in fresh.modules():
            reset = getattr(module, "reset_parameters", None)
            if callable(reset):
                reset()
    return fresh
