"""UTKFace, aligned and cropped: RGB faces with age, gender and ethnicity in the file name.

Z. Zhang, Y. Song, H. Qi, CVPR 2017. Names: ``[age]_[gender]_[race]_[date&time].jpg.chip.jpg``.

There is no official split. Ours is 60/20/20 from a seed; near copies stay in one split, so no
photograph of val or test is in train, neither with the same pixels nor encoded or cut anew.
"""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from occkd_lib.data.cache import Decoding, decoded
from occkd_lib.data.copies import with_copies
from occkd_lib.data.dataset import DataSet, DataSettings, face_set
from occkd_lib.data.decode import decode_image
from occkd_lib.data.faceset import FaceSet
from occkd_lib.data.listing import check_names, files_in, homes
from occkd_lib.data.splits import three_ways
from occkd_lib.errors import OcckdError
from occkd_lib.project import one_line

CLASSES = {"gender": "genders", "age": "years"}
ETHNICITIES = ("White", "Black", "Asian", "Indian", "other")
MAX_AGE = 120
# five published names have a space or no dot before "jpg", or a date of 16 or 18 digits
NAME = re.compile(r"(\d{1,3})_([01])_([0-4])_\d+ ?\.?jpg\.chip\.jpg", re.IGNORECASE)
ARCHIVE = re.compile(r"utkface.*\.(tar|tgz|txz|tar\.(gz|xz|bz2))", re.IGNORECASE)


class UtkFaceSettings(DataSettings):
    """split_seed: of the 60/20/20 split."""

    name: Literal["utkface"] = "utkface"
    split_seed: int = 0


def parse_name(name: str) -> tuple[int, int, int] | None:
    """(age in years, gender, ethnicity) of a file name, None if it is malformed."""
    match = NAME.fullmatch(name)
    if match is None or int(match[1]) > MAX_AGE:
        return None
    return int(match[1]), int(match[2]), int(match[3])


def find(root: Path, settings: Any = None) -> Path | None:
    """Where UTKFace lies under ``root``: its archive, or the folder of its .jpg files."""
    places = homes(root, "utkface")
    archives = [p for home in places for p in sorted(home.iterdir()) if ARCHIVE.fullmatch(p.name)]
    if len(archives) > 1:
        names = ", ".join(str(path) for path in archives)
        raise OcckdError(f"more than one archive of UTKFace ({names}): keep one")
    if archives:  # before a folder, which may be left from an extraction that was cut short
        return archives[0]
    inner = [folder for home in places[:-1] for folder in homes(home, "utkface")]
    for folder in [*inner, *places]:
        if files_in(folder, ".jpg.chip.jpg" if folder == root else ".jpg"):
            return folder
    return None


def load(path: Path, settings: UtkFaceSettings, task: str, cache: bool) -> FaceSet:
    """The faces of ``path`` (see ``find``), sorted by name; task "age" (years) or "gender".

    Malformed names are left out and listed in ``table.attrs["malformed"]``. ``table``: age,
    gender (0 male, 1 female), ethnicity, ``group`` and ``near`` (see ``copies``).
    """
    files = [path] if path.is_file() else files_in(path, ".jpg")
    images, table = decoded("utkface", files, lambda: _read(path), cache=cache)
    names, near = table["name"].to_numpy(dtype=str), table["near"].to_numpy()
    table = table.assign(split=three_ways(names, near, settings.split_seed), target=table[task])
    return face_set(settings, task, CLASSES[task], images, with_copies(table))


def _read(path: Path) -> Decoding:
    if path.is_dir():
        contents = {file.name: file.read_bytes for file in files_in(path, ".jpg")}
    else:
        contents = _archive(path)
    check_names(contents)
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

    shape: tuple[int, ...] = ()
    for i in range(len(names)):  # the first that is readable; the last one's error if none is
        try:
            shape = decode(i, None).shape
            break
        except OcckdError:
            if i + 1 == len(names):
                raise
    return Decoding(table, shape, lambda i: decode(i, (shape[2], shape[1])))


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
    except OcckdError:
        raise
    except Exception as error:  # damaged archives raise nearly anything
        raise OcckdError(f"{path} is a damaged archive ({one_line(error)}): get it again") from None
    return contents


DATA_SET = DataSet(
    name="utkface",
    title="UTKFace, aligned and cropped",
    tasks=("gender", "age"),
    settings=UtkFaceSettings,
    load=load,
    find=find,
    classes=lambda settings, task: CLASSES[task],
    sizes=lambda settings: (14_223, 4_741),
    source="https://susanqq.github.io/UTKFace/ (non-commercial research only)",
    size="about 0.1 GB",
    layout="utkface/UTKFace.tar.gz (or .tar, .tar.xz), or "
    "utkface/UTKFace/[age]_[gender]_[race]_[date].jpg.chip.jpg",
)
