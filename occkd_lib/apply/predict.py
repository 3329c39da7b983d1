"""From photos to answers: faces are found, cut out as the training data were, and asked about."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from occkd_lib.apply.crop import Square, cut, place, style
from occkd_lib.apply.detect import Detector, Face, centerface, detector
from occkd_lib.apply.exported import AnyModel, file_of, read_any
from occkd_lib.apply.model import FILE, Said
from occkd_lib.apply.photos import Outside, read_photo
from occkd_lib.apply.visible import Judgement, judge_visible
from occkd_lib.errors import OcckdError
from occkd_lib.project import shipped

Photo = str | Path | Outside | np.ndarray | Image.Image
Box = tuple[float, float, float, float]
SURE = 0.7  # of a cover: 0.8 % of uncovered test faces are judged covered with that (visible.json)


@dataclass(frozen=True)
class Answer:
    """What is said of one face.

    box: x0, y0, x1, y1 in the photo's pixels; score: of the detector, 0 to 1. crop, angle: the
    square that the model saw, turned about its centre by so many degrees. visible: the part of the
    face that the answer rests on, "full" where nothing was judged to be covered with SURE; judged,
    sure: what was judged to be visible, and how sure that was, 0 to 1; None where it was given, or
    where there is one model only and nothing speaks against it. answer: class, or years.
    probabilities: class -> calibrated probability, None of a quantity. low, high: the 95 % interval
    of a quantity, None where it is not known. model: its title. warning: in words, that the answer
    rests on something that was judged to be covered; None mostly.
    """

    box: Box
    score: float
    crop: Box
    angle: float
    visible: str
    judged: str | None
    sure: float | None
    answer: str | float
    probabilities: dict[str, float] | None
    low: float | None
    high: float | None
    model: str
    warning: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON-able, numbers to four digits behind the point, boxes to a tenth of a pixel."""
        known = {k: v for k, v in vars(self).items() if v is not None}
        told = {k: round(v, 4) if isinstance(v, float) else v for k, v in known.items()}
        told |= {key: [round(x, 1) for x in getattr(self, key)] for key in ("box", "crop")}
        if self.probabilities:
            told["probabilities"] = {k: round(v, 4) for k, v in self.probabilities.items()}
        return told


def load(
    folder: str | Path,
    *,
    finds: str = "centerface",
    visible: str | None = None,
    batch_size: int = 32,
    own_code: bool = False,
) -> Predictor:
    """What answers for the model in ``folder``, or for all models in folders in it, one a view.

    folder: or a file that ``export`` wrote; a folder's may be model.onnx or model.pt. finds: the
    detector, see ``detect.detector``; "whole": photos are cropped faces. visible: "lower", "upper"
    or "full" says what can be seen of the faces; None lets it be judged, face by face, to choose
    among models of several views, or to warn of what the only one cannot see. own_code: see
    ``read_model``. Raises OcckdError for a folder without a model, models that do not go
    together, or no model of that view.
    """
    folder = shipped(folder)
    one = file_of(folder) is not None or not os.path.isdir(folder)
    places = [folder] if one else sorted(path for path in folder.glob("*/") if file_of(path))
    if not places:
        below = sorted({str(path.parents[1]) for path in folder.glob(f"*/*/{FILE}")})
        raise OcckdError(
            f"{folder} holds no model itself, but {', '.join(below)} do: give one" if below
            else f"{folder} holds no model: 'occkd models list' shows those at hand"
        )  # fmt: skip
    models = [read_any(each, own_code=own_code) for each in places]
    return Predictor(models, detector(finds), visible=visible, batch_size=batch_size)


