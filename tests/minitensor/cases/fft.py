"""Cases: Fourier transforms, of even and odd lengths, cut off and filled up."""

from __future__ import annotations

from functools import partial

import numpy as np

from minitensor.ops.fft import several_axes
from minitensor.ops.fft import transform as fft
from tests.minitensor.cases.case import case, normal


def plane(*shape: int) -> np.ndarray:
    return normal(*shape) + 1j * normal(*shape)


NORMS = ("backward", "ortho", "forward")
for name_, draw_ in (("fft", plane), ("ifft", plane), ("fft", normal), ("rfft", normal), ("irfft", plane)):
    for m_ in (1, 2, 5, 6):
        for n_ in (None, 1, 4, 7):
            if name_ == "irfft" and m_ == 1 and n_ is None:
                continue
            norm_ = NORMS[(m_ + (n_ or 0)) % 3]
            case(
                getattr(fft, name_),
                draw_(m_),
                n=n_,
                norm=norm_,
                ref=partial(getattr(np.fft, name_), n=n_, norm=norm_),
                note=f"{draw_.__name__} {m_} to {n_}, {norm_}",
            )
    case(
        getattr(fft, name_),
        draw_(2, 3, 2),
        axis=1,
        norm=None,
        ref=partial(getattr(np.fft, name_), axis=1),
        note=f"{draw_.__name__} axis 1",
    )
    case(
        getattr(fft, name_),
        draw_(0, 3),
        ref=getattr(np.fft, name_),
        note=f"{draw_.__name__} none of them",
    )
    case(
        getattr(fft, name_),
        draw_(2, 0),
        n=3,
        ref=partial(getattr(np.fft, name_), n=3),
        note=f"{draw_.__name__} of nothing",
    )
for name_, draw_ in (("fft", plane), ("ifft", plane), ("rfft", normal), ("irfft", plane)):
    for axes_, s_ in ((None, None), ((0, -1), None), ((2, 0), (3, 2)), ((1,), (5,))):
        case(
            getattr(several_axes, f"{name_}n"),
            draw_(2, 2, 3),
            axes=axes_,
            s=s_,
            ref=partial(getattr(np.fft, f"{name_}n"), s=s_, axes=axes_),
            note=f"axes {axes_} s {s_}",
        )
    case(getattr(several_axes, f"{name_}2"), draw_(2, 2, 3), ref=getattr(np.fft, f"{name_}2"))
    case(
        getattr(several_axes, f"{name_}2"),
        draw_(2, 3, 2),
        s=(2, 5),
        axes=(0, 1),
        norm="ortho",
        ref=partial(getattr(np.fft, f"{name_}2"), s=(2, 5), axes=(0, 1), norm="ortho"),
        note="axes 0 and 1",
    )
for name_ in ("fftshift", "ifftshift"):
    for axes_ in (None, 0, (1,), (0, -1)):
        case(
            getattr(several_axes, name_),
            normal(3, 4),
            axes=axes_,
            ref=partial(getattr(np.fft, name_), axes=axes_),
            note=f"axes {axes_}",
        )
case(several_axes.fftn, normal(), ref=lambda x: np.asarray(x + 0j), note="a number")
