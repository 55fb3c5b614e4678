"""Masked places and levels of them, of series, images and clips: what is seen, what is asked, what is refused."""

import numpy as np
import pytest

import minitensor as mt
from jepa.contracts import Keep
from jepa.errors import ConfigError
from jepa.masks import groups, to_binary
from jepa.tasks import Batches, Levels, Masked, generators
from jepa.tasks.levels import Groups
from jepa.tasks.masked import Places
from jepa.transforms import ImageChanges, Noise, crop_resize
from tests.jepa.tasks.examples import Examples

GRIDS = {(16,): (2, 64), (4, 5): (3, 16, 20), (2, 4, 4): (1, 4, 16, 16)}


def ask(task, grid, count=6, source=None):
    batches = Batches(source or Examples(GRIDS[grid], count), task, grid, batch_size=count, seed=0)
    x, generators = batches.inputs(range(count))
    return task.ask(x, grid, generators)


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("settings", [{}, {"collate": "pad", "sizes": "sample", "contexts": 2}, {"masks": "random"}])
def test_what_is_asked_is_a_gather_of_the_true_tokens(grid, settings):
    task = Masked(min_keep=2, **settings)
    task.check(GRIDS[grid], grid)
    batch, places = ask(task, grid), int(np.prod(grid))
    targets = 1 if settings else 4
    tokens = np.random.default_rng(0).random((6, 1, places, 5), dtype=np.float32)
    found = batch.asked.of(mt.Tensor(tokens))
    assert len(found) == len(batch.asked.sizes) == len(batch.asked.valid)
    assert len(found) == (1 if task.settings.masks == "random" else 4) >= targets and batch.asked.level_weights == ()
    for s, y in enumerate(found):
        index = batch.asked.index[:, s]
        np.testing.assert_array_equal(y.numpy(), np.take_along_axis(tokens[:, 0], index[:, :, None], axis=1))
        assert y.shape == (6, batch.asked.sizes[s], 5)
    flags = settings.get("collate") == "pad"
    assert (batch.keep.valid is not None) == (batch.asked.flags is not None) == flags
    assert batch.keep.index.shape[:2] == (6, settings.get("contexts", 1))


def test_the_context_s_tokens_come_as_they_are_with_their_padding():
    valid = np.array([[[True, True], [True, False]]])
    tokens, keep = mt.ones((2, 2, 3)), Keep(np.array([[[0, 1], [2, 0]]]), valid)
    for asked in (Places(np.zeros((1, 1, 1), np.int64)), Groups((4,), np.ones((1, 4), bool), [], [], ())):
        assert asked.context(tokens, Keep(keep.index)) == (tokens, None)
        same, flags = asked.context(tokens, keep)
        assert same is tokens
        np.testing.assert_array_equal(flags, valid[0])


def test_the_held_out_question_is_another_example_s():
    asked = ask(Masked(min_keep=2), (4, 5)).asked
    np.testing.assert_array_equal(asked.rolled().index, np.roll(asked.index, 1, axis=0))
    padded = ask(Masked(min_keep=2, collate="pad", sizes="sample", target_scale=(0.1, 0.4)), (4, 5)).asked
    rolled = padded.rolled()
    np.testing.assert_array_equal(rolled.index, np.roll(padded.index, 1, axis=0))
    np.testing.assert_array_equal(rolled.flags, padded.flags)  # as many answers, which are compared one by one


