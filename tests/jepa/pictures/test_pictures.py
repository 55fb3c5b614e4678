"""Each picture carries the labels, figures and shapes that it promises."""

import subprocess
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from jepa.masks import Box, geometry
from jepa.pictures import image, line, style
from jepa.pictures.crops import in_words, plot_reconstruction, plot_regions
from jepa.pictures.curves import plot_curriculum, plot_health, plot_loss, plot_schedules
from jepa.pictures.embedding import cosine_matrix, pca, plot_embedding, plot_similarity
from jepa.pictures.results import plot_probes
from jepa.pictures.style import new_figure, save
from jepa.pictures.views import plot_views

from .examples import EVALUATION, metrics, of_crops, of_views


def texts(figure):
    """Every text of a figure, also those of its axes and legends."""
    return [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")) if text.get_text()]


REGIONS = ("images", "regions", "context", "target", "geometry")


def model_figures(**settings):
    shown = of_crops(**settings)
    return [
        plot_regions(*(shown[name] for name in REGIONS)),
        plot_similarity(shown["prediction"][:, 0], shown["target_embedding"][:, 0]),
        plot_reconstruction(*(shown[name][:, 0] for name in ("target", "decoded_target", "decoded_prediction"))),
    ]


@pytest.mark.parametrize("settings", [{}, {"channels": 1}, {"targets": 4, "hidden": True}, {"count": 2}])
def test_model_pictures_draw(settings, tmp_path, monkeypatch):
    monkeypatch.setattr(style, "DPI", 40)
    for number, figure in enumerate(model_figures(**settings)):
        path = save(figure, tmp_path / f"{number}.png")
        assert Image.open(path).width == 360


@pytest.mark.parametrize(
    "draw, shape", [(image, (3, 16, 16)), (image, (1, 6, 8, 8)), (line, (9, 40)), (line, (40,)), (image, (5, 8, 8))]
)
def test_views_of_any_shape_stand_side_by_side(draw, shape, tmp_path, monkeypatch):
    monkeypatch.setattr(style, "DPI", 40)
    e = of_views(2, shape)
    figure = plot_views(draw, e["seen"], e["true"])
    assert [a.get_title() for a in figure.axes[:3]] == [
        "seen by the\ncontext encoder",
        "to be predicted 1",
        "to be predicted 2",
    ]
    save(figure, tmp_path / "views.png")


def test_a_clip_is_a_strip_of_its_frames():
    axes = new_figure(2).subplots()
    x = np.random.default_rng(0).uniform(size=(1, 8, 6, 6))
    kept = np.zeros((8, 6, 6), bool)
    kept[7, :3] = True
    axes.set_title("a clip")
    image.show(axes, x, kept=kept)
    image.mark(axes, kept, style.BLUE)
    image.write(axes, kept, "1", style.BLUE)
    shown = np.asarray(axes.images[0].get_array())[..., 0]
    assert shown.shape == (6, 4 * 6 + 3)  # four of eight frames, and a gap between them
    assert np.allclose(shown[:3, 21:], x[0, 7, :3]) and np.abs(shown[:, :6] - 0.76).max() < 0.07
    assert axes.texts[0].get_position() == (24.0, 1.5) and axes.get_title() == "a clip"
    edges = np.concatenate([c.get_segments() for c in axes.collections[-1:]])
    assert edges[..., 0].min() == 21 and edges[..., 1].max() == 3


@pytest.mark.parametrize("low, high", [(0, 1), (-3, 5), (0, 255)])
def test_images_of_any_range_can_be_seen(low, high):
    axes = new_figure(2).subplots()
    image.show(axes, np.linspace(low, high, 16).reshape(1, 4, 4))
    shown = np.asarray(axes.images[0].get_array())[..., 0]
    np.testing.assert_allclose(shown.reshape(-1), np.linspace(0, 1, 16), atol=1e-6)


def test_a_series_says_what_its_axes_and_lines_are():
    figure = new_figure(3)
    axes = figure.subplots()
    axes.set_title("a series")
    line.show(axes, np.random.default_rng(0).normal(size=(9, 50)))
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("sample", "value", "a series")
    assert [text.get_text() for text in figure.legends[0].texts] == list("012345")
    assert figure.legends[0].get_title().get_text() == "channel (first 6 of 9)"
    low, high = axes.get_ylim()
    assert all(low < y < high for drawn in axes.lines for y in drawn.get_ydata() if np.isfinite(y))


@pytest.mark.parametrize(
    ("plot", "labels"),
    [
        (
            plot_loss,
            ["Training loss", "asked the true question", "asked a wrong one", "invariance", "training step"],
        ),
        (
            plot_health,
            ["Feature standard deviation", "Effective rank", "encoder", "predictor", "directions (near 1 = collapsed)"],
        ),
        (plot_schedules, ["Learning rate", "EMA momentum", "examples / s"]),
        (plot_curriculum, ["Curriculum", "context scale"]),
    ],
)
def test_curves_are_labelled_and_survive_gaps(plot, labels, tmp_path):
    figure = plot(metrics())
    assert set(labels) <= set(texts(figure))
    save(figure, tmp_path / "curve.png")
    for records in ([], [{"kind": "step", "step": 1}], [{"kind": "step", "step": 1, "loss": float("nan"), "lr": None}]):
        save(plot(records), tmp_path / "gap.png")


def test_curves_draw_the_numbers_that_they_got():
    records = metrics(30)  # short: no running mean
    loss = plot_loss(records).axes[0]
    steps = [record for record in records if record["kind"] == "step"]
    np.testing.assert_array_equal(loss.lines[0].get_xdata(), [record["step"] for record in steps])
    np.testing.assert_array_equal(loss.lines[0].get_ydata(), [record["loss"] for record in steps])
    rank = plot_health(records).axes[1]
    np.testing.assert_array_equal(rank.lines[0].get_ydata(), [record["effective_rank"] for record in steps])


def test_regions_are_drawn_where_they_are():
    shown = of_crops(count=1, targets=2)
    axes = plot_regions(*(shown[name] for name in REGIONS)).axes[0]
    drawn = {patch.get_bbox().bounds for patch in axes.patches if isinstance(patch, Rectangle)}
    assert drawn == {(2, 1, 12, 12), (3, 0, 6, 8), (3, 2, 6, 8)}  # left, top, width, height


def test_regions_are_drawn_as_the_encoders_see_them():
    shown = of_crops(count=1, targets=1, hidden=True)
    context, target = plot_regions(*(shown[name] for name in REGIONS)).axes[1:3]
    for axes, x in ((context, shown["context"][0]), (target, shown["target"][0, 0])):
        np.testing.assert_allclose(axes.images[0].get_array(), x.transpose(1, 2, 0), rtol=1e-6)


def test_geometry_leads_from_context_to_target():
    def geometry_of(*boxes):
        context, target = (np.array(box) for box in boxes)
        return geometry(context[None], target[None, None])[0, 0]

    context = Box(4, 0, 16, 8)
    assert geometry_of(context, context).tolist() == [0, 0, 0, 0]
    lower = geometry_of(context, Box(8, 0, 16, 8))
    assert lower[0] == 0.25 and "25 % down" in in_words(lower)
    smaller = geometry_of(context, Box(8, 2, 8, 4))
    np.testing.assert_allclose(smaller, [0, 0, np.log(0.5), np.log(0.5)], rtol=1e-6)
    assert in_words(smaller) == "same center\nheight 50 %, width 50 %"


def test_similarity_tells_the_diagonal_from_the_rest():
    targets = np.eye(5)
    matrix = cosine_matrix(3 * targets, targets)
    np.testing.assert_array_equal(matrix, np.eye(5))
    found = texts(plot_similarity(3 * targets, targets))
    assert "own target (diagonal): mean 1.00" in found and "other targets: mean 0.00" in found
    assert "Own target is the nearest: 100 %\n(by chance 20.0 %)" in found
    shifted = texts(plot_similarity(np.roll(targets, 1, axis=0), targets))
    assert "Own target is the nearest: 0 %\n(by chance 20.0 %)" in shifted


def test_similarity_of_collapsed_embeddings_is_evenly_bright(tmp_path):
    almost = np.ones((4, 3)) + 1e-3 * np.eye(4, 3)
    figure = plot_similarity(almost, np.ones((4, 3)))
    low, high = figure.axes[0].images[0].get_clim()
    assert low == 0 and 1 - 1e-6 < high <= 1.0 + 1e-6  # not stretched over the little that they differ by
    save(figure, tmp_path / "same.png")
    save(plot_similarity(np.ones((4, 3)), np.ones((4, 3))), tmp_path / "same.png")


def test_the_levels_of_a_hierarchy_are_named_by_their_groups():
    records = [{"kind": "step", "step": s, "loss": 3.0, "loss/level 0": 2.0, "loss/level 1": 1.0} for s in range(3)]
    assert {"level 0: patches", "level 1: groups 2 patches wide"} <= set(texts(plot_loss(records)))


def test_pca_finds_the_axes_and_their_variance():
    generator = np.random.default_rng(0)
    plane = generator.normal(size=(500, 2)) * [3, 1]
    rotation = np.linalg.qr(generator.normal(size=(7, 7)))[0][:2]
    points, explained = pca(plane @ rotation + 5)
    assert explained.sum() == pytest.approx(1)
    distance = np.linalg.norm(points[0] - points[1])
    assert distance == pytest.approx(np.linalg.norm(plane[0] - plane[1]))
    np.testing.assert_allclose(points.var(axis=0) / points.var(axis=0).sum(), explained)
    assert pca(np.zeros((4, 1)))[1].tolist() == [0, 0]


def test_embedding_names_classes_and_variance(tmp_path):
    embeddings = np.random.default_rng(0).normal(size=(40, 5))
    found = texts(plot_embedding(embeddings, np.arange(40) % 3, ["circle", "square", "ring"]))
    assert {"circle", "square", "ring", "class"} <= set(found)
    assert any("principal component 1" in text and "% of the variance" in text for text in found)
    many = plot_embedding(
        np.random.default_rng(0).normal(size=(90, 3)), np.arange(90) % 15, [f"c{i}" for i in range(15)]
    )
    assert "5 others" in texts(many)
    save(plot_embedding(embeddings), tmp_path / "unlabelled.png")
    save(plot_embedding(np.ones((1, 3))), tmp_path / "one.png")


def test_reconstruction_states_the_error_of_each_row():
    truth = np.zeros((2, 3, 4, 4))
    found = texts(plot_reconstruction(truth, truth + 0.1, truth + 0.25))
    assert "decoded from the\ntrue embedding\nerror 10.0 %" in found
    assert "decoded from the\nprediction\nerror 25.0 %" in found


def test_probe_bars_show_every_row_and_chance():
    axes = plot_probes(EVALUATION).axes[0]
    assert sorted(round(bar.get_height(), 1) for bar in axes.patches) == [44.0, 51.0, 55.0, 62.0, 78.0, 83.0]
    found = texts(axes.figure)
    assert {"trained encoder", "same encoder, untrained", "raw pixels", "chance", "linear probe", "kNN", "83.0"} <= set(
        found
    )
    rows = [text.get_text() for text in axes.get_legend().texts]
    assert rows == ["trained encoder", "same encoder, untrained", "raw pixels", "chance"]
    assert isinstance(plot_probes({"note": "no labels"}), Figure)
    assert "raw input" in texts(plot_probes(EVALUATION | {"shape": [2, 100]}))  # of a series


def test_pictures_need_no_pyplot_and_no_display():
    rooms = ", ".join(f"jepa.pictures.{name}" for name in ("report", "crops", "masked", "views", "line"))
    code = f"import sys, {rooms}; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
