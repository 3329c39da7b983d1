"""Trained networks at work: models that describe themselves, photographs, export.

``load(folder)(photo)`` says what a model says of the faces of a photo.
"""

from occkd_lib.apply.predict import Answer, Predictor, load

__all__ = ["Answer", "Predictor", "load"]
