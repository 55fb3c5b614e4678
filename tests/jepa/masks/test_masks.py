from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jepa.errors import ConfigError
from jepa.masks import Masks, MultiBlockMasks, RandomMasks, TubeMasks, from_binary, to_binary

GOLDEN = np.load(Path(__file__).parents[2] / "data" / "ijepa-golden.npz")
GRIDS = [(8, 8), (6, 11), (14, 14)]


class Recorded:
    """Gives recorded draws out in order; checks that they can be what is asked for."""

    def __init__(self, draws: Any) -> None:
        self.draws: Iterator[float] = iter(draws.tolist())

    def random(self) -> float:
        value = next(self.draws)
        assert 0 <= value < 1
        return value

    def integers(self, low: int, high: int) -> int:
        value = next(self.draws)
        assert value == int(value) and low <= value < high
        return int(value)


@pytest.mark.parametrize("name", ["masks", "masks_retry", "masks_drop"])
def test_the_official_draws_give_the_official_masks(name: str) -> None:
    h, w, c0, c1, t0, t1, a0, a1, contexts, targets, min_keep, count = GOLDEN[f"{name}.settings"].tolist()
    sampler = MultiBlockMasks(
        context_scale=(c0, c1), target_scale=(t0, t1), target_aspect=(a0, a1), contexts=int(contexts),
        targets=int(targets), min_keep=int(min_keep), compat="ijepa",
    )  # fmt: skip
    recorded = Recorded(GOLDEN[f"{name}.draws"])
    masks = sampler.sample((int(h), int(w)), int(count), recorded)  # type: ignore[arg-type]
    assert next(recorded.draws, None) is None  # all of them, no more and no less
    assert len(masks.context) == contexts and len(masks.target) == targets
    for side, found in (("context", masks.context), ("target", masks.target)):
        for k, mask in enumerate(found):
            assert np.array_equal(mask, GOLDEN[f"{name}.{side}.{k}"])


def test_the_official_blocks_never_reach_the_last_row_and_column() -> None:
    kept = np.zeros((8, 8))
    for seed in range(30):
        masks = MultiBlockMasks(compat="ijepa").sample((8, 8), 8, np.random.default_rng(seed))
        for mask in (*masks.context, *masks.target):
            np.add.at(kept.reshape(-1), mask.reshape(-1), 1)
    assert not kept[7].any() and not kept[:, 7].any() and kept[:7, :7].all()


def ones(mask: Any, grid: tuple[int, int]) -> Any:
    return to_binary(mask, grid[0] * grid[1]).reshape(-1, *grid)


@pytest.mark.parametrize("grid", GRIDS)
def test_coverage_is_that_of_blocks_placed_uniformly(grid: tuple[int, int]) -> None:
    """P(row r) = tops of a block of height h that cover r, of all H - h + 1; the same for columns; both independent."""
    sampler = MultiBlockMasks(target_scale=(0.2, 0.2), target_aspect=(1, 1), targets=1)
    masks = sampler.sample(grid, 6000, np.random.default_rng(0))
    found = ones(masks.target[0], grid).mean(axis=0)
    block = ones(masks.target[0][:1], grid)[0]
    h, w = int(block.any(axis=1).sum()), int(block.any(axis=0).sum())

    def covered(length: int, size: int) -> Any:
        tops = np.arange(length - size + 1)
        return np.array([np.mean((tops <= r) & (r < tops + size)) for r in range(length)])

    expected = np.outer(covered(grid[0], h), covered(grid[1], w))
    error = np.sqrt(expected * (1 - expected) / 6000)  # the standard error of a share of 6000
    assert np.abs(found - expected).max() < 4.5 * error.max()  # 196 places: 4.5 is beyond chance
    assert (found > 0).all() and (expected == expected[::-1, ::-1]).all()


@pytest.mark.parametrize("collate", ["subset", "pad"])
def test_contexts_cover_all_of_the_grid_alike(collate: Any) -> None:
    kept = np.zeros((8, 8))
    for seed in range(150):
        m = MultiBlockMasks(collate=collate).sample((8, 8), 16, np.random.default_rng(seed))
        kept += to_binary(m.context[0], 64, m.context_valid and m.context_valid[0]).reshape(-1, 8, 8).sum(axis=0)
    rows = kept.sum(axis=1)
    assert (kept > 0).all()
    for turned in (kept[::-1], kept[:, ::-1], kept[::-1, ::-1]):  # whichever way it is turned
        assert np.abs(turned - kept).max() < 0.2 * kept.mean()
    assert rows.min() > 0.5 * rows.max()
    raster = np.zeros((8, 8))
    for seed in range(150):
        m = MultiBlockMasks(collate="raster").sample((8, 8), 16, np.random.default_rng(seed))
        raster += ones(m.context[0], (8, 8)).sum(axis=0)
    assert raster[7].sum() < 0.35 * raster[0].sum()  # what cutting off in raster order does


@pytest.mark.parametrize("grid", [(4, 4), *GRIDS])
@pytest.mark.parametrize("settings", [{}, {"contexts": 2, "targets": 2}, {"sizes": "sample", "collate": "pad"}])
def test_contexts_and_targets_share_nothing(grid: tuple[int, int], settings: dict[str, Any]) -> None:
    sampler = MultiBlockMasks(min_keep=3, **settings)
    for seed in range(20):
        m = sampler.sample(grid, 8, np.random.default_rng(seed))
        patches = grid[0] * grid[1]
        masks = [*m.context, *m.target]
        flags = [*m.context_valid, *m.target_valid] if m.context_valid and m.target_valid else [None] * len(masks)
        sets = [to_binary(mask, patches, valid) for mask, valid in zip(masks, flags, strict=True)]
        for c in sets[: len(m.context)]:
            assert (c.sum(axis=1) >= 3).all() and not any((c & t).any() for t in sets[len(m.context) :])
        for mask, valid in zip(masks, flags, strict=True):
            steps = np.diff(mask, axis=1) > 0
            assert (steps if valid is None else steps | ~valid[:, 1:]).all()  # ascending, none twice
    assert len(m.context) == sampler.contexts and len(m.target) == sampler.targets


