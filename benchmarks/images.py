"""A batch of images prepared for training, from bytes: two views, flipped, cropped, resized, recolored, normalized.

Our side is all that `task=views` does for a batch, what it draws included. PyTorch's side is given the draws: crops are
cut and resized one by one, as their sizes differ, by `interpolate` with antialiasing, which is torchvision's
`resized_crop` on tensors; all else is done for the whole batch at once, which torchvision's transforms do image by
image. Both make the same pixels, which are compared before anything is timed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import minitensor as mt
from benchmarks.timing import Timing, interleaved
from jepa.contracts import Generators
from jepa.masks.box import drawn_box
from jepa.sources.base import as_floats, scaled
from jepa.tasks.views import Views
from jepa.transforms import ImageChanges

Array = np.ndarray[Any, Any]
COUNT, GOAL = 128, 0.8
CASES = {"32x32": 32, "96x96": 96}
TOLERANCE = 1e-4  # of normalized values
SCALE = np.array([0.49, 0.48, 0.45]), np.array([0.25, 0.24, 0.26])


def generators() -> list[np.random.Generator]:
    """Return one for each image."""
    return [np.random.default_rng([0, 0, i]) for i in range(COUNT)]


def ours(task: Views, images: Array) -> Array:
    """Return the views (n, 2, c, h, w)."""
    x = as_floats(images, np.arange(COUNT))
    batch = task.ask(x, (8, 8), Generators(generators(), np.random.default_rng(0)))
    batch = batch.changed(lambda v: scaled(v, SCALE, 3))
    return np.concatenate([batch.seen[:, None], batch.true], axis=1)


def theirs(task: Views, images: Array) -> Callable[[], Any]:
    """Return what makes the same views in PyTorch, by the draws that the task makes."""
    s, each, side = task.settings, generators(), images.shape[2]
    flips = torch.tensor([task.whole.draw(g) for g in each])  # (n, 2): left-right, upside-down
    numbers = [g.random((s.views, 4)).tolist() for g in each]
    draws = [[task.part.draw(g) for g in each] for _ in range(s.views)]
    boxes = [[drawn_box((side, side), p[v], scale=s.crop, aspect=s.aspect) for p in numbers] for v in range(s.views)]
    jitter = task.part.transforms[0]
    bytes_, (mean, std) = torch.tensor(images), (torch.tensor(v, dtype=torch.float32)[:, None] for v in SCALE)
    luma = torch.tensor([0.299, 0.587, 0.114])
    factors = []
    for drawn in draws:
        u, gray, negative = map(np.array, zip(*drawn, strict=True))
        a, b = jitter.affine(u, np.ones(COUNT))
        factors.append([torch.tensor(v) for v in (a, b[:, None, None], gray, negative)])

    def view(x: Any, places: Any, a: Any, b: Any, gray: Any, negative: Any) -> Any:
        crops = [x[k : k + 1, :, t : t + h, c : c + w] for k, (t, c, h, w) in enumerate(places)]
        y = torch.cat([
            torch.nn.functional.interpolate(crop, (side, side), mode="bilinear", antialias=True) for crop in crops
        ]).flatten(2)  # fmt: skip
        y = torch.baddbmm(b * (y.mean(dim=2) @ luma)[:, None, None], a, y).clamp_(0, 1)
        y = torch.where(gray[:, None, None], (luma @ y)[:, None], y)
        y = torch.where(negative[:, None, None], 1 - y, y)
        return ((y - mean) / std).unflatten(2, (side, side))

    def run() -> Any:
        x = bytes_.float().div_(255)
        x = torch.where(flips[:, :1, None, None], x.flip(3), x)
        x = torch.where(flips[:, 1:, None, None], x.flip(2), x)
        return torch.stack([view(x, *of) for of in zip(boxes, *zip(*factors, strict=True), strict=True)], dim=1)

    return run


def measured(side: int) -> dict[str, Timing]:
    """Time both sides, ours with either set of kernels, after checking that all make the same pixels."""
    images = np.random.default_rng(0).integers(0, 256, (COUNT, 3, side, side), dtype=np.uint8)
    task, before = Views(ImageChanges(grayscale=0.2)), mt.get_kernels()

    def with_kernels(kernels: str) -> Callable[[], Array]:
        def run() -> Array:
            mt.set_kernels(kernels)
            return ours(task, images)

        return run

    sides = {"ours": with_kernels(before), "numpy": with_kernels("numpy"), "torch": theirs(task, images)}
    try:
        expected = sides["torch"]().numpy()
        for name in ("ours", "numpy"):
            assert np.abs(sides[name]() - expected).max() <= TOLERANCE, f"{name} and torch disagree"
        return interleaved(sides)
    finally:
        mt.set_kernels(before)


def run(threads: int, only: str) -> dict[str, Any]:
    """Print and return, for each size of image, images per second and the ratio of times to PyTorch's."""
    found = {}
    for name in (n for n in CASES if only in n):
        timings = measured(CASES[name])
        rates = {side: round(COUNT / t.median * 1000) for side, t in timings.items()}
        ratio = timings["ours"].median / timings["torch"].median
        said = ", ".join(f"{side} {rate:,}" for side, rate in rates.items())
        print(f"{name:34} ratio {ratio:5.2f} (goal {GOAL})  images per second: {said}", flush=True)
        times = {side: [round(v, 5) for v in t] for side, t in timings.items()}
        found[name] = {"goal": GOAL, "ratio": round(ratio, 3), "per_second": rates, **times}
    return found
