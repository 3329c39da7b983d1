import numpy as np
import pytest
import torch
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn

from occkd_lib import explain
from occkd_lib.data import FaceSet
from occkd_lib.errors import OcckdError
from occkd_lib.explain import (
    grad_cam,
    mass_on_visible,
    one_population,
    randomized,
    raw_maps,
    target_layer,
)
from occkd_lib.models import NETWORKS, FaceNet, InputSpec, build_model
from occkd_lib.occlusion import OCCLUDERS, Occluder, face_keys, visible_pixels
from occkd_lib.training.device import Compute
from occkd_lib.training.views import Views

FLOAT32 = Compute(torch.device("cpu"), "fp32")
DEVICES = ["cpu", *["cuda"] * torch.cuda.is_available()]
CLASSES = {
    "expression": tuple("abcdefgh"),
    "category": tuple("abc"),
    "gender": ("male", "female"),
    "age": (),
}
BRIGHT, DARK = 255, 0  # pixels that the toy network sees as 1 and -1


class Toy(FaceNet):
    """Map 0 is x where x > 0, map 1 is -x where x < 0; the embedding is their means."""

    def __init__(self, head: list[list[float]]) -> None:
        super().__init__()
        self.input_spec = InputSpec(4, 1, (127.5,), (127.5,))
        self.body = nn.Sequential(
            nn.Conv2d(1, 2, 1, bias=False), nn.Conv2d(2, 2, 1, bias=False), nn.ReLU(inplace=True)
        )
        self.head = nn.Linear(2, len(head), bias=False)
        with torch.no_grad():
            self.body[0].weight.copy_(torch.tensor([1.0, -1.0]).view(2, 1, 1, 1))
            self.body[1].weight.copy_(torch.eye(2).view(2, 2, 1, 1))
            self.head.weight.copy_(torch.tensor(head))

    def features(self, x):
        return self.body(x).mean((2, 3))


class TwoConvolutions(FaceNet):
    """Random weights, strides, batch norm, pooling; a map of 4 x 4 cells for 9 x 9 pixels."""

    name = "two convolutions"

    def __init__(self) -> None:
        super().__init__()
        self.input_spec = InputSpec(9, 3, (127.5,) * 3, (64.0,) * 3)
        self.one = nn.Conv2d(3, 5, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(5)
        self.two = nn.Conv2d(5, 6, 2)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(6, 8)

    def maps(self, x):
        return self.two(self.norm(self.one(x)).relu())

    def features(self, x):
        return self.pool(self.maps(x).tanh()).flatten(1)


def faces(pixels, task="expression") -> FaceSet:
    """Made-up faces of one split. pixels: N x C x H x W."""
    images = torch.as_tensor(pixels, dtype=torch.uint8)
    n = len(images)
    return FaceSet(
        name="made up",
        task=task,
        classes=CLASSES[task],
        images=images,
        targets=torch.zeros(n, dtype=torch.float32 if task == "age" else torch.int64),
        ids=np.arange(n).astype(str),
        splits=np.array(["test"] * n),
        duplicate_of_train=np.zeros(n, dtype=bool),
    )


def looked_at(model, face_set, visible="full", *, device="cpu", **how):
    views = Views(face_set, model.to(device).input_spec, torch.device(device))
    return grad_cam(model, views, visible, torch.arange(len(face_set), device=device), **how)


@pytest.fixture
def random_case():
    torch.manual_seed(3)
    model = TwoConvolutions().eval()
    model.norm.running_mean.uniform_(-1, 1)
    return model, torch.randint(256, (5, 3, 9, 9), generator=torch.manual_seed(4))


# one bright row at the top, one half as bright (0.5) at the bottom, darkness (-1) between
STRIPES = torch.zeros(1, 1, 4, 4)
STRIPES[..., 0, :], STRIPES[..., 3, :] = BRIGHT, 191.25
TOP_AND_BOTTOM, BETWEEN, NOWHERE = [1, 0, 0, 0.5], [0, 1, 1, 0], [0, 0, 0, 0]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    ("task", "head", "target", "rows"),
    [
        ("expression", [[2, 0], [0, 1]] + [[0, 0]] * 6, 0, TOP_AND_BOTTOM),
        ("expression", [[2, 0], [0, 1]] + [[0, 0]] * 6, 1, BETWEEN),
        ("expression", [[2, 0], [0, 1]] + [[0, 0]] * 6, 2, NOWHERE),
        ("expression", [[2, 0], [0, 1]] + [[0, 0]] * 6, None, TOP_AND_BOTTOM),  # 0.75 beats 0.5
        ("expression", [[1, 0], [0, 1]] + [[0, 0]] * 6, None, BETWEEN),  # 0.5 beats 0.375
        ("category", [[2, 0], [0, 1], [0, 0]], 1, BETWEEN),
        ("gender", [[1, -3]], 1, TOP_AND_BOTTOM),
        ("gender", [[1, -3]], 0, BETWEEN),
        ("gender", [[1, -3]], None, BETWEEN),  # the logit is -1.125: male
        ("gender", [[3, -1]], None, TOP_AND_BOTTOM),
        ("age", [[0, 7]], None, BETWEEN),
        ("age", [[-1, -1]], None, NOWHERE),
    ],
)
def test_grad_cam_by_hand(task, head, target, rows, device):
    face = faces(STRIPES.round(), task)
    maps = looked_at(Toy(head), face, target=target, device=device)
    assert maps.shape == (1, 4, 4) and maps.device.type == "cpu"
    expected = torch.tensor(rows, dtype=torch.float32)[:, None].expand(4, 4)
    torch.testing.assert_close(maps[0], expected, atol=2e-3, rtol=0)  # 191 is not quite 0.5


