"""Input normalisation of networks made for colour images, in pixel units (0..255)."""

from __future__ import annotations

from occkd_lib.errors import OcckdError
from occkd_lib.models.base import InputSpec

# torchvision's ImageNet statistics, times 255
IMAGENET_MEAN = (0.485 * 255, 0.456 * 255, 0.406 * 255)
IMAGENET_STD = (0.229 * 255, 0.224 * 255, 0.225 * 255)
NO_SCALING = (1.0, 1.0, 1.0)


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
