"""From samples to log-mel spectrograms: resampling, windows, the power in each band."""

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
ZEROS = 16  # crossings of the resampling filter on either side
BETA = 8.0  # of its Kaiser window: about 80 dB between what passes and what does not
PASSED = 0.9  # where it begins to fall, in units of the lower Nyquist frequency: nearly nothing is left above that
FLOOR = 1e-6  # added to the power before the logarithm


def mel(hertz: Floats | float) -> Floats:
    """Return the pitch of a frequency in mel: 2595 log10(1 + f / 700), as HTK has it (Young et al. 2006, eq. 5.13).

    >>> float(mel(1000.0).round(2)), float(mel(700.0).round(2))
    (999.99, 781.17)
    """
    return np.asarray(2595 * np.log10(1 + np.asarray(hertz, np.float64) / 700))


def hertz(mels: Floats | float) -> Floats:
    """Return the frequency of a pitch: the inverse of `mel`.

    >>> float(hertz(mel(440.0)).round(6))
    440.0
    """
    return np.asarray(700 * (10 ** (np.asarray(mels, np.float64) / 2595) - 1))


def edges(bands: int, rate: float, low: float) -> Floats:
    """Return the frequencies between which the bands lie, (bands + 2,): evenly spread in mel from `low` to rate / 2.

    Band k rises from edge k to edge k + 1, its center, and falls to edge k + 2.
    """
    return hertz(np.linspace(mel(low), mel(rate / 2), bands + 2))


@lru_cache(maxsize=8)
def filters(bands: int, size: int, rate: float, low: float) -> Floats:
    """Return the triangles (bands, size // 2 + 1) over the frequencies of a transform of `size` samples; height 1.

    >>> edges(2, 8000, 0.0).round(1).tolist()  # bins are 1000 Hz apart
    [0.0, 620.6, 1791.3, 4000.0]
    >>> filters(2, 8, 8000, 0.0).round(3).tolist()
    [[0.0, 0.676, 0.0, 0.0, 0.0], [0.0, 0.324, 0.906, 0.453, 0.0]]
    """
    at = edges(bands, rate, low)[:, None]
    f = np.arange(size // 2 + 1) * rate / size
    rising, falling = (f - at[:-2]) / (at[1:-1] - at[:-2]), (at[2:] - f) / (at[2:] - at[1:-1])
    return np.asarray(np.maximum(0, np.minimum(rising, falling)))


def log_mel(x: NDArray[Any], rate: float, bands: int, window: int, hop: int, low: float = 20.0) -> Floats:
    """Return the logarithm of the power in each mel band: (samples,) -> (bands, frames).

        S[k, t] = log(1e-6 + sum_f filters[k, f] |sum_i w_i x[t hop + i] e^(-2 pi j f i / size)|²)

    w: Hann's window of `window` samples, periodic; size: the next power of two. Frames lie wholly inside the sound; one
    that is shorter than a window is a single frame, with silence behind it.
    """
    count = max(1, 1 + (len(x) - window) // hop)
    x = np.pad(np.asarray(x, np.float64), (0, max(0, window - len(x))))
    frames = np.lib.stride_tricks.sliding_window_view(x, window)[: count * hop : hop]
    size = 1 << (window - 1).bit_length()
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    power = np.abs(np.fft.rfft(frames * hann, size)) ** 2  # (frames, size // 2 + 1)
    return np.asarray(np.log(filters(bands, size, rate, low) @ power.T + FLOOR))


def resampled(x: NDArray[Any], rate: int, new: int) -> Floats:
    """Return a sound of `rate` samples in a second with `new` of them: (samples,) -> (samples new / rate, rounded up,).

    Polyphase (Crochiere & Rabiner 1983, section 2.4): with new / rate = up / down in lowest terms, up - 1 zeros come
    between the samples, a low pass at 0.9 of the lower of the two Nyquist frequencies over it, and every down-th
    sample of that is kept; only those are computed. The low pass is a sinc with 16 crossings on either side under
    Kaiser's window (beta 8): what lies above the limit is weaker by 80 dB from 1.1 times the limit on.

    >>> t = np.arange(800) / 8000
    >>> y = resampled(np.sin(2 * np.pi * 440 * t), 8000, 16000)
    >>> len(y), bool(np.abs(y - np.sin(2 * np.pi * 440 * np.arange(1600) / 16000))[100:-100].max() < 1e-3)
    (1600, True)
    """
    if rate == new:
        return np.asarray(x, np.float64)
    common = math.gcd(rate, new)
    up, down = new // common, rate // common
    phases = _phases(up, down)  # (up, taps)
    taps = phases.shape[1]
    at = np.arange(-(-len(x) * up // down)) * down  # of each output, in units of 1 / up of a sample
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(np.asarray(x, np.float64), (taps // 2, taps)), taps)
    y = np.empty(len(at))
    for phase in range(min(up, len(at))):
        mine = np.arange(phase, len(at), up)
        y[mine] = windows[at[mine] // up] @ phases[at[phase] % up]
    return y


@lru_cache(maxsize=8)
def _phases(up: int, down: int) -> Floats:
    """Return the low pass of each place between two samples: (up, taps), row p for p / up of a sample behind one."""
    cutoff = PASSED * min(1.0, up / down)  # in units of the old Nyquist frequency
    half = math.ceil(ZEROS / cutoff)
    place = np.arange(-half, half + 1)[None] - np.arange(up)[:, None] / up  # (up, taps): where a tap lies, in samples
    kaiser = np.i0(BETA * np.sqrt(np.clip(1 - (place * cutoff / ZEROS) ** 2, 0, None)))
    h = np.sinc(cutoff * place) * kaiser * (np.abs(place * cutoff) <= ZEROS)
    return np.asarray(h / h.sum(axis=1, keepdims=True))
