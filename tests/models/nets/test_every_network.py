"""What holds for all of NETWORKS: what they say of themselves, layouts, devices."""

import ast
from pathlib import Path

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

import occkd_lib.models
from occkd_lib.models import NETWORKS, NetworkSettings, build_model, nets

SMALL = {"vgg_f": 63, "vgg_face": 32, "dlib_face": 103}  # the smallest faces; 32 for the others


def small(name, **options):
    return build_model(name, 5, input_size=SMALL.get(name, 32), **options)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_says_what_it_is(name):
    with torch.device("meta"):
        net = build_model(name, 5)
        spec = net.input_spec
        embedding, output, _ = net(torch.empty(2, spec.channels, spec.size, spec.size))
    assert net.name == name
    assert embedding.shape == (2, net.embedding_dim) and output.shape == (2, 5)
    assert len(spec.mean) == len(spec.std) == spec.channels
    assert net.init_record["source"] == "random" and net.init_record["sha256"] is None


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", NETWORKS)
def test_small_faces_without_memory(name, channels):
    settings = NetworkSettings(name=name, input_size=SMALL.get(name, 32), channels=channels)
    net = settings.outline(5)
    assert all(value.is_meta for value in net.state_dict().values())
    assert settings.embedding_dim(5) == net.embedding_dim


@pytest.mark.parametrize("name", NETWORKS)
def test_forward_on_one_device(name):
    """Fake CUDA tensors: a mix of devices is an error, without a GPU."""
    with FakeTensorMode():
        with torch.device("cuda"):
            net = small(name)
            spec = net.input_spec
            pixels = torch.empty(2, spec.channels, spec.size, spec.size)
        for mode in (True, False):
            embedding, output, _ = net.train(mode)(pixels)
            assert embedding.device.type == output.device.type == "cuda"
            assert embedding.shape == (2, net.embedding_dim) and output.shape == (2, 5)


@pytest.mark.parametrize("name", NETWORKS)
def test_dropout_leaves_the_embedding_clean(name):
    with torch.device("meta"):
        net = small(name, dropout=0.25)
    assert net.dropout.p == 0.25
    assert isinstance(net.dropout, torch.nn.Dropout)


@pytest.mark.parametrize("name", NETWORKS)
def test_same_seed_same_values(name, narrow):
    values = []
    for _ in range(2):
        torch.manual_seed(3)
        values.append(small(name).head.weight)
    assert torch.equal(*values)
    assert not torch.equal(values[0], small(name).head.weight)


def test_a_new_network_is_one_file(tmp_path, monkeypatch):
    """What lies in nets/ is found there; here in a second folder of that package."""
    (tmp_path / "toy.py").write_text(
        "from occkd_lib.models.base import network\n"
        "from occkd_lib.models.nets.compact import Compact\n\n"
        "@network\nclass Toy(Compact):\n    name = 'toy'\n"
    )
    monkeypatch.setattr(nets, "__path__", [*nets.__path__, str(tmp_path)])
    nets.import_files()
    try:
        assert build_model("toy", 3, width=4).embedding_dim == 32
        assert NetworkSettings(name="toy").embedding_dim() == 192
    finally:
        del NETWORKS["toy"]


def test_no_layout_is_told_by_the_mark_of_another():
    """A mark means one reader, wherever it is listed."""
    readers = {}
    for kind in NETWORKS.values():
        for mark, reader in kind.layouts.items():
            assert readers.setdefault(mark, reader) is reader


def test_neither_timm_nor_torchvision_is_imported_before_it_is_needed():
    """Each takes seconds, and every job imports the networks."""
    files = list(Path(occkd_lib.models.__file__).parent.rglob("*.py"))
    assert len(files) > 15
    for path in files:
        for node in ast.parse(path.read_text()).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            assert not {"timm", "torchvision"} & {name.split(".")[0] for name in names}, path
