"""Public face weights in torch's form: VGG-face and VGGFace2's ResNet-50, and what is refused."""

import pickle

import pytest
import torch
import torch.nn.functional as F

from occkd_lib.errors import OcckdError
from occkd_lib.models import build_model, restore_record
from occkd_lib.models.resnet50 import ResNet50Caffe, from_torchvision_resnet, from_vggface2_dag
from occkd_lib.models.vgg_face import VggFace
from occkd_lib.models.weights import load_weights

RGB_MEAN = (131.0912, 103.8827, 91.4953)
STAGES = {2: (64, 3), 3: (128, 4), 4: (256, 6), 5: (512, 3)}  # width, blocks


@pytest.fixture
def narrow(monkeypatch):
    monkeypatch.setattr("occkd_lib.models.vgg.HIDDEN", 16)


def vgg_dag(classes):
    """Tensors named and shaped as in vgg_face_dag.pth, for 32 pixels and 16 hidden units."""
    with torch.device("meta"):
        net = VggFace(classes, input_size=32)
    torch.manual_seed(0)
    shapes = {k.replace("head", "fc8"): v.shape for k, v in net.state_dict().items()}
    return {k: 0.03 * torch.randn(shape) for k, shape in shapes.items()}


def vgg_forward(tensors, x):
    for block, depth in enumerate((2, 2, 3, 3, 3), start=1):
        for index in range(1, depth + 1):
            name = f"conv{block}_{index}"
            x = F.conv2d(x, tensors[f"{name}.weight"], tensors[f"{name}.bias"], padding=1).relu()
        x = F.max_pool2d(x, 2)
    x = x.flatten(1)
    for name in ("fc6", "fc7"):
        x = F.linear(x, tensors[f"{name}.weight"], tensors[f"{name}.bias"]).relu()
    return x, F.linear(x, tensors["fc8.weight"], tensors["fc8.bias"])


def test_vgg_face_dag(tmp_path, narrow):
    tensors = vgg_dag(2622)
    path = tmp_path / "vgg_face_dag.pth"
    torch.save(tensors, path, _use_new_zipfile_serialization=False)  # as torch did in 2018
    net = build_model("vgg_face", 2622, input_size=32, init=str(path)).eval()
    x = 60 * torch.randn(2, 3, 32, 32)
    embedding, output = vgg_forward(tensors, x)
    with torch.no_grad():
        torch.testing.assert_close(net(x).embedding, embedding)
        torch.testing.assert_close(net(x).output, output)
    assert net.input_spec.mean == (129.1863, 104.7624, 93.5940)
    assert net.init_record["missing"] == [] and "VGG-face" in net.init_record["note"]


def test_dag_of_another_number_of_classes_is_not_vgg_face(tmp_path, narrow):
    torch.save(vgg_dag(1000), tmp_path / "imagenet_dag.pth")
    net = VggFace(8, input_size=32)
    record = load_weights(net, tmp_path / "imagenet_dag.pth")
    assert "1000 classes: not VGG-face; random: head" in record["note"]
    assert "no mean in the file" in record["note"]


def resnet_dag():
    """Tensors named and shaped as in resnet50_ft_dag.pth (8631 identities)."""
    torch.manual_seed(0)
    tensors = {}

    def layer(name, outputs, inputs, side):
        tensors[f"{name}.weight"] = (
            torch.randn(outputs, inputs, side, side) / (inputs * side**2) ** 0.5
        )
        tensors[f"{name}_bn.weight"] = 0.5 + torch.rand(outputs)
        tensors[f"{name}_bn.bias"] = 0.1 * torch.randn(outputs)
        tensors[f"{name}_bn.running_mean"] = 0.1 * torch.randn(outputs)
        tensors[f"{name}_bn.running_var"] = 0.5 + torch.rand(outputs)

    layer("conv1_7x7_s2", 64, 3, 7)
    wide = 64
    for stage, (width, blocks) in STAGES.items():
        for block in range(1, blocks + 1):
            name = f"conv{stage}_{block}"
            layer(f"{name}_1x1_reduce", width, wide, 1)
            layer(f"{name}_3x3", width, width, 3)
            layer(f"{name}_1x1_increase", 4 * width, width, 1)
            if block == 1:
                layer(f"{name}_1x1_proj", 4 * width, wide, 1)
            wide = 4 * width
    tensors["classifier.weight"] = torch.randn(8631, 2048, 1, 1) / 2048**0.5
    tensors["classifier.bias"] = torch.randn(8631)
    return tensors


