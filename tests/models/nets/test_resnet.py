"""ResNets: parameters, agreement with torchvision and, of ResNet-50, with Caffe's network."""

import pytest
import torch
import torch.nn.functional as F
import torchvision
from safetensors.torch import save_file

from occkd_lib.errors import OcckdError
from occkd_lib.models import build_model, parameter_count
from occkd_lib.models.nets.resnet import (
    ResNet18,
    ResNet50,
    ResNet50Caffe,
    from_torchvision_resnet,
    from_vggface2_dag,
)
from occkd_lib.models.weights.load import load_weights

RGB_MEAN = (131.0912, 103.8827, 91.4953)
STAGES = {2: (64, 3), 3: (128, 4), 4: (256, 6), 5: (512, 3)}  # width, blocks


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("resnet18", 11_689_512 - 512 * 1000 - 1000 + 512 * 8 + 8),
        ("resnet50", 25_557_032 - 2048 * 1000 - 1000 + 2048 * 8 + 8),
    ],
)
def test_parameters(name, expected):
    """torchvision's numbers, with another head."""
    with torch.device("meta"):
        assert parameter_count(build_model(name, 8)) == expected
    assert expected in (11_180_616, 23_524_424)  # as the docstrings say


@pytest.mark.parametrize("kind", [ResNet18, ResNet50])
def test_it_is_torchvisions(kind):
    torch.manual_seed(0)
    original = getattr(torchvision.models, kind.name)(num_classes=5).eval()
    net = kind(5, input_size=32).eval()
    state = {key.replace("fc.", "head."): value for key, value in original.state_dict().items()}
    net.load_state_dict(state)
    x = torch.randn(2, 3, 40, 32)
    original.fc.register_forward_hook(lambda m, x, y: seen.append(x[0]))
    seen = []
    with torch.no_grad():
        embedding, output, _ = net(x)
        torch.testing.assert_close(output, original(x))
    assert embedding.shape == (2, kind.embedding_dim)
    torch.testing.assert_close(embedding, seen[0])


def test_input_is_imagenets_in_pixel_units():
    with torch.device("meta"):
        spec = ResNet50(2).input_spec
        for kind in (ResNet18, ResNet50):
            assert kind(2, channels=1).conv1.weight.shape == (64, 1, 7, 7)
    torch.testing.assert_close(torch.tensor(spec.mean), torch.tensor((123.675, 116.28, 103.53)))
    torch.testing.assert_close(torch.tensor(spec.std), torch.tensor((58.395, 57.12, 57.375)))


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_torchvisions_files(suffix, name, tmp_path):
    torch.manual_seed(0)
    original = getattr(torchvision.models, name)(num_classes=4).eval()
    state = original.state_dict()
    if suffix == ".pth":  # files before torch 0.4.1 lack the batch counters
        state = {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}
        torch.save(state, tmp_path / f"{name}.pth")
    else:
        save_file(state, tmp_path / f"{name}.safetensors")
    net = build_model(name, 4, init=str(tmp_path / f"{name}{suffix}")).eval()
    x = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(net(x).output, original(x))
    assert net.init_record["missing"] == []


def resnet_dag():
    """Tensors named and shaped as in resnet50_ft_dag.pth (8631 identities)."""
    torch.manual_seed(0)
    tensors = {}

    def layer(name, outputs, inputs, side):
        tensors[f"{name}.weight"] = (
            torch.randn(outputs, inputs, side, side) / (inputs * side**2) ** 0.5
        )
        tensors[f"{name}_bn.weight"] = 0.5 + torch.rand(outputs)
        tensors[f"{name}_bn.bias"] = 0.1 * torch.randn(outputs)
        tensors[f"{name}_bn.running_mean"] = 0.1 * torch.randn(outputs)
        tensors[f"{name}_bn.running_var"] = 0.5 + torch.rand(outputs)

    layer("conv1_7x7_s2", 64, 3, 7)
    wide = 64
    for stage, (width, blocks) in STAGES.items():
        for block in range(1, blocks + 1):
            name = f"conv{stage}_{block}"
            layer(f"{name}_1x1_reduce", width, wide, 1)
            layer(f"{name}_3x3", width, width, 3)
            layer(f"{name}_1x1_increase", 4 * width, width, 1)
            if block == 1:
                layer(f"{name}_1x1_proj", 4 * width, wide, 1)
            wide = 4 * width
    tensors["classifier.weight"] = torch.randn(8631, 2048, 1, 1) / 2048**0.5
    tensors["classifier.bias"] = torch.randn(8631)
    return tensors


