"""Forecast: a part of the clip, its past, and the places of each step behind it."""

import numpy as np
import pytest

import minitensor as mt
from jepa.assembly import check_fit
from jepa.encoders import FrameEncoder, ViT
from jepa.errors import ConfigError
from jepa.learner import JEPA
from jepa.objectives import VICReg
from jepa.predictors import Conv, CrossAttention
from jepa.sources import Arrays
from jepa.tasks import Forecast, generators

CLIPS = np.arange(10)[None, None, :, None, None] + np.zeros((6, 1, 10, 4, 4), np.float32)  # a frame says its number


def test_the_past_is_kept_and_the_steps_behind_it_are_asked() -> None:
    batch = Forecast(past=2, steps=3).ask(CLIPS, (10, 2, 2), generators(6))
    first = batch.seen[:, 0, 0, 0, 0]
    np.testing.assert_array_equal(batch.seen[:, 0, :, 0, 0], first[:, None] + np.arange(5))
    np.testing.assert_array_equal(batch.seen, batch.true[:, 0])
    assert len(set(first)) > 1 and first.max() <= 5
    np.testing.assert_array_equal(batch.keep.index[2, 0], np.arange(8))
    np.testing.assert_array_equal(batch.asked.index[2], np.arange(8, 20).reshape(3, 4))
    assert batch.asked.sizes == (4, 4, 4) and batch.asked.rolled() is None


def test_a_place_may_be_several_frames() -> None:
    batch = Forecast(past=1, steps=2).ask(CLIPS, (5, 2, 2), generators(6))
    first = batch.seen[:, 0, 0, 0, 0]
    assert batch.seen.shape == (6, 1, 6, 4, 4) and not (first % 2).any()


def test_the_target_makes_the_codes_that_are_asked_for() -> None:
    mt.manual_seed(0)
    encoder = FrameEncoder((1, 10, 4, 4), widths=(3, 5))
    model = JEPA(encoder, Conv(5, encoder.grid, width=4), objective=VICReg(), target="shared")
    model.eval()
    batch = Forecast(past=2, steps=3).ask(CLIPS, encoder.grid, generators(6))
    z = model.embed(batch)
    codes = encoder.tokens(mt.Tensor(batch.seen)).numpy().reshape(6, 5, 4, 5)
    for step, target in enumerate(z.targets):
        np.testing.assert_allclose(target.numpy(), codes[:, 2 + step], atol=1e-6)
    assert z.context.shape == (6 * 8, 1, 5)  # each token of the past counts where an objective looks at their spread


@pytest.mark.parametrize(
    ("settings", "encoder", "said"),
    [
        ({"past": 6, "steps": 5}, FrameEncoder((1, 10, 4, 4), widths=(4,)), "need 11 places along the first axis"),
        ({"steps": 1, "steps_end": 9}, FrameEncoder((1, 10, 4, 4), widths=(4,)), "task.steps=9 need 11 places"),
        ({"past": 1}, FrameEncoder((1, 10, 4, 4), widths=(4,)), "predictor.past=2 with task.past=1"),
        ({}, FrameEncoder((1, 10, 4, 4), widths=(4,), places=False), "predictor=conv takes a feature map"),
    ],
)
def test_what_does_not_fit_is_refused(settings: dict, encoder: FrameEncoder, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as error:
        model = JEPA(encoder, Conv(4, encoder.grid, width=4), objective=VICReg(), target="shared")
        check_fit(model, Forecast(**settings), Arrays(CLIPS))
    assert "take " in str(error.value)


def test_steps_are_a_curriculum() -> None:
    task = Forecast(steps=1, steps_end=4)
    assert [task.at(p).settings.steps for p in (0, 0.3, 0.9, 1)] == [1, 2, 4, 4] and task.values(1.0) == {"steps": 4}


def test_predictors_of_places_answer_it_too() -> None:
    encoder = ViT((1, 10, 4, 4), patch=(2, 2, 2), dim=8, depth=1, heads=2)
    model = JEPA(encoder, CrossAttention(8, encoder.grid, dim=8, depth=1, heads=2))
    task = Forecast(past=2, steps=2)
    check_fit(model, task, Arrays(CLIPS))
    assert np.isfinite(float(model.loss(task.ask(CLIPS, encoder.grid, generators(6)))[0]["loss"]))