@pytest.mark.parametrize("grid", GRIDS)
def test_both_encoders_see_the_same_part_and_changes_of_their_own(grid):
    shape = GRIDS[grid]
    source = Examples(shape, 40)
    plain = ask(Masked(min_keep=2, crop=(0.3, 0.6)), grid, 40, source)
    assert plain.seen.shape == (40, *shape) and plain.true.shape == (40, 1, *shape)
    np.testing.assert_array_equal(plain.seen, plain.true[:, 0])
    assert not np.isclose(plain.seen, source.x).reshape(40, -1).all(axis=1).any()
    changed = ask(Masked(Noise(), min_keep=2, crop=(0.3, 0.6)), grid, 40, source)
    difference = [changed.seen - plain.seen, changed.true[:, 0] - plain.seen]
    assert all(abs(d).max() > 0.05 for d in difference) and abs(difference[0] - difference[1]).max() > 0.05
    whole = ask(Masked(min_keep=2), grid, 40, source)
    np.testing.assert_array_equal(whole.seen, source.x)


def test_a_crop_is_a_part_of_the_example():
    ramp = Examples((1, 200), 50)
    ramp.x[:] = np.linspace(0, 1, 200, dtype=np.float32)
    seen = ask(Masked(crop=(0.25, 0.5)), (20,), 50, ramp).seen[:, 0]
    slope = np.diff(seen[:, 5:-5], axis=1)  # a ramp stays one, so much flatter as it is shorter
    assert np.ptp(slope, axis=1).max() < 1e-4
    shares = slope.mean(axis=1) * 199
    assert 0.24 < shares.min() < 0.3 and 0.45 < shares.max() < 0.51
    assert seen[:, 0].min() < 0.1 and seen[:, -1].max() > 0.9


def test_an_image_is_mirrored_cut_and_changed_in_color():
    source = Examples((3, 16, 16), 30)
    flips = ImageChanges(flip=1, jitter_p=0, grayscale=0)
    seen = ask(Masked(flips), (4, 4), 30, source).seen
    np.testing.assert_allclose(seen, source.x[..., ::-1], atol=1e-6)
    numbers = [np.random.default_rng([0, 0, i]) for i in range(30)]
    for g, x, y in zip(numbers, source.x, ask(Masked(crop=(0.4, 0.4)), (4, 4), 30, source).seen, strict=True):
        g.random(2)  # area, aspect
        u, v = g.random(2)
        sizes = [(h, w) for h in range(1, 17) for w in range(1, 17) if abs(h * w - 0.4 * 256) <= max(h, w) / 2]
        boxes = [(int(u * (17 - h)), int(v * (17 - w)), h, w) for h, w in sizes]
        assert any(np.array_equal(crop_resize(x[None], [box], 16)[0], y) for box in boxes)


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("settings", [{}, {"collate": "pad"}, {"masks": "random", "ratio": (0.5, 0.7)}])
def test_levels_ask_for_means_of_what_is_hidden(grid, settings):
    task, places = Levels(levels=2, weights=(1, 0.5), min_keep=2, **settings), int(np.prod(grid))
    task.check(GRIDS[grid], grid)
    batch = ask(task, grid)
    asked, masks = batch.asked, Masked(min_keep=2, **settings)
    same = ask(masks, grid)
    flags = [None] * same.asked.index.shape[1] if same.asked.flags is None else same.asked.flags.swapaxes(0, 1)
    union = [to_binary(i, places, f) for i, f in zip(same.asked.index.swapaxes(0, 1), flags, strict=True)]
    np.testing.assert_array_equal(asked.hidden, np.logical_or.reduce(union))
    np.testing.assert_array_equal(batch.keep.index, same.keep.index)
    tokens = np.random.default_rng(0).random((6, places, 3), dtype=np.float32)
    found = asked.of(mt.Tensor(tokens[:, None]))
    assert asked.level_weights == (1, 0.5) and [y.shape[1] for y in found] == list(asked.sizes)
    for level, (y, index, valid) in enumerate(zip(found, asked.index, asked.valid, strict=True)):
        group = groups(grid, level)
        for n in range(6):
            wanted = np.flatnonzero(group.hidden(asked.hidden[n : n + 1])[0])
            np.testing.assert_array_equal(index[n][valid[n]], wanted)
            for answer, g in zip(y.numpy()[n], wanted, strict=False):
                inside = asked.hidden[n] & (group.members[g] > 0)
                np.testing.assert_allclose(answer, tokens[n, inside].mean(axis=0), atol=1e-6)
    np.testing.assert_array_equal(found[0].numpy()[asked.valid[0]], tokens[asked.hidden])