def resnet_forward(tensors, x):
    """Caffe's network: stride in 1x1_reduce and 1x1_proj, pooling rounds up. -> 2048 values."""

    def layer(name, x, stride=1, padding=0):
        x = F.conv2d(x, tensors[f"{name}.weight"], None, stride, padding)
        kinds = ("running_mean", "running_var", "weight", "bias")
        return F.batch_norm(x, *(tensors[f"{name}_bn.{kind}"] for kind in kinds), eps=1e-5)

    x = F.max_pool2d(layer("conv1_7x7_s2", x, 2, 3).relu(), 3, 2, ceil_mode=True)
    for stage, (_, blocks) in STAGES.items():
        for block in range(1, blocks + 1):
            name, stride = f"conv{stage}_{block}", 2 if block == 1 and stage > 2 else 1
            inside = layer(f"{name}_1x1_reduce", x, stride).relu()
            inside = layer(f"{name}_3x3", inside, padding=1).relu()
            inside = layer(f"{name}_1x1_increase", inside)
            x = layer(f"{name}_1x1_proj", x, stride) if block == 1 else x
            x = (x + inside).relu()
    return x.mean((2, 3))


@pytest.fixture(scope="module")
def dag():
    return resnet_dag()


def test_vggface2_dag(dag, tmp_path):
    torch.save({k: v.half() for k, v in dag.items()}, tmp_path / "resnet50_ft_dag.pth")
    with torch.device("meta"):  # every value but the head's comes from the file
        net = ResNet50Caffe(8).eval().to_empty(device="cpu")
    load_weights(net, tmp_path / "resnet50_ft_dag.pth")
    record = net.init_record
    tensors = {k: v.half().float() for k, v in dag.items()}
    x = 60 * torch.randn(1, 3, 40, 40)
    with torch.no_grad():
        torch.testing.assert_close(net(x).embedding, resnet_forward(tensors, x))
    assert net.input_spec.mean == RGB_MEAN and net.input_spec.std == (1, 1, 1)
    assert record["missing"] == ["head.weight", "head.bias"]
    assert "VGGFace2" in record["note"] and "stride in the first 1x1" in record["note"]


def test_vggface2_classifier_is_the_head(dag):
    head = from_vggface2_dag(dag).tensors["head.weight"]
    assert torch.equal(head, dag["classifier.weight"])
    with torch.device("meta"):
        own = ResNet50Caffe(8631).state_dict()
    found = from_vggface2_dag(dag).tensors
    assert set(found) == {name for name in own if not name.endswith("num_batches_tracked")}


def test_vggface2_under_torchvisions_names_is_caffes_and_bgr(dag):
    """The tensors of VGGFace2-pytorch's .pkl files, saved as a state dict."""
    renamed = from_vggface2_dag(dag).tensors
    file = {
        k.replace("head.", "fc."): v.flatten(1) if "head.w" in k else v for k, v in renamed.items()
    }
    pretrained = from_torchvision_resnet(file)
    assert pretrained.network == "resnet50_caffe" and pretrained.mean == RGB_MEAN
    pixels = torch.randn(1, 3, 9, 9)
    torch.testing.assert_close(
        F.conv2d(pixels, pretrained.tensors["conv1.weight"]),
        F.conv2d(pixels.flip(1), file["conv1.weight"]),
    )
    imagenet = from_torchvision_resnet({**file, "fc.weight": torch.zeros(1000, 2048)})
    assert imagenet.network == "resnet50"


def test_the_two_forms_do_not_take_each_others_weights(dag, tmp_path):
    torch.save({"conv1_7x7_s2.weight": dag["conv1_7x7_s2.weight"]}, tmp_path / "ft_dag.pth")
    torch.save({"layer1.0.conv1.weight": torch.zeros(64, 64, 1, 1)}, tmp_path / "tv.pth")
    message = "ft_dag.pth: weights of resnet50_caffe, not of resnet50: set the network's name"
    with pytest.raises(OcckdError, match=message):
        build_model("resnet50", 2, init=str(tmp_path / "ft_dag.pth"))
    with pytest.raises(OcckdError, match="tv.pth: weights of resnet50, not of resnet50_caffe"):
        build_model("resnet50_caffe", 2, init=str(tmp_path / "tv.pth"))


def test_the_two_depths_do_not_take_each_others_weights(tmp_path):
    for name, side in (("resnet18", 3), ("resnet50", 1)):
        first = torch.zeros(64, 64, side, side)
        torch.save({"layer1.0.conv1.weight": first}, tmp_path / f"{name}.pth")
    for own, other in (("resnet18", "resnet50"), ("resnet50", "resnet18")):
        message = f"weights of {other}, not of {own}: set the network's name to '{other}'"
        with pytest.raises(OcckdError, match=message):
            build_model(own, 2, init=str(tmp_path / f"{other}.pth"))


def test_another_depth_of_the_same_blocks_is_told(tmp_path):
    torch.save(torchvision.models.resnet34().state_dict(), tmp_path / "r.pth")
    with pytest.raises(OcckdError, match="resnet18 has no layer1.2.conv1.weight: weights of ano"):
        build_model("resnet18", 2, init=str(tmp_path / "r.pth"))
