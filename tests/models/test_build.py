"""build_model: names and options."""

import pytest
import torch

from occkd_lib.errors import OcckdError
from occkd_lib.models import NETWORKS, build_model


def test_options_reach_the_network():
    with torch.device("meta"):
        net = build_model("vgg_f", 2, input_size=95, channels=1, dropout=0.25)
    assert net.fc6.in_features == 4 * 256 and net.conv1.in_channels == 1 and net.dropout.p == 0.25


def test_unknown_network_lists_the_known():
    with pytest.raises(OcckdError, match="no network 'vgg_ff': did you mean 'vgg_f'") as error:
        build_model("vgg_ff", 2)
    assert all(name in str(error.value) for name in (*NETWORKS, "timm/NAME", "package.module:Name"))


def test_option_that_a_network_does_not_take():
    with pytest.raises(OcckdError, match="'vgg_f' takes no option 'width'; it takes: input_size"):
        build_model("vgg_f", 2, width=8)


def test_same_seed_same_weights():
    torch.manual_seed(3)
    first = build_model("compact", 2).state_dict()
    torch.manual_seed(3)
    second = build_model("compact", 2).state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)
