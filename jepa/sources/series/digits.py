"""MNIST-1D (Greydanus & Kobak 2024): ten digits as strokes of twelve points, which noise, shifts and slopes hide."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

STROKES = np.array(
    [
        [5, 6, 6.5, 6.75, 7, 7, 7, 7, 6.75, 6.5, 6, 5],
        [5, 3, 3, 3.4, 3.8, 4.2, 4.6, 5, 5.4, 5.8, 5, 5],
        [5, 6, 6.5, 6.5, 6, 5.25, 4.75, 4, 3.5, 3.5, 4, 5],
        [5, 6, 6.5, 6.5, 6, 5, 5, 6, 6.5, 6.5, 6, 5],
        [5, 4.4, 3.8, 3.2, 2.6, 2.6, 5, 5, 5, 5, 5, 5],
        [5, 3, 3, 3, 3, 5, 6, 6.5, 6.5, 6, 4.5, 5],
        [5, 4, 3.5, 3.25, 3, 3, 3, 3, 3.25, 3.5, 4, 5],
        [5, 7, 7, 6.6, 6.2, 5.8, 5.4, 5, 4.6, 4.2, 5, 5],
        [5, 4, 3.5, 3.5, 4, 5, 5, 4, 3.5, 3.5, 4, 5],
        [5, 4, 3.5, 3.5, 4, 5, 5, 5, 5, 4.7, 4.3, 5],
    ]
)
"""the x of each digit's pen, point by point from its top to its bottom"""
PADDING = 36, 60  # zeros behind a stroke, fewest and most
DENSE = STROKES.shape[1] + PADDING[1]  # samples of a series before it is thinned out
SCALE, SHIFTS = 0.4, 48  # range of the factor; shifts that are drawn from
NOISE, WIDTH, JITTER = 0.25, 2.0, 0.02  # deviation of the smoothed noise and its width, of the white one
SHEAR = 0.75  # range of the slope over the whole length


def strokes() -> Floats:
    """Return the ten strokes, each of mean 0 and deviation 1, moved to begin at 0, over 6: (10, 12).

    >>> strokes().shape, bool((strokes()[:, 0] == 0).all())
    ((10, 12), True)
    """
    x = STROKES - STROKES.mean(axis=1, keepdims=True)
    x /= x.std(axis=1, keepdims=True)
    found: Floats = (x - x[:, :1]) / 6
    return found


def series(count: int, length: int, seed: int) -> tuple[Floats, NDArray[np.int64]]:
    """Return series (count, length) of mean 0 and deviation 1 over all, and their digits, each as often.

    A stroke is followed by 36 to 60 zeros and resampled to 72 samples (which stretches it), scaled by 0.8 to 1.2 and
    turned around by up to 47 samples. Its zeros become noise, N(0, 0.25²) smoothed by a Gaussian of width 2; then there
    is noise N(0, 0.02²) on all of it and a slope of at most ±0.375 over its length; it is resampled to `length`. With
    5000, 40 and 42 they are the published data set, number for number: the draws, NumPy's old ones, and their order are
    those of its code. The first four fifths are to learn from. Reference: Greydanus & Kobak 2024, "Scaling down deep
    learning with MNIST-1D", section 3 and table 1.

    >>> x, digits = series(50, 40, 42)
    >>> x.shape, np.bincount(digits).tolist()
    ((50, 40), [5, 5, 5, 5, 5, 5, 5, 5, 5, 5])
    """
    rng, each = np.random.RandomState(seed), count // len(STROKES)
    digits = np.repeat(np.arange(len(STROKES)), each)
    x = np.stack([_one(stroke, length, rng) for stroke in strokes() for _ in range(each)])
    order = rng.permutation(len(digits))
    return ((x - x.mean()) / x.std())[order], digits[order]


def _one(stroke: Floats, length: int, rng: np.random.RandomState) -> Floats:
    """Return one series; 1e-8 on the stroke tells its zeros from those behind it."""
    zeros = PADDING[0] + int(rng.rand() * (PADDING[1] - PADDING[0] + 1))
    x = _resampled(np.concatenate([stroke + 1e-8, np.zeros(zeros)]), DENSE)
    x *= 1 + SCALE * (rng.rand() - 0.5)
    x = np.roll(x, rng.choice(SHIFTS))
    x = np.where(x != 0, x, _smoothed(NOISE * rng.randn(DENSE)))
    x = x + JITTER * rng.randn(DENSE)
    x = x - SHEAR * (rng.rand() - 0.5) * np.linspace(-0.5, 0.5, DENSE)
    return _resampled(x, length)


def _resampled(x: Floats, length: int) -> Floats:
    """Return a series at another length, by straight lines between its samples; both ends stay."""
    return np.interp(np.linspace(0, 1, length), np.linspace(0, 1, len(x)), x)


def _smoothed(x: Floats) -> Floats:
    """Return the mean around each sample with the weights of a Gaussian, cut off at four widths; ends are mirrored."""
    reach = int(4 * WIDTH)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / WIDTH) ** 2)
    return np.convolve(np.pad(x, reach, mode="symmetric"), weights / weights.sum(), mode="valid")
