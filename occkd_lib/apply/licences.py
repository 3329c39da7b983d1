"""Terms of what a model was made from: data sets that the book reads, and pretrained weights."""

from __future__ import annotations

from occkd_lib.apply.facts import Licence

RESEARCH = "non-commercial research only; the people shown agreed to nothing beyond that"
DATA = {
    "ferplus": f"FER2013 pictures: {RESEARCH}, rights stay with their owners. FER+ votes: MIT "
    "(Microsoft).",
    "utkface": f"UTKFace: {RESEARCH}, rights in the pictures stay with their owners.",
    "affectnet": f"AffectNet: by agreement with its authors, {RESEARCH}.",
    "rafdb": f"RAF-DB: by agreement with its authors, {RESEARCH}.",
    "synthetic": "Built-in faces, drawn by the book itself: nobody's picture; MIT.",
}
OWN_DATA = "A data set of the publisher's own: ask the publisher for its terms."
# a part of the weights file's name -> terms; the first that fits
WEIGHTS = {
    "dlib": "dlib's face network (D. E. King): CC0 1.0. It has seen about 3 M faces, about half of "
    "them from VGG-Face and FaceScrub, which are for non-commercial research.",
    "vggface2": "MobileNet v1 of VGGFace2 (A. V. Savchenko): Apache 2.0; VGGFace2: research only.",
    "vgg_face": "VGG-Face (Parkhi, Vedaldi, Zisserman): CC BY-NC 4.0, non-commercial.",
    "vgg16": "VGG-16 (Simonyan, Zisserman): CC BY 4.0; ImageNet: non-commercial research.",
    "mobilenet_v2": "MobileNet v2: MIT and Apache 2.0; ImageNet: non-commercial research.",
    "squeezenet": "SqueezeNet: BSD; ImageNet: non-commercial research.",
}
UNKNOWN = (
    "Began with pretrained weights ({}) whose terms this book does not know: ask their source."
)
NO_WEIGHTS = "No pretrained weights: all values began at random."


def licence_of(data: str, weights: str) -> Licence:
    """Notes for a data set (``DataSettings.name``) and the file that a network began with.

    Only what was drawn by the book itself and began at random is free; anything else is tagged
    "other": for research, by the terms that its notes name.
    """
    file = weights.lower()
    known = next((note for part, note in WEIGHTS.items() if part in file), UNKNOWN.format(weights))
    free = data == "synthetic" and weights == "random"
    return Licence(
        data=DATA.get(data, OWN_DATA),
        weights=NO_WEIGHTS if weights == "random" else known,
        tag="mit" if free else "other",
    )
