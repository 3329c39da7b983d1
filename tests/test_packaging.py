"""pyproject.toml, the lock, conda's file and the Makefile say the same thing."""

from __future__ import annotations

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from importlib import resources, util
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from occkd_lib import project
from occkd_lib.apply import shelf
from occkd_lib.errors import OcckdError

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
NOT_IN_SDIST = (".ci/", ".github/", ".gitignore")  # of use in a repository only
BUILD = "import sys; from setuptools.build_meta import build_wheel as build; build(sys.argv[1])"


@pytest.fixture(scope="module")
def sdist(tmp_path_factory) -> list[str]:
    """The names of an sdist's files, by setuptools; an egg-info of its own remembers no others."""
    if not util.find_spec("setuptools"):
        pytest.skip("setuptools is not here: nothing can be built")
    base = tmp_path_factory.mktemp("egg")
    command = [sys.executable, "setup.py", "-q", "egg_info", "--egg-base", str(base)]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
    (listed,) = base.glob("*.egg-info/SOURCES.txt")
    return [name for name in listed.read_text().splitlines() if ".egg-info/" not in name]


def installer() -> list[str]:
    """A command that installs a wheel without a network and without settings of this machine."""
    if util.find_spec("pip"):
        pip = [sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check"]
        return [*pip, "install", "-q", "--no-index", "--no-compile", "--no-deps", "--target"]
    beside = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    if not (uv := shutil.which("uv", path=beside)):
        pytest.skip("neither pip nor uv is here: a wheel cannot be installed")
    uv_pip = [uv, "--no-config", "--offline", "pip", "install", "-q", "--python", sys.executable]
    return [*uv_pip, "--no-deps", "--target"]


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


def test_a_wheel_brings_the_book(tmp_path, monkeypatch):
    build = [sys.executable, "setup.py", "-q", "build_py", "--build-lib", str(tmp_path / "lib")]
    subprocess.run(build, cwd=REPOSITORY, check=True, capture_output=True)
    book = tmp_path / "lib" / "occkd_lib" / "_book"
    for part in ("notebooks/01_data.ipynb", "workflow/Snakefile", "workflow/chapters.yaml",
                 "outputs/reference/laptop/summary.csv"):  # fmt: skip
        assert (book / part).read_bytes() == (REPOSITORY / part).read_bytes()
    recipe = tmp_path / "lib" / "occkd_lib" / "config" / "recipes" / "demo.yaml"
    assert recipe.is_file()

    # the installed command in an empty folder: the book is copied, once
    here = tmp_path / "mine"
    here.mkdir()
    monkeypatch.setattr(project, "BOOK", book)
    monkeypatch.delenv("OCCKD_ROOT", raising=False)
    monkeypatch.chdir(here)
    assert project.bring_book() == here.resolve() == project.project_root()
    own = here / "notebooks" / "01_data.ipynb"
    own.write_text("changed by its reader")
    assert project.bring_book() == here.resolve() and own.read_text() == "changed by its reader"
    (here / "notebooks" / "deeper").mkdir()
    monkeypatch.chdir(here / "notebooks" / "deeper")
    assert project.project_root() == here.resolve()

    half = tmp_path / "half"
    (half / "notebooks").mkdir(parents=True)
    monkeypatch.chdir(half)
    with pytest.raises(OcckdError, match="has notebooks already: go to an empty folder"):
        project.bring_book()
    monkeypatch.setattr(project, "BOOK", tmp_path / "nothing")
    with pytest.raises(OcckdError, match="no book in"):
        project.bring_book()


def test_every_tracked_file_is_in_the_sdist_and_no_ignored_one(sdist):
    def git(*which: str) -> set[str]:
        command = ["git", "ls-files", "-z", *which]
        return set(subprocess.check_output(command, cwd=REPOSITORY, text=True).split("\0"))

    if not shutil.which("git") or not (REPOSITORY / ".git").exists():
        pytest.skip("not a git checkout: nothing is tracked")
    tracked = {name for name in git() if (REPOSITORY / name).is_file()}
    assert {name for name in tracked - {*sdist} if not name.startswith(NOT_IN_SDIST)} == set()
    assert not [name for name in sdist if name.startswith(NOT_IN_SDIST)]
    assert {*sdist} <= git("--cached", "--others", "--exclude-standard")


def test_an_installed_wheel_in_an_empty_folder(sdist, tmp_path):
    """Made of the sdist's files alone; the book is read where it lies, and nothing is written."""
    install = installer()
    source, dist, site, here = (tmp_path / name for name in ("source", "dist", "site", "here"))
    for folder in (dist, here):
        folder.mkdir()
    for name in sdist:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / name, source / name)
    subprocess.run([sys.executable, "-c", BUILD, dist], cwd=source, check=True, capture_output=True)
    (wheel,) = dist.iterdir()
    subprocess.run([*install, site, wheel], check=True, capture_output=True)
    book = site / "occkd_lib" / "_book"
    brought = {*book.rglob("*")}
    variables = {k: v for k, v in os.environ.items() if not k.startswith("OCCKD_")}

    def occkd(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "occkd_lib", *arguments], cwd=here, text=True, timeout=300,
            env={**variables, "PYTHONPATH": str(site)}, capture_output=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert occkd("--version").startswith("occkd ")
    listed = [Path(line.split()[-1]) for line in occkd("models", "list").splitlines()]
    assert listed == [path.parent for path in sorted(book.glob("models/**/model.safetensors"))]
    assert listed, "the wheel has models"
    assert "demo: what is to do" in occkd("run", "demo", "-n")
    assert not [*here.iterdir()] and {*book.rglob("*")} == brought


def test_the_wheel_s_book_is_read_where_it_lies(tmp_path, monkeypatch):
    book, here = tmp_path / "_book", tmp_path / "mine"
    for folder in (here, book / "notebooks", book / "workflow", book / "models/gender/full"):
        folder.mkdir(parents=True)
    (book / "workflow" / "chapters.yaml").touch()
    (book / "models/gender/full/model.safetensors").touch()
    monkeypatch.setattr(project, "BOOK", book)
    for name in ("OCCKD_ROOT", "OCCKD_OUTPUTS"):  # set first, so that both are put back
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.chdir(here)
    assert shelf.models() == shelf.models("models") == [book / "models/gender/full"]
    assert project.shipped("models/gender") == book / "models/gender"
    assert project.shipped("models/age") == Path("models/age"), "for an error about the name given"
    assert project.bring_book(copy=False) == book == project.project_root()
    assert project.outputs_root() == here / "outputs" and not [*here.iterdir()]

    # a copy of one's own goes first
    monkeypatch.delenv("OCCKD_ROOT")
    monkeypatch.delenv("OCCKD_OUTPUTS")
    assert project.bring_book() == here
    assert shelf.models() == [here / "models/gender/full"]
    assert project.shipped("models/gender") == Path("models/gender")


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
