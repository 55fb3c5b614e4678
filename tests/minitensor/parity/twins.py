"""A layer of ours and PyTorch's with the same weights: results, gradients of inputs and weights, second gradients."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import minitensor as mt
from minitensor import nn
from tests.minitensor.parity.oracle import torch

TOLERANCE = {"float64": 1e-9, "float32": 1e-4}


def twins(make: Callable[[Any], Any], dtype: str = "float64", seed: int = 0) -> tuple[Any, Any]:
    """Return make(minitensor.nn) and make(torch.nn) with the same random weights; the keys agree in both directions."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours, theirs = make(nn), make(torch.nn)
    ours.load_state_dict(theirs.state_dict())
    rng = np.random.default_rng(seed)
    state = {k: rng.normal(0, 0.4, v.shape) for k, v in ours.state_dict().items()}
    ours.to(dtype=dtype).load_state_dict(state)
    theirs.to(getattr(torch, dtype)).load_state_dict({k: torch.tensor(v) for k, v in state.items()})
    return ours, theirs


def leaves(y: Any) -> Iterator[Any]:
    """Yield the Tensors in nested tuples."""
    if isinstance(y, tuple):
        for v in y:
            yield from leaves(v)
    elif y is not None:
        yield y


def _close(a: Any, b: Any, tolerance: float, what: str) -> None:
    if a is None or b is None:
        assert (a is None or not a.numpy().any()) and (b is None or not b.detach().numpy().any()), what
        return
    a, b = a.numpy(), b.detach().numpy()
    assert a.shape == b.shape and a.dtype == b.dtype, (what, a.shape, b.shape, a.dtype, b.dtype)
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, err_msg=what)


def _arrays(x: Any, dtype: str, of: Any) -> Any:
    """Bring nested tuples of NumPy arrays to Tensors of one engine, floats with a gradient."""
    if isinstance(x, tuple):
        return tuple(_arrays(v, dtype, of) for v in x)
    if not isinstance(x, np.ndarray):
        return x
    wanted = x.dtype.kind == "f" and bool(np.isfinite(x).all())
    x = x.astype(dtype) if x.dtype.kind == "f" else x
    return mt.Tensor(x.copy(), requires_grad=wanted) if of is mt else torch.tensor(x, requires_grad=wanted)


def agree(
    ours: Any,
    theirs: Any,
    *args: Any,
    dtype: str = "float64",
    order: int = 2,
    call: Callable[[Any], Any] = lambda layer: layer,
    **settings: Any,
) -> None:
    """Compare call(ours)(*args, **settings) with theirs: results, first and second gradients, inputs and weights."""
    tolerance = TOLERANCE[dtype]
    (a, ka), (b, kb) = ((_arrays(args, dtype, e), _settings(settings, dtype, e)) for e in (mt, torch))
    with warnings.catch_warnings(), torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        warnings.simplefilter("ignore")
        ys, ts = list(leaves(call(ours)(*a, **ka))), list(leaves(call(theirs)(*b, **kb)))
        assert len(ys) == len(ts)
        for i, (y, t) in enumerate(zip(ys, ts, strict=True)):
            _close(y, t, tolerance, f"result {i}")
        named, other = dict(ours.named_parameters()), dict(theirs.named_parameters())
        assert set(named) == set(other)
        names = [*named]
        xs = [x for x in leaves((*a, *ka.values())) if isinstance(x, mt.Tensor) and x.requires_grad]
        us = [u for u in leaves((*b, *kb.values())) if isinstance(u, torch.Tensor) and u.requires_grad]
        xs += [named[n] for n in names]
        us += [other[n] for n in names]
        what = [f"input {i}" for i in range(len(xs) - len(names))] + names
        pairs = [(y, t) for y, t in zip(ys, ts, strict=True) if t.requires_grad]
        assert all(y.requires_grad for y, _ in pairs)
        rng = np.random.default_rng(1)
        vs = [rng.standard_normal(t.shape).astype(dtype) for _, t in pairs]
        first = mt.grad(
            [y for y, _ in pairs], xs, [mt.Tensor(v) for v in vs], create_graph=order > 1, allow_unused=True
        )
        second = torch.autograd.grad(
            [t for _, t in pairs], us, [torch.tensor(v) for v in vs], create_graph=order > 1, allow_unused=True
        )
        for n, g, h in zip(what, first, second, strict=True):
            _close(g, h, tolerance, f"gradient of {n}")
        if order < 2:
            return
        both = [(g, h) for g, h in zip(first, second, strict=True) if h is not None and h.requires_grad]
        ws = [rng.standard_normal(h.shape).astype(dtype) for _, h in both]
        traced = [(g, mt.Tensor(w)) for (g, _), w in zip(both, ws, strict=True) if g.requires_grad]  # else constant
        g2 = mt.grad([g for g, _ in traced], xs, [w for _, w in traced], allow_unused=True)
        h2 = torch.autograd.grad([h for _, h in both], us, [torch.tensor(w) for w in ws], allow_unused=True)
        for n, g, h in zip(what, g2, h2, strict=True):
            _close(g, h, 10 * tolerance, f"second gradient of {n}")


def _settings(settings: dict[str, Any], dtype: str, of: Any) -> dict[str, Any]:
    return {k: _arrays(v, dtype, of) for k, v in settings.items()}
