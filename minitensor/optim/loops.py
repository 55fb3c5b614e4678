"""The updates of optimizers, the moving average and sums of squares, each in one pass over flat arrays.

Each loop says for one entry what `update` of the optimizer says for arrays. `numbers` are what its settings come to, in
the order in which the loop unpacks them.
"""

from math import sqrt

import numpy as np

from minitensor.kernels.compiled.compiler import compiled

__all__ = ["adagrad", "adam", "lamb", "lengths", "lerp", "lion", "momentum", "nadam", "rmsprop", "squares"]

Array = np.ndarray


@compiled
def adam(p: Array, g: Array, m: Array, v: Array, numbers: Array) -> None:
    """Move p along m / (√v + eps); p shrinks before (AdamW), or a part of it joins g (Adam)."""
    kept, joined, rate, square_rate, eps, step = numbers
    for i in range(p.size):
        d = g[i] + joined * p[i] if joined != 0.0 else g[i]
        mean = m[i] + rate * (d - m[i])
        square = v[i] + square_rate * (d * d - v[i])
        m[i], v[i] = mean, square
        p[i] = kept * p[i] - step * (mean / (sqrt(square) + eps))


@compiled
def lamb(r: Array, p: Array, g: Array, m: Array, v: Array, numbers: Array) -> None:
    """r = m / (√v + eps) + decay p, scaled: the direction of a step whose length is not known yet."""
    decay, rate, square_rate, eps, scale = numbers
    for i in range(p.size):
        m[i] += rate * (g[i] - m[i])
        v[i] += square_rate * (g[i] * g[i] - v[i])
        r[i] = scale * (m[i] / (sqrt(v[i]) + eps)) + decay * p[i]


@compiled
def momentum(p: Array, g: Array, b: Array, numbers: Array) -> None:
    """Move p along b = μ b + share g, or along g + μ b (ahead: Nesterov); a part of p joins g before."""
    joined, mu, share, ahead, lr = numbers
    for i in range(p.size):
        d = g[i] + joined * p[i] if joined != 0.0 else g[i]
        b[i] = mu * b[i] + share * d
        p[i] -= lr * (d + mu * b[i] if ahead != 0.0 else b[i])


@compiled
def lion(p: Array, g: Array, m: Array, numbers: Array) -> None:
    """Move p by lr against the sign of m + rate (g - m), which is NaN for NaN."""
    kept, rate, later_rate, lr = numbers
    for i in range(p.size):
        change = g[i] - m[i]
        u = m[i] + rate * change
        sign = 1.0 if u > 0.0 else (-1.0 if u < 0.0 else u)
        p[i] = kept * p[i] - lr * sign
        m[i] += later_rate * change


@compiled
def nadam(p: Array, g: Array, m: Array, v: Array, numbers: Array) -> None:
    """Move p along g and m, each divided by √v · root + eps; p shrinks before, or a part of it joins g."""
    kept, joined, rate, square_rate, root, eps, step, mean_step = numbers
    for i in range(p.size):
        d = g[i] + joined * p[i] if joined != 0.0 else g[i]
        mean = m[i] + rate * (d - m[i])
        square = v[i] + square_rate * (d * d - v[i])
        m[i], v[i] = mean, square
        p[i] = kept * p[i] - (step * d + mean_step * mean) / (sqrt(square) * root + eps)


@compiled
def adagrad(p: Array, g: Array, v: Array, numbers: Array) -> None:
    """Move p along g / (√v + eps) with v = v + g²; a part of p joins g before."""
    joined, eps, step = numbers
    for i in range(p.size):
        d = g[i] + joined * p[i] if joined != 0.0 else g[i]
        square = v[i] + d * d
        v[i] = square
        p[i] -= step * (d / (sqrt(square) + eps))


@compiled
def rmsprop(p: Array, g: Array, v: Array, b: Array, a: Array, numbers: Array) -> None:
    """Move p along g / (√v + eps), or b = μ b + that; where there are means a of g, v - a² stands for v."""
    joined, alpha, rate, eps, mu, lr = numbers
    for i in range(p.size):
        d = g[i] + joined * p[i] if joined != 0.0 else g[i]
        square = alpha * v[i] + rate * (d * d)
        v[i] = square
        if a.size:
            a[i] += rate * (d - a[i])
            square -= a[i] * a[i]
        move = d / (sqrt(square) + eps)
        if b.size:
            move += mu * b[i]
            b[i] = move
        p[i] -= lr * move


@compiled
def lerp(target: Array, source: Array, kept: float, share: float) -> None:
    """Target = kept · target + share · source."""
    for i in range(target.size):
        target[i] = kept * target[i] + share * source[i]


@compiled(sums=True)
def squares(x: Array, totals: Array) -> None:
    """Totals (1,) = Σ x², added up in float64."""
    s = np.float64(0)
    for i in range(x.size):
        s += np.float64(x[i]) * np.float64(x[i])
    totals[0] = s


@compiled(sums=True)
def lengths(p: Array, g: Array, joined: float, totals: Array) -> None:
    """Totals (2,) = Σ p² and Σ (g + joined p)², added up in float64."""
    a, b = np.float64(0), np.float64(0)
    for i in range(p.size):
        d = np.float64(g[i] + joined * p[i] if joined != 0.0 else g[i])
        a += np.float64(p[i]) * np.float64(p[i])
        b += d * d
    totals[0], totals[1] = a, b
