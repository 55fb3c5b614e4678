"""What a region sampler returns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from jepa.masks.box import Box
from jepa.masks.curriculum import Curriculum

__all__ = ["RegionSampler", "Regions"]


class Regions(NamedTuple):
    """The context and the targets of one image."""

    context: Box
    targets: list[Box]
    hidden: bool
    """Whether the targets are hidden in the context."""
    fill: float = 0.5
    """Value in [0, 1] that hides them."""


@dataclass(frozen=True, kw_only=True)
class RegionSampler(Curriculum, ABC):
    """Base of the samplers of regions."""

    @abstractmethod
    def sample(self, height: int, width: int, generator: np.random.Generator) -> Regions:
        """Draw the regions of an image of `height` x `width` pixels, with the settings of the start of training."""