def test_what_is_hidden_is_dark():
    everywhere = faces(torch.full((1, 1, 4, 4), BRIGHT))
    maps = looked_at(Toy([[1, 0]] * 8), everywhere, "lower")
    assert maps[0, :, 0].tolist() == [0, 0, 1, 1]
    maps = looked_at(Toy([[0, 1]] * 8), everywhere, "lower")  # and darkness may be evidence
    assert maps[0, :, 0].tolist() == [1, 1, 0, 0]


def test_one_target_a_face():
    two = faces(STRIPES.round().repeat(2, 1, 1, 1))
    maps = looked_at(Toy([[1, 0], [0, 1]] * 4), two, target=torch.tensor([1, 0]))
    assert maps[:, 1, 0].tolist() == [1, 0]


def test_equals_equations_1_and_2_with_autograd(random_case):
    model, pixels = random_case
    x = (pixels - 127.5) / 64
    found = raw_maps(model, target_layer(model), x, [ClassifierOutputTarget(6)] * 5)
    for k in range(5):
        feature = model.maps(x[k : k + 1])
        y = model.head(model.pool(feature.tanh()).flatten(1))[0, 6]
        (slope,) = torch.autograd.grad(y, feature)
        weight = slope.mean((2, 3), keepdim=True)
        torch.testing.assert_close(found[k], (weight * feature).sum(1)[0], atol=1e-5, rtol=0)


def test_equals_the_package_before_resizing(random_case):
    model, pixels = random_case
    x, targets = (pixels - 127.5) / 64, [ClassifierOutputTarget(c) for c in (0, 5, 5, 7, 1)]
    ours = raw_maps(model, model.two, x, targets).relu().numpy()
    cam = GradCAM(explain.OutputOnly(model, FLOAT32), [model.two])
    cam.get_target_width_height = lambda _: (4, 4)  # no resizing
    theirs = cam(x, targets)  # stretched to 0..1
    cam.activations_and_grads.release()
    ours -= ours.min((1, 2), keepdims=True)
    assert (theirs.max((1, 2)) > 0.99).sum() >= 3  # the others are empty
    np.testing.assert_allclose(ours / (1e-7 + ours.max((1, 2), keepdims=True)), theirs, atol=1e-5)


