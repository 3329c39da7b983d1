"""MatConvNet's files: every form against an independent computation, and every refusal."""

import hashlib

import numpy as np
import pytest
import torch

from occkd_lib.errors import OcckdError
from occkd_lib.models import build_model
from occkd_lib.models.weights.load import load_weights
from occkd_lib.models.weights.matconvnet import from_matconvnet
from tests.models.weights.mat_files import (
    FORMS,
    Tiny,
    conv,
    lrn,
    pool,
    relu,
    simple,
    tiny_layers,
)


@pytest.mark.parametrize("form", FORMS)
def test_matconvnet_forms_compute_the_same(form, save):
    layers = tiny_layers()
    image = np.random.default_rng(1).random((5, 5, 3)) * 255
    path = save(FORMS[form](layers, image))
    net = Tiny()
    load_weights(net, path)
    record = net.init_record

    face = np.random.default_rng(2).normal(size=(5, 5, 3))
    hidden = relu(conv(relu(conv(face, *layers["conv1"])), *layers["fc6"]))
    expected = conv(hidden, *layers["fc8"])
    with torch.no_grad():
        embedding, output, _ = net(torch.from_numpy(face).float().permute(2, 0, 1)[None])
    np.testing.assert_allclose(embedding[0], hidden[0, 0], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(output[0], expected[0, 0], rtol=1e-5, atol=1e-5)

    assert net.input_spec.mean == pytest.approx(tuple(image.mean((0, 1))))
    assert record["source"] == "weights.mat" and record["missing"] == []
    assert record["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert len(record["loaded"]) == 6


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 3), (3, 1)])
def test_matconvnet_mean_colour(shape, save):
    path = save(simple(tiny_layers(), np.array([1.0, 2, 4]).reshape(shape)))
    assert from_matconvnet(path).mean == (1, 2, 4)


def test_matconvnet_without_mean_keeps_the_networks_and_says_so(save):
    net = Tiny()
    load_weights(net, save(simple(tiny_layers(), image=[0.0, 0.0])))
    record = net.init_record
    assert net.input_spec.mean == (0, 0, 0) and "no mean in the file" in record["note"]


@pytest.mark.parametrize("form", ["simple", "dag"])
def test_matconvnet_normalisation_constants(form, save):
    path = save(FORMS[form](tiny_layers(), lrn=(5, 1, 2e-5, 0.75)))
    assert from_matconvnet(path).constants["lrn"] == (5, 1, 2e-5, 0.75)


def test_one_class_of_a_file_that_lost_its_last_dimension(save):
    """MATLAB stores a 1 x 1 x 5 x 1 array as 1 x 1 x 5."""
    layers = tiny_layers(outputs=1)
    filters, bias = layers["fc8"]
    net = Tiny(outputs=1)
    load_weights(net, save(simple({**layers, "fc8": (filters[..., 0], bias)})))
    record = net.init_record
    assert record["missing"] == []
    np.testing.assert_allclose(net.head.weight.detach()[0], filters.ravel(), rtol=1e-6)


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
        embedding, output, _ = net.eval()(torch.from_numpy(face).float().permute(2, 0, 1)[None])
    np.testing.assert_allclose(embedding[0], x[0, 0], rtol=1e-3, atol=1e-4 * x.max())
    expected = conv(x, *layers["fc8"])[0, 0]
    np.testing.assert_allclose(output[0], expected, rtol=1e-3, atol=1e-4 * x.max())


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


@pytest.mark.parametrize("form", ["simple", "dag"])
def test_batch_normalised_file_is_refused(form, save):
    """imagenet-matconvnet-vgg-f has batch norm in place of LRN: another network."""
    ones = np.ones(4)
    layers = tiny_layers()
    layers = {"conv1": layers.pop("conv1"), "bn1": (ones, ones), **layers}
    with pytest.raises(OcckdError, match="weights.mat: tiny has no bn1.weight"):
        load_weights(Tiny(), save(FORMS[form](layers)))
