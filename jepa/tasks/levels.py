"""Levels of hidden places: each place, and groups of 2, 4, 8 along each axis, are predicted together (H-JEPA)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

import minitensor as mt
from jepa.config.settings import Rule, between, each, setting
from jepa.contracts import Flags, Grid, Index, Keep
from jepa.errors import ConfigError
from jepa.masks import Masks, from_binary, to_binary
from jepa.masks.groups import groups
from jepa.tasks.masked import Masked, MaskedSettings, seen
from jepa.text import by_x

LEVELS: Rule = (lambda v: 2 <= v <= 4), "must be 2, 3 or 4: places, then groups of 2, 4, 8 along each axis"


class Groups(NamedTuple):
    """L levels of groups of places, finest first; a group is asked for if at least half of its places are hidden."""

    grid: Grid
    """the encoder's"""
    hidden: Flags
    """(n, N): the places that are hidden"""
    index: list[Index]  # type: ignore[assignment]
    """L of (n, K_l): the groups that are asked for, in raster order of the level's grid (`jepa.masks.groups`)"""
    valid: list[Flags]
    """L of (n, K_l): False where an entry is padding"""
    level_weights: tuple[float, ...]
    """of each level, in the loss"""

    @property
    def whole(self) -> bool:
        return False

    @property
    def single(self) -> bool:
        return False

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(index.shape[1] for index in self.index)

    def context(self, tokens: mt.Tensor, keep: Keep | None) -> tuple[mt.Tensor, Flags | None]:
        return tokens, seen(keep)

    def of(self, tokens: mt.Tensor) -> list[mt.Tensor]:
        """Return the mean over each group's hidden places: (n, 1, N, d) -> L of (n, K_l, d)."""
        truth, targets = tokens[:, 0], []
        for level, index in enumerate(self.index):
            weights = groups(self.grid, level).hidden_mean(self.hidden)  # (n, G, N)
            chosen = np.take_along_axis(weights, index[:, :, None], axis=1)  # (n, K_l, N)
            targets.append(mt.Tensor(chosen.astype(truth.dtype), device=truth.device) @ truth)
        return targets

    def rolled(self) -> "Groups":
        """Return the same groups in another order: each is asked for where another one of its example lies.

        Examples hide different numbers of groups, so that another example's question would not fit.
        """
        return self._replace(index=[_turned(*pair) for pair in zip(self.index, self.valid, strict=True)])


def _turned(index: Index, valid: Flags) -> Index:
    """Return indices (n, K) with each row's valid ones moved on by half their number."""
    count = valid.sum(axis=1, keepdims=True)  # (n, 1); padding comes last
    place = np.arange(index.shape[1])
    moved = np.where(place < count, (place + (count + 1) // 2) % np.maximum(count, 1), place)
    return np.take_along_axis(index, moved, axis=1)


@dataclass(frozen=True)
class LevelsSettings(MaskedSettings):
    """Which places are the context and which are hidden, and how many levels of groups are predicted."""

    usual: ClassVar[Mapping[str, str]] = {"encoder": "vit", "projector": "none", "predictor": "levels"}
    levels: int = setting(3, LEVELS)
    """levels, 2 to 4"""
    weights: tuple[float, ...] = setting((1.0, 0.5, 0.25), each(between(0, 1_000_000)))
    """weight of each level's loss, finest first"""

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        if self.contexts > 1:
            yield f"contexts={self.contexts}: must be 1; levels are predicted from one context"
        if len(self.weights) != self.levels:
            yield f"weights={list(self.weights)}: needs one weight for each of levels={self.levels}"


class Levels(Masked):
    """What is asked for is the union of the masks' targets, place by place and in groups.

    >>> from jepa.tasks import generators
    >>> batch = Levels(levels=2, weights=(1, 0.5)).ask(np.ones((5, 3, 32, 32), np.float32), (8, 8), generators(5))
    >>> [x.shape[2] for x in batch.asked.of(mt.ones((5, 1, 64, 16)))]
    [16, 16]
    """

    Settings = LevelsSettings
    asks = Groups
    apart = False  # groups are padded to the longest of a batch

    def check(self, shape: tuple[int, ...], grid: Grid) -> None:
        super().check(shape, grid)
        levels, side = self.settings.levels, 2 ** (self.settings.levels - 1)
        if side > max(grid):
            raise ConfigError(
                f"task.levels={levels} groups {side} places along each axis, of an encoder's grid of "
                f"{by_x(grid)}: fewer levels, or a finer grid (a smaller encoder.patch)"
            )

    def asked(self, masks: Masks, grid: Grid) -> "Groups":
        s, count = self.settings, int(np.prod(grid))
        flags: Any = masks.target_valid or [None] * len(masks.target)
        sets = [to_binary(target, count, valid) for target, valid in zip(masks.target, flags, strict=True)]
        hidden = np.logical_or.reduce(sets)
        wanted = [from_binary(groups(grid, level).hidden(hidden)) for level in range(s.levels)]
        index, valid = map(list, zip(*wanted, strict=True))
        return Groups(grid, hidden, index, valid, s.weights)
