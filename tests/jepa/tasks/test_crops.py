"""Crops: pixels come from the regions, changes are drawn apart, what is hidden leaves no trace."""

import numpy as np
import pytest

from jepa.errors import ConfigError
from jepa.masks import Box, geometry
from jepa.tasks import Batches, Crops, generators
from jepa.transforms import Augment, ColorJitter, Compose, ImageChanges, crop_resize
from tests.jepa.tasks.examples import Examples

SOURCE = Examples()
CROPS = {"targets": 2, "overlap": (0.0, 0.8), "context_scale": (0.3, 0.7), "target_scale": (0.1, 0.4)}
BLOCKS = {"regions": "blocks", "targets": 3, "target_scale": (0.15, 0.2), "fill": 0.25}
FLIPS = ImageChanges(vertical_flip=0.2, jitter_p=0, grayscale=0)


class Brighter(Augment):
    def part(self):
        return Compose([ColorJitter(0.8)])


def draw(task, indices=range(20), source=SOURCE):
    return task.draw(*Batches(source, task, (4, 4), batch_size=1, seed=0).inputs(indices))


def test_pixels_come_from_the_regions():
    drawn, flipped = draw(Crops(FLIPS, **CROPS, target_size=16)), 0
    for n, region in enumerate(drawn.regions):
        variants = [np.flip(SOURCE.x[n], axes) for axes in ((), (2,), (1,), (1, 2))]
        assert any(np.array_equal(drawn.images[n], v) for v in variants)
        flipped += not np.array_equal(drawn.images[n], SOURCE.x[n])
        image = drawn.images[n : n + 1]
        np.testing.assert_allclose(drawn.batch.seen[n], crop_resize(image, [region.context], 16)[0], atol=1e-6)
        for t, target in enumerate(region.targets):
            np.testing.assert_allclose(drawn.batch.true[n, t], crop_resize(image, [target], 16)[0], atol=1e-6)
        np.testing.assert_array_equal(drawn.batch.asked.places[n], geometry(region.context, region.targets))
    assert 5 < flipped < 18


def test_a_drawn_batch_is_the_one_that_is_asked():
    task = Crops(ImageChanges(), **CROPS, target_size=8)
    drawn, asked = draw(task, range(40)).batch, task.ask(SOURCE.x[:40], (4, 4), generators(40))
    for a, b in zip(
        (drawn.seen, drawn.true, drawn.asked.places), (asked.seen, asked.true, asked.asked.places), strict=True
    ):
        np.testing.assert_array_equal(a, b)  # in chunks of 32, or at once
    assert asked.seen.shape == (40, 3, 16, 16) and asked.true.shape == (40, 2, 3, 8, 8) and asked.keep is None
    assert asked.asked.places.shape == (40, 2, 4)


def test_colors_of_context_and_targets_are_drawn_apart():
    whole = {"context_scale": (1, 1), "target_scale": (1, 1), "targets": 2, "target_size": 16}
    batch = draw(Crops(Brighter(), **whole), [0]).batch
    assert len({v.tobytes() for v in [batch.seen[0], *batch.true[0]]}) == 3
    plain = draw(Crops(**whole), [0]).batch
    np.testing.assert_array_equal(plain.seen[0], plain.true[0, 0])


def test_blocks_are_hidden_by_the_fill_and_leave_no_trace():
    task = Crops(ImageChanges(flip=0), **BLOCKS)
    drawn = draw(task)
    changed = Examples()
    for i, (region, seen) in enumerate(zip(drawn.regions, drawn.batch.seen, strict=True)):
        assert region.context == Box(0, 0, 16, 16)
        for top, left, h, w in region.targets:
            assert (seen[:, top : top + h, left : left + w] == np.float32(0.25)).all()
            changed.x[i, :, top : top + h, left : left + w] = 0
    after = draw(task, source=changed)
    np.testing.assert_array_equal(after.batch.seen, drawn.batch.seen)
    assert not np.array_equal(after.batch.true, drawn.batch.true)


def test_images_need_not_be_square():
    source = Examples((1, 12, 20), 6)
    for settings in (CROPS, BLOCKS):
        drawn = draw(Crops(**settings, target_size=8), range(6), source)
        assert drawn.batch.seen.shape == (6, 1, 12, 20) and drawn.batch.true.shape[2:] == (1, 8, 8)


def test_the_held_out_question_is_another_image_s():
    asked = draw(Crops(**CROPS)).batch.asked
    np.testing.assert_array_equal(asked.rolled().places, np.roll(asked.places, 1, axis=0))
    assert asked.sizes == (2,) and asked.level_weights == () and asked.valid == [None]


