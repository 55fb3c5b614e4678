import itertools
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from jepa.masks import Masks, from_binary, multiblock_masks, to_binary
from jepa.tasks.masked import SAMPLERS, MaskedSettings

GOLDEN = np.load(Path(__file__).parents[2] / "data" / "ijepa-golden.npz")
GRIDS = [(8, 8), (6, 11), (14, 14)]


def draw(grid: tuple[int, ...], count: int, seed: int = 0, **settings: Any) -> Masks:
    chosen = MaskedSettings(**settings)
    return SAMPLERS[chosen.masks](chosen, grid, count, np.random.default_rng(seed))


def official(**settings: Any) -> Any:
    """Settings of the official code, which may also keep nothing."""
    return SimpleNamespace(**{**vars(MaskedSettings()), "compat": "ijepa", **settings})


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
    settings = official(
        context_scale=(c0, c1), target_scale=(t0, t1), aspect=(a0, a1), contexts=int(contexts),
        targets=int(targets), min_keep=int(min_keep),
    )  # fmt: skip
    recorded = Recorded(GOLDEN[f"{name}.draws"])
    masks = multiblock_masks(settings, (int(h), int(w)), int(count), recorded)  # type: ignore[arg-type]
    assert next(recorded.draws, None) is None  # all of them, no more and no less
    assert len(masks.context) == contexts and len(masks.target) == targets
    for side, found in (("context", masks.context), ("target", masks.target)):
        for k, mask in enumerate(found):
            assert np.array_equal(mask, GOLDEN[f"{name}.{side}.{k}"])


def test_the_official_blocks_never_reach_the_last_row_and_column() -> None:
    kept = np.zeros((8, 8))
    for seed in range(30):
        masks = draw((8, 8), 8, seed, compat="ijepa")
        for mask in (*masks.context, *masks.target):
            np.add.at(kept.reshape(-1), mask.reshape(-1), 1)
    assert not kept[7].any() and not kept[:, 7].any() and kept[:7, :7].all()


class Recorder:
    """A generator that notes its draws, and has no other method than those two."""

    def __init__(self, seed: int) -> None:
        self.generator, self.draws = np.random.default_rng(seed), []  # type: ignore[var-annotated]

    def random(self) -> float:
        self.draws.append(float(self.generator.random()))
        return float(self.draws[-1])

    def integers(self, low: int, high: int) -> int:
        self.draws.append(int(self.generator.integers(low, high)))
        return int(self.draws[-1])


