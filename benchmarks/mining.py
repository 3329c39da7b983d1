"""How much faster is mining by matrix product than one anchor at a time, and what memory it takes.

    python benchmarks/mining.py                  # as many faces and classes as FER+ (25,045)
    python benchmarks/mining.py --large          # as AffectNet (88,021); about 3 GB of embeddings
    python benchmarks/mining.py --json PATH      # also keep the numbers and the machine

Embeddings are synthetic (rectified class centre plus noise, like fc7), float32, on the CPU. The
loop computes each anchor's distances to both pools and picks; it is timed on a sample of anchors
and scaled to all of them (the table says so). Both must pick the same faces for the sample.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from torch import Tensor

from occkd_lib.mining import Triplets, mine_hard_triplets
from occkd_lib.project import write_json
from occkd_lib.runs import environment, peak_memory_mib

# faces per class: FER+ training set under majority labels; AffectNet with at most 15,000 per class
FERPLUS = (8733, 7284, 3136, 3022, 2098, 116, 536, 120)
AFFECTNET = (15000, 15000, 15000, 14090, 6378, 3803, 15000, 3750)


def synthetic_embeddings(targets: Tensor, dimension: int, generator: torch.Generator) -> Tensor:
    """N x D. Filled in place, few rows at a time: its own memory must not blur the peak."""
    centres = torch.randn(int(targets.max()) + 1, dimension, generator=generator)
    embeddings = torch.empty(len(targets), dimension)
    for rows, labels in zip(embeddings.split(512), targets.split(512), strict=True):
        rows.normal_(generator=generator).add_(centres[labels]).relu_()
    return embeddings


def mine_by_loop(
    student: Tensor, teacher: Tensor, targets: Tensor, pools: Triplets, anchors: Tensor
) -> tuple[Tensor, Tensor]:
    """Positive and negative of ``anchors``, one anchor at a time: Eq. 6-7 as they are written."""
    positive_pool, negative_pool = pools.positive_pool, pools.negative_pool
    teacher_pool, student_pool = teacher[positive_pool], student[negative_pool]
    positive, negative = [], []
    for anchor in anchors.tolist():
        distance = (teacher_pool - student[anchor]).square().sum(1)
        distance[targets[positive_pool] != targets[anchor]] = -torch.inf
        positive.append(positive_pool[distance.argmax()])
        distance = (student_pool - student[anchor]).square().sum(1)
        distance[targets[negative_pool] == targets[anchor]] = torch.inf
        negative.append(negative_pool[distance.argmin()])
    return torch.stack(positive), torch.stack(negative)


def measure(
    faces_per_class: tuple[int, ...], dimension: int, fraction: float, sample: int, seed: int
) -> dict[str, float]:
    """Times in seconds, memory in MiB. Raises AssertionError when the two disagree on a pick."""
    generator = torch.Generator().manual_seed(seed)
    targets = torch.arange(len(faces_per_class)).repeat_interleave(torch.tensor(faces_per_class))
    targets = targets[torch.randperm(len(targets), generator=generator)]
    student = synthetic_embeddings(targets, dimension, generator)
    teacher = synthetic_embeddings(targets, dimension, generator)

    memory = peak_memory_mib()["host"]
    start = time.perf_counter()
    mined = mine_hard_triplets(student, teacher, targets, fraction=fraction, generator=generator)
    product_seconds = time.perf_counter() - start
    memory = peak_memory_mib()["host"] - memory

    anchors = torch.randperm(len(targets), generator=generator)[:sample]
    start = time.perf_counter()
    positive, negative = mine_by_loop(student, teacher, targets, mined, anchors)
    loop_seconds = (time.perf_counter() - start) / len(anchors) * len(targets)
    assert torch.equal(mined.positive[anchors], positive), "positives differ from the loop's"
    assert torch.equal(mined.negative[anchors], negative), "negatives differ from the loop's"
    return {
        "faces": len(targets),
        "pool": len(mined.positive_pool),
        "dimension": dimension,
        "threads": torch.get_num_threads(),
        "embeddings_mib": 2 * student.numel() * 4 >> 20,
        "extra_memory_mib": memory,
        "product_seconds": product_seconds,
        "loop_seconds_scaled": loop_seconds,
        "loop_anchors_timed": len(anchors),
        "ratio": loop_seconds / product_seconds,
        "picks_compared": 2 * len(anchors),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--large", action="store_true", help="AffectNet's size, not FER+'s")
    parser.add_argument("--shrink", type=int, default=1, help="divide every class by this")
    parser.add_argument("--dimension", type=int, default=4096, help="embedding size")
    parser.add_argument("--fraction", type=float, default=0.1, help="share of faces in each pool")
    parser.add_argument("--sample", type=int, default=100, help="anchors the loop is timed on")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the numbers there")
    options = parser.parse_args()

    counts = AFFECTNET if options.large else FERPLUS
    counts = tuple(max(1, count // options.shrink) for count in counts)
    result = measure(counts, options.dimension, options.fraction, options.sample, options.seed)

    print(
        f"{result['faces']:,} faces, pools of {result['pool']:,}, {options.dimension} values each, "
        f"{result['threads']} threads\n{'':18}{'seconds':>10}{'ms / face':>11}"
    )
    rows = (("matrix product", "product_seconds"), ("loop, scaled up*", "loop_seconds_scaled"))
    for label, key in rows:
        print(f"{label:18}{result[key]:10.2f}{1000 * result[key] / result['faces']:11.4f}")
    print(
        f"ratio {result['ratio']:.0f}; all {result['picks_compared']} picks compared are equal\n"
        f"peak memory beyond the {result['embeddings_mib']:,} MiB of embeddings: "
        f"{result['extra_memory_mib']:,} MiB\n"
        f"* timed on {result['loop_anchors_timed']} anchors"
    )
    if options.json:
        write_json(options.json, {"benchmark": "mining", **result, "environment": environment()})


if __name__ == "__main__":
    main()
