"""NetworkSettings: what a recipe may say, building, rebuilding, width of the embedding."""

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save_file

from occkd_lib.errors import OcckdError
from occkd_lib.models import NETWORKS, FaceNet, InputSpec, NetworkSettings, build_model
from occkd_lib.models.nets.compact import Compact
from occkd_lib.settings import first_error

SMALL = {"name": "compact", "width": 4, "input_size": 16}


def test_a_recipes_network_is_checked_when_it_is_read():
    with pytest.raises(ValidationError) as error:
        NetworkSettings(name="compcat")
    assert first_error(error.value).startswith("no network 'compcat': did you mean 'compact'?")
    with pytest.raises(ValidationError, match="'vgg_f' takes no option 'width'; it takes: input"):
        NetworkSettings(name="vgg_f", width=8)
    with pytest.raises(ValidationError, match="Extra inputs"):
        NetworkSettings(name="compact", size=8)


def test_build_passes_every_setting_on():
    settings = NetworkSettings(**SMALL, channels=3, dropout=0.25)
    torch.manual_seed(1)
    net = settings.build(7)
    torch.manual_seed(1)
    same = build_model("compact", 7, width=4, input_size=16, channels=3, dropout=0.25)
    assert all(torch.equal(v, same.state_dict()[k]) for k, v in net.state_dict().items())
    assert net.input_spec == same.input_spec and net.dropout.p == 0.25
    assert net.head.out_features == 7


@pytest.fixture
def weights(tmp_path):
    """A file of ``compact``'s values, and settings that begin with it."""
    path = tmp_path / "w.safetensors"
    save_file(build_model("compact", 2, width=4).state_dict(), path)
    return path, NetworkSettings(**SMALL, init=str(path))


def test_rebuild_does_without_the_weights_file(weights):
    path, settings = weights
    net = settings.build(2)
    path.unlink()
    record = {**net.init_record, "mean": [1.0], "std": [2.0]}
    again = settings.rebuild(2, record)
    assert again.input_spec == InputSpec(16, 1, (1.0,), (2.0,)) and again.init_record is record
    again.load_state_dict(net.state_dict())
    assert settings.rebuild(2, None).init_record["source"] == "random"


def test_width_of_the_embedding(weights):
    path, settings = weights
    path.unlink()
    assert settings.embedding_dim() == settings.embedding_dim(8) == 8 * 4
    assert NetworkSettings(name="vgg_f").embedding_dim() == 4096
    assert NetworkSettings(name="timm/mobilenetv3_small_050", input_size=32).embedding_dim() == 1024


def test_the_width_is_found_out_once_and_takes_no_randomness(monkeypatch):
    built = []

    class Counted(Compact):
        def __init__(self, outputs, **options):
            built.append(outputs)
            super().__init__(outputs, **options)

    monkeypatch.setitem(NETWORKS, "compact", Counted)
    before = torch.get_rng_state()
    for _ in range(3):
        assert NetworkSettings(name="compact", width=5).embedding_dim(3) == 40
    assert built == [3] and torch.equal(torch.get_rng_state(), before)


class Liar(FaceNet):
    """Promises 3 values and gives 2."""

    name = "liar"

    def __init__(self, outputs):
        super().__init__()
        self.input_spec = InputSpec(16, 1, (0.0,), (1.0,))
        self.embedding_dim = 3
        self.head = torch.nn.Linear(2, outputs)

    def features(self, x):
        return x.mean((2, 3)).expand(-1, 2)


class Broken(Liar):
    """Fails on its own input."""

    def features(self, x):
        return x.view(7)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Liar, r"'liar' gives \(\(2, 2\), \(2, 4\)\); .* promise \(\(2, 3\), \(2, 4\)\)"),
        (Broken, r"'liar' fails on \(2, 1, 16, 16\) images of its own input_spec \(RuntimeError"),
    ],
)
def test_networks_that_do_not_do_what_they_say(monkeypatch, kind, message):
    monkeypatch.setitem(NETWORKS, kind.__name__, kind)
    with pytest.raises(OcckdError, match=message):
        NetworkSettings(name=kind.__name__).embedding_dim(4)
