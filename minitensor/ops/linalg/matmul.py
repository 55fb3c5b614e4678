"""Matrix products. `einsum` is brought to `matmul`, which is where BLAS is."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from minitensor.backend import Array, namespace
from minitensor.composite import composite
from minitensor.graph import Operands, Variable
from minitensor.op import op
from minitensor.ops.shaping.shape import common_shape, squeeze
from minitensor.promotion import default_complex, default_float, settle
from minitensor.sums import total

__all__ = ["bmm", "einsum", "linear", "matmul", "operands", "without_ones"]


def operands(*xs: Array) -> tuple[Array, ...]:
    """Return arrays and Tensors as they are, lists and numbers as arrays where the others live.

    >>> operands([1.0, 2.0])[0].dtype
    dtype('float32')
    """
    module = namespace(*[x.data if isinstance(x, Variable) else x for x in xs])
    dtypes = {float: default_float, complex: default_complex}

    def array(x: Array) -> Array:
        if hasattr(x, "shape") and not isinstance(x, np.generic):
            return x
        y = settle([x], [True], False)[0][0]  # refuses what is no number; NumPy's become Python's
        return module.asarray(np.asarray(y, dtype=dtypes.get(type(y))))

    return tuple(map(array, xs))


def times(a: Array, b: Array) -> Array:
    """Return a @ b; in float32 for stacks of matrices in bfloat16 on a GPU, which CuPy 14 does not multiply."""
    if a.dtype.kind == "V" and (len(a.shape) > 2 or len(b.shape) > 2):
        return (a.astype("float32") @ b.astype("float32")).astype(a.dtype)
    return a @ b


@op("broadcasts", "complex", autocast="half", onnx="MatMul")
def bmm(a: Array, b: Array) -> Array:
    """(..., n, k) @ (..., k, m) -> (..., n, m); leading axes broadcast."""
    return times(a, b)


bmm.vjp(
    a=lambda g, b: times(g, b.mT),  # (..., n, m) @ (..., m, k)
    b=lambda g, a: times(a.mT, g),  # (..., k, n) @ (..., n, m); the engine sums the broadcast axes
)


@composite("complex", public="matmul linalg.matmul")
def matmul(a: Array, b: Array) -> Array:
    """y = a @ b, which is what @ means: y[..., i, j] = Σₖ a[..., i, k] b[..., k, j]

    (..., n, k), (..., k, m) -> (..., n, m); leading axes broadcast. A vector stands for a row on the left, for a column
    on the right, and that axis leaves. Raises ValueError for a number and for lengths that differ.
    Differs from NumPy: no axes, axis and keepdims.

    >>> import minitensor as mt
    >>> mt.matmul([[1.0, 2.0], [3.0, 4.0]], [1.0, 1.0])
    Tensor float32 (2,): [3. 7.]
    """
    a, b = operands(a, b)
    if not a.shape or not b.shape:
        raise ValueError(f"matmul: {a.shape} @ {b.shape}: a number has no axis to sum over; multiply by it with *")
    inner = b.shape[-2] if len(b.shape) > 1 else b.shape[-1]
    if a.shape[-1] != inner:
        raise ValueError(
            f"matmul: {tuple(a.shape)} @ {tuple(b.shape)}: the last axis of a ({a.shape[-1]}) and the "
            f"{'second last' if len(b.shape) > 1 else 'only'} axis of b ({inner}) must be equally long"
        )
    if len(a.shape) > 1 and len(b.shape) > 1:
        if a.shape[:-2] != b.shape[:-2]:
            common_shape("matmul", [a.shape[:-2], b.shape[:-2]])
        return bmm(a, b)
    y = bmm(a[None, :] if len(a.shape) == 1 else a, b[:, None] if len(b.shape) == 1 else b)
    y = y[..., 0, :] if len(a.shape) == 1 else y
    return y[..., 0] if len(b.shape) == 1 else y


@composite("complex", autocast="half")
def linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """y = x Wᵀ + b: (..., in) with weight (out, in), bias (out,) -> (..., out)"""
    # leading axes are merged, so that one matrix product does it all and the weight's gradient is one too
    y = bmm(x.reshape((math.prod(x.shape[:-1]), x.shape[-1])), weight.mT)  # (rows, out)
    y = y if bias is None else y + bias
    return y.reshape((*x.shape[:-1], weight.shape[0]))


def _labels(subscripts: str, ndims: Sequence[int]) -> tuple[list[str], str]:
    """Spell an einsum's operands and result with one letter per axis: no ellipsis, no implicit result."""
    left, arrow, right = subscripts.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(ndims):
        raise ValueError(f"einsum: {subscripts!r} names {len(terms)} operands; {len(ndims)} were passed")
    if not arrow:
        right = "..." * ("..." in left) + "".join(sorted(c for c in set(left) - set(",.") if left.count(c) == 1))
    spare = [c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" if c not in subscripts]
    extra = [n - len(t.replace("...", "")) for t, n in zip(terms, ndims, strict=True)]
    wide = spare[: max((e for t, e in zip(terms, extra, strict=True) if "..." in t), default=0)]
    spelled = [
        t.replace("...", "".join(wide[len(wide) - e :])) if "..." in t else t for t, e in zip(terms, extra, strict=True)
    ]
    for t, n in zip(spelled, ndims, strict=True):
        if len(t) != n:
            raise ValueError(f"einsum: {t!r} in {subscripts!r} names {len(t)} axes; the operand has {n}")
    return spelled, right.replace("...", "".join(wide))


def _check_lengths(terms: Sequence[str], shapes: Sequence[Sequence[int]], out: str) -> None:
    """Raise ValueError if a letter stands for two lengths, or one of the result is in no operand."""
    lengths: dict[str, tuple[int, int]] = {}
    for i, (term, shape) in enumerate(zip(terms, shapes, strict=True)):
        for c, n in zip(term, shape, strict=True):
            m, j = lengths.setdefault(c, (n, i))
            if m != n:
                raise ValueError(f"einsum: the letter {c!r} is {m} long in operand {j} and {n} in operand {i}")
    if missing := [c for c in out if c not in lengths]:
        raise ValueError(f"einsum: the letter {missing[0]!r} of the result is in no operand")


def without_ones(xs: Operands, subscripts: str) -> tuple[list[Array], str]:
    """Take off the axes of length 1 whose letter is longer elsewhere: an operand without the letter is broadcast.

    >>> without_ones([np.ones((2, 1)), np.ones(3)], "ij,j->i")[1]
    'i,j->i'
    """
    terms, out = _labels(subscripts, [len(x.shape) for x in xs])
    longer = {c for t, x in zip(terms, xs, strict=True) for c, n in zip(t, x.shape, strict=True) if n != 1}
    spelled, kept = [], []
    for t, x in zip(terms, xs, strict=True):
        ones = {c for c in t if c in longer and all(x.shape[i] == 1 for i, d in enumerate(t) if d == c)}
        axes = tuple([i for i, c in enumerate(t) if c in ones])
        kept.append(squeeze(x, axis=axes) if axes else x)
        spelled.append("".join([c for c in t if c not in ones]))
    return kept, f"{','.join(spelled)}->{out}"


def _contract(a: Array, la: str, b: Array, lb: str, out: str) -> Array:
    """Two operands without repeated letters, as one batched matrix product."""
    for_a = [c for c in la if c in lb or c in out]
    for_b = [c for c in lb if c in la or c in out]
    a = total(a, tuple(i for i, c in enumerate(la) if c not in for_a)) if len(for_a) < len(la) else a
    b = total(b, tuple(i for i, c in enumerate(lb) if c not in for_b)) if len(for_b) < len(lb) else b
    batch = [c for c in for_a if c in for_b and c in out]
    inner = [c for c in for_a if c in for_b and c not in out]
    rows, columns = [c for c in for_a if c not in for_b], [c for c in for_b if c not in for_a]
    size = dict(zip(for_a, a.shape, strict=True)) | {c: n for c, n in zip(for_b, b.shape, strict=True) if c in columns}
    n, k, m = (math.prod([size[c] for c in group]) for group in (rows, inner, columns))
    lead = [size[c] for c in batch]
    a = a.transpose([for_a.index(c) for c in (*batch, *rows, *inner)]).reshape((*lead, n, k))
    b = b.transpose([for_b.index(c) for c in (*batch, *inner, *columns)]).reshape((*lead, k, m))
    y = times(a, b).reshape([size[c] for c in (*batch, *rows, *columns)])
    return y.transpose([(batch + rows + columns).index(c) for c in out])


@op("complex")
def einsum(*xs: Array, subscripts: str) -> Array:
    """Einstein's sum, `einsum(a, b, subscripts="ij,jk->ik")`: products, summed over the letters not in the result

    Letters, "..." and repeated letters (diagonals) as in `numpy.einsum`; a letter has one length (`mt.einsum` takes the
    axes of length 1 that are to be broadcast off first).
    """
    terms, out = _labels(subscripts, [x.ndim for x in xs])
    _check_lengths(terms, [x.shape for x in xs], out)
    if len(xs) == 2 and all(len(set(t)) == len(t) for t in terms) and len(set(out)) == len(out):
        return _contract(xs[0], terms[0], xs[1], terms[1], out)
    if len(xs) == 1 and xs[0].dtype.kind != "V" and len(set(terms[0])) == len(terms[0]) and len(set(out)) == len(out):
        left = [c for c in terms[0] if c in out]
        y = total(xs[0], tuple(i for i, c in enumerate(terms[0]) if c not in out))
        return y.transpose([left.index(c) for c in out]).copy()
    halves = xs[0].dtype.kind == "V"  # see `times`
    wide = [x.astype("float32") for x in xs] if halves else xs
    y = namespace(*xs).einsum(f"{','.join(terms)}->{out}", *wide, **({"optimize": True} if len(xs) > 2 else {}))
    return y.astype(xs[0].dtype) if halves else y.copy()


def _einsum_rule(g: Array, xs: Operands, subscripts: str) -> list[Array]:
    """The gradient of one operand is an einsum of g and the others, spelled to give that operand's letters.

    A letter that only this operand has was summed away: ones stand for it. A repeated letter reads a diagonal: a unit
    matrix writes it back.
    """
    terms, out = _labels(subscripts, [len(x.shape) for x in xs])
    xp = namespace(g.data if isinstance(g, Variable) else g)
    spare = [c for c in "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" if c not in "".join(terms)]
    grads = []
    for i, (x, term) in enumerate(zip(xs, terms, strict=True)):
        operands = [g, *(v for j, v in enumerate(xs) if j != i)]
        labels = [out, *(t for j, t in enumerate(terms) if j != i)]
        wanted = ""
        for c, n in zip(term, x.shape, strict=True):
            fresh = spare[len(wanted)] if c in wanted else c
            if fresh != c:
                operands.append(xp.eye(n, dtype=g.dtype))
                labels.append(c + fresh)
            elif not any(c in t for t in labels):
                operands.append(xp.ones(n, dtype=g.dtype))
                labels.append(c)
            wanted += fresh
        grads.append(einsum(*operands, subscripts=f"{','.join(labels)}->{wanted}"))
    return grads


einsum.vjp(xs=_einsum_rule)
