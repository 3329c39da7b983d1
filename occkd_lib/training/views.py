"""From stored faces to network inputs, batched, on the device.

native uint8 -> occlude -> grey or colour -> resize -> uint8 -> scale and tilt -> window -> flip ->
shift -> normalise.

The faces are finitely many, so everything up to the resize is done once, where that makes the data
smaller and there is room for it, and else batch by batch; both ways give the same bytes. In main
memory there is no other copy of the native faces than the one the FaceSet reads from, which may be
a file; it is read batch by batch where a GPU has no room for all of them.
"""

from __future__ import annotations

from functools import cached_property
from itertools import repeat

import psutil
import torch
import torch.nn.functional as F
from torch import Tensor

from occkd_lib.data import FaceSet
from occkd_lib.models import FaceNet, InputSpec, frozen_of, normalize
from occkd_lib.occlusion import LUMA, face_keys, occlude, varies

CHUNK = 256
SHARE = 0.5  # of a device's free memory that may be filled with faces: networks need the rest


def free_bytes(device: torch.device) -> int:
    """Memory of the device that nobody uses; the machine's, where torch cannot tell."""
    if device.type != "cuda":
        return psutil.virtual_memory().available
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return torch.cuda.mem_get_info(device)[0] + unused


def render(images: Tensor, visible: str, spec: InputSpec, faces: Tensor | None = None) -> Tensor:
    """uint8 B x C x H x W, native -> the whole face: uint8 B x spec.channels x side x side.

    faces: B, ``occlusion.face_keys``, which a view that varies from face to face asks for.
    """
    pixels = occlude(images, visible, faces)
    if pixels.shape[1] == 3 and spec.channels == 1:
        weights = torch.tensor(LUMA, device=pixels.device).view(1, 3, 1, 1)
        pixels = (pixels.float() * weights).sum(1, keepdim=True)
    elif pixels.shape[1] == 1 and spec.channels == 3:
        pixels = pixels.expand(-1, 3, -1, -1)
    size = (spec.side, spec.side)
    if pixels.shape[-2:] != size:
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


def scale_and_tilt(pixels: Tensor, pose: Tensor) -> Tensor:
    """Make every face larger by its own factor and turn it by its own angle, about the middle.

    uint8 B x C x S x S, bilinear; zeros come in. pose: B x 2, factors and angles (radians,
    counter-clockwise).
    """
    factor, angle = pose[:, 0], pose[:, 1]
    cos, sin = angle.cos() / factor, angle.sin() / factor
    none = torch.zeros_like(cos)
    source = torch.stack([cos, -sin, none, sin, cos, none], dim=1).view(-1, 2, 3)
    grid = F.affine_grid(source, list(pixels.shape), align_corners=False)
    return F.grid_sample(pixels.float(), grid, align_corners=False).round().to(torch.uint8)


def window(pixels: Tensor, spec: InputSpec, offset: Tensor | None) -> Tensor:
    """The part of the whole faces that the network sees, B x C x size x size.

    offset: B x 2, where the windows lie, (down, right) of the central one; None for testing.
    """
    if offset is None and spec.whole_test:
        return pixels
    first, size = spec.margin // 2, spec.size
    if offset is None:
        return pixels[..., first : first + size, first : first + size]
    along = torch.arange(size, device=pixels.device) + first
    rows, columns = (along + offset[:, axis, None] for axis in (0, 1))
    which = torch.arange(len(pixels), device=pixels.device)[:, None, None]
    cut = pixels.permute(0, 2, 3, 1)[which, rows[:, :, None], columns[:, None]]
    return cut.permute(0, 3, 1, 2).contiguous()


class Views:
    """The faces of a FaceSet as a network may see them: on any view, plain or mirrored.

    keep_rendered: a view's faces are fewer bytes than the native ones, and are held if they fit.
    """

    def __init__(self, faces: FaceSet, spec: InputSpec, device: torch.device) -> None:
        self.faces, self.spec, self.device = faces, spec, device
        native = faces.images.shape[1:].numel()
        self.keep_rendered = spec.channels * spec.side**2 < native
        self._rendered: dict[str, Tensor | None] = {}  # None: no room
        self._native = None  # the native faces on a GPU
        if device.type != "cpu" and not self.keep_rendered and self._fits(faces.images.shape):
            self._native = faces.images.to(device)

    def __len__(self) -> int:
        return len(self.faces)

    @cached_property
    def keys(self) -> Tensor:
        """N int64, on the device: what tells these faces apart, for views that vary."""
        return face_keys(self.faces.ids).to(self.device)

    def serves(self, model: FaceNet) -> bool:
        """Are these the inputs that ``model`` wants?"""
        return model.input_spec == self.spec and frozen_of(model) is None

    def pixels(
        self,
        visible: str,
        index: Tensor,
        offset: Tensor | None = None,
        pose: Tensor | None = None,
    ) -> Tensor:
        """uint8 B x C x S x S of the faces at ``index`` (on the device).

        offset: see ``window``. pose: see ``scale_and_tilt``.
        """
        whole = self._whole(visible, index)
        whole = whole if pose is None else scale_and_tilt(whole, pose)
        return window(whole, self.spec, offset) if self.spec.margin else whole

    def _whole(self, visible: str, index: Tensor) -> Tensor:
        if self.keep_rendered and visible not in self._rendered:
            self._rendered[visible] = self._render_all(visible)
        rendered = self._rendered.get(visible)
        if rendered is not None:
            return rendered[index]
        native, keys = self._native, self.keys[index] if varies(visible) else None
        if native is not None:
            return render(native[index], visible, self.spec, keys)
        return render(self.faces.images[index.cpu()].to(self.device), visible, self.spec, keys)

    def _render_all(self, visible: str) -> Tensor | None:
        """All faces on one view, N x C x side x side; None where they would fill the memory."""
        shape = torch.Size((len(self), self.spec.channels, self.spec.side, self.spec.side))
        if not self._fits(shape):
            return None
        rendered = torch.empty(shape, dtype=torch.uint8, device=self.device)
        keys = self.keys.split(CHUNK) if varies(visible) else repeat(None)
        chunks = zip(rendered.split(CHUNK), self.faces.images.split(CHUNK), strict=True)
        for (part, chunk), faces in zip(chunks, keys, strict=False):
            part.copy_(render(chunk.to(self.device), visible, self.spec, faces))
        return rendered

    def _fits(self, shape: torch.Size) -> bool:
        return shape.numel() <= SHARE * free_bytes(self.device)

    def inputs(
        self,
        visible: str,
        index: Tensor,
        flipped: Tensor,
        offset: Tensor | None = None,
        pose: Tensor | None = None,
    ) -> Tensor:
        """Normalised float32 B x C x S x S. flipped: B bool.

        offset: B x 2 or None; of the window where the network sees one, else of ``shift_pixels``.
        pose: B x 2 or None, of ``scale_and_tilt``.
        """
        pixels = self.pixels(visible, index, offset, pose)
        pixels = torch.where(flipped[:, None, None, None], pixels.flip(3), pixels)
        if offset is not None and not self.spec.margin:
            pixels = shift_pixels(pixels, offset)
        return normalize(pixels, self.spec).contiguous(memory_format=torch.channels_last)
