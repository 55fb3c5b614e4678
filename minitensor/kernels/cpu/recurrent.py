"""Recurrent layers: the walk along all steps in arrays made once, a step being one matrix product and work in place.

The product of a step is W hᵀ: BLAS takes half as long for few columns as for few rows. All gates of a step are one
block (batch, gates), which stays in the processor's cache. Of them σ and tanh are taken in one go, and so is their
derivative, from the values a alone (e is 0 where a = σ(v), 1 where a = tanh(v)):

    σ(v) = (1 + tanh(v/2))/2      da/dv = (1 - a) (a + e)

Backward, dh and dc are what the later steps ask of hₜ and cₜ. Each step turns them into the gradient of its block,

    LSTM    dc += dh o (1 - tanh² c)     d[i, f, z, o] = [dc z, dc cₜ₋₁, dc i, dh tanh c] da/dv     dc <- dc f
    GRU     dn = dh (1 - u)              d[r, u, n] = [dn (1 - n²) hₙ, dh (hₜ₋₁ - n), dn] da/dv
    RNN     d = dh f'

and hands dh <- d W on (a GRU: [dr, du, r dn] W + dh u). What W and b get, Σ dₜᵀ hₜ₋₁ and Σ dₜ, is one product over all
steps at the end. Kept are the gates, and the states before the first step and after each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import DTypeLike

from minitensor.declaration import Outcome
from minitensor.kernels.cpu.layout import channel_sum
from minitensor.ops.nn.recurrent import gru_walk, lstm_walk, rnn_walk

Array = np.ndarray


def fits(x: Array, weight: Array, states: Sequence[Array], gates: int) -> bool:
    """Whether x is (steps, batch, gates n), weight (gates n, n) and each state (batch, n), none of them empty."""
    if x.ndim != 3 or weight.ndim != 2 or not x.size:
        return False
    n = weight.shape[1]
    return x.shape[2] == len(weight) == gates * n and all(s.shape == (x.shape[1], n) for s in states)


class Walk:
    """Which way the steps are taken: states lie in one array (steps + 1, ...), in the order of time."""

    def __init__(self, steps: int, reverse: bool) -> None:
        self.steps = steps
        self.order = range(steps)[::-1] if reverse else range(steps)
        self.before, self.after = (1, 0) if reverse else (0, 1)  # step t takes states[t + before] to states[t + after]

    def begun(self, state: Array) -> Array:
        """Return an array for the states, which holds the first one."""
        states = np.empty((self.steps + 1, *state.shape), state.dtype)
        states[self.order[0] + self.before] = state
        return states

    def previous(self, states: Array) -> Array:
        """Return the state that each step took."""
        return states[self.before : self.steps + self.before]

    def reached(self, states: Array) -> Array:
        """Return the state that each step made."""
        return states[self.after : self.steps + self.after]

    def last(self, states: Array) -> Array:
        """Return a copy of the last state."""
        last: Array = states[self.order[-1] + self.after]
        return last.copy()


def blocks(batch: int, n: int, kinds: str, dtype: DTypeLike) -> tuple[Array, Array]:
    """Return, in the shape of a block whose gates are σ ("s") or tanh ("t"), what v is scaled by before tanh, and e."""
    e: Array = np.array([k == "t" for k in kinds], dtype).repeat(n)[None].repeat(batch, 0)  # (batch, gates n)
    return np.multiply(1 + e, 0.5), e


def activate(v: Array, half: Array, rest: Array) -> None:
    """Replace v by σ(v), or by tanh(v), in place; rest = 1 - half."""
    v *= half
    np.tanh(v, out=v)
    v *= half
    v += rest


def steepen(d: Array, a: Array, e: Array) -> None:
    """Multiply d by the derivative of the gates, in place."""
    slope = 1 - a
    slope *= a + e
    d *= slope


def incoming(g: Array | None, like: Array) -> Array:
    """Return a copy of the gradient of a last state, zeros if it was not used."""
    return np.zeros_like(like) if g is None else g.copy()


def product(d: Array, states: Array) -> Array:
    """Σ over the steps of dₜᵀ hₜ: (steps, batch, m), (steps, batch, n) -> (m, n)"""
    total: Array = d.reshape(-1, d.shape[-1]).T @ states.reshape(-1, states.shape[-1])
    return total


class Steps(Protocol):
    """The pointwise part of an LSTM's steps, in place: from a block v to the gates a, and back to its gradient d."""

    def ahead(self, a: Array, before: Array, after: Array, y: Array) -> None:
        """Replace v by the gates, and write the next c and h."""

    def back(self, a: Array, before: Array, after: Array, dh: Array, dc: Array, d: Array, h: Array) -> None:
        """Write d and h again, and replace dc by that of the c before."""


