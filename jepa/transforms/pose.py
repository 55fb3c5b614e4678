"""Poses in the plane: a rotation and a shift as three numbers, their inverse, and what an image shows from there.

A pose (θ, t_x, t_y) moves a point p = (x, y), y counted downwards, to R(θ) p + t: θ > 0 turns x towards y, which is
clockwise to the eye. Arrays of poses are (n, 3), of points (n, k, 2).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jepa.errors import DataError
from jepa.text import by_x
from jepa.transforms.base import Examples

Floats = NDArray[np.floating[Any]]


def moved(pose: Floats, points: Floats) -> Floats:
    """Return R(θ) p + t of each point.

    >>> moved(np.array([[np.pi / 2, 1.0, 0.0]]), np.array([[[1.0, 0.0]]])).round(6)
    array([[[1., 1.]]])
    """
    cos, sin = np.cos(pose[:, :1]), np.sin(pose[:, :1])
    x, y = points[..., 0], points[..., 1]
    return np.stack([cos * x - sin * y, sin * x + cos * y], axis=-1) + pose[:, None, 1:]


def inverse(pose: Floats) -> Floats:
    """Return (-θ, -R(-θ) t), which moves each point back to where it was. Negating all three numbers does not.

    >>> p, pose = np.array([[[0.3, 0.2]]]), np.array([[0.5, 0.4, -0.1]])
    >>> moved(inverse(pose), moved(pose, p)).round(6), moved(-pose, moved(pose, p)).round(2)
    (array([[[0.3, 0.2]]]), array([[[0.2 , 0.02]]]))
    """
    back = np.stack([-pose[:, 0], *np.zeros((2, len(pose)), pose.dtype)], axis=1)
    return np.concatenate([back[:, :1], -moved(back, pose[:, None, 1:])[:, 0]], axis=1)


def composed(first: Floats, then: Floats) -> Floats:
    """Return the pose that moves as `first` does and `then` on: (θ' + θ, R(θ') t + t').

    >>> composed(np.array([[0.0, 1.0, 0.0]]), np.array([[np.pi / 2, 0.0, 0.0]])).round(4)
    array([[1.5708, 0.    , 1.    ]])
    """
    return np.concatenate([then[:, :1] + first[:, :1], moved(then, first[:, None, 1:])[:, 0]], axis=1)


def seen_from(x: Examples, pose: Floats, size: Sequence[int], step: Sequence[float] = (1.0, 1.0)) -> Examples:
    """Return what images show to a window in a pose, by bilinear interpolation: (n, c, h, w) -> (n, c, *size).

        y[i, j] = x at R(θ) q + t,    q = (step_x (j - (w' - 1) / 2), step_y (i - (h' - 1) / 2))

    pose: in pixels of x, from its center; step: pixels from one place of the window to the next, (down, across).
    Nearest neighbors would leave a pattern of doubled pixels that gives the rotation away. Raises DataError for a
    window that leaves its image: nothing is made up.

    >>> x = np.float32([[0, 1, 2], [0, 1, 2], [0, 1, 2]])[None, None]
    >>> seen_from(x, np.array([[0.0, 0.5, 0.0]]), (1, 2))
    array([[[[1., 2.]]]], dtype=float32)
    """
    n, c, h, w = x.shape
    down, across = (s * (np.arange(k) - (k - 1) / 2) for s, k in zip(step, size, strict=True))
    window = np.stack(np.broadcast_arrays(across, down[:, None]), axis=-1).reshape(1, -1, 2)
    at = moved(np.asarray(pose, np.float64), window) + [(w - 1) / 2, (h - 1) / 2]  # (n, h' w', 2)
    outside = ((at < -1e-6) | (at > [w - 1 + 1e-6, h - 1 + 1e-6])).any(axis=(1, 2))
    if outside.any():
        k = int(outside.argmax())
        place = ", ".join(f"{v:.3g}" for v in pose[k])
        raise DataError(f"the window of {by_x(size)} in the pose ({place}) leaves an image of {h} x {w}")
    column, row = (np.clip(at[..., k].astype(np.int64), 0, max(m - 2, 0)) for k, m in enumerate((w, h)))
    right, below = ((at[..., k] - low).astype(np.float32)[:, None] for k, low in enumerate((column, row)))
    flat, first = x.reshape(n, c, h * w), (row * w + column)[:, None]  # the pixel above and to the left

    def pixels(more: int) -> Examples:
        return np.take_along_axis(flat, np.minimum(first + more, h * w - 1), axis=2)

    above = pixels(0) + (pixels(1) - pixels(0)) * right
    under = pixels(w) + (pixels(w + 1) - pixels(w)) * right
    y: Examples = (above + (under - above) * below).reshape(n, c, *size)
    return y
