"""Parity: interpolate, grid_sample, affine_grid and the shuffles: values, both orders, edges, what is refused."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest

import minitensor as mt
from minitensor.nn import functional as F
from tests.minitensor.parity.oracle import normal, torch
from tests.minitensor.parity.orders import both

TF = torch.nn.functional
pytestmark = pytest.mark.parity
SHAPES = {1: (2, 3, 5), 2: (2, 2, 4, 7), 3: (1, 2, 3, 4, 5)}
SIZES = {1: [1, 3, 5, 9, 12], 2: [(1, 2), (4, 7), (9, 5), 10], 3: [(2, 6, 5), (1, 3, 9)]}
MODES = [(m, n) for m in ("nearest", "nearest-exact", "area") for n in (1, 2, 3)]
MODES += [("linear", 1), ("bilinear", 2), ("bicubic", 2), ("trilinear", 3)]


@pytest.mark.parametrize(("mode", "n"), MODES)
def test_interpolate(mode, n):
    plain = (mode, n) in MODES[:9]
    for align in (None,) if plain else (None, False, True):
        more = {"mode": mode, "align_corners": align}
        for size in SIZES[n]:
            both("interpolate", normal(*SHAPES[n]), size=size, **more)
        for factor in (2, 1.5, 0.5, 2.6, (1.0, 2.0, 0.75)[:n]):
            for recompute in (None, True):
                both(
                    "interpolate", normal(*SHAPES[n]), scale_factor=factor, recompute_scale_factor=recompute,
                    dtypes=("float64",), **more,
                )  # fmt: skip
    both("interpolate", normal(0, 2, *SHAPES[n][2:]), size=3, mode=mode)
    both("interpolate", normal(1, 1, *(1,) * n), size=4, mode=mode)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic", "lanczos"])
def test_antialias(mode):
    for size in ((2, 3), (3, 9), (8, 7), (4, 14), (3, 2)):
        for align in (False, True) if mode != "lanczos" else (False,):
            both("interpolate", normal(2, 3, 4, 7), size=size, mode=mode, antialias=True, align_corners=align)
    for factor in (0.5, 0.7, 1.5):
        both("interpolate", normal(2, 3, 5, 8), scale_factor=factor, mode=mode, antialias=True)


def test_nearest_of_many_lengths():
    for m, out, n in product(range(1, 12), range(1, 24), (1, 2)):
        x = np.broadcast_to(np.arange(m, dtype=np.float32), (1, 2, *(2,) * (n - 1), m)).copy()
        size = (2, out)[-n:]
        ours, theirs = F.interpolate(mt.Tensor(x), size), TF.interpolate(torch.tensor(x), size)
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


GRIDS = {2: (2, 3, 4, 2), 3: (2, 2, 3, 2, 3)}


@pytest.mark.parametrize("align_corners", [True, False])
@pytest.mark.parametrize("padding_mode", ["zeros", "border", "reflection"])
@pytest.mark.parametrize(
    ("mode", "n"), [("bilinear", 2), ("nearest", 2), ("bicubic", 2), ("bilinear", 3), ("nearest", 3)]
)
def test_grid_sample(mode, n, padding_mode, align_corners):
    settings = {"mode": mode, "padding_mode": padding_mode, "align_corners": align_corners}
    x = normal(2, 3, *(4, 5, 3)[:n])
    both("grid_sample", x, normal(*GRIDS[n]), order=1, **settings)
    both("grid_sample", x, 5 * normal(*GRIDS[n]), order=1, dtypes=("float64",), **settings)
    both("grid_sample", x[:, :, :1, :1], normal(*GRIDS[n]), order=1, dtypes=("float64",), **settings)
    both("grid_sample", x[:0], normal(*GRIDS[n])[:0], order=1, **settings)
    both("grid_sample", x, normal(*GRIDS[n])[:, :0], order=1, **settings)


@pytest.mark.parametrize("align_corners", [True, False])
@pytest.mark.parametrize("padding_mode", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
def test_grid_sample_on_the_pixels_and_borders(mode, padding_mode, align_corners):
    settings = {"mode": mode, "padding_mode": padding_mode, "align_corners": align_corners}
    line = np.arange(-12, 13) / 8
    grid = np.stack(np.meshgrid(line, line), axis=-1)[None]
    both("grid_sample", normal(1, 2, 4, 5), grid, order=1, constant=(1,), dtypes=("float64",), **settings)
    if mode != "bicubic":
        odd = np.array([[[math.nan, 0], [1e30, 0.1], [-1e30, 0.2]]])[None]
        if mode == "bilinear" and padding_mode == "zeros":
            odd = odd[:, :, 1:]
        both("grid_sample", normal(1, 2, 4, 5), odd, order=0, **settings)


def test_grid_sample_has_second_derivatives():
    """PyTorch has none; the gradient check does it."""
    x, grid = normal(1, 2, 3, 4), np.array([[[-0.31, 0.72], [0.13, -0.43]]])[None]
    for mode in ("bilinear", "bicubic"):
        assert mt.gradgradcheck(lambda x, g, m=mode: F.grid_sample(x, g, m), x, grid)


@pytest.mark.parametrize("align_corners", [True, False])
def test_affine_grid(align_corners):
    for size in ((2, 1, 3, 4), (2, 3, 1, 5), (2, 1, 2, 1, 3)):
        n = len(size) - 2
        both("affine_grid", normal(2, n, n + 1), size=size, align_corners=align_corners)
    theta, x = normal(2, 2, 3), normal(2, 3, 4, 4)
    size, align = (2, 3, 5, 5), {"align_corners": align_corners}
    ours = F.grid_sample(mt.Tensor(x), F.affine_grid(mt.Tensor(theta), size, **align), **align)
    theirs = TF.grid_sample(torch.tensor(x), TF.affine_grid(torch.tensor(theta), size, **align), **align)
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), atol=1e-12)


def test_shuffles():
    for x in (
        normal(2, 8, 3, 2),
        normal(4, 2, 2),
        normal(1, 2, 4, 1, 1),
        np.arange(16).reshape(4, 2, 2),
    ):
        both("pixel_shuffle", x, upscale_factor=2)
        both("pixel_shuffle", x, upscale_factor=1)
    for x in (normal(2, 3, 4, 2), normal(1, 2, 2), np.arange(16).reshape(1, 4, 4)):
        both("pixel_unshuffle", x, downscale_factor=2)
    for x in (normal(2, 6, 3, 2), normal(1, 6, 2), normal(2, 6, 1, 2, 1)):
        both("channel_shuffle", x, groups=3)


LINE, IMAGE = (1, 1, 4), (1, 1, 4, 4)
REFUSED = {
    "neither": ("interpolate", [LINE], {}, "takes either size or scale_factor; got None and None"),
    "either": ("interpolate", [LINE], {"size": 2, "scale_factor": 2}, "takes either size or scale_factor; got 2 and 2"),
    "mode": (
        "interpolate",
        [LINE],
        {"size": 2, "mode": "cubic"},
        "mode is one of nearest, nearest-exact, area, linear",
    ),
    "axes": ("interpolate", [LINE], {"size": 2, "mode": "bilinear"}, "mode 'bilinear' takes .* with 2 more axes"),
    "few axes": ("interpolate", [(1, 4)], {"size": 2}, "with 1, 2 or 3 more axes, not empty"),
    "empty": ("interpolate", [(1, 1, 0)], {"size": 2}, "not empty"),
    "no channels": ("interpolate", [(1, 0, 4)], {"size": 2, "mode": "linear"}, "not empty"),
    "size": ("interpolate", [LINE], {"size": 0}, "size is 1 or more; got 0"),
    "sizes": ("interpolate", [IMAGE], {"size": (2,)}, r"size is one length, or one for each of 2 axes; got \(2,\)"),
    "fraction": ("interpolate", [LINE], {"size": 2.5}, "size is an integer"),
    "factors": ("interpolate", [IMAGE], {"scale_factor": (2,)}, "scale_factor is one number, or one for each of 2"),
    "small": ("interpolate", [LINE], {"scale_factor": 0.1}, r"scale_factor 0.1 makes \(0,\) of \(4,\)"),
    "align": ("interpolate", [LINE], {"size": 2, "align_corners": False}, "align_corners is for linear, bilinear"),
    "antialias": ("interpolate", [LINE], {"size": 2, "mode": "linear", "antialias": True}, "antialias is for bilinear"),
    "lanczos": ("interpolate", [IMAGE], {"size": 2, "mode": "lanczos"}, "lanczos takes antialias=True"),
    "recompute": (
        "interpolate",
        [LINE],
        {"size": 2, "recompute_scale_factor": True},
        "is for a scale_factor; got a size",
    ),
    "grid mode": (
        "grid_sample",
        [IMAGE, (1, 2, 2, 2)],
        {"mode": "cubic"},
        "mode is 'bilinear', 'nearest' or 'bicubic'",
    ),
    "grid padding": (
        "grid_sample",
        [IMAGE, (1, 2, 2, 2)],
        {"padding_mode": "wrap"},
        "padding_mode is 'zeros', 'border'",
    ),
    "grid axes": ("grid_sample", [LINE, (1, 2, 1)], {}, r"grid_sample takes \(n, c, h, w\)"),
    "bicubic": ("grid_sample", [(1, 1, 2, 2, 2), (1, 1, 1, 1, 3)], {"mode": "bicubic"}, "or, not bicubic"),
    "no image": ("grid_sample", [(1, 1, 0, 2), (1, 2, 2, 2)], {}, "not empty"),
    "batch": (
        "grid_sample",
        [(2, 1, 2, 2), (1, 2, 2, 2)],
        {},
        "has 4 axes, the same batch and 2 numbers at each place",
    ),
    "numbers": ("grid_sample", [IMAGE, (1, 2, 2, 3)], {}, "2 numbers at each place"),
    "theta": ("affine_grid", [(1, 2, 3)], {"size": (1, 1, 2, 2, 2)}, r"affine_grid takes θ \(n, 2, 3\) or \(n, 3, 4\)"),
    "affine batch": ("affine_grid", [(1, 2, 3)], {"size": (2, 1, 2, 2)}, "affine_grid takes θ"),
    "affine empty": ("affine_grid", [(1, 2, 3)], {"size": (1, 1, 0, 2)}, "affine_grid takes θ"),
    "pixels": ("pixel_shuffle", [(1, 4, 1, 2)], {"upscale_factor": 3}, r"pixel_shuffle takes \(..., c · 9, h, w\)"),
    "no factor": ("pixel_shuffle", [(1, 4, 1, 2)], {"upscale_factor": 0}, "upscale_factor is 1 or more; got 0"),
    "pixel axes": ("pixel_shuffle", [(4, 2)], {"upscale_factor": 2}, "pixel_shuffle takes"),
    "unshuffle": ("pixel_unshuffle", [(1, 2, 3)], {"downscale_factor": 2}, "pixel_unshuffle takes"),
    "channels": ("channel_shuffle", [(1, 4, 1)], {"groups": 3}, r"takes \(n, c, ...\) with 3 equal groups of channels"),
    "channel axes": ("channel_shuffle", [(1, 4)], {"groups": 2}, "channel_shuffle takes"),
}


@pytest.mark.filterwarnings("ignore:Default grid_sample")
@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    function, shapes, settings, text = REFUSED[name]
    with pytest.raises((ValueError, TypeError), match=text):
        getattr(F, function)(*map(mt.ones, shapes), **settings)
    with pytest.raises((RuntimeError, TypeError, ValueError, NotImplementedError)):
        getattr(TF, function)(*map(torch.ones, shapes), **settings)


def test_refused_integers():
    x = mt.Tensor(np.ones(IMAGE, int))
    assert F.interpolate(x, 2).dtype == np.int64
    for call, text in (
        (lambda: F.interpolate(x, 2, mode="bilinear"), "mode 'bilinear' takes floats"),
        (lambda: F.grid_sample(x, mt.ones((1, 2, 2, 2))), "grid_sample takes floats"),
        (lambda: F.affine_grid(mt.Tensor(np.ones((1, 2, 3), int)), (1, 1, 2, 2)), "affine_grid takes floats"),
    ):
        with pytest.raises(TypeError, match=text):
            call()
