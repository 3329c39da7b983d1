"""The question in one picture: a whole face and its halves."""

import numpy as np
import pytest
import torch

from occkd_lib.plots import question


def test_the_whole_face_and_what_is_left_of_it():
    face = torch.full((3, 8, 8), 200, dtype=torch.uint8)
    figure = question(face, "by soft targets")
    whole, words, lower, upper = figure.axes
    shown = [
        np.asarray(ax.images[0].get_array()).any((1, 2)).tolist() for ax in (whole, lower, upper)
    ]
    assert shown == [[True] * 8, [False] * 4 + [True] * 4, [True] * 4 + [False] * 4]
    assert "headset" in lower.get_title() and "mask" in upper.get_title()
    assert "by soft targets" in {text.get_text() for text in words.texts}


def test_one_face_is_asked_for():
    with pytest.raises(ValueError, match="C x H x W"):
        question(torch.zeros(1, 3, 8, 8, dtype=torch.uint8))
