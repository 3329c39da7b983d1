"""VGG-13 of FER+: parameters, layers, dropout, initialisation."""

import pytest
import torch
from torch import nn

from occkd_lib.errors import OcckdError
from occkd_lib.models import build_model, parameter_count


def test_parameters():
    """10 convolutions, 2 hidden layers of 1024 (fc5 sees 256 maps of 4 x 4), 8 outputs."""
    with torch.device("meta"):
        net = build_model("vgg13", 8)
        assert parameter_count(net) == 8_757_704
        assert parameter_count(build_model("vgg13", 8, input_size=48)) == 8_757_704 - 7 * 256 * 1024
    spec = net.input_spec
    assert (spec.size, spec.channels) == (64, 1) and net.embedding_dim == 1024


def test_the_layers_are_those_of_the_authors():
    with torch.device("meta"):
        body = build_model("vgg13", 8).body
    short = {"Conv2d": "c", "ReLU": "r", "MaxPool2d": "p", "Dropout": "d"}
    assert "".join(short[type(layer).__name__] for layer in body) == 2 * "crcrpd" + 2 * "crcrcrpd"
    widths = [layer.out_channels for layer in body if isinstance(layer, nn.Conv2d)]
    assert widths == [64, 64, 128, 128] + 6 * [256]
    assert {layer.p for layer in body if isinstance(layer, nn.Dropout)} == {0.25}


def test_dropout_is_that_of_the_hidden_layers():
    with torch.device("meta"):
        assert build_model("vgg13", 2).dropout.p == 0.5
        net = build_model("vgg13", 2, dropout=0.1)
    assert net.dropout.p == 0.1 and net.body[5].p == 0.25


def test_embedding_is_fc6_after_relu_and_dropout_leaves_it_clean():
    torch.manual_seed(0)
    net = build_model("vgg13", 3, input_size=16, dropout=0.9).train()
    seen = {}
    net.fc5.register_forward_hook(lambda m, x, y: seen.update(fc5=y.clone()))
    net.fc6.register_forward_hook(lambda m, x, y: seen.update(into=x[0], fc6=y.clone()))
    net.head.register_forward_hook(lambda m, x, y: seen.update(head=x[0]))
    with torch.no_grad():
        embedding, _, _ = net(torch.randn(2, 1, 16, 16))
    assert torch.equal(embedding, seen["fc6"].relu())
    for before, after in ((seen["fc5"].relu(), seen["into"]), (embedding, seen["head"])):
        kept = after != 0
        assert ((before > 0) & ~kept).any()
        torch.testing.assert_close(after[kept], 10 * before[kept])


def test_glorot_uniform():
    """Weights fill +-sqrt(6 / (fan in + fan out)); biases are zero."""
    torch.manual_seed(0)
    net = build_model("vgg13", 4, input_size=16)
    bounds = {"body.2": (9 * 128, 64 * 64 * 9), "fc6": (2048, 1024 * 1024), "head": (1028, 4096)}
    for name, (fans, count) in bounds.items():
        weight = net.get_submodule(name).weight
        bound = (6 / fans) ** 0.5
        assert weight.numel() == count and 0.99 * bound < weight.abs().max() <= bound
        assert weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.05)
    assert all((p == 0).all() for name, p in net.named_parameters() if name.endswith("bias"))


def test_faces_too_small():
    with pytest.raises(OcckdError, match="input_size is 15: this network needs at least 16 pixels"):
        build_model("vgg13", 2, input_size=15)
