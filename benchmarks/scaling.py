"""What a training step costs against batch size, image size, depth and width, ours and PyTorch's, as a plot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks import steps
from benchmarks.timing import interleaved

HERE = Path(__file__).parent / "results"
AXES: dict[str, tuple[str, list[int], Callable[[int], steps.Step]]] = {
    "batch": ("images in a batch", [16, 32, 64, 128], lambda k: steps.vit(False, batch=k, dim=96, depth=4)),
    "image": ("pixels of an image, thousands", [16, 32, 48, 64], lambda k: steps.vit(False, 16, k, dim=96, depth=4)),
    "depth": ("blocks of the encoder", [1, 2, 4, 8], lambda k: steps.vit(False, batch=16, dim=96, depth=k)),
    "width": (
        "dimensions squared, thousands",
        [48, 96, 192, 384],
        lambda k: steps.vit(False, batch=16, dim=k, depth=4),
    ),
}


def run(threads: int, only: str) -> dict[str, Any]:
    """Measure the I-JEPA step along each axis; draw benchmarks/results/scaling.png."""
    found: dict[str, Any] = {}
    figure = Figure(figsize=(12, 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    chosen = {name: entry for name, entry in AXES.items() if only in name}
    for axis, (name, (label, values, make)) in zip(figure.subplots(1, len(chosen)), chosen.items(), strict=True):
        made = {value: make(value) for value in values}
        sides = {(v, "ours"): steps.ours(step) for v, step in made.items()}
        sides |= {(v, "torch"): steps.theirs(step, False) for v, step in made.items()}
        timings = interleaved(sides, rounds=7, seconds=0.1)
        rows = [[round(timings[v, side].median, 3) for side in ("ours", "torch")] for v in values]
        sizes = [v * v / 1000 for v in values] if "thousands" in label else [float(v) for v in values]
        mine = np.array([r[0] for r in rows])
        slope, start = np.polyfit(sizes, mine, 1, w=1 / mine)
        off = float(np.abs((start + slope * np.array(sizes)) / mine - 1).max())
        line = {"start": round(start, 3), "slope": round(slope, 4), "off": round(off, 3)}
        found[name] = {"sizes": sizes, "ours": mine.tolist(), "torch": [r[1] for r in rows], **line}
        print(f"{name:8} {label}: {sizes}  ms {mine}; torch {found[name]['torch']}; off a line by {100 * off:.0f} %")
        draw(axis, label, found[name], with_legend=name == next(iter(chosen)))
    figure.suptitle(f"one I-JEPA training step, {threads} thread{'s' * (threads > 1)}")
    HERE.mkdir(exist_ok=True)
    if not only:
        figure.savefig(HERE / "scaling.png", dpi=110)
    return found


def draw(axis: Axes, label: str, found: dict[str, Any], with_legend: bool) -> None:
    """Draw both sides along one axis, and the straight line through ours."""
    sizes = np.array(found["sizes"])
    axis.plot(sizes, found["ours"], "o", color="#0072B2", label="minitensor")
    axis.plot(sizes, found["start"] + found["slope"] * sizes, "-", color="#0072B2", label="a line through it")
    axis.plot(sizes, found["torch"], "s--", color="#D55E00", label="PyTorch")
    axis.set_xlabel(label)
    axis.set_ylabel("milliseconds")
    axis.set_xlim(left=0)
    axis.set_ylim(bottom=0)
    axis.set_title(f"off the line by at most {100 * found['off']:.0f} %", fontsize=9)
    if with_legend:
        axis.legend(fontsize=8)