def test_batches_change_nothing(random_case, monkeypatch):
    model, pixels = random_case
    at_once = looked_at(model, faces(pixels))
    assert at_once.amax((1, 2)).tolist() == [1] * 5 and at_once.min() >= 0
    monkeypatch.setattr(explain, "BATCH", 2)
    torch.testing.assert_close(looked_at(model, faces(pixels)), at_once)


def state(model):
    return (
        [module.training for module in model.modules()],
        [weight.requires_grad for weight in model.parameters()],
        [None if weight.grad is None else weight.grad.clone() for weight in model.parameters()],
        {name: value.clone() for name, value in model.state_dict().items()},
        [len(module._forward_hooks) + len(module._backward_hooks) for module in model.modules()],
    )


def test_leaves_the_network_as_it_was(random_case):
    model, pixels = random_case
    model.train()
    model.norm.eval()
    model.one.requires_grad_(False)
    model.head.weight.grad = torch.ones(8, 6)
    before = state(model)
    looked_at(model, faces(pixels))
    with pytest.raises(RuntimeError, match="on purpose"):
        raw_maps(model, model.two, torch.zeros(1, 3, 9, 9), [fail])
    torch.testing.assert_close(state(model), before, rtol=0, atol=0)
    with torch.no_grad():  # as in an evaluation loop
        looked_at(model, faces(pixels))


def fail(output):
    raise RuntimeError("on purpose")


@pytest.mark.parametrize(("task", "target"), [("expression", 8), ("gender", -1), ("age", 0)])
def test_targets_must_be_classes(task, target):
    with pytest.raises(ValueError, match=f"target {target} is no class"):
        looked_at(Toy([[1, 1]]), faces(STRIPES, task), target=target)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_has_a_last_map(name):
    small = {"vgg_f": 63, "vgg_face": 32, "resnet50": 64}.get(name)
    model = build_model(name, 8, input_size=small)
    layer = target_layer(model)
    pixels = torch.randn(1, model.input_spec.channels, *[model.input_spec.size] * 2)
    found = raw_maps(model, layer, pixels, [torch.max])
    assert min(found.shape[1:]) > 1
    known = {"compact": "body", "resnet50": "layer4"}
    if name in known:
        assert layer is model.get_submodule(known[name])
    if name in ("vgg_f", "vgg_face", "mobilenet_v1"):
        assert isinstance(layer, nn.ReLU | nn.ReLU6)


def test_last_map_is_before_pooling_and_called_once(random_case):
    model, _ = random_case
    assert target_layer(model) is model.two  # the pool's map has one cell
    model.two = nn.Sequential(model.two, model.norm)
    model.two[1] = nn.Identity()
    model.maps = lambda x: model.again(model.two(model.again(model.one(x))))
    model.again = nn.ReLU()
    assert target_layer(model) is model.two  # "again" is called twice: which of its maps?


def test_tokens_are_no_map(random_case):
    model, _ = random_case
    tokens = nn.Flatten(2)  # a transformer's: places in a row
    model.pool = nn.Sequential(tokens, nn.Flatten(1), nn.Linear(6 * 16, 6))
    with pytest.raises(OcckdError, match="'two convolutions' does not end on a feature map"):
        target_layer(model)


def test_mass_on_visible_by_hand():
    maps = torch.zeros(4, 4, 4)
    maps[0] = 1
    maps[1, 1, 2] = 0.5
    maps[2, 0], maps[2, 2] = 0.25, 0.75
    assert mass_on_visible(maps, "lower")[:3].tolist() == [0.5, 0, 0.75]
    assert mass_on_visible(maps, "upper")[:3].tolist() == [0.5, 1, 0.25]
    assert mass_on_visible(maps, "lower")[3].isnan()  # no mass: no share
    odd = torch.ones(1, 5, 5)  # rows 0, 1, 2 are less than 5/2
    assert mass_on_visible(odd, "upper").item() == pytest.approx(3 / 5)


