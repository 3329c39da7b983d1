"""Where weights files lie, and what is never read or run."""

import pickle

import pytest
import torch

from occkd_lib.config import builtin_recipes, load_recipe
from occkd_lib.errors import OcckdError
from occkd_lib.models import build_model, weights_root
from occkd_lib.models.weights.files import SOURCES, find_weights, read_state_dict


def test_where_weights_are_looked_for(tmp_path, monkeypatch):
    monkeypatch.delenv("OCCKD_WEIGHTS", raising=False)
    monkeypatch.delenv("OCCKD_DATA", raising=False)
    monkeypatch.setenv("OCCKD_ROOT", str(tmp_path / "project"))
    monkeypatch.chdir(tmp_path)
    assert weights_root() == tmp_path / "project" / "weights"
    (tmp_path / "weights").mkdir()
    assert weights_root() == tmp_path / "weights"
    (tmp_path / "shared" / "weights").mkdir(parents=True)
    monkeypatch.setenv("OCCKD_DATA", str(tmp_path / "shared" / "data"))
    assert weights_root() == tmp_path / "shared" / "weights"
    monkeypatch.setenv("OCCKD_WEIGHTS", str(tmp_path / "mine"))
    assert weights_root() == tmp_path / "mine"


def test_missing_weights_name_the_folder_and_what_it_has(tmp_path, monkeypatch):
    monkeypatch.setenv("OCCKD_WEIGHTS", str(tmp_path))
    (tmp_path / "some.mat").touch()
    with pytest.raises(OcckdError) as error:
        find_weights("vgg_face")
    assert str(tmp_path) in str(error.value) and "some.mat" in str(error.value)


@pytest.mark.parametrize("suffix", [".mat", ".safetensors", ".pth"])
def test_unreadable_file(suffix, tmp_path):
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(b"not weights" * 30)
    with pytest.raises(OcckdError, match=rf"broken{suffix}: not .*readable.*get") as error:
        build_model("compact", 2, init=str(path))
    assert "\n" not in str(error.value)


def test_a_pickle_is_never_executed(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (print, ("executed",))

    torch.save({"weight": Bomb()}, tmp_path / "bomb.pth")
    with pytest.raises(OcckdError, match="bomb.pth: not readable"):
        read_state_dict(tmp_path / "bomb.pth")


def test_pickles_are_refused_unread(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "executed"), "w"))

    (tmp_path / "resnet50_ft_weight.pkl").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(OcckdError, match="resnet50_ft_weight.pkl: a pickle may run any code"):
        build_model("compact", 2, init=str(tmp_path / "resnet50_ft_weight.pkl"))
    assert not (tmp_path / "executed").exists()


def test_known_weights_say_where_they_are_from(tmp_path, monkeypatch):
    monkeypatch.setenv("OCCKD_WEIGHTS", str(tmp_path))
    with pytest.raises(
        OcckdError, match=r"no weights 'vgg-face'.*: put vgg-face.mat of MatConvNet"
    ):
        find_weights("vgg-face")


def test_every_recipe_names_weights_whose_source_is_known():
    recipes = map(load_recipe, builtin_recipes())
    experiments = [e for recipe in recipes for e in recipe.experiments.values()]
    networks = [s.own_network or e.network for e in experiments for s in e.stages.values()]
    assert {n.init for n in networks} - {"random"} <= SOURCES.keys()
