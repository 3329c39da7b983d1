"""Batch norm at rest neither follows the batch nor remembers it."""

import torch
from torch import nn

from occkd_lib.training.norms import norms_at_rest, rest_norms


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5)).train()


def test_at_rest_for_a_while():
    net, x = network(), torch.randn(8, 3) + 5
    before = net[1].running_mean.clone()
    with norms_at_rest(net):
        assert net[2].training  # dropout goes on
        alone = net[1](net[0](x[:1]))  # one face is no batch; its answer depends on no other
        torch.testing.assert_close(net[1](net[0](x))[:1], alone)
    assert torch.equal(net[1].running_mean, before)
    assert net[1].training
    net(x)
    assert not torch.equal(net[1].running_mean, before)


def test_until_train_is_called():
    net = network()
    assert rest_norms(net) == [net[1]] and rest_norms(net) == []
    assert not net[1].training
    net.train()
    assert net[1].training
