"""``occkd predict``: what a model says of photos, a line of JSON each, and as pictures."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from occkd_lib.cli_models import OwnCode
from occkd_lib.errors import OcckdError

if TYPE_CHECKING:
    from occkd_lib.apply.predict import Answer, Predictor  # torch

MODEL = "A model's folder or export, or a folder of models that see different parts of a face."
SEEN = "What can be seen of the faces: lower, upper or full (default: judged, face by face)."
BOX = "What to cut out of the one photo for a face: x0,y0,x1,y1 (repeatable; no search then)."
EVERY = 100  # photos between two lines of progress
LONGEST = 200  # bytes of a photo's name in that of its picture


def named(text: str) -> Path:
    """A path; an empty one (``"$UNSET"``) would be this folder, with all photos in it."""
    if not text:
        raise OcckdError("a photo's name is empty: for this folder, write .")
    return Path(text)


def predict(
    model: Annotated[Path, Argument(help=MODEL)],
    photos: Annotated[
        list[Path] | None, Argument(help="Photos, or folders of photos.", parser=named)
    ] = None,
    visible: Annotated[str | None, Option(help=SEEN)] = None,
    box: Annotated[list[str] | None, Option(help=BOX)] = None,
    crop: Annotated[
        bool, Option("--crop", help="Each photo is a cropped face: no search.")
    ] = False,
    detector: Annotated[str, Option(help="What finds faces, or package.module:function")] = (
        "centerface"
    ),
    draw: Annotated[Path | None, Option(help="Folder for the photos with their answers.")] = None,
    cam: Annotated[
        bool, Option("--cam", help="With --draw: also where the network looked.")
    ] = False,
    camera: Annotated[
        int | None, Option(min=0, help="Photos of this camera, until Ctrl-C.")
    ] = None,
    batch_size: Annotated[int, Option(min=1, help="Faces that are asked about at once.")] = 32,
    own_code: OwnCode = False,
) -> None:
    """Find the faces of photos and say what the model says of them.

    One line of JSON a photo: {"photo": ..., "faces": [...]}, or {"photo": ..., "error": ...}. Ends
    with status 1 if a photo could not be read.
    """
    from occkd_lib.apply.photos import Outside, photos_in
    from occkd_lib.apply.picture import with_layers
    from occkd_lib.apply.predict import load

    if (camera is None) == (not photos):
        raise OcckdError("give photos, or a folder of them, or --camera")
    if cam and draw is None:
        raise OcckdError("--cam goes with --draw FOLDER")
    boxes = [corners(text) for text in box or ()] or None
    if boxes and (len(photos or ()) != 1 or not photos or os.path.isdir(photos[0])):
        raise OcckdError("--box is of one photo: give one")
    asks = load(
        model, finds="whole" if crop or boxes else detector,
        visible=visible, batch_size=batch_size if camera is None else 1, own_code=own_code,
    )  # fmt: skip
    asks.check_search(boxes)  # what every photo would be refused for is said once
    for each in asks.models.values() if cam else ():
        with_layers(each)
    if draw is not None:
        folder_for(draw)
    every = photos_in(photos) if photos else frames(camera or 0)
    bad = faces = number = 0
    for number, (photo, answers) in enumerate(asks.stream(every, boxes=boxes), 1):
        name = (
            str(photo) if isinstance(photo, Path | Outside) else f"camera {camera}, frame {number}"
        )
        if isinstance(answers, OcckdError):
            bad += 1
            print(json.dumps({"photo": name, "error": str(answers)}), flush=True)
        else:
            faces += len(answers)
            told = [answer.as_dict() for answer in answers]
            print(json.dumps({"photo": name, "faces": told}), flush=True)
            if draw is not None and answers:
                save(draw, number, photo, answers, asks if cam else None)
        if number % EVERY == 0:
            print(f"{number:,} photos, {faces:,} faces, {bad:,} not read", file=sys.stderr)
    if not number and photos:
        raise OcckdError(f"no photos in {', '.join(map(str, photos))}: see --help")
    if bad:
        raise typer.Exit(1)


def folder_for(path: Path) -> None:
    """Make the folder for the pictures; OcckdError where it cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OcckdError(f"--draw {path} is no folder for pictures: {error.strerror}") from None


def corners(text: str) -> tuple[float, float, float, float]:
    """``x0,y0,x1,y1`` as numbers; OcckdError for anything else."""
    try:
        x0, y0, x1, y1 = map(float, text.split(","))
    except ValueError:
        raise OcckdError(f"--box must be x0,y0,x1,y1 in pixels, not {text!r}") from None
    return x0, y0, x1, y1


def save(
    folder: Path, number: int, photo: object, answers: list[Answer], asks: Predictor | None
) -> None:
    """Write the photo with its answers, and with ``asks`` each face with its evidence.

    Raises OcckdError where the folder takes no more.
    """
    from occkd_lib.apply.picture import evidence, heated, picture
    from occkd_lib.apply.predict import pixels_of

    stem = f"{number:05d}"
    if isinstance(photo, Path):  # names may have 255 bytes, and ours is longer
        short = os.fsdecode(os.fsencode(photo.stem)[:LONGEST])
        stem += "-" + "".join(c if c.isprintable() else "_" for c in short)  # no line breaks
    image = pixels_of(photo)  # type: ignore[arg-type]
    written = {f"{stem}.png": picture(image, answers)}
    for i, answer in enumerate(answers if asks else ()):
        assert asks
        pixels = asks.again(image, answer)[None]
        maps = evidence(asks.models[answer.visible], pixels)
        written[f"{stem}-face{i}.png"] = heated(pixels, maps, answer.visible)[0]
    for name, drawn in written.items():
        try:
            drawn.save(folder / name)
        except OSError as error:
            raise OcckdError(
                f"--draw {folder} takes no more pictures ({error.strerror}): free space, or give "
                "another folder"
            ) from None


def frames(camera: int) -> Iterator:
    """The camera's pictures, H x W x 3 uint8 RGB, until it ends or Ctrl-C."""
    try:
        import cv2
    except ImportError:
        raise OcckdError("a camera needs OpenCV: pip install opencv-python") from None
    source = cv2.VideoCapture(camera)
    if not source.isOpened():
        raise OcckdError(f"camera {camera} does not open: is it there, and free?")
    try:
        while True:
            there, image = source.read()
            if not there:
                return
            yield image[:, :, ::-1].copy()  # BGR
    except KeyboardInterrupt:
        return
    finally:
        source.release()
