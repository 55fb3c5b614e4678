"""Derivatives as functions: `jvp`, `vjp`, `hvp`, `jacobian`, `hessian`, and `vmap`, all made of `grad`.

A vector-Jacobian product (vjp) is one pass back through the graph. A Jacobian-vector product (jvp) is the derivative of
a vjp with respect to its incoming gradient, in which the vjp is linear: two passes back (the "double backward trick").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minitensor.backend import namespace
from minitensor.engine import grad
from minitensor.errors import GradientError
from minitensor.graph import Variable, describe
from minitensor.modes import enable_grad
from minitensor.ops.shaping.join import stack
from minitensor.ops.shaping.shape import moveaxis, reshape
from minitensor.tensor import Tensor

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vjp", "vmap"]


def _inputs(xs: Any, keep: bool) -> tuple[Tensor, ...]:
    """Return the points as Tensors that require grad: in their graph if it is to be kept, else leaves of their own."""
    result = []
    for x in xs if isinstance(xs, (tuple, list)) else (xs,):
        t = x if isinstance(x, Tensor) else Tensor(x)
        result.append(t * 1 if keep and t.requires_grad else t.detach().requires_grad_())
    return tuple(result)


def _call(f: Callable[..., Any], xs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Return the results of f as a tuple."""
    ys = f(*xs)
    ys = tuple(ys) if isinstance(ys, (tuple, list)) else (ys,)
    for y in ys:
        if not isinstance(y, Variable):
            raise TypeError(f"the function must return Tensors; it returned {describe(y)}")
    return ys


