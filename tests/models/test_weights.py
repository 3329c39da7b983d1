"""Pretrained weights: every layout against an independent computation, and every refusal."""

import hashlib
import json

import numpy as np
import pytest
import scipy.io
import torch
import torchvision
from numpy.lib.stride_tricks import sliding_window_view
from safetensors.torch import save_file
from torch import nn
from torchvision.models.vgg import cfgs, make_layers

from occkd_lib.errors import OcckdError
from occkd_lib.models import FaceNet, InputSpec, build_model, normalize
from occkd_lib.models.matconvnet import read_matconvnet
from occkd_lib.models.vgg_face import VggFace
from occkd_lib.models.weights import load_weights, weights_root

KERAS = "vgg16_imagenet_conv_fp16.safetensors"


@pytest.fixture
def narrow(monkeypatch):
    """VGGs with 64 instead of 4096 hidden units, where a test looks at convolutions."""
    monkeypatch.setattr("occkd_lib.models.vgg.HIDDEN", 64)


class Tiny(FaceNet):
    """5 x 5 pixels -> conv1, 3 x 2 kernel -> 3 x 4 map -> fc6 -> head: no side equals another."""

    name = "tiny"

    def __init__(self, outputs=2, hidden=5):
        super().__init__()
        self.input_spec = InputSpec(5, 3, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
        self.conv1 = nn.Conv2d(3, 4, (3, 2))
        self.fc6 = nn.Linear(4 * 3 * 4, hidden)
        self.head = nn.Linear(hidden, outputs)

    def features(self, x):
        return self.fc6(self.conv1(x).relu().flatten(1)).relu()


def conv(image, filters, bias, stride=1, pad=0):
    """MatConvNet's vl_nnconv: H x W x I and h x w x I x O -> H' x W' x O."""
    image = np.pad(image, ((pad, pad), (pad, pad), (0, 0)))
    windows = sliding_window_view(image, filters.shape[:2], axis=(0, 1))[::stride, ::stride]
    return np.einsum("yxchw,hwco->yxo", windows, filters, optimize=True) + bias


def relu(x):
    return np.maximum(x, 0)


def tiny_layers(outputs=2, seed=0):
    rng = np.random.default_rng(seed)
    shapes = {"conv1": (3, 2, 3, 4), "fc6": (3, 4, 4, 5), "fc8": (1, 1, 5, outputs)}
    return {
        name: (rng.normal(size=shape), rng.normal(size=shape[-1])) for name, shape in shapes.items()
    }


def cell(*values):
    array = np.empty((1, len(values)), object)
    for index, value in enumerate(values):
        array[0, index] = value
    return array


def struct_array(rows):
    array = np.empty((1, len(rows)), [(field, object) for field in rows[0]])
    for index, row in enumerate(rows):
        array[0, index] = tuple(row.values())
    return array


def simple(layers, image=None, lrn=None, old=False):
    """A SimpleNN file; ``old`` is the form of 2014: filters, biases, no meta."""
    entries = []
    for name, (filters, bias) in layers.items():
        if old:
            entries.append(dict(type="conv", name=name, filters=filters, biases=bias[:, None]))
        else:
            entries.append(dict(name=name, type="conv", weights=cell(filters, bias), pad=0))
        entries.append(dict(type="relu", name=name.replace("conv", "relu"), weights=cell()))
    if lrn:
        entries.insert(1, dict(type="lrn", name="norm1", param=np.array([lrn])))
    normalization = {"averageImage": [] if image is None else image, "imageSize": [5.0, 5, 3]}
    rest = {"normalization": normalization} if old else {"meta": {"normalization": normalization}}
    return {"layers": cell(*entries), **rest}


def dag(layers, image=None, lrn=None, suffixes=("f", "b")):
    """A DagNN file, as DagNN.saveobj writes it."""
    params, entries = [], []
    for name, (filters, bias) in layers.items():
        params.append(dict(name=name + suffixes[0], value=filters, learningRate=1.0))
        params.append(dict(name=name + suffixes[1], value=bias, learningRate=1.0))
        names = cell(name + suffixes[0], name + suffixes[1])
        entries.append(dict(name=name, type="dagnn.Conv", params=names, block={"pad": 0}))
    if lrn:
        block = {"param": np.array([lrn])}
        entries.append(dict(name="norm1", type="dagnn.LRN", params=cell(), block=block))
    meta = {"normalization": {"averageImage": [] if image is None else image}}
    return {"params": struct_array(params), "layers": struct_array(entries), "meta": meta}


FORMS = {
    "simple": simple,
    "simple, 2014": lambda *a, **k: simple(*a, **k, old=True),
    "simple in net": lambda *a, **k: {"net": simple(*a, **k), "stats": {"train": 1.0}},
    "dag": dag,
    "dag in net": lambda *a, **k: {"net": dag(*a, **k)},
    "dag from caffe": lambda *a, **k: dag(*a, **k, suffixes=("_filter", "_bias")),
}


@pytest.fixture
def save(tmp_path):
    def write(content, name="weights.mat"):
        scipy.io.savemat(tmp_path / name, content)
        return tmp_path / name

    return write


@pytest.mark.parametrize("form", FORMS)
def test_matconvnet_forms_compute_the_same(form, save):
    layers = tiny_layers()
    image = np.random.default_rng(1).random((5, 5, 3)) * 255
    path = save(FORMS[form](layers, image))
    net = Tiny()
    record = load_weights(net, path)

    face = np.random.default_rng(2).normal(size=(5, 5, 3))
    hidden = relu(conv(relu(conv(face, *layers["conv1"])), *layers["fc6"]))
    expected = conv(hidden, *layers["fc8"])
    with torch.no_grad():
        embedding, output = net(torch.from_numpy(face).float().permute(2, 0, 1)[None])
    np.testing.assert_allclose(embedding[0], hidden[0, 0], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(output[0], expected[0, 0], rtol=1e-5, atol=1e-5)

    assert net.input_spec.mean == pytest.approx(tuple(image.mean((0, 1))))
    assert record["source"] == "weights.mat" and record["missing"] == []
    assert record["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert len(record["loaded"]) == 6


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 3), (3, 1)])
def test_matconvnet_mean_colour(shape, save):
    path = save(simple(tiny_layers(), np.array([1.0, 2, 4]).reshape(shape)))
    assert read_matconvnet(path).mean == (1, 2, 4)