def test_the_held_out_question_of_levels_is_another_place_of_the_same_example():
    asked = ask(Levels(min_keep=2, crop=(0.5, 1)), (4, 5), 20).asked
    other = asked.rolled()
    for index, turned, valid in zip(asked.index, other.index, asked.valid, strict=True):
        for row, moved, kept in zip(index, turned, valid, strict=True):
            count = kept.sum()
            np.testing.assert_array_equal(moved[~kept], row[~kept])
            np.testing.assert_array_equal(moved[kept], np.roll(row[kept], -((count + 1) // 2)))
            assert count < 2 or (moved[kept] != row[kept]).all()
    assert other.hidden is asked.hidden and other.valid is asked.valid


@pytest.mark.parametrize(
    "settings, said",
    [
        ({"target_scale": (0.5, 0.2)}, r"target_scale=\[0.5, 0.2\]: must be \[smallest, largest\]"),
        ({"context_scale": (0.0, 0.2)}, "context_scale=.*must be"),
        ({"targets": 0}, "targets=0: must be at least 1"),
        ({"min_keep": 0}, "min_keep=0: must be at least 1"),
        ({"ratio": (0.5, 1), "masks": "random"}, r"ratio=\[0.5, 1\]: must be"),
        ({"compat": "vjepa"}, "compat='vjepa': expected one of 'ijepa', or null"),
        ({"compat": "ijepa", "sizes": "sample"}, "one size in a batch and pads nothing; got sizes=sample"),
        ({"compat": "ijepa", "collate": "pad"}, "pads nothing; got sizes=batch, collate=pad"),
        ({"collate": "cut"}, "collate='cut': expected one of"),
        ({"ratio": (0.1, 0.2)}, r"ratio=\[0.1, 0.2\]: counts with masks=random or suffix alone; got masks=multiblock"),
        ({"masks": "random", "targets": 2}, "targets=2: counts with masks=multiblock or tubes alone; got masks=random"),
        ({"masks": "tubes", "contexts": 2}, "contexts=2: counts with masks=multiblock alone; got masks=tubes"),
        ({"masks": "random", "compat": "ijepa"}, "compat=ijepa: counts with masks=multiblock alone"),
    ],
)
def test_impossible_settings_are_named(settings, said):
    for task in (Masked, Levels):
        with pytest.raises(ConfigError, match=said):
            task(**settings)


@pytest.mark.parametrize(
    "settings, said",
    [
        ({"levels": 1}, "levels=1: must be 2, 3 or 4"),
        ({"levels": 5}, "levels=5: must be 2, 3 or 4"),
        ({"levels": 2}, r"weights=\[1.0, 0.5, 0.25\]: needs one weight for each of levels=2"),
        ({"contexts": 2}, "contexts=2: must be 1; levels are predicted from one context"),
    ],
)
def test_impossible_levels_are_named(settings, said):
    with pytest.raises(ConfigError, match=f"LevelsSettings: {said}"):
        Levels(**settings)


@pytest.mark.parametrize(
    "task, shape, grid, said",
    [
        (Masked(min_keep=15), (3, 16, 16), (4, 4), "task.min_keep=15 of the encoder's 4 x 4 places .*: lower it, or"),
        (Masked(min_keep=1), (5,), (1,), "task.min_keep=1 of the encoder's 1 places .* no places to hide: take task=v"),
        (Levels(), (6, 128), (1,), "leaves nothing to predict"),
        (Levels(min_keep=1), (3, 8, 12), (2, 3), "task.levels=3 groups 4 places along each axis, .* 2 x 3: fewer"),
        (Masked(compat="ijepa"), (6, 128), (32,), "task.compat=ijepa draws blocks of images; the encoder's grid is 32"),
        (Masked(masks="tubes"), (6, 128), (32,), "task.masks=tubes .* grid is 32, without frames"),
        (Masked(crop=(0.3, 1)), (7,), (8,), r"task.crop=\[0.3, 1\] cuts along the axes .* take task.crop=\[1,1\]"),
        (Masked(ImageChanges()), (6, 128), (32,), "augment=image changes images"),
        (Masked(compat="ijepa", min_keep=12), (3, 32, 32), (8, 8), "task.compat=ijepa: .* more than task.min_keep=12"),
        (
            Masked(target_scale=(1, 1)),
            (3, 32, 32),
            (8, 8),
            "leave less than task.min_keep=4 places of a grid of 8 x 8 to a context, wherever the blocks lie",
        ),
        (
            Masked(target_scale_end=(1, 1)),  # the end of training is looked at too
            (3, 32, 32),
            (8, 8),
            r"task.target_scale=\[1.0, 1.0\] and task.context_scale=.* leave less than",
        ),
        (
            Masked(targets=64, target_scale=(0.3, 0.3)),
            (3, 32, 32),
            (8, 8),
            "task.targets=64 blocks of .* places left less than task.min_keep=4 of a grid of 8 x 8",
        ),
        (
            Masked(masks="tubes", target_scale=(1, 1)),
            (3, 2, 16, 16),
            (2, 4, 4),
            r"task.targets=4 blocks of task.target_scale=\[1, 1\] leave less than task.min_keep=4 places",
        ),
    ],
)
def test_what_leaves_nothing_is_refused_before_training(task, shape, grid, said):
    with pytest.raises(ConfigError, match=said):
        task.check(shape, grid)


@pytest.mark.parametrize(
    "settings, start, end",
    [
        ({"masks": "random", "ratio": (0.25, 0.25), "ratio_end": (0.75, 0.75)}, 16, 48),
        ({"target_scale": (0.0625, 0.0625), "target_scale_end": (0.25, 0.25), "aspect": (1, 1)}, 4, 16),
    ],
)
def test_the_curriculum_moves_from_its_start_to_its_end(settings, start, end):
    task = Masked(**settings)
    masks = [task.at(t).masks((8, 8), 4, np.random.default_rng(0)) for t in (0, 0.5, 1, 2)]
    sizes = [m.target[0].shape[1] for m in masks]
    assert sizes[0] == start and start < sizes[1] < end and sizes[2:] == [end, end]
    assert task.values(1.0) and not task.at(0.5).values(0.5)


def test_the_curriculum_runs_through_the_batches_of_a_run():
    task, steps = Masked(masks="random", ratio=(0.25, 0.25), ratio_end=(0.75, 0.75)), 11
    batches = Batches(Examples((1, 32, 32), 44), task, (8, 8), batch_size=4, seed=0)
    sizes = [b.asked.index.shape[2] for b in batches.batches(0, progress=lambda number: number / (steps - 1))]
    assert sizes[0] == 16 and sizes[-1] == 48 and np.allclose(np.diff(sizes), 3.2, atol=1)  # 1: whole places


def test_a_task_can_be_asked_by_hand():
    batch = Masked().ask(np.ones((3, 1, 64), np.float32), (16,), generators(3))
    again = Masked().ask(np.ones((3, 1, 64), np.float32), (16,), generators(3))
    np.testing.assert_array_equal(batch.asked.index, again.asked.index)


def test_blocks_that_only_some_draws_make_too_small_are_refused_too():
    task = Masked(compat="ijepa", target_scale=(0.1, 0.9), min_keep=3)
    with pytest.raises(ConfigError, match="a block of 1 x 1 places never has more than task.min_keep=3"):
        task.check((3, 16, 16), (4, 4))
    Masked(compat="ijepa", target_scale=(0.1, 0.9), min_keep=3).check((3, 64, 64), (16, 16))
