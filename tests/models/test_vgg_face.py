"""VGG-face: parameters, layers, map sizes, embedding."""

import pytest
import torch
import torchvision

from occkd_lib.errors import OcckdError
from occkd_lib.models import build_model, parameter_count
from occkd_lib.models.vgg_face import VggFace


@pytest.mark.parametrize(("outputs", "expected"), [(8, 134_293_320), (2622, 145_002_878)])
def test_parameters(outputs, expected):
    with torch.device("meta"):
        assert parameter_count(build_model("vgg_face", outputs)) == expected


@pytest.mark.parametrize("size", [32, 100, 224])
def test_maps_are_vgg16s(size):
    with torch.device("meta"):
        net = VggFace(2, input_size=size)
        x = torch.empty(1, 3, size, size)
        assert net.convolutions(x).shape == torchvision.models.vgg16().features(x).shape
        assert net(x).embedding.shape == (1, 4096)


def test_layers_have_matconvnets_names():
    with torch.device("meta"):
        children = VggFace(2).named_children()
        layers = [name for name, layer in children if list(layer.parameters())]
    numbers = "1_1 1_2 2_1 2_2 3_1 3_2 3_3 4_1 4_2 4_3 5_1 5_2 5_3"
    assert layers == [f"conv{number}" for number in numbers.split()] + ["fc6", "fc7", "head"]


def test_embedding_and_logits_have_a_sane_scale():
    torch.manual_seed(0)
    net = VggFace(8, input_size=32).eval()
    with torch.no_grad():
        embedding, output = net(70 * torch.randn(4, 3, 32, 32))
    assert embedding.shape == (4, 4096) and embedding.min() == 0 and embedding.max() > 0
    assert output.shape == (4, 8) and 1e-3 < output.abs().max() < 10


def test_input():
    with torch.device("meta"):
        assert VggFace(2).input_spec.mean == (129.1863, 104.7624, 93.5940)
    with pytest.raises(OcckdError, match="at least 32"):
        VggFace(2, input_size=31)
