"""Views: crops of a series, an image, a clip; each changed apart; one question for all."""

import numpy as np
import pytest

import minitensor as mt
from jepa.errors import ConfigError
from jepa.tasks import Batches, Views
from jepa.tasks.views import Whole
from jepa.transforms import ImageChanges, Noise
from tests.jepa.tasks.examples import Examples

SHAPES = [(2, 64), (3, 16, 20), (1, 4, 12, 12)]


def ask(task, source, count=40):
    x, generators = Batches(source, task, (4,), batch_size=count, seed=0).inputs(range(count))
    return task.ask(x, (4,), generators)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("views", [2, 4])
def test_views_have_the_example_s_shape_and_differ(shape, views):
    batch = ask(Views(Noise(), views=views), Examples(shape))
    assert batch.seen.shape == (40, *shape) and batch.true.shape == (40, views - 1, *shape) and batch.keep is None
    every = np.concatenate([batch.seen[:, None], batch.true], axis=1)
    for a in range(views):
        for b in range(a):
            assert not np.isclose(every[:, a], every[:, b]).reshape(40, -1).all(axis=1).any()
    assert batch.asked.sizes == (views - 1,)


@pytest.mark.parametrize("shape", SHAPES)
def test_whole_views_differ_by_their_changes_alone(shape):
    source = Examples(shape)
    same = ask(Views(crop=(1, 1), views=3), source)
    for x in (same.seen, same.true[:, 0], same.true[:, 1]):
        np.testing.assert_array_equal(x, source.x[:40])
    changed = ask(Views(Noise(scale=0, noise=0.1), crop=(1, 1)), source)
    assert abs((changed.seen - source.x[:40]).std() - 0.1) < 0.01
    assert abs((changed.seen - changed.true[:, 0]).std() - 0.1 * 2**0.5) < 0.01


@pytest.mark.parametrize("shape", [(1, 200), (1, 60, 50), (1, 10, 30, 30)])
def test_a_view_shows_the_asked_share(shape):
    source = Examples(shape, 60)
    lengths, shares = shape[1:], np.ones(60)
    for axis, n in enumerate(lengths):  # a ramp along one axis: how much flatter it gets says how long the crop was
        ramp = np.linspace(0, 1, n, dtype=np.float32).reshape(-1, *[1] * (len(lengths) - axis - 1))
        source.x[:] = ramp
        seen = ask(Views(crop=(0.3, 0.6)), source, 60).seen[:, 0]
        inner = np.moveaxis(seen, axis + 1, -1)[..., n // 3 : -n // 3]
        shares *= np.diff(inner, axis=-1).mean(axis=tuple(range(1, seen.ndim))) * (n - 1)
    assert 0.25 < shares.min() < 0.35 and 0.55 < shares.max() < 0.65 and abs(shares.mean() - 0.45) < 0.03


def test_the_question_is_the_mean_of_each_view():
    tokens = np.random.default_rng(0).random((5, 2, 7, 3), dtype=np.float32)
    asked = Whole(2)
    (found,) = asked.of(mt.Tensor(tokens))
    np.testing.assert_allclose(found.numpy(), tokens.mean(axis=2), atol=1e-6)
    context, valid = asked.context(mt.Tensor(tokens[:, 0]), None)
    np.testing.assert_allclose(context.numpy(), tokens[:, 0].mean(axis=1, keepdims=True), atol=1e-6)
    assert valid is None and asked.rolled() is None and asked.level_weights == () and asked.valid == [None]
    assert mt.data_parallel(lambda x, asked: x * asked.views, mt.ones((4, 1)), asked).numpy().sum() == 8


def test_the_curriculum_moves_the_crop():
    task = Views(crop=(0.8, 1.0), crop_end=(0.2, 0.4))
    assert task.at(0.5).settings.crop == pytest.approx((0.5, 0.7)) and task.at(1).settings.crop == (0.2, 0.4)
    assert task.values(1.0) == {"crop_min": 0.2, "crop_max": 0.4}


def test_what_cannot_be_viewed_is_refused():
    with pytest.raises(ConfigError, match=r"task.crop=\[0.3, 1.0\] cuts along the axes behind the channels"):
        Views().check((7,), (1,))
    Views(Noise(), crop=(1, 1)).check((7,), (1,))
    with pytest.raises(ConfigError, match="augment=image changes images"):
        Views(ImageChanges()).check((2, 64), (16,))
    for settings, said in (({"views": 1}, "views=1: must be at least 2"), ({"crop": (0, 1)}, "crop=.*must be")):
        with pytest.raises(ConfigError, match=f"ViewsSettings: {said}"):
            Views(**settings)


def test_plain_numbers_are_viewed_by_their_changes():
    batch = ask(Views(Noise(), crop=(1, 1)), Examples((7,)))
    assert batch.seen.shape == (40, 7) and batch.true.shape == (40, 1, 7)
    assert not np.isclose(batch.seen, batch.true[:, 0]).any()
