"""Cases: shapes."""

from __future__ import annotations

import numpy as np

from minitensor.ops import shape as sh
from tests.minitensor.cases.case import case, normal

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
