"""UTKFace, aligned and cropped: RGB faces with age, gender and ethnicity in the file name.

Z. Zhang, Y. Song, H. Qi, CVPR 2017. Names: ``[age]_[gender]_[race]_[date&time].jpg.chip.jpg``.

There is no official split. Ours is 60/20/20 from a seed; faces identical pixel for pixel stay in
one split, so nothing of val and test is in train.
"""

from __future__ import annotations

import io
import lzma
import re
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from occkd_lib.data.cache import Decoding, decoded, repeats_of_train
from occkd_lib.data.decode import decode_image
from occkd_lib.data.faceset import GENDERS, FaceSet
from occkd_lib.data.splits import shuffled, units_of
from occkd_lib.errors import OcckdError

ETHNICITIES = ("White", "Black", "Asian", "Indian", "other")
MAX_AGE = 120
# five published names have a space or no dot before "jpg", or a date of 16 or 18 digits
NAME = re.compile(r"(\d{1,3})_([01])_([0-4])_\d+ ?\.?jpg\.chip\.jpg", re.IGNORECASE)
ARCHIVE = re.compile(r"utkface.*\.(tar|tgz|txz|tar\.(gz|xz|bz2))", re.IGNORECASE)


def parse_name(name: str) -> tuple[int, int, int] | None:
    """(age in years, gender, ethnicity) of a file name, None if it is malformed."""
    match = NAME.fullmatch(name)
    if match is None or int(match[1]) > MAX_AGE:
        return None
    return int(match[1]), int(match[2]), int(match[3])


def find(root: Path) -> Path | None:
    """Where UTKFace lies under ``root``: its archive, or the folder of its .jpg files."""
    if not root.is_dir():
        return None
    homes = [*_called_utkface(root), root]
    archives = [p for home in homes for p in sorted(home.iterdir()) if ARCHIVE.fullmatch(p.name)]
    if len(archives) > 1:
        names = ", ".join(str(path) for path in archives)
        raise OcckdError(f"more than one archive of UTKFace ({names}): keep one")
    if archives:  # before a folder, which may be left from an extraction that was cut short
        return archives[0]
    folders = [inner for home in homes for inner in _called_utkface(home)]
    for folder in dict.fromkeys([*folders, *homes]):
        ending = "*.jpg.chip.jpg" if folder == root else "*.jpg"
        if next(folder.glob(ending), None) is not None:
            return folder
    return None


def _called_utkface(folder: Path) -> list[Path]:
    return [p for p in sorted(folder.iterdir()) if p.name.lower() == "utkface" and p.is_dir()]


def load(path: Path, *, task: str, split_seed: int = 0, cache: bool = True) -> FaceSet:
    """The faces of ``path`` (see ``find``), sorted by name; task "age" (years) or "gender".

    Malformed names are left out and listed in ``table.attrs["malformed"]``. ``table``: age,
    gender (0 male, 1 female), ethnicity and ``group`` (pixel-identical images, -1 = unique).
    """
    files = [path] if path.is_file() else _images(path)
    images, table = decoded("utkface", files, lambda: _read(path), cache=cache)
    names, groups = table["name"].to_numpy(dtype=str), table["group"].to_numpy()
    splits = split_by_name(names, groups, split_seed)
    targets = table[task].to_numpy(dtype=np.float32 if task == "age" else np.int64)
    return FaceSet(
        name="utkface",
        task=task,
        classes=GENDERS if task == "gender" else (),
        images=images,
        targets=torch.tensor(targets),
        ids=names,
        splits=splits,
        duplicate_of_train=repeats_of_train(groups, splits),
        table=table.drop(columns="name"),
    )


def split_by_name(names: np.ndarray, groups: np.ndarray, seed: int) -> np.ndarray:
    """A 60/20/20 split: N of "train", "val", "test"; members of a group stay together.

    Groups (-1 = alone) are ordered by a hash of seed and first name, so the split depends on no
    generator, version or machine. Sizes are exact to within one group.
    """
    n = len(names)
    units, first, sizes = units_of(groups)
    order = shuffled(names[first], seed)
    before = np.empty(len(first))
    before[order] = np.cumsum(sizes[order]) - sizes[order]
    part = np.searchsorted([0.6 * n, 0.8 * n], before, side="right")
    return np.array(["train", "val", "test"])[part[units]]


def _images(folder: Path) -> list[Path]:
    """The .jpg files of a folder, without hidden ones."""
    files = (p for p in folder.iterdir() if p.suffix.lower() == ".jpg")
    return sorted(p for p in files if not p.name.startswith("."))


def _read(path: Path) -> Decoding:
    if path.is_dir():
        contents = {file.name: file.read_bytes for file in _images(path)}
    else:
        contents = _archive(path)
    parsed = {name: parse_name(name) for name in sorted(contents)}
    malformed = [name for name, labels in parsed.items() if labels is None]
    rows = [(name, *labels) for name, labels in parsed.items() if labels is not None]
    if not rows:
        example = f", such as {malformed[0]}" if malformed else ""
        raise OcckdError(
            f"{path}: none of {len(malformed)} .jpg names reads "
            f"[age]_[gender]_[race]_[date].jpg.chip.jpg{example}"
        )
    table = pd.DataFrame(rows, columns=["name", "age", "gender", "ethnicity"])
    names = table["name"].tolist()
    table["ethnicity"] = np.array(ETHNICITIES)[table["ethnicity"]]
    table.attrs["malformed"] = malformed

    def decode(i: int, size: tuple[int, int] | None) -> np.ndarray:
        return decode_image(contents[names[i]], path / names[i], "RGB", size)

    shape = _first(lambda i: decode(i, None).shape, len(names))
    return Decoding(table, shape, lambda i: decode(i, (shape[2], shape[1])))


def _first(attempt: Callable[[int], tuple[int, ...]], n: int) -> tuple[int, ...]:
    """The first of ``n`` attempts that does not fail, or the last error."""
    for i in range(n - 1):
        try:
            return attempt(i)
        except OcckdError:
            continue
    return attempt(n - 1)


def _archive(path: Path) -> dict[str, Callable[[], bytes]]:
    """name -> its bytes, for every .jpg of a .tar, which is read once from front to back."""
    contents: dict[str, Callable[[], bytes]] = {}
    try:
        with tarfile.open(path, "r|*") as archive:
            for member in archive:
                name = Path(member.name).name
                if not member.isfile() or name.startswith(".") or not name.lower().endswith(".jpg"):
                    continue
                if name in contents:
                    raise OcckdError(f"{path} holds {name} twice: remove one")
                file = archive.extractfile(member)
                contents[name] = io.BytesIO(b"" if file is None else file.read()).getvalue
    except (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, OSError) as error:
        raise OcckdError(f"{path} is a damaged archive ({error}): get it again") from None
    return contents