class LstmSteps:
    """The same in NumPy."""

    def __init__(self, batch: int, n: int, dtype: DTypeLike) -> None:
        self.n = n
        self.half, self.e = blocks(batch, n, "ssts", dtype)
        self.rest = 1 - self.half

    def ahead(self, a: Array, before: Array, after: Array, y: Array) -> None:
        """Replace v by the gates, and write the next c and h."""
        n = self.n
        activate(a, self.half, self.rest)
        np.multiply(a[:, n : 2 * n], before, out=after)
        after += a[:, :n] * a[:, 2 * n : 3 * n]
        np.tanh(after, out=y)
        y *= a[:, 3 * n :]

    def back(self, a: Array, before: Array, after: Array, dh: Array, dc: Array, d: Array, h: Array) -> None:
        """Write d and h again, and replace dc by that of the c before."""
        n = self.n
        bent = np.tanh(after)
        np.multiply(bent, a[:, 3 * n :], out=h)
        through = 1 - bent * bent
        through *= a[:, 3 * n :]
        through *= dh
        dc += through
        np.multiply(dc, a[:, 2 * n : 3 * n], out=d[:, :n])
        np.multiply(dc, before, out=d[:, n : 2 * n])
        np.multiply(dc, a[:, :n], out=d[:, 2 * n : 3 * n])
        np.multiply(dh, bent, out=d[:, 3 * n :])
        steepen(d, a, self.e)
        dc *= a[:, n : 2 * n]


def lstm_by(
    make: Callable[[int, int, DTypeLike], Steps],
    x: Array,
    weight: Array,
    h: Array,
    c: Array,
    needs: tuple[bool, ...],
    reverse: bool,
) -> Outcome:
    """Run all steps of an LSTM with the pointwise part of `make(batch, n, dtype)`; keeps the gates and c."""
    if not fits(x, weight, (h, c), 4):
        return NotImplemented
    (steps, batch), n = x.shape[:2], h.shape[1]
    walk, pointwise = Walk(steps, reverse), make(batch, n, x.dtype)
    gates, v = np.empty((steps if any(needs) else 1, batch, 4 * n), x.dtype), np.empty((4 * n, batch), x.dtype)
    cells, y = walk.begun(c), np.empty((steps, batch, n), x.dtype)
    state = h
    for t in walk.order:
        a = gates[t % len(gates)]
        np.matmul(weight, state.T, out=v)
        np.add(x[t], v.T, out=a)
        pointwise.ahead(a, cells[t + walk.before], cells[t + walk.after], y[t])
        state = y[t]

    def pullback(g: tuple[Array | None, ...]) -> tuple[Array | None, ...]:
        gy, dh, dc = g[0], incoming(g[1], h), incoming(g[2], c)
        d, states = np.empty_like(gates), walk.begun(h)
        for t in reversed(walk.order):
            if gy is not None:
                dh += gy[t]
            before, after = cells[t + walk.before], cells[t + walk.after]
            pointwise.back(gates[t], before, after, dh, dc, d[t], states[t + walk.after])
            np.matmul(d[t], weight, out=dh)
        dw = product(d, walk.previous(states)) if needs[1] else None
        return d if needs[0] else None, dw, dh, dc

    return (y, state.copy(), walk.last(cells)), pullback


@lstm_walk.fused("cpu")
def lstm_cpu(x: Array, weight: Array, h: Array, c: Array, *, needs: tuple[bool, ...], reverse: bool = False) -> Outcome:
    """Run all steps of an LSTM in NumPy."""
    return lstm_by(LstmSteps, x, weight, h, c, needs, reverse)


