"""timm's backbones by name: embedding, input, names, local weights. Nothing is downloaded."""

import pytest
import timm
import torch
from safetensors.torch import save_file

from occkd_lib.errors import OcckdError
from occkd_lib.models import build_model, parameter_count

SMALL = "mobilenetv3_small_050"


def test_embedding_is_timms_pooled_features():
    torch.manual_seed(0)
    net = build_model(f"timm/{SMALL}", 8, input_size=32).eval()
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        embedding, output, _ = net(x)
        assert torch.equal(embedding, net.backbone(x))
        torch.testing.assert_close(output, embedding @ net.head.weight.T + net.head.bias)
    assert net.name == f"timm/{SMALL}"


@pytest.mark.parametrize(
    ("name", "dim"),
    [("mobilenetv3_small_100", 1024), ("resnet18", 512), ("vit_tiny_patch16_224", 192)],
)
def test_embedding_dim_is_what_comes_out(name, dim):
    """mobilenetv3 widens 576 pooled channels to 1024 before its classifier."""
    with torch.device("meta"):
        net = build_model(f"timm/{name}", 5)
        embedding, output, _ = net(torch.empty(2, 3, 224, 224))
    assert net.embedding_dim == net.head.in_features == dim
    assert embedding.shape == (2, dim) and output.shape == (2, 5)


def test_parameters_are_timms():
    with torch.device("meta"):
        original = timm.create_model("resnet50", num_classes=8)
        assert parameter_count(build_model("timm/resnet50", 8)) == parameter_count(original)
    assert parameter_count(original) == 23_524_424


def test_input_is_timms_in_pixel_units():
    with torch.device("meta"):
        spec = build_model("timm/vit_tiny_patch16_224", 2).input_spec
        assert (spec.size, spec.channels, spec.mean, spec.std) == (
            224, 3, (127.5,) * 3, (127.5,) * 3,
        )  # fmt: skip
        spec = build_model("timm/resnet18", 2).input_spec
        assert spec.mean == pytest.approx((123.675, 116.28, 103.53))
        assert spec.std == pytest.approx((58.395, 57.12, 57.375))


def test_size_and_channels_can_be_others():
    with torch.device("meta"):
        net = build_model(f"timm/{SMALL}", 2, input_size=48, channels=1, dropout=0.3)
        assert net(torch.empty(2, 1, 48, 48)).output.shape == (2, 2)
        transformer = build_model("timm/vit_tiny_patch16_224", 2, input_size=64)
        assert transformer.backbone.pos_embed.shape == (1, 1 + 4 * 4, 192)
    spec = net.input_spec
    assert (spec.size, spec.channels, net.dropout.p) == (48, 1, 0.3)
    assert spec.mean == pytest.approx(((123.675 + 116.28 + 103.53) / 3,))


def test_unknown_names_say_what_is_like_them():
    with pytest.raises(OcckdError, match="timm has no network 'resnet5o'; like it: resnet5.*"):
        build_model("timm/resnet5o", 2)
    with pytest.raises(OcckdError, match="timm has no network 'hf-hub:timm/resnet18'"):
        build_model("timm/hf-hub:timm/resnet18", 2)
    with pytest.raises(OcckdError, match="cannot build 'resnet18.nothing'.*give a tag"):
        build_model("timm/resnet18.nothing", 2)
    with pytest.raises(OcckdError, match="takes no option 'width'; it takes: input_size"):
        build_model("timm/resnet18", 2, width=8)


def save(tensors, path):
    save_file(tensors, path) if path.suffix == ".safetensors" else torch.save(tensors, path)
    return str(path)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_local_weights_without_their_classifier(suffix, tmp_path):
    torch.manual_seed(0)
    original = timm.create_model(SMALL, num_classes=7).eval()
    path = save(original.state_dict(), tmp_path / f"local{suffix}")
    net = build_model(f"timm/{SMALL}", 7, input_size=32, init=path).eval()
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        features = original.forward_head(original.forward_features(x), pre_logits=True)
        assert torch.equal(net(x).embedding, features)
    record = net.init_record
    assert record["missing"] == ["head.weight", "head.bias"]
    assert "classifier in the file is left out" in record["note"]
    assert "no mean in the file" in record["note"]


def test_every_layer_must_be_in_the_file(tmp_path):
    tensors = timm.create_model(SMALL).state_dict()
    del tensors["bn1.running_mean"]
    with pytest.raises(OcckdError, match=r"backbone.bn1.running_mean \(16,\) .* is not there"):
        build_model(f"timm/{SMALL}", 2, init=save(tensors, tmp_path / "less.pth"))
    tensors = {"another.weight": torch.zeros(2)}
    with pytest.raises(OcckdError, match="has no backbone.another.weight: weights of another"):
        build_model(f"timm/{SMALL}", 2, init=save(tensors, tmp_path / "other.pth"))
