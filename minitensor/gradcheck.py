"""Is a gradient right? `gradcheck` compares it with central differences, entry by entry, and guesses what is wrong."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from minitensor.backend import is_array
from minitensor.engine import grad
from minitensor.errors import MinitensorError
from minitensor.graph import Operands
from minitensor.modes import enable_grad
from minitensor.tensor import Tensor

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]

Matrix = npt.NDArray[np.float64]


class GradcheckError(MinitensorError, AssertionError):
    """A gradient that differs from central differences, or a call that breaks the rules of gradients."""


def gradcheck(f: Callable[..., Any], *inputs: Any, eps: float = 1e-6, rtol: float = 1e-5, atol: float = 1e-8) -> bool:
    """Compare the gradients of f with central differences, (f(x + eps) - f(x - eps)) / 2 eps; True, or an error.

    Every float or complex Tensor or array in `inputs` is checked, in float64, entry by entry; other inputs are passed
    through. f returns a Tensor or a tuple of them (integer ones are left out). A complex number is two real ones, in a
    last axis of length 2: its parts are moved one by one. An entry n of the Jacobian is accepted when

        |analytical - n| <= rtol |n| + atol max(|f|, |Jacobian|)

    In float64 with eps = 1e-6 the differences are good to about 1e-10 of the largest value (rounding 1e-16 / eps;
    truncation is below), so atol has two decimals to spare, and rtol lies 100 times below an error of 0.1 %. Only an
    entry 1e5 times smaller than the largest could hide one. Kinks (relu at 0, ties in max) have no derivative: stay
    more than eps away from them.

    It also checks that the rules give the same on arrays as on Tensors (`create_graph`), to 1e-12, that neither inputs
    nor incoming gradients are changed, and that no two gradients share memory. Raises GradcheckError.
    Differs from PyTorch: inputs become float64 by themselves; tolerances are of the largest value; it always raises.

    >>> import minitensor as mt
    >>> @mt.op
    ... def halve_square(x):
    ...     return x * x / 2
    >>> halve_square.vjp(x=lambda g, x: g * 2 * x)  # should be g * x
    >>> try:
    ...     gradcheck(halve_square, [3.0])
    ... except GradcheckError as error:
    ...     print(error)
    d halve_square / d argument 0, shape (1,): a factor 2?
    d y[0] / d x[0] is 6 by the rule, 3 by central differences; 1 of 1 entries are off
    """
    arrays = [_input(x) for x in inputs]
    leaves = _leaves(arrays)
    checked = [i for i, x in enumerate(arrays) if _is_float(x)]
    if not checked:
        raise GradcheckError(f"{_name(f)}: none of the {len(inputs)} inputs is a float array, so nothing is checked")
    before = [arrays[i].copy() for i in checked]
    with enable_grad():
        results = _results(f, leaves)
        if not results:
            raise GradcheckError(f"{_name(f)}: no result depends on an input that requires grad")
        analytical = _analytical(f, results, [leaves[i] for i in checked])
        _check_aliasing(f, [leaves[i] for i in checked], leaves)
    scale = max((float(np.abs(y.data).max(initial=0.0)) for y in results), default=0.0)
    for i, got, unchanged in zip(checked, analytical, before, strict=True):
        if not np.array_equal(arrays[i], unchanged, equal_nan=True):
            raise GradcheckError(f"{_name(f)} or its gradient changed argument {i} in place")
        expected = _numerical(f, arrays, i, eps)  # (outputs, inputs)
        error = np.abs(got - expected)
        largest = np.abs(expected).max(initial=scale, where=np.isfinite(expected))
        off = ~(error <= rtol * np.abs(expected) + atol * largest)  # catches nan too
        if off.any():
            raise GradcheckError(_complain(f, i, _parts(arrays[i]), [_parts(y) for y in results], got, expected, off))
    return True


def gradgradcheck(
    f: Callable[..., Any], *inputs: Any, eps: float = 1e-6, rtol: float = 1e-5, atol: float = 1e-8
) -> bool:
    """Check the first and the second gradient of f; True, or an error.

    The second is `gradcheck` of the map (inputs, v) -> Σ v ∂f/∂inputs, with random v: the traced rules must be right in
    every argument and in the incoming gradient. Tolerances as in `gradcheck`. Raises GradcheckError.
    Differs from PyTorch: as `gradcheck`; the incoming gradients are drawn here.

    >>> import minitensor as mt
    >>> gradgradcheck(lambda x: mt.exp(x).sum(), [0.5, 1.0])
    True
    """
    gradcheck(f, *inputs, eps=eps, rtol=rtol, atol=atol)
    arrays = [_input(x) for x in inputs]
    generator = np.random.default_rng(0)
    with enable_grad():
        results = _results(f, _leaves(arrays))
    signs = [[-1.0, 1.0] if y.dtype.kind != "c" else [-1 + 0.5j, 1 + 0.5j] for y in results]
    incoming = [
        generator.uniform(0.5, 1.5, y.shape) * generator.choice(s, y.shape) for y, s in zip(results, signs, strict=True)
    ]

    def gradient(*xs: Any) -> tuple[Any, ...]:
        xs, vs = xs[: len(arrays)], xs[len(arrays) :]
        with enable_grad():
            found = grad(_results(f, xs), [x for x in xs if _is_float(x)], vs, create_graph=True, allow_unused=True)
        return tuple(g for g in found if g is not None)

    gradient.__name__ = f"gradient of {_name(f)}"
    first = gradient(*_leaves([*arrays, *incoming]))
    if any(g.requires_grad for g in first):  # else f is linear in everything: its gradient is a constant
        gradcheck(gradient, *arrays, *incoming, eps=eps, rtol=rtol, atol=atol)
    return True


def _name(f: Any) -> str:
    return getattr(f, "name", None) or getattr(f, "__name__", None) or type(f).__name__


def _is_float(x: Any) -> bool:
    return (is_array(x) or isinstance(x, Tensor)) and x.dtype.kind in "fVc"


def _parts(x: Any) -> tuple[int, ...]:
    """Return the shape of an array read as real numbers."""
    return (*x.shape, 2) if x.dtype.kind == "c" else tuple(x.shape)


def _reals(x: Any) -> npt.NDArray[np.float64]:
    """Return the entries as real numbers in a row."""
    flat = np.ravel(x)
    return flat.view(np.float64) if flat.dtype.kind == "c" else flat


def _input(x: Any) -> Any:
    """Copy an array, a Tensor or a list of floats to float64 or complex128; leave everything else as it is."""
    if isinstance(x, list):
        x = np.asarray(x)
    if not (is_array(x) or isinstance(x, Tensor)):
        return x
    array = x.data if isinstance(x, Tensor) else x
    if not _is_float(array):
        return Tensor(array.copy())
    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)


def _leaves(arrays: Operands) -> list[Tensor]:
    return [Tensor(x, requires_grad=True) if _is_float(x) else x for x in arrays]


def _results(f: Callable[..., Any], inputs: Operands) -> list[Tensor]:
    """Return the results that a gradient can start from."""
    y = f(*inputs)
    return [v for v in (y if isinstance(y, (tuple, list)) else [y]) if isinstance(v, Tensor) and v.requires_grad]


def _analytical(f: Any, results: Sequence[Tensor], leaves: Sequence[Tensor]) -> list[Matrix]:
    """Return the Jacobians by the rules, (outputs, inputs) each, one backward pass per output entry."""
    rows: list[list[Matrix]] = [[] for _ in leaves]
    for y in results:
        for k, unit in ((k, u) for k in range(y.size) for u in ((1, 1j) if y.dtype.kind == "c" else (1,))):
            incoming = np.zeros(y.shape, y.dtype)
            incoming.flat[k] = unit
            seed = incoming.copy()
            raw = grad(y, leaves, seed, retain_graph=True, allow_unused=True)
            traced = grad(y, leaves, seed, create_graph=True, allow_unused=True)
            if not np.array_equal(seed, incoming):
                raise GradcheckError(f"the gradient of {_name(f)} changed the incoming gradient in place")
            for i, (a, b) in enumerate(zip(raw, traced, strict=True)):
                zeros = np.zeros(leaves[i].shape, leaves[i].dtype)
                row, same = (zeros if v is None else np.array(v.data) for v in (a, b))
                if not np.allclose(
                    row, same, rtol=1e-12, atol=1e-12 * np.nanmax(np.abs(row), initial=1.0), equal_nan=True
                ):
                    raise GradcheckError(
                        f"the rule of {_name(f)} for float argument {i} gives {row.ravel()[:4]}... on arrays and "
                        f"{same.ravel()[:4]}... on Tensors (create_graph): a rule is ordinary code over ops"
                    )
                rows[i].append(_reals(row))
    return [np.array(r).reshape(len(r), int(np.prod(_parts(x)))) for r, x in zip(rows, leaves, strict=True)]


def _check_aliasing(f: Callable[..., Any], leaves: Sequence[Tensor], inputs: Operands) -> None:
    """Run backward once: no two gradients, and no gradient and input, may share memory."""
    results = _results(f, inputs)
    seeds = [np.ones(y.shape, y.dtype) for y in results]
    for y, seed in zip(results, seeds, strict=True):
        y.backward(seed, retain_graph=True)
    kept = [x.grad.data for x in leaves if x.grad is not None] + [x.data for x in leaves] + seeds
    for i, a in enumerate(kept):
        for b in kept[i + 1 :]:
            if np.shares_memory(a, b):
                raise GradcheckError(f"two gradients of {_name(f)}, or a gradient and an input, share memory")
    for x in leaves:
        x.grad = None


def _numerical(f: Callable[..., Any], arrays: Operands, i: int, eps: float) -> Matrix:
    """Return the Jacobian with respect to argument i by central differences: (outputs, inputs)."""

    def values() -> Matrix:
        with enable_grad():  # the same results are chosen as for the rules
            return np.concatenate([np.zeros(0), *(_reals(y.data) for y in _results(f, _leaves(arrays)))])

    arrays = list(arrays)
    x = arrays[i]
    columns = []
    for j, unit in ((j, u) for j in np.ndindex(*x.shape) for u in ((1, 1j) if x.dtype.kind == "c" else (1,))):
        sides = []
        for step in (eps * unit, -eps * unit):
            arrays[i] = x.copy()
            arrays[i][j] += step
            sides.append(values())
        columns.append((sides[0] - sides[1]) / (2 * eps))
    arrays[i] = x
    return np.array(columns).reshape(len(columns), values().size).T


def _complain(
    f: Any,
    i: int,
    shape: tuple[int, ...],
    shapes: Sequence[tuple[int, ...]],
    got: Matrix,
    expected: Matrix,
    off: np.ndarray,
) -> str:
    """Name the argument and the worst entry, and guess."""
    error = np.where(off, np.nan_to_num(np.abs(got - expected), nan=np.inf), -1.0)
    row, column = np.unravel_index(int(error.argmax()), error.shape)
    output, place = 0, int(row)
    while place >= int(np.prod(shapes[output])):
        place -= int(np.prod(shapes[output]))
        output += 1
    y = _entry(f"y{output}" if len(shapes) > 1 else "y", place, shapes[output])
    guess = _guess(got, expected, shape, shapes)
    return (
        f"d {_name(f)} / d argument {i}, shape {shape}: {guess or 'wrong'}\n"
        f"d {y} / d {_entry('x', int(column), shape)} is {got[row, column]:.10g} by the rule, "
        f"{expected[row, column]:.10g} by central differences; {int(off.sum())} of {off.size} entries are off"
    )


def _entry(name: str, place: int, shape: tuple[int, ...]) -> str:
    return f"{name}{[int(i) for i in np.unravel_index(place, shape)]}" if shape else name


def _guess(got: Matrix, expected: Matrix, shape: tuple[int, ...], shapes: Sequence[tuple[int, ...]]) -> str:
    """Say what kind of mistake gives this Jacobian in place of the expected one, or nothing."""
    if not got.any():
        return "is the gradient missing?"
    if not (np.isfinite(got).all() and np.isfinite(expected).all()) or not expected.any():
        return ""
    tolerance = 1e-5 * np.abs(expected).max()
    ratio = float((got * expected).sum() / (expected * expected).sum())
    if np.allclose(got, ratio * expected, rtol=1e-4, atol=tolerance):
        return _factor(ratio, (shape, *shapes))
    if len(shape) > 1 and shape[-1] == shape[-2]:
        swapped = got.reshape(-1, *shape).swapaxes(-1, -2).reshape(got.shape)
        if np.allclose(swapped, expected, rtol=1e-4, atol=tolerance):
            return "transposed?"
    return ""


def _factor(ratio: float, shapes: Sequence[tuple[int, ...]]) -> str:
    """Say which mistake multiplies every entry by a ratio."""
    counts = {n for shape in shapes for n in (*shape, math.prod(shape)) if n > 1}
    mistakes = {-1.0: "the sign?", 2.0: "a factor 2?", 0.5: "a factor 1/2?"}
    mistakes |= {float(n): f"a sum instead of a mean? (ratio = {n})" for n in sorted(counts - {2})}
    mistakes |= {1 / n: f"a mean instead of a sum? (ratio = 1/{n})" for n in sorted(counts - {2})}
    known = (text for factor, text in mistakes.items() if abs(ratio / factor - 1) < 1e-4)
    return next(known, f"every entry is off by the factor {ratio:.6g}")
