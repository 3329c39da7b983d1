"""Photographs as anyone has them: files and folders into upright 8-bit RGB."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from occkd_lib.data.decode import WIDE, narrowed, open_image
from occkd_lib.errors import OcckdError
from occkd_lib.project import one_line

MOST_PIXELS = 100_000_000  # of a photo: 300 MB once decoded
MOST_BYTES = 1_000_000_000  # of a file, which is read whole
# Pillow cannot read them, but nobody should miss their photos silently: HEIC, JPEG XL, raw ones
UNREAD = (".heic", ".heif", ".jxl", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf")
SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".webp", ".bmp", ".tif", ".tiff",
    ".ppm", ".pgm", ".pnm", ".jp2", ".j2k", ".avif", ".mpo", ".tga", *UNREAD,
)  # fmt: skip


@dataclass(frozen=True)
class Outside:
    """A link in a folder to a file outside of it, which is not followed."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)


def read_photo(path: Path | str | Outside, *, max_pixels: int = MOST_PIXELS) -> np.ndarray:
    """The photo as H x W x 3 uint8 RGB, turned upright as its EXIF orientation says.

    Grey, palette and CMYK become RGB; 16 bits a channel are scaled to 8; of an animation the first
    frame counts. What is transparent becomes white: black stands for "hidden" in this book. Colour
    profiles are not applied, as they were not to the faces that networks are trained on.

    Raises OcckdError that names the file if there is none, if it is damaged or cut short, of more
    than MOST_BYTES, or if its header announces more than ``max_pixels``, which is noticed before
    any pixel is decoded.
    """
    if isinstance(path, Outside):
        raise OcckdError(f"{path} is a link out of its folder: name the photo itself")
    path = Path(path)
    if path.suffix.lower() in UNREAD:
        raise OcckdError(f"{path} is of a kind that is not read here: save it as JPEG")
    if os.path.isdir(path):
        raise OcckdError(f"{path} is a folder, which cannot be read: may you open it?")
    if not os.path.exists(path):
        raise OcckdError(f"{path} does not exist: is the name right?")
    if not os.path.isfile(path):  # a pipe or a device may never end
        raise OcckdError(f"{path} is not a file: give photos")
    if os.path.getsize(path) > MOST_BYTES:
        raise OcckdError(f"{path} has more than {MOST_BYTES:,} bytes: is it a photo?")
    return decoded_photo(path.read_bytes, path, max_pixels=max_pixels)


def decoded_photo(
    read: Callable[[], bytes], where: object, *, max_pixels: int = MOST_PIXELS
) -> np.ndarray:
    """``read_photo`` of the bytes that ``read()`` gives; where: what its errors call them."""
    with warnings.catch_warnings():  # Pillow warns of sizes that we allow
        warnings.simplefilter("ignore")
        image = open_image(read, where, upright=True, most_pixels=max_pixels)
    if 0 in image.size:
        raise OcckdError(f"{where} has no pixels: leave it out")
    return np.asarray(_in_colour(image, where))


def _in_colour(image: Image.Image, path: object) -> Image.Image:
    """Any mode of Pillow as RGB."""
    if image.mode == "I" and np.asarray(image).max() <= 0xFFFF:  # 16 bits of some formats
        image = Image.fromarray(np.asarray(image).clip(0).astype(np.uint16))
    if image.mode in WIDE:
        image = narrowed(image)
    elif image.mode in ("I", "F"):
        raise OcckdError(f"{path} has mode {image.mode}: save it with 8 or 16 bits a channel")
    try:
        if image.has_transparency_data:
            image = image.convert("RGBA")
            white = Image.new("RGBA", image.size, "white")
            return Image.alpha_composite(white, image).convert("RGB")
        return image.convert("RGB")
    except ValueError as error:
        raise OcckdError(f"{path} ({one_line(error)}): save it as RGB") from None


def photos_in(paths: Iterable[Path | str]) -> Iterator[Path | Outside]:
    """The photos that ``paths`` name: files, and what lies in folders and their folders, by name.

    Lazily: one folder's names are in memory at a time. In folders, files count whose name ends
    like an image's (SUFFIXES) and does not begin with a dot. Links to folders are not followed
    (they may go round in circles); what is named itself is always taken. For ``read_photo`` to
    refuse, so that nothing is lost in silence and the rest goes on, these come themselves: a folder
    that cannot be opened, a named path that does not exist, a pipe or a link to nothing that is
    called like a photo, a link to a file outside the folder named (as ``Outside``).
    """
    for path in map(Path, paths):
        # unlike Path's, os.path's is False for a name that is too long
        yield from _below(path, path.resolve()) if os.path.isdir(path) else (path,)


def _below(folder: Path, root: Path) -> Iterator[Path | Outside]:
    """Photos in ``folder`` and below; root: the resolved folder that links must not leave."""
    try:
        names = sorted(os.listdir(folder))
        os.stat(os.path.join(folder, "."))  # names alone are of no use
    except OSError:
        yield folder  # read_photo says what is wrong; the rest goes on
        return
    for name in names:
        path = folder / name
        if name.startswith("."):
            continue
        linked = path.is_symlink()
        if path.is_dir():
            yield from () if linked else _below(path, root)
        elif path.suffix.lower() in SUFFIXES:
            outside = linked and not path.resolve().is_relative_to(root)
            yield Outside(path) if outside else path
