"""Cases: shapes, orders, joins, repetitions, diagonals, paddings, outer products."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitensor.ops.linalg import outer
from minitensor.ops.shaping import diagonal, join, order, padding, tiling
from minitensor.ops.shaping import shape as sh
from tests.minitensor.cases.case import case, normal

# -- shapes ------------------------------------------------------------------------------------------------------------

case(sh.reshape, normal(2, 6), shape=(3, -1), ref=lambda x: x.reshape(3, 4))
case(sh.reshape, normal(2, 3), shape=-1, ref=np.ravel, note="flat")
case(sh.reshape, normal(0, 3), shape=[3, 0, 2], ref=lambda x: x.reshape(3, 0, 2), note="empty")
for shape_ in ((2, 3), (), (0, 2), (4,)):
    case(sh.ravel, normal(*shape_), ref=np.ravel)
case(sh.transpose, normal(2, 3), ref=np.transpose)
case(sh.transpose, normal(2, 3, 4), axes=(1, 2, 0), ref=lambda x: x.transpose(1, 2, 0))
case(sh.transpose, normal(2, 3, 2), axes=[-1, 0, 1], ref=lambda x: x.transpose(-1, 0, 1), note="negative")
case(sh.transpose, normal(), ref=np.transpose, note="number")
case(sh.swapaxes, normal(2, 3, 4), axis1=0, axis2=-1, ref=lambda x: x.swapaxes(0, -1))
for a_, b_ in ((0, -1), (2, 0), (-1, 1), ((0, 1), (-1, 0)), ([2, 0], [0, 1]), ((), ())):
    case(
        sh.moveaxis,
        normal(2, 3, 4),
        source=a_,
        destination=b_,
        ref=lambda x, a=a_, b=b_: np.moveaxis(x, a, b),
        note=f"{a_}to{b_}",
    )
for axis_ in (0, 1, -1, (0, -1), (1, 2)):
    case(sh.expand_dims, normal(2, 3), axis=axis_, ref=lambda x, a=axis_: np.expand_dims(x, a), note=f"axis{axis_}")
case(sh.squeeze, normal(1, 2, 1), ref=np.squeeze)
case(sh.squeeze, normal(1, 2, 1), axis=-1, ref=lambda x: x.squeeze(-1), note="last")
case(sh.squeeze, normal(1, 2, 1), axis=(0, 2), ref=lambda x: x.squeeze((0, 2)), note="both")
case(sh.squeeze, normal(), axis=0, ref=lambda x: x.squeeze(0), note="number")
case(sh.broadcast_to, normal(3, 1), shape=(2, 3, 4), ref=lambda x: np.broadcast_to(x, (2, 3, 4)))
case(sh.broadcast_to, normal(), shape=(2, 2), ref=lambda x: np.broadcast_to(x, (2, 2)))
case(sh.broadcast_to, normal(), shape=3, ref=lambda x: np.broadcast_to(x, 3), note="integer")
case(sh.broadcast_to, normal(1, 2), shape=(1, 2), ref=np.copy, note="same")
case(sh.broadcast_to, normal(1, 2), shape=(0, 2), ref=lambda x: np.broadcast_to(x, (0, 2)), note="empty")
case(sh.broadcast_arrays, normal(3, 1), normal(2), normal(), ref=lambda *xs: np.broadcast_arrays(*xs))
case(sh.broadcast_arrays, normal(0, 1), normal(2), ref=lambda *xs: np.broadcast_arrays(*xs))
for op_, ref_ in ((sh.atleast_1d, np.atleast_1d), (sh.atleast_2d, np.atleast_2d), (sh.atleast_3d, np.atleast_3d)):
    for shape_ in ((), (3,), (2, 3), (2, 1, 2), (0,)):
        case(op_, normal(*shape_), ref=ref_)

# -- orders ------------------------------------------------------------------------------------------------------------

case(order.flip, normal(2, 3), ref=np.flip)
case(order.flip, normal(2, 3, 2), axis=(0, -1), ref=lambda x: np.flip(x, (0, -1)), note="two")
case(order.flip, normal(), ref=np.flip, note="number")
case(order.flip, normal(2, 3), axis=(), ref=np.copy, note="none")
case(order.fliplr, normal(2, 3), ref=np.fliplr)
case(order.flipud, normal(3), ref=np.flipud)
for k_ in (-1, 0, 1, 2, 3, 6):
    case(order.rot90, normal(2, 3), k=k_, ref=lambda x, k=k_: np.rot90(x, k), note=f"k{k_}")
case(order.rot90, normal(2, 3, 2), axes=(2, 0), ref=lambda x: np.rot90(x, 1, (2, 0)), note="plane")
for shift_, axis_ in ((1, None), (-4, 0), (5, -1), ((1, -1), (0, 1)), ((1, 2), (1, 1)), (1, (0, 1)), ((1, 1), None)):
    case(order.roll, normal(2, 3), shift=shift_, axis=axis_, note=f"{shift_}on{axis_}",
         ref=lambda x, s=shift_, a=axis_: np.roll(x, s if a is not None else sum(np.atleast_1d(s)), a))  # fmt: skip
case(order.roll, normal(0, 2), shift=1, axis=0, ref=np.copy, note="empty")
case(order.roll, normal(), shift=1, ref=np.copy, note="number")

# -- joins and cuts ----------------------------------------------------------------------------------------------------

case(join.concatenate, normal(2, 3), normal(2, 1), normal(2, 0), axis=-1, ref=lambda *xs: np.concatenate(xs, -1))
case(join.concatenate, normal(2), normal(3), ref=lambda *xs: np.concatenate(xs))
case(join.concatenate, normal(2, 2), normal(3), normal(), axis=None, ref=lambda *xs: np.concatenate(xs, None))
case(join.concatenate, normal(2, 2), ref=np.copy, note="one")
case(join.stack, normal(2, 3), normal(2, 3), axis=1, ref=lambda *xs: np.stack(xs, 1))
case(join.stack, normal(2), normal(2), axis=-1, ref=lambda *xs: np.stack(xs, -1))
case(join.stack, normal(), normal(), ref=lambda *xs: np.stack(xs))
for op_, ref_ in ((join.hstack, np.hstack), (join.vstack, np.vstack), (join.column_stack, np.column_stack)):
    case(op_, normal(2), normal(2), ref=lambda *xs, f=ref_: f(xs))
    case(op_, normal(2, 2), normal(2, 2), normal(2, 2), ref=lambda *xs, f=ref_: f(xs))
    case(op_, normal(), normal(), ref=lambda *xs, f=ref_: f(xs))
    case(op_, normal(2, 2, 1), normal(2, 2, 1), ref=lambda *xs, f=ref_: f(xs))
case(join.column_stack, normal(2), normal(2, 2), ref=lambda *xs: np.column_stack(xs))
case(join.split, normal(4, 2), indices_or_sections=2, ref=lambda x: np.split(x, 2))
case(join.split, normal(2, 5), indices_or_sections=(1, 3), axis=-1, ref=lambda x: np.split(x, (1, 3), -1))
case(join.split, normal(4), indices_or_sections=[3, 1, -1, 9], ref=lambda x: np.split(x, [3, 1, -1, 9]), note="odd")
case(join.split, normal(0, 2), indices_or_sections=3, ref=lambda x: np.split(x, 3), note="empty")
case(join.array_split, normal(5, 2), indices_or_sections=3, ref=lambda x: np.array_split(x, 3))
case(join.array_split, normal(2, 2), indices_or_sections=3, axis=1, ref=lambda x: np.array_split(x, 3, 1), note="few")
case(join.array_split, normal(4), indices_or_sections=np.array([1]), ref=lambda x: np.array_split(x, [1]), note="at")
case(join.chunk, normal(5), chunks=4, ref=lambda x: np.split(x, [2, 4]))
case(join.chunk, normal(2, 7), chunks=3, dim=-1, ref=lambda x: np.split(x, [3, 6], 1))
case(join.chunk, normal(0, 2), chunks=2, ref=lambda x: [x, x])
case(join.unstack, normal(2, 3), ref=lambda x: list(x))
case(join.unstack, normal(2, 3), axis=-1, ref=lambda x: list(x.T), note="last")

# -- repetitions -------------------------------------------------------------------------------------------------------

case(tiling.repeat_each, normal(2, 3), count=2, axis=1, ref=lambda x: np.repeat(x, 2, 1))
case(tiling.repeat_each, normal(2, 3), count=0, axis=0, ref=lambda x: np.repeat(x, 0, 0), note="never")
for repeats_, axis_ in ((2, None), (1, 0), ([3], 1), ([1, 2], 0), (np.array([0, 2, 1]), -1), (0, 0)):
    case(tiling.repeat, normal(2, 3), repeats=repeats_, axis=axis_, note=f"{repeats_}on{axis_}",
         ref=lambda x, r=repeats_, a=axis_: np.repeat(x, r, a))  # fmt: skip
case(tiling.repeat, normal(), repeats=3, ref=lambda x: np.repeat(x, 3), note="number")
case(tiling.repeat, normal(), repeats=3, axis=-1, ref=lambda x: np.repeat(x, 3, -1), note="number on an axis")
for reps_ in (2, (2, 1), (2, 1, 3), (1, 1), (0, 2), ()):
    case(tiling.tile, normal(2, 2), reps=reps_, ref=lambda x, r=reps_: np.tile(x, r), note=f"{reps_}")
case(tiling.tile, normal(), reps=2, ref=lambda x: np.tile(x, 2), note="number")
for name_ in ("xy", "ij"):
    case(tiling.meshgrid, normal(2), normal(3), normal(2), indexing=name_, note=name_,
         ref=lambda *xs, i=name_: np.meshgrid(*xs, indexing=i))  # fmt: skip
case(tiling.meshgrid, normal(2), ref=lambda x: np.meshgrid(x), note="one")
case(tiling.meshgrid, normal(), normal(0), ref=lambda *xs: np.meshgrid(*xs), note="number")

# -- diagonals ---------------------------------------------------------------------------------------------------------


def _put(x: np.ndarray, shape: tuple[int, int], offset: int) -> np.ndarray:
    y = np.zeros(shape)
    for i, v in enumerate(x):
        y[i - min(offset, 0), i + max(offset, 0)] = v
    return y


for k_ in (0, 1, -1, 5):
    case(diagonal.diagonal, normal(2, 3), offset=k_, ref=lambda x, k=k_: np.diagonal(x, k), note=f"k{k_}")
    case(diagonal.trace, normal(3, 2), offset=k_, ref=lambda x, k=k_: np.trace(x, k), note=f"k{k_}")
    case(diagonal.diag, normal(2), k=k_ % 3 - 1, ref=lambda x, k=k_ % 3 - 1: np.diag(x, k), note=f"vector{k_}")
    for op_, ref_ in ((diagonal.tril, np.tril), (diagonal.triu, np.triu)):
        case(op_, normal(2, 3), k=k_, ref=lambda x, k=k_, f=ref_: f(x, k), note=f"k{k_}")
case(diagonal.diagonal, normal(2, 3, 3), axis1=-1, axis2=0, ref=lambda x: np.diagonal(x, 0, -1, 0), note="axes")
case(diagonal.put_diagonal, normal(2), shape=(2, 3), offset=1, ref=lambda x: _put(x, (2, 3), 1))
case(diagonal.put_diagonal, normal(2), shape=(3, 2), offset=-1, ref=lambda x: _put(x, (3, 2), -1), note="below")
case(diagonal.put_diagonal, normal(2, 2), shape=(2, 2, 2), axis1=1, axis2=2, note="batch",
     ref=lambda x: np.stack([np.diag(v) for v in x]))  # fmt: skip
case(diagonal.diag, normal(3, 2), k=-1, ref=lambda x: np.diag(x, -1), note="matrix")
case(diagonal.diag, normal(0), ref=np.diag, note="empty")
case(diagonal.trace, normal(2, 3, 2), axis1=0, axis2=2, ref=lambda x: np.trace(x, 0, 0, 2), note="axes")
case(diagonal.trace, np.array([[1, 2], [3, 4]]), ref=np.trace, smooth=False, note="integers")
case(diagonal.triu, normal(2, 2, 2), ref=np.triu, note="batch")
case(diagonal.tril, normal(0, 2), ref=np.tril, note="empty")

# -- paddings ----------------------------------------------------------------------------------------------------------

case(padding.frame, normal(2, 3), width=((1, 0), (2, 1)), ref=lambda x: np.pad(x, ((1, 0), (2, 1))))
case(padding.pad, normal(2, 3), pad_width=((1, 0), (2, 1)), ref=lambda x: np.pad(x, ((1, 0), (2, 1))))
case(padding.pad, normal(2), pad_width=((0, 2),), value=-1.5, ref=lambda x: np.pad(x, (0, 2), constant_values=-1.5))
case(padding.pad, normal(2, 2), pad_width=1, constant_values=((1, 2), (3, 4)), note="values",
     ref=lambda x: np.pad(x, 1, constant_values=((1, 2), (3, 4))))  # fmt: skip
MODES: dict[str, Any] = {"reflect": "reflect", "symmetric": "symmetric", "edge": "edge", "replicate": "edge",
                         "wrap": "wrap", "circular": "wrap"}  # fmt: skip
for ours_, theirs_ in MODES.items():
    for width_ in (1, (2, 1), ((0, 1), (2, 0)), ((5, 4), (0, 7)), 0, np.array([[1, 1], [0, 2]])):
        case(padding.pad, normal(2, 3), pad_width=width_, mode=ours_, note=f"{ours_}{width_}",
             ref=lambda x, w=width_, m=theirs_: np.pad(x, w, mode=m))  # fmt: skip
case(padding.pad, normal(1), pad_width=2, mode="reflect", ref=lambda x: np.pad(x, 2, mode="reflect"), note="one")
case(padding.pad, normal(), pad_width=1, ref=np.copy, note="number")
case(padding.pad, normal(0, 2), pad_width=1, ref=lambda x: np.pad(x, 1), note="empty")

# -- outer products and differences ------------------------------------------------------------------------------------

case(outer.outer, normal(2), normal(3), ref=np.outer)
case(outer.outer, normal(2, 2), normal(), ref=np.outer)
for a_, b_ in (((2,), (3,)), ((2, 2), (1, 3)), ((2,), (2, 2)), ((), (2, 1)), ((0,), (2,)), ((2, 1, 2), (2, 2))):
    case(outer.kron, normal(*a_), normal(*b_), ref=np.kron)
for n_ in (0, 1, 2, 5):
    case(outer.diff, normal(2, 4), n=n_, ref=lambda x, n=n_: np.diff(x, n), note=f"n{n_}")
case(outer.diff, normal(3, 2), axis=0, ref=lambda x: np.diff(x, axis=0), note="axis")
case(outer.diff, normal(0), ref=np.diff, note="empty")
case(outer.diff, normal(3), normal(1), normal(2), ref=lambda x, p, a: np.diff(x, prepend=p, append=a))
case(outer.diff, normal(2, 2), 0.0, 1.5, axis=0, ref=lambda x, p, a: np.diff(x, 1, 0, p, a))
case(outer.diff, np.array([True, False, False]), ref=np.diff, smooth=False, note="bools")
