"""pyproject.toml, the lock, conda's file and the Makefile say the same thing."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
import tomllib
from importlib import resources
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).parents[1]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
EVERYTHING = [*PROJECT["dependencies"], *EXTRAS["apply"], *EXTRAS["lab"], *EXTRAS["slurm"]]
EVERYTHING += EXTRAS["test"]
# distributions whose modules have another name
PROVIDES = {
    "ipython": "IPython",
    "grad-cam": "pytorch_grad_cam",
    "nvidia-ml-py": "pynvml",
    "opencv-python-headless": "cv2",
    "pillow": "PIL",
    "pyyaml": "yaml",
    "scikit-learn": "sklearn",
}
LOCK = [
    Requirement(line)
    for line in (REPOSITORY / "requirements.lock").read_text().splitlines()
    if line and not line.startswith("#")
]


def test_conda_asks_for_what_pyproject_asks_for():
    content = yaml.safe_load((REPOSITORY / "environment.yml").read_text())
    conda = [d for d in content["dependencies"] if isinstance(d, str)]
    (pip,) = [d["pip"] for d in content["dependencies"] if isinstance(d, dict)]
    assert conda == [f"python{PROJECT['requires-python']}", "pip"]
    assert pip == [*EVERYTHING, "-e ."]


def test_the_lock_pins_every_requirement_within_its_bounds():
    pins: dict[str, list[Requirement]] = {}
    for pin in LOCK:
        pins.setdefault(canonicalize_name(pin.name), []).append(pin)
        assert re.fullmatch(r"==[\w.+!]+", str(pin.specifier)), pin
    for text in EVERYTHING:
        requirement = Requirement(text)
        for pin in pins[canonicalize_name(requirement.name)]:
            version = str(pin.specifier).removeprefix("==")
            assert requirement.specifier.contains(version, prereleases=True), (text, version)


def test_the_lock_names_no_index_and_no_place():
    text = (REPOSITORY / "requirements.lock").read_text()
    assert not re.search(r"://|--|@|\bfile:", text)


def test_every_import_is_declared():
    declared = [*PROJECT["dependencies"], *EXTRAS["apply"], *EXTRAS["lab"]]
    modules = {
        PROVIDES.get(name, name.replace("-", "_"))
        for name in (canonicalize_name(Requirement(d).name) for d in declared)
    }
    for path in sorted((REPOSITORY / "occkd_lib").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            else:
                continue
            for name in (n.split(".")[0] for n in names):
                known = name in sys.stdlib_module_names or name in modules | {"occkd_lib"}
                assert known, f"{path.name} imports {name}, which pyproject.toml does not list"


def test_data_files_come_with_the_package():
    package = resources.files("occkd_lib")
    assert (package / "config" / "recipes" / "demo.yaml").is_file()
    assert (package / "papers" / "journal" / "table1.csv").is_file()
    assert (package / "site" / "page.html.j2").is_file()
    globs = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["setuptools"]
    listed = {
        path
        for pattern in globs["package-data"]["occkd_lib"]
        for path in (REPOSITORY / "occkd_lib").glob(pattern)
    }
    files = {
        p
        for p in (REPOSITORY / "occkd_lib").rglob("*")
        if p.is_file() and p.suffix not in (".py", ".pyc")
    }
    assert files == listed


def test_the_classifiers_say_whom_it_is_for():
    groups: dict[str, list[str]] = {}
    for text in PROJECT["classifiers"]:
        group, *more = text.split(" :: ")
        groups.setdefault(group, []).append(more[-1])
    due = {"Development Status", "Intended Audience", "Operating System", "Topic"}
    assert groups.keys() >= due
    assert "License" not in groups and PROJECT["license"] == "MIT", "one or the other"
    pythons = [text for text in groups["Programming Language"] if "." in text]
    assert pythons == ["3.11", "3.12", "3.13"]
    assert all(SpecifierSet(PROJECT["requires-python"]).contains(text) for text in pythons)


def test_the_container_s_commands_stand_where_it_says():
    first = (REPOSITORY / "Containerfile").read_text().splitlines()[0]
    (page,) = re.findall(r"\(see (\w+\.md)\)", first)
    assert "podman build -t occkd ." in first
    assert "podman build -t occkd ." in (REPOSITORY / page).read_text()


def test_the_command_is_the_cli():
    assert PROJECT["scripts"] == {"occkd": "occkd_lib.cli:main"}
    from occkd_lib.cli import main

    assert callable(main)


def test_make_explains_its_targets():
    command = ["make", "--no-print-directory", "help"]  # make test runs this, too
    shown = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    targets = [line.split()[1] for line in shown.stdout.splitlines()]
    targets_of_the_book = ["book", "test", "lint", "mutants", "lab", "text", "student", "site"]
    assert targets == ["help", *targets_of_the_book, "clean"]
    phony = ["make", "-n", *targets]
    assert subprocess.run(phony, cwd=REPOSITORY, capture_output=True).returncode == 0


def test_the_citation_names_the_version():
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())
    import occkd_lib

    assert citation["version"] == occkd_lib.__version__
    assert citation["license"] == PROJECT["license"] == "MIT"


def test_without_cuda_the_lock_loses_torch_s_libraries_alone():
    """``make book TORCH=cpu``; with its own index out of reach, no more than this is tested."""
    asked = subprocess.run(
        ["make", "-n", "-W", "requirements.lock", "lint", "TORCH=cpu"],
        cwd=REPOSITORY, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    assert "--torch-backend cpu -r .venv/requirements.txt" in asked
    (filtered,) = (line for line in asked.splitlines() if line.startswith("grep -vE"))
    pattern = re.compile(shlex.split(filtered)[2])
    kept = {pin.name for pin in LOCK if not pattern.search(str(pin))}
    lost = {pin.name for pin in LOCK} - kept
    assert {canonicalize_name(Requirement(text).name) for text in EVERYTHING} <= kept
    assert {"triton", "nvidia-cudnn-cu13", "cuda-toolkit"} <= lost
    assert not [name for name in kept if "cu13" in name]
