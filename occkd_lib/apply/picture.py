"""A photo with what was said of its faces, and where a network looked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from occkd_lib.apply.exported import AnyModel, ExportedModel
from occkd_lib.apply.model import FaceModel, hidden_as
from occkd_lib.apply.predict import Answer
from occkd_lib.data import FaceSet
from occkd_lib.errors import OcckdError
from occkd_lib.occlusion import occlude
from occkd_lib.training.views import Views

INK, PAPER = (0, 94, 184), (255, 255, 255)
SHORTER, LONGER = 300, 2400  # pixels of a side: small pictures grow to the one, up to the other


def picture(photo: np.ndarray, answers: Sequence[Answer]) -> Image.Image:
    """The photo (H x W x 3 uint8) with a box around each face and its answer above.

    A photo whose shorter side is below SHORTER grows by a whole factor, or words would cover it.
    """
    image, factor = enlarged(Image.fromarray(photo))
    pen = ImageDraw.Draw(image)
    size = max(12, round(max(image.size) / 60))
    font = ImageFont.load_default(size)
    for told in answers:
        x0, y0, x1, y1 = (factor * corner for corner in told.box)
        pen.rectangle(
            (x0, y0, max(x0, x1 - 1), max(y0, y1 - 1)), outline=INK, width=max(2, size // 8)
        )
        words = caption(told)
        left, top, right, bottom = pen.textbbox((0, 0), words, font=font)
        wide, high = right - left + size // 2, bottom - top + size // 2
        x = min(max(0, x0), max(0, image.width - wide))
        y = y0 - high if y0 >= high else min(y1, image.height - high)
        pen.rectangle((x, y, x + wide, y + high), fill=INK)
        pen.text((x + size // 4 - left, y + size // 4 - top), words, font=font, fill=PAPER)
    return image


def enlarged(image: Image.Image) -> tuple[Image.Image, int]:
    """A copy whose shorter side has SHORTER pixels or more, and by which factor it grew; one that
    is long and thin grows up to LONGER only."""
    factor = max(1, min(-(-SHORTER // min(image.size)), LONGER // max(image.size)))
    size = factor * image.width, factor * image.height
    return image.resize(size, Image.Resampling.BILINEAR), factor


def caption(told: Answer) -> str:
    """The answer in a few words: "happiness 83 %", "34 years (22 to 46)"; what
    it rests on unless that is all of the face, and whether that seems to be covered."""
    if isinstance(told.answer, str):
        chance = (told.probabilities or {}).get(told.answer)
        words = told.answer if chance is None else f"{told.answer} {100 * chance:.0f} %"
    else:
        words = f"{told.answer:.0f} years"
        if told.low is not None and told.high is not None:
            words += f" ({told.low:.0f} to {told.high:.0f})"
    words = words if told.visible == "full" else f"{words}, {told.visible} half"
    return words if told.warning is None else f"{words} (covered?)"


def with_layers(model: AnyModel) -> FaceModel:
    """The model itself; OcckdError for an export, into which Grad-CAM cannot look."""
    if isinstance(model, ExportedModel):
        raise OcckdError(
            f"{model.path} is an export, whose layers cannot be looked into: leave out --cam, or "
            "give the model's own folder"
        )
    return model


def evidence(model: AnyModel, faces: Tensor) -> Tensor:
    """Grad-CAM of what the model says of cut-out faces: N x S x S in [0, 1], see ``grad_cam``.

    faces: N x C x S x S uint8, as for ``FaceModel.predict``. Raises NoFeatureMap for a network that
    does not end on a feature map, OcckdError for an export.
    """
    model = with_layers(model)
    from occkd_lib.explain import grad_cam  # grad-cam takes seconds

    n, facts = len(faces), model.facts
    shown = FaceSet(
        name="photos",
        task=facts.task,
        classes=facts.classes,
        images=faces,
        targets=torch.zeros(n) if not facts.classes else torch.zeros(n, dtype=torch.int64),
        splits=np.array(["test"] * n),
        ids=np.arange(n).astype(str),
    )
    views = Views(shown, model.net.input_spec, torch.device("cpu"))
    return grad_cam(model.net, views, hidden_as(facts.visible), torch.arange(n))


def heated(faces: Tensor, maps: Tensor, visible: str) -> list[Image.Image]:
    """Cut-out faces (N x C x S x S uint8) with their evidence (N x s x s) laid over in red.

    Only what is ``visible`` to the model is shown.
    """
    pictures = []
    for face, map_ in zip(occlude(faces, hidden_as(visible)), maps, strict=True):
        grey = face.float().mean(0).numpy()
        heat = Image.fromarray((255 * map_.numpy()).astype(np.uint8)).resize(grey.shape[::-1])
        share = np.asarray(heat, dtype=np.float32) / 255
        red = np.stack([np.maximum(grey, 255 * share), grey * (1 - share), grey * (1 - share)], -1)
        pictures.append(Image.fromarray(red.round().astype(np.uint8)))
    return pictures
