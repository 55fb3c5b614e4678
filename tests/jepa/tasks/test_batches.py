"""Batches: the same whoever prepares them, from wherever they are entered; and clean ends."""

import gc
import threading
import time

import numpy as np
import pytest

from jepa.errors import DataError
from jepa.tasks import Batches, Crops, Levels, Masked, Views
from jepa.transforms import Augment, Compose, ImageChanges, Noise, Transform
from tests.jepa.tasks.examples import Examples, assert_same

CHANGES = ImageChanges(vertical_flip=0.2, grayscale=0.2)
CROPS = {"targets": 2, "overlap": (0.0, 0.8), "context_scale": (0.3, 0.7), "target_scale": (0.1, 0.4)}
TASKS = {
    "crops": (Crops(CHANGES, **CROPS, target_size=8), (3, 16, 16), (4, 4)),
    "blocks": (Crops(CHANGES, regions="blocks", targets=3, target_scale=(0.15, 0.2)), (3, 16, 16), (4, 4)),
    "masked": (Masked(CHANGES, crop=(0.3, 1), min_keep=3), (3, 16, 16), (4, 4)),
    "padded": (Masked(collate="pad", sizes="sample", contexts=2, min_keep=2), (3, 12, 16), (3, 4)),
    "levels": (Levels(Noise(), crop=(0.5, 1), min_keep=2), (2, 64), (16,)),
    "tubes": (Masked(Noise(), masks="tubes", crop=(0.5, 1)), (1, 4, 8, 8), (2, 4, 4)),
    "views": (Views(Noise(), views=3), (2, 40), (10,)),
}


def batches(name="crops", source=None, task=None, **settings):
    known, shape, grid = TASKS[name]
    defaults = {"batch_size": 10, "seed": 0}
    return Batches(source or Examples(shape), task or known, grid, **{**defaults, **settings})


def workers():
    return [t for t in threading.enumerate() if t.name.startswith("jepa-loader")]


@pytest.mark.parametrize("name", TASKS)
def test_what_is_in_a_batch(name):
    task, shape, grid = TASKS[name]
    task.check(shape, grid)
    found = list(batches(name, batch_size=32).batches(0))
    assert len(found) == 2
    for batch in found:
        assert batch.seen.shape == (32, *shape) and batch.true.shape[0] == 32
        assert {batch.seen.dtype, batch.true.dtype} == {np.dtype(np.float32)}
        assert isinstance(batch.asked, task.asks)
        if isinstance(task.augment, ImageChanges):  # what was in [0, 1] is normalized
            low, high = (np.array([0.0, 1.0]) - 0.4) / 0.25
            for x in (batch.seen[:, 1], batch.true[:, :, 1]):
                assert low - 1e-4 <= x.min() < -0.5 and 0.5 < x.max() <= high + 1e-4


def test_an_epoch_has_every_example_once():
    source = Examples()
    read = []
    source.read = lambda indices: read.append(np.asarray(indices)) or source.x[indices]
    whole = batches(source=source, drop_last=False)
    assert len(whole) == 8 and len(batches()) == 7
    assert [len(batch.seen) for batch in whole.batches(3)] == [10] * 7 + [5]
    assert sorted(np.concatenate(read).tolist()) == list(range(75))
    np.testing.assert_array_equal(np.concatenate(read), whole.order(3))


@pytest.mark.parametrize("prefetch, threads", [(0, 1), (1, 1), (2, 2), (5, 3), (50, 2)])
@pytest.mark.parametrize("start", [0, 3, 7])
@pytest.mark.parametrize("name", ["crops", "masked"])
def test_batches_do_not_depend_on_who_prepares_them(name, prefetch, threads, start):
    def progress(number):
        return number / 7

    moving = {"crops": Crops(context_scale_end=(0.1, 0.2)), "masked": Masked(target_scale_end=(0.1, 0.1), min_keep=3)}
    expected = list(batches(name, task=moving[name]).batches(2, progress=progress))[start:]
    made = batches(name, task=moving[name], prefetch=prefetch, threads=threads)
    found = list(made.batches(2, start=start, progress=progress))
    assert len(found) == len(expected) == 7 - start
    for a, b in zip(found, expected, strict=True):
        assert_same(a, b)


@pytest.mark.parametrize("name", TASKS)
def test_an_example_does_not_depend_on_its_batch(name):
    small, large = batches(name, batch_size=1), batches(name, batch_size=75)
    order, together = large.order(4), next(large.batches(4))
    for k, index in enumerate(order[:20]):  # all that is its own: masks belong to a batch
        alone = small.batch([index], 4)
        np.testing.assert_array_equal(alone.seen[0], together.seen[k])
        np.testing.assert_array_equal(alone.true[0], together.true[k])
        if name in ("crops", "blocks"):
            np.testing.assert_array_equal(alone.asked.places[0], together.asked.places[k])


