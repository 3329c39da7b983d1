"""FLOP and parameters of the networks, by hand and against published counts."""

import pytest
import torch
from torch import nn

from occkd_lib.models import FaceNet, InputSpec, NetworkSettings, build_model
from occkd_lib.models.cost import Cost, flop, network_cost


class Three(FaceNet):
    """conv1 6 x 6 -> 4 x 4, a depthwise convolution 4 x 4 -> 2 x 2, head."""

    name = "three"

    def __init__(self):
        super().__init__()
        self.input_spec = InputSpec(6, 1, (0.0,), (1.0,))
        self.conv1 = nn.Conv2d(1, 5, 3)
        self.norm = nn.BatchNorm2d(5)
        self.depthwise = nn.Conv2d(5, 5, 3, groups=5)
        self.head = nn.Linear(5, 2)

    def features(self, x):
        return self.depthwise(self.norm(self.conv1(x))).mean((2, 3))


CONV1, DEPTHWISE, HEAD = 2 * 16 * 5 * 9, 2 * 4 * 5 * 9, 2 * 5 * 2


def test_by_hand():
    """Every layer costs its forward pass three times, conv1 twice: pixels need no gradient."""
    net = Three()
    assert flop(net) == CONV1 + DEPTHWISE + HEAD
    assert flop(net, training=True) == 2 * CONV1 + 3 * DEPTHWISE + 3 * HEAD


def test_frozen_layers_cost_less():
    net = Three()
    net.conv1.requires_grad_(False)
    net.norm.requires_grad_(False)
    assert flop(net, training=True) == CONV1 + 2 * DEPTHWISE + 3 * HEAD
    net.eval()
    assert flop(net, training=True) == CONV1 + 2 * DEPTHWISE + 3 * HEAD


def test_counting_leaves_the_network_as_it_is():
    net = Three()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    flop(net, training=True)
    assert net.training and all(p.grad is None for p in net.parameters())
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())


@pytest.mark.parametrize(
    ("name", "parameters", "forward", "training"),
    [
        ("vgg_f", 56_770_312, 1.44, 4.18),
        ("vgg_face", 134_293_320, 30.93, 92.62),
        ("resnet50", 23_524_424, 8.17, 24.29),
    ],
)
def test_the_papers_networks(name, parameters, forward, training):
    cost = network_cost(NetworkSettings(name=name), 8)
    assert cost.parameters == parameters
    assert cost.forward / 1e9 == pytest.approx(forward, rel=0.01)
    assert cost.training / 1e9 == pytest.approx(training, rel=0.01)


def test_ferplus_network():
    assert network_cost(NetworkSettings(name="vgg13"), 8).forward / 1e9 == pytest.approx(
        1.752, rel=0.001
    )


def test_depthwise_networks_cost_three_passes_at_most():
    """torch's own formula finds ten times the forward pass of mobilenet_v1."""
    cost = network_cost(NetworkSettings(name="mobilenet_v1", input_size=64), 8)
    assert 2.9 * cost.forward < cost.training < 3 * cost.forward


def test_settings_change_the_cost():
    full = network_cost(NetworkSettings(name="compact"), 8)
    half = network_cost(
        NetworkSettings(name="compact", width=12, input_size=24, channels=1, init="vgg_face"), 8
    )  # weights that are not here: counting does not read them
    with torch.device("meta"):
        net = build_model("compact", 8, width=12, input_size=24)
    assert half == Cost(
        sum(p.numel() for p in net.parameters()), flop(net), flop(net, training=True)
    )
    assert half.forward < full.forward / 8


def test_timm_networks_have_a_cost_too():
    """0.056 G multiply-adds, as published (Howard et al., 2019)."""
    cost = network_cost(NetworkSettings(name="timm/mobilenetv3_small_100"), 1000)
    assert cost.forward / 2e9 == pytest.approx(0.056, rel=0.03)
    assert cost.parameters / 1e6 == pytest.approx(2.54, rel=0.01)
