"""A network of one's own: a file anywhere, named in a recipe by its import path.

``MINE`` is the documented example: all that such a file needs.
"""

import sys
import uuid

import pytest
import torch
from safetensors.torch import save_file

from occkd_lib.errors import OcckdError
from occkd_lib.models import NetworkSettings, build_model
from occkd_lib.models.cost import network_cost

MINE = '''
"""Two convolutions and a global average."""

from torch import nn

from occkd_lib.models import FaceNet, InputSpec
from occkd_lib.models.weights.pretrained import Pretrained, rename


def from_theirs(tensors):
    """Weights as somebody published them: other names, and pixels in 0..1."""
    tensors = rename(tensors, (r"^stem\\.", "first."), (r"^classifier\\.", "head."))
    return Pretrained(tensors, "their weights", mean=(0.0,), std=(255.0,))


class MyNet(FaceNet):
    layouts = {"stem.weight": from_theirs}  # a tensor that only their files have -> its reader

    def __init__(self, outputs, *, input_size=32, width=8):
        super().__init__()
        self.input_spec = InputSpec(input_size, 1, mean=(127.5,), std=(64.0,))
        self.embedding_dim = 2 * width
        self.first = nn.Conv2d(1, width, 5, stride=2)
        self.second = nn.Conv2d(width, 2 * width, 3)
        self.add_head(outputs)

    def features(self, x):  # B x 1 x S x S, normalised -> B x embedding_dim
        return self.second(self.first(x).relu()).relu().mean((2, 3))


def narrow(outputs, **options):  # a function that returns a network will do, too
    return MyNet(outputs, width=4, **options)


class NoFaceNet(nn.Linear):
    def __init__(self, outputs):
        super().__init__(2, outputs)


def not_a_face_net(outputs):
    return nn.Linear(2, outputs)


class Headless(FaceNet):
    def __init__(self, outputs):
        super().__init__()


def fails(outputs):
    raise ZeroDivisionError("on purpose")


NUMBER = 3
'''


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """Name of a module on the path that holds MINE."""
    name = f"networks_{uuid.uuid4().hex}"
    (tmp_path / f"{name}.py").write_text(MINE)
    monkeypatch.syspath_prepend(tmp_path)
    yield name
    sys.modules.pop(name, None)


def test_by_import_path(mine):
    net = build_model(f"{mine}:MyNet", 3, input_size=20)
    embedding, output, _ = net(torch.rand(2, 1, 20, 20))
    assert embedding.shape == (2, 16) and output.shape == (2, 3)
    assert net.name == f"{mine}:MyNet" and net.init_record["source"] == "random"
    assert build_model(f"{mine}:narrow", 3, input_size=20).embedding_dim == 8


def test_in_a_recipe(mine):
    settings = NetworkSettings(name=f"{mine}:MyNet", width=4, input_size=20)
    assert settings.embedding_dim() == 8
    first = 2 * 8 * 8 * 4 * 25  # 20 pixels, 5 x 5, stride 2: a map of 8 x 8
    second, head = 2 * 6 * 6 * 8 * 4 * 9, 2 * 8 * 5
    assert network_cost(settings, 5).forward == first + second + head


def test_its_own_reader_of_weights(mine, tmp_path):
    torch.manual_seed(0)
    values = build_model(f"{mine}:MyNet", 3).state_dict()
    theirs = {
        k.replace("first", "stem").replace("head", "classifier"): v for k, v in values.items()
    }
    save_file(theirs, tmp_path / "theirs.safetensors")
    settings = NetworkSettings(name=f"{mine}:MyNet", init=str(tmp_path / "theirs.safetensors"))
    net = settings.build(3)
    assert torch.equal(net.first.weight, values["first.weight"])
    assert torch.equal(net.head.weight, values["head.weight"])
    assert net.input_spec.std == (255.0,) and net.init_record["missing"] == []
    assert settings.rebuild(3, net.init_record).input_spec == net.input_spec


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("NoFaceNet", "is neither a subclass of FaceNet nor a function"),
        ("NUMBER", "is neither a subclass of FaceNet nor a function"),
        ("not_a_face_net", "is a Linear, not a FaceNet: derive it from FaceNet"),
        ("Headless", "does not set input_spec, embedding_dim, head"),
        ("fails", r"cannot be built \(ZeroDivisionError: on purpose\)"),
        ("Nobody", "has no 'Nobody'"),
    ],
)
def test_what_is_no_network(mine, name, message):
    with pytest.raises(OcckdError, match=message) as error:
        build_model(f"{mine}:{name}", 2)
    assert f"{mine}:{name}" in str(error.value) and "\n" not in str(error.value)


def test_options_that_it_does_not_take(mine):
    with pytest.raises(OcckdError, match="takes no option 'dropout'; it takes: input_size, width"):
        build_model(f"{mine}:MyNet", 2, dropout=0.5)
    with pytest.raises(OcckdError, match="'channels'; it takes: none"):
        build_model(f"{mine}:fails", 2, channels=1)


def test_a_module_that_is_not_there():
    with pytest.raises(OcckdError, match="network 'nowhere.at_all:MyNet' cannot be imported"):
        build_model("nowhere.at_all:MyNet", 2)