@gru_walk.fused("cpu")
def gru_cpu(
    x: Array, weight: Array, h: Array, bias: Array | None, *, needs: tuple[bool, ...], reverse: bool = False
) -> Outcome:
    """Run all steps of a GRU; keeps the gates, hₙ and h."""
    if not fits(x, weight, (h,), 3) or (bias is not None and bias.shape != weight.shape[:1]):
        return NotImplemented
    (steps, batch), n = x.shape[:2], h.shape[1]
    walk = Walk(steps, reverse)
    _, e = blocks(batch, n, "sst", x.dtype)
    kept = steps if any(needs) else 1
    gates, hidden = np.empty((kept, batch, 3 * n), x.dtype), np.empty((kept, batch, n), x.dtype)
    states, turned, v = walk.begun(h), np.empty((3 * n, batch), x.dtype), np.empty((batch, 3 * n), x.dtype)
    for t in walk.order:
        state, a, hn = states[t + walk.before], gates[t % kept], hidden[t % kept]
        np.matmul(weight, state.T, out=turned)
        if bias is None:
            v[...] = turned.T
        else:
            np.add(turned.T, bias, out=v)
        hn[...] = v[:, 2 * n :]
        ru = np.add(x[t, :, : 2 * n], v[:, : 2 * n], out=a[:, : 2 * n])
        ru *= 0.5
        np.tanh(ru, out=ru)
        ru += 1
        ru *= 0.5
        new = np.multiply(a[:, :n], hn, out=a[:, 2 * n :])
        new += x[t, :, 2 * n :]
        np.tanh(new, out=new)
        after = np.subtract(state, new, out=states[t + walk.after])
        after *= a[:, n : 2 * n]
        after += new

    def pullback(g: tuple[Array | None, ...]) -> tuple[Array | None, ...]:
        gy, dh = g[0], incoming(g[1], h)
        d = np.empty_like(gates)  # of x
        dv = np.empty_like(gates)  # of W h + b
        for t in reversed(walk.order):
            if gy is not None:
                dh += gy[t]
            a, dt, dvt, hn = gates[t], d[t], dv[t], hidden[t]
            r, u, new = a[:, :n], a[:, n : 2 * n], a[:, 2 * n :]
            dn = np.multiply(dh, 1 - u, out=dt[:, 2 * n :])
            np.multiply(dh, states[t + walk.before] - new, out=dt[:, n : 2 * n])
            np.multiply(dn, (1 - new * new) * hn, out=dt[:, :n])
            steepen(dt, a, e)
            dvt[:, : 2 * n] = dt[:, : 2 * n]
            np.multiply(dn, r, out=dvt[:, 2 * n :])
            dh *= u
            dh += dvt @ weight
        dw = product(dv, walk.previous(states)) if needs[1] else None
        db = channel_sum(dv.reshape(-1, 3 * n)) if bias is not None and needs[3] else None
        return d if needs[0] else None, dw, dh, db

    return (walk.reached(states).copy(), walk.last(states)), pullback


@rnn_walk.fused("cpu")
def rnn_cpu(
    x: Array,
    weight: Array,
    h: Array,
    *,
    needs: tuple[bool, ...],
    nonlinearity: str = "tanh",
    reverse: bool = False,
) -> Outcome:
    """Run all steps of an RNN; keeps h."""
    if not fits(x, weight, (h,), 1) or nonlinearity not in ("tanh", "relu"):
        return NotImplemented
    walk = Walk(len(x), reverse)
    states, zeros, v = walk.begun(h), np.zeros_like(h), np.empty(h.T.shape, x.dtype)
    for t in walk.order:
        np.matmul(weight, states[t + walk.before].T, out=v)
        a = np.add(x[t], v.T, out=states[t + walk.after])
        if nonlinearity == "tanh":
            np.tanh(a, out=a)
        else:
            np.maximum(a, zeros, out=a)

    def pullback(g: tuple[Array | None, ...]) -> tuple[Array | None, ...]:
        gy, dh = g[0], incoming(g[1], h)
        d = np.empty_like(x)
        for t in reversed(walk.order):
            if gy is not None:
                dh += gy[t]
            a = states[t + walk.after]
            np.multiply(dh, 1 - a * a if nonlinearity == "tanh" else a > 0, out=d[t])
            np.matmul(d[t], weight, out=dh)
        dw = product(d, walk.previous(states)) if needs[1] else None
        return d if needs[0] else None, dw, dh

    return (walk.reached(states).copy(), walk.last(states)), pullback