def _tangents(name: str, given: Any, like: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Check that there is one vector per point, of its shape."""
    vs = tuple(given) if isinstance(given, (tuple, list)) else (given,)
    vs = tuple(v if isinstance(v, Tensor) else Tensor(v) for v in vs)
    if [v.shape for v in vs] != [x.shape for x in like]:
        raise ValueError(f"{name}: the vectors have shapes {[v.shape for v in vs]}, not {[x.shape for x in like]}")
    return tuple(v.astype(x.dtype) if v.dtype != x.dtype else v for v, x in zip(vs, like, strict=True))


def _zeros(x: Tensor) -> Tensor:
    return Tensor(namespace(x.data).zeros_like(x.data))


def _grads(ys: Sequence[Tensor], xs: Sequence[Tensor], vs: Sequence[Tensor], create_graph: bool) -> list[Tensor]:
    """Σ v · dy/dx for each x, zeros where nothing depends on it."""
    pairs = [(y, v) for y, v in zip(ys, vs, strict=True) if y.requires_grad]
    if not pairs:
        return [_zeros(x) for x in xs]
    found = grad([y for y, _ in pairs], xs, [v for _, v in pairs], create_graph, retain_graph=True, allow_unused=True)
    return [_zeros(x) if g is None else g for g, x in zip(found, xs, strict=True)]


def _like(given: Any, values: Sequence[Any]) -> Any:
    """Return one value for one argument, a tuple for several."""
    return tuple(values) if isinstance(given, (tuple, list)) else values[0]


def vjp(f: Callable[..., Any], xs: Any, v: Any = None, create_graph: bool = False) -> tuple[Any, Any]:
    """Return f(*xs) and vᵀ J, the vector-Jacobian product: one pass back.

    xs: one point or a tuple of them; v: of the shape of f's result (a tuple for several), 1 for a single number.
    With `create_graph` the product can be differentiated again.

    >>> import minitensor as mt
    >>> mt.vjp(lambda x: x**2, mt.Tensor([1.0, 2.0]), mt.Tensor([1.0, 10.0]))[1]
    Tensor float32 (2,): [ 2. 40.]
    """
    with enable_grad():
        points = _inputs(xs, create_graph)
        ys = _call(f, points)
        if v is None:
            if len(ys) != 1 or ys[0].size != 1:
                raise GradientError(f"vjp: pass v for a result of shape {[y.shape for y in ys]}")
            v = Tensor(namespace(ys[0].data).ones_like(ys[0].data))
        products = _grads(ys, points, _tangents("vjp", v, ys), create_graph)
    out = ys if create_graph else tuple(y.detach() for y in ys)
    return (out[0] if len(out) == 1 else out), _like(xs, products)


def jvp(f: Callable[..., Any], xs: Any, v: Any, create_graph: bool = False) -> tuple[Any, Any]:
    """Return f(*xs) and J v, the derivative of f in the direction v, by two passes back.

    vᵀJ is linear in its incoming gradient u; its derivative with respect to u in the direction v is J v.

    >>> import minitensor as mt
    >>> mt.jvp(lambda x: x**2, mt.Tensor([1.0, 2.0]), mt.Tensor([1.0, 0.0]))[1]
    Tensor float32 (2,): [2. 0.]
    """
    with enable_grad():
        points = _inputs(xs, create_graph)
        ys = _call(f, points)
        vs = _tangents("jvp", v, points)
        us = tuple(_zeros(y).requires_grad_() for y in ys)
        products = _grads(ys, points, us, create_graph=True)
        directions = _grads(products, us, vs, create_graph)
    out = ys if create_graph else tuple(y.detach() for y in ys)
    return (out[0], directions[0]) if len(out) == 1 else (out, tuple(directions))


def hvp(f: Callable[..., Any], xs: Any, v: Any, create_graph: bool = False) -> tuple[Any, Any]:
    """Return f(*xs), a single number, and H v, the Hessian times a vector: the gradient of ∇f · v.

    Costs about two gradients; the Hessian itself is never formed (Pearlmutter 1994).

    >>> import minitensor as mt
    >>> mt.hvp(lambda x: (x**3).sum(), mt.Tensor([1.0, 2.0]), mt.Tensor([1.0, 1.0]))[1]
    Tensor float32 (2,): [ 6. 12.]
    """
    with enable_grad():
        points = _inputs(xs, create_graph)
        y = _scalar("hvp", _call(f, points))
        vs = _tangents("hvp", v, points)
        first = _grads([y], points, [Tensor(namespace(y.data).ones_like(y.data))], create_graph=True)
        products = _grads(first, points, vs, create_graph)
    return (y if create_graph else y.detach()), _like(xs, products)


def _scalar(name: str, ys: tuple[Tensor, ...]) -> Tensor:
    if len(ys) != 1 or ys[0].size != 1:
        raise GradientError(f"{name}: the function must return a single number; it returned {[y.shape for y in ys]}")
    return ys[0]


def jacobian(f: Callable[..., Any], xs: Any, create_graph: bool = False) -> Any:
    """Return J = dy/dx, of shape (*y.shape, *x.shape): one pass back per entry of y.

    A tuple of points gives a tuple; a function of several results a tuple of those.

    >>> import minitensor as mt
    >>> mt.jacobian(lambda x: x * x.sum(), mt.Tensor([1.0, 2.0]))
    Tensor float32 (2, 2): [[4. 1.] [2. 5.]]
    """
    with enable_grad():
        points = _inputs(xs, create_graph)
        ys = _call(f, points)
        jacobians = []
        for y in ys:
            if y.dtype.kind == "c":
                raise GradientError("jacobian: a complex result has one for each of its parts: take y.real or y.imag")
            rows = []
            for i in range(y.size):
                unit = np.zeros(y.size, y.dtype)
                unit[i] = 1
                rows.append(_grads([y], points, [Tensor(unit.reshape(y.shape), device=y.device)], create_graph))
            jacobians.append(
                [
                    reshape(stack(*[row[k] for row in rows]), shape=(*y.shape, *x.shape))
                    if rows
                    else Tensor(np.zeros((*y.shape, *x.shape), x.dtype), device=x.device)
                    for k, x in enumerate(points)
                ]
            )
    results = [_like(xs, j) for j in jacobians]
    return results[0] if len(results) == 1 else tuple(results)


def hessian(f: Callable[..., Any], xs: Any, create_graph: bool = False) -> Any:
    """Return H = d²f/dx², of shape (*x.shape, *x.shape), for f that gives a single number.

    A tuple of points gives a tuple of tuples: [i][j] is d²f / dx_i dx_j.

    >>> import minitensor as mt
    >>> mt.hessian(lambda x: x[0] ** 2 * x[1], mt.Tensor([1.0, 3.0]))
    Tensor float32 (2, 2): [[6. 2.] [2. 0.]]
    """

    def gradient(*points: Tensor) -> tuple[Tensor, ...]:
        y = _scalar("hessian", _call(f, points))
        one = Tensor(namespace(y.data).ones_like(y.data))
        return tuple(_grads([y], points, [one], create_graph=True))

    found = jacobian(gradient, xs, create_graph)
    return (found,) if isinstance(xs, (tuple, list)) and len(xs) == 1 else found


def vmap(f: Callable[..., Any], in_axes: int | Sequence[int | None] = 0, out_axes: int = 0) -> Callable[..., Any]:
    """Return f applied along an axis of its arguments, the results stacked: a loop, recorded as any code.

    in_axes: the axis of each argument that is looped over, None for one that stays whole. out_axes: where the axis
    stands in the result.
    Differs from PyTorch (torch.vmap): it is a loop, so it is no faster than one, and f may do what it likes.

    >>> import minitensor as mt
    >>> dot = mt.vmap(lambda a, b: (a * b).sum(), in_axes=(0, None))
    >>> dot(mt.Tensor([[1.0, 2.0], [3.0, 4.0]]), mt.Tensor([1.0, 1.0]))
    Tensor float32 (2,): [3. 7.]
    """

    def mapped(*xs: Any) -> Any:
        ts = [x if isinstance(x, Tensor) else Tensor(x) for x in xs]
        axes = [in_axes] * len(ts) if isinstance(in_axes, int) else list(in_axes)
        if len(axes) != len(ts):
            raise ValueError(f"vmap: {len(ts)} arguments and {len(axes)} in_axes")
        lengths = {t.shape[a] for t, a in zip(ts, axes, strict=True) if a is not None}
        if len(lengths) != 1:
            raise ValueError(f"vmap: the mapped axes must have one length; they have {sorted(lengths) or 'none'}")
        (n,) = lengths
        if not n:
            raise ValueError("vmap: an axis of length 0 gives nothing to stack")
        moved = [t if a is None else moveaxis(t, source=a, destination=0) for t, a in zip(ts, axes, strict=True)]
        outs = [f(*(t if a is None else t[i] for t, a in zip(moved, axes, strict=True))) for i in range(n)]
        if isinstance(outs[0], (tuple, list)):
            return tuple(stack(*column, axis=out_axes) for column in zip(*outs, strict=True))
        return stack(*outs, axis=out_axes)

    return mapped
