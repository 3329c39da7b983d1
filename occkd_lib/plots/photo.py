"""A photo asked about: the face found, what of it is judged visible, the answer, how sure it is."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from occkd_lib.data.synthetic.people import STUDIO, describe, draw_all
from occkd_lib.errors import OcckdError
from occkd_lib.occlusion import face_keys, occlude, view_title
from occkd_lib.plots.faces import show_image
from occkd_lib.plots.style import PALETTE, WIDTH, canvas
from occkd_lib.project import project_root

if TYPE_CHECKING:  # the extra ``apply`` may be missing
    from occkd_lib.apply import Answer, Predictor

JUDGED = "judged"  # what is visible is not said, but judged face by face
MOST = 3  # faces that are shown of one photo
GROUND, SIDE, MARGIN = 150, 240, 60  # grey; pixels of a drawn face, and around it


def asked_of_photo(
    about: str, photo: np.ndarray | bytes | None = None, visible: str = JUDGED
) -> Figure:
    """What the models in models/<about> say of a photo; a row a face, the surest three.

    photo: H x W x 3 uint8 RGB, an image file's bytes, or None for a drawn face with a mask.
    visible: "lower", "upper" or "full" says what can be seen. Nothing is written. A photo that
    cannot be read, or without a face, is a picture that says so. Raises OcckdError where the
    models, or the extra ``apply``, are missing.
    """
    asks = predictor(about, None if visible == JUDGED else visible)
    try:
        image = drawn_photo() if photo is None else pixels(photo)
        answers = asks(image)
    except OcckdError as error:
        return nothing(None, str(error))
    return answered(image, answers, asks) if answers else nothing(image, "no face is found here")


@cache
def predictor(about: str, visible: str | None) -> Predictor:
    """The models of one task that came with the book; OcckdError says what to install."""
    from occkd_lib.apply import load

    folder = project_root() / "models" / about
    if not folder.is_dir():
        raise OcckdError(
            f"no models/{about} here: it lies in the book's repository and in its wheel; or make "
            "one of your own runs, with 'occkd models publish'"
        )
    return load(folder, visible=visible)


def pixels(photo: np.ndarray | bytes) -> np.ndarray:
    """H x W x 3 uint8 RGB; OcckdError for bytes that are no image."""
    from occkd_lib.apply.photos import decoded_photo

    return decoded_photo(lambda: photo, "the photo") if isinstance(photo, bytes) else photo


def drawn_photo(view: str = "mask") -> np.ndarray:
    """A drawn person before a grey wall, H x W x 3 uint8: no photograph of anybody."""
    people, _ = describe(4, np.random.default_rng(0), STUDIO)
    face = torch.from_numpy(draw_all(people, 4, 0, SIDE))[3:]
    worn = occlude(face, view, face_keys(np.array(["3"])))[0]
    image = np.full((SIDE + 2 * MARGIN, SIDE + 2 * MARGIN, 3), GROUND, np.uint8)
    image[MARGIN:-MARGIN, MARGIN:-MARGIN] = worn.permute(1, 2, 0).numpy()
    return image


def nothing(image: np.ndarray | None, why: str) -> Figure:
    """The photo, if it is one, and why there is no answer."""
    with canvas(figsize=(WIDTH, 2.6 if image is not None else 0.8)) as (figure, [[ax]]):
        if image is None:
            ax.axis("off")
        else:
            show_image(ax, image.transpose(2, 0, 1))
        figure.suptitle(why, x=0.01, ha="left", wrap=True, fontweight="normal")
    return figure


def answered(image: np.ndarray, answers: list[Answer], asks: Predictor) -> Figure:
    """A row a face: the photo with its box, the face as the network sees it, what is said of it."""
    shown = answers[:MOST]
    with canvas(len(shown), 3, figsize=(WIDTH, 2.6 * len(shown)), width_ratios=(1, 0.7, 1)) as (
        figure, axes,
    ):  # fmt: skip
        for row, answer in zip(axes, shown, strict=True):
            show_image(row[0], image.transpose(2, 0, 1), f"a face, score {answer.score:.2f}")
            x0, y0, x1, y1 = answer.box
            row[0].add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, linewidth=2,
                                       edgecolor=PALETTE[1]))  # fmt: skip
            seen = occlude(asks.again(image, answer), answer.visible)
            show_image(row[1], seen.numpy(), judgement(answer))
            say(row[2], answer)
        if len(answers) > MOST:
            figure.suptitle(f"{len(answers)} faces, the surest {MOST}", x=0.01, ha="left")
    return figure


def judgement(answer: Answer) -> str:
    """What is taken for visible, and on what ground."""
    part = f"asked: the model of the {view_title(answer.visible)}"
    if answer.judged is None or answer.sure is None:
        return part
    told = f"visible: {view_title(answer.judged)}, {100 * answer.sure:.0f} % sure"
    return f"{told}\n{part}"


def say(ax: Axes, answer: Answer) -> None:
    """Bars of calibrated probabilities, or years with their 95 % interval."""
    if (chances := answer.probabilities) is not None:
        names = sorted(chances, key=lambda name: chances[name])
        shares = [100 * chances[name] for name in names]
        colors = [PALETTE[0] if name == answer.answer else "0.75" for name in names]
        ax.barh(names, shares, color=colors)
        ax.set(xlim=(0, 100), xlabel="probability, %")
    else:
        years = float(answer.answer)
        low, high = (years if end is None else end for end in (answer.low, answer.high))
        ax.errorbar([years], [0], xerr=[[years - low], [high - years]], fmt="o", capsize=4)
        ax.set(xlim=(0, 100), ylim=(-1, 1), yticks=[], xlabel="years, 95 % interval")
    words = answer.answer if isinstance(answer.answer, str) else f"{answer.answer:.0f} years"
    ax.set_title(str(words), loc="left")
    ax.tick_params(axis="y", length=0)
