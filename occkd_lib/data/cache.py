"""Decoded faces, kept on disk: every image is decoded once, then memory-mapped.

    <outputs>/cache/<data set>-<hash of the source files>.npy      N x C x H x W, uint8
    <outputs>/cache/<data set>-<hash of the source files>.parquet  one row a face
    <outputs>/cache/synthetic-<hash of code and choice>.npy        the built-in faces, drawn
    <outputs>/cache/.<data set>.part, .keys                        a decoding that has not ended
    <outputs>/cache/<data set>-unusable.txt                        what kept it from ending

The hash covers name, size and time of every source file: a changed source is decoded anew. A
decoding that was killed, or that met unusable images, goes on with what it has. Which faces are
copies of each other (see ``copies``) is found once, too, and kept in the table.
"""

from __future__ import annotations

import errno
import hashlib
import io
import math
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from occkd_lib.data.copies import SIDE, THRESHOLD, groups_of_copies
from occkd_lib.data.decode import decode_all
from occkd_lib.data.listing import check_names
from occkd_lib.errors import OcckdError
from occkd_lib.project import locked, one_line, outputs_root, write_atomically
from occkd_lib.runs import fingerprint

FORMAT = (2, SIDE, THRESHOLD)  # of the two files; another leaves the old ones unread
CHUNK = 256  # images that are read at a time
KEY = 32  # characters that tell one image of an unfinished decoding from another


class Decoding(NamedTuple):
    """Work to do. table: N rows. shape: C, H, W. decode: row -> its image, C x H x W uint8.

    ``decode`` runs in threads and raises OcckdError for an image that cannot be used. stamps: N
    texts that say what each image is made from (see ``stamp``), so that after a change of some
    files only those are decoded; None: any change of the source starts anew.
    """

    table: pd.DataFrame
    shape: tuple[int, ...]
    decode: Callable[[int], np.ndarray]
    stamps: Sequence[str] | None = None


def stamp(made_from: object, file: Path) -> str:
    """A text that changes with ``made_from`` and with the file."""
    known = file.stat()
    return f"{made_from}|{known.st_size}|{known.st_mtime_ns}"


def decoded(
    name: str,
    files: Iterable[Path],
    start: Callable[[], Decoding],
    *,
    choice: Sequence[object] = (),
    cache: bool = True,
) -> tuple[Tensor, pd.DataFrame]:
    """Images (N x C x H x W, uint8) and table of the data set that lies in ``files``.

    ``start()`` is called only when nothing is cached for these files and this ``choice`` of their
    images (JSON-able). The table comes back with the columns of ``groups_of_copies``.
    ``cache=False`` decodes into memory and writes nothing. One process decodes at a time.
    Raises OcckdError when images are unusable (after all others are decoded) or the disk is full.
    """
    files = list(files)
    check_names(files)
    if not cache:
        return _in_memory(name, start())
    key = source_key(files, choice)
    stem = outputs_root() / "cache" / f"{name}-{key}"
    pixels, rows = stem.with_suffix(".npy"), stem.with_suffix(".parquet")
    damage = (ValueError, EOFError, OSError)
    try:
        return _open(pixels, rows)
    except damage:
        pass  # to be looked at when no other process can be making it
    lock = outputs_root() / ".locks" / f"cache-{name}"
    message = f"{name}: another process decodes it, waiting"
    with locked(lock, lambda: print(message, file=sys.stderr)):
        try:
            return _open(pixels, rows)
        except FileNotFoundError:
            pass
        except damage as error:
            why = f"{pixels} is damaged ({one_line(error)})"
            print(f"{why}: decoding {name} again", file=sys.stderr)
        _make(name, key, start(), pixels, rows)
    return _open(pixels, rows)


def _open(pixels: Path, rows: Path) -> tuple[Tensor, pd.DataFrame]:
    images, table = _mapped(pixels), pd.read_parquet(rows)
    if images.dtype != torch.uint8 or images.ndim != 4 or len(images) != len(table):
        raise ValueError(f"{images.dtype} {tuple(images.shape)} for {len(table)} faces")
    return images, table


def _mapped(pixels: Path) -> Tensor:
    """The array in an .npy file, memory-mapped; the file must never change.

    Copy-on-write, since torch wants writable memory. Linux refuses to promise more of that than
    the machine has; such a file is mapped to be read only, and writing to it ends the process.
    """
    try:
        return torch.from_numpy(np.load(pixels, mmap_mode="c"))
    except OSError as error:
        if error.errno != errno.ENOMEM:
            raise
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(np.load(pixels, mmap_mode="r"))


def made_once(
    name: str,
    code: Iterable[str],
    choice: Sequence[object],
    make: Callable[[], np.ndarray],
    cache: bool,
) -> Tensor:
    """``make()``'s images (N x C x H x W, uint8), made again only if code or choice are others.

    code: the source files that make them. choice: what else decides (JSON-able). cache: keep them.
    """
    if not cache:
        return torch.from_numpy(make())
    sources = [hashlib.sha256(Path(file).read_bytes()).hexdigest() for file in code]
    path = outputs_root() / "cache" / f"{name}-{fingerprint([FORMAT, sources, *choice])}.npy"
    try:
        return _mapped(path)
    except (ValueError, EOFError, OSError):
        images = make()
        write_atomically(path, lambda aside: _write(aside, images.shape, [images]))
        return torch.from_numpy(images)