def test_overlap_lets_a_context_contain_targets() -> None:
    m = MultiBlockMasks(overlap=True, context_scale=(1, 1)).sample((8, 8), 4, np.random.default_rng(0))
    assert m.context[0].shape == (4, 64)


def test_each_image_has_places_of_its_own_and_sizes_if_asked() -> None:
    m = MultiBlockMasks(collate="pad", sizes="sample", target_scale=(0.1, 0.5)).sample(
        (8, 8), 30, np.random.default_rng(0)
    )
    assert m.target_valid is not None
    assert len({v.sum() for v in m.target_valid[0]}) > 4
    together = MultiBlockMasks(target_scale=(0.1, 0.5)).sample((8, 8), 30, np.random.default_rng(0))
    assert len({tuple(row) for row in together.target[0]}) > 10  # one size, many places


def same(a: Masks, b: Masks) -> bool:
    pairs = zip((*a.context, *a.target), (*b.context, *b.target), strict=True)
    return all(np.array_equal(x, y) for x, y in pairs)


@pytest.mark.parametrize("sampler", [MultiBlockMasks(), MultiBlockMasks(compat="ijepa"), RandomMasks()])
def test_the_same_seed_gives_the_same_masks(sampler: Any) -> None:
    first, again, other = (sampler.sample((8, 8), 5, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert same(first, again) and not same(first, other)


def test_random_masks_part_the_patches() -> None:
    m = RandomMasks(ratio=(0.2, 0.8)).sample((7, 9), 5, np.random.default_rng(0))
    both = np.sort(np.concatenate([m.context[0], m.target[0]], axis=1), axis=1)
    assert np.array_equal(both, np.tile(np.arange(63), (5, 1)))
    many = RandomMasks(ratio=(0.5, 0.5)).sample((8, 8), 4000, np.random.default_rng(0))
    assert np.abs(ones(many.target[0], (8, 8)).mean(axis=0) - 0.5).max() < 4.5 * np.sqrt(0.25 / 4000)


@pytest.mark.parametrize(
    ("sampler", "start", "end"),
    [
        (RandomMasks(ratio=(0.25, 0.25), ratio_end=(0.75, 0.75)), 16, 48),
        (MultiBlockMasks(target_scale=(0.0625, 0.0625), target_scale_end=(0.25, 0.25), target_aspect=(1, 1)), 4, 16),
    ],
)
def test_the_curriculum_moves_from_its_start_to_its_end(sampler: Any, start: int, end: int) -> None:
    sizes = [sampler.at(t).sample((8, 8), 4, np.random.default_rng(0)).target[0].shape[1] for t in (0, 0.5, 1, 2)]
    assert sizes[0] == start and start < sizes[1] < end and sizes[2:] == [end, end]
    assert sampler.values(1.0) and not sampler.at(0.5).values(0.5)


def test_tubes_are_hidden_in_every_frame() -> None:
    m = TubeMasks(blocks=3, scale=(0.15, 0.15)).sample((4, 8, 8), 6, np.random.default_rng(0))
    seen = to_binary(m.context[0], 256).reshape(6, 4, 64).any(axis=1)
    hidden = to_binary(m.target[0], 256).reshape(6, 4, 64).any(axis=1)
    assert not (seen & hidden).any()  # a place is hidden in all frames, or in none
    assert 0 < hidden.sum() and m.target[0].max() >= 192  # the last frame too


def test_there_and_back_again() -> None:
    mask = np.random.default_rng(0).random((5, 20)) < 0.4
    indices, valid = from_binary(mask)
    assert np.array_equal(to_binary(indices, 20, valid), mask) and (valid.sum(axis=1) == mask.sum(axis=1)).all()


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: MultiBlockMasks(target_scale=(0.5, 0.2)), r"target_scale=\(0.5, 0.2\) must be \(smallest, largest\)"),
        (lambda: MultiBlockMasks(targets=0), "targets=0, min_keep=4: each must be at least 1"),
        (lambda: MultiBlockMasks(compat="vjepa"), "compat is '' or 'ijepa'; got 'vjepa'"),  # type: ignore[arg-type]
        (lambda: MultiBlockMasks(collate="cut"), "collate is one of .* got 'cut'"),  # type: ignore[arg-type]
        (
            lambda: MultiBlockMasks(target_scale=(1, 1)).sample((8, 8), 2, np.random.default_rng(0)),
            "leave less than min_keep=4 patches of a grid of 8 x 8 to a context, wherever the blocks lie",
        ),
        (lambda: RandomMasks().sample((1, 1), 2, np.random.default_rng(0)), "a grid of 1 x 1 patches has nothing"),
        (
            lambda: TubeMasks(scale=(1, 1)).sample((2, 4, 4), 2, np.random.default_rng(0)),
            r"8 blocks of scale=\(1, 1\) hide all of a frame of 4 x 4",
        ),
    ],
)
def test_settings_that_leave_nothing(make: Any, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        make()
