import itertools
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
        ((6, 11), {"contexts": 2, "targets": 3, "target_scale": (0.1, 0.3), "target_aspect": (0.3, 3.0)}),
        ((14, 14), {"contexts": 1, "min_keep": 10}),
        ((8, 8), {"min_keep": 11}),  # often exactly 11 are left, which is not enough
        ((5, 16), {"contexts": 3, "context_scale": (0.3, 0.6), "overlap": True, "min_keep": 0}),
        ((8, 8), {"contexts": 2, "target_scale": (0.4, 0.5), "min_keep": 18}),
    ],
)
def test_official_masks_follow_from_their_draws(grid: tuple[int, int], settings: dict[str, Any]) -> None:
    """The rules of the official code, said once more from the side of the draws: sizes, then pairs of top and left."""
    sampler, recorder, images = MultiBlockMasks(compat="ijepa", **settings), Recorder(0), 40
    masks = sampler.sample(grid, images, recorder)  # type: ignore[arg-type]
    draws: Iterator[float] = iter(recorder.draws)

    def size(scale: tuple[float, float], aspect: tuple[float, float]) -> tuple[int, int]:
        u = next(draws)
        area = int(grid[0] * grid[1] * (scale[0] + u * (scale[1] - scale[0])))
        ratio = aspect[0] + u * (aspect[1] - aspect[0])  # the same u
        return min(round((area * ratio) ** 0.5), grid[0] - 1), min(round((area / ratio) ** 0.5), grid[1] - 1)

    def patches(shape: tuple[int, int]) -> set[int]:
        top, left = int(next(draws)), int(next(draws))
        return {r * grid[1] + c for r in range(top, top + shape[0]) for c in range(left, left + shape[1])}

    target, context = size(sampler.target_scale, sampler.target_aspect), size(sampler.context_scale, (1.0, 1.0))
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
    for compat in ("ijepa", ""):
        sampler = MultiBlockMasks(compat=compat, **settings)  # type: ignore[arg-type]
        shared[compat] = 0
        for seed in range(20):
            m = sampler.sample((8, 8), 8, np.random.default_rng(seed))
            shared[compat] += sum(int((to_binary(m.context[0], 64) & to_binary(t, 64)).sum()) for t in m.target)
    assert shared["ijepa"] > 0 == shared[""]


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
    assert (found > 0).all() and np.allclose(expected, expected[::-1, ::-1])
    for turned in (found[::-1], found[:, ::-1]):  # a difference of two such shares has √2 times the error
        assert np.abs(found - turned).max() < 4.5 * np.sqrt(2) * error.max()


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


def test_min_keep_is_kept_where_few_draws_leave_so_much() -> None:
    sampler = MultiBlockMasks(target_scale=(0.25, 0.35), min_keep=30)  # usually 4 such blocks leave less than 30 of 64
    for seed in range(5):
        m = sampler.sample((8, 8), 8, np.random.default_rng(seed))
        assert m.context[0].shape[1] >= 30
        assert not any((to_binary(m.context[0], 64) & to_binary(t, 64)).any() for t in m.target)
    sometimes = MultiBlockMasks(target_scale=(0.5, 1.0), targets=1)  # some of these sizes leave nothing
    for seed in range(30):
        assert sometimes.sample((8, 8), 2, np.random.default_rng(seed)).context[0].shape[1] >= 4


def test_a_block_may_be_the_whole_grid() -> None:
    m = MultiBlockMasks(target_scale=(1, 1), overlap=True).sample((4, 6), 3, np.random.default_rng(0))
    assert all(np.array_equal(t, np.tile(np.arange(24), (3, 1))) for t in m.target)


def test_scale_and_aspect_are_drawn_apart() -> None:
    sampler, heights, areas = MultiBlockMasks(target_scale=(0.1, 0.4), target_aspect=(0.25, 4), targets=1), [], []
    for seed in range(300):
        block = ones(sampler.sample((16, 16), 1, np.random.default_rng(seed)).target[0], (16, 16))[0]
        heights.append(block.any(axis=1).sum() / block.any(axis=0).sum())
        areas.append(block.sum())
    # a correlation of 300 independent pairs has a standard error of 1 / √300 = 0.058; the official code's is 1
    assert abs(np.corrcoef(np.log(heights), areas)[0, 1]) < 0.23
    assert min(heights) < 0.4 and max(heights) > 2.5


def test_padding_is_all_at_the_end_and_nothing_is_lost() -> None:
    sampler = MultiBlockMasks(collate="pad", sizes="sample")
    m = sampler.sample((8, 8), 12, np.random.default_rng(0))
    assert m.context_valid is not None and m.target_valid is not None
    for mask, valid in zip((*m.context, *m.target), (*m.context_valid, *m.target_valid), strict=True):
        assert mask.shape == valid.shape and not mask[~valid].any()
        assert (np.diff(valid.astype(int), axis=1) <= 0).all() and (valid.sum(axis=1) >= 4).all()
    for t, v in zip(m.target, m.target_valid, strict=True):  # each one still a full rectangle
        for block in to_binary(t, 64, v).reshape(-1, 8, 8):
            assert block.sum() == block.any(axis=1).sum() * block.any(axis=0).sum()
    assert m.context_valid[0].sum(axis=1).max() == m.context[0].shape[1]  # no wider than the longest


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


def test_the_curriculum_runs_through_the_batches_of_a_run() -> None:
    sampler = RandomMasks(ratio=(0.25, 0.25), ratio_end=(0.75, 0.75))
    g, steps = np.random.default_rng(0), 11
    sizes = [sampler.at(step / (steps - 1)).sample((8, 8), 4, g).target[0].shape[1] for step in range(steps)]
    assert sizes[0] == 16 and sizes[-1] == 48 and np.allclose(np.diff(sizes), 3.2, atol=1)  # 1: whole patches


@pytest.mark.parametrize("collate", ["subset", "raster", "pad"])
def test_tubes_come_in_every_kind_of_array(collate: Any) -> None:
    m = TubeMasks(blocks=2, scale=(0.4, 0.4), collate=collate).sample((3, 6, 7), 5, np.random.default_rng(0))
    seen = to_binary(m.context[0], 126, m.context_valid and m.context_valid[0])
    hidden = to_binary(m.target[0], 126, m.target_valid and m.target_valid[0])
    assert not (seen & hidden).any() and seen.any(axis=1).all()
    if collate == "pad":  # all of the tube, then, and all of the rest
        assert (seen | hidden).all() and (hidden.reshape(5, 3, 42) == hidden.reshape(5, 3, 42)[:, :1]).all()


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
    assert from_binary(np.zeros((2, 3)))[0].shape == (2, 0)
    with pytest.raises(IndexError):
        to_binary(np.array([[0, 20]]), 20)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: MultiBlockMasks(target_scale=(0.5, 0.2)), r"target_scale=\(0.5, 0.2\) must be \(smallest, largest\)"),
        (lambda: MultiBlockMasks(targets=0), "targets=0, min_keep=4: each must be at least 1"),
        (lambda: MultiBlockMasks(compat="vjepa"), "compat is '' or 'ijepa'; got 'vjepa'"),  # type: ignore[arg-type]
        (lambda: MultiBlockMasks(compat="ijepa", sizes="sample"), "one size in a batch and pads nothing; got sizes='s"),
        (
            lambda: MultiBlockMasks(compat="ijepa", min_keep=12).sample((8, 8), 2, np.random.default_rng(0)),
            "never has more than min_keep=12 of them",
        ),
        (lambda: TubeMasks(collate="cut"), "TubeMasks: collate is one of"),  # type: ignore[arg-type]
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
