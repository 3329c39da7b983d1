"""ResNet-50: parameters, agreement with torchvision, embedding."""

import torch
import torchvision

from occkd_lib.models import build_model, parameter_count
from occkd_lib.models.resnet50 import ResNet50


def test_parameters():
    with torch.device("meta"):
        assert parameter_count(build_model("resnet50", 8)) == 23_524_424


def test_it_is_torchvisions():
    torch.manual_seed(0)
    original = torchvision.models.resnet50(num_classes=5).eval()
    net = ResNet50(5, input_size=32).eval()
    state = {key.replace("fc.", "head."): value for key, value in original.state_dict().items()}
    net.load_state_dict(state)
    x = torch.randn(2, 3, 40, 32)
    original.fc.register_forward_hook(lambda m, x, y: seen.append(x[0]))
    seen = []
    with torch.no_grad():
        embedding, output = net(x)
        torch.testing.assert_close(output, original(x))
    assert embedding.shape == (2, 2048)
    torch.testing.assert_close(embedding, seen[0])


def test_dropout_leaves_the_embedding_clean():
    torch.manual_seed(0)
    net = ResNet50(3, dropout=0.5)
    embedding = torch.rand(2, 2048)
    assert torch.equal(net.eval().before_head(embedding), embedding)
    assert (net.train().before_head(embedding) == 0).any()


def test_input_is_imagenets_in_pixel_units():
    with torch.device("meta"):
        spec = ResNet50(2).input_spec
        assert ResNet50(2, channels=1).conv1.weight.shape == (64, 1, 7, 7)
    torch.testing.assert_close(torch.tensor(spec.mean), torch.tensor((123.675, 116.28, 103.53)))
    torch.testing.assert_close(torch.tensor(spec.std), torch.tensor((58.395, 57.12, 57.375)))