def test_mass_on_a_view_of_ones_own(monkeypatch):
    """A patch over the left eye: what is hidden follows from the view, not from halves."""

    def patch(images):
        hidden = images.clone()
        hidden[..., 0, :2] = 0
        return hidden

    monkeypatch.setitem(OCCLUDERS, "patch", Occluder("patch", patch))
    maps = torch.zeros(2, 4, 4)
    maps[0], maps[1, 0] = 1, torch.tensor([1.0, 2, 3, 4])
    assert mass_on_visible(maps, "patch").tolist() == pytest.approx([14 / 16, 7 / 10])
    assert mass_on_visible(maps, "full").tolist() == [1, 1]


def test_one_population_for_all_networks():
    nan = np.nan
    shares = {
        "teacher": np.array([0.5, nan, 0.25, 0.75, 1.0]),
        "student": np.array([[0.5, 0.5, 0.5, nan, 0.5], [0.5, nan, 0.5, nan, 0.0]]),
    }
    common, empty = one_population(shares)
    assert common.tolist() == [True, False, True, False, True]
    assert empty == {"teacher": 1, "student": 3}
    mean = {name: np.atleast_2d(values).mean(0)[common] for name, values in shares.items()}
    paired = (mean["student"] - mean["teacher"]).mean()
    assert paired == pytest.approx(mean["student"].mean() - mean["teacher"].mean())
    with pytest.raises(ValueError, match="of the same faces, not {'a': 2, 'b': 3}"):
        one_population({"a": np.zeros(2), "b": np.zeros(3)})
    with pytest.raises(ValueError, match="not none"):
        one_population({})


def test_saliency_has_the_experiments_precision(random_case):
    """The network runs in bfloat16 before and behind its last map; Eq. 1-2 are in float32."""
    model, pixels = random_case
    seen = {}
    model.two.register_forward_hook(lambda m, args, out: seen.update(two=out.dtype))
    model.head.register_forward_hook(lambda m, args, out: seen.update(head=out.dtype))
    exact = looked_at(model, faces(pixels))
    assert seen == {"two": torch.float32, "head": torch.float32}
    coarse = looked_at(model, faces(pixels), compute=Compute(torch.device("cpu"), "bf16"), target=6)
    assert seen == {"two": torch.bfloat16, "head": torch.bfloat16}
    exact = looked_at(model, faces(pixels), target=6)
    assert coarse.dtype == torch.float32 and not torch.equal(coarse, exact)
    torch.testing.assert_close(coarse, exact, atol=0.05, rtol=0)
    assert not torch.is_autocast_enabled("cpu")


def test_randomized_is_a_fresh_copy(random_case):
    model, pixels = random_case
    before, generator = state(model), torch.get_rng_state()
    fresh = randomized(model, seed=1)
    assert torch.equal(torch.get_rng_state(), generator)
    torch.testing.assert_close(state(model), before, rtol=0, atol=0)
    assert not torch.equal(fresh.two.weight, model.two.weight)
    assert fresh.norm.running_mean.tolist() == [0] * 5
    assert torch.equal(randomized(model, seed=1).two.weight, fresh.two.weight)
    assert not torch.equal(looked_at(fresh, faces(pixels)), looked_at(model, faces(pixels)))


def test_mass_on_what_each_face_shows():
    keys = face_keys("abcdef")
    shown = visible_pixels("upper_varied", 30, 4, keys)
    maps = torch.rand(6, 30, 4, generator=torch.Generator().manual_seed(0))
    by_hand = [float(m[s].sum() / m.sum()) for m, s in zip(maps, shown, strict=True)]
    assert mass_on_visible(maps, "upper_varied", keys).tolist() == pytest.approx(by_hand)
    assert mass_on_visible(maps, "upper_varied").tolist() != pytest.approx(by_hand, abs=1e-3)
