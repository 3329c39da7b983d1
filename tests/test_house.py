"""The house keeps its shape: imports point downwards, rooms and files stay small."""

from __future__ import annotations

import ast
import re
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

LIBRARY = Path(__file__).parents[1] / "occkd_lib"
FILES = sorted(LIBRARY.rglob("*.py"))
FLOORS = [
    {"errors", "plugins", "settings", "project", "randomness", "tasks", "runs", "changes"},
    {"losses", "mining", "occlusion", "models", "data", "evaluation", "fusion", "svr"},
    {"training", "methods"},
    {"config", "stages", "explain"},
    {"results", "papers", "apply"},
    {"plots", "site"},
    {"execution", "book", "cli", "cli_data", "cli_models", "cli_predict", "__main__", "__init__"},
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


def room_of(path: Path) -> str:
    return path.relative_to(LIBRARY).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    """Rooms of the library that a file imports, inside functions, too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
            if node.module == "occkd_lib":
                names = [f"occkd_lib.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        found |= {n.split(".")[1] for n in names if n.startswith("occkd_lib.")}
    return found - {room_of(path)}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(LIBRARY)))
def test_imports_point_downwards(path):
    here = FLOOR[room_of(path)]
    upwards = {room for room in imported_rooms(path) if FLOOR[room] > here}
    assert not upwards


def test_no_circle_of_rooms():
    graph: dict[str, set[str]] = {}
    for path in FILES:
        graph.setdefault(room_of(path), set()).update(imported_rooms(path))
    TopologicalSorter(graph).prepare()  # raises CycleError


def test_no_file_is_long_and_no_room_is_crowded():
    lines = {path: len(path.read_text().splitlines()) for path in FILES}
    assert not {path.name: n for path, n in lines.items() if n > 300}
    rooms: Counter[str] = Counter()
    for path, n in lines.items():
        rooms[room_of(path)] += n
    total = sum(lines.values())
    assert not {room: n / total for room, n in rooms.items() if n > 0.225 * total}


def test_every_module_with_logic_has_a_test():
    """A test file is called as the module, or names it, or a function or class of it."""
    tests = list(Path(__file__).parent.rglob("test_*.py"))
    words = set(re.findall(r"\w+", "\n".join(path.read_text() for path in tests)))
    words |= {path.stem.removeprefix("test_") for path in tests}
    untested = []
    for path in FILES:
        tree = ast.parse(path.read_text())
        logic = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
        defined = {n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
        named = {name for name in defined if not name.startswith("_")} | {path.stem}
        if logic and not named & words:
            untested.append(str(path.relative_to(LIBRARY)))
    assert not untested
