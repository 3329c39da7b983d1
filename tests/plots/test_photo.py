"""A photo asked about: its picture, also where there is no answer."""

import io
import os

import numpy as np
import pytest
import torch
from PIL import Image

from occkd_lib.apply.predict import Answer
from occkd_lib.errors import OcckdError
from occkd_lib.plots import asked_of_photo
from occkd_lib.plots.photo import answered, drawn_photo, predictor

CHANCES = {"neutral": 0.2, "happiness": 0.7, "anger": 0.1}
FACE = Answer(
    box=(10.0, 20.0, 50.0, 70.0), score=0.9, crop=(10.0, 20.0, 50.0, 60.0), angle=0.0,
    visible="upper", judged="upper", sure=0.96, answer="happiness", probabilities=CHANCES, low=None,
    high=None, model="m",
)  # fmt: skip
PHOTO = np.full((80, 60, 3), 200, np.uint8)


class Asks:
    """Stands in for a Predictor: white crops, and the answers that it was given."""

    def __init__(self, *answers):
        self.answers, self.photos = list(answers), []

    def __call__(self, photo):
        self.photos.append(photo)
        return self.answers

    def again(self, image, answer):
        return torch.full((3, 8, 8), 255, dtype=torch.uint8)


def titles(figure):
    return [ax.get_title("center") or ax.get_title("left") for ax in figure.axes]


def test_the_face_what_is_visible_and_the_answer():
    figure = answered(PHOTO, [FACE], Asks())
    found, seen, said = figure.axes
    assert titles(figure) == [
        "a face, score 0.90",
        "visible: upper half, 96 % sure\nasked: the model of the upper half",
        "happiness",
    ]
    box = found.patches[0]
    assert (box.get_xy(), box.get_width(), box.get_height()) == ((10, 20), 40, 50)
    pixels = seen.images[0].get_array()
    assert pixels[:4].all() and not pixels[4:].any(), "what the network does not see is black"
    bars = dict(zip([t.get_text() for t in said.get_yticklabels()], said.patches, strict=True))
    assert {name: round(bar.get_width()) for name, bar in bars.items()} == {
        "anger": 10, "neutral": 20, "happiness": 70
    }  # fmt: skip
    assert bars["happiness"].get_facecolor() != bars["neutral"].get_facecolor()


def test_years_have_their_interval_and_a_given_half_is_not_judged():
    told = {**vars(FACE), "answer": 34.0, "probabilities": None, "low": 22.0, "high": 46.0}
    figure = answered(PHOTO, [Answer(**{**told, "judged": None, "sure": None})], Asks())
    assert titles(figure)[1:] == ["asked: the model of the upper half", "34 years"]
    bar = figure.axes[2].containers[0].lines[2][0].get_segments()[0]
    assert [end[0] for end in bar] == [22, 46]


def test_of_many_faces_the_surest_three():
    figure = answered(PHOTO, [FACE] * 5, Asks())
    assert len(figure.axes) == 9 and figure.get_suptitle() == "5 faces, the surest 3"


def test_a_file_s_bytes_are_a_photo_and_others_are_said_to_be_none(monkeypatch):
    asks = Asks()
    monkeypatch.setattr("occkd_lib.plots.photo.predictor", lambda about, visible: asks)
    file = io.BytesIO()
    Image.fromarray(PHOTO).save(file, "png")
    assert asked_of_photo("age", file.getvalue()).get_suptitle() == "no face is found here"
    assert np.array_equal(asks.photos[0], PHOTO)
    assert "the photo is not a readable image" in asked_of_photo("age", b"abc").get_suptitle()
    asked_of_photo("age")
    assert np.array_equal(asks.photos[-1], drawn_photo())


def test_what_is_visible_is_judged_or_said(monkeypatch):
    said = []
    monkeypatch.setattr(
        "occkd_lib.plots.photo.predictor", lambda about, visible: said.append(visible) or Asks()
    )
    asked_of_photo("age", PHOTO)
    asked_of_photo("age", PHOTO, "lower")
    assert said == [None, "lower"]


def test_without_models_it_says_where_they_are(tmp_path, monkeypatch):
    monkeypatch.setenv("OCCKD_ROOT", str(tmp_path))
    predictor.cache_clear()
    with pytest.raises(OcckdError, match="no models/nose here: it lies in the book's repository"):
        asked_of_photo("nose")


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    def missing():
        raise OcckdError("pip install 'occkd[apply]'")

    monkeypatch.setattr("occkd_lib.apply.detect.session", missing)
    predictor.cache_clear()
    with pytest.raises(OcckdError, match="occkd.apply"):
        asked_of_photo("expression")


def test_the_drawn_face_is_found_its_mask_noticed_and_nothing_written(tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime", reason="onnxruntime is in the extra 'apply'")
    predictor.cache_clear()
    asks = predictor("expression", None)
    monkeypatch.chdir(tmp_path)
    [face] = asks(drawn_photo())
    assert face.visible == face.judged == "upper"
    assert len(asked_of_photo("expression").axes) == 3
    assert os.listdir(tmp_path) == []
