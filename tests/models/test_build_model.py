"""build_model: names, options, where weights are looked for."""

import pytest
import torch

from occkd_lib.errors import OcckdError
from occkd_lib.models import NETWORKS, build_model, weights_root


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_says_what_it_is(name):
    with torch.device("meta"):
        net = build_model(name, 5)
        spec = net.input_spec
        embedding, output = net(torch.empty(2, spec.channels, spec.size, spec.size))
    assert net.name == name
    assert embedding.shape == (2, net.embedding_dim) and output.shape == (2, 5)
    assert len(spec.mean) == len(spec.std) == spec.channels
    assert net.init_record["source"] == "random" and net.init_record["sha256"] is None


def test_options_reach_the_network():
    with torch.device("meta"):
        net = build_model("vgg_f", 2, input_size=95, channels=1, dropout=0.25)
    assert net.fc6.in_features == 4 * 256 and net.conv1.in_channels == 1 and net.dropout == 0.25


def test_unknown_network_lists_the_known():
    with pytest.raises(OcckdError, match="'vgg'; there are: compact, vgg_f, vgg_face, resnet50"):
        build_model("vgg", 2)


def test_option_that_a_network_does_not_take():
    with pytest.raises(OcckdError, match="'vgg_f' takes no option 'width'; it takes: input_size"):
        build_model("vgg_f", 2, width=8)


def test_same_seed_same_weights():
    torch.manual_seed(3)
    first = build_model("compact", 2).state_dict()
    torch.manual_seed(3)
    second = build_model("compact", 2).state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)


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
        build_model("compact", 2, init="vgg_face")
    assert str(tmp_path) in str(error.value) and "some.mat" in str(error.value)
