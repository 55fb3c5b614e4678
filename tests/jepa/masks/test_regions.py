"""Regions of images: inside the image, as large and as overlapping as asked, and seeded."""

import numpy as np
import pytest

from jepa.masks import Box, crop_regions, hidden_blocks, regions
from jepa.masks.box import filled
from jepa.masks.regions import VISIBLE
from jepa.tasks.crops import CropsSettings

SIZES = [(32, 32), (24, 60), (7, 5), (96, 96)]


def crops(**settings):
    return CropsSettings(**settings)


def blocks(target_scale=(0.15, 0.2), aspect=(0.75, 1.5), targets=4):
    return CropsSettings(regions="blocks", target_scale=target_scale, aspect=aspect, targets=targets)


def draws(settings, size, count=200, seed=0):
    generator = np.random.default_rng(seed)
    drawn = crop_regions if settings.regions == "crops" else hidden_blocks
    return [drawn(settings, *size, generator) for _ in range(count)]


def visible(height, width, hidden):
    return height * width - filled((height, width), hidden).sum()


def inside(box, size):
    return (
        box.top >= 0
        and box.left >= 0
        and box.top + box.height <= size[0]
        and box.left + box.width <= size[1]
        and min(box[2:]) > 0
    )


def assert_area(box, scale, size):
    slack = max(box.height, box.width) / 2
    assert scale[0] * size[0] * size[1] - slack <= box.area <= scale[1] * size[0] * size[1] + slack


SAMPLERS = [
    crops(),
    crops(context_scale=(0.5, 0.8), target_scale=(0.1, 0.2), targets=4),
    crops(context_scale=(0.2, 0.4), target_scale=(0.1, 0.2), overlap=(0.0, 0.3), targets=2),
    blocks(),
    blocks(target_scale=(0.05, 0.4), targets=2),
]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("sampler", SAMPLERS, ids=str)
def test_boxes_lie_inside_and_have_the_asked_area(sampler, size):
    for drawn in draws(sampler, size):
        assert len(drawn.targets) == sampler.targets
        for box in (drawn.context, *drawn.targets):
            assert inside(box, size)
        for target in drawn.targets:
            assert_area(target, sampler.target_scale, size)
        if sampler.regions == "crops":
            assert_area(drawn.context, sampler.context_scale, size)
            assert not drawn.hidden
        else:
            assert drawn.context == Box(0, 0, *size) and drawn.hidden
            assert visible(*size, drawn.targets) >= VISIBLE * size[0] * size[1]


@pytest.mark.parametrize("sampler", SAMPLERS, ids=str)
def test_the_seed_decides(sampler):
    assert (
        draws(sampler, (32, 32), 20, seed=1)
        == draws(sampler, (32, 32), 20, seed=1)
        != draws(sampler, (32, 32), 20, seed=2)
    )


def test_areas_and_aspects_fill_their_range():
    sampler = crops(context_scale=(0.2, 0.6), aspect=(0.5, 2.0))
    contexts = [r.context for r in draws(sampler, (200, 200), 2000)]
    share = np.array([box.area for box in contexts]) / 40000
    assert abs(np.histogram(share, 4, (0.2, 0.6))[0] / 500 - 1).max() < 0.2, "uniform"
    turn = np.log2([box.width / box.height for box in contexts])
    assert abs(np.histogram(turn, 4, (-1.0, 1.0))[0] / 500 - 1).max() < 0.2, "as often wide as high"


@pytest.mark.parametrize("sampler", [crops(target_scale=(0.1, 0.3)), blocks(targets=1)], ids=str)
def test_targets_reach_every_pixel_alike_in_mirrored_places(sampler):
    cover = np.zeros((16, 16))
    for drawn in draws(sampler, (16, 16), 4000):
        for box in drawn.targets:
            cover[box.top : box.top + box.height, box.left : box.left + box.width] += 1
    assert cover.min() > 0
    for other in (
        cover[::-1],
        cover[:, ::-1],
        cover.T if sampler.aspect[0] * sampler.aspect[1] == 1 else cover[::-1, ::-1],
    ):
        assert abs(cover.sum(0) - other.sum(0)).max() / cover.sum(0).min() < 0.25
    assert cover[-1].sum() == pytest.approx(cover[0].sum(), rel=0.2)
    assert cover[:, -1].sum() == pytest.approx(cover[:, 0].sum(), rel=0.2)


def test_of_blocks_that_hide_too_much_the_best_draw_is_taken(monkeypatch):
    greedy = blocks(target_scale=(0.7, 0.9), targets=2)
    chosen = [visible(32, 32, r.targets) for r in draws(greedy, (32, 32))]
    monkeypatch.setitem(regions.TRIES, "blocks", 1)
    first = [visible(32, 32, r.targets) for r in draws(greedy, (32, 32))]
    assert min(chosen) > 5 * min(first) and np.mean(chosen) > 1.25 * np.mean(first)


@pytest.mark.parametrize("overlap", [(0.0, 0.0), (0.0, 0.3), (0.4, 0.6), (0.9, 1.0), (1.0, 1.0)])
def test_overlap_is_respected_where_it_can_be(overlap):
    sampler = crops(context_scale=(0.3, 0.5), target_scale=(0.05, 0.15), overlap=overlap, targets=2)
    for drawn in draws(sampler, (40, 40)):
        for target in drawn.targets:
            assert overlap[0] - 1e-9 <= target.overlap(drawn.context) / target.area <= overlap[1] + 1e-9


def test_an_overlap_that_cannot_be_is_met_as_nearly_as_possible():
    sampler = crops(context_scale=(0.7, 0.7), target_scale=(0.7, 0.7), aspect=(1, 1), overlap=(0, 0))
    for drawn in draws(sampler, (30, 30), 50):
        context, target = drawn.context, drawn.targets[0]
        best = min(
            context.overlap(Box(top, left, *target[2:]))
            for top in range(31 - target.height)
            for left in range(31 - target.width)
        )
        assert target.overlap(context) == best > 0


def test_places_are_uniform_among_those_that_overlap_as_asked():
    sampler = crops(context_scale=(0.25, 0.25), target_scale=(0.25, 0.25), aspect=(1, 1), overlap=(0.2, 0.8))
    counts: dict[tuple[int, int, int, int], int] = {}
    for drawn in draws(sampler, (8, 8), 20000):
        key = (drawn.context.top, drawn.context.left, *drawn.targets[0][:2])
        counts[key] = counts.get(key, 0) + 1
    for context in ((0, 0), (2, 2), (4, 4)):
        allowed = {
            (top, left)
            for top in range(5)
            for left in range(5)
            if 0.2 <= Box(top, left, 4, 4).overlap(Box(*context, 4, 4)) / 16 <= 0.8
        }
        found = {key[2:]: n for key, n in counts.items() if key[:2] == context}
        assert set(found) == allowed
        expected = sum(found.values()) / len(allowed)
        assert max(abs(n - expected) for n in found.values()) < 5 * np.sqrt(expected)
