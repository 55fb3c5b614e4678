"""The table: every op and composite of minitensor, with arguments, settings and a NumPy reference.

Arguments keep away from kinks and ties by more than the step of the gradient check; what happens *at* them is a
convention, tested by name in test_ops.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minitensor.composite import identity
from minitensor.ops import activation, attention, convolution, elementwise, index, linalg, loss, normalisation, pooling
from minitensor.ops import reduce as red
from minitensor.ops import shape as sh
from minitensor.ops import windows as win


class Case(NamedTuple):
    """One call of an op."""

    op: Any
    args: tuple[Any, ...]
    settings: dict[str, Any]
    reference: Callable[..., Any]  # of the NumPy arguments; the settings are written out in it
    smooth: bool = True  # there is a gradient to check
    note: str = ""

    @property
    def id(self) -> str:
        shapes = "x".join(str(getattr(a, "shape", a)).replace(" ", "") for a in self.args)
        return f"{self.op.name}-{self.note or shapes}"


_rng = np.random.default_rng(20)
CASES: list[Case] = []


def case(op: Any, *args: Any, ref: Callable[..., Any], smooth: bool = True, note: str = "", **settings: Any) -> None:
    CASES.append(Case(op, args, settings, ref, smooth, note))


def normal(*shape: int) -> np.ndarray:
    return np.asarray(_rng.standard_normal(shape))


def positive(*shape: int) -> np.ndarray:
    return _rng.uniform(0.5, 2.0, shape)


def distinct(*shape: int) -> np.ndarray:
    """No two entries, and no entry and 0, nearer than 0.05: no ties and no kinks."""
    n = math.prod(shape)
    return np.asarray((_rng.permutation(n) - n // 2 + 0.5).reshape(shape) * 0.11)


# -- elementwise -----------------------------------------------------------------------------------------------------

for op_, ref_ in (
    (elementwise.add, np.add), (elementwise.subtract, np.subtract), (elementwise.multiply, np.multiply),
    (elementwise.maximum, np.maximum), (elementwise.minimum, np.minimum),
):  # fmt: skip
    case(op_, distinct(2, 3), distinct(2, 3) + 0.03, ref=ref_)
    case(op_, distinct(2, 1, 3), distinct(4, 1) + 0.03, ref=ref_)
    case(op_, distinct(3), 0.02, ref=ref_)
    case(op_, 0.02, distinct(3), ref=ref_)
    case(op_, distinct(0, 3), distinct(1, 3), ref=ref_)
case(elementwise.divide, normal(2, 3), positive(3), ref=np.divide)
case(elementwise.divide, 2.0, positive(2, 3), ref=np.divide)
case(elementwise.divide, normal(2, 3), 2, ref=np.divide)
case(elementwise.power, positive(2, 3), normal(3), ref=np.power)
case(elementwise.power, positive(2, 3), -1.5, ref=np.power)
case(elementwise.power, normal(2, 3), 3, ref=np.power)
case(elementwise.power, normal(2, 3), 1, ref=np.power)
case(elementwise.power, normal(2, 3), 0, ref=np.power)
case(elementwise.power, 2.0, normal(2, 3), ref=np.power)
for op_, ref_, x_ in (
    (elementwise.negative, np.negative, normal(2, 3)),
    (elementwise.square, np.square, normal(2, 3)),
    (elementwise.exp, np.exp, normal(2, 3)),
    (elementwise.log, np.log, positive(2, 3)),
    (elementwise.log1p, np.log1p, positive(2, 3)),
    (elementwise.sqrt, np.sqrt, positive(2, 3)),
    (elementwise.sin, np.sin, normal(2, 3)),
    (elementwise.cos, np.cos, normal(2, 3)),
    (elementwise.tanh, np.tanh, normal(2, 3)),
    (elementwise.sigmoid, lambda x: 1 / (1 + np.exp(-x)), normal(2, 3)),
    (elementwise.relu, lambda x: np.maximum(x, 0), distinct(2, 3)),
    (elementwise.erf, np.vectorize(math.erf), np.array([-3.0, -2.3, -0.7, 1e-3, 1.1, 2.5, 5.0])),
    (elementwise.abs, np.abs, distinct(2, 3)),
    (identity, np.positive, normal(2, 3)),
    (activation.gelu, np.vectorize(lambda v: 0.5 * v * (1 + math.erf(v / math.sqrt(2)))), normal(2, 3)),
):
    case(op_, x_, ref=ref_)
    case(op_, x_.ravel()[:1].reshape(()), ref=ref_)
case(
    activation.gelu,
    normal(2, 3),
    approximate="tanh",
    ref=lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    note="tanh",
)
_condition = np.array([[True, False, True], [False, False, True]])
case(elementwise.where, _condition, normal(2, 3), normal(3), ref=np.where)
case(elementwise.where, _condition[0], normal(4, 1, 1), 0.5, ref=np.where)
case(elementwise.clip, distinct(2, 3), min=-0.2, max=0.1, ref=lambda x: np.clip(x, -0.2, 0.1))
case(elementwise.clip, distinct(2, 3), min=0.1, ref=lambda x: np.maximum(x, 0.1), note="min")
case(elementwise.clip, distinct(2, 3), max=0.1, ref=lambda x: np.minimum(x, 0.1), note="max")
case(elementwise.astype, normal(2, 3), dtype="float64", ref=np.copy)
case(elementwise.astype, normal(2, 3), dtype="float32", ref=lambda x: x.astype("float32"), smooth=False, note="32")
case(elementwise.astype, normal(2, 3) * 9, dtype="int64", ref=lambda x: x.astype("int64"), smooth=False, note="int")
for name_ in ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal"):
    case(
        getattr(elementwise, name_),
        np.array([[1.0, 2.0, 3.0]]),
        np.array([[1.0], [2.0]]),
        ref=getattr(np, name_),
        smooth=False,
    )
    case(getattr(elementwise, name_), np.array([1, 2, 3]), 2, ref=getattr(np, name_), smooth=False)
for name_ in ("logical_and", "logical_or"):
    case(getattr(elementwise, name_), _condition, ~_condition[0], ref=getattr(np, name_), smooth=False)
case(elementwise.logical_not, _condition, ref=np.logical_not, smooth=False)
case(elementwise.isfinite, np.array([1.0, np.inf, np.nan]), ref=np.isfinite, smooth=False)
case(elementwise.sign, np.array([-2.0, 0.0, 3.0]), ref=np.sign, smooth=False)

# -- reductions and scans --------------------------------------------------------------------------------------------

for op_, ref_ in ((red.sum, np.sum), (red.mean, np.mean), (red.max, np.max), (red.min, np.min)):
    case(op_, distinct(2, 3, 2), ref=ref_)
    for axis_ in (0, -1, (0, 2), (-1, 1)):
        case(op_, distinct(2, 3, 2), axis=axis_, ref=lambda x, f=ref_, a=axis_: f(x, axis=a), note=f"axis{axis_}")
    case(op_, distinct(2, 3), axis=1, keepdims=True, ref=lambda x, f=ref_: f(x, axis=1, keepdims=True), note="kept")
    case(op_, distinct(1), axis=0, ref=lambda x, f=ref_: f(x, axis=0), note="one")
    case(op_, distinct(), ref=ref_)
case(red.sum, normal(0, 3), ref=np.sum)
case(red.sum, normal(2, 0), axis=1, ref=lambda x: x.sum(axis=1))
for op_, ref_ in ((red.var, np.var), (red.std, np.std)):
    case(op_, normal(2, 4), ref=ref_)
    case(op_, normal(2, 4), axis=1, correction=1, ref=lambda x, f=ref_: f(x, axis=1, ddof=1), note="unbiased")
    case(op_, normal(2, 2, 2), axis=(0, 2), keepdims=True, ref=lambda x, f=ref_: f(x, axis=(0, 2), keepdims=True))


def _softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


for axis_ in (-1, 0, 1):
    shape_ = (2, 3, 2)
    case(red.softmax, normal(*shape_), axis=axis_, ref=lambda x, a=axis_: _softmax(x, a), note=f"axis{axis_}")
    case(
        red.log_softmax,
        normal(*shape_),
        axis=axis_,
        ref=lambda x, a=axis_: np.log(_softmax(x, a)),
        note=f"axis{axis_}",
    )
    case(red.cumsum, normal(*shape_), axis=axis_, ref=lambda x, a=axis_: np.cumsum(x, a), note=f"axis{axis_}")
for axis_ in (None, 1, (0, 2)):
    for kept_ in (False, True):
        case(
            red.logsumexp,
            normal(2, 3, 2),
            axis=axis_,
            keepdims=kept_,
            ref=lambda x, a=axis_, k=kept_: np.log(np.exp(x).sum(axis=a, keepdims=k)),
            note=f"axis{axis_}{kept_}",
        )
for op_, ref_ in ((red.argmax, np.argmax), (red.argmin, np.argmin)):
    case(op_, normal(2, 3), ref=ref_, smooth=False)
    case(op_, np.array([[1, 3, 3], [0, 0, 2]]), axis=1, ref=lambda x, f=ref_: f(x, axis=1), smooth=False, note="ties")
    case(op_, normal(2, 3), axis=0, keepdims=True, ref=lambda x, f=ref_: f(x, axis=0, keepdims=True), smooth=False)
for op_, ref_ in ((red.any, np.any), (red.all, np.all)):
    case(op_, _condition, ref=ref_, smooth=False)
    case(op_, _condition, axis=(1,), keepdims=True, ref=lambda x, f=ref_: f(x, axis=1, keepdims=True), smooth=False)

# -- shapes ----------------------------------------------------------------------------------------------------------

case(sh.reshape, normal(2, 6), shape=(3, -1), ref=lambda x: x.reshape(3, 4))
case(sh.reshape, normal(2, 3), shape=-1, ref=np.ravel, note="flat")
case(sh.transpose, normal(2, 3), ref=np.transpose)
case(sh.transpose, normal(2, 3, 4), axes=(1, 2, 0), ref=lambda x: x.transpose(1, 2, 0))
case(sh.transpose, normal(2, 3, 2), axes=(-1, 0, 1), ref=lambda x: x.transpose(-1, 0, 1), note="negative")
case(sh.swapaxes, normal(2, 3, 4), axis1=0, axis2=-1, ref=lambda x: x.swapaxes(0, -1))
for a_, b_ in ((0, -1), (2, 0), (-1, 1)):
    case(
        sh.moveaxis,
        normal(2, 3, 4),
        source=a_,
        destination=b_,
        ref=lambda x, a=a_, b=b_: np.moveaxis(x, a, b),
        note=f"{a_}to{b_}",
    )
for axis_ in (0, 1, -1):
    case(sh.expand_dims, normal(2, 3), axis=axis_, ref=lambda x, a=axis_: np.expand_dims(x, a), note=f"axis{axis_}")
case(sh.squeeze, normal(1, 2, 1), ref=np.squeeze)
case(sh.squeeze, normal(1, 2, 1), axis=-1, ref=lambda x: x.squeeze(-1), note="last")
case(sh.squeeze, normal(1, 2, 1), axis=(0, 2), ref=lambda x: x.squeeze((0, 2)), note="both")
case(sh.broadcast_to, normal(3, 1), shape=(2, 3, 4), ref=lambda x: np.broadcast_to(x, (2, 3, 4)))
case(sh.broadcast_to, normal(), shape=(2, 2), ref=lambda x: np.broadcast_to(x, (2, 2)))
case(sh.broadcast_to, normal(1, 2), shape=(1, 2), ref=np.copy, note="same")
case(sh.flip, normal(2, 3), ref=np.flip)
case(sh.flip, normal(2, 3, 2), axis=(0, -1), ref=lambda x: np.flip(x, (0, -1)), note="two")
case(sh.concatenate, normal(2, 3), normal(2, 1), normal(2, 0), axis=-1, ref=lambda *xs: np.concatenate(xs, -1))
case(sh.concatenate, normal(2), normal(3), ref=lambda *xs: np.concatenate(xs))
case(sh.stack, normal(2, 3), normal(2, 3), axis=1, ref=lambda *xs: np.stack(xs, 1))
case(sh.stack, normal(2), normal(2), axis=-1, ref=lambda *xs: np.stack(xs, -1))
case(sh.split, normal(4, 2), sections=2, ref=lambda x: np.split(x, 2))
case(sh.split, normal(2, 5), sections=(1, 3), axis=-1, ref=lambda x: np.split(x, (1, 3), -1))
case(sh.pad, normal(2, 3), pad_width=((1, 0), (2, 1)), ref=lambda x: np.pad(x, ((1, 0), (2, 1))))
case(sh.pad, normal(2), pad_width=((0, 2),), value=-1.5, ref=lambda x: np.pad(x, (0, 2), constant_values=-1.5))

# -- indexing --------------------------------------------------------------------------------------------------------

_rows = np.array([0, 2, 2])
INDICES: dict[str, Any] = {
    "number": 1,
    "slice": slice(None, None, 2),
    "reversed": (slice(None, None, -1), slice(2, 0, -1)),
    "ellipsis": (..., 1),
    "new": (None, slice(1), None, 0),
    "empty": slice(0, 0),
    "rows": _rows,
    "pairs": (_rows, np.array([1, 1, -1])),
    "mixed": (slice(None), _rows, 0),
    "table": np.array([[0, 1], [1, 1]]),
    "mask": np.array([True, False, True]),
    "none": np.zeros(3, bool),
}
for name_, index_ in INDICES.items():
    x_ = normal(3, 3, 2)
    case(index.getitem, x_, index=index_, ref=lambda x, i=index_: x[i], note=name_)

    def _scattered(g: np.ndarray, i: Any = index_) -> np.ndarray:
        y = np.zeros((3, 3, 2))
        np.add.at(y, i, g)
        return y

    case(index.scatter, normal(*x_[index_].shape), index=index_, shape=(3, 3, 2), ref=_scattered, note=name_)
case(index.take, normal(4, 2), _rows, ref=lambda x, i: np.take(x, i, 0))
case(index.take, normal(2, 4), np.array([[3, 0], [3, 3]]), axis=-1, ref=lambda x, i: np.take(x, i, -1))
_lanes = np.array([[0, 2], [1, 1]])
case(index.take_along_axis, normal(2, 3), _lanes, axis=1, ref=lambda x, i: np.take_along_axis(x, i, 1))
case(index.take_along_axis, normal(3, 2), _lanes[:1], axis=0, ref=lambda x, i: np.take_along_axis(x, i, 0))


def _put(x: np.ndarray, i: np.ndarray) -> np.ndarray:
    y = np.zeros((2, 3))
    for r in range(2):
        for c in range(i.shape[1]):
            y[r, i[r, c]] += x[r, c]
    return y


case(index._put_along_axis, normal(2, 2), _lanes, axis=1, length=3, ref=_put)
case(index._put_along_axis, normal(2, 1), _lanes[:, :1], axis=-1, length=3, ref=_put)
case(index.one_hot, np.array([[0, 2], [1, 0]]), classes=3, ref=lambda x: np.eye(3, dtype="float32")[x], smooth=False)

# -- matrix products -------------------------------------------------------------------------------------------------

for op_ in (linalg.bmm, linalg.matmul):
    case(op_, normal(2, 3), normal(3, 2), ref=np.matmul)
    case(op_, normal(2, 1, 2, 3), normal(2, 3, 1), ref=np.matmul)
    case(op_, normal(2, 3), normal(2, 3, 2), ref=np.matmul)
    case(op_, normal(2, 0), normal(0, 2), ref=np.matmul)
case(linalg.matmul, normal(3), normal(3), ref=np.matmul)
case(linalg.matmul, normal(3), normal(2, 3, 2), ref=np.matmul)
case(linalg.matmul, normal(2, 2, 3), normal(3), ref=np.matmul)
case(linalg.linear, normal(2, 2, 3), normal(4, 3), normal(4), ref=lambda x, w, b: x @ w.T + b)
case(linalg.linear, normal(3), normal(2, 3), ref=lambda x, w: x @ w.T)
for subscripts_, shapes_ in {
    "ij,jk->ik": ((2, 3), (3, 2)),
    "ij,jk": ((2, 3), (3, 2)),
    "bij,bjk->bik": ((2, 2, 3), (2, 3, 1)),
    "bhid,bhjd->bhij": ((1, 2, 2, 3), (1, 2, 2, 3)),
    "...ij,...jk->...ik": ((2, 1, 2), (2, 2, 1)),
    "i,j->ij": ((2,), (3,)),
    "i,i->": ((3,), (3,)),
    "ij->ji": ((2, 3),),
    "ij->": ((2, 3),),
    "ii->i": ((3, 3),),
    "ii": ((3, 3),),
    "iij->j": ((2, 2, 3),),
    "ij,k->k": ((2, 2), (3,)),
    "ij,jk,kl->il": ((2, 2), (2, 3), (3, 2)),
    "ii,ij->j": ((2, 2), (2, 3)),
}.items():
    case(
        linalg.einsum,
        *(normal(*s) for s in shapes_),
        subscripts=subscripts_,
        ref=lambda *xs, s=subscripts_: np.einsum(s, *xs),
        note=subscripts_,
    )

# -- windows, convolution, pooling -----------------------------------------------------------------------------------


def _unfolded(x: np.ndarray, size: Any, stride: Any, dilation: Any) -> np.ndarray:
    n = len(size)
    counts = [(m - d * (k - 1) - 1) // s + 1 for m, k, s, d in zip(x.shape[-n:], size, stride, dilation, strict=True)]
    y = np.empty((*x.shape[:-n], *size, *counts))
    for k in np.ndindex(*size):
        for i in np.ndindex(*counts):
            at = tuple(a * s + b * d for a, s, b, d in zip(i, stride, k, dilation, strict=True))
            y[(..., *k, *i)] = x[(..., *at)]
    return y


def _folded(x: np.ndarray, lengths: Any, stride: Any, dilation: Any) -> np.ndarray:
    n = len(lengths)
    y = np.zeros((*x.shape[: -2 * n], *lengths))
    for k in np.ndindex(*x.shape[-2 * n : -n]):
        for i in np.ndindex(*x.shape[-n:]):
            at = tuple(a * s + b * d for a, s, b, d in zip(i, stride, k, dilation, strict=True))
            y[(..., *at)] += x[(..., *k, *i)]
    return y


for lengths_, size_, stride_, dilation_ in (
    ((5,), (2,), (1,), (1,)), ((7,), (3,), (2,), (2,)),
    ((4, 5), (2, 3), (2, 1), (1, 1)), ((3, 3), (3, 3), (1, 1), (1, 1)),
):  # fmt: skip
    kw_: dict[str, Any] = {"stride": stride_, "dilation": dilation_}
    x_ = normal(2, *lengths_)
    case(
        win.unfold,
        x_,
        size=size_,
        **kw_,
        ref=lambda x, a=(size_, stride_, dilation_): _unfolded(x, *a),
        note=f"{lengths_}{size_}",
    )
    y_ = _unfolded(x_, size_, stride_, dilation_)
    case(
        win.fold,
        normal(*y_.shape),
        lengths=lengths_,
        **kw_,
        ref=lambda x, a=(lengths_, stride_, dilation_): _folded(x, *a),
        note=f"{lengths_}{size_}",
    )


def _conv2d(
    x: np.ndarray,
    w: np.ndarray,
    b: Any = 0.0,
    stride: Any = (1, 1),
    padding: Any = (0, 0),
    dilation: Any = (1, 1),
    groups: int = 1,
) -> np.ndarray:
    x = np.pad(x, ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2))
    v = _unfolded(x, w.shape[2:], stride, dilation)  # (n, c, kh, kw, h', w')
    v = v.reshape(x.shape[0], groups, -1, *v.shape[2:])
    w = w.reshape(groups, -1, *w.shape[1:])
    y = np.einsum("ngcpqij,gocpq->ngoij", v, w)
    return y.reshape(x.shape[0], -1, *y.shape[3:]) + np.reshape(b, (-1, 1, 1))


for note_, x_shape, w_shape, settings_ in (
    ("plain", (2, 2, 4, 5), (3, 2, 3, 2), {}),
    ("one", (2, 3, 2, 2), (2, 3, 1, 1), {}),
    ("stride", (1, 2, 5, 4), (2, 2, 2, 2), {"stride": (2, 1)}),
    ("padding", (2, 1, 3, 3), (2, 1, 3, 3), {"padding": (1, 1)}),
    ("padding2", (1, 1, 2, 3), (1, 1, 2, 3), {"padding": (1, 2), "stride": (1, 2)}),
    ("dilation", (1, 1, 5, 5), (1, 1, 2, 2), {"dilation": (2, 3)}),
    ("groups", (1, 4, 3, 3), (4, 2, 2, 2), {"groups": 2, "padding": (1, 0)}),
    ("depthwise", (1, 2, 3, 3), (2, 1, 2, 2), {"groups": 2}),
):
    case(
        convolution.conv2d,
        normal(*x_shape),
        normal(*w_shape),
        normal(w_shape[0]),
        **settings_,
        ref=lambda x, w, b, s=settings_: _conv2d(x, w, b, **s),
        note=note_,
    )
case(convolution.conv2d, normal(1, 1, 3, 3), normal(2, 1, 2, 2), ref=_conv2d, note="unbiased")


def _pooled(x: np.ndarray, f: Any, size: Any, stride: Any, padding: Any, value: float) -> np.ndarray:
    x = np.pad(x, ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2), constant_values=value)
    return f(_unfolded(x, size, stride, (1, 1)), axis=(2, 3))


for note_, settings_ in {
    "plain": {"kernel_size": 2},
    "tiles": {"kernel_size": (2, 5)},
    "overlap": {"kernel_size": (3, 2), "stride": 1},
    "padding": {"kernel_size": 3, "stride": 2, "padding": 1},
}.items():
    full_ = (
        convolution.pair(settings_["kernel_size"]),
        convolution.pair(settings_.get("stride", settings_["kernel_size"])),
        convolution.pair(settings_.get("padding", 0)),
    )
    case(
        pooling.max_pool2d,
        distinct(1, 2, 4, 5),
        **settings_,
        ref=lambda x, a=full_: _pooled(x, np.max, *a, -np.inf),
        note=note_,
    )
    case(
        pooling.avg_pool2d,
        normal(1, 2, 4, 5),
        **settings_,
        ref=lambda x, a=full_: _pooled(x, np.mean, *a, 0.0),
        note=note_,
    )


def _adaptive(x: np.ndarray, h: int, w: int) -> np.ndarray:
    y = np.empty((*x.shape[:2], h, w))
    for i in range(h):
        for j in range(w):
            rows = slice(i * x.shape[2] // h, math.ceil((i + 1) * x.shape[2] / h))
            columns = slice(j * x.shape[3] // w, math.ceil((j + 1) * x.shape[3] / w))
            y[:, :, i, j] = x[:, :, rows, columns].mean(axis=(2, 3))
    return y


for size_, (h_, w_) in {1: (1, 1), 2: (2, 2), (3, 2): (3, 2), (4, 5): (4, 5)}.items():
    case(
        pooling.adaptive_avg_pool2d,
        normal(1, 2, 4, 5),
        output_size=size_,
        ref=lambda x, h=h_, w=w_: _adaptive(x, h, w),
        note=f"{h_}{w_}",
    )

# -- normalisation, attention, losses --------------------------------------------------------------------------------


def _normalised(x: np.ndarray, axes: Any, w: Any = 1.0, b: Any = 0.0, eps: float = 1e-5) -> np.ndarray:
    return (x - x.mean(axis=axes, keepdims=True)) / np.sqrt(x.var(axis=axes, keepdims=True) + eps) * w + b


def _batch_norm(x: np.ndarray, w: Any = 1.0, b: Any = 0.0) -> Any:
    axes, shape = (0, *range(2, x.ndim)), (-1, *(1,) * (x.ndim - 2))
    y = _normalised(x, axes, np.reshape(w, shape), np.reshape(b, shape))
    return y, x.mean(axis=axes), x.var(axis=axes)


case(normalisation.layer_norm, normal(2, 4), normal(4), normal(4), ref=lambda x, w, b: _normalised(x, -1, w, b))
case(normalisation.layer_norm, normal(2, 3), ref=lambda x: _normalised(x, -1))
case(
    normalisation.layer_norm,
    normal(2, 2, 3),
    normal(2, 3),
    axes=2,
    eps=1e-2,
    ref=lambda x, w: _normalised(x, (-1, -2), w, eps=1e-2),
)
case(normalisation.batch_norm, normal(4, 3), normal(3), normal(3), ref=_batch_norm)
case(normalisation.batch_norm, normal(2, 2, 2, 3), normal(2), normal(2), ref=_batch_norm)
case(normalisation.batch_norm, normal(2, 2, 3), ref=_batch_norm)


def _attention(q: np.ndarray, k: np.ndarray, v: np.ndarray, mask: Any = None, scale: Any = None) -> np.ndarray:
    s = q @ k.mT * (q.shape[-1] ** -0.5 if scale is None else scale)
    if mask is not None:
        s = s + (np.where(mask, 0.0, -np.inf) if mask.dtype == bool else mask)
    e = np.exp(s - np.where(np.isfinite(s), s, -1e9).max(axis=-1, keepdims=True))
    total = e.sum(axis=-1, keepdims=True)
    return np.where(total > 0, e / np.where(total > 0, total, 1), 0) @ v


_qkv = (normal(2, 2, 3), normal(2, 4, 3), normal(2, 4, 2))
_mask = np.array([[True, False, True, True], [False, False, False, False]])
for note_, mask_ in {"bool": _mask, "float": (normal(2, 4),), "floor": np.where(_mask, 0.3, -np.inf)}.items():
    mask_ = mask_[0] if isinstance(mask_, tuple) else mask_
    case(attention.scaled_dot_product_attention, *_qkv, mask_, ref=_attention, note=note_, smooth=note_ != "floor")
case(attention.scaled_dot_product_attention, *_qkv, ref=_attention, note="unmasked")
case(
    attention.scaled_dot_product_attention,
    *_qkv,
    scale=0.3,
    ref=lambda q, k, v: _attention(q, k, v, scale=0.3),
    note="scale",
)
REDUCTIONS: dict[str, Callable[..., Any]] = {"mean": np.mean, "sum": np.sum, "none": lambda x: x}


def _smooth_l1(a: np.ndarray, b: np.ndarray, beta: float) -> np.ndarray:
    d = np.abs(a - b)
    return np.where(d < beta, d**2 / (2 * beta), d - beta / 2) if beta else d


def _cross_entropy(
    x: np.ndarray, t: np.ndarray, reduction: str, ignore: int = -100, smoothing: float = 0.0
) -> np.ndarray:
    logp, c = np.moveaxis(np.log(_softmax(x, 1)), 1, -1), x.shape[1]
    kept = t != ignore if t.ndim < x.ndim else np.ones(logp.shape[:-1], bool)
    q = np.eye(c)[np.where(kept, t, 0)] if t.ndim < x.ndim else np.moveaxis(t, 1, -1)
    losses = -((q * (1 - smoothing) + smoothing / c) * logp).sum(axis=-1) * kept
    return losses.sum() / kept.sum() if reduction == "mean" else REDUCTIONS[reduction](losses)


for reduction_, reduce_ in REDUCTIONS.items():
    case(
        loss.mse_loss,
        normal(2, 3),
        normal(2, 3),
        reduction=reduction_,
        ref=lambda a, b, f=reduce_: f((a - b) ** 2),
        note=reduction_,
    )
    for beta_ in (1.0, 0.4, 0.0):
        case(
            loss.smooth_l1_loss,
            np.array([[0.1, 1.3], [-0.2, 2.5]]),
            np.array([[0.3, -1.0], [0.1, 2.4]]),
            beta=beta_,
            reduction=reduction_,
            ref=lambda a, b, f=reduce_, beta=beta_: f(_smooth_l1(a, b, beta)),
            note=f"{reduction_}{beta_}",
        )
    for note_, x_, t_, settings_ in (
        ("classes", normal(3, 4), np.array([0, 3, 1]), {}),
        ("ignored", normal(3, 4), np.array([0, -100, 1]), {"label_smoothing": 0.1}),
        ("ignore1", normal(3, 4), np.array([0, 1, 1]), {"ignore_index": 1}),
        ("places", normal(2, 3, 2), np.array([[0, 2], [1, 1]]), {"label_smoothing": 0.2}),
        ("soft", normal(2, 3), _softmax(normal(2, 3)), {"label_smoothing": 0.1}),
    ):
        case(
            loss.cross_entropy,
            x_,
            t_,
            reduction=reduction_,
            **settings_,
            ref=lambda x, t, r=reduction_, s=settings_: _cross_entropy(
                x, t, r, s.get("ignore_index", -100), s.get("label_smoothing", 0.0)
            ),
            note=f"{note_}-{reduction_}",
        )


def _cosine(a: np.ndarray, b: np.ndarray, axis: int) -> np.ndarray:
    return (a * b).sum(axis) / (np.linalg.norm(a, axis=axis) * np.linalg.norm(b, axis=axis))


case(loss.cosine_similarity, normal(2, 3), normal(2, 3), ref=lambda a, b: _cosine(a, b, -1))
case(loss.cosine_similarity, normal(3, 2), normal(3, 2), axis=0, ref=lambda a, b: _cosine(a, b, 0), note="axis0")
