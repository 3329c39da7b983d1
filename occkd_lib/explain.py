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
from collections.abc import Callable, Iterator, Mapping, Sequence

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
from occkd_lib.models import FaceNet, InputSpec
from occkd_lib.occlusion import visible_pixels
from occkd_lib.tasks import TASKS, Task
from occkd_lib.training.device import Compute
from occkd_lib.training.views import Views

BATCH = 128
Target = Callable[[Tensor], Tensor]


class NoFeatureMap(OcckdError):
    """A network that has no "where" left at its end."""


def target_layer(model: FaceNet) -> nn.Module:
    """The module that outputs the network's last feature map, found by running one blank image.

    That is the last module called, once, whose output is 1 x C x h x w, both above 1 (after global
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
            if min(rows, columns) > 1:
                maps.append(module)
        elif isinstance(output, Tensor) and output.ndim == 3:
            maps.clear()  # tokens: whatever was a map before is none any more

    hooks = [module.register_forward_hook(note) for module in model.modules()]
    try:
        with frozen(model), torch.no_grad():
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
    return torch.zeros(1, *spec.shape)


def grad_cam(
    model: FaceNet,
    views: Views,
    visible: str,
    index: Tensor,
    *,
    target: int | Tensor | None = None,
    compute: Compute | None = None,
) -> Tensor:
    """Grad-CAM maps of the faces at ``index``: N x S x S in [0, 1], float32, on the CPU.

    Each map is enlarged to the network's input (bilinear) and divided by its own maximum; a map
    without any evidence stays all zero, and so do rows that the network never gets. model and
    views: on one device; visible: what the network sees of the faces. compute: with the
    experiment's precision, float32 by default; the maps themselves are summed in float32.

    target: the class to explain, for all faces or one each (N); by default what the network
    itself says. Explained is the class's logit; of two classes the one logit, or minus it; and a
    quantity itself (it takes no target), so, for age: what makes the face look older.
    Raises ValueError for a class that the task does not have.
    """
    layer = target_layer(model)
    targets = explained(TASKS[views.faces.task], views.faces.classes, target, len(index))
    spec, maps = model.input_spec, []
    for start in range(0, len(index), BATCH):
        some = index[start : start + BATCH]
        inputs = views.inputs(visible, some, torch.zeros_like(some, dtype=torch.bool))
        raw = raw_maps(model, layer, inputs, targets[start : start + BATCH], compute=compute)
        large = F.interpolate(raw.relu()[:, None], inputs.shape[-2:], mode="bilinear")[:, 0]
        top = large.amax((1, 2), keepdim=True)
        whole = torch.zeros(len(some), spec.size, spec.size)
        whole[:, spec.rows] = large / torch.where(top > 0, top, 1)
        maps.append(whole)
    return torch.cat(maps)


def explained(
    task: Task, classes: Sequence[str], target: int | Tensor | None, count: int
) -> list[Target]:
    """For each of ``count`` faces, the function of its output (K) that is differentiated."""
    if target is None:
        one = RawScoresOutputTarget() if task.continuous else torch.abs
        return [torch.max if task.softmax else one] * count
    chosen = torch.as_tensor(target).expand(count).tolist()
    for name in set(chosen):
        if name not in range(len(classes)):
            raise ValueError(f"target {name} is no class: {task.name} has {len(classes)}")
    kind = ClassifierOutputTarget if task.softmax else BinaryClassifierOutputTarget
    return [kind(name) for name in chosen]


def raw_maps(
    model: FaceNet,
    layer: nn.Module,
    inputs: Tensor,
    targets: list[Target],
    *,
    compute: Compute | None = None,
) -> Tensor:
    """Eq. 2 before its ReLU, B x h x w on the CPU. inputs: normalised pixels B x C x S x S.

    The graph begins at ``layer``: what lies before it is only run, never differentiated.
    """
    with frozen(model):
        begin = layer.register_forward_hook(new_graph)
        cam = KeepsRaw(OutputOnly(model, compute or Compute(inputs.device, "fp32")), [layer])
        try:  # not "with cam": its exit swallows any IndexError
            cam(inputs, targets)
        finally:
            cam.activations_and_grads.release()
            begin.remove()
    return torch.from_numpy(cam.raw)


def new_graph(module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> Tensor:
    """Forward hook: the graph begins with this output; float32, as numpy has no bfloat16."""
    return output.detach().float().requires_grad_()


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

    def __init__(self, model: FaceNet, compute: Compute) -> None:
        super().__init__()
        self.model, self.compute = model, compute

    def forward(self, x: Tensor) -> Tensor:
        with self.compute.autocast():
            return self.model(x).output.float()

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Nothing: the package calls this, but the weights are frozen and their grads not ours."""


@contextlib.contextmanager
def frozen(model: nn.Module) -> Iterator[None]:
    """In eval mode and frozen; afterwards every module and parameter is as it was."""
    modes = [(module, module.training) for module in model.modules()]
    learns = [(weight, weight.requires_grad) for weight in model.parameters()]
    try:
        with torch.enable_grad():
            model.eval().requires_grad_(False)
            yield
    finally:
        for module, mode in modes:
            module.training = mode
        for weight, did in learns:
            weight.requires_grad_(did)


def mass_on_visible(maps: Tensor, visible: str, faces: Tensor | None = None) -> Tensor:
    """Share of each map's mass that lies on what the view shows, N in 0..1. maps: N x S x S.

    visible: any view of ``occlude``; by chance one expects the share of its pixels
    (``visible_pixels``), 0.5 for half a face. faces: N, ``occlusion.face_keys``, of a view that
    varies from face to face; None for what it mostly shows. A map that is zero everywhere has no
    mass to share out: NaN, see ``one_population``.
    """
    height, width = maps.shape[1:]
    shown = visible_pixels(visible, height, width, faces)
    return (maps * shown).sum((1, 2)) / maps.sum((1, 2))


def one_population(shares: Mapping[str, np.ndarray]) -> tuple[np.ndarray, dict[str, int]]:
    """The faces on which networks can be compared, and how many maps of each network are empty.

    shares: network -> its ``mass_on_visible``, N, or S x N of S seeds; NaN for an empty map.
    Returns N bool, True where no network has an empty map in any seed: means and paired
    differences of these faces speak of the same faces, so that the difference of two means is
    the mean difference. Raises ValueError when the networks saw different numbers of faces.
    """
    empty = {name: np.isnan(values) for name, values in shares.items()}
    if len({values.shape[-1] for values in empty.values()}) != 1:
        counts = {name: values.shape[-1] for name, values in empty.items()}
        raise ValueError(f"shares must be of the same faces, not {counts or 'none'}")
    rows = np.concatenate([np.atleast_2d(values) for values in empty.values()])
    return np.asarray(~rows.any(axis=0)), {
        name: int(values.sum()) for name, values in empty.items()
    }


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
