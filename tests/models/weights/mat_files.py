"""A network with a weights file of every form that MatConvNet writes, and its layers in numpy."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from torch import nn

from occkd_lib.models import FaceNet, InputSpec


class Tiny(FaceNet):
    """5 x 5 pixels -> conv1, 3 x 2 kernel -> 3 x 4 map -> fc6 -> head: no side equals another."""

    name = "tiny"
    constants = ("lrn",)

    def __init__(self, outputs=2, hidden=5):
        super().__init__()
        self.input_spec = InputSpec(5, 3, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
        self.embedding_dim, self.lrn = hidden, (5, 2.0, 1e-4, 0.75)
        self.conv1 = nn.Conv2d(3, 4, (3, 2))
        self.fc6 = nn.Linear(4 * 3 * 4, hidden)
        self.add_head(outputs)

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


def pool(x, size, stride, pad=0):
    """Max pooling; ``pad`` rows and columns at the bottom and right, MatConvNet's [0 1 0 1]."""
    x = np.pad(x, ((0, pad), (0, pad), (0, 0)), constant_values=-np.inf)
    return sliding_window_view(x, (size, size), (0, 1))[::stride, ::stride].max((3, 4))


def lrn(x, size, kappa, alpha, beta):
    squares = np.pad(x**2, ((0, 0), (0, 0), (size // 2, size // 2)))
    return x / (kappa + alpha * sliding_window_view(squares, size, 2).sum(3)) ** beta
