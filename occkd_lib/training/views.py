"""From stored faces to network inputs, batched, on the device.

native uint8 -> occlude -> grey or colour -> resize -> uint8 -> flip -> shift -> normalise.

The faces are finitely many, so everything before the flip is done once, where that makes the
data smaller, and else batch by batch; both ways give the same bytes. In main memory there is no
other copy of the native faces than the one the FaceSet reads from, which may be a file.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from occkd_lib.data import FaceSet
from occkd_lib.models import InputSpec, normalize
from occkd_lib.occlusion import occlude

CHUNK = 256


def render(images: Tensor, visible: str, spec: InputSpec) -> Tensor:
    """uint8 B x C x H x W, native -> uint8 B x spec.channels x spec.size x spec.size."""
    pixels = occlude(images, visible)
    if pixels.shape[1] == 3 and spec.channels == 1:  # ITU-R 601 luma, as in PIL
        weights = torch.tensor([0.299, 0.587, 0.114], device=pixels.device).view(1, 3, 1, 1)
        pixels = (pixels.float() * weights).sum(1, keepdim=True)
    elif pixels.shape[1] == 1 and spec.channels == 3:
        pixels = pixels.expand(-1, 3, -1, -1)
    if pixels.shape[-2:] != (spec.size, spec.size):
        size = (spec.size, spec.size)
        pixels = F.interpolate(pixels.float(), size, mode="bilinear", antialias=True)
    return pixels if pixels.dtype == torch.uint8 else pixels.round().clamp(0, 255).to(torch.uint8)


def shift_pixels(pixels: Tensor, offset: Tensor) -> Tensor:
    """Move every image by its own (down, right) pixels; zeros come in. offset: B x 2, int64."""
    batch, _, height, width = pixels.shape
    rows = torch.arange(height, device=pixels.device) - offset[:, :1]
    columns = torch.arange(width, device=pixels.device) - offset[:, 1:]
    inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[
        :, None
    ]
    which = torch.arange(batch, device=pixels.device)[:, None, None]
    moved = pixels.permute(0, 2, 3, 1)[
        which, rows.clamp(0, height - 1)[:, :, None], columns.clamp(0, width - 1)[:, None]
    ]
    return (moved * inside[..., None]).permute(0, 3, 1, 2).contiguous()


class Views:
    """The faces of a FaceSet as a network may see them: on any view, plain or mirrored."""

    def __init__(self, faces: FaceSet, spec: InputSpec, device: torch.device) -> None:
        self.faces, self.spec, self.device = faces, spec, device
        native = faces.images.shape[1:].numel()
        self.keep_rendered = spec.channels * spec.size**2 < native
        self._rendered: dict[str, Tensor] = {}
        self._native = None
        if not self.keep_rendered:
            self._native = faces.images if device.type == "cpu" else faces.images.to(device)

    def __len__(self) -> int:
        return len(self.faces)

    def pixels(self, visible: str, index: Tensor) -> Tensor:
        """uint8 B x C x S x S of the faces at ``index`` (on the device)."""
        if self._native is not None:
            return render(self._native[index], visible, self.spec)
        if visible not in self._rendered:
            shape = (len(self), self.spec.channels, self.spec.size, self.spec.size)
            rendered = torch.empty(shape, dtype=torch.uint8, device=self.device)
            chunks = self.faces.images.split(CHUNK)
            for part, chunk in zip(rendered.split(CHUNK), chunks, strict=True):
                part.copy_(render(chunk.to(self.device), visible, self.spec))
            self._rendered[visible] = rendered
        return self._rendered[visible][index]

    def inputs(
        self, visible: str, index: Tensor, flipped: Tensor, offset: Tensor | None = None
    ) -> Tensor:
        """Normalised float32 B x C x S x S. flipped: B bool; offset: B x 2 or None."""
        pixels = self.pixels(visible, index)
        pixels = torch.where(flipped[:, None, None, None], pixels.flip(3), pixels)
        if offset is not None:
            pixels = shift_pixels(pixels, offset)
        return normalize(pixels, self.spec).contiguous(memory_format=torch.channels_last)