@pytest.mark.parametrize(
    ("grid", "settings"),
    [
        ((6, 11), {"contexts": 2, "targets": 3, "target_scale": (0.1, 0.3), "aspect": (0.3, 3.0)}),
        ((14, 14), {"contexts": 1, "min_keep": 10}),
        ((8, 8), {"min_keep": 11}),  # often exactly 11 are left, which is not enough
        ((5, 16), {"contexts": 3, "context_scale": (0.3, 0.6), "overlap": True, "min_keep": 0}),
        ((8, 8), {"contexts": 2, "target_scale": (0.4, 0.5), "min_keep": 18}),
    ],
)
def test_official_masks_follow_from_their_draws(grid: tuple[int, int], settings: dict[str, Any]) -> None:
    """The rules of the official code, said once more from the side of the draws: sizes, then pairs of top and left."""
    sampler, recorder, images = official(**settings), Recorder(0), 40
    masks = multiblock_masks(sampler, grid, images, recorder)  # type: ignore[arg-type]
    draws: Iterator[float] = iter(recorder.draws)

    def size(scale: tuple[float, float], aspect: tuple[float, float]) -> tuple[int, int]:
        u = next(draws)
        area = int(grid[0] * grid[1] * (scale[0] + u * (scale[1] - scale[0])))
        ratio = aspect[0] + u * (aspect[1] - aspect[0])  # the same u
        return min(round((area * ratio) ** 0.5), grid[0] - 1), min(round((area / ratio) ** 0.5), grid[1] - 1)

    def patches(shape: tuple[int, int]) -> set[int]:
        top, left = int(next(draws)), int(next(draws))
        return {r * grid[1] + c for r in range(top, top + shape[0]) for c in range(left, left + shape[1])}

    target, context = size(sampler.target_scale, sampler.aspect), size(sampler.context_scale, (1.0, 1.0))
    expected: list[list[list[int]]] = [[] for _ in range(sampler.contexts + sampler.targets)]
    for _ in range(images):
        blocks = [patches(target) for _ in range(sampler.targets)]
        for k in range(sampler.contexts):
            for refused in itertools.count():
                out = blocks[: max(len(blocks) - refused // 20, 0)]
                seen = patches(context).difference(*([] if sampler.overlap else out))
                if len(seen) > sampler.min_keep:
                    break
            expected[k].append(sorted(seen))
        for k, block in enumerate(blocks, start=sampler.contexts):
            expected[k].append(sorted(block))
    assert next(draws, None) is None
    for side, lists in ((masks.context, expected[: sampler.contexts]), (masks.target, expected[sampler.contexts :])):
        shortest = min(len(kept) for mask in lists for kept in mask)
        assert [mask.tolist() for mask in side] == [[kept[:shortest] for kept in mask] for mask in lists]


def test_the_official_code_leaks_where_ours_does_not() -> None:
    settings: dict[str, Any] = {"target_scale": (0.3, 0.4), "min_keep": 10}
    shared = {}
    for compat in ("ijepa", None):
        shared[compat] = 0
        for seed in range(20):
            m = draw((8, 8), 8, seed, compat=compat, **settings)
            shared[compat] += sum(int((to_binary(m.context[0], 64) & to_binary(t, 64)).sum()) for t in m.target)
    assert shared["ijepa"] > 0 == shared[None]


def ones(mask: Any, grid: tuple[int, int]) -> Any:
    return to_binary(mask, grid[0] * grid[1]).reshape(-1, *grid)


@pytest.mark.parametrize("grid", GRIDS)
def test_coverage_is_that_of_blocks_placed_uniformly(grid: tuple[int, int]) -> None:
    """P(row r) = tops of a block of height h that cover r, of all H - h + 1; the same for columns; both independent."""
    masks = draw(grid, 6000, target_scale=(0.2, 0.2), aspect=(1, 1), targets=1)
    found = ones(masks.target[0], grid).mean(axis=0)
    block = ones(masks.target[0][:1], grid)[0]
    h, w = int(block.any(axis=1).sum()), int(block.any(axis=0).sum())

    def covered(length: int, size: int) -> Any:
        tops = np.arange(length - size + 1)
        return np.array([np.mean((tops <= r) & (r < tops + size)) for r in range(length)])

    expected = np.outer(covered(grid[0], h), covered(grid[1], w))
    error = np.sqrt(expected * (1 - expected) / 6000)  # the standard error of a share of 6000
    assert np.abs(found - expected).max() < 4.5 * error.max()  # 196 places: 4.5 is beyond chance
    assert (found > 0).all() and np.allclose(expected, expected[::-1, ::-1])
    for turned in (found[::-1], found[:, ::-1]):  # a difference of two such shares has √2 times the error
        assert np.abs(found - turned).max() < 4.5 * np.sqrt(2) * error.max()


@pytest.mark.parametrize("collate", ["subset", "pad"])
def test_contexts_cover_all_of_the_grid_alike(collate: Any) -> None:
    kept = np.zeros((8, 8))
    for seed in range(150):
        m = draw((8, 8), 16, seed, collate=collate)
        kept += to_binary(m.context[0], 64, m.context_valid and m.context_valid[0]).reshape(-1, 8, 8).sum(axis=0)
    rows = kept.sum(axis=1)
    assert (kept > 0).all()
    for turned in (kept[::-1], kept[:, ::-1], kept[::-1, ::-1]):  # whichever way it is turned
        assert np.abs(turned - kept).max() < 0.2 * kept.mean()
    assert rows.min() > 0.5 * rows.max()
    raster = np.zeros((8, 8))
    for seed in range(150):
        m = draw((8, 8), 16, seed, collate="raster")
        raster += ones(m.context[0], (8, 8)).sum(axis=0)
    assert raster[7].sum() < 0.35 * raster[0].sum()  # what cutting off in raster order does


@pytest.mark.parametrize("grid", [(4, 4), *GRIDS])
@pytest.mark.parametrize("settings", [{}, {"contexts": 2, "targets": 2}, {"sizes": "sample", "collate": "pad"}])
def test_contexts_and_targets_share_nothing(grid: tuple[int, int], settings: dict[str, Any]) -> None:
    for seed in range(20):
        m = draw(grid, 8, seed, min_keep=3, **settings)
        patches = grid[0] * grid[1]
        masks = [*m.context, *m.target]
        flags = [*m.context_valid, *m.target_valid] if m.context_valid and m.target_valid else [None] * len(masks)
        sets = [to_binary(mask, patches, valid) for mask, valid in zip(masks, flags, strict=True)]
        for c in sets[: len(m.context)]:
            assert (c.sum(axis=1) >= 3).all() and not any((c & t).any() for t in sets[len(m.context) :])
        for mask, valid in zip(masks, flags, strict=True):
            steps = np.diff(mask, axis=1) > 0
            assert (steps if valid is None else steps | ~valid[:, 1:]).all()  # ascending, none twice
    assert len(m.context) == settings.get("contexts", 1) and len(m.target) == settings.get("targets", 4)


def test_min_keep_is_kept_where_few_draws_leave_so_much() -> None:
    for seed in range(5):
        m = draw((8, 8), 8, seed, target_scale=(0.25, 0.35), min_keep=30)  # 4 such blocks usually leave less of 64
        assert m.context[0].shape[1] >= 30
        assert not any((to_binary(m.context[0], 64) & to_binary(t, 64)).any() for t in m.target)
    for seed in range(30):  # some of these sizes leave nothing
        assert draw((8, 8), 2, seed, target_scale=(0.5, 1.0), targets=1).context[0].shape[1] >= 4


def test_a_block_may_be_the_whole_grid() -> None:
    m = draw((4, 6), 3, target_scale=(1, 1), overlap=True)
    assert all(np.array_equal(t, np.tile(np.arange(24), (3, 1))) for t in m.target)


def test_scale_and_aspect_are_drawn_apart() -> None:
    settings: dict[str, Any] = {"target_scale": (0.1, 0.4), "aspect": (0.25, 4), "targets": 1}
    heights, areas = [], []
    for seed in range(300):
        block = ones(draw((16, 16), 1, seed, **settings).target[0], (16, 16))[0]
        heights.append(block.any(axis=1).sum() / block.any(axis=0).sum())
        areas.append(block.sum())
    # a correlation of 300 independent pairs has a standard error of 1 / √300 = 0.058; the official code's is 1
    assert abs(np.corrcoef(np.log(heights), areas)[0, 1]) < 0.23
    assert min(heights) < 0.4 and max(heights) > 2.5


def test_padding_is_all_at_the_end_and_nothing_is_lost() -> None:
    m = draw((8, 8), 12, collate="pad", sizes="sample")
    assert m.context_valid is not None and m.target_valid is not None
    for mask, valid in zip((*m.context, *m.target), (*m.context_valid, *m.target_valid), strict=True):
        assert mask.shape == valid.shape and not mask[~valid].any()
        assert (np.diff(valid.astype(int), axis=1) <= 0).all() and (valid.sum(axis=1) >= 4).all()
    for t, v in zip(m.target, m.target_valid, strict=True):  # each one still a full rectangle
        for block in to_binary(t, 64, v).reshape(-1, 8, 8):
            assert block.sum() == block.any(axis=1).sum() * block.any(axis=0).sum()
    assert m.context_valid[0].sum(axis=1).max() == m.context[0].shape[1]  # no wider than the longest


def test_overlap_lets_a_context_contain_targets() -> None:
    m = draw((8, 8), 4, overlap=True, context_scale=(1, 1))
    assert m.context[0].shape == (4, 64)


def test_each_image_has_places_of_its_own_and_sizes_if_asked() -> None:
    m = draw((8, 8), 30, collate="pad", sizes="sample", target_scale=(0.1, 0.5))
    assert m.target_valid is not None
    assert len({v.sum() for v in m.target_valid[0]}) > 4
    together = draw((8, 8), 30, target_scale=(0.1, 0.5))
    assert len({tuple(row) for row in together.target[0]}) > 10  # one size, many places


def same(a: Masks, b: Masks) -> bool:
    pairs = zip((*a.context, *a.target), (*b.context, *b.target), strict=True)
    return all(np.array_equal(x, y) for x, y in pairs)


@pytest.mark.parametrize("settings", [{}, {"compat": "ijepa"}, {"masks": "random"}, {"masks": "tubes"}])
def test_the_same_seed_gives_the_same_masks(settings: dict[str, Any]) -> None:
    first, again, other = (draw((8, 8), 5, seed, **settings) for seed in (3, 3, 4))
    assert same(first, again) and not same(first, other)


def test_random_masks_part_the_patches() -> None:
    m = draw((7, 9), 5, masks="random", ratio=(0.2, 0.8))
    both = np.sort(np.concatenate([m.context[0], m.target[0]], axis=1), axis=1)
    assert np.array_equal(both, np.tile(np.arange(63), (5, 1)))
    many = draw((8, 8), 4000, masks="random", ratio=(0.5, 0.5))
    assert np.abs(ones(many.target[0], (8, 8)).mean(axis=0) - 0.5).max() < 4.5 * np.sqrt(0.25 / 4000)


@pytest.mark.parametrize("collate", ["subset", "raster", "pad"])
def test_tubes_come_in_every_kind_of_array(collate: Any) -> None:
    m = draw((3, 6, 7), 5, masks="tubes", targets=2, target_scale=(0.4, 0.4), collate=collate)
    seen = to_binary(m.context[0], 126, m.context_valid and m.context_valid[0])
    hidden = to_binary(m.target[0], 126, m.target_valid and m.target_valid[0])
    assert not (seen & hidden).any() and seen.any(axis=1).all()
    if collate == "pad":  # all of the tube, then, and all of the rest
        assert (seen | hidden).all() and (hidden.reshape(5, 3, 42) == hidden.reshape(5, 3, 42)[:, :1]).all()


def test_tubes_are_hidden_in_every_frame() -> None:
    m = draw((4, 8, 8), 6, masks="tubes", targets=3, target_scale=(0.15, 0.15))
    seen = to_binary(m.context[0], 256).reshape(6, 4, 64).any(axis=1)
    hidden = to_binary(m.target[0], 256).reshape(6, 4, 64).any(axis=1)
    assert not (seen & hidden).any()  # a place is hidden in all frames, or in none
    assert 0 < hidden.sum() and m.target[0].max() >= 192  # the last frame too


def test_there_and_back_again() -> None:
    mask = np.random.default_rng(0).random((5, 20)) < 0.4
    indices, valid = from_binary(mask)
    assert np.array_equal(to_binary(indices, 20, valid), mask) and (valid.sum(axis=1) == mask.sum(axis=1)).all()
    assert from_binary(np.zeros((2, 3)))[0].shape == (2, 0)
    with pytest.raises(IndexError):
        to_binary(np.array([[0, 20]]), 20)


def test_random_masks_keep_what_a_context_keeps_at_least() -> None:
    m = draw((4, 4), 3, masks="random", ratio=(0.95, 0.95), min_keep=6)
    assert m.context[0].shape == (3, 6) and m.target[0].shape == (3, 10)


@pytest.mark.parametrize("grid", [(24,), (5, 9), (4, 6, 5)])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"contexts": 2, "collate": "pad", "sizes": "sample"},
        {"collate": "raster"},
        {"masks": "random"},
        {"masks": "tubes"},
    ],
    ids=str,
)
def test_masks_of_any_rank_part_the_grid(grid: tuple[int, ...], settings: dict[str, Any]) -> None:
    places, chosen = int(np.prod(grid)), MaskedSettings(min_keep=3, **settings)
    if chosen.masks == "tubes" and len(grid) == 1:
        pytest.skip("without frames")
    for seed in range(20):
        m = SAMPLERS[chosen.masks](chosen, grid, 5, np.random.default_rng(seed))
        sets = []
        for masks, flags in ((m.context, m.context_valid), (m.target, m.target_valid)):
            sets.append([to_binary(x, places, f) for x, f in zip(masks, flags or [None] * len(masks), strict=True)])
            assert all((np.diff(x, axis=1) > 0).all() for x in masks if not flags)
        for context in sets[0]:
            assert (context.sum(axis=1) >= 3).all()
            assert not any((context & target).any() for target in sets[1])
        assert all(target.any(axis=1).all() for target in sets[1])


@pytest.mark.parametrize("grid", [(24,), (4, 6, 5)])
def test_blocks_of_any_rank_are_boxes_that_reach_every_place(grid: tuple[int, ...]) -> None:
    cover = np.zeros(grid)
    for seed in range(60):
        m = draw(grid, 8, seed, targets=2, target_scale=(0.2, 0.3))
        for target in m.target:
            for block in to_binary(target, cover.size).reshape(-1, *grid):
                cover += block
                sides = [block.any(axis=tuple(b for b in range(len(grid)) if b != a)).sum() for a in range(len(grid))]
                assert np.prod(sides) == block.sum()
    assert (cover > 0).all()
    for axis in range(len(grid)):
        assert np.abs(cover - np.flip(cover, axis)).sum() < 0.2 * cover.sum()  # whichever way it is turned
