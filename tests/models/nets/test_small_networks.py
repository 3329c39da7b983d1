"""MobileNets, SqueezeNet, dlib's ResNet: structure, and outputs of the public weights."""

import json

import pytest
import torch
import torch.nn.functional as F
import torchvision
from safetensors.torch import load_file, save_file

from occkd_lib.errors import OcckdError
from occkd_lib.models import build_model, normalize, parameter_count, weights_root
from occkd_lib.models.nets.dlib_face import Block, DlibFace
from occkd_lib.models.nets.mobilenet_v1 import pad_same
from occkd_lib.models.weights.load import load_weights
from tests.models.faces import pattern

PUBLIC = {
    "mobilenet_v2": "mobilenet_v2_imagenet_features_fp16",
    "squeezenet1_1": "squeezenet1_1_imagenet_fp16",
    "mobilenet_v1": "mobilenet_v1_vggface2_age_gender_fp16",
    "dlib_face": "dlib_face_resnet29_fp16",
}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mobilenet_v2", 3_504_872 - 1280 * 1000 - 1000 + 1280 * 8 + 8),
        ("squeezenet1_1", 1_235_496 - 512 * 1000 - 1000 + 512 * 8 + 8),
        ("mobilenet_v1", 3_185_088 + 10_944 + 1024 * 8 + 8),  # filters, biases, head
        ("dlib_face", 5_608_520),
    ],
)
def test_parameters(name, expected):
    with torch.device("meta"):
        assert parameter_count(build_model(name, 8)) == expected


@pytest.mark.parametrize("name", PUBLIC)
def test_grey_faces_of_another_size(name):
    with torch.device("meta"):
        net = build_model(name, 2, channels=1, input_size=120)
        embedding, output, _ = net(torch.empty(3, 1, 120, 120))
    assert embedding.shape == (3, net.embedding_dim) and output.shape == (3, 2)


@pytest.mark.parametrize("name", ["squeezenet1_1", "mobilenet_v1", "dlib_face"])
def test_random_values_neither_vanish_nor_explode(name):
    """These have no batch norm that would see to it."""
    torch.manual_seed(0)
    net = build_model(name, 2, input_size=112).eval()
    with torch.no_grad():
        embedding, output, _ = net(normalize(pattern(112), net.input_spec))
    assert embedding.abs().max() > 1e-3 and output.abs().max() < 300


@pytest.fixture
def public():
    """-> the network of a public file (loaded), its reference output, its tensors."""

    def load(name):
        path = weights_root() / f"{PUBLIC[name]}.safetensors"
        if not path.is_file():
            pytest.skip(f"no {path.name} in the weights folder (set OCCKD_WEIGHTS)")
        net = build_model(name, 2, init=PUBLIC[name]).eval()
        assert net.init_record["missing"] == ["head.weight", "head.bias"]
        reference = json.loads((path.parent / "reference_outputs.json").read_text())
        tensors = {key: value.float() for key, value in load_file(path).items()}
        return net, reference[PUBLIC[name]], tensors

    return load


def embed(net, size):
    with torch.no_grad():
        return net(normalize(pattern(size), net.input_spec)).embedding[0]


def starts(values, reference):
    return values[:8].tolist() == pytest.approx(reference["first_values"], rel=1e-3, abs=1e-4)


def test_public_mobilenet_v2(public):
    net, reference, _ = public("mobilenet_v2")
    embedding = embed(net, 224)
    assert embedding.mean().item() == pytest.approx(reference["mean"], rel=1e-3)
    assert starts(embedding, reference)


def test_public_squeezenet(public):
    """The file's conv10, which the network leaves out, on the network's last map."""
    net, reference, tensors = public("squeezenet1_1")
    with torch.no_grad():
        maps = net.body(normalize(pattern(227), net.input_spec))
        scores = F.conv2d(maps, tensors["conv10.weight"], tensors["conv10.bias"]).relu()
    scores = scores.mean((2, 3))[0]
    assert starts(scores, reference) and scores.argmax() == reference["argmax"]
    torch.testing.assert_close(embed(net, 227), maps.mean((2, 3))[0])


