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
from PIL import Image
from rich.console import Console
from rich.progress import Progress

from occkd_lib.errors import OcckdError

CHUNK = 64  # images a thread decodes at a time
WORKERS = min(16, os.cpu_count() or 1)


def decode_all(
    rows: Sequence[int], decode: Callable[[int], np.ndarray], title: str
) -> Iterator[list[tuple[int, np.ndarray | OcckdError]]]:
    """Every row with ``decode(row)``, or the OcckdError that it raised; in order, in threads.

    Lists of at most CHUNK. A progress bar goes to stderr when that is a terminal. Few lists wait
    at a time, so the memory needed does not grow with the data set.
    """

    def attempt(row: int) -> tuple[int, np.ndarray | OcckdError]:
        try:
            return row, decode(row)
        except OcckdError as error:
            return row, error

    def several(part: Sequence[int]) -> list[tuple[int, np.ndarray | OcckdError]]:
        return [attempt(row) for row in part]

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


def open_image(read: Callable[[], bytes], where: object) -> Image.Image:
    """The image ``read()`` gives, decoded; OcckdError that names ``where`` for a damaged one."""
    try:
        with Image.open(io.BytesIO(read())) as image:
            image.load()
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged bytes
        reason = " ".join(str(error).split())
        raise OcckdError(f"{where} is not a readable image ({reason})") from None
    return image


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
    return planes(image)


def planes(image: Image.Image) -> np.ndarray:
    """Pillow's H x W (x C) as C x H x W uint8."""
    pixels = np.asarray(image)
    return pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))
