"""How long an answer takes: the models that ship, in torch, in ONNX, and in eight bits.

    python benchmarks/latency.py --root DATA                # prints; DATA: folder of data sets
    python benchmarks/latency.py --root DATA --json PATH    # also keeps the numbers

From cut-out test faces (uint8) to calibrated probabilities, on the CPU; reading a photo, finding
the faces and cutting them out is not in it. Milliseconds a face: the median of rounds of 32 faces,
one at a time or all at once; low, high: their quartiles. In a round all ways take their turn, so
that other work on the machine meets each of them.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from occkd_lib.apply.export import export, opened
from occkd_lib.apply.model import read_model
from occkd_lib.apply.quantise import faces_of
from occkd_lib.apply.runtime import ask
from occkd_lib.apply.shelf import models
from occkd_lib.cli_data import use_data
from occkd_lib.project import project_root, write_json
from occkd_lib.runs import environment

FACES, AT_ONCE, THREADS = 32, (1, 32), (1, 2)
WARM = 3  # rounds that do not count


def ways(folder: Path, exported: Path) -> dict[str, Callable[[Tensor, int], object]]:
    """Runtime -> what answers for N faces, so many at once, with torch's number of threads."""
    model = read_model(folder)
    found = {"torch": lambda faces, n: [model.predict(part) for part in faces.split(n)]}
    for name in ("onnx", "int8"):
        session = opened(exported / f"{name}.onnx")[0]
        found[name] = lambda faces, n, session=session: ask(session, faces, n)
    return found


def milliseconds(asked: dict[str, Callable], faces: Tensor, n: int, rounds: int) -> dict:
    """Runtime -> milliseconds a face: median, low and high quartile of the rounds."""
    taken: dict[str, list[float]] = {name: [] for name in asked}
    for _ in range(WARM + rounds):
        for name, answer in asked.items():
            start = time.perf_counter()
            answer(faces, n)
            taken[name].append(1000 * (time.perf_counter() - start) / len(faces))
    quartiles = {name: np.quantile(t[WARM:], (0.25, 0.5, 0.75)) for name, t in taken.items()}
    return {
        name: {"low": float(q[0]), "median": float(q[1]), "high": float(q[2])}
        for name, q in quartiles.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", type=Path, help="folder of data sets; default: $OCCKD_DATA")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--json", type=Path, help="write the numbers there")
    options = parser.parse_args()
    use_data(options.root)
    shipped, table = project_root() / "models", []
    for folder in models(shipped):
        name, facts = folder.relative_to(shipped).as_posix(), read_model(folder).facts
        faces = faces_of(facts).split("test").images[:FACES].clone()
        with tempfile.TemporaryDirectory() as exported:
            for runtime in ("onnx", "int8"):
                export(folder, "onnx", Path(exported, f"{runtime}.onnx"), int8=runtime == "int8")
            for threads in THREADS:
                torch.set_num_threads(threads)
                asked = ways(folder, Path(exported))
                for n in AT_ONCE:
                    for way, row in milliseconds(asked, faces, n, options.rounds).items():
                        case = {"model": name, "runtime": way, "threads": threads, "at_once": n}
                        table.append({**case, **row})
                        print(
                            f"{name:17} {way:5} {threads} threads, {n:2} at once "
                            f"{row['median']:6.2f} ms [{row['low']:.2f}, {row['high']:.2f}]",
                            flush=True,
                        )
    if options.json:
        content = {"benchmark": "latency", "rounds": options.rounds, "milliseconds_a_face": table}
        write_json(options.json, {**content, "environment": environment()})


if __name__ == "__main__":
    main()
