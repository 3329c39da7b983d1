"""A frozen trunk: what it reads off, what a run keeps, and that nothing in it ever changes."""

import pytest
import torch
from safetensors.torch import save_file

from occkd_lib.errors import OcckdError
from occkd_lib.models import (
    FrozenTrunk,
    NetworkSettings,
    build_model,
    frozen_of,
    parameter_count,
)
from occkd_lib.models.cost import network_cost


@pytest.fixture
def weights(tmp_path):
    """A file with the values of a small network."""
    torch.manual_seed(1)
    path = tmp_path / "small.safetensors"
    save_file(build_model("compact", 3, width=4, input_size=32).state_dict(), path)
    return path


def settings(weights, **change):
    trunk = build_model("compact", 3, width=4, input_size=32)
    layers = [n for n, m in trunk.named_modules() if isinstance(m, torch.nn.Conv2d)]
    frozen = {"layers": layers[-3:-1], "grid": 2, "hidden": 5, "dropout": 0.5, **change}
    return NetworkSettings(name="compact", width=4, input_size=32, init=str(weights), frozen=frozen)


def pixels(n=3):
    return torch.randn(n, 1, 32, 32, generator=torch.Generator().manual_seed(2))


def test_reads_the_mean_of_each_cell(weights):
    net = settings(weights).build(3).eval()
    layers, seen = net.settings.layers, {}
    for name in layers:
        module = dict(net.trunk.named_modules())[name]
        module.register_forward_hook(lambda m, i, out, name=name: seen.__setitem__(name, out))
    net.trunk.features(pixels())
    by_hand = []
    for name in layers:
        part = seen[name]
        rows, columns = (side // 2 for side in part.shape[2:])
        cells = [
            part[:, :, r * rows : (r + 1) * rows, c * columns : (c + 1) * columns].mean((2, 3))
            for r in range(2)
            for c in range(2)
        ]
        by_hand.append(torch.stack(cells, 2).flatten(1))
    torch.testing.assert_close(net.read_off(pixels()), torch.cat(by_hand, 1))
    assert net.read_off(pixels()).shape == (3, net.feature_width)


def test_pixels_and_features_give_the_same_answer(weights):
    net = settings(weights).build(3).eval()
    whole, from_features = net(pixels()), net(net.read_off(pixels()))
    assert whole.embedding.shape == (3, 5) and whole.output.shape == (3, 3)
    torch.testing.assert_close(whole.output, from_features.output)


def test_only_the_head_learns_and_only_the_head_is_kept(weights):
    net = settings(weights).build(3)
    before = {k: v.clone() for k, v in net.trunk.state_dict().items()}
    net.train()
    optimizer = torch.optim.AdamW([p for p in net.parameters() if p.requires_grad], lr=0.1)
    for _ in range(3):
        net(pixels(8)).output.square().sum().backward()
        optimizer.step()
    for name, value in net.trunk.state_dict().items():
        assert torch.equal(value, before[name]), name  # batch statistics, too
    assert not any(name.startswith("trunk.") for name in net.state_dict())
    assert parameter_count(net) == net.feature_width * 5 + 2 * 5 + 5 * 3 + 3


def test_a_run_s_values_come_back_with_the_trunk_of_the_file(weights):
    chosen = settings(weights)
    net = chosen.build(3).eval()
    again = chosen.rebuild(3, net.init_record)
    again.load_state_dict(net.state_dict())
    torch.testing.assert_close(again.eval()(pixels()).output, net(pixels()).output)
    with pytest.raises(OcckdError, match="not the weights file that the frozen trunk began with"):
        chosen.rebuild(3, {**net.init_record, "sha256": "0" * 64})


def test_what_is_after_the_last_layer_is_not_computed(weights):
    net = settings(weights).build(3)
    last = dict(net.trunk.named_modules())[net.settings.layers[-1]]
    called = []
    names = {id(m): n for n, m in net.trunk.named_modules() if not list(m.children())}
    for module in net.trunk.modules():
        if id(module) in names:
            module.register_forward_hook(lambda m, *_: called.append(m))
    net.read_off(pixels())
    assert called and called[-1] is last


def test_cost_is_the_head_s(weights):
    cost = network_cost(settings(weights), 3)
    width = settings(weights).build(3).feature_width
    assert cost.forward == 2 * (width * 5 + 5 * 3)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"init": "random"}, "a trunk of random values knows nothing"),
        ({"resize": 40}, "does not go with resize"),
    ],
)
def test_what_a_frozen_trunk_cannot_be(weights, change, said):
    with pytest.raises(ValueError, match=said):
        NetworkSettings(**{**settings(weights).model_dump(), **change})


def test_a_layer_that_there_is_not_is_named(weights):
    with pytest.raises(OcckdError, match=r"compact has no 'nose'; it has: "):
        settings(weights, layers=["nose"]).build(3)


def test_embedding_width_is_known_without_the_file(weights):
    chosen = settings(weights)
    weights.unlink()
    assert chosen.embedding_dim(3) == 5
    assert isinstance(chosen.outline(3), FrozenTrunk)


@pytest.mark.parametrize("trunks", ["two", "shared", "fine"])
def test_streams_stand_on_a_frozen_trunk(weights, trunks):
    chosen = NetworkSettings(**{**settings(weights).model_dump(), "streams": trunks})
    net = chosen.build(3).train()
    assert not any(".trunk." in name for name in net.state_dict())
    assert not net.fine.trunk.training
    frozen = frozen_of(net)
    assert frozen is net.fine
    hidden = [trunk.fc.weight for trunk in net.trunks]
    assert len(hidden) == (2 if trunks == "two" else 1)
    net(frozen.read_off(pixels())).output.sum().backward()
    assert all(weight.grad is not None for weight in hidden)
    assert all(p.grad is None for trunk in net.trunks for p in trunk.trunk.parameters())
    net.eval()
    whole, from_features = net(pixels()), net(frozen.read_off(pixels()))
    torch.testing.assert_close(whole.output, from_features.output)
    again = chosen.rebuild(3, net.init_record).eval()
    again.load_state_dict(net.state_dict())
    torch.testing.assert_close(again(pixels()).output, whole.output)


def test_frozen_of_a_network_that_learns_as_a_whole():
    assert frozen_of(build_model("compact", 3, width=4, input_size=32)) is None
    streams = NetworkSettings(name="compact", width=4, input_size=32, streams="two")
    assert frozen_of(streams.build(3)) is None