def test_public_mobilenet_v1(public):
    """Age and gender come from the file's own last layers, on the network's embedding."""
    net, reference, tensors = public("mobilenet_v1")
    embedding = embed(net, 224)
    assert starts(embedding, reference)

    def layer(name, x):
        return tensors[f"{name}.weight"] @ x + tensors[f"{name}.bias"]

    hidden = layer("feats", embedding).relu()
    ages = layer("age_pred", hidden).softmax(0) @ torch.arange(1.0, 101.0)
    assert layer("gender_pred", hidden).sigmoid().item() == pytest.approx(
        reference["p_male"], rel=1e-3
    )
    assert ages.item() == pytest.approx(reference["expected_age"], rel=1e-3)


def test_public_dlib(public):
    net, reference, _ = public("dlib_face")
    embedding = embed(net, 150)
    assert embedding.norm().item() == pytest.approx(reference["norm"], rel=1e-3)
    assert starts(embedding, reference)


@pytest.mark.parametrize(
    ("original", "name"),
    [
        (torchvision.models.mobilenet_v2, "mobilenet_v2"),
        (torchvision.models.squeezenet1_1, "squeezenet1_1"),
    ],
)
def test_torchvisions_own_files(original, name, tmp_path):
    torch.manual_seed(0)
    original = original(num_classes=3).eval()
    torch.save(original.state_dict(), tmp_path / "tv.pth")
    net = build_model(name, 3, input_size=64, init=str(tmp_path / "tv.pth")).eval()
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(net(x).embedding, original.features(x).mean((2, 3)))
        if name == "mobilenet_v2":  # SqueezeNet's classifier has no place here
            torch.testing.assert_close(net(x).output, original(x))
    assert net.input_spec.std == pytest.approx((58.395, 57.12, 57.375))
    assert bool(net.init_record["missing"]) == (name == "squeezenet1_1")


def test_files_say_which_network_they_are_for(tmp_path):
    torch.save(torchvision.models.squeezenet1_1().state_dict(), tmp_path / "tv.pth")
    message = "tv.pth: weights of squeezenet1_1, not of mobilenet_v2: set the network's name to"
    with pytest.raises(OcckdError, match=message):
        build_model("mobilenet_v2", 2, init=str(tmp_path / "tv.pth"))


def test_incomplete_file_names_what_is_missing(tmp_path):
    save_file({"conv32_down.conv.filters": torch.zeros(32, 3, 7, 7)}, tmp_path / "d.safetensors")
    with pytest.raises(OcckdError, match="d.safetensors: 'fc' is not there: get the file again"):
        load_weights(DlibFace(2), tmp_path / "d.safetensors")


def test_tensorflows_padding():
    """Stride 2: an even side gets one row below, an odd side one above and one below."""
    assert pad_same(torch.ones(1, 1, 4, 5), 2).tolist() == [
        [[[0.0, 1, 1, 1, 1, 1, 0]] * 4 + [[0.0] * 7]]
    ]
    assert pad_same(torch.ones(1, 1, 2, 2), 1)[0, 0].tolist() == [
        [0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0],
    ]  # fmt: skip


def test_dlibs_block_that_halves():
    """8 x 8: the convolution gives 3 x 3, the shortcut 4 x 4; zeros fill what either lacks."""
    block = Block(1, 2, down=True)
    for value in block.parameters():
        torch.nn.init.zeros_(value)
    block.conv2.bias.data = torch.tensor([1.0, 2.0])
    x = torch.arange(64.0).view(1, 1, 8, 8)
    with torch.no_grad():
        out = block(x)[0]
    means = x[0, 0].view(4, 2, 4, 2).mean((1, 3))
    inside = torch.zeros(4, 4)
    inside[:3, :3] = 1
    assert torch.equal(out[0], means + inside) and torch.equal(out[1], 2 * inside)


def test_smallest_faces_of_dlibs_network():
    with torch.device("meta"):
        assert DlibFace(2, input_size=103)(torch.empty(1, 3, 103, 103)).output.shape == (1, 2)
        with pytest.raises(OcckdError, match="at least 103"):
            DlibFace(2, input_size=102)
        with pytest.raises(RuntimeError):
            DlibFace(2)(torch.empty(1, 3, 102, 102))
