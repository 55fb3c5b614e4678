"""Many functions, forward and backward, beside PyTorch's of the same name: which of them is slow?

`kernels.py` has what training steps spend their time on; here are the others, so that none is forgotten.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch

import minitensor as mt
from benchmarks.timing import Timing, interleaved

Array = np.ndarray[Any, Any]
Shape = tuple[int, ...]
TOLERANCE = 1e-3  # of the largest entry: some of these add up a million numbers in float32
SQUARE, ROWS, IMAGES = (1024, 1024), (4096, 192), (32, 32, 32, 32)


class Function(NamedTuple):
    """A function by its name here, its operands' shapes, and its settings; `theirs` if PyTorch names it otherwise."""

    name: str
    shapes: tuple[Shape, ...]
    settings: dict[str, Any] = {}  # noqa: RUF012  # read only
    theirs: str = ""
    their_settings: dict[str, Any] | None = None
    positive: bool = False  # operands


def over(axis: Any) -> dict[str, Any]:
    """What the axis is called there."""
    return {"settings": {"axis": axis}, "their_settings": {"dim": axis}}


FUNCTIONS = [
    *(Function(n, (SQUARE,)) for n in "relu relu6 leaky_relu elu selu celu silu mish softplus hardswish".split()),
    *(Function(n, (SQUARE,)) for n in "hardsigmoid hardtanh softsign tanhshrink logsigmoid sigmoid tanh glu".split()),
    *(Function(n, (SQUARE,)) for n in "abs exp expm1 sin cos erf square sign".split()),
    *(Function(n, (SQUARE,), positive=True) for n in "log log1p sqrt rsqrt reciprocal".split()),
    *(Function("power", (SQUARE,), {"b": b}, "pow", {"exponent": b}, positive=True) for b in (2, 3, 2.5)),
    *(Function(n, (SQUARE, SQUARE)) for n in "add multiply maximum minimum".split()),
    Function("divide", (SQUARE, SQUARE), positive=True),
    Function("clip", (SQUARE,), {"min": -0.5, "max": 0.5}),
    *(Function(n, (SQUARE, SQUARE)) for n in "mse_loss l1_loss smooth_l1_loss huber_loss".split()),
    Function("binary_cross_entropy_with_logits", (SQUARE, SQUARE)),
    Function("cosine_similarity", (ROWS, ROWS), {"dim": -1}),
    Function("normalize", (ROWS,), {"dim": -1}),
    *(Function(n, (SQUARE,), **over(a)) for n in ("sum", "mean", "logsumexp", "cumsum") for a in (0, 1)),
    Function("max", (SQUARE,), **over(1), theirs="amax"),
    Function("log_softmax", ((512, 1000),), {"dim": -1}),
    Function("softmax", (IMAGES,), {"dim": 1}),
    Function("rms_norm", (ROWS,), {"normalized_shape": (192,)}),
    Function("instance_norm", (IMAGES,)),
    Function("local_response_norm", (IMAGES,), {"size": 5}),
    Function("matmul", ((64, 64, 64), (64, 64, 64))),
    Function("cdist", ((512, 64), (512, 64))),
    Function("conv1d", ((32, 64, 128), (64, 64, 5)), {"padding": 2}),
    Function("conv3d", ((4, 16, 16, 16, 16), (16, 16, 3, 3, 3)), {"padding": 1}),
    Function("conv2d", (IMAGES, (32, 8, 3, 3)), {"padding": 1, "groups": 4}),
    Function("conv2d", (IMAGES, (32, 1, 3, 3)), {"padding": 1, "groups": 32, "stride": 2}),
    Function("conv2d", (IMAGES, (32, 32, 5, 5)), {"padding": 2}),
    Function("conv_transpose2d", (IMAGES, (32, 32, 4, 4)), {"stride": 2, "padding": 1}),
    Function("max_pool2d", (IMAGES,), {"kernel_size": 3, "stride": 2, "padding": 1}),
    Function("avg_pool2d", (IMAGES,), {"kernel_size": 3, "stride": 2, "padding": 1}),
    Function("adaptive_avg_pool2d", (IMAGES,), {"output_size": 7}),
    Function("interpolate", (IMAGES,), {"scale_factor": 2, "mode": "nearest"}),
    Function("interpolate", (IMAGES,), {"scale_factor": 2, "mode": "bilinear"}),
    Function("pixel_shuffle", (IMAGES,), {"upscale_factor": 2}),
    Function("unfold", (IMAGES,), {"kernel_size": 3, "padding": 1}),
    Function("pad", (IMAGES,), {"pad": (1, 1, 1, 1), "mode": "reflect"}),
]


def found(library: Any, functional: Any, name: str) -> Callable[..., Any]:
    """Return a function of the library, of its layers' functions first."""
    return getattr(functional, name, None) or getattr(library, name)


def measured(f: Function) -> dict[str, Timing]:
    """Time both sides, after checking that values and gradients agree."""
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(s).astype(np.float32) for s in f.shapes]
    arrays = [np.abs(a) + np.float32(0.1) for a in arrays] if f.positive else arrays
    if f.name.startswith("binary"):
        arrays[1] = (arrays[1] > 0).astype(np.float32)
    ours = [mt.Tensor(a, requires_grad=True) for a in arrays]
    theirs = [torch.tensor(a, requires_grad=True) for a in arrays]
    mine, other = found(mt, mt.nn.functional, f.name), found(torch, torch.nn.functional, f.theirs or f.name)
    settings, their_settings = f.settings, f.settings if f.their_settings is None else f.their_settings
    like = mine(*ours, **settings)
    g = np.asarray(rng.standard_normal(like.shape), np.float32)
    seed = torch.tensor(g)

    def run() -> list[Any]:
        y = mine(*ours, **settings)
        return [y, *mt.grad(y, ours, g)]

    def reference() -> list[Any]:
        y = other(*theirs, **their_settings)
        return [y, *torch.autograd.grad(y, theirs, seed)]

    for a, b in zip(run(), reference(), strict=True):
        expected = b.detach().numpy()
        assert np.abs(a.numpy() - expected).max() <= TOLERANCE * max(1e-6, np.abs(expected).max()), f"{f} disagrees"
    return interleaved({"ours": run, "torch": reference}, rounds=5)


def run(threads: int, only: str) -> dict[str, Any]:
    """Measure them all, print the slowest first, return each one's ratio and times."""
    results = {}
    for f in FUNCTIONS:
        if only in f.name:
            words = ", ".join(f"{k}={v}" for k, v in f.settings.items())
            t = measured(f)
            key = f"{f.name} {' '.join('x'.join(map(str, s)) for s in f.shapes)}" + (f" ({words})" if words else "")
            times = {side: [round(v, 5) for v in timing] for side, timing in t.items()}
            results[key] = {"ratio": round(t["ours"].median / t["torch"].median, 3), **times}
    for name, r in sorted(results.items(), key=lambda item: -item[1]["ratio"]):
        print(f"{r['ratio']:7.2f}  {name:60} ours {r['ours'][0]:.3g}, torch {r['torch'][0]:.3g}", flush=True)
    return results
