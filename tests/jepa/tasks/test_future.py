"""What comes later: parts of series, hidden ends, changes of series, and a predictor that is unrolled."""

from typing import Any

import numpy as np
import pytest

import jepa
import minitensor as mt
from jepa.contracts import Keep
from jepa.errors import ConfigError
from jepa.predictors.recurrent import Recurrent
from jepa.tasks import Masked, generators
from jepa.tasks.future import Future
from jepa.tasks.masked import Places
from jepa.transforms import crop_resize
from jepa.transforms.series import SeriesChanges, detrended


def ramp(n: int = 200, t: int = 60) -> np.ndarray:
    """Series whose samples say where they stand."""
    return np.tile(np.arange(t, dtype=np.float32), (n, 1, 1))


def test_later_parts_lie_where_the_predictor_is_told() -> None:
    task, x = Future(window=0.2, horizons=3), ramp()
    batch = task.ask(x, (6,), generators(len(x)))
    begin, later = batch.seen[:, 0, 0], batch.true[:, :, 0, 0]
    np.testing.assert_allclose(batch.asked.places[:, :, 1], (later - begin[:, None]) / 12, rtol=1e-5)
    assert (np.diff(batch.seen, axis=2) == 1).all() and (np.diff(batch.true, axis=3) == 1).all()
    assert (later[:, 0] >= begin + 12).all() and (np.diff(later, axis=1) >= 0).all() and later.max() <= 48
    assert begin.min() == 0 and begin.max() == 36 and later.min() < 20 and later.max() == 48
    other = batch.asked.rolled()
    assert other is not None and (other.places[1:] == batch.asked.places[:-1]).all()


def test_of_a_series_that_ends_early_only_what_is_there_counts() -> None:
    x = ramp()
    x[:, :, 40:] = np.nan
    batch = Future(window=0.2).ask(x, (6,), generators(len(x)))
    assert np.isfinite(batch.seen).all() and np.isfinite(batch.true).all()


