"""What networks share: input, head and dropout, reading a state dict."""

import pytest
import torch
from torch import nn

from occkd_lib.errors import OcckdError
from occkd_lib.models import FaceNet, InputSpec, Prediction, normalize, parameter_count
from occkd_lib.models.base import NETWORKS, network, read_layout, rgb_input
from occkd_lib.models.weights.pretrained import Pretrained


class Sum(FaceNet):
    """Embedding: each channel's sum."""

    name = "sum"

    def __init__(self, outputs=2, dropout=0.0):
        super().__init__()
        self.input_spec = InputSpec(2, 3, (1.0, 2.0, 3.0), (2.0, 2.0, 4.0))
        self.embedding_dim = 3
        self.add_head(outputs, dropout)

    def features(self, x):
        return x.sum((2, 3))


def test_pixels_are_normalised_channel_by_channel():
    pixels = torch.tensor([5, 6, 7], dtype=torch.uint8).view(1, 3, 1, 1)
    assert normalize(pixels, Sum().input_spec).flatten().tolist() == [2, 2, 1]


def test_embedding_and_output():
    net = Sum()
    x = torch.arange(12.0).view(1, 3, 2, 2)
    found = net(x)
    assert isinstance(found, Prediction) and found.embedding.tolist() == [[6, 22, 38]]
    torch.testing.assert_close(found.output, net.head(found.embedding))


def test_dropout_is_on_the_way_to_the_head_only():
    torch.manual_seed(0)
    net = Sum(dropout=0.5)
    seen = []
    net.head.register_forward_hook(lambda module, args, output: seen.append(args[0]))
    x = torch.ones(50, 3, 2, 2)
    assert (net.train()(x).embedding == 4).all()
    assert set(seen[0].unique().tolist()) == {0, 8}
    assert (net.eval()(x).embedding == 4).all() and (seen[1] == 4).all()


def test_a_head_of_ones_own_has_no_dropout():
    net = Sum()
    net.dropout, net.head = FaceNet().dropout, nn.Linear(3, 1)
    assert net.train()(torch.ones(4, 3, 2, 2)).output.unique().numel() == 1


def test_only_what_learns_is_counted():
    net = Sum()
    assert parameter_count(net) == 3 * 2 + 2
    net.head.bias.requires_grad_(False)
    assert parameter_count(net) == 6


def test_features_must_be_defined():
    with pytest.raises(TypeError, match=r"FaceNet must define features\(\)"):
        FaceNet().features(torch.zeros(1))


def test_grey_gets_the_mean_of_the_colours():
    assert rgb_input(8, 3, (1, 2, 6), (3, 3, 9)) == InputSpec(8, 3, (1, 2, 6), (3, 3, 9))
    assert rgb_input(8, 1, (1, 2, 6), (3, 3, 9)) == InputSpec(8, 1, (3,), (5,))
    with pytest.raises(OcckdError, match="channels is 2: a network takes 1 .grey. or 3"):
        rgb_input(8, 2, (1, 2, 6))
    with pytest.raises(OcckdError, match="input_size is 8: this network needs at least 9 pixels"):
        rgb_input(8, 3, (1, 2, 6), smallest=9)


def test_a_layout_is_told_by_its_mark():
    layouts = {"a": lambda tensors: Pretrained(tensors, "A"), "b": lambda t: Pretrained({}, "B")}
    assert read_layout(layouts, {"b": torch.zeros(1)}).note == "B"
    assert read_layout(layouts, {"c": torch.zeros(1)}) is None


def test_files_of_nets_enter_themselves(monkeypatch):
    monkeypatch.setattr("occkd_lib.models.base.NETWORKS", registered := dict(NETWORKS))
    assert network(Sum) is Sum and registered["sum"] is Sum
