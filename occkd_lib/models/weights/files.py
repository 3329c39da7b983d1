"""Where weights files lie, and how their tensors are read. No code of a file is ever run."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from occkd_lib.errors import OcckdError
from occkd_lib.models.weights.pretrained import Tensors
from occkd_lib.project import here, one_line, project_root

TORCHVISION = "torchvision's weights of ImageNet, as .pth under this name,"
SOURCES = {  # of what the recipes name; none may be passed on here
    "imagenet-vgg-f": "imagenet-vgg-f.mat of MatConvNet's page of pretrained models",
    "vgg-face": "vgg-face.mat of MatConvNet's page of pretrained models",
    "resnet18": TORCHVISION,
    "resnet50": f"{TORCHVISION} or VGGFace2's ResNet-50",
    "squeezenet1_1": TORCHVISION,
    "shufflenet_v2_x1": TORCHVISION,
    "mobilenet_v2": TORCHVISION,
    "squeezenet1_1_imagenet_fp16": "torchvision's squeezenet1_1, saved as .safetensors",
    "mobilenet_v2_imagenet_features_fp16": "MobileNet v2's features, saved as .safetensors",
    "vgg16_imagenet_conv_fp16": "the convolutions of VGG-16, saved as .safetensors",
    "dlib_face_resnet29_fp16": "dlib's face recognition network (dlib.net), as .safetensors",
}

SUFFIXES = (".safetensors", ".mat", ".pth", ".pt")


def weights_root() -> Path:
    """Folder of weights files: $OCCKD_WEIGHTS, <data root>/../weights or ./weights."""
    if "OCCKD_WEIGHTS" in os.environ:
        return Path(os.environ["OCCKD_WEIGHTS"]).resolve()
    candidates = [here() / "weights", project_root() / "weights"]
    if "OCCKD_DATA" in os.environ:
        candidates.insert(0, Path(os.environ["OCCKD_DATA"]).resolve().parent / "weights")
    return next((folder for folder in candidates if folder.is_dir()), candidates[-1])


def find_weights(init: str) -> Path:
    """The file that ``init`` means: a path, or a name in weights_root(), suffix or not.

    Raises OcckdError that lists what the folder has.
    """
    root = weights_root()
    named = [root / f"{init}{suffix}" for suffix in ("", *SUFFIXES)]
    for path in (here() / init, project_root() / init, *named):
        if path.is_file():
            return path
    nothing = f"no weights {init!r}: neither a file nor a name in {root}"
    if known := SOURCES.get(init.partition(".")[0]):
        raise OcckdError(f"{nothing}: put {known} there")
    there = sorted(path.name for path in root.glob("*") if path.suffix in SUFFIXES)
    have = f"which has {', '.join(there)}" if there else "which has none"
    raise OcckdError(f"{nothing}, {have}")


def read_state_dict(path: Path) -> Tensors:
    """Tensors by name from .safetensors or .pth / .pt; OcckdError for any other content."""
    if path.suffix == ".pkl":
        raise OcckdError(
            f"{path}: a pickle may run any code when it is read, so it never is: have whoever "
            "trusts it save its tensors as .safetensors (or take the .pth form of these weights)"
        )
    if path.suffix not in (".safetensors", ".pth", ".pt"):
        raise OcckdError(f"{path}: weights are read from {', '.join(SUFFIXES)} files only")
    try:
        if path.suffix == ".safetensors":
            content = load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file raises nearly anything
        reason = one_line(error, 200)
        raise OcckdError(f"{path}: not readable ({reason}): get the file again") from None
    if not isinstance(content, dict) or not all(isinstance(v, Tensor) for v in content.values()):
        raise OcckdError(f"{path}: no plain state dict: save model.state_dict() by itself")
    return dict(content)


def sha256(path: Path) -> str:
    """Hash of a file's content, as hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
