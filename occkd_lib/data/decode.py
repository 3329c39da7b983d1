"""Image files into arrays, many at a time."""

from __future__ import annotations

import io
import os
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import numpy as np
from PIL import Image, ImageOps
from rich.console import Console
from rich.progress import Progress

from occkd_lib.errors import OcckdError
from occkd_lib.project import one_line

CHUNK = 64  # images a thread decodes at a time
WORKERS = min(16, os.cpu_count() or 1)
MOST_PIXELS = 80_000_000  # of an image: 240 MB once decoded; Pillow itself warns at 89 million
WIDE = ("I;16", "I;16L", "I;16B", "I;16N")  # modes of 16-bit grey


def decode_all(
    rows: Sequence[int], decode: Callable[[int], np.ndarray], title: str
) -> Iterator[list[tuple[int, np.ndarray | OcckdError]]]:
    """Every row with ``decode(row)``, or the OcckdError that it raised; in order, in threads.

    Lists of at most CHUNK. A progress bar goes to stderr when that is a terminal. Few lists wait
    at a time, so the memory needed does not grow with the data set.
    """

    def attempt(row: int) -> np.ndarray | OcckdError:
        try:
            return decode(row)
        except OcckdError as error:
            return error

    def several(part: Sequence[int]) -> list[tuple[int, np.ndarray | OcckdError]]:
        return [(row, attempt(row)) for row in part]

    quiet = not sys.stderr.isatty()
    bar = Progress(console=Console(stderr=True), transient=True, disable=quiet)
    with ThreadPoolExecutor(WORKERS) as pool, bar:
        parts = (rows[i : i + CHUNK] for i in range(0, len(rows), CHUNK))
        futures = (pool.submit(several, part) for part in parts)
        waiting = deque(islice(futures, 2 * WORKERS))
        shown = bar.add_task(f"decoding {title}", total=len(rows))
        while waiting:
            done = waiting.popleft().result()
            waiting.extend(islice(futures, 1))
            bar.update(shown, advance=len(done))
            yield done


def open_image(
    read: Callable[[], bytes],
    where: object,
    upright: bool = False,
    most_pixels: int | None = None,
) -> Image.Image:
    """The image ``read()`` gives, decoded; upright: turned as its EXIF orientation says.

    most_pixels: None takes MOST_PIXELS. Raises OcckdError that names ``where`` for a damaged image,
    or one whose header announces more pixels, before they are decoded.
    """
    limit = MOST_PIXELS if most_pixels is None else most_pixels
    try:
        with Image.open(io.BytesIO(read())) as opened:
            image: Image.Image = opened
            if image.width * image.height > limit:
                raise ValueError(f"{image.width}x{image.height} pixels are too many: shrink it")
            image.load()
            return ImageOps.exif_transpose(image) if upright else image
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged bytes
        reason = one_line(error).split(" <_io.")[0]  # Pillow's "file" is an address in memory
        raise OcckdError(f"{where} is not a readable image ({reason})") from None


def decode_image(
    read: Callable[[], bytes], where: object, mode: str, size: tuple[int, int] | None = None
) -> np.ndarray:
    """The image ``read()`` gives, as C x H x W uint8.

    mode: "L" (8-bit grey, C = 1) or "RGB" (C = 3). size: width, height; None takes any.
    Raises OcckdError that names ``where`` for a damaged image, another mode or another size.
    """
    image = open_image(read, where)
    if image.mode != mode:
        raise OcckdError(f"{where} has mode {image.mode}, expected {mode}")
    if size is not None and image.size != size:
        found, wanted = ("x".join(map(str, s)) for s in (image.size, size))
        raise OcckdError(f"{where} has {found} pixels, expected {wanted}")
    return channels_first(image)


def halves_resized(image: Image.Image, size: int) -> Image.Image:
    """The image (RGB or L) as size x size pixels, its upper and lower half each by itself.

    Occlusion is on native pixels: interpolation across the cut would let hidden rows be seen.
    Here native rows r < H/2 make stored rows r < size/2 and the others the others, so hiding a
    half of what is stored is hiding it of the native face. H >= 2.
    """
    if image.size == (size, size):
        return image
    width, height = image.size
    cut, middle = (height + 1) // 2, (size + 1) // 2
    whole = Image.new(image.mode, (size, size))
    for top, bottom, start, end in ((0, cut, 0, middle), (cut, height, middle, size)):
        half = image.crop((0, top, width, bottom))  # resize(box=...) would look beyond the box
        whole.paste(half.resize((size, end - start), Image.Resampling.BILINEAR), (0, start))
    return whole


def narrowed(image: Image.Image) -> Image.Image:
    """16-bit grey (a mode of WIDE) as 8-bit grey: 65,535 becomes 255."""
    return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))


def channels_first(image: Image.Image) -> np.ndarray:
    """Pillow's H x W (x C) as C x H x W uint8."""
    pixels = np.asarray(image)
    return pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))
