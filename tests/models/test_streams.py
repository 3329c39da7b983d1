"""KTN's and STSN's form: the paper's sizes, its layers by hand, what is shared, cosines."""

import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError

from occkd_lib.errors import OcckdError
from occkd_lib.losses.task import Facts, LossChoice
from occkd_lib.models import NetworkSettings, parameter_count
from occkd_lib.models.base import CosineLinear
from occkd_lib.models.weights.load import restore_record

COMPACT = {"name": "compact", "width": 4, "input_size": 32}


def build(seed=0, outputs=7, **options):
    torch.manual_seed(seed)
    return NetworkSettings(**{**COMPACT, **options}).build(outputs).eval()


def pixels(n=3):
    return torch.randn(n, 1, 32, 32, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("trunk", "trunks", "millions"), [("resnet50", "two", 48.07), ("resnet18", "shared", 11.44)]
)
def test_the_paper_s_sizes(trunk, trunks, millions):
    net = NetworkSettings(name=trunk, streams=trunks).outline(7)
    assert parameter_count(net) / 1e6 == pytest.approx(millions, abs=0.005)


@pytest.mark.parametrize("trunks", ["two", "shared", "fine"])
@pytest.mark.parametrize("combine", ["logits", "probabilities"])
def test_table_1_layer_by_layer(trunks, combine):
    net, x = build(streams={"trunks": trunks, "combine": combine, "width": 5}), pixels()
    with torch.no_grad():
        said = net(x)
        h = net.fine.features(x)
        g = net.coarse.features(x) if trunks == "two" else h
        u = F.linear(h, net.fc1_1.weight, net.fc1_1.bias)
        fine = F.linear(u, net.head.weight, net.head.bias)
        if trunks == "fine":
            expected = u, fine, None
        else:
            v = F.linear(g, net.fc2_1.weight, net.fc2_1.bias)
            coarse = F.linear(v, net.fc2_2.weight, net.fc2_2.bias)
            other = F.linear(coarse, net.fc2_3.weight, net.fc2_3.bias)
            mean = (fine + other) / 2
            if combine == "probabilities":
                mean = ((fine.softmax(1) + other.softmax(1)) / 2).log()
            expected = (u + v) / 2, mean, coarse
    assert said.embedding.shape == (3, 5) and said.output.shape == (3, 7)
    for ours, by_hand in zip(said, expected, strict=True):
        assert (ours is None) == (by_hand is None)
        if ours is not None:
            torch.testing.assert_close(ours, by_hand)
    assert trunks == "fine" or said.coarse.shape == (3, 4)


def test_two_trunks_differ_and_one_is_run_once(monkeypatch):
    two, shared = build(streams="two"), build(streams="shared")
    ours, theirs = two.fine.body[0][0].weight, two.coarse.body[0][0].weight
    assert not torch.equal(ours, theirs), "each begins with values of its own"
    calls = []
    features = type(shared.fine).features
    monkeypatch.setattr(
        type(shared.fine), "features", lambda net, x: calls.append(net) or features(net, x)
    )
    shared(pixels()), two(pixels())
    assert calls == [shared.fine, two.coarse, two.fine]


def test_every_part_learns_from_the_fine_output():
    net = build(streams="two")
    net(pixels()).output.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


def test_what_stands_between_the_layers():
    plain, relu = build(streams="shared"), build(streams={"trunks": "shared", "between": "relu"})
    relu.load_state_dict(plain.state_dict())
    assert (relu(pixels()).embedding >= 0).all() and (plain(pixels()).embedding < 0).any()
    norm = build(streams={"trunks": "fine", "between": "batch_norm"}).train()
    torch.testing.assert_close(
        norm(pixels(8)).embedding.mean(0), torch.zeros(256), atol=1e-5, rtol=0
    )


def test_each_trunk_begins_with_the_weights_file_and_is_rebuilt_with_its_input(
    tmp_path, monkeypatch
):
    from safetensors.torch import save_file

    source = NetworkSettings(**COMPACT).build(7)
    save_file(source.state_dict(), tmp_path / "faces.safetensors")
    monkeypatch.setenv("OCCKD_WEIGHTS", str(tmp_path))
    settings = NetworkSettings(**COMPACT, init="faces", streams="two", resize=40)
    net = settings.build(7)
    for trunk in net.trunks:
        assert torch.equal(trunk.body[0][0].weight, source.body[0][0].weight)
    record = {**net.init_record, "mean": [3.0], "std": [2.0]}
    again = settings.rebuild(7, record)
    assert again.input_spec.mean == (3.0,) and again.coarse.input_spec.mean == (3.0,)
    assert again.input_spec.resize == 40 and again.init_record["source"] == "faces.safetensors"
    again.load_state_dict(net.state_dict())
    restore_record(again.fine, record)


def test_cosines_are_cosines_even_in_bf16():
    net, x = build(cosine_head=True, outputs=3), pixels()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        said = net(x)
    e, w = said.embedding.float(), net.head.weight
    expected = F.normalize(e) @ F.normalize(w).T
    torch.testing.assert_close(said.output, expected, atol=1e-6, rtol=0)
    assert isinstance(build(streams="fine", cosine_head=True).head, CosineLinear)


def test_ldam_refuses_logits():
    with pytest.raises(OcckdError, match="cosine_head: true"):
        LossChoice(name="ldam").build(Facts(3, 2, (9, 3, 1)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"streams": "three"}, "trunks"),
        ({"streams": {"trunks": "two", "heads": 2}}, "heads"),
        ({"streams": "two", "cosine_head": True}, "fine stream alone"),
        ({"test_window": "corner"}, "test_window"),
    ],
)
def test_what_there_cannot_be(options, message):
    with pytest.raises(ValidationError, match=message):
        NetworkSettings(**COMPACT, **options)


def test_what_is_seen_in_testing_is_a_setting():
    spec = build(resize=40, test_window="whole").input_spec
    assert spec.whole_test and (spec.resize, spec.size) == (40, 32)
    assert not build(resize=40).input_spec.whole_test
    two = build(streams="two", resize=40, test_window="whole")
    assert all(trunk.input_spec.whole_test for trunk in two.trunks)


def test_dropout_of_both_trunks_is_before_the_streams():
    net = build(streams="two", dropout=0.5).train()
    seen = {}
    for name in ("fc1_1", "fc2_1"):
        layer = getattr(net, name)
        layer.register_forward_hook(lambda m, x, y, name=name: seen.update({name: x[0]}))
    zeros = {}
    for mode in (True, False):
        with torch.no_grad():
            net.train(mode)(pixels(8))
        zeros[mode] = {name: (value == 0).float().mean().item() for name, value in seen.items()}
    assert all(zeros[True][name] > zeros[False][name] + 0.1 for name in ("fc1_1", "fc2_1"))


def test_a_window_is_no_larger_than_its_face():
    with pytest.raises(OcckdError, match="resize is 20, but compact sees 32 pixels"):
        NetworkSettings(**COMPACT, resize=20).build(2)
