"""Multinomial logistic regression with an L2 penalty, by Newton's method with preconditioned conjugate gradients.

A quasi-Newton method needs hundreds of passes over raw pixels, whose variances differ by a factor of a million between
directions. In the basis of principal components the Hessian is nearly diagonal and known: some twenty passes do.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]


class Basis(NamedTuple):
    """A rotation of the features onto their principal components."""

    axes: Matrix
    """(D, R) orthonormal columns, R = min(N, D)."""
    variances: Matrix
    """(R,) mean square along each axis."""


class Fit(NamedTuple):
    """A fitted logistic regression on R features."""

    weight: Matrix
    """(R + 1, K), the last row is the bias."""
    converged: bool
    """Whether the mean loss is within the tolerance of its minimum."""

    def predict(self, x: Matrix) -> NDArray[np.int64]:
        """Class with the largest logit for each row of x (M, R)."""
        return np.asarray(np.argmax(x @ self.weight[:-1] + self.weight[-1], axis=1))


def principal(x: Matrix) -> Basis:
    """Principal axes of the rows of x (N, D), which should be centred.

    The penalty |W|^2 does not change under rotation, and the best W lies in the span of the rows, so a logistic
    regression on `x @ axes` (N, R) is the same one as on x, only easier to compute.

    Examples
    --------
    >>> axes, variances = principal(np.array([[3, 0], [-3, 0], [0, 1], [0, -1]], dtype=np.float32))
    >>> variances
    array([0.5, 4.5], dtype=float32)
    """
    span = None
    if len(x) < x.shape[1]:
        span, triangle = np.linalg.qr(x.T)  # (D, N), (N, N): x = triangle.T @ span.T
        x = triangle.T
    variances, axes = np.linalg.eigh(x.T @ x / len(x))  # (R,), (R, R)
    return Basis(axes if span is None else span @ axes, np.maximum(variances, 0))


def with_bias(x: Matrix, axes: Matrix) -> Matrix:
    """Return x @ axes with a last column of ones, (N, R + 1), in the memory of one of both."""
    y = np.empty((len(x), axes.shape[1] + 1), dtype=np.float32)
    np.matmul(x, axes, out=y[:, :-1])
    y[:, -1] = 1
    return y


def logistic(
    x: Matrix,
    labels: NDArray[np.int64],
    *,
    variances: Matrix,
    C: float,
    start: Matrix | None = None,
    tolerance: float = 1e-6,
    max_iterations: int = 100,
) -> Fit:
    """Minimise mean_n -log softmax(W x_n + b)[y_n] + |W|^2 / (2 C N), as scikit-learn's LogisticRegression does.

    Each iteration solves H d = -g for the step d by conjugate gradients with the preconditioner
    M_jk = variances_j mean_n p_nk (1 - p_nk) + 1 / (C N), then halves d until the loss falls. It ends when
    sum g^2 / M / 2, an estimate of the distance to the minimum, is below `tolerance`.

    Parameters
    ----------
    x : float32 array (N, R + 1)
        Features in the basis of their principal components (`principal`); another basis only makes it slow. The last
        column is 1, the bias's (`with_bias`).
    labels : int64 array (N,)
        Classes 0 ... K-1, each of them present.
    variances : float32 array (R,)
        Mean square of each column but the last.
    C : float
        Inverse strength of the penalty. The bias is free.
    start : float32 array (R + 1, K), optional
        Where to begin, the weights of another fit; the result does not depend on it (the problem is convex).
    tolerance : float
        Of the mean loss, in nats.
    max_iterations : int
        Newton steps.

    References
    ----------
    Lin, Weng & Keerthi 2008, "Trust Region Newton Method for Large-Scale Logistic Regression" (the Hessian products).

    Examples
    --------
    >>> x = np.array([[-2, 1], [-1, 1], [1, 1], [2, 1]], dtype=np.float32)
    >>> fit = logistic(x, np.array([0, 0, 1, 1]), variances=np.array([2.5], dtype=np.float32), C=1.0)
    >>> fit.predict(x[:, :1]), fit.converged
    (array([0, 0, 1, 1]), True)
    """
    count, classes = len(x), int(labels.max()) + 1
    onehot = np.eye(classes, dtype=np.float32)[labels]  # (N, K)
    penalty = np.full((x.shape[1], 1), 1 / (C * count), dtype=np.float32)  # (R + 1, 1)
    penalty[-1] = 0
    scale = np.append(variances, np.float32(1))[:, None]  # (R + 1, 1)
    w = np.zeros((x.shape[1], classes), dtype=np.float32) if start is None else start
    loss, p = _loss(x, onehot, penalty, w)
    for _ in range(max_iterations):
        g = x.T @ ((p - onehot) / count) + penalty * w  # (R + 1, K)
        m = scale * (p * (1 - p)).mean(axis=0) + penalty + np.float32(1e-7)  # (R + 1, K)
        if np.sum(g * g / m) / 2 < tolerance:
            return Fit(w, True)
        d = _newton_step(x, p, penalty, g, m)
        slope, length = float(np.sum(g * d)), 1.0
        while True:
            new_loss, new_p = _loss(x, onehot, penalty, w + length * d)
            if new_loss <= loss + 1e-4 * length * slope + 1e-7 * abs(loss):  # the last term is float32 rounding
                break
            length /= 2
            if length < 1e-6:
                return Fit(w, False)
        w, loss, p = w + length * d, new_loss, new_p
    return Fit(w, False)


def _newton_step(x: Matrix, p: Matrix, penalty: Matrix, g: Matrix, m: Matrix) -> Matrix:
    """Solve H d = -g to a tenth, where (H v)_k = mean_n x_n p_nk ((v_k - sum_j p_nj v_j) . x_n) + penalty v_k."""
    d = np.zeros_like(g)
    r = -g
    z = r / m
    v, rz = z, float(np.sum(r * z))
    enough = 0.01 * rz
    for _ in range(200):
        u = p * (x @ v)  # (N, K)
        hv = x.T @ ((u - p * u.sum(axis=1, keepdims=True)) / len(x)) + penalty * v
        curvature = float(np.sum(v * hv))
        if curvature <= 0:  # rounding: nothing more to gain along v
            break
        d = d + (rz / curvature) * v
        r = r - (rz / curvature) * hv
        z = r / m
        rz, before = float(np.sum(r * z)), rz
        if rz < enough:
            break
        v = z + (rz / before) * v
    return d


def _loss(x: Matrix, onehot: Matrix, penalty: Matrix, w: Matrix) -> tuple[float, Matrix]:
    """Penalised mean loss, and the probabilities (N, K)."""
    logits = x @ w
    logits -= logits.max(axis=1, keepdims=True)
    p = np.exp(logits)
    total = p.sum(axis=1, keepdims=True)  # (N, 1)
    nll = np.mean(np.log(total[:, 0]) - np.sum(logits * onehot, axis=1), dtype=np.float64)
    return float(nll + np.sum(penalty * w * w, dtype=np.float64) / 2), p / total