def resnet_forward(tensors, x):
    """Caffe's network: stride in 1x1_reduce and 1x1_proj, pooling rounds up. -> 2048 values."""

    def layer(name, x, stride=1, padding=0):
        x = F.conv2d(x, tensors[f"{name}.weight"], None, stride, padding)
        kinds = ("running_mean", "running_var", "weight", "bias")
        return F.batch_norm(x, *(tensors[f"{name}_bn.{kind}"] for kind in kinds), eps=1e-5)

    x = F.max_pool2d(layer("conv1_7x7_s2", x, 2, 3).relu(), 3, 2, ceil_mode=True)
    for stage, (_, blocks) in STAGES.items():
        for block in range(1, blocks + 1):
            name, stride = f"conv{stage}_{block}", 2 if block == 1 and stage > 2 else 1
            inside = layer(f"{name}_1x1_reduce", x, stride).relu()
            inside = layer(f"{name}_3x3", inside, padding=1).relu()
            inside = layer(f"{name}_1x1_increase", inside)
            x = layer(f"{name}_1x1_proj", x, stride) if block == 1 else x
            x = (x + inside).relu()
    return x.mean((2, 3))


@pytest.fixture(scope="module")
def dag():
    return resnet_dag()


def test_vggface2_dag(dag, tmp_path):
    torch.save({k: v.half() for k, v in dag.items()}, tmp_path / "resnet50_ft_dag.pth")
    with torch.device("meta"):  # every value but the head's comes from the file
        net = ResNet50Caffe(8).eval().to_empty(device="cpu")
    record = load_weights(net, tmp_path / "resnet50_ft_dag.pth")
    tensors = {k: v.half().float() for k, v in dag.items()}
    x = 60 * torch.randn(1, 3, 40, 40)
    with torch.no_grad():
        torch.testing.assert_close(net(x).embedding, resnet_forward(tensors, x))
    assert net.input_spec.mean == RGB_MEAN and net.input_spec.std == (1, 1, 1)
    assert record["missing"] == ["head.weight", "head.bias"]
    assert "VGGFace2" in record["note"] and "stride in the first 1x1" in record["note"]


def test_vggface2_classifier_is_the_head(dag):
    head = from_vggface2_dag(dag).tensors["head.weight"]
    assert torch.equal(head, dag["classifier.weight"])
    with torch.device("meta"):
        own = ResNet50Caffe(8631).state_dict()
    found = from_vggface2_dag(dag).tensors
    assert set(found) == {name for name in own if not name.endswith("num_batches_tracked")}


def test_vggface2_under_torchvisions_names_is_caffes_and_bgr(dag):
    """The tensors of VGGFace2-pytorch's .pkl files, saved as a state dict."""
    renamed = from_vggface2_dag(dag).tensors
    file = {
        k.replace("head.", "fc."): v.flatten(1) if "head.w" in k else v for k, v in renamed.items()
    }
    pretrained = from_torchvision_resnet(file)
    assert pretrained.network == "resnet50_caffe" and pretrained.mean == RGB_MEAN
    pixels = torch.randn(1, 3, 9, 9)
    torch.testing.assert_close(
        F.conv2d(pixels, pretrained.tensors["conv1.weight"]),
        F.conv2d(pixels.flip(1), file["conv1.weight"]),
    )
    imagenet = from_torchvision_resnet({**file, "fc.weight": torch.zeros(1000, 2048)})
    assert imagenet.network == "resnet50"


def test_the_two_resnets_do_not_take_each_others_weights(dag, tmp_path):
    torch.save({"conv1_7x7_s2.weight": dag["conv1_7x7_s2.weight"]}, tmp_path / "ft_dag.pth")
    torch.save({"layer1.0.conv1.weight": torch.zeros(64, 64, 1, 1)}, tmp_path / "tv.pth")
    message = "ft_dag.pth: weights of resnet50_caffe, not of resnet50: set the network's name"
    with pytest.raises(OcckdError, match=message):
        build_model("resnet50", 2, init=str(tmp_path / "ft_dag.pth"))
    with pytest.raises(OcckdError, match="tv.pth: weights of resnet50, not of resnet50_caffe"):
        build_model("resnet50_caffe", 2, init=str(tmp_path / "tv.pth"))


def test_pickles_are_refused_unread(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "executed"), "w"))

    (tmp_path / "resnet50_ft_weight.pkl").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(OcckdError, match="resnet50_ft_weight.pkl: a pickle may run any code"):
        build_model("compact", 2, init=str(tmp_path / "resnet50_ft_weight.pkl"))
    assert not (tmp_path / "executed").exists()


def test_a_rebuilt_network_gets_back_what_the_file_changed(tmp_path, narrow):
    torch.save(vgg_dag(2622), tmp_path / "vgg_face_dag.pth")
    record = build_model("vgg_face", 2, input_size=32, init=str(tmp_path / "vgg_face_dag.pth"))
    record = {**record.init_record, "mean": [1.0, 2.0, 3.0]}  # JSON has lists
    net = build_model("vgg_face", 2, input_size=32)
    restore_record(net, record)
    assert net.input_spec.mean == (1, 2, 3) and net.init_record is record
    with torch.device("meta"):
        net = build_model("vgg_f", 2)
    restore_record(net, {**net.init_record, "lrn": [5, 1.0, 2e-5, 0.75]})
    assert net.lrn == (5, 1.0, 2e-5, 0.75)
