"""Which network that has seen faces before should recipe ``face`` begin with, for gender and age?

    python benchmarks/starts.py --root DATA                # prints; DATA: folder of data sets
    python benchmarks/starts.py --root DATA --json PATH    # also keeps the numbers

Teacher and student of recipe ``trunk`` (heads on a frozen network; the network is all that
changes), with seeds that are not reported. Only their validation metrics are looked at.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import mean
from typing import Any

from occkd_lib.cli_data import use_data
from occkd_lib.config import Recipe, load_recipe
from occkd_lib.project import write_json
from occkd_lib.runs import environment
from occkd_lib.stages import run_stage

SEEDS, STAGES = (1000, 1001), ("teacher", "student")
DLIB, VGGFACE2 = "dlib_face_resnet29_fp16", "mobilenet_v1_vggface2_age_gender_fp16"
NETWORKS = {
    "dlib's, 112 pixels, block 3": ("dlib_face", 112, DLIB, "conv128_2"),
    "VGGFace2's MobileNet v1, 128 pixels, block 11": ("mobilenet_v1", 128, VGGFACE2, "conv_pw_11"),
    "VGGFace2's MobileNet v1, 128 pixels, block 13": ("mobilenet_v1", 128, VGGFACE2, "conv_pw_13"),
}


def recipe() -> Recipe:
    """Every network's gender and age: recipe trunk's, with that network."""
    trunk, found = load_recipe("trunk"), {}
    for name, size, init, layer in NETWORKS.values():
        network: dict[str, Any] = {
            "name": name, "input_size": size, "init": init, "frozen": {"layers": [layer]},
        }  # fmt: skip
        for task in ("gender", "age"):
            changed = trunk.experiment(task).varied({"network": network})
            found[f"{task}_{name}_{layer}"] = changed
    return Recipe(name="starts", description="which network to begin with", experiments=found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    use_data(options.root)
    chosen, found = recipe(), {}
    for words, (name, _, _, layer) in NETWORKS.items():
        for task in ("gender", "age"):
            experiment = f"{task}_{name}_{layer}"
            for stage in STAGES:
                runs = [run_stage(chosen, experiment, seed, stage, say=print) for seed in SEEDS]
                values = [run.status["validation_metric"] for run in runs]
                found.setdefault(task, {}).setdefault(words, {})[stage] = values
                print(f"{task:<8} {stage:<8} {words:<48} {mean(values):.4f}", flush=True)
    if options.json:
        facts = {"validation": found, "seeds": SEEDS, "environment": environment()}
        write_json(options.json, facts)


if __name__ == "__main__":
    main()
