"""Decoded faces, kept on disk: every image is decoded once, then memory-mapped.

    <outputs>/cache/<data set>-<hash of the source files>.npy      N x C x H x W, uint8
    <outputs>/cache/<data set>-<hash of the source files>.parquet  one row a face

The hash covers name, size and time of every source file: a changed source is decoded anew.
"""

from __future__ import annotations

import hashlib
import io
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import pandas as pd
import torch
from PIL import Image
from rich.console import Console
from rich.progress import Progress
from torch import Tensor

from occkd_lib.errors import OcckdError
from occkd_lib.project import outputs_root, write_atomically
from occkd_lib.runs import fingerprint

FORMAT = 1  # of the two files; a new number leaves the old ones unread
CHUNK = 64  # images a thread decodes at a time
WORKERS = min(16, os.cpu_count() or 1)
T = TypeVar("T")


class Decoding(NamedTuple):
    """Work to do. table: N rows. shape: C, H, W. chunks: uint8 arrays, N x C x H x W in all."""

    table: pd.DataFrame
    shape: tuple[int, ...]
    chunks: Iterable[np.ndarray]


def decoded(
    name: str, files: Iterable[Path], start: Callable[[], Decoding], *, cache: bool = True
) -> tuple[Tensor, pd.DataFrame]:
    """Images (N x C x H x W, uint8) and table of the data set that lies in ``files``.

    ``start()`` is called only when nothing is cached. The table comes back with a column
    ``group``: see ``find_duplicates``. ``cache=False`` decodes into memory and writes nothing.
    Raises OcckdError when an image is damaged or the disk is full.
    """
    if not cache:
        work = start()
        images = np.empty((len(work.table), *work.shape), np.uint8)
        done = 0
        for chunk in work.chunks:
            images[done : done + len(chunk)] = chunk
            done += len(chunk)
        return torch.from_numpy(images), work.table.assign(group=find_duplicates(images))
    stem = outputs_root() / "cache" / f"{name}-{source_key(files)}"
    pixels, rows = stem.with_suffix(".npy"), stem.with_suffix(".parquet")
    if pixels.is_file() and rows.is_file():
        try:
            return _open(pixels, rows)
        except (ValueError, EOFError, OSError) as error:
            reason = " ".join(str(error).split())
            print(f"{pixels} is damaged ({reason}): decoding {name} again", file=sys.stderr)
    work = start()
    write_atomically(pixels, lambda aside: _write_images(aside, work))
    groups = find_duplicates(np.load(pixels, mmap_mode="r"))
    table = work.table.assign(group=groups)
    write_atomically(rows, lambda aside: table.to_parquet(aside))
    return _open(pixels, rows)


def _open(pixels: Path, rows: Path) -> tuple[Tensor, pd.DataFrame]:
    # copy-on-write: torch wants writable memory, the file must never change
    images, table = np.load(pixels, mmap_mode="c"), pd.read_parquet(rows)
    if images.dtype != np.uint8 or images.ndim != 4 or len(images) != len(table):
        raise ValueError(f"{images.dtype} {images.shape} for {len(table)} faces")
    return torch.from_numpy(images), table


def _write_images(path: Path, work: Decoding) -> None:
    """An .npy file written front to back: a full disk is an error, not the SIGBUS of a memmap."""
    shape = (len(work.table), *work.shape)
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for chunk in work.chunks:
            file.write(np.ascontiguousarray(chunk).data)


def source_key(files: Iterable[Path]) -> str:
    """Hash of folder name, name, size (bytes) and modification time (ns) of every file."""
    facts = []
    for file in files:
        known = file.stat()
        facts.append((file.parent.name, file.name, known.st_size, known.st_mtime_ns))
    return fingerprint([FORMAT, sorted(facts)])


def decode_all(
    items: Sequence[T], decode: Callable[[T], np.ndarray], title: str
) -> Iterator[np.ndarray]:
    """``decode`` of every item, in order and in threads; stacks of at most CHUNK images.

    A progress bar goes to stderr when that is a terminal. Few stacks wait at a time, so the
    memory needed does not grow with the data set.
    """

    def stack(part: Sequence[T]) -> np.ndarray:
        return np.stack([decode(item) for item in part])

    quiet = not sys.stderr.isatty()
    bar = Progress(console=Console(stderr=True), transient=True, disable=quiet)
    with ThreadPoolExecutor(WORKERS) as pool, bar:
        parts = (items[i : i + CHUNK] for i in range(0, len(items), CHUNK))
        futures = (pool.submit(stack, part) for part in parts)
        waiting = deque(islice(futures, 2 * WORKERS))
        shown = bar.add_task(f"decoding {title}", total=len(items))
        while waiting:
            done = waiting.popleft().result()
            waiting.extend(islice(futures, 1))
            bar.update(shown, advance=len(done))
            yield done


def decode_image(
    read: Callable[[], bytes], where: object, mode: str, size: tuple[int, int] | None = None
) -> np.ndarray:
    """The image ``read()`` gives, as C x H x W uint8.

    mode: "L" (8-bit grey, C = 1) or "RGB" (C = 3). size: width, height; None takes any.
    Raises OcckdError that names ``where`` for a damaged image, another mode or another size.
    """
    try:
        with Image.open(io.BytesIO(read())) as image:
            image.load()
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged bytes
        raise OcckdError(f"{where} is not a readable image ({error}): get the file again") from None
    if image.mode != mode:
        raise OcckdError(f"{where} has mode {image.mode}, expected {mode}: replace the file")
    if size is not None and image.size != size:
        found, wanted = ("x".join(map(str, s)) for s in (image.size, size))
        raise OcckdError(f"{where} has {found} pixels, expected {wanted}: replace the file")
    pixels = np.asarray(image)
    return pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def find_duplicates(images: np.ndarray | Tensor) -> np.ndarray:
    """Groups of identical images: N int64, -1 for an image that is like no other.

    images: N x ..., uint8 (also memory-mapped; one image at a time is read). Groups are numbered
    0, 1, ... in the order of their first member.
    """
    pixels = images.numpy() if isinstance(images, Tensor) else images
    digests = [hashlib.sha256(np.ascontiguousarray(image).data).digest() for image in pixels]
    codes = pd.factorize(np.array(digests, dtype=object))[0]
    repeated = np.bincount(codes, minlength=1) > 1
    number = np.where(repeated, np.cumsum(repeated) - 1, -1)
    return number[codes].astype(np.int64)


def repeats_of_train(groups: np.ndarray, splits: np.ndarray) -> np.ndarray:
    """N bool: val and test images whose pixels also occur in train (see ``find_duplicates``)."""
    train = splits == "train"
    return ~train & (groups >= 0) & np.isin(groups, groups[train])
