import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch

from occkd_lib.evaluation import mcnemar_test
from occkd_lib.report import figures, forests, planes


@pytest.fixture(autouse=True)
def nothing_left_open():
    yield
    assert plt.get_fignums() == [], "a figure stayed registered with pyplot"


def faces(n, channels=3):
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (n, channels, 8, 8), dtype=torch.uint8, generator=generator)


def texts(ax):
    return [text.get_text() for text in ax.texts]


@pytest.mark.parametrize("channels", [1, 3])
def test_image_grid_shows_each_face_under_its_title(channels):
    images = faces(5, channels)
    figure = figures.image_grid(images, list("abcde"), columns=3)
    shown = [ax for ax in figure.axes if ax.images]
    assert [ax.get_title() for ax in shown] == list("abcde")
    assert len(figure.axes) == 6, "two rows of three"
    drawn = np.asarray(shown[4].images[0].get_array())
    expected = images[4, 0] if channels == 1 else images[4].permute(1, 2, 0)
    assert np.array_equal(drawn, expected.numpy())
    assert shown[0].images[0].get_clim() == (0, 255), "no contrast stretching"


def test_image_grid_wants_pixels():
    with pytest.raises(ValueError, match="uint8 N x C x H x W, not float32"):
        figures.image_grid(torch.zeros(2, 3, 8, 8))


def test_triplet_strip_has_three_rows():
    figure = figures.triplet_strip(faces(4), faces(4), faces(4), [list("abcd")] * 3)
    assert len(figure.axes) == 12
    assert figure.axes[5].get_title() == "b"


def history(sign):
    validation = [sign * 0.25, sign * 0.5]
    return pd.DataFrame({"epoch": [0, 1], "loss": [1.0, 0.5], "validation": validation})


@pytest.mark.parametrize(
    ("sign", "title", "drawn"),
    [(1, "Validation accuracy, %", [25, 50]), (-1, "Validation MAE, years", [0.25, 0.5])],
)
def test_learning_curves_count_epochs_from_one(sign, title, drawn):
    figure = figures.learning_curves({"teacher": history(sign), "student": history(sign)})
    loss, validation = figure.axes
    assert validation.get_title(loc="left") == title
    line = validation.lines[0]
    assert list(line.get_xdata()) == [1, 2] and list(line.get_ydata()) == drawn
    assert len(loss.lines) == 2


def test_metric_bars():
    figure = figures.metric_bars({"full": (80, 78, 82), "lower": (60, 57, 62)})
    ax = figure.axes[0]
    assert [bar.get_width() for bar in ax.patches] == [80, 60]
    assert texts(ax) == ["80.0", "60.0"]
    assert ax.get_xlim()[0] == 0, "a bar starts at zero"


def forest_rows():
    rows = [
        ("teacher", "full", 0.9),
        ("teacher", "lower", 0.6),
        ("student_lower", "lower", 0.7),
        ("student_upper", "upper", 0.5),
        ("control", "lower", 0.75),
        ("standard", "lower", 0.8),
    ]
    table = pd.DataFrame(rows, columns=["method", "test_faces", "mean"])
    return table.assign(
        experiment="fer", metric="accuracy", subset="official", n=1000, seeds=2,
        low=table["mean"] - 0.02, high=table["mean"] + 0.02,
        values=[[m - 0.01, m + 0.01] for m in table["mean"]],
    )  # fmt: skip


def test_forest_shows_the_visible_half_against_student_and_control():
    ax = forests.results_forest(forest_rows()).axes[0]
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels[:2] == ["teacher", "student, lower half"] and len(labels) == 4
    assert texts(ax) == ["60.00", "70.00", "75.00", "80.00"]
    dashed = [line.get_xdata()[0] for line in ax.lines if line.get_linestyle() == "--"]
    assert dashed == pytest.approx([70, 75])


def test_a_teacher_far_off_does_not_flatten_the_forest():
    rows = forest_rows()
    for column in ("mean", "low", "high"):
        rows.loc[rows["method"] == "teacher", column] -= 0.4
    ax = forests.results_forest(rows).axes[0]
    assert texts(ax)[0] == "20.00"
    assert ax.get_xlim() == pytest.approx((68 - 1.4, 82 + 1.4))


