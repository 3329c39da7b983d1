"""Where the project lies, which code this is, and files that are written whole or not at all.

Apart from ``runs`` because the command line and every job need this, but not torch (seconds).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from safetensors import SafetensorError

import occkd_lib
from occkd_lib.errors import OcckdError

BOOK = Path(occkd_lib.__file__).parent / "_book"  # what a wheel brings beside the code


def here() -> Path:
    """Where the command was given, $OCCKD_HERE: notebooks run in folders of their own."""
    return Path(os.environ.get("OCCKD_HERE") or Path.cwd())


def project_root() -> Path:
    """$OCCKD_ROOT, else the nearest parent that holds the book, else this folder."""
    if "OCCKD_ROOT" in os.environ:
        return Path(os.environ["OCCKD_ROOT"]).resolve()
    start = Path.cwd()
    for folder in (start, *start.parents):
        if holds_book(folder):
            return folder
    return start


def holds_book(folder: Path) -> bool:
    """Are notebooks and their order there?"""
    return (folder / "notebooks").is_dir() and (folder / "workflow" / "chapters.yaml").is_file()


def bring_book(*, copy: bool = True) -> Path:
    """The folder with the book; where there is none, and a wheel brought one, a copy of it here.

    copy: False writes nothing, this process then reads the wheel's book where it lies. Raises
    OcckdError where there is none to copy, or where this folder holds a part of one.
    """
    root = project_root()
    if holds_book(root):
        return root
    if not holds_book(BOOK):
        raise OcckdError(f"no book in {root}: go to the project's folder, or set $OCCKD_ROOT to it")
    parts = sorted(path.name for path in BOOK.iterdir())
    there = [name for name in parts if name != "outputs" and (root / name).exists()]
    if there:
        raise OcckdError(f"{root} has {', '.join(there)} already: go to an empty folder")
    if not copy:  # but what was run is still looked for here
        os.environ.update(OCCKD_OUTPUTS=str(outputs_root()), OCCKD_ROOT=str(BOOK))
        return BOOK
    for name in sorted(parts, key="workflow".__eq__):  # last what says that all of it is there
        shutil.copytree(BOOK / name, root / name, dirs_exist_ok=True)
    print(f"the book lies in {root} now: {', '.join(parts)}", file=sys.stderr)
    return root


def shipped(folder: str | Path) -> Path:
    """``folder``; if it is not there, what the wheel's book has by that name: ``models/gender``."""
    there = BOOK / folder
    return there if not os.path.exists(folder) and os.path.isdir(there) else Path(folder)


def outputs_root() -> Path:
    """Where runs go: $OCCKD_OUTPUTS, else <project>/outputs."""
    chosen = os.environ.get("OCCKD_OUTPUTS")
    return Path(chosen).resolve() if chosen else project_root() / "outputs"


def write_atomically(path: Path, write: Callable[[Path], Any]) -> None:
    """``write(temporary)``, then rename; the old file survives any failure.

    Raises OcckdError when the disk is full or the folder cannot be written, with which of both.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(aside)
        aside.chmod(0o644)  # safetensors keeps what it writes to the owner
        with open(aside, "rb+") as handle:
            os.fsync(handle.fileno())
        os.replace(aside, path)
    except (OSError, SafetensorError) as error:
        kept = "the previous version is untouched" if path.exists() else "nothing was replaced"
        closed = isinstance(error, PermissionError | NotADirectoryError | FileExistsError)
        remedy = "mend that" if closed else "free space"
        message = f"cannot write {path}: {error}; {kept}; {remedy} and run again"
        raise OcckdError(message) from error
    finally:
        if aside.exists():
            aside.unlink()


def write_json(path: Path, content: Any) -> None:
    """Write a JSON-able value, whole or not at all."""
    text = json.dumps(content, indent=1, sort_keys=True, default=str)
    write_atomically(path, lambda aside: aside.write_text(text + "\n"))


@cache
def library_hash() -> str:
    """Hash of the library's source, so that a result names the code that made it."""
    folder = Path(occkd_lib.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:16]


@cache
def git_commit() -> str | None:
    """Commit of the checkout ('+' when there are uncommitted changes), None outside git."""
    try:
        git = ["git", "-C", str(project_root())]
        head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True)
        dirty = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True)
    except OSError:
        return None
    return head.stdout.strip() + ("+" if dirty.stdout else "") if head.returncode == 0 else None


def one_line(message: object, limit: int = 300) -> str:
    """``message`` without line breaks, shortened to ``limit`` characters."""
    text = " ".join(str(message).split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def shown(path: Path) -> str:
    """The path from here, if it lies below."""
    start = Path.cwd()
    return str(path.relative_to(start) if path.is_relative_to(start) else path)


def printable(message: object) -> str:
    """``message`` without line breaks, or anything else that a terminal would obey or could not
    show: a file may be called anything."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(message)
    )


@contextmanager
def locked(path: Path, wait: Callable[[], None]) -> Iterator[None]:
    """Hold the lock file ``path``; call ``wait`` first if another process holds it.

    ``wait`` says so, or raises instead of waiting. The lock ends with the process, however that
    ends.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        wait()
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
