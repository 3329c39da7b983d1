"""Loading weights: what must fit, what stays random, what is recorded and restored."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from occkd_lib.errors import OcckdError
from occkd_lib.models import refuse_other_weights, restore_record
from occkd_lib.models.weights.load import initialise, load_weights
from occkd_lib.models.weights.pretrained import Pretrained
from tests.models.weights.mat_files import Tiny, simple, tiny_layers


def test_another_number_of_classes_leaves_the_head_random(save):
    torch.manual_seed(0)
    net = Tiny(outputs=7)
    before = net.head.weight.clone()
    load_weights(net, save(simple(tiny_layers())))
    record = net.init_record
    assert torch.equal(net.head.weight, before)
    assert record["missing"] == ["head.weight", "head.bias"]
    assert "random: head.weight, head.bias" in record["note"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"conv1": (np.zeros((2, 3, 3, 4)), np.zeros(4))},
         r"conv1.weight is \(4, 3, 2, 3\), tiny needs \(4, 3, 3, 2\): build it with"),
        ({"fc6": (np.zeros((2, 4, 4, 5)), np.zeros(5))},
         r"fc6.weight is \(5, 32\), tiny needs \(5, 48\): build it with the input_size"),
        ({"fc8_more": (np.zeros((1, 1, 2, 2)), np.zeros(2))},
         "tiny has no fc8.weight: weights of another network"),
    ],
)  # fmt: skip
def test_weights_that_do_not_fit(change, message, save):
    with pytest.raises(OcckdError, match=f"weights.mat: {message}") as error:
        load_weights(Tiny(), save(simple({**tiny_layers(), **change})))
    assert "\n" not in str(error.value)


def test_a_missing_convolution_is_an_error(save):
    layers = tiny_layers()
    del layers["conv1"]
    with pytest.raises(OcckdError, match=r"conv1.weight \(4, 3, 3, 2\) of tiny is not there"):
        load_weights(Tiny(), save(simple(layers)))


def test_nothing_is_loaded_when_something_does_not_fit(save):
    net = Tiny(hidden=6)
    before = net.conv1.weight.clone()
    with pytest.raises(OcckdError):
        load_weights(net, save(simple(tiny_layers())))
    assert torch.equal(net.conv1.weight, before)


def test_files_of_another_kind(tmp_path, save):
    with pytest.raises(OcckdError, match="neither 'layers' .* nor 'params'"):
        load_weights(Tiny(), save({"matrix": np.eye(3)}))
    with pytest.raises(OcckdError, match="read from .safetensors, .mat, .pth, .pt files only"):
        load_weights(Tiny(), tmp_path / "weights.h5")
    save_file({"stem.weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(OcckdError, match="unknown layout .first tensor: stem.weight."):
        load_weights(Tiny(), tmp_path / "other.safetensors")
    torch.save({"state_dict": {}}, tmp_path / "nested.pth")
    with pytest.raises(OcckdError, match="no plain state dict"):
        load_weights(Tiny(), tmp_path / "nested.pth")


def test_a_rebuilt_network_gets_back_what_the_file_changed(save):
    path = save(simple(tiny_layers(), np.array([1.0, 2, 4]), lrn=(3, 1, 2e-5, 0.5)))
    net = Tiny()
    load_weights(net, path)
    assert net.lrn == (3, 1, 2e-5, 0.5)
    record = json.loads(json.dumps(net.init_record))  # as a run keeps it
    again = Tiny()
    restore_record(again, record)
    assert again.input_spec == net.input_spec and again.input_spec.mean == (1, 2, 4)
    assert again.lrn == net.lrn and again.init_record == record


def test_a_file_without_constants_leaves_the_networks(save):
    net = Tiny()
    load_weights(net, save(simple(tiny_layers())))
    assert net.lrn == (5, 2.0, 1e-4, 0.75)
    assert "no lrn in the file" in net.init_record["note"]
    assert net.init_record["constants"] == {"lrn": (5, 2.0, 1e-4, 0.75)}


def test_a_state_dict_of_the_network_itself_needs_no_reader(tmp_path):
    torch.manual_seed(0)
    trained = Tiny(outputs=3)
    save_file(trained.state_dict(), tmp_path / "own.safetensors")
    net = Tiny(outputs=2)
    load_weights(net, tmp_path / "own.safetensors")
    assert torch.equal(net.conv1.weight, trained.conv1.weight)
    assert net.init_record["missing"] == ["head.weight", "head.bias"]
    assert "saved by this book" in net.init_record["note"]


def test_half_a_head_is_no_head(tmp_path, monkeypatch):
    """Classifier weights of our shape without their bias: neither is taken."""
    tensors = {k: torch.ones_like(v) for k, v in Tiny().state_dict().items()}
    net = Tiny()
    before = net.head.weight.clone()
    del tensors["head.bias"]
    monkeypatch.setattr(Tiny, "layouts", {"fc6.weight": lambda t: Pretrained(t, "made up")})
    save_file(tensors, tmp_path / "w.safetensors")
    load_weights(net, tmp_path / "w.safetensors")
    assert torch.equal(net.head.weight, before) and (net.fc6.weight == 1).all()
    assert net.init_record["missing"] == ["head.weight", "head.bias"]


def test_a_replaced_weights_file_is_noticed(save, tmp_path):
    path = save(simple(tiny_layers()))
    net = Tiny()
    load_weights(net, path)
    refuse_other_weights(str(path), net.init_record, tmp_path / "run")
    refuse_other_weights("no such file", net.init_record, tmp_path / "run")  # not needed any more
    save(simple(tiny_layers(seed=1)))
    with pytest.raises(OcckdError, match=r"weights.mat is not the file that .*run began with"):
        refuse_other_weights(str(path), net.init_record, tmp_path / "run")
    initialise(net, "random")
    refuse_other_weights(str(path), net.init_record, tmp_path / "run")


def test_random_values_are_on_record_too():
    net = Tiny()
    initialise(net, "random")
    assert net.init_record["source"] == "random" and net.init_record["sha256"] is None
    assert net.init_record["missing"] == [name for name, _ in net.named_parameters()]
    assert net.init_record["loaded"] == []
