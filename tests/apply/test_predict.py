"""From photos to answers: the same face, the same answer, however it comes."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from occkd_lib.apply import load
from occkd_lib.apply import predict as module
from occkd_lib.apply.crop import STYLES, cut, place
from occkd_lib.apply.detect import Face, whole
from occkd_lib.apply.model import FaceModel, Said, save_model
from occkd_lib.apply.picture import caption, enlarged, evidence, heated, picture
from occkd_lib.apply.predict import Predictor
from occkd_lib.apply.visible import Judgement
from occkd_lib.cli import app
from occkd_lib.errors import OcckdError
from tests.apply.test_model import facts, random_net

UTK = {"size": 48, "channels": 3, "style": "utkface"}
EYES = np.array([[40, 30], [60, 30], [50, 40], [42, 52], [58, 52]], float)


def model(folder, visible="lower", **change):
    chosen = facts(visible=visible, title=f"sees {visible}", **{"crop": UTK, **change})
    save_model(folder, random_net(chosen, seed=len(visible)), chosen)
    return folder


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """Three models of one task: lower, upper, full."""
    folder = tmp_path_factory.mktemp("shelf")
    for visible in ("lower", "upper", "full"):
        model(folder / visible, visible)
    return folder


def photo(seed=0, height=120, width=160):
    smooth = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(smooth).resize((width, height), Image.Resampling.BICUBIC))


def two_faces(image):
    """A detector: two faces where there are none."""
    return [Face((20, 10, 80, 70), 0.9, EYES), Face((70, 40, 130, 100), 0.5)]


def close(one, other):
    assert one.answer == other.answer and one.visible == other.visible
    assert one.probabilities == pytest.approx(other.probabilities, abs=1e-5)


def test_a_photo_and_its_crop_give_the_same_answer(shelf):
    image, box = photo(), (30.0, 20.0, 78.0, 68.0)
    (in_photo,) = load(shelf / "lower")(image, boxes=[box])
    (alone,) = load(shelf / "lower", finds="whole")(image[20:68, 30:78])
    close(in_photo, alone)
    assert in_photo.box == in_photo.crop == box and in_photo.sure is None
    assert sum(in_photo.probabilities.values()) == pytest.approx(1)


def test_a_found_face_is_cut_as_the_training_data_were(shelf):
    asks = load(shelf / "upper", finds="tests.apply.test_predict:two_faces")
    image = photo()
    for told, face in zip(asks(image), two_faces(image), strict=True):
        square = place(face, STYLES["utkface"])
        pixels = cut(image, square.box, 48, angle=square.angle)
        said = asks.models["upper"].predict(torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None])
        assert told.answer == said.answer[0] and told.score == face.score
        chances = pytest.approx(said.probabilities[0].tolist(), abs=1e-5)
        assert list(told.probabilities.values()) == chances
        assert (told.box, told.crop, told.angle) == (face.box, square.box, square.angle)
        torch.testing.assert_close(
            asks.again(image, told), torch.from_numpy(pixels.copy()).permute(2, 0, 1)
        )


def test_neither_order_nor_batches_matter(shelf, tmp_path):
    photos = [photo(seed) for seed in range(7)]
    kinds = {"finds": "tests.apply.test_predict:two_faces", "visible": "lower"}
    together = load(shelf, **kinds)(photos)
    for size in (1, 3):
        alone = load(shelf, **kinds, batch_size=size)(photos[::-1])[::-1]
        assert [len(faces) for faces in alone] == [2] * 7
        for ours, theirs in zip(together, alone, strict=True):
            for one, other in zip(ours, theirs, strict=True):
                close(one, other)
    # a path, a Pillow image and pixels are one photo
    Image.fromarray(photos[0]).save(tmp_path / "p.png")
    asks = load(shelf, **kinds)
    for form in (tmp_path / "p.png", str(tmp_path / "p.png"), Image.fromarray(photos[0])):
        close(asks(form)[0], together[0][0])


def test_each_face_is_asked_of_the_model_for_what_it_shows(shelf):
    asks = load(shelf, finds="whole")
    face = photo(height=48, width=48)
    above, below = face.copy(), face.copy()
    above[24:], below[:24] = 0, 0
    told = [asks(image)[0] for image in (above, below)]
    assert [t.visible for t in told] == ["upper", "lower"]
    assert [t.model for t in told] == ["sees upper", "sees lower"]
    assert [t.judged for t in told] == ["upper", "lower"] and all(t.sure == 1 for t in told)
    (said,) = load(shelf, finds="whole", visible="full")(above)
    assert (said.visible, said.judged, said.sure) == ("full", None, None)
    close(load(shelf / "upper", finds="whole")(face)[0], told[0])


@pytest.mark.parametrize(
    ("judged", "asked"),
    [(("upper", 0.71), "upper"), (("upper", 0.69), "full"), (("lower", 0.9), "full")],
)
def test_a_judgement_that_is_not_sure_or_has_no_model_changes_nothing(
    shelf, monkeypatch, judged, asked
):
    monkeypatch.setattr(module, "judge_visible", lambda crop: Judgement(*judged))
    two = [load(shelf / name).models[name] for name in ("full", "upper")]
    (told,) = Predictor(two, whole)(photo())
    assert (told.visible, told.judged, told.sure) == (asked, *judged)


def test_what_does_not_go_together(shelf, tmp_path):
    with pytest.raises(OcckdError, match="no model of visible part 'band' here, only full, lower"):
        load(shelf, visible="band")
    with pytest.raises(OcckdError, match="holds no model"):
        load(tmp_path)
    with pytest.raises(OcckdError, match=r"model.safetensors is missing"):
        load(tmp_path / "nowhere")
    model(tmp_path / "a", "lower")
    model(tmp_path / "b", "upper", classes=["a", "b", "d"])
    with pytest.raises(OcckdError, match="other tasks, classes or crops"):
        load(tmp_path)
    with pytest.raises(OcckdError, match="two models of one visible part"):
        Predictor([*load(shelf / "lower").models.values()] * 2, two_faces)
    halves = [load(shelf / name).models[name] for name in ("lower", "upper")]
    with pytest.raises(OcckdError, match="none for faces of which nothing is hidden"):
        Predictor(halves, whole)
    assert Predictor(halves, whole, visible="upper")(photo())


def test_a_bad_photo_stops_nothing_but_a_single_call(shelf, tmp_path):
    (tmp_path / "bad.png").write_text("no picture")
    asks = load(shelf / "full", finds="whole")
    found = list(asks.stream([photo(), tmp_path / "bad.png", photo(1)]))
    assert [type(told) for _, told in found] == [list, OcckdError, list]
    assert "bad.png" in str(found[1][1])
    with pytest.raises(OcckdError, match=r"bad\.png"):
        asks(tmp_path / "bad.png")
    with pytest.raises(OcckdError, match="H x W x 3 uint8"):
        asks(np.zeros((4, 4), np.uint8))
    assert asks([]) == []


def test_years_come_with_their_interval(tmp_path):
    years = {"task": "age", "classes": [], "outputs": 1, "calibration": {"n": 9, "spread": 5.0}}
    (told,) = load(model(tmp_path / "m", **years), finds="whole")(photo())
    assert told.probabilities is None and told.low < told.answer < told.high
    assert told.high - told.answer == pytest.approx(1.96 * 5, abs=0.01)
    assert caption(told) == (
        f"{told.answer:.0f} years ({told.low:.0f} to {told.high:.0f}), lower half"
    )
    assert "probabilities" not in told.as_dict() and json.dumps(told.as_dict())


def test_memory_does_not_grow_with_the_number_of_photos(shelf, monkeypatch):
    monkeypatch.setattr(
        FaceModel, "predict", lambda self, faces: Said(None, torch.zeros(len(faces)))
    )
    asks = load(shelf / "full", finds="whole", batch_size=8)
    peaks = []
    for n in (40, 160):
        tracemalloc.start()
        for _ in asks.stream(np.full((300, 300, 3), i % 255, np.uint8) for i in range(n)):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]


def test_a_model_of_drawn_masks_sees_the_whole_photo(tmp_path):
    asks = load(model(tmp_path / "m", "mask"), finds="whole")
    face = photo(height=48, width=48)
    below = face.copy()
    below[30:] = 0
    answers = [asks(image)[0].probabilities for image in (face, below)]
    assert answers[0] != pytest.approx(answers[1], abs=1e-4), "the mask is in the photo, not drawn"
    pixels = asks.again(face, asks(face)[0])[None]
    assert np.asarray(heated(pixels, evidence(asks.models["mask"], pixels), "mask")[0])[40].any()


def test_pictures(shelf):
    asks = load(shelf / "upper", finds="tests.apply.test_predict:two_faces")
    image = photo()
    told = asks(image)
    drawn = np.asarray(picture(image, told))
    assert drawn.shape == (360, 480, 3), "a small photo grows, three times here"
    assert (drawn[3 * 50, 3 * 20] == (0, 94, 184)).all(), "the box grows with it"
    grown = Image.fromarray(image).resize((480, 360), Image.Resampling.BILINEAR)
    assert (drawn != grown).any() and (drawn[345, 15] == np.asarray(grown)[345, 15]).all()
    pixels = torch.stack([asks.again(image, each) for each in told])
    maps = evidence(asks.models["upper"], pixels)
    assert maps.shape == (2, 32, 32) and maps.min() >= 0 and maps.max() <= 1
    red = np.asarray(heated(pixels, maps, "upper")[0], dtype=int)
    assert red.shape == (48, 48, 3) and (red[..., 0] >= red[..., 1]).all()
    cold = heated(pixels, torch.zeros_like(maps), "upper")[0]
    assert not np.asarray(cold)[24:].any(), "what the model does not see is not shown"


def test_a_small_crop_is_not_covered_by_its_caption(shelf):
    face = photo(height=48, width=48)
    drawn = np.asarray(picture(face, load(shelf / "full", finds="whole")(face)))
    assert drawn.shape == (336, 336, 3)
    ink = (drawn == (0, 94, 184)).all(2)
    assert 0 < ink[8:-8].all(1).sum() + ink[8:-8, 8:-8].mean() < 0.15


@pytest.mark.parametrize(
    ("size", "factor"),
    [((300, 300), 1), ((299, 900), 2), ((48, 48), 7), ((10, 1000), 2), ((1, 5000), 1)],
)
def test_how_far_a_small_picture_grows(size, factor):
    image = Image.new("RGB", size)
    grown, by = enlarged(image)
    assert by == factor and grown.size == (factor * size[0], factor * size[1])
    assert grown is not image


def test_one_model_that_cannot_see_what_it_is_asked_about(shelf, monkeypatch):
    """It answers as before, but says so; a half that it does see is nothing to talk about."""
    face = photo(height=48, width=48)
    above, below = face.copy(), face.copy()
    above[24:], below[:24] = 0, 0
    for asked, image, wrong in (
        ("upper", below, "the upper half of the face seems to be covered"),
        ("lower", above, "this model sees the lower half only"),
        ("full", below, "this model sees the whole face"),
        ("upper", above, None),
        ("lower", below, None),
    ):
        (told,) = load(shelf / asked, finds="whole")(image)
        (given,) = load(shelf / asked, finds="whole", visible=asked)(image)
        assert told.probabilities == given.probabilities and told.visible == asked
        assert given.warning is None and given.judged is None
        if wrong is None:
            assert told == given
            continue
        line = told.as_dict()
        assert wrong in line["warning"] and line["sure"] == 1.0
        assert line["judged"] == ("lower" if image is below else "upper")
        assert caption(told) == f"{caption(given)} (covered?)"
    for judged in (("lower", 0.69), ("full", 1.0)):
        monkeypatch.setattr(module, "judge_visible", lambda crop, judged=judged: Judgement(*judged))
        (told,) = load(shelf / "upper", finds="whole")(face)
        assert (told.warning, told.judged, told.sure) == (None, None, None)


def test_no_model_for_what_is_covered_is_said_too(shelf, monkeypatch):
    monkeypatch.setattr(module, "judge_visible", lambda crop: Judgement("lower", 0.9))
    two = [load(shelf / name).models[name] for name in ("full", "upper")]
    (told,) = Predictor(two, whole)(photo())
    assert told.visible == "full" and "sees the whole face" in told.warning


def occkd(*arguments: object):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_the_command(shelf, tmp_path):
    album = tmp_path / "album"
    album.mkdir()
    for name in ("a", "b"):
        Image.fromarray(photo(len(name))).save(album / f"{name}.png")
    done = occkd("predict", shelf, album, "--crop", "--visible", "lower", "--draw", tmp_path / "d",
                 "--cam")  # fmt: skip
    assert done.exit_code == 0, done.exception
    lines = [json.loads(line) for line in done.output.splitlines() if line.startswith("{")]
    assert [line["photo"] for line in lines] == [str(album / "a.png"), str(album / "b.png")]
    (face,) = lines[0]["faces"]
    assert (
        face["answer"] in "abc" and face["visible"] == "lower" and face["box"] == [0, 0, 160, 120]
    )
    assert sorted(p.name for p in (tmp_path / "d").iterdir()) == [
        "00001-a-face0.png", "00001-a.png", "00002-b-face0.png", "00002-b.png"
    ]  # fmt: skip

    (album / "b.png").write_bytes((album / "b.png").read_bytes()[:200])
    done = occkd("predict", shelf, album, "--crop", "--visible", "lower")
    lines = [json.loads(line) for line in done.output.splitlines() if line.startswith("{")]
    assert done.exit_code == 1 and "error" in lines[1] and "faces" in lines[0]

    box = occkd("predict", shelf / "full", album / "a.png", "--box", "10,20,58,68")
    assert json.loads(box.output)["faces"][0]["box"] == [10, 20, 58, 68]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give photos, or a folder of them, or --camera"),
        (["a.png", "--camera", "0"], "give photos, or a folder of them, or --camera"),
        (["a.png", "--cam"], "--cam goes with --draw"),
        (["a.png", "b.png", "--box", "0,0,1,1"], "--box is of one photo"),
        (["a.png", "--box", "1,2,3"], "--box must be x0,y0,x1,y1 in pixels, not '1,2,3'"),
    ],
)
def test_what_the_command_refuses(shelf, arguments, said):
    done = occkd("predict", shelf, *arguments)
    assert isinstance(done.exception, OcckdError) and said in str(done.exception)


def test_nothing_to_read_and_nowhere_to_write(shelf, tmp_path):
    (tmp_path / "empty").mkdir()
    done = occkd("predict", shelf, tmp_path / "empty", "--crop")
    assert "no photos in" in str(done.exception)
    (tmp_path / "file").write_text("")
    done = occkd("predict", shelf, tmp_path / "empty", "--crop", "--draw", tmp_path / "file")
    assert "is no folder for pictures" in str(done.exception)


def test_a_reader_who_has_had_enough(shelf, tmp_path):
    for i in range(3):
        Image.fromarray(photo(i)).save(tmp_path / f"{i}.png")
    command = [sys.executable, "-m", "occkd_lib", "predict", str(shelf), str(tmp_path), "--crop"]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    run.stdout.close()
    assert run.stderr.read() == b"" and run.wait() == 1


def test_a_camera(shelf, monkeypatch):
    class Camera:
        def __init__(self, number):
            self.left = 2 if number == 3 else 0

        def isOpened(self):
            return self.left > 0

        def read(self):
            self.left -= 1
            blue = np.zeros((60, 60, 3), np.uint8)
            blue[..., 0] = 200  # OpenCV's order
            return self.left >= 0, blue

        def release(self):
            pass

    monkeypatch.setitem(sys.modules, "cv2", type("cv2", (), {"VideoCapture": Camera}))
    done = occkd("predict", shelf, "--camera", "3", "--crop", "--visible", "full")
    lines = [json.loads(line) for line in done.output.splitlines()]
    assert [line["photo"] for line in lines] == ["camera 3, frame 1", "camera 3, frame 2"]
    from occkd_lib.cli_predict import frames

    assert (next(frames(3))[0, 0] == (0, 0, 200)).all()
    refused = occkd("predict", shelf, "--camera", "7", "--crop")
    assert "camera 7 does not open" in str(refused.exception)
