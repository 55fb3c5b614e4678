"""What the model sees and what it must predict: context and target regions of images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from jepa.visualisation.style import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION, new_figure, show_image

_TARGETS = (VERMILION, ORANGE, GREEN, PURPLE, SKY)


class _Box(Protocol):
    @property
    def top(self) -> float: ...
    @property
    def left(self) -> float: ...
    @property
    def height(self) -> float: ...
    @property
    def width(self) -> float: ...


class _Regions(Protocol):
    @property
    def context(self) -> _Box: ...
    @property
    def targets(self) -> Sequence[_Box]: ...
    @property
    def hidden(self) -> bool: ...


def plot_regions(
    images: NDArray[Any],
    regions: Sequence[_Regions],
    *,
    context: NDArray[Any] | None = None,
    target: NDArray[Any] | None = None,
    geometry: NDArray[Any] | None = None,
) -> Figure:
    """One row an image: the image with its regions, the context crop, the target crops, and the geometry in words.

    Parameters
    ----------
    images : float array (N, C, H, W) in [0, 1]
        The images that the regions were drawn in (after a flip, if there was one).
    regions : sequence of N `jepa.masks.Regions`
        Their context box, target boxes, and whether the targets are hidden in the context.
    context, target : float arrays (N, C, S, S) and (N, T, C, S_t, S_t) in [0, 1], optional
        The crops as the encoders got them (resized, colours changed); cut from `images` if missing.
    geometry : float array (N, T, 4), optional
        What the predictor is told, (dy, dx, log height, log width) relative to the context (see `geometry_of`);
        computed from the boxes if missing.

    Returns
    -------
    Figure
    """
    count, most = len(images), max(len(region.targets) for region in regions)
    columns = 2 + most
    side = 8.4 / (columns + 1.4)  # inches of a picture
    figure = new_figure(count * max(side + 0.1, 0.31 * most) + 0.5)
    grid = figure.subplots(count, columns + 1, squeeze=False, width_ratios=[1.0] * columns + [1.4])
    for n, (image, region) in enumerate(zip(images, regions, strict=True)):
        boxes = region.targets
        heading = n == 0
        show_image(grid[n, 0], image, "image" if heading else "")
        _outline(grid[n, 0], region.context, BLUE, "context", "--")
        for t, box in enumerate(boxes):
            _outline(grid[n, 0], box, _TARGETS[t % 5], str(t + 1) if most > 1 else "target", "-")
        seen = context[n] if context is not None else _cut(image, region.context, boxes if region.hidden else ())
        show_image(grid[n, 1], seen, "context" if heading else "", colour=BLUE)
        for t in range(most):
            if t < len(boxes):
                crop = target[n, t] if target is not None else _cut(image, boxes[t])
                name = f"target {t + 1}" if most > 1 else "target"
                show_image(grid[n, 2 + t], crop, name if heading else "", colour=_TARGETS[t % 5])
            else:
                grid[n, 2 + t].axis("off")
        words = [
            in_words(geometry[n, t] if geometry is not None else geometry_of(region.context, box))
            for t, box in enumerate(boxes)
        ]
        grid[n, -1].axis("off")
        grid[n, -1].set_title("told (% of the context)" if heading else "", fontsize=10, loc="left")
        text = "\n".join(f"{t + 1}: {line}" if most > 1 else line for t, line in enumerate(words))
        size = 9.0 if most == 1 else 8.0
        grid[n, -1].text(0, 0.5, text, fontsize=size, va="center", transform=grid[n, -1].transAxes, linespacing=1.25)
    return figure


def geometry_of(context: _Box, target: _Box) -> NDArray[np.float32]:
    """Place and size of a target relative to the context: (dy / h, dx / w, log(h_t / h), log(w_t / w)).

    dy and dx lead from the centre of the context to the centre of the target, (h, w) is the size of the context.

    Returns
    -------
    float32 array (4,)

    Examples
    --------
    >>> from types import SimpleNamespace as Box
    >>> whole, corner = Box(top=0, left=0, height=32, width=32), Box(top=0, left=0, height=16, width=16)
    >>> geometry_of(whole, corner).round(3)
    array([-0.25 , -0.25 , -0.693, -0.693], dtype=float32)
    """
    dy = (target.top + target.height / 2 - context.top - context.height / 2) / context.height
    dx = (target.left + target.width / 2 - context.left - context.width / 2) / context.width
    scale = math.log(target.height / context.height), math.log(target.width / context.width)
    return np.array([dy, dx, *scale], dtype=np.float32)


def in_words(geometry: NDArray[Any]) -> str:
    """Say a geometry (4,) in words, in per cent of the context's height and width.

    Examples
    --------
    >>> print(in_words(np.array([-0.25, 0.1, np.log(0.5), np.log(0.75)])))
    25 % up, 10 % right
    height 50 %, width 75 %
    >>> print(in_words(np.zeros(4)))
    same centre
    height 100 %, width 100 %
    """
    dy, dx = round(100 * float(geometry[0])), round(100 * float(geometry[1]))
    height, width = (round(100 * math.exp(float(value))) for value in geometry[2:])
    moves = [f"{abs(dy)} % {'down' if dy > 0 else 'up'}"] if dy else []
    moves += [f"{abs(dx)} % {'right' if dx > 0 else 'left'}"] if dx else []
    return f"{', '.join(moves) or 'same centre'}\nheight {height} %, width {width} %"


def _outline(axes: Axes, box: _Box, colour: str, label: str, style: str) -> None:
    """A rectangle with a white edge under it, so that it shows on every ground, and its name in the corner."""
    for edge, width, line in (("white", 4.0, "-"), (colour, 2.0, style)):
        place = (box.left, box.top)
        axes.add_patch(
            Rectangle(
                place, box.width, box.height, fill=False, edgecolor=edge, linewidth=width, linestyle=line, clip_on=False
            )
        )
    at: dict[str, Any] = {
        "fontsize": 8,
        "color": "white",
        "bbox": {"facecolor": colour, "edgecolor": "white", "pad": 1.0},
    }
    if label == "context":
        axes.text(box.left, box.top + box.height, label, va="bottom", ha="left", **at)
    else:
        axes.text(box.left + box.width, box.top, label, va="top", ha="right", **at)


def _cut(image: NDArray[Any], box: _Box, hidden: Sequence[_Box] = ()) -> NDArray[Any]:
    """Pixels of a box of an image (C, H, W), the hidden boxes filled with grey."""
    image = image.copy()
    for block in hidden:
        image[_span(block)] = 0.5
    return image[_span(box)]


def _span(box: _Box) -> tuple[slice, slice, slice]:
    top, left = round(box.top), round(box.left)
    return slice(None), slice(top, top + max(1, round(box.height))), slice(left, left + max(1, round(box.width)))