def source_key(files: Iterable[Path], choice: Sequence[object] = ()) -> str:
    """Hash of path (from what all have in common), size and modification time of every file.

    ``choice``: what else decides which images are decoded. Raises OcckdError for a file that
    cannot be looked at.
    """
    paths = [str(file) for file in files]
    base = os.path.commonpath([os.path.dirname(path) for path in paths]) if paths else ""
    facts = []
    for path in sorted(paths):
        try:
            known = os.stat(path)
        except OSError as error:
            raise OcckdError(f"{path} cannot be read ({error}): replace or remove it") from None
        facts.append((path[len(base) :], known.st_size, known.st_mtime_ns))
    return fingerprint([FORMAT, facts, *choice])


# --- decoding -------------------------------------------------------------------------------


def _in_memory(name: str, work: Decoding) -> tuple[Tensor, pd.DataFrame]:
    images, bad = np.empty((len(work.table), *work.shape), np.uint8), []
    for row, image in chain.from_iterable(decode_all(range(len(images)), work.decode, name)):
        if isinstance(image, OcckdError):
            bad.append(str(image))
        else:
            images[row] = image
    if bad:
        raise _unusable(name, bad, len(images))
    groups = groups_of_copies(_chunks(images, range(len(images))))
    return torch.from_numpy(images), work.table.assign(**groups)


def _chunks(images: np.ndarray, rows: Sequence[int]) -> Iterator[np.ndarray]:
    """The images at ``rows``, in that order, CHUNK at a time."""
    return (images[list(rows[i : i + CHUNK])] for i in range(0, len(rows), CHUNK))


def _make(name: str, key: str, work: Decoding, pixels: Path, rows: Path) -> None:
    """Decode what is not decoded yet, then write both files, ``pixels`` last."""
    n = len(work.table)
    stamps = work.stamps or [f"{key}|{i}" for i in range(n)]
    wanted = [hashlib.sha256(f"{work.shape}|{s}".encode()).hexdigest()[:KEY] for s in stamps]
    part = pixels.with_name(f".{name}.part")
    keys, listed = part.with_suffix(".keys"), pixels.with_name(f"{name}-unusable.txt")
    try:
        held, bad = _fill(part, keys, work, wanted, name)
    except OSError as error:
        raise OcckdError(
            f"cannot write {part}: {error}; free space and run again, which goes on from there"
        ) from error
    if bad:
        write_atomically(listed, lambda aside: aside.write_text("\n".join(bad) + "\n"))
        raise _unusable(name, bad, n, listed)
    shape = (n, *work.shape)
    stored = np.memmap(part, np.uint8, "r", len(_header(shape)), (len(held), *work.shape))
    place = {key: row for row, key in enumerate(held)}
    order = [place[key] for key in wanted]

    table = work.table.assign(**groups_of_copies(_chunks(stored, order)))
    write_atomically(rows, lambda aside: table.to_parquet(aside))
    if held == wanted:
        os.replace(part, pixels)
    else:  # images that were put right later stand at the end, and some may not be wanted now
        write_atomically(pixels, lambda aside: _write(aside, shape, _chunks(stored, order)))
    for file in (part, keys, listed):
        file.unlink(missing_ok=True)


def _fill(
    part: Path, keys: Path, work: Decoding, wanted: list[str], name: str
) -> tuple[list[str], list[str]]:
    """Add to ``part`` the images that it lacks; the keys it then holds, and what was unusable.

    Both files are written front to back, the image before its key: what a killed process left
    is whole up to the last key, and a full disk is an error, not the SIGBUS of a memmap.
    """
    header, size = _header((len(wanted), *work.shape)), math.prod(work.shape)
    part.parent.mkdir(parents=True, exist_ok=True)
    for file in (part, keys):
        file.touch()
    text, whole = keys.read_text(), (part.stat().st_size - len(header)) // size
    held = [text[i : i + KEY] for i in range(0, len(text) - KEY, KEY + 1)][: max(whole, 0)]
    if set(held).isdisjoint(wanted):
        held = []
    known, bad = set(held), []
    rows = [row for row, key in enumerate(wanted) if key not in known]
    with open(part, "r+b") as images, open(keys, "r+") as names:
        images.write(header)
        images.truncate(images.seek(len(header) + len(held) * size))
        names.truncate(names.seek(len(held) * (KEY + 1)))
        for chunk in decode_all(rows, work.decode, name):
            good = [(row, image) for row, image in chunk if isinstance(image, np.ndarray)]
            bad += [str(image) for _, image in chunk if not isinstance(image, np.ndarray)]
            for _, image in good:
                images.write(np.ascontiguousarray(image).data)
            images.flush()
            os.fsync(images.fileno())
            names.writelines(f"{wanted[row]}\n" for row, _ in good)
            names.flush()
            held += [wanted[row] for row, _ in good]
    return held, bad


def _write(path: Path, shape: tuple[int, ...], chunks: Iterable[np.ndarray]) -> None:
    """An .npy file of images that come some at a time."""
    with open(path, "wb") as file:
        file.write(_header(shape))
        for chunk in chunks:
            file.write(chunk.data)


def _header(shape: tuple[int, ...]) -> bytes:
    """The first bytes of an .npy file of uint8; for up to ten million images always as many."""
    file = io.BytesIO()
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue()


def _unusable(name: str, bad: list[str], n: int, listed: Path | None = None) -> OcckdError:
    shown = "; ".join(bad[:3]) + ("; ..." if len(bad) > 3 else "")
    where = f"; all are in {listed}" if listed else ""
    return OcckdError(
        f"{name}: {len(bad):,} of {n:,} images cannot be used: {shown}{where}. "
        "Replace them, or remove them and their labels, and run again"
    )
