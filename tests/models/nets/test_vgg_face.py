"""VGG-face: parameters, layers, maps, embedding; public weights of VGG-16 and of VGG-face."""

import json

import pytest
import torch
import torch.nn.functional as F
import torchvision
from safetensors.torch import save_file
from torchvision.models.vgg import cfgs, make_layers

from occkd_lib.errors import OcckdError
from occkd_lib.models import build_model, normalize, parameter_count, weights_root
from occkd_lib.models.nets.vgg_face import VggFace
from occkd_lib.models.weights.load import load_weights
from tests.models.faces import pattern

KERAS = "vgg16_imagenet_conv_fp16.safetensors"


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
        embedding, output, _ = net(70 * torch.randn(4, 3, 32, 32))
    assert embedding.shape == (4, 4096) and embedding.min() == 0 and embedding.max() > 0
    assert output.shape == (4, 8) and 1e-3 < output.abs().max() < 10


def test_input():
    with torch.device("meta"):
        assert VggFace(2).input_spec.mean == (129.1863, 104.7624, 93.5940)
    with pytest.raises(OcckdError, match="at least 32"):
        VggFace(2, input_size=31)


def vgg_dag(classes):
    """Tensors named and shaped as in vgg_face_dag.pth, for 32 pixels and 64 hidden units."""
    with torch.device("meta"):
        net = VggFace(classes, input_size=32)
    torch.manual_seed(0)
    shapes = {k.replace("head", "fc8"): v.shape for k, v in net.state_dict().items()}
    return {k: 0.03 * torch.randn(shape) for k, shape in shapes.items()}


def vgg_forward(tensors, x):
    for block, depth in enumerate((2, 2, 3, 3, 3), start=1):
        for index in range(1, depth + 1):
            name = f"conv{block}_{index}"
            x = F.conv2d(x, tensors[f"{name}.weight"], tensors[f"{name}.bias"], padding=1).relu()
        x = F.max_pool2d(x, 2)
    x = x.flatten(1)
    for name in ("fc6", "fc7"):
        x = F.linear(x, tensors[f"{name}.weight"], tensors[f"{name}.bias"]).relu()
    return x, F.linear(x, tensors["fc8.weight"], tensors["fc8.bias"])


def test_vgg_face_dag(tmp_path, narrow):
    tensors = vgg_dag(2622)
    path = tmp_path / "vgg_face_dag.pth"
    torch.save(tensors, path, _use_new_zipfile_serialization=False)  # as torch did in 2018
    net = build_model("vgg_face", 2622, input_size=32, init=str(path)).eval()
    x = 60 * torch.randn(2, 3, 32, 32)
    embedding, output = vgg_forward(tensors, x)
    with torch.no_grad():
        torch.testing.assert_close(net(x).embedding, embedding)
        torch.testing.assert_close(net(x).output, output)
    assert net.input_spec.mean == (129.1863, 104.7624, 93.5940)
    assert net.init_record["missing"] == [] and "VGG-face" in net.init_record["note"]


def test_dag_of_another_number_of_classes_is_not_vgg_face(tmp_path, narrow):
    torch.save(vgg_dag(1000), tmp_path / "imagenet_dag.pth")
    net = VggFace(8, input_size=32)
    load_weights(net, tmp_path / "imagenet_dag.pth")
    record = net.init_record
    assert "1000 classes: not VGG-face; random: head" in record["note"]
    assert "no mean in the file" in record["note"]


def test_imagenet_vgg16_gives_its_reference_output(narrow):
    path = weights_root() / KERAS
    if not path.is_file():
        pytest.skip(f"no {KERAS} in the weights folder (set OCCKD_WEIGHTS)")
    net = build_model("vgg_face", 2, input_size=64, init=KERAS.removesuffix(".safetensors"))
    with torch.no_grad():
        maps = net.convolutions(normalize(pattern(224), net.input_spec)).mean((2, 3))[0]
    reference = json.loads((path.parent / "reference_outputs.json").read_text())
    expected = reference["vgg16_imagenet_conv_fp16"]
    assert maps.mean().item() == pytest.approx(expected["mean"], rel=1e-3)
    assert maps[:8].tolist() == pytest.approx(expected["first_values"], rel=1e-3, abs=1e-4)
    assert "not VGG-face" in net.init_record["note"]
    assert len(net.init_record["loaded"]) == 26
    assert net.init_record["missing"] == [
        f"{layer}.{kind}" for layer in ("fc6", "fc7", "head") for kind in ("weight", "bias")
    ]


def vgg_convolutions(naming):
    """Small-valued tensors of VGG-16's shapes under the names that ``naming(index, ...)`` gives."""
    with torch.device("meta"):
        net = VggFace(2, input_size=32)
    shapes = {k: v.shape for k, v in net.state_dict().items() if k.startswith("conv")}
    generator = torch.Generator().manual_seed(0)
    return {naming(k): torch.rand(shape, generator=generator) for k, shape in shapes.items()}


def test_keras_vgg16_is_turned_from_bgr_to_rgb(tmp_path, narrow):
    tensors = vgg_convolutions(lambda k: k.replace("conv", "block").replace("_", "_conv"))
    save_file({k: v.half() for k, v in tensors.items()}, tmp_path / "keras.safetensors")
    net = VggFace(2, input_size=32)
    load_weights(net, tmp_path / "keras.safetensors")
    face = torch.randint(0, 256, (1, 3, 8, 8)).float()
    bgr = face.flip(1) - torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1)
    expected = F.conv2d(bgr, tensors["block1_conv1.weight"].half().float())
    with torch.no_grad():
        ours = F.conv2d(normalize(face, net.input_spec), net.conv1_1.weight)
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-2)
    assert net.conv5_3.weight.dtype == torch.float32


def test_torchvision_vgg16_features(tmp_path, narrow):
    torch.manual_seed(0)
    original = make_layers(cfgs["D"]).eval()
    state = {f"features.{key}": value for key, value in original.state_dict().items()}
    torch.save(state, tmp_path / "vgg16.pth")
    net = VggFace(2, input_size=32)
    load_weights(net, tmp_path / "vgg16.pth")
    record = net.init_record
    x = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(net.convolutions(x), original(x))
    assert net.input_spec.std == pytest.approx((58.395, 57.12, 57.375))
    assert len(record["loaded"]) == 26 and "not VGG-face" in record["note"]
