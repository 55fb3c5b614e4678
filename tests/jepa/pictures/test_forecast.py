"""Pictures of forecasts: of clips strips of frames, of series the end, and what a perfect predictor would show."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from jepa.config import load
from jepa.pictures import detection, forecast
from jepa.pictures.places import canvas
from jepa.runs.run import Run, load_run
from jepa.training.run import train

SHORT = (
    "train.epochs=1 train.batch_size=8 optimizer.warmup_steps=1 device=cpu objective=vicreg target=shared augment=none "
    "projector=linear projector.dim=8"
).split()
KINDS = {
    "clips": (1, 6, 8, 8),
    "series": (2, 48),
}
WORDS = {
    "clips": "encoder=frames encoder.widths=[4,8] predictor=conv predictor.width=4 predictor.depth=1".split(),
    "series": "encoder=vit encoder.patch=8 encoder.dim=8 encoder.heads=2 encoder.depth=1 predictor=cross "
    "predictor.dim=8 predictor.heads=2 predictor.depth=1".split(),
}


@pytest.fixture(scope="module", params=KINDS)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder, kind = tmp_path_factory.mktemp("forecast"), request.param
    x = np.random.default_rng(0).random((40, *KINDS[kind])).astype(np.float32)
    np.save(folder / "x.npy", x)
    words = [f"source={folder / 'x.npy'}", "task=forecast", "task.steps=2", *WORDS[kind], *SHORT]
    return load_run(train(load("demo", overrides=words), out=folder / "run").folder)


def test_the_end_is_drawn_and_what_was_seen_stays_as_it_is(run: Run) -> None:
    e = forecast.examples(run, 8)
    first = np.argmax(e["hidden"].any(axis=tuple(range(1, e["hidden"].ndim))))
    assert first == (2 if e["clips"].ndim == 5 else 16) and e["hidden"][first:].all()
    for side in ("true", "predicted"):
        np.testing.assert_array_equal(e[side][:, :, :first], e["clips"][:, :, :first])
        assert (e[side][:, :, first:] != e["clips"][:, :, first:]).any()
    drawn = forecast.figures(run, e)
    assert set(drawn) == {"forecast", "similarity"} and all(isinstance(f, Figure) for f in drawn.values())


def test_cells_are_drawn_where_the_scores_are_highest() -> None:
    scores = np.zeros((1, 2, 4, 4))
    scores[0, 0, 1, 2], scores[0, 1, 3, 0] = 1, 1
    e = {"clips": np.zeros((1, 1, 5, 8, 8), np.float32), "scores": scores, "past": 2, "unit": 1, "things": 1}

    class Clips:
        pictures, shape = "jepa.pictures.image", (1, 5, 8, 8)

    figure = detection.plot_detections(canvas(Clips(), (5, 4, 4)), e)  # type: ignore[arg-type]
    boxes = [[patch.get_xy() for patch in axes.patches] for axes in figure.axes]
    assert boxes == [[], [(4.0, 2.0)], [(0.0, 6.0)]]


def test_the_curves_over_the_horizon_are_those_of_the_evaluation(tmp_path: Path) -> None:
    found = {"ap": {"jepa": [0.9, 0.5], "velocity": [0.8, 0.2]}, "share": 0.03}
    (axes,) = detection.plot_horizons(found).axes
    drawn = {line.get_label(): list(line.get_ydata()) for line in axes.lines}
    assert drawn["predicted codes"] == [0.9, 0.5] and axes.get_xlabel() == "frames ahead"