def test_forest_wants_one_experiment_with_a_student():
    with pytest.raises(ValueError, match="one experiment"):
        forests.results_forest(forest_rows().query("method == 'teacher'"))


def test_confusion_matrix_counts_rows():
    ax = figures.confusion_matrix([0, 0, 0, 1], [0, 0, 1, 1], ("male", "female")).axes[0]
    assert texts(ax) == ["67\n(2)", "33\n(1)", "", "100\n(1)"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["male  (3)", "female  (1)"]


def test_recall_bars_leave_a_gap_for_a_class_without_recall():
    recalls = {"a": {0: 0.5, 2: 1.0}, "b": {0: 0.25}}
    ax = figures.recall_bars(recalls, ("x", "y", "z"), counts={0: 1200, 2: 15}).axes[0]
    assert [bar.get_height() for bar in ax.patches] == [50, 100, 25, 0]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["x\n(1,200)", "z\n(15)"]


@pytest.mark.parametrize("method", ["tsne", "pca"])
def test_embedding_map_is_the_same_every_time(method):
    points = np.random.default_rng(0).normal(size=(30, 60))
    target = np.arange(30) % 2
    drawn = [
        planes.embedding_map(points, target, classes=("x", "y"), method=method, seed=3)
        .axes[0].collections[1].get_offsets() for _ in range(2)
    ]  # fmt: skip
    assert drawn[0].shape == (15, 2)
    assert np.array_equal(drawn[0], drawn[1])


def test_embedding_map_of_years_has_a_scale():
    figure = planes.embedding_map(np.eye(12), np.arange(12.0), method="pca")
    assert figure.axes[1].get_ylabel() == "age, years"
    with pytest.raises(ValueError, match="one of tsne, pca"):
        planes.embedding_map(np.eye(12), np.arange(12.0), method="umap")


def test_embedding_maps_stand_side_by_side():
    points = np.random.default_rng(0).normal(size=(12, 5))
    panels = {"a": points, "b": points[:, :3], "c": points}
    figure = planes.embedding_maps(panels, np.arange(12) % 3, classes=("x", "y", "z"), method="pca")
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["a", "b", "c", ""]
    first, third = (figure.axes[i].collections[1].get_offsets() for i in (0, 2))
    assert first.shape == (4, 2) and np.array_equal(first, third)
    colors = {tuple(ax.collections[2].get_facecolor()[0]) for ax in figure.axes[:3]}
    assert len(colors) == 1, "a class has one colour"
    assert [text.get_text() for text in figure.legends[0].texts] == ["x", "y", "z"]
    with pytest.raises(ValueError, match="the 11 faces of targets"):
        planes.embedding_maps(panels, np.arange(11.0))


def test_discordant_bars_show_both_sides_and_p():
    test = mcnemar_test([1, 1, 1, 1, 1, 0], [0, 0, 0, 0, 0, 0])
    ax = figures.discordant_bars({"seed 0": test}, names=("new", "old")).axes[0]
    assert [bar.get_width() for bar in ax.patches] == [5, 0]
    assert texts(ax) == ["5", "0", "p = 0.062"]


def test_palette_is_seaborns():
    import seaborn as sns

    assert figures.PALETTE == list(sns.color_palette("colorblind"))


def test_long_words_beside_a_forest_are_not_cut_off():
    long = "normalize false, squared false, alpha 0.1, lam 0.5, keep_task_weight true"
    dots = [forests.Dot(long, 1.0, 0.0, 2.0, "k"), forests.Dot("control", 0.0, -1.0, 1.0, "k")]
    figure = forests.forest(dots, f"points (more is better) against: {long}", title=f"{long}?")
    figure.draw_without_rendering()
    width = figure.bbox.width
    texts = [*figure.axes[0].get_yticklabels(), figure._supxlabel, figure._suptitle]
    for box in (text.get_window_extent() for text in texts):
        assert box.x0 >= 0 and box.x1 <= width
    assert figure.axes[0].bbox.width > 0.4 * width
