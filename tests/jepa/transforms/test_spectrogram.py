"""Changes of spectrograms, one by one."""

from typing import Any

import numpy as np
import pytest

from jepa.errors import ConfigError
from jepa.tasks import generators
from jepa.transforms import SpectrogramChanges
from jepa.transforms.spectrogram import hidden, shifted, stretched

OFF = {"stretch": (1.0, 1.0), "shift": 0.0, "gain": 0.0, "tilt": 0.0, "noise": 0.0}
X = np.random.default_rng(0).normal(size=(200, 1, 12, 10)).astype(np.float32)


def changed(**settings: Any) -> np.ndarray:
    part = SpectrogramChanges(**{**OFF, **settings}).part()
    return part.apply(X, [part.draw(g) for g in generators(len(X)).examples])


def test_without_changes_nothing_changes() -> None:
    np.testing.assert_array_equal(changed(), X)


def test_gain_and_tilt_are_a_parabola_over_the_bands() -> None:
    added = changed(gain=0.5, tilt=0.3) - X
    np.testing.assert_allclose(added, np.broadcast_to(added[:, :, :, :1], added.shape), atol=1e-5)
    curve, across = added[:, 0, :, 0], np.linspace(-1, 1, 12)
    coefficients = np.polynomial.polynomial.polyfit(across, curve.T, 2)  # (3, n)
    np.testing.assert_allclose(curve.mean(axis=1).std(), 0.5, rtol=0.15)
    np.testing.assert_allclose(coefficients[1:].std(axis=1), 0.3, rtol=0.15)


def test_noise_is_each_entrys_own() -> None:
    added = changed(noise=0.5) - X
    np.testing.assert_allclose(added.std(), 0.5, rtol=0.02)
    assert np.abs(np.corrcoef(added.reshape(200, -1)) - np.eye(200)).max() < 0.5


@pytest.mark.parametrize(("name", "axis", "length"), [("hide_bands", 2, 12), ("hide_frames", 3, 10)])
def test_runs_are_hidden(name: str, axis: int, length: int) -> None:
    y = changed(**{name: 0.5})
    gone = (y != X).all(axis=(1, 5 - axis))  # (n, length)
    assert gone.sum(axis=1).max() == length // 2
    assert all(np.ptp(np.flatnonzero(row)) == row.sum() - 1 for row in gone if row.any())
    np.testing.assert_allclose(
        y[(y != X)].reshape(-1), np.broadcast_to(X.mean(axis=(1, 2, 3), keepdims=True), X.shape)[y != X], atol=1e-5
    )


def test_shift_and_stretch_by_hand() -> None:
    np.testing.assert_allclose(shifted(X, np.full(200, 2.0))[:, :, 2:], X[:, :, :-2], atol=1e-6)
    np.testing.assert_allclose(shifted(X, np.full(200, -3.0))[:, :, :9], X[:, :, 3:], atol=1e-6)
    np.testing.assert_allclose(stretched(X, np.full(200, 4 / 9), np.full(200, 0.2))[..., 0], X[..., 1], atol=1e-6)
    np.testing.assert_allclose(stretched(X, np.full(200, 4 / 9), np.full(200, 0.2))[..., -1], X[..., 5], atol=1e-5)
    assert not hidden(5, np.zeros(3), np.full(3, 0.5)).any()
    moved = changed(shift=2.0)
    assert 0 < np.abs(moved - X).max() and moved.shape == X.shape


def test_what_is_no_spectrogram_is_refused() -> None:
    with pytest.raises(ConfigError, match="augment=spectrogram changes spectrograms .* take augment=noise or none"):
        SpectrogramChanges().check((2, 64))
