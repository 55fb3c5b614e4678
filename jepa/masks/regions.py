"""Regions of an image in pixels: a context and its targets as crops, or blocks that are hidden in the context."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jepa.masks.box import Box, Range, filled, rectangle

TRIES = {"crops": 30, "blocks": 10}  # draws of all regions, if they do not come out as asked
VISIBLE = 0.1  # smallest share of the image that a context with hidden blocks must show


class Regions(NamedTuple):
    """The context and the targets of one image."""

    context: Box
    targets: list[Box]
    hidden: bool
    """whether the targets are hidden in the context"""


def crop_regions(settings: Any, height: int, width: int, generator: np.random.Generator) -> Regions:
    """Return a context crop, and target crops that overlap it by no less and no more than asked.

    The context and the sizes of the targets are drawn first. A target then gets a place that is uniform among all
    places where the share of its area inside the context lies in `overlap`. If some target has no such place, all is
    drawn again, up to 30 times, which favours small regions where the asked overlap is rarely possible; then the draw
    that comes closest is taken, each of its targets as close as it can be.

    settings: context_scale, target_scale, aspect, targets and overlap of `jepa.tasks.crops.CropsSettings`.

    >>> from jepa.tasks.crops import CropsSettings
    >>> settings = CropsSettings(context_scale=(0.5, 0.5), target_scale=(0.2, 0.2), overlap=(0, 0.5))
    >>> regions = crop_regions(settings, 32, 32, np.random.default_rng(0))
    >>> regions.targets[0].overlap(regions.context) <= 0.5 * regions.targets[0].area
    True
    """
    best, least = None, np.inf
    for _ in range(TRIES["crops"]):
        regions, miss = _crops(settings, height, width, generator)
        if miss < least:
            best, least = regions, miss
        if miss == 0:
            break
    assert best is not None
    return best


def _crops(s: Any, height: int, width: int, generator: np.random.Generator) -> tuple[Regions, float]:
    """Return regions, and by how much the worst target's overlap misses what was asked."""
    first, *others = generator.random((1 + s.targets, 4)).tolist()  # size and place of each box
    context = _box(height, width, first, s.context_scale, s.aspect)
    targets, worst = [], 0.0
    for numbers in others:
        target = _box(height, width, numbers, s.target_scale, s.aspect)
        share = target.overlap(context) / target.area
        miss = max(s.overlap[0] - share, share - s.overlap[1], 0.0)
        if miss > 0:
            target, miss = _placed(s.overlap, (height, width), target[2:], context, generator)
        targets.append(target)
        worst = max(worst, miss)
    return Regions(context, targets, False), worst


def _box(height: int, width: int, numbers: Sequence[float], scale: Range, aspect: Range) -> Box:
    """Return what `drawn_box` does, on two axes."""
    a, b, c, d = numbers
    h, w = rectangle(height, width, scale[0] + a * (scale[1] - scale[0]), b, aspect)
    return Box(int(c * (height - h + 1)), int(d * (width - w + 1)), h, w)


def _placed(overlap: Range, lengths: Any, size: Any, context: Box, generator: np.random.Generator) -> tuple[Box, float]:
    """Return a place, uniform among those whose overlap misses the asked one the least, and that miss."""
    rows = _inside(lengths[0], size[0], context.top, context.height)  # (height - h + 1,) rows inside, by top
    columns = _inside(lengths[1], size[1], context.left, context.width)  # (width - w + 1,) columns inside, by left
    share = np.outer(rows, columns) / (size[0] * size[1])
    miss = np.maximum(np.maximum(overlap[0] - share, share - overlap[1]), 0.0)
    least = float(miss.min())
    allowed = np.flatnonzero(miss <= least)
    top, left = divmod(int(allowed[generator.integers(len(allowed))]), len(columns))
    return Box(top, left, *size), least


def _inside(length: int, size: int, start: int, extent: int) -> NDArray[np.int64]:
    """Return, for each place of `size` pixels in `length`, how many of them lie in start .. start + extent."""
    first = np.arange(length - size + 1)
    return np.asarray(np.maximum(np.minimum(first + size, start + extent) - np.maximum(first, start), 0))


def hidden_blocks(settings: Any, height: int, width: int, generator: np.random.Generator) -> Regions:
    """Return target blocks anywhere in the image; the context is the whole image with the blocks hidden.

    Blocks may overlap each other, as in I-JEPA (arXiv:2301.08243, 4 blocks of 15-20 % of the image). Unlike in its
    code, scale and aspect are independent, and a block may lie in the last row and column. At least a tenth of the
    image stays visible: otherwise all blocks are drawn again, up to 10 times; then the draw that hides least is taken.

    settings: target_scale, aspect and targets of `jepa.tasks.crops.CropsSettings`.

    >>> from jepa.tasks.crops import CropsSettings
    >>> settings = CropsSettings(regions="blocks", target_scale=(0.15, 0.2), targets=2)
    >>> regions = hidden_blocks(settings, 32, 32, np.random.default_rng(0))
    >>> regions.context, len(regions.targets), regions.hidden
    (Box(top=0, left=0, height=32, width=32), 2, True)
    """
    s, lengths, best, most = settings, (height, width), None, -1
    for _ in range(TRIES["blocks"]):
        drawn = generator.random((s.targets, 4)).tolist()
        targets = [_box(height, width, numbers, s.target_scale, s.aspect) for numbers in drawn]
        seen = height * width - int(np.count_nonzero(filled(lengths, targets)))
        if seen > most:
            best, most = targets, seen
        if seen >= VISIBLE * height * width:
            break
    assert best is not None
    return Regions(Box(0, 0, height, width), best, True)