def test_matconvnet_without_mean_keeps_the_networks_and_says_so(save):
    net = Tiny()
    record = load_weights(net, save(simple(tiny_layers(), image=[0.0, 0.0])))
    assert net.input_spec.mean == (0, 0, 0) and "no mean in the file" in record["note"]


@pytest.mark.parametrize("form", ["simple", "dag"])
def test_matconvnet_normalisation_constants(form, save):
    path = save(FORMS[form](tiny_layers(), lrn=(5, 1, 2e-5, 0.75)))
    assert read_matconvnet(path).lrn == (5, 1, 2e-5, 0.75)


def test_another_number_of_classes_leaves_the_head_random(save):
    torch.manual_seed(0)
    net = Tiny(outputs=7)
    before = net.head.weight.clone()
    record = load_weights(net, save(simple(tiny_layers())))
    assert torch.equal(net.head.weight, before)
    assert record["missing"] == ["head.weight", "head.bias"]
    assert "random: head.weight, head.bias" in record["note"]


def test_one_class_of_a_file_that_lost_its_last_dimension(save):
    """MATLAB stores a 1 x 1 x 5 x 1 array as 1 x 1 x 5."""
    layers = tiny_layers(outputs=1)
    filters, bias = layers["fc8"]
    net = Tiny(outputs=1)
    record = load_weights(net, save(simple({**layers, "fc8": (filters[..., 0], bias)})))
    assert record["missing"] == []
    np.testing.assert_allclose(net.head.weight.detach()[0], filters.ravel(), rtol=1e-6)


def pool(x, size, stride, pad=0):
    """Max pooling; ``pad`` rows and columns at the bottom and right, MatConvNet's [0 1 0 1]."""
    x = np.pad(x, ((0, pad), (0, pad), (0, 0)), constant_values=-np.inf)
    return sliding_window_view(x, (size, size), (0, 1))[::stride, ::stride].max((3, 4))