@pytest.mark.parametrize("name", TASKS)
def test_seeds_and_epochs_differ(name):
    drawn = [batches(name, seed=seed).batch([5, 6], epoch) for seed, epoch in ((0, 0), (0, 1), (1, 0))]
    orders = [batches(name, seed=seed).order(epoch).tolist() for seed, epoch in ((0, 0), (0, 1), (1, 0))]
    assert len(set(map(tuple, orders))) == 3
    if name != "padded":  # which changes nothing
        assert len({d.seen.tobytes() for d in drawn}) == 3, "the same examples, other crops and changes"
    if drawn[0].keep is not None:
        assert len({d.keep.index.tobytes() for d in drawn}) > 1
    assert_same(drawn[0], batches(name).batch([5, 6]))


@pytest.mark.parametrize("name", ["masked", "levels", "tubes"])
def test_masks_come_from_the_number_of_the_batch(name):
    made = batches(name)
    a, b = (made.batch([5, 6], number=number) for number in (0, 1))
    np.testing.assert_array_equal(a.seen, b.seen)
    assert a.keep.index.shape != b.keep.index.shape or not np.array_equal(a.keep.index, b.keep.index)


def test_the_progress_moves_the_task():
    task = Crops(context_scale=(1.0, 1.0), context_scale_end=(0.1, 0.1), aspect=(1, 1))
    moved = batches(task=task)
    inputs = moved.inputs(range(20))
    areas = {p: {r.context.area for r in task.at(p).draw(*inputs).regions} for p in (0.0, 1.0)}
    assert areas == {0.0: {256}, 1.0: {25}}
    by_number = list(moved.batches(0, progress=lambda number: 1.0 if number > 2 else 0.0))
    assert_same(by_number[2], list(moved.batches(0, progress=0.0))[2])
    assert_same(by_number[3], list(moved.batches(0, progress=1.0))[3])


def test_leaving_early_ends_the_threads():
    made = batches(prefetch=3, threads=2)
    for leave in ("close", "forget", "finish"):
        found = made.batches(0)
        next(found)
        assert workers()
        if leave == "close":
            found.close()
        elif leave == "finish":
            assert len(list(found)) == 6
        del found
        gc.collect()
        assert not workers(), leave
    for _ in zip(made.batches(0), range(2), strict=False):
        pass
    gc.collect()
    assert not workers()


class Counting(Transform):
    def __init__(self, made):
        self.made = made

    def apply(self, x, draws):
        self.made.append(len(x))
        return x


class Fails(Transform):
    """Fails on one example, known by its values."""

    def __init__(self, victim):
        self.victim = victim

    def apply(self, x, draws):
        if any(np.array_equal(example, self.victim) for example in x):
            raise ValueError("I do not like this one")
        return x


class Cuts(Transform):
    def apply(self, x, draws):
        return x[:, :, :8]


class Changes(Augment):
    """What is given, for the whole example."""

    def __init__(self, transform):
        object.__setattr__(self, "transform", transform)

    def whole(self):
        return Compose([self.transform])


def test_no_more_is_prepared_than_asked_for():
    made: list[int] = []
    for prefetch in (0, 1, 3):
        made.clear()
        found = batches(task=Crops(Changes(Counting(made))), prefetch=prefetch).batches(0)
        assert not made, "nothing is done before the first batch is asked for"
        next(found)
        deadline = time.monotonic() + 5
        while len(made) < 1 + prefetch and time.monotonic() < deadline:
            time.sleep(0.001)
        found.close()
        assert len(made) <= 1 + prefetch
        assert prefetch != 0 or len(made) == 1


@pytest.mark.parametrize("prefetch", [0, 2])
@pytest.mark.parametrize("name", ["crops", "views"])
def test_an_error_names_the_example_and_comes_when_its_batch_is_due(name, prefetch):
    source, bad = Examples(TASKS[name][1]), 42
    task = type(TASKS[name][0])(Changes(Fails(source.x[bad])))
    made = batches(name, source, task, prefetch=prefetch)
    due = made.order(0).tolist().index(bad) // 10
    found = made.batches(0)
    for _ in range(due):
        next(found)
    with pytest.raises(DataError, match=r"example 042\.png \(epoch 0\): ValueError: I do not like this one") as caught:
        next(found)
    assert isinstance(caught.value.__cause__, ValueError)
    gc.collect()
    assert not workers()


@pytest.mark.parametrize("task", [Crops, Masked, Levels, Views])
def test_changes_must_keep_the_shape(task):
    with pytest.raises(DataError, match=r"must keep the shape of an example; it made \(3, 8, 16\) of \(3, 16, 16\)"):
        next(batches(task=task(Changes(Cuts()))).batches(0))


@pytest.mark.parametrize(
    "settings, said",
    [
        ({"batch_size": 76}, r"75 examples do not fill one batch of 76: set train\.batch_size to at most 75"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"threads": 0}, "threads=0"),
        ({"prefetch": -1}, "prefetch=-1"),
    ],
)
def test_impossible_settings(settings, said):
    with pytest.raises(DataError, match=said):
        batches(**settings)
    assert len(batches(batch_size=76, drop_last=False)) == 1


@pytest.mark.parametrize("start", [-1, 8])
def test_a_start_outside_the_epoch(start):
    with pytest.raises(DataError, match=f"start={start} is no batch of an epoch of 7"):
        next(batches().batches(0, start=start))
    assert list(batches().batches(0, start=7)) == []
