"""The transformer of tables: what it makes of values and words, and that what is missing counts for nothing."""

import numpy as np
import pytest

import minitensor as mt
from jepa.contracts import Keep
from jepa.encoders.columns import Columns
from jepa.errors import ConfigError


def columns(shape: tuple[int, int] = (2, 6), **settings: object) -> Columns:
    mt.manual_seed(0)
    return Columns(shape, dim=16, depth=2, heads=2, **settings)


def rows(n: int = 5, shape: tuple[int, int] = (2, 6)) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(n, *shape)).astype(np.float32)


def test_a_number_scales_a_vector_and_a_word_chooses_one() -> None:
    encoder, x = columns(), np.zeros((2, 2, 6), np.float32)
    x[0, 0], x[1, 1] = 3.0, 1.0
    tokens = encoder.embed(mt.Tensor(x))
    weight, bias = encoder.weight.numpy(), encoder.bias.numpy()[:, 0]
    np.testing.assert_allclose(tokens.numpy(), [3 * weight[:, 0] + bias, weight[:, 1] + bias], rtol=1e-5)


@pytest.mark.parametrize("class_token", [False, True])
def test_what_is_missing_counts_for_nothing(class_token: bool) -> None:
    encoder, x = columns(class_token=class_token).eval(), rows()
    kept = np.array([0, 1, 3, 5])
    alone = encoder.tokens(mt.Tensor(x), Keep(np.tile(kept, (5, 1, 1)))).numpy()
    gone = x.copy()
    gone[:, :, [2, 4]] = np.nan
    tokens = encoder.tokens(mt.Tensor(gone)).numpy()
    np.testing.assert_allclose(tokens[:, kept], alone, rtol=1e-4, atol=1e-5)
    assert (tokens[:, [2, 4]] == 0).all()
    np.testing.assert_allclose(encoder.pooled(mt.Tensor(gone)).numpy(), alone.mean(axis=1), rtol=1e-4, atol=1e-5)
    assert encoder.pooled(mt.Tensor(gone), "flat").shape == (5, 96)


def test_a_row_without_anything_has_zeros_and_a_gradient_without_nan() -> None:
    encoder, x = columns(), rows()
    x[2] = np.nan
    found = encoder.pooled(mt.Tensor(x))
    assert (found.numpy()[2] == 0).all() and np.isfinite(found.numpy()).all()
    found.sum().backward()
    assert all(np.isfinite(p.grad.numpy()).all() for p in encoder.parameters() if p.grad is not None)


def test_other_columns_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"encoder=columns takes rows of a table"):
        columns((3, 8, 8))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"takes rows of 2 x 6 \(channels, columns\) alone; these are 2 x 5"):
        columns().tokens(mt.Tensor(rows(shape=(2, 5))))