@pytest.mark.parametrize(
    "make, shape, said",
    [
        (lambda: Future(), (3, 8, 8), "task=future asks what comes later in series"),
        (lambda: Future(window=0.01), (1, 40), "is a part of less than 2"),
        (lambda: Masked(masks="suffix", min_keep=8), (1, 32), "task.min_keep=8"),
    ],
)
def test_what_has_no_future_is_refused(make: Any, shape: tuple[int, ...], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        make().check(shape, (8,))


@pytest.mark.parametrize("grid", [(16,), (4, 3, 3)])
def test_the_end_is_hidden(grid: tuple[int, ...]) -> None:
    masks = Masked(masks="suffix", ratio=(0.25, 0.75), min_keep=2).masks(grid, 3, np.random.default_rng(0))
    context, target = masks.context[0], masks.target[0]
    rest = int(np.prod(grid[1:]))
    assert context.max() + 1 == target.min() and target.max() == np.prod(grid) - 1 and context.shape[1] % rest == 0
    assert Places(target[:, None]).rolled() is None


def test_a_recurrent_predictor_goes_on_from_step_to_step() -> None:
    """What is asked for later does not change what is predicted before; padding of the context does not count."""
    predictor = Recurrent(8, (12,), width=16)
    tokens = mt.Tensor(np.random.default_rng(0).normal(size=(2, 4, 8)).astype(np.float32))
    keep = Keep(np.tile(np.arange(4), (2, 1, 1)))
    (long,) = predictor(tokens, None, keep, Places(np.tile(np.arange(4, 9), (2, 1, 1))))
    (short,) = predictor(tokens, None, keep, Places(np.tile(np.arange(4, 7), (2, 1, 1))))
    np.testing.assert_allclose(long.numpy()[:, :3], short.numpy(), atol=1e-6)
    valid = np.array([[True, True, False, False], [True] * 4])
    (padded,) = predictor(tokens, valid, keep, Places(np.tile(np.arange(4, 7), (2, 1, 1))))
    (cut,) = predictor(tokens[:, :2], None, Keep(keep.index[:, :, :2]), Places(np.tile(np.arange(4, 7), (2, 1, 1))))
    np.testing.assert_allclose(padded.numpy()[0], cut.numpy()[0], atol=1e-6)
    np.testing.assert_allclose(padded.numpy()[1], short.numpy()[1], atol=1e-6)


def test_the_steps_of_a_forecast_are_one_walk() -> None:
    predictor = Recurrent(8, (12,), width=16)
    tokens = mt.Tensor(np.random.default_rng(0).normal(size=(2, 4, 8)).astype(np.float32))
    keep, later = jepa.tasks.Forecast(past=4, steps=3).question(2, (12,))
    steps = predictor(tokens, None, keep, later)
    (end,) = predictor(tokens, None, keep, Places(np.tile(np.arange(4, 7), (2, 1, 1))))
    np.testing.assert_allclose(np.concatenate([y.numpy() for y in steps], axis=1), end.numpy(), atol=1e-6)


@pytest.mark.parametrize("task", [Masked(masks="suffix"), Future(window=0.25)])
def test_a_recurrent_predictor_learns(task: Any) -> None:
    turns = np.arange(64) * np.random.default_rng(0).uniform(0.1, 0.6, size=(32, 1, 1))
    x = np.sin(turns).astype(np.float32)
    encoder = jepa.encoders.ViT((1, 64), patch=4, dim=16, depth=1, heads=2)
    model = jepa.JEPA(encoder, Recurrent(16, encoder.grid, width=32), objective=jepa.objectives.InfoNCE(0.2))
    optimizer, losses = mt.optim.AdamW(model.parameters(), lr=1e-2), []
    for step in range(40):
        optimizer.zero_grad()
        found, _ = model.loss(task.ask(x, encoder.grid, generators(32, step)))
        found["loss"].backward()
        optimizer.step()
        losses.append(float(found["loss"]))
    assert np.mean(losses[-5:]) < 0.95 * np.mean(losses[:5])


def test_crops_of_what_is_there_are_those_of_it_alone() -> None:
    x = np.random.default_rng(0).normal(size=(1, 2, 24)).astype(np.float32)
    gap = np.pad(x, ((0, 0), (0, 0), (0, 8)), constant_values=np.nan)
    np.testing.assert_allclose(crop_resize(gap, [(4, 16)], 8), crop_resize(x, [(4, 16)], 8), atol=1e-6)
    y = crop_resize(gap, [(20, 8)], 8)
    np.testing.assert_array_equal(y[:, :, :4], x[:, :, 20:])
    assert np.isnan(y[:, :, 4:]).all()


def test_means_are_of_what_is_there() -> None:
    """The views' embeddings of a series that ends early are those of the same series without the gap."""
    x = np.random.default_rng(0).normal(size=(4, 1, 32)).astype(np.float32)
    encoder = jepa.encoders.ViT((1, 32), patch=8, dim=16, depth=1, heads=2)
    model = jepa.JEPA(encoder, jepa.predictors.Identity(16, encoder.grid), objective=jepa.objectives.NTXent())
    asked, gap = jepa.tasks.views.Whole(1), x.copy()
    gap[:, :, 16:] = np.nan
    with mt.no_grad():
        whole = model.context.context(mt.Tensor(gap), None, asked)[0].numpy()
        half = encoder.tokens(mt.Tensor(x), Keep(np.tile(np.arange(2), (4, 1, 1)))).numpy().mean(axis=1, keepdims=True)
    np.testing.assert_allclose(whole, half, atol=1e-5)


def test_changes_of_series() -> None:
    x = ramp(4) * 2 + 3
    np.testing.assert_allclose(detrended(x), 0, atol=1e-4)
    still = SeriesChanges(scale=0, jitter=0).part()
    each = [np.random.default_rng(k) for k in range(4)]
    np.testing.assert_array_equal(still.apply(x, [still.draw(g) for g in each]), x)
    moved = SeriesChanges(scale=0, jitter=0, roll=0.5).part()
    y = moved.apply(x, [moved.draw(g) for g in each])
    np.testing.assert_array_equal(np.sort(y, axis=2), x)
    assert len({int(row.argmin()) for row in y[:, 0]}) == 4
    shifted = SeriesChanges(scale=0, jitter=0, offset=1.0, slope=2.0).part()
    change = shifted.apply(x, [shifted.draw(g) for g in each]) - x
    np.testing.assert_allclose(np.diff(change, n=2, axis=2), 0, atol=1e-4)
    assert np.abs(change.mean(axis=2)).min() > 1e-3
    x[:, :, 7] = np.nan
    every = SeriesChanges(detrend=True, roll=0.0).part()
    assert (np.isnan(every.apply(x, [every.draw(g) for g in each])) == np.isnan(x)).all()
    with pytest.raises(ConfigError, match="augment=series changes series"):
        SeriesChanges().check((3, 8, 8))
