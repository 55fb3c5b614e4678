"""Multinomial logistic regression with an L2 penalty, by Newton's method with preconditioned conjugate gradients.

A quasi-Newton method needs hundreds of passes over raw pixels, whose variances differ by a factor of a million between
directions. In the basis of principal components the Hessian is nearly diagonal and known: some twenty passes do.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]
ROWS = 4096  # that are rotated at once


class Fit(NamedTuple):
    """A fitted logistic regression on R features."""

    weight: Matrix
    """(R + 1, K), the last row is the bias"""
    converged: bool
    """whether the mean loss is within the tolerance of its minimum"""

    def logits(self, x: Matrix) -> Matrix:
        """Return W x + b of each row of x (M, R): (M, K)."""
        return np.asarray(x @ self.weight[:-1] + self.weight[-1])

    def predict(self, x: Matrix) -> NDArray[np.int64]:
        """Return the class with the largest logit for each row of x (M, R)."""
        return np.asarray(np.argmax(self.logits(x), axis=1))


def principal(x: Matrix) -> Matrix:
    """Return the principal axes of the rows of x (N, D), which should be centered: (D, R), R = min(N, D).

    The penalty |W|^2 does not change under rotation, and the best W lies in the span of the rows, so a logistic
    regression on `x @ axes` (N, R) is the same one as on x, only easier to compute.

    >>> np.abs(principal(np.array([[3, 0], [-3, 0], [0, 1], [0, -1]], dtype=np.float32)))
    array([[0., 1.],
           [1., 0.]], dtype=float32)
    """
    span = None
    if len(x) < x.shape[1]:
        span, triangle = np.linalg.qr(x.T)  # (D, N), (N, N): x = triangle.T @ span.T
        x = triangle.T
    _, axes = np.linalg.eigh(x.T @ x / len(x))  # (R, R), the smallest variance first
    return axes if span is None else span @ axes


def rotated(x: Matrix, axes: Matrix) -> Matrix:
    """Return x @ axes, (N, R), in the memory of x, which is overwritten."""
    y = x[:, : axes.shape[1]]
    for i in range(0, len(x), ROWS):
        y[i : i + ROWS] = x[i : i + ROWS] @ axes
    return y


def logistic(
    x: Matrix,
    labels: NDArray[np.int64],
    *,
    C: float,
    start: Matrix | None = None,
    tolerance: float = 1e-6,
    max_iterations: int = 100,
) -> Fit:
    """Minimize mean_n -log softmax(W x_n + b)[y_n] + |W|^2 / (2 C N), as scikit-learn's LogisticRegression does.

    Each iteration solves H d = -g for the step d by conjugate gradients with the preconditioner
    M_jk = mean_n x_nj^2 mean_n p_nk (1 - p_nk) + 1 / (C N), then halves d until the loss falls. It ends when
    sum g^2 / M / 2, an estimate of the distance to the minimum, is below `tolerance`, in nats of the mean loss.

    x (N, R): features in the basis of their principal components (`principal`); another basis only makes it slow.
    labels (N,): classes 0 ... K-1, each of them present. C: inverse strength of the penalty; the bias is free. start
    (R + 1, K): where to begin, the weights of another fit; the result does not depend on it (the problem is convex).
    Reference: Lin, Weng & Keerthi 2008, "Trust Region Newton Method for Large-Scale Logistic Regression" (the Hessian
    products).

    >>> x = np.array([[-2], [-1], [1], [2]], dtype=np.float32)
    >>> fit = logistic(x, np.array([0, 0, 1, 1]), C=1.0)
    >>> fit.predict(x), fit.converged
    (array([0, 0, 1, 1]), True)
    """
    (count, width), classes = x.shape, int(labels.max()) + 1
    onehot = np.eye(classes, dtype=np.float32)[labels]  # (N, K)
    penalty = np.full((width + 1, 1), 1 / (C * count), dtype=np.float32)
    penalty[-1] = 0
    scale = np.append(np.einsum("nd,nd->d", x, x) / count, np.float32(1))[:, None]  # (R + 1, 1)
    w = np.zeros((width + 1, classes), dtype=np.float32) if start is None else start
    loss, p = _loss(x, onehot, penalty, w)
    for _ in range(max_iterations):
        g = _summed(x, (p - onehot) / count) + penalty * w  # (R + 1, K)
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


def _summed(x: Matrix, y: Matrix) -> Matrix:
    """Return sum_n x_n y_n, with x_n ending in a one: (R + 1, K)."""
    return np.concatenate([x.T @ y, y.sum(axis=0, keepdims=True)])


def _newton_step(x: Matrix, p: Matrix, penalty: Matrix, g: Matrix, m: Matrix) -> Matrix:
    """Solve H d = -g to a tenth, where (H v)_k = mean_n x_n p_nk ((v_k - sum_j p_nj v_j) . x_n) + penalty v_k."""
    d = np.zeros_like(g)
    r = -g
    z = r / m
    v, rz = z, float(np.sum(r * z))
    enough = 0.01 * rz
    for _ in range(200):
        u = p * Fit(v, False).logits(x)  # (N, K)
        hv = _summed(x, (u - p * u.sum(axis=1, keepdims=True)) / len(x)) + penalty * v
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
    """Penalized mean loss, and the probabilities (N, K)."""
    logits = Fit(w, False).logits(x)
    logits -= logits.max(axis=1, keepdims=True)
    p = np.exp(logits)
    total = p.sum(axis=1, keepdims=True)  # (N, 1)
    nll = np.mean(np.log(total[:, 0]) - np.sum(logits * onehot, axis=1), dtype=np.float64)
    return float(nll + np.sum(penalty * w * w, dtype=np.float64) / 2), p / total