def lrn(x, size, kappa, alpha, beta):
    squares = np.pad(x**2, ((0, 0), (0, 0), (size // 2, size // 2)))
    return x / (kappa + alpha * sliding_window_view(squares, size, 2).sum(3)) ** beta


def test_vgg_f_from_a_file_of_its_own_structure(save, narrow):
    """95 pixels: maps 22 -> 11 -> 5 -> 2, so pooling, LRN and the order in fc6 all matter."""
    rng = np.random.default_rng(0)
    shapes = {
        "conv1": (11, 11, 3, 64), "conv2": (5, 5, 64, 256), "conv3": (3, 3, 256, 256),
        "conv4": (3, 3, 256, 256), "conv5": (3, 3, 256, 256), "fc6": (2, 2, 256, 64),
        "fc7": (1, 1, 64, 64), "fc8": (1, 1, 64, 2),
    }  # fmt: skip
    layers = {}
    for name, shape in shapes.items():
        filters = rng.random(shape, dtype=np.float32) - np.float32(0.5)
        layers[name] = (filters * (24 / np.prod(shape[:3])) ** 0.5, rng.random(shape[-1]) - 0.5)
    constants = (5, 1.0, 1e-3, 0.6)  # not the network's own: the file's must win
    net = build_model("vgg_f", 2, input_size=95, init=str(save(simple(layers, lrn=constants))))
    assert net.init_record["missing"] == [] and net.lrn == constants

    face = rng.normal(size=(95, 95, 3)) * 50
    x = pool(lrn(relu(conv(face, *layers["conv1"], stride=4)), *constants), 3, 2, pad=1)
    x = pool(lrn(relu(conv(x, *layers["conv2"], pad=2)), *constants), 3, 2)
    for name in ("conv3", "conv4", "conv5"):
        x = relu(conv(x, *layers[name], pad=1))
    x = relu(conv(pool(x, 3, 2), *layers["fc6"]))
    x = relu(conv(x, *layers["fc7"]))
    with torch.no_grad():
        embedding, output = net.eval()(torch.from_numpy(face).float().permute(2, 0, 1)[None])
    np.testing.assert_allclose(embedding[0], x[0, 0], rtol=1e-3, atol=1e-4 * x.max())
    expected = conv(x, *layers["fc8"])[0, 0]
    np.testing.assert_allclose(output[0], expected, rtol=1e-3, atol=1e-4 * x.max())


def pattern(size):
    """The synthetic image of reference_outputs.json, 1 x 3 x size x size, RGB."""
    y, x, c = np.mgrid[:size, :size, :3]
    image = (3 * x + 5 * y + 40 * c + 9 * ((x * y) % 7)) % 256
    return torch.from_numpy(image.astype(np.uint8)).permute(2, 0, 1)[None]


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
    expected = nn.functional.conv2d(bgr, tensors["block1_conv1.weight"].half().float())
    with torch.no_grad():
        ours = nn.functional.conv2d(normalize(face, net.input_spec), net.conv1_1.weight)
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-2)
    assert net.conv5_3.weight.dtype == torch.float32


def test_torchvision_vgg16_features(tmp_path, narrow):
    torch.manual_seed(0)
    original = make_layers(cfgs["D"]).eval()
    state = {f"features.{key}": value for key, value in original.state_dict().items()}
    torch.save(state, tmp_path / "vgg16.pth")
    net = VggFace(2, input_size=32)
    record = load_weights(net, tmp_path / "vgg16.pth")
    x = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(net.convolutions(x), original(x))
    assert net.input_spec.std == pytest.approx((58.395, 57.12, 57.375))
    assert len(record["loaded"]) == 26 and "not VGG-face" in record["note"]


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_torchvision_resnet50(suffix, tmp_path):
    torch.manual_seed(0)
    original = torchvision.models.resnet50(num_classes=4).eval()
    state = original.state_dict()
    if suffix == ".pth":  # files before torch 0.4.1 lack the batch counters
        state = {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}
        torch.save(state, tmp_path / "resnet50.pth")
    else:
        save_file(state, tmp_path / "resnet50.safetensors")
    net = build_model("resnet50", 4, init=str(tmp_path / f"resnet50{suffix}")).eval()
    x = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(net(x).output, original(x))
    assert net.init_record["missing"] == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"conv1": (np.zeros((2, 3, 3, 4)), np.zeros(4))},
         r"conv1.weight is \(4, 3, 2, 3\), tiny needs \(4, 3, 3, 2\): build it with"),
        ({"fc6": (np.zeros((2, 4, 4, 5)), np.zeros(5))},
         r"fc6.weight is \(5, 32\), tiny needs \(5, 48\): build it with the input_size"),
        ({"fc8_more": (np.zeros((1, 1, 2, 2)), np.zeros(2))},
         "tiny has no fc8.weight: weights of another network"),
    ],
)  # fmt: skip
def test_weights_that_do_not_fit(change, message, save):
    with pytest.raises(OcckdError, match=f"weights.mat: {message}") as error:
        load_weights(Tiny(), save(simple({**tiny_layers(), **change})))
    assert "\n" not in str(error.value)


