"""What is visible of a face: full, a half, what a mask or a headset leaves, or your own view.

Occlusion happens on native pixels, before any resizing: afterwards, interpolation would leak
hidden rows across the cut.

    full lower upper             nothing hidden; a black half (journal, Sect. 4.2.2)
    top_25 bottom_25             the upper, the lower 25 % black; any number of two digits
    lower_varied upper_varied    black halves whose cut lies between 40 and 60 % of the height
    mask headset band            drawn, another one for every face
    lower+mask                   a mixture: half of the faces on each
    folder/sunglasses.png        your picture, transparent where the face shows
    package.module:Name          your own function of images, ``Occluder`` or ``Varied``
"""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor

from occkd_lib.errors import OcckdError
from occkd_lib.occlusion.band import BAND
from occkd_lib.occlusion.base import Occluder, Varied, shown_by
from occkd_lib.occlusion.draws import face_keys
from occkd_lib.occlusion.halves import (
    LOWER_VARIED,
    UPPER_VARIED,
    cut_row,
    hidden_share,
    lower_half,
    part_hidden,
    upper_half,
)
from occkd_lib.occlusion.headset import HEADSET
from occkd_lib.occlusion.layers import LUMA
from occkd_lib.occlusion.mask import MASK
from occkd_lib.occlusion.mixture import PLUS, mixture
from occkd_lib.occlusion.picture import SUFFIX, picture
from occkd_lib.plugins import MARK, did_you_mean, imported

__all__ = [
    "LUMA", "OCCLUDERS", "Occluder", "Varied", "cut_row", "face_keys", "hidden_share", "lower_half",
    "occlude", "occluder", "parts_of", "upper_half", "varies", "versions", "view_title",
    "visible_pixels",
]  # fmt: skip

OCCLUDERS: dict[str, Occluder | Varied] = {
    "full": Occluder("full face", lambda images: images),
    "lower": Occluder("lower half", lower_half),
    "upper": Occluder("upper half", upper_half),
    "lower_varied": LOWER_VARIED,
    "upper_varied": UPPER_VARIED,
    "mask": MASK,
    "headset": HEADSET,
    "band": BAND,
}
TYPICAL = face_keys(f"typical face {n}" for n in range(101))  # for where any face is meant


def occluder(visible: str) -> Occluder | Varied:
    """The view called ``visible``; see above for what names there are.

    Raises ValueError for a name there is not, OcckdError for an import path or a picture that leads
    nowhere.
    """
    if visible in OCCLUDERS:
        return OCCLUDERS[visible]
    if MARK in visible:
        if PLUS in visible:
            raise ValueError(f"visible: a mixture takes the book's own views, not {visible!r}")
        found = imported("view", visible)
        own = isinstance(found, Occluder | Varied)
        return found if own else Occluder(visible.split(MARK)[1], found)
    if PLUS in visible:
        names = parts_of(visible)
        if len(set(names)) < len(names):
            raise ValueError(f"visible: a view occurs twice in {visible!r}")
        return mixture({name: occluder(name) for name in names})
    if visible.endswith(SUFFIX):
        return picture(visible)
    share = hidden_share(visible)
    if share:
        return part_hidden(*share)
    near = did_you_mean(visible, OCCLUDERS)
    raise ValueError(
        f"visible must be one of {', '.join(OCCLUDERS)}, top_25 or the like, a+b, a picture.png or "
        f"package.module:Name, not {visible!r}{near}"
    )


def parts_of(visible: str) -> tuple[str, ...]:
    """The views that a mixture mixes; of any other view itself alone."""
    return tuple(visible.split(PLUS)) if MARK not in visible else (visible,)


def varies(visible: str) -> bool:
    """Does the view differ from face to face, so that ``occlude`` must know the faces?"""
    return isinstance(occluder(visible), Varied)


def versions(views: Iterable[str]) -> dict[str, str]:
    """View -> version of what is drawn, of the views that are drawn at all."""
    found = {view: occluder(view) for view in views}
    return {view: known.version for view, known in found.items() if isinstance(known, Varied)}


def occlude(images: Tensor, visible: str, faces: Tensor | None = None) -> Tensor:
    """Set what is hidden to zero, or paint it over.

    images: ... x H x W, any dtype; not changed; of a view that varies N x C x H x W. visible: the
    view that stays: "lower" (a VR headset above), "upper" (a surgical mask below), "full", or
    another, see ``occluder``. faces: N int64, ``face_keys`` of these faces, on the images' device;
    a view that varies needs them. Returns a tensor of the same shape.
    """
    found = occluder(visible)
    if not isinstance(found, Varied):
        return found.hide(images)
    if faces is None:
        raise OcckdError(
            f"view {visible!r} hides another part of every face: say which faces these are, "
            "faces=face_keys(ids)"
        )
    return found.hide(images, faces)


def visible_pixels(visible: str, height: int, width: int, faces: Tensor | None = None) -> Tensor:
    """H x W bool: where the view shows the face; of one that varies, where it mostly does.

    faces: N int64, ``face_keys``; then N x H x W, of each of them.
    """
    if faces is not None:
        return shown_by(occluder(visible), faces, height, width)
    found = occluder(visible)
    if isinstance(found, Varied):
        return found.shows(TYPICAL, height, width).float().mean(0) > 0.5
    return shown_by(found, TYPICAL[:1], height, width)[0]


def view_title(visible: str) -> str:
    """The view in words: ``lower half``."""
    return occluder(visible).title
