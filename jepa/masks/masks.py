"""What a mask sampler returns, and how masks of different sizes come into one array."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jepa.masks.curriculum import Curriculum

__all__ = ["MaskSampler", "Masks", "collate"]

Indices = NDArray[np.int64]
Flags = NDArray[np.bool_]
COLLATE = ("subset", "raster", "pad")


class Masks(NamedTuple):
    """Contexts and targets of B images, as indices of patches in raster order, row · columns + column, ascending."""

    context: list[Indices]
    """E arrays (B, Kc)"""
    target: list[Indices]
    """M arrays (B, Kt)"""
    context_valid: list[Flags] | None = None
    """E arrays (B, Kc): False where an entry is padding; None: nothing is"""
    target_valid: list[Flags] | None = None
    """M arrays (B, Kt): False where an entry is padding; None: nothing is"""


@dataclass(frozen=True, kw_only=True)
class MaskSampler(Curriculum, ABC):
    """Base of the samplers of masks."""

    @abstractmethod
    def sample(self, grid: tuple[int, int], count: int, generator: np.random.Generator) -> Masks:
        """Draw the masks of `count` images of rows x columns patches, with the settings of the start of training."""


def collate(
    masks: Sequence[Sequence[Indices]], how: str, generator: np.random.Generator
) -> tuple[list[Indices], list[Flags] | None]:
    """Bring masks of different sizes to one: B images with M masks each -> M arrays (B, K), and what is no padding.

    how: "subset", a random subset of each, as large as the smallest; "raster", its first ones, as I-JEPA's code does
    (the bottom of the image is rarely left); "pad", all of them, filled up with 0 to the largest.

    >>> masks = [[np.array([1, 2, 3])], [np.array([5, 7])]]
    >>> collate(masks, "raster", np.random.default_rng(0))
    ([array([[1, 2],
           [5, 7]])], None)
    """
    sizes = [len(mask) for image in masks for mask in image]
    if how == "pad":
        longest = max(sizes)
        filled = [[np.pad(mask, (0, longest - len(mask))) for mask in image] for image in masks]
        valid = [[np.arange(longest) < len(mask) for mask in image] for image in masks]
        return [np.stack(m) for m in zip(*filled, strict=True)], [np.stack(v) for v in zip(*valid, strict=True)]
    size = min(sizes)
    cut = [[mask if len(mask) == size else _some(mask, size, how, generator) for mask in image] for image in masks]
    return [np.stack(m) for m in zip(*cut, strict=True)], None


def _some(mask: Indices, size: int, how: str, generator: np.random.Generator) -> Indices:
    return mask[:size] if how == "raster" else np.sort(generator.permutation(mask)[:size])
