"""Names in a recipe: something of the book, or one's own by import path ``package.module:Name``.

Every kind of thing that a recipe can name has a dictionary, filled by the files of its room; an
import path goes past the dictionary, so nobody has to fork the book to add one.
"""

from __future__ import annotations

import hashlib
import importlib
import sys
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any

from occkd_lib.errors import OcckdError

MARK = ":"  # an import path has one, a name of the book has none


def resolve(kind: str, name: str, known: Mapping[str, Any]) -> Any:
    """``known[name]``, or what the import path ``name`` leads to.

    kind: what it is, for the message ("network"). Raises OcckdError for a name that is neither,
    with the nearest ones, and for an import path that does not lead anywhere.
    """
    if MARK in name:
        return imported(kind, name)
    if name not in known:
        raise OcckdError(
            f"no {kind} {name!r}{did_you_mean(name, known)}; there are: {', '.join(known)}, or "
            "your own as package.module:Name"
        )
    return known[name]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``: did you mean 'x'?``, or nothing where no name is near."""
    close = get_close_matches(name, list(known), n=1)
    return f": did you mean {close[0]!r}?" if close else ""


def imported(kind: str, path: str) -> Any:
    """The object at ``package.module:Name``."""
    module_name, _, attribute = path.partition(MARK)
    if not module_name or not attribute:
        raise OcckdError(f"{kind} {path!r}: write an import path as package.module:Name")
    module = module_of(kind, path)
    if not hasattr(module, attribute):
        raise OcckdError(f"{kind} {path!r}: {module.__file__} has no {attribute!r}")
    return getattr(module, attribute)


def module_of(kind: str, path: str) -> ModuleType:
    """The module of an import path; whatever it raises on import becomes one line."""
    name = path.partition(MARK)[0]
    try:
        return importlib.import_module(name)
    except Exception as error:  # a user's module may raise anything
        raise OcckdError(
            f"{kind} {path!r} cannot be imported ({type(error).__name__}: {error}): is its folder "
            "beside the recipe, or on PYTHONPATH?"
        ) from None


def importable(folder: Path) -> None:
    """Let import paths be looked for in ``folder``, too: that of the recipe that names them."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


def sources(content: Any) -> dict[str, str]:
    """Import path -> hash of its source, for every import path in a JSON-able value.

    The source: the module, and whatever it has imported from its own folder or below.
    """
    found: dict[str, str] = {}
    if isinstance(content, Mapping):
        for value in content.values():
            found |= sources(value)
    elif isinstance(content, list | tuple):
        for value in content:
            found |= sources(value)
    elif isinstance(content, str) and is_import_path(content):
        digest = hashlib.sha256()
        for file in files_of(module_of("source", content)):
            digest.update(file.read_bytes())
        found[content] = digest.hexdigest()[:16]
    return found


def files_of(module: ModuleType) -> list[Path]:
    """The module's file, and those of loaded modules in its folder or below; sorted.

    Of a package that is installed, the module's file alone: it has a version.
    """
    own = Path(str(module.__file__))
    if "site-packages" in own.parts:
        return [own]
    loaded = (getattr(m, "__file__", None) for m in list(sys.modules.values()))
    near = {Path(f) for f in loaded if f and Path(f).is_relative_to(own.parent)}
    return sorted(f for f in near | {own} if f.suffix == ".py")


def is_import_path(text: str) -> bool:
    """``package.module:Name``, and nothing else that has a colon."""
    module, mark, name = text.partition(MARK)
    return bool(mark) and name.isidentifier() and all(p.isidentifier() for p in module.split("."))
