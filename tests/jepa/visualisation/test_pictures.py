"""Each picture carries the labels, figures and shapes that it promises."""

import subprocess
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from jepa.visualisation import (
    cosine_matrix,
    pca,
    plot_curriculum,
    plot_embedding,
    plot_health,
    plot_loss,
    plot_probes,
    plot_reconstruction,
    plot_regions,
    plot_schedules,
    plot_similarity,
    save,
    style,
)
from jepa.visualisation.regions import geometry_of, in_words

from .examples import EVALUATION, box, examples, metrics


def texts(figure):
    """Every text of a figure, also those of its axes and legends."""
    return [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")) if text.get_text()]


def model_figures(**settings):
    shown = examples(**settings)
    pictures = [
        plot_regions(shown["images"], shown["regions"], context=shown["context"], target=shown["target"]),
        plot_regions(shown["images"], shown["regions"]),
        plot_similarity(shown["prediction"][:, 0], shown["target_embedding"][:, 0]),
        plot_reconstruction(*(shown[name][:, 0] for name in ("target", "decoded_target", "decoded_prediction"))),
    ]
    return pictures


@pytest.mark.parametrize("settings", [{}, {"channels": 1}, {"targets": 4, "hidden": True}, {"count": 2}])
def test_model_pictures_draw(settings, tmp_path, monkeypatch):
    monkeypatch.setattr(style, "DPI", 40)
    for number, figure in enumerate(model_figures(**settings)):
        path = save(figure, tmp_path / f"{number}.png")
        assert Image.open(path).width == 360


@pytest.mark.parametrize(
    ("plot", "labels"),
    [
        (
            plot_loss,
            ["Training loss", "told the true geometry", "told a wrong geometry", "invariance", "training step"],
        ),
        (plot_health, ["Feature standard deviation", "Effective rank", "encoder", "predictor", "directions in use"]),
        (plot_schedules, ["Learning rate", "EMA momentum", "images / s"]),
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
    shown = examples(count=1, targets=2)
    axes = plot_regions(shown["images"], shown["regions"]).axes[0]
    drawn = {patch.get_bbox().bounds for patch in axes.patches if isinstance(patch, Rectangle)}
    assert drawn == {(2, 1, 12, 12), (3, 0, 6, 8), (3, 2, 6, 8)}  # left, top, width, height


def test_regions_hide_the_blocks_in_the_context():
    shown = examples(count=1, targets=1, hidden=True)
    picture = plot_regions(shown["images"], shown["regions"]).axes[1].images[0].get_array()
    np.testing.assert_array_equal(picture[0:8, 3:9], 0.5)
    np.testing.assert_allclose(picture[9:, 10:], shown["images"][0].transpose(1, 2, 0)[9:, 10:], rtol=1e-6)


def test_geometry_leads_from_context_to_target():
    context = box(4, 0, 16, 8)
    assert geometry_of(context, context).tolist() == [0, 0, 0, 0]
    lower = geometry_of(context, box(8, 0, 16, 8))
    assert lower[0] == 0.25 and "25 % down" in in_words(lower)
    smaller = geometry_of(context, box(8, 2, 8, 4))
    np.testing.assert_allclose(smaller, [0, 0, np.log(0.5), np.log(0.5)], rtol=1e-6)
    assert in_words(smaller) == "same centre\nheight 50 %, width 50 %"


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
    assert {"level 0: patches", "level 1: 2 x 2 patches"} <= set(texts(plot_loss(records)))


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
    shown = examples()
    found = texts(plot_embedding(shown["embeddings"], shown["labels"], shown["classes"]))
    assert {"circle", "square", "ring", "class"} <= set(found)
    assert any("principal component 1" in text and "% of the variance" in text for text in found)
    many = plot_embedding(
        np.random.default_rng(0).normal(size=(90, 3)), np.arange(90) % 15, [f"c{i}" for i in range(15)]
    )
    assert "5 others" in texts(many)
    save(plot_embedding(shown["embeddings"]), tmp_path / "unlabelled.png")
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
    assert isinstance(plot_probes({"note": "no labels"}), Figure)


def test_pictures_need_no_pyplot_and_no_display():
    code = "import jepa.visualisation, sys; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
