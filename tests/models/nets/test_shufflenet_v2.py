"""ShuffleNet v2: parameters, agreement with torchvision, its files."""

import pytest
import torch
import torchvision
from safetensors.torch import save_file

from occkd_lib.errors import OcckdError
from occkd_lib.models import build_model, parameter_count

SIZE = 64


@pytest.fixture(scope="module")
def original():
    """torchvision's network in eval mode, four classes, its averages those of some faces."""
    torch.manual_seed(0)
    net = torchvision.models.shufflenet_v2_x1_0(num_classes=4)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():
        net(torch.randn(8, 3, SIZE, SIZE))
    return net.eval()


def test_parameters():
    """torchvision's number, with another head."""
    with torch.device("meta"):
        count = parameter_count(build_model("shufflenet_v2", 8))
    assert count == 2_278_604 - 1024 * 1000 - 1000 + 1024 * 8 + 8 == 1_261_804


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_it_is_torchvisions(original, layout):
    """Training feeds channels_last, in which shuffling channels is another copy."""
    net = build_model("shufflenet_v2", 4, input_size=SIZE).eval().to(memory_format=layout)
    net.load_state_dict({k.replace("fc.", "head."): v for k, v in original.state_dict().items()})
    seen = []
    handle = original.fc.register_forward_hook(lambda m, x, y: seen.append(x[0]))
    x = torch.randn(2, 3, SIZE, 50)
    with torch.no_grad():
        said = net(x.to(memory_format=layout))
        torch.testing.assert_close(said.output, original(x))
    handle.remove()
    torch.testing.assert_close(said.embedding, seen[0])
    assert said.embedding.shape == (2, 1024) and said.output.std() > 0.01


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_torchvisions_files(original, suffix, tmp_path):
    path = tmp_path / f"shufflenetv2_x1{suffix}"
    save = save_file if suffix == ".safetensors" else torch.save
    save(original.state_dict(), path)
    net = build_model("shufflenet_v2", 4, input_size=SIZE, init=str(path)).eval()
    x = torch.randn(1, 3, SIZE, SIZE)
    with torch.no_grad():
        torch.testing.assert_close(net(x).output, original(x))
    assert net.init_record["missing"] == [] and "ImageNet" in net.init_record["note"]
    assert net.input_spec.std == pytest.approx((58.395, 57.12, 57.375))
    more = build_model("shufflenet_v2", 7, init=str(path))
    assert more.init_record["missing"] == ["head.weight", "head.bias"]


def test_grey_faces_of_another_size():
    with torch.device("meta"):
        net = build_model("shufflenet_v2", 2, channels=1, input_size=120)
        assert net(torch.empty(3, 1, 120, 120)).output.shape == (3, 2)


def test_files_of_others_are_refused(original, tmp_path):
    torch.save(original.state_dict(), tmp_path / "s.pth")
    message = "s.pth: weights of shufflenet_v2, not of resnet18: set the network's name to"
    with pytest.raises(OcckdError, match=message):
        build_model("resnet18", 2, init=str(tmp_path / "s.pth"))
    torch.save(torchvision.models.shufflenet_v2_x0_5().state_dict(), tmp_path / "half.pth")
    with pytest.raises(OcckdError, match="half.pth: stage2.0.branch1.2.weight is .* needs"):
        build_model("shufflenet_v2", 2, init=str(tmp_path / "half.pth"))