class Predictor:
    """Models of one task, one a view, and what finds faces. See ``load``."""

    def __init__(
        self,
        models: Sequence[AnyModel],
        finds: Detector,
        *,
        visible: str | None = None,
        batch_size: int = 32,
    ) -> None:
        self.models = {model.facts.visible: model for model in models}
        first = models[0].facts
        for model in models[1:]:
            ours, theirs = ((f.task, f.classes, f.crop) for f in (first, model.facts))
            if ours != theirs:
                raise OcckdError(
                    f"{first.title} and {model.facts.title} have other tasks, classes or crops: "
                    "give a folder of models that differ in the visible part only"
                )
        if len(self.models) < len(models):
            raise OcckdError("two models of one visible part: keep one of them in the folder")
        if visible is None and len(self.models) > 1 and "full" not in self.models:
            raise OcckdError(
                f"there are models of {', '.join(self.models)}, and none for faces of which "
                "nothing is hidden: say what is visible (--visible), or add one"
            )
        if visible is not None and visible not in self.models:
            raise OcckdError(
                f"no model of visible part {visible!r} here, only {', '.join(self.models)}"
            )
        self.finds, self.visible, self.crop = finds, visible, first.crop
        self.batch_size = batch_size

    def check_search(self, boxes: Sequence[Box] | None) -> None:
        """OcckdError where faces would have to be searched for, and cut in a way nobody knows."""
        if boxes is None and self.finds is centerface:
            style(self.crop.style)

    def __call__(self, photos: Photo | Sequence[Photo], *, boxes: Sequence[Box] | None = None):
        """The faces of a photo (a list of ``Answer``), or of several (a list of such lists).

        photos: a path, H x W x 3 uint8 RGB, a Pillow image, or a list of these. boxes: where the
        faces of the one photo are, instead of a search. Raises OcckdError for a photo that cannot
        be read; ``stream`` goes on with the next one.
        """
        alone = isinstance(photos, str | Path | np.ndarray | Image.Image)
        every: Any = [photos] if alone else photos
        found = []
        for _, answers in self.stream(every, boxes=boxes):
            if isinstance(answers, OcckdError):
                raise answers
            found.append(answers)
        return found[0] if alone else found

    def stream(
        self, photos: Iterable[Photo], *, boxes: Sequence[Box] | None = None
    ) -> Iterator[tuple[Photo, list[Answer] | OcckdError]]:
        """(photo, its answers, or what is wrong with it), in order, ``batch_size`` faces at once.

        Photos are read one by one and not kept: memory does not grow with their number.
        """
        waiting: list[tuple[Photo, list[Seen] | OcckdError]] = []
        faces = 0
        for photo in photos:
            found = self.look(photo, boxes)
            waiting.append((photo, found))
            faces += 0 if isinstance(found, OcckdError) else len(found)
            if faces >= self.batch_size or len(waiting) >= 4 * self.batch_size:
                yield from self.answered(waiting)
                waiting, faces = [], 0
        yield from self.answered(waiting)

    def look(self, photo: Photo, boxes: Sequence[Box] | None = None) -> list[Seen] | OcckdError:
        """The faces of a photo, cut out, and which part of each can be seen."""
        try:
            image = pixels_of(photo)
            faces = self.finds(image) if boxes is None else [given(box, image) for box in boxes]
            return [self.seen(image, face) for face in faces]
        except OcckdError as error:
            return error

    def seen(self, image: np.ndarray, face: Face) -> Seen:
        """A face cut out as this model's training data were."""
        square = Square(face.box)
        if not face.cropped:
            square = place(face, style(self.crop.style))
        crop = cut(image, square.box, self.crop.size, angle=square.angle)
        pixels = tensor_of(crop, self.crop.channels)
        if self.visible is not None:
            return Seen(face, square, pixels, self.visible)
        judged = judge_visible(crop)
        if len(self.models) == 1:
            visible = next(iter(self.models))
            against = contradiction(visible, judged)  # else there was no choice to tell of
            return Seen(face, square, pixels, visible, judged if against else None)
        known = judged.confidence >= SURE and judged.visible in self.models
        visible = judged.visible if known else "full"
        return Seen(face, square, pixels, visible, judged)

    def again(self, image: np.ndarray, answer: Answer) -> Tensor:
        """The face of an answer, cut out of its photo once more: C x S x S uint8."""
        crop = cut(image, answer.crop, self.crop.size, angle=answer.angle)
        return tensor_of(crop, self.crop.channels)

    def answered(
        self, waiting: list[tuple[Photo, list[Seen] | OcckdError]]
    ) -> Iterator[tuple[Photo, list[Answer] | OcckdError]]:
        """Ask each model about all its faces at once."""
        every = [s for _, found in waiting if not isinstance(found, OcckdError) for s in found]
        told: dict[int, Answer] = {}
        for visible, model in self.models.items():
            mine = [s for s in every if s.visible == visible]
            if mine:
                said = model.predict(torch.stack([s.pixels for s in mine]))
                told |= {id(s): self.told(s, said, i, model) for i, s in enumerate(mine)}
        for photo, found in waiting:
            if isinstance(found, OcckdError):
                yield photo, found
            else:
                yield photo, [told[id(s)] for s in found]

    def told(self, seen: Seen, said: Said, i: int, model: AnyModel) -> Answer:
        """The i-th face of what a model said."""
        answer, classes = said.answer[i], model.facts.classes
        chances = None
        if said.probabilities is not None:
            chances = dict(zip(classes, said.probabilities[i].tolist(), strict=True))
        return Answer(
            box=seen.face.box, score=seen.face.score, crop=seen.square.box, angle=seen.square.angle,
            visible=seen.visible,
            judged=seen.judged and seen.judged.visible,
            sure=seen.judged and seen.judged.confidence,
            answer=answer if isinstance(answer, str) else float(answer),
            probabilities=chances,
            low=None if said.low is None else float(said.low[i]),
            high=None if said.high is None else float(said.high[i]),
            model=model.facts.title,
            warning=seen.judged and contradiction(seen.visible, seen.judged),
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Seen:
    """A face on its way: found, cut out (C x S x S uint8), and what is visible of it."""

    face: Face
    square: Square
    pixels: Tensor
    visible: str
    judged: Judgement | None = None


def contradiction(visible: str, judged: Judgement) -> str | None:
    """What to warn of: the model sees what is judged, with SURE, to be covered. None for nothing.

    visible: what the model sees; of views other than halves and whole faces nothing is known.
    """
    covered = {"lower": "upper", "upper": "lower"}.get(judged.visible)
    if covered is None or judged.confidence < SURE or visible not in (covered, "full"):
        return None
    seen = "the whole face" if visible == "full" else f"the {visible} half only"
    return (
        f"the {covered} half of the face seems to be covered, and this model sees {seen}: "
        "the answer may be no more than a guess"
    )


def pixels_of(photo: Photo) -> np.ndarray:
    """H x W x 3 uint8 RGB; OcckdError for anything that is no photo."""
    if isinstance(photo, str | Path | Outside):
        return read_photo(photo)
    if isinstance(photo, Image.Image):
        return np.asarray(photo.convert("RGB"))
    if photo.ndim != 3 or photo.shape[2] != 3 or photo.dtype != np.uint8 or 0 in photo.shape:
        raise OcckdError(
            f"a photo must be H x W x 3 uint8 (RGB), not {' x '.join(map(str, photo.shape))} "
            f"{photo.dtype}"
        )
    return photo


def given(box: Box, image: np.ndarray) -> Face:
    """A face whose box is the crop itself; OcckdError for one beside the photo."""
    height, width = image.shape[:2]
    if box[2] <= 0 or box[3] <= 0 or box[0] >= width or box[1] >= height:
        raise OcckdError(f"the box {tuple(box)} lies beside the photo ({width}x{height})")
    return Face(box, 1.0, cropped=True)


def tensor_of(crop: np.ndarray, channels: int) -> Tensor:
    """S x S x 3 uint8 -> C x S x S; grey by ITU-R 601 luma."""
    if channels == 1:
        return torch.from_numpy(np.array(Image.fromarray(crop).convert("L")))[None]
    return torch.from_numpy(np.array(crop)).permute(2, 0, 1).contiguous()
