"""VGG-f: parameters, normalisation, map sizes, embedding."""

import pytest
import torch
from torch import nn

from occkd_lib.errors import OcckdError
from occkd_lib.models import build_model, parameter_count
from occkd_lib.models.nets.vgg_f import VggF, local_response_norm, map_side


@pytest.mark.parametrize(("outputs", "expected"), [(8, 56_770_312), (1000, 60_834_536)])
def test_parameters(outputs, expected):
    with torch.device("meta"):
        assert parameter_count(build_model("vgg_f", outputs)) == expected


def direct_norm(x, size, kappa, alpha, beta):
    """MatConvNet's formula, one value at a time, in float64."""
    y = torch.empty_like(x, dtype=torch.float64)
    channels = x.shape[1]
    for c in range(channels):
        first = max(0, c - (size - 1) // 2)
        last = min(channels, c + size // 2 + 1)
        total = sum(x[:, k].double() ** 2 for k in range(first, last))
        y[:, c] = x[:, c].double() / (kappa + alpha * total) ** beta
    return y


@pytest.mark.parametrize("constants", [(5, 2.0, 1e-4, 0.75), (3, 1.0, 0.2, 0.5), (4, 2.0, 0.1, 1)])
def test_normalisation_is_the_formula(constants):
    x = 100 * torch.randn(2, 7, 4, 3, generator=torch.Generator().manual_seed(0))
    expected = direct_norm(x, *constants)
    torch.testing.assert_close(local_response_norm(x.double(), *constants), expected)
    torch.testing.assert_close(local_response_norm(x, *constants), expected.float())


def test_normalisation_is_torchs_with_five_times_alpha():
    x = 100 * torch.randn(2, 64, 5, 5, generator=torch.Generator().manual_seed(1))
    torchs = nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2)
    torch.testing.assert_close(local_response_norm(x), torchs(x), rtol=1e-6, atol=1e-6)
    wrong = nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=2)
    assert (local_response_norm(x) - wrong(x)).abs().max() > 0.1


def test_normalisation_gradient():
    x = torch.randn(1, 6, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: local_response_norm(x, alpha=0.3), (x,))


@pytest.mark.parametrize(("size", "side"), [(224, 6), (95, 2), (96, 2), (97, 2), (99, 2), (63, 1)])
def test_map_side(size, side):
    assert map_side(size) == side
    with torch.device("meta"):
        net = VggF(2, input_size=size)
        assert net.convolutions(torch.empty(1, 3, size, size)).shape == (1, 256, side, side)


def test_maps_of_the_first_layers():
    """224 -> 54 -> 27 (ceil mode: 26 without) -> 13 -> 6."""
    shapes = []
    with torch.device("meta"):
        net = VggF(2)
        for conv in (net.conv1, net.conv2, net.conv3, net.conv5):
            conv.register_forward_hook(lambda m, x, y: shapes.append(tuple(y.shape[1:])))
        net(torch.empty(1, 3, 224, 224))
    assert shapes == [(64, 54, 54), (256, 27, 27), (256, 13, 13), (256, 13, 13)]


def test_embedding_is_fc7_after_relu_before_dropout():
    torch.manual_seed(0)
    net = VggF(3, input_size=63, dropout=0.9).eval()
    x = 50 * torch.randn(2, 3, 63, 63)
    seen = {}
    net.fc6.register_forward_hook(lambda m, x, y: seen.update(fc6=y))
    net.fc7.register_forward_hook(lambda m, x, y: seen.update(into=x[0], fc7=y))
    net.head.register_forward_hook(lambda m, x, y: seen.update(head=x[0]))
    with torch.no_grad():
        embedding, output, _ = net(x)
        assert embedding.shape == (2, 4096) and output.shape == (2, 3)
        assert torch.equal(embedding, seen["fc7"].relu())
        assert torch.equal(seen["head"], embedding)
        assert torch.equal(seen["into"], seen["fc6"].relu())
        net.train()
        embedding = net(x).embedding
    lost = seen["into"] == 0
    assert (lost & (seen["fc6"] > 0)).any(), "dropout after fc6 acts on the embedding, too"
    torch.testing.assert_close(seen["into"][~lost], 10 * seen["fc6"].relu()[~lost])
    assert torch.equal(embedding, seen["fc7"].relu())
    dropped = seen["head"] == 0
    assert (dropped & (embedding > 0)).any()
    torch.testing.assert_close(seen["head"][~dropped], 10 * embedding[~dropped])


def test_dropout_zero_makes_training_deterministic():
    torch.manual_seed(0)
    net = VggF(2, input_size=63, dropout=0.0).train()
    x = torch.randn(2, 3, 63, 63)
    with torch.no_grad():
        assert torch.equal(net(x).output, net(x).output)


def test_input():
    with torch.device("meta"):
        assert VggF(2).input_spec.mean == (122.803, 114.885, 101.572)
        assert VggF(2).input_spec.std == (1, 1, 1)
        grey = VggF(2, channels=1)
    assert grey.conv1.weight.shape[1] == 1
    assert grey.input_spec.mean == pytest.approx((113.0866,), abs=1e-3)
    with pytest.raises(OcckdError, match="at least 63"):
        VggF(2, input_size=62)
    with pytest.raises(OcckdError, match="1 .grey. or 3"):
        VggF(2, channels=2)
