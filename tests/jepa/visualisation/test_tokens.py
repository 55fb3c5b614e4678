import numpy as np
import pytest

from jepa.visualisation.attention import plot_attention, plot_attention_blocks
from jepa.visualisation.tokens import plot_features, plot_levels, plot_neighbours, plot_predictions

G = np.random.default_rng(0)
IMAGES = G.uniform(size=(3, 3, 16, 16))
GRID = (4, 4)
SEEN, HIDDEN = np.arange(16) < np.array([[6], [7], [8]]), np.arange(16) >= np.array([[10], [9], [8]])


def titles(figure):
    return [axis.get_title() for axis in figure.axes if axis.get_title()]


def test_predictions_say_how_far_off_they_are():
    figure = plot_predictions(IMAGES, SEEN, HIDDEN, IMAGES, 1 - IMAGES, GRID)
    assert titles(figure)[:2] == ["image", "seen by the\ncontext encoder"] and len(figure.axes) == 12
    assert figure.axes[2].get_xlabel() == "error 0.0 %" and figure.axes[3].get_xlabel() != "error 0.0 %"
    seen = figure.axes[1].images[0].get_array()
    assert np.allclose(seen[:4, :4], IMAGES[0].transpose(1, 2, 0)[:4, :4])  # a patch that is seen, as it is
    assert seen[12:, 12:].min() >= 0.8  # one that is not, nearly white


@pytest.mark.parametrize("class_token", [False, True])
def test_attention_has_a_map_for_each_head(class_token):
    n = 16 + class_token
    attention = G.dirichlet(np.ones(n), size=(3, 2, n))
    figure = plot_attention(IMAGES, attention, attention.mean(axis=1), GRID, class_token=class_token)
    assert titles(figure) == [
        f"{'the class token' if class_token else 'the marked patch'}\nis asked",
        "head 1",
        "head 2",
        "rollout",
    ]
    query = 0 if class_token else 10
    shown = figure.axes[1].images[0].get_array()
    assert np.allclose(shown.reshape(-1), attention[0, 0, query, int(class_token) :])


@pytest.mark.parametrize("class_token", [False, True])
def test_attention_has_a_row_for_each_block_and_a_column_for_each_head(class_token):
    n = 16 + class_token
    attention = G.dirichlet(np.ones(n), size=(4, 2, n))
    figure = plot_attention_blocks(IMAGES[0], attention, GRID, class_token=class_token)
    image, *panels = figure.axes
    assert bool(image.patches) == (not class_token)  # the frame around the patch that is asked
    assert [panel.get_ylabel() for panel in panels[::2]] == [f"block {k}" for k in (1, 2, 3, 4)]
    assert [panel.get_title() for panel in panels[:2]] == ["head 1", "head 2"] and len(panels) == 8
    weights = attention[3, 1, 0 if class_token else 10, int(class_token) :]
    assert np.allclose(panels[7].images[0].get_array().reshape(-1), weights)
    assert panels[7].get_xlabel() == f"highest {100 * weights.max():.0f} %"


def test_levels_show_what_is_predicted_of_each_and_leave_the_rest_pale():
    hidden = np.zeros((3, 16, 16), bool)
    hidden[:, :8, :8] = True
    levels = [{"hidden": hidden, "true": IMAGES, "predicted": np.zeros_like(IMAGES)}] * 2
    figure = plot_levels(IMAGES, levels)
    assert titles(figure)[1:] == [
        f"{k} x {k} patches,\n{which}" for k in (2, 4) for which in ("from true tokens", "predicted")
    ]
    predicted = figure.axes[4].images[0].get_array()
    assert predicted[:8, :8].max() == 0 and predicted[8:].min() >= 0.8
    assert figure.axes[3].get_xlabel() == "error 0.0 %"
    off = 100 * IMAGES[0, :, :8, :8].mean()
    assert figure.axes[4].get_xlabel() == f"error {off:.1f} %"


def test_planted_components_become_colours():
    tokens = np.zeros((3, 16, 8))
    tokens[:, :8, 2] = 5  # two halves that differ in one direction
    figure = plot_features(IMAGES, tokens + 1e-3 * G.standard_normal(tokens.shape), GRID)
    colours = figure.axes[3].images[0].get_array()  # the first of the second row
    assert abs(float(colours[0, 0, 0]) - float(colours[3, 0, 0])) > 0.9
    assert "red 100 % of the variance" in figure.get_suptitle()


def test_neighbours_stand_with_their_cosines():
    figure = plot_neighbours(IMAGES, HIDDEN, np.stack([IMAGES] * 2, axis=1), np.array([[0.9, 0.5]] * 3), GRID)
    assert figure.axes[1].get_xlabel() == "cosine 0.90" and titles(figure)[1:] == ["nearest 1", "nearest 2"]
