import numpy as np
import pytest

from jepa.errors import DataError
from jepa.evaluation.patches import cut, starts
from jepa.pictures import image, line
from jepa.pictures.masked import Answers, decoded
from jepa.pictures.places import (
    Canvas,
    canvas,
    plot_attention,
    plot_blocks,
    plot_features,
    plot_neighbors,
    plot_predictions,
)

from .examples import Source

G = np.random.default_rng(0)
IMAGES = G.uniform(size=(3, 3, 16, 16))
GRID = (4, 4)
CANVAS = Canvas(image, (3, 16, 16), GRID)
SEEN, HIDDEN = np.arange(16) < np.array([[6], [7], [8]]), np.arange(16) >= np.array([[10], [9], [8]])


def titles(figure):
    return [axis.get_title() for axis in figure.axes if axis.get_title()]


def test_predictions_say_how_far_off_they_are():
    level = {"name": "hidden", "hidden": CANVAS.samples(HIDDEN), "true": IMAGES, "predicted": 1 - IMAGES}
    figure = plot_predictions(CANVAS, IMAGES, [level], SEEN)
    assert titles(figure) == [
        "example",
        "seen by the\ncontext encoder",
        "hidden patches, from\ntrue tokens",
        "hidden patches,\npredicted",
    ]
    assert len(figure.axes) == 12
    off = 100 * np.abs(1 - 2 * IMAGES[0])[:, CANVAS.samples(HIDDEN[0])].mean()
    assert [figure.axes[k].get_xlabel() for k in (2, 3)] == ["error 0.0 %", f"error {off:.1f} %"]
    seen = figure.axes[1].images[0].get_array()
    assert np.allclose(seen[:4, :4], IMAGES[0].transpose(1, 2, 0)[:4, :4])  # a patch that is seen, as it is
    assert np.abs(seen[12:, 12:] - 0.76).max() < 0.07  # one that is not, nearly gray
    predicted = figure.axes[3].images[0].get_array()
    assert np.allclose(predicted[12:, 12:], 1 - IMAGES[0].transpose(1, 2, 0)[12:, 12:])


def test_predictions_of_a_series_are_drawn_over_it():
    x = G.normal(size=(1, 2, 32)).astype(np.float32)
    place = Canvas(line, (2, 32), (8,))
    hidden = np.arange(8) >= 6
    level = {"name": "hidden", "hidden": place.samples(hidden[None]), "true": x, "predicted": x + 1}
    figure = plot_predictions(place, x, [level], np.arange(8)[None] < 3)
    faint, kept, instead = (np.array(drawn.get_ydata()) for drawn in figure.axes[3].lines[:3])
    assert np.array_equal(faint, x[0, 0])
    assert np.isfinite(kept).tolist() == [t < 12 for t in range(32)]
    assert np.allclose(instead[24:], x[0, 0, 24:] + 1) and np.isnan(instead[:24]).all()
    off = 100 / np.ptp(x)  # of the range of the example
    assert figure.axes[3].get_xlabel() == f"sample\nerror {off:.1f} %"


@pytest.mark.parametrize("class_token", [False, True])
def test_attention_has_a_map_for_each_head(class_token):
    n = 16 + class_token
    attention = G.dirichlet(np.ones(n), size=(3, 2, n))
    figure = plot_attention(CANVAS, IMAGES, attention, attention.mean(axis=1))
    asked = "the class token" if class_token else "the marked patch"
    assert titles(figure) == [f"{asked}\nis asked", "head 1", "head 2", "rollout"]
    query = 0 if class_token else 10
    shown = figure.axes[1].images[0].get_array()
    assert np.allclose(shown.reshape(-1), attention[0, 0, query, int(class_token) :])