@pytest.mark.parametrize("shape", [(3,), (6, 128), (3, 4, 16, 16)])
def test_what_is_no_image_is_refused(shape):
    with pytest.raises(ConfigError, match=r"task=crops cuts images .*: see masked, views"):
        Crops().check(shape, (4,))


@pytest.mark.parametrize(
    "settings, said",
    [
        ({"context_scale": (0.5, 0.2)}, "context_scale=.*must be .smallest, largest."),
        ({"target_scale": (0.0, 0.2)}, "target_scale"),
        ({"target_scale": (0.5, 1.2)}, "target_scale"),
        ({"target_scale_end": (0.5, 1.2)}, "target_scale_end"),
        ({"aspect": (0, 1)}, "aspect"),
        ({"overlap": (-0.1, 1)}, "overlap"),
        ({"overlap_end": (0.7, 0.1)}, "overlap_end"),
        ({"targets": 0}, "targets"),
        ({"target_size": 2}, "target_size"),
        ({"overlap": (0, 0.5), "context_scale": (1, 1)}, "a context of the whole image contains every target"),
        ({"overlap": (1, 1), "target_scale": (0.9, 1), "context_scale": (0.3, 0.5)}, "does not fit into a context"),
        ({"regions": "blocks"}, "target_scale=.* a block hides at most 0.9 of the image"),
        ({"regions": "blocks", "target_scale": (0.5, 1.0)}, "target_scale"),
        ({**BLOCKS, "target_scale_end": (0.5, 1.0)}, "target_scale_end"),
        ({**BLOCKS, "targets": 0}, "targets"),
        ({**BLOCKS, "fill": 2.0}, "fill"),
        ({"fill": 0.2}, "fill=0.2: counts with regions=blocks alone; got regions=crops"),
        ({**BLOCKS, "overlap": (0, 0.5)}, r"overlap=\[0, 0.5\]: counts with regions=crops alone; got regions=blocks"),
        ({**BLOCKS, "context_scale_end": (0.2, 0.5)}, "context_scale_end=.*: counts with regions=crops alone"),
    ],
)
def test_impossible_settings_are_named(settings, said):
    with pytest.raises(ConfigError, match=f"CropsSettings: .*{said}"):
        Crops(**settings)


CURRICULUM = Crops(context_scale=(0.5, 1.0), context_scale_end=(0.3, 0.6), overlap=(0.0, 1.0), overlap_end=(0.0, 0.2))


def test_the_curriculum_goes_from_start_to_end():
    start, middle, end = (CURRICULUM.at(p).settings for p in (0.0, 0.5, 1.0))
    assert (start.context_scale, start.overlap) == ((0.5, 1.0), (0.0, 1.0))
    assert middle.context_scale == pytest.approx((0.4, 0.8)) and middle.overlap == pytest.approx((0.0, 0.6))
    assert (end.context_scale, end.overlap) == ((0.3, 0.6), (0.0, 0.2))
    for s in (start, middle, end):
        assert s.target_scale == CURRICULUM.settings.target_scale and s.context_scale_end is None
    assert CURRICULUM.at(-1).settings == start and CURRICULUM.at(2).settings == end, "held at the ends"
    at = CURRICULUM.at(0.5)
    assert at.at(0.9) is at, "what has no curriculum stays as it is"
    assert at.augment == CURRICULUM.augment


def test_the_log_shows_what_moves():
    low, high = {"context_scale_min": 0.5, "context_scale_max": 1.0}, {"overlap_min": 0.0, "overlap_max": 1.0}
    assert CURRICULUM.values(0.0) == low | high
    low, high = {"context_scale_min": 0.3, "context_scale_max": 0.6}, {"overlap_min": 0.0, "overlap_max": 0.2}
    assert CURRICULUM.values(1.0) == low | high
    assert Crops().values(0.3) == Crops(**BLOCKS).values(0.3) == {}
    moving = Crops(**BLOCKS, target_scale_end=(0.3, 0.3))
    assert moving.values(1.0) == {"target_scale_min": 0.3, "target_scale_max": 0.3}


def test_the_curriculum_changes_the_draws():
    task = Crops(context_scale=(0.5, 1.0), context_scale_end=(0.3, 0.6))
    source = Examples((1, 32, 32), 200)
    early, late = (np.mean([r.context.area for r in draw(task.at(p), range(200), source).regions]) for p in (0.0, 1.0))
    assert early == pytest.approx(0.75 * 1024, rel=0.1) and late == pytest.approx(0.45 * 1024, rel=0.1)
