"""Wrong programs: one meaningful line changed at a time. The suite must catch every one.

    make mutants                        all of them (about a quarter of an hour on two cores)
    .venv/bin/python tests/mutants.py losses mining    those whose file's path holds a word

Each entry of mutants.yaml names a file of the library, the tests that should notice, and pairs of
texts: the right one (which must stand there exactly once) and the wrong one. The library is copied
aside, so that a mutant never touches the checkout. What survives is printed, and is an error.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue
from typing import NamedTuple

import yaml

ROOT = Path(__file__).parents[1]
LIST = Path(__file__).with_name("mutants.yaml")
NEEDED = ("occkd_lib", "tests", "workflow", "notebooks", "pyproject.toml", "README.md",
          "RESULTS.md")  # fmt: skip


class Mutant(NamedTuple):
    """``right`` becomes ``wrong`` in ``file``; ``tests`` should fail."""

    file: str
    tests: str
    right: str
    wrong: str

    def __str__(self) -> str:
        return f"{self.file}: {self.right.strip()!r} -> {self.wrong.strip()!r}"


def mutants(words: list[str]) -> Iterator[Mutant]:
    """Those of the list whose file's path holds one of the words; all without words."""
    for entry in yaml.safe_load(LIST.read_text()):
        if not words or any(word in entry["file"] for word in words):
            for right, wrong in entry["changes"]:
                yield Mutant(entry["file"], entry["tests"], right, wrong)


def problem(mutant: Mutant) -> str:
    """Why an entry of the list is no mutant of today's library, or nothing."""
    count = (ROOT / mutant.file).read_text().count(mutant.right)
    return "" if count == 1 else f"{mutant}: stands there {count} times"


def caught(mutant: Mutant, copy: Path) -> bool:
    """Do the tests fail in ``copy`` with the mutant in it?"""
    path = copy / mutant.file
    text = path.read_text()
    path.write_text(text.replace(mutant.right, mutant.wrong))
    try:
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
        environment = {**os.environ, "PYTHONPATH": str(copy), "OMP_NUM_THREADS": "1"}
        run = subprocess.run(
            [*command, *mutant.tests.split()], cwd=copy, env=environment, capture_output=True
        )
        return run.returncode == 1  # 1: tests failed; anything else tells nothing
    finally:
        path.write_text(text)


def main(words: list[str], workers: int = os.cpu_count() or 1) -> int:
    """Try them, some at a time; the number of survivors."""
    every = list(mutants(words))
    wrong = [text for text in map(problem, every) if text]
    if wrong:
        print("\n".join(wrong))
        return len(wrong)
    with tempfile.TemporaryDirectory() as folder:
        copies: Queue[Path] = Queue()
        for number in range(workers):
            copy = Path(folder) / str(number)
            for name in NEEDED:
                source = ROOT / name
                kind = shutil.copytree if source.is_dir() else shutil.copy
                copy.mkdir(exist_ok=True)
                kind(source, copy / name)
            copies.put(copy)

        def attempt(mutant: Mutant) -> bool:
            copy = copies.get()
            try:
                found = caught(mutant, copy)
            finally:
                copies.put(copy)
            print("caught  " if found else "SURVIVED", mutant, flush=True)
            return found

        with ThreadPoolExecutor(workers) as pool:
            results = list(pool.map(attempt, every))
    print(f"{sum(results)} of {len(results)} caught")
    return results.count(False)


if __name__ == "__main__":
    sys.exit(min(1, main(sys.argv[1:])))