def test_a_missing_convolution_is_an_error(save):
    layers = tiny_layers()
    del layers["conv1"]
    with pytest.raises(OcckdError, match=r"conv1.weight \(4, 3, 3, 2\) of tiny is not there"):
        load_weights(Tiny(), save(simple(layers)))


def test_nothing_is_loaded_when_something_does_not_fit(save):
    net = Tiny(hidden=6)
    before = net.conv1.weight.clone()
    with pytest.raises(OcckdError):
        load_weights(net, save(simple(tiny_layers())))
    assert torch.equal(net.conv1.weight, before)


@pytest.mark.parametrize("suffix", [".mat", ".safetensors", ".pth"])
def test_unreadable_file(suffix, tmp_path):
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(b"not weights" * 30)
    with pytest.raises(OcckdError, match=rf"broken{suffix}: not .*readable.*get") as error:
        load_weights(Tiny(), path)
    assert "\n" not in str(error.value)


def test_matlab_73_file_says_how_to_save_it(tmp_path):
    header = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"
    (tmp_path / "new.mat").write_bytes(header.ljust(600))
    with pytest.raises(OcckdError, match=r"new.mat: MATLAB 7.3 file; save it again .* '-v7'"):
        load_weights(Tiny(), tmp_path / "new.mat")


def test_truncated_file(save):
    path = save(simple(tiny_layers()))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(OcckdError, match="weights.mat: not a readable .mat file"):
        load_weights(Tiny(), path)


def test_files_of_another_kind(tmp_path, save):
    with pytest.raises(OcckdError, match="neither 'layers' .* nor 'params'"):
        load_weights(Tiny(), save({"matrix": np.eye(3)}))
    with pytest.raises(OcckdError, match="read from .safetensors, .mat, .pth, .pt files only"):
        load_weights(Tiny(), tmp_path / "weights.h5")
    save_file({"stem.weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(OcckdError, match="unknown layout .first tensor: stem.weight."):
        load_weights(Tiny(), tmp_path / "other.safetensors")
    torch.save({"state_dict": {}}, tmp_path / "nested.pth")
    with pytest.raises(OcckdError, match="no plain state dict"):
        load_weights(Tiny(), tmp_path / "nested.pth")


def test_a_pickle_is_never_executed(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (print, ("executed",))

    torch.save({"weight": Bomb()}, tmp_path / "bomb.pth")
    with pytest.raises(OcckdError, match="bomb.pth: not readable"):
        load_weights(Tiny(), tmp_path / "bomb.pth")


@pytest.mark.parametrize("form", ["simple", "dag"])
def test_batch_normalised_file_is_refused(form, save):
    """imagenet-matconvnet-vgg-f has batch norm in place of LRN: another network."""
    ones = np.ones(4)
    layers = tiny_layers()
    layers = {"conv1": layers.pop("conv1"), "bn1": (ones, ones), **layers}
    with pytest.raises(OcckdError, match="weights.mat: tiny has no bn1.weight"):
        load_weights(Tiny(), save(FORMS[form](layers)))