@pytest.mark.parametrize("class_token", [False, True])
def test_attention_has_a_row_for_each_block_and_a_column_for_each_head(class_token):
    n = 16 + class_token
    attention = G.dirichlet(np.ones(n), size=(4, 2, n))
    figure = plot_blocks(CANVAS, IMAGES[0], attention)
    example, *panels = figure.axes
    assert bool(example.collections) == (not class_token)  # the frame around the patch that is asked
    assert [panel.get_ylabel() for panel in panels[::2]] == [f"block {k}" for k in (1, 2, 3, 4)]
    assert [panel.get_title() for panel in panels[:2]] == ["head 1", "head 2"] and len(panels) == 8
    weights = attention[3, 1, 0 if class_token else 10, int(class_token) :]
    assert np.allclose(panels[7].images[0].get_array().reshape(-1), weights)
    assert panels[7].get_xlabel() == f"highest {100 * weights.max():.0f} %"


def test_levels_show_what_is_predicted_of_each_and_leave_the_rest_pale():
    hidden = np.zeros((3, 16, 16), bool)
    hidden[:, :8, :8] = True
    level = {"hidden": hidden, "true": IMAGES, "predicted": np.zeros_like(IMAGES)}
    figure = plot_predictions(CANVAS, IMAGES, [{"name": name, **level} for name in ("2 x 2", "4 x 4")])
    assert titles(figure)[1:] == [
        f"{k} x {k} patches,{which}" for k in (2, 4) for which in (" from\ntrue tokens", "\npredicted")
    ]
    predicted = figure.axes[4].images[0].get_array()
    assert predicted[:8, :8].max() == 0 and np.abs(predicted[8:] - 0.76).max() < 0.07
    assert figure.axes[3].get_xlabel() == "error 0.0 %"
    off = 100 * IMAGES[0, :, :8, :8].mean()
    assert figure.axes[4].get_xlabel() == f"error {off:.1f} %"


def test_groups_are_decoded_where_they_lie_also_those_that_the_border_cuts():
    generator = np.random.default_rng(0)
    bank = generator.uniform(size=(40, 1, 3, 3)).astype(np.float32)  # 2 x 2 groups of 2 places: three are cut off
    own = cut(bank, starts((3, 3), (3, 3), 2))[:, [0, 3]]  # (40, 2, 4): a token that is its pixels
    a = generator.standard_normal((4, 4)).astype(np.float32) + 4 * np.eye(4, dtype=np.float32)
    where, valid = np.tile([0, 3], (40, 1)), np.ones((40, 2), bool)
    valid[1, 1] = False  # padding
    answers = Answers(where, valid, own @ a, own)  # and a prediction that is a map of it
    found = decoded(Canvas(image, (1, 3, 3), (3, 3)), 2, (answers, answers), bank)
    assert found["name"] == "2 x 2" and found["hidden"].shape == (40, 3, 3)
    assert found["hidden"][0].tolist() == [[(r < 2) == (c < 2) for c in range(3)] for r in range(3)]
    assert not found["hidden"][1, 2:].any()
    for name in ("true", "predicted"):
        off = np.abs(found[name] - bank)[0, 0][found["hidden"][0]]
        assert off.max() < 0.1, name  # the regression is slightly damped


def test_planted_components_become_colors():
    tokens = np.zeros((3, 16, 8))
    tokens[:, :8, 2] = 5  # two halves that differ in one direction
    figure = plot_features(CANVAS, IMAGES, tokens + 1e-3 * G.standard_normal(tokens.shape))
    colors = figure.axes[3].images[0].get_array()  # the first of the second row
    assert abs(float(colors[0, 0, 0]) - float(colors[3, 0, 0])) > 0.9
    assert "red 100 % of the variance" in figure.get_suptitle()


def test_neighbors_stand_with_their_cosines():
    figure = plot_neighbors(CANVAS, IMAGES, HIDDEN, np.stack([IMAGES] * 2, axis=1), np.array([[0.9, 0.5]] * 3))
    assert figure.axes[1].get_xlabel() == "cosine 0.90" and titles(figure)[1:] == ["nearest 1", "nearest 2"]


def test_a_grid_over_other_axes_than_an_examples_is_refused():
    with pytest.raises(DataError, match=r"examples of \(3, 16, 16\) have other axes than the encoder's grid of \(4,\)"):
        canvas(Source(), (4,))
