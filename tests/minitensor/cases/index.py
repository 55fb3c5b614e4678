"""Cases: indexing, gathering, scattering."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitensor.ops.indexing import gather, index, scatter
from minitensor.ops.indexing.scatter_reduce import scatter_reduce
from tests.minitensor.cases.case import case, distinct, normal

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
    "apart": (_rows, slice(None), np.array([1, 0, 1])),
    "between": (slice(None), _rows, np.array([[1], [0]])),
    "lifted": (0, slice(None, None, -1), np.array([[1, 0]])),
    "table": np.array([[0, 1], [1, 1]]),
    "mask": np.array([True, False, True]),
    "none": np.zeros(3, bool),
    "plane": np.array([[True, False, True], [False, False, True], [True, True, False]]),
    "last axes": (..., np.array([[True, False], [False, True], [True, True]])),
    "mask and rows": (np.array([True, False, True]), np.array([1, 2])),
    "true": True,
    "0-d": np.array(2),
}
for name_, index_ in INDICES.items():
    x_ = normal(3, 3, 2)
    case(index.getitem, x_, index=index_, ref=lambda x, i=index_: x[i], note=name_)

    def _scattered(g: np.ndarray, i: Any = index_) -> np.ndarray:
        y = np.zeros((3, 3, 2))
        np.add.at(y, i, g)
        return y

    case(index.add_at, normal(*x_[index_].shape), index=index_, shape=(3, 3, 2), ref=_scattered, note=name_)
case(index.take, normal(4, 2), _rows, axis=0, ref=lambda x, i: np.take(x, i, 0))
case(index.take, normal(2, 4), np.array([[3, 0], [3, -3]]), axis=-1, ref=lambda x, i: np.take(x, i, -1))
case(index.take, normal(2, 2), np.array([3, 0, 3]), ref=np.take, note="flat")
case(index.take, normal(), np.array([0, 0]), ref=np.take, note="number")
case(index.take, normal(), np.array(0), axis=-1, ref=lambda x, i: np.take(x, i, -1), note="number on an axis")
case(index.take, normal(3, 2), np.array(-1), axis=0, ref=lambda x, i: np.take(x, i, 0), note="0-d")
case(index.take, normal(2, 0), np.array([1, 1]), axis=0, ref=lambda x, i: np.take(x, i, 0), note="empty")
_lanes = np.array([[0, 2], [1, 1]])
case(index.take_along_axis, normal(2, 3), _lanes, axis=1, ref=lambda x, i: np.take_along_axis(x, i, 1))
case(index.take_along_axis, normal(3, 2), _lanes[:1] - 1, axis=0, ref=lambda x, i: np.take_along_axis(x, i, 0))
case(index.take_along_axis, normal(1, 3), _lanes, axis=1, ref=lambda x, i: np.take_along_axis(x, i, 1), note="x wide")
case(index.take_along_axis, normal(4, 3), _lanes[:1], axis=-1, ref=lambda x, i: np.take_along_axis(x, i, -1))
case(index.take_along_axis, normal(2, 2), np.array([3, 0, 3]), axis=None, note="flat",
     ref=lambda x, i: np.take_along_axis(x, i, None))  # fmt: skip
case(index.masked_select, normal(2, 3), np.array([True, False, True]), ref=lambda x, m: x[np.broadcast_to(m, x.shape)])
case(index.masked_select, normal(3), np.array([[True, False, True], [False, True, False]]),
     ref=lambda x, m: np.broadcast_to(x, m.shape)[m])  # fmt: skip
case(index.argwhere, np.array([[0.0, 1.0], [np.nan, 0.0]]), ref=np.argwhere, smooth=False)
case(index.argwhere, np.array(3), ref=np.argwhere, smooth=False)
case(index.argwhere, np.zeros((0, 2)), ref=np.argwhere, smooth=False)
case(index.one_hot, np.array([[0, 2], [1, 0]]), classes=3, ref=lambda x: np.eye(3, dtype="float32")[x], smooth=False)

# -- gathering and its adjoints ----------------------------------------------------------------------------------------


def _along(x: np.ndarray, i: np.ndarray, axis: int) -> np.ndarray:
    y = np.zeros(i.shape)
    for at in np.ndindex(i.shape):
        y[at] = x[(*at[: axis % x.ndim], i[at], *at[axis % x.ndim + 1 :])]
    return y


def _added(x: np.ndarray, i: np.ndarray, axis: int, y: np.ndarray, adds: bool = True) -> np.ndarray:
    y = y.copy()
    for at in np.ndindex(i.shape):
        place = (*at[: axis % y.ndim], i[at], *at[axis % y.ndim + 1 :])
        y[place] = x[at] + (y[place] if adds else 0)
    return y


for name_, op_ in {"read": (gather.read_along, "axis"), "gather": (gather.gather, "dim")}.items():
    for i_, axis_ in ((_lanes, 1), (_lanes[:1], 0), (np.array([[0, 0, 0]]), -1), (np.zeros((4, 0), int), 0)):
        case(op_[0], normal(2, 3) if axis_ else normal(3, 2), i_, **{op_[1]: axis_}, note=f"{name_}{i_.shape}{axis_}",
             ref=lambda x, i, a=axis_: _along(x, i, a))  # fmt: skip
case(gather.gather, normal(), np.array([0, 0]), dim=0, ref=lambda x, i: np.full(2, x), note="number")
case(gather.gather, normal(3), np.array(2), dim=-1, ref=lambda x, i: x[2], note="0-d")
for i_ in (_lanes, _lanes[:, :1], np.array([[2, 2]])):
    case(gather.add_along, normal(*i_.shape), i_, axis=1, shape=(2, 3),
         ref=lambda x, i: _added(x, i, 1, np.zeros((2, 3))))  # fmt: skip
case(gather.read_rows, normal(3, 2), _rows - 1, axis=0, ref=lambda x, i: x[i])
case(gather.read_rows, normal(2, 3), _rows, axis=-1, ref=lambda x, i: x[:, i])
case(gather.index_select, normal(2, 3), _rows, dim=1, ref=lambda x, i: x[:, i])
case(gather.index_select, normal(3, 2), np.array(1), dim=0, ref=lambda x, i: x[1:2], note="0-d")
case(gather.index_select, normal(), np.array([0]), dim=0, ref=lambda x, i: x, note="number")
case(gather.index_select, normal(3, 2), np.zeros(0, int), dim=0, ref=lambda x, i: x[:0], note="empty")


def _rows_added(x: np.ndarray, i: np.ndarray) -> np.ndarray:
    y = np.zeros((3, x.shape[1]))
    np.add.at(y, i, x)
    return y


case(gather.add_rows, normal(3, 2), _rows - 1, axis=0, length=3, ref=_rows_added)
case(gather.add_rows, normal(2, 3), _rows, axis=1, length=3, ref=lambda x, i: _rows_added(x.T, i).T)
case(gather.add_rows, normal(0, 2), np.zeros(0, int), axis=0, length=3, ref=lambda x, i: np.zeros((3, 2)))

# -- scattering --------------------------------------------------------------------------------------------------------

_once = np.array([[0, 2], [1, 0]])
_twice = np.array([[2, 2, 2], [0, 1, 0]])
for i_ in (_once, _twice, _once[:1], np.zeros((2, 0), int)):
    case(scatter.scatter, normal(2, 3), i_, normal(*i_.shape), dim=1, note=f"{i_.tolist()}",
         ref=lambda x, i, s: _added(s, i, 1, x, adds=False))  # fmt: skip
    case(scatter.scatter_add, normal(2, 3), i_, normal(*i_.shape), dim=-1, note=f"{i_.tolist()}",
         ref=lambda x, i, s: _added(s, i, 1, x))  # fmt: skip
case(scatter.scatter, normal(2, 3), _once, normal(3, 4), dim=1, ref=lambda x, i, s: _added(s, i, 1, x, adds=False))
case(scatter.scatter, normal(2, 3), _once, 1.5, dim=1, ref=lambda x, i, s: _added(np.full((2, 2), s), i, 1, x, False))
case(scatter.scatter, normal(3, 2), _once, normal(2, 2), dim=0, ref=lambda x, i, s: _added(s, i, 0, x, adds=False))
case(scatter.scatter, normal(), np.array(0), normal(), dim=0, ref=lambda x, i, s: s, note="number")
case(scatter.scatter_add, normal(2, 3), _twice, normal(3, 4), dim=1, ref=lambda x, i, s: _added(s, i, 1, x))
case(scatter.scatter_add, normal(), np.array(0), normal(), dim=0, ref=lambda x, i, s: x + s, note="number")
case(scatter.index_add, normal(3, 2), _rows, normal(3, 2), dim=0, ref=lambda x, i, s: x + _rows_added(s, i))
case(scatter.index_add, normal(2, 3), _rows, normal(2, 3), dim=-1, alpha=0.5,
     ref=lambda x, i, s: x + 0.5 * _rows_added(s.T, i).T)  # fmt: skip
case(scatter.index_add, normal(), np.array([0]), normal(), dim=0, ref=lambda x, i, s: x + s, note="number")


def _reduced(x: np.ndarray, i: np.ndarray, s: np.ndarray, reduce: str, with_self: bool) -> np.ndarray:
    """Along the last axis, place by place."""
    y = np.array(x)
    for at in np.ndindex(x.shape):
        sent = [s[*at[:-1], k] for k in range(i.shape[-1]) if i[*at[:-1], k] == at[-1]]
        if sent:
            f = {"sum": np.sum, "prod": np.prod, "mean": np.mean, "amax": np.max, "amin": np.min}[reduce]
            y[at] = f(sent + [x[at]] * with_self)
    return y


def _sent(word: str, with_self: bool, i: np.ndarray) -> None:
    case(scatter_reduce, distinct(2, 3), i, distinct(2, 3) + 0.03, dim=1, reduce=word, include_self=with_self,
         ref=lambda x, i, s: _reduced(x, i, s, word, with_self), note=f"{word}{with_self}{i.tolist()}")  # fmt: skip


for word_ in ("sum", "prod", "mean", "amax", "amin"):
    for i_ in (_once, _twice, np.zeros((2, 0), int)):
        _sent(word_, True, i_)
        _sent(word_, False, i_)
case(scatter_reduce, np.array([[2.0, 0.0, 3.0]]), np.array([[1, 0, 0, 0]]), np.array([[0.0, 0.0, 2.0, 0.0]]), dim=1,
     reduce="prod", ref=lambda x, i, s: _reduced(x, i, s, "prod", True), note="zeros")  # fmt: skip
case(scatter_reduce, normal(), np.array(0), normal(), dim=0, reduce="prod", ref=lambda x, i, s: x * s, note="number")


def _put(x: np.ndarray, i: np.ndarray, v: Any) -> np.ndarray:
    y = x.copy()
    np.put(y, i, v)
    return y


def _put_along(x: np.ndarray, i: np.ndarray, v: Any, axis: int | None) -> np.ndarray:
    y = x.copy()
    np.put_along_axis(y, i, v, axis)
    return y


def _set(x: np.ndarray, v: Any, i: Any, adds: bool) -> np.ndarray:
    y = x.copy()
    if adds:
        np.add.at(y, i, v)
    else:
        y[i] = v
    return y


for i_, n_ in ((np.array([0, -1, 2]), 3), (np.array([[1, 1], [0, 1]]), 4), (np.array([5, 0, 3]), 2), (np.array(4), 3)):
    case(scatter.put, normal(2, 3), i_, normal(n_), ref=_put)
case(scatter.put, normal(2, 3), np.array([1, 1]), 7.0, ref=_put)
case(scatter.put, normal(2, 3), np.zeros(0, int), normal(0), ref=_put, note="empty")
for axis_, i_, v_ in ((1, _once, (2, 2)), (0, np.array([[1, -1, 0]]), (1, 3)), (-1, np.array([[2]]), (2, 1)),
                      (1, _twice, (2, 3)), (None, np.array([5, 0]), (2,)), (1, _once, ())):  # fmt: skip
    case(scatter.put_along_axis, normal(2, 3), i_, normal(*v_), axis=axis_, note=f"{axis_}{i_.tolist()}{v_}",
         ref=lambda x, i, v, a=axis_: _put_along(x, i, v, a))  # fmt: skip
for name_, index_ in INDICES.items():
    for adds_ in (False, True):
        v_ = normal(*np.zeros((3, 3, 2))[index_].shape)
        case(scatter.index_put, normal(3, 3, 2), v_, indices=index_, accumulate=adds_, note=f"{name_}{adds_}",
             ref=lambda x, v, i=index_, a=adds_: _set(x, v, i, a))  # fmt: skip
case(scatter.index_put, normal(3, 2), 2.0, indices=_rows, ref=lambda x, v: _set(x, v, _rows, False), note="number")
case(scatter.write_at, normal(2, 3), normal(4), np.array([0, 5, 0, 2]), ref=lambda x, v, i: _put(x, i, v))
case(scatter.wins, np.array([0, 5, 0, 2, 2]), size=6, ref=lambda i: np.array([0, 1, 1, 0, 1], bool), smooth=False)
case(scatter.untouched, np.array([0, 3, 0]), shape=(2, 2), smooth=False,
     ref=lambda i: np.array([[False, True], [True, False]]))  # fmt: skip
_mask = np.array([True, False, True])
case(scatter.masked_fill, normal(2, 3), _mask, 1.5, ref=lambda x, m, v: np.where(m, v, x))
case(scatter.masked_fill, normal(2, 3), np.array([[True], [False]]), normal(), ref=lambda x, m, v: np.where(m, v, x))
case(scatter.masked_fill, normal(3), np.array([_mask, ~_mask]), 2, ref=lambda x, m, v: np.where(m, v, x))
