"""Batches: the same whoever prepares them, from wherever they are entered; and clean ends."""

import gc
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jepa.data.folder import ImageFolder
from jepa.data.loader import Batch, Loader
from jepa.errors import DataError
from jepa.masks import BlockMasks, Box, RandomCrops, geometry
from jepa.transforms import (
    ColorJitter,
    Compose,
    Normalize,
    RandomGrayscale,
    RandomHorizontalFlip,
    RandomVerticalFlip,
    Transform,
    crop_resize,
)

SIZES = [(16, 16), (16, 16), (10, 20), (30, 12)]


def write(root: Path, *, count: int = 75, sizes: list[tuple[int, int]] = SIZES[:1]) -> Path:
    generator = np.random.default_rng(0)
    root.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        pixels = generator.integers(0, 256, (*sizes[i % len(sizes)], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / f"{i:03d}.png")
    return root


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("loader") / "same")


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("loader") / "mixed", count=40, sizes=SIZES)


CROPS = RandomCrops(targets=2, overlap=(0.0, 0.8), context_scale=(0.3, 0.7), target_scale=(0.1, 0.4))
BLOCKS = BlockMasks(targets=3, fill=0.25)


def loader(folder: Path | ImageFolder, **settings: object) -> Loader:
    images = folder if isinstance(folder, ImageFolder) else ImageFolder(folder, image_size=16)
    defaults: dict[str, object] = {
        "regions": CROPS,
        "flips": Compose([RandomHorizontalFlip(0.5), RandomVerticalFlip(0.2)]),
        "transform": Compose([ColorJitter(0.4, 0.4, 0.4, 0.1, p=0.8), RandomGrayscale(0.2)]),
        "normalize": Normalize((0.5, 0.4, 0.3), (0.2, 0.3, 0.4)),
        "batch_size": 10,
        "seed": 0,
    }
    return Loader(images, **{**defaults, **settings})  # type: ignore[arg-type]


def assert_same(a: Batch, b: Batch) -> None:
    for name, x, y in zip(Batch._fields, a, b, strict=True):
        np.testing.assert_array_equal(x, y, err_msg=name)


def workers() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name.startswith("jepa-loader")]


@pytest.mark.parametrize("regions", [CROPS, BLOCKS], ids=["crops", "blocks"])
def test_what_is_in_a_batch(root: Path, regions: RandomCrops | BlockMasks) -> None:
    batches = list(loader(root, regions=regions, target_size=8, context_size=12, batch_size=32).batches(0))
    assert len(batches) == 2
    for batch in batches:
        t = regions.targets
        assert batch.context.shape == (32, 3, 12, 12) and batch.target.shape == (32, t, 3, 8, 8)
        assert batch.geometry.shape == (32, t, 4) and batch.indices.shape == (32,)
        assert {x.dtype for x in batch[:3]} == {np.dtype(np.float32)} and batch.indices.dtype == np.int64
        low, high = (np.array([0.0, 1.0]) - 0.4) / 0.3  # of the green channel
        assert low - 1e-4 <= batch.context[:, 1].min() and batch.context[:, 1].max() <= high + 1e-4


def test_an_epoch_has_every_image_once(root: Path) -> None:
    whole = loader(root, drop_last=False)
    assert len(whole) == 8 and len(loader(root)) == 7
    indices = [b.indices for b in whole.batches(3)]
    assert [len(i) for i in indices] == [10] * 7 + [5]
    assert sorted(np.concatenate(indices).tolist()) == list(range(75))
    np.testing.assert_array_equal(np.concatenate(indices), whole.order(3))


@pytest.mark.parametrize("prefetch, threads", [(0, 1), (1, 1), (2, 2), (5, 3), (50, 2)])
@pytest.mark.parametrize("start", [0, 3, 7])
def test_batches_do_not_depend_on_who_prepares_them(root: Path, prefetch: int, threads: int, start: int) -> None:
    def progress(number: int) -> float:
        return number / 7

    sampler = RandomCrops(context_scale=(0.5, 1.0), context_scale_end=(0.1, 0.2))
    expected = list(loader(root, regions=sampler).batches(2, progress=progress))[start:]
    made = loader(root, regions=sampler, prefetch=prefetch, threads=threads)
    found = list(made.batches(2, start=start, progress=progress))
    assert len(found) == len(expected) == 7 - start
    for a, b in zip(found, expected, strict=True):
        assert_same(a, b)


def test_a_sample_does_not_depend_on_its_batch(root: Path) -> None:
    images = ImageFolder(root, image_size=16)
    small, large = loader(images, batch_size=1), loader(images, batch_size=75)
    one_by_one = {int(b.indices[0]): b for b in small.batches(4)}
    together = next(large.batches(4))
    assert len(one_by_one) == 75
    for k, index in enumerate(together.indices.tolist()):
        assert_same(one_by_one[index], Batch(*(x[k : k + 1] for x in together)))


def test_seeds_and_epochs_differ(root: Path) -> None:
    first = {
        k: next(loader(root, seed=seed).batches(epoch)) for k, (seed, epoch) in enumerate([(0, 0), (0, 1), (1, 0)])
    }
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert not np.array_equal(first[a].indices, first[b].indices)
    drawn = [loader(root, seed=seed).draw([5], epoch=epoch) for seed, epoch in ((0, 0), (0, 1), (1, 0))]
    assert len({d.batch.context.tobytes() for d in drawn}) == 3, "the same image, other regions and colours"
    assert_same(drawn[0].batch, loader(root).draw([5], epoch=0).batch)


def test_the_progress_moves_the_regions(root: Path) -> None:
    sampler = RandomCrops(context_scale=(1.0, 1.0), context_scale_end=(0.1, 0.1), aspect=(1, 1))
    moved = loader(root, regions=sampler)
    areas = {p: {r.context.area for r in moved.draw(range(20), progress=p).regions} for p in (0.0, 1.0)}
    assert areas == {0.0: {256}, 1.0: {25}}
    by_number = list(moved.batches(0, progress=lambda number: 1.0 if number > 2 else 0.0))
    assert_same(by_number[2], list(moved.batches(0, progress=0.0))[2])
    assert_same(by_number[3], list(moved.batches(0, progress=1.0))[3])


def test_pixels_come_from_the_regions(root: Path) -> None:
    drawn = loader(root, transform=None, normalize=None).draw(range(20))
    source = ImageFolder(root, image_size=16).images(range(20))
    flipped = 0
    for n, region in enumerate(drawn.regions):
        variants = [np.flip(source[n], axes) for axes in ((), (2,), (1,), (1, 2))]
        assert any(np.array_equal(drawn.images[n], v) for v in variants)
        flipped += not np.array_equal(drawn.images[n], source[n])
        image = drawn.images[n : n + 1]
        np.testing.assert_array_equal(drawn.batch.context[n], crop_resize(image, [region.context], 16)[0])
        for t, target in enumerate(region.targets):
            np.testing.assert_array_equal(drawn.batch.target[n, t], crop_resize(image, [target], 16)[0])
        np.testing.assert_array_equal(drawn.batch.geometry[n], geometry(region.context, region.targets))
    assert 5 < flipped < 18


def test_colours_of_context_and_targets_are_drawn_apart(root: Path) -> None:
    whole = RandomCrops(context_scale=(1, 1), target_scale=(1, 1), targets=2)
    batch = loader(root, regions=whole, transform=ColorJitter(0.8)).draw([0]).batch
    views = [batch.context[0], *batch.target[0]]
    assert len({v.tobytes() for v in views}) == 3
    plain = loader(root, regions=whole, transform=None).draw([0]).batch
    np.testing.assert_array_equal(plain.context[0], plain.target[0, 0])


@pytest.mark.parametrize("size", [16, 10, 24])
def test_blocks_are_hidden_by_the_fill_and_leave_no_trace(root: Path, size: int) -> None:
    drawn = loader(root, regions=BLOCKS, normalize=None, context_size=size).draw(range(20))
    for region, context in zip(drawn.regions, drawn.batch.context, strict=True):
        assert region.context == Box(0, 0, 16, 16)
        for top, left, h, w in region.targets:
            rows = slice(int(top * size / 16), int(np.ceil((top + h) * size / 16)))
            columns = slice(int(left * size / 16), int(np.ceil((left + w) * size / 16)))
            assert (context[:, rows, columns] == np.float32(0.25)).all()
    images = ImageFolder(root, image_size=16)
    before = loader(images, regions=BLOCKS, context_size=size, flips=None).draw(range(20))
    for i, region in enumerate(before.regions):
        for top, left, h, w in region.targets:
            images._cache[i, :, top : top + h, left : left + w] = 0
    after = loader(images, regions=BLOCKS, context_size=size, flips=None).draw(range(20))
    np.testing.assert_array_equal(after.batch.context, before.batch.context)
    assert not np.array_equal(after.batch.target, before.batch.target)


def test_mixed_sizes_resized(mixed: Path) -> None:
    images = ImageFolder(mixed, image_size=16)
    batch = next(loader(images, batch_size=40).batches(0))
    assert batch.context.shape == (40, 3, 16, 16)


def test_mixed_sizes_padded_crops_stay_inside(mixed: Path) -> None:
    images = ImageFolder(mixed, image_size=16, sizes="pad", ground=(1, 0, 1))
    drawn = loader(images, transform=None, normalize=None, batch_size=40).draw(range(40))
    for i, region in enumerate(drawn.regions):
        top, left, h, w = images.boxes[i]
        for box in (region.context, *region.targets):
            assert (
                box.top >= top
                and box.left >= left
                and box.top + box.height <= top + h
                and box.left + box.width <= left + w
            )
        ground = np.array([1, 0, 1], np.float32)[:, None]
        outside = np.ones((16, 16), bool)
        outside[top : top + h, left : left + w] = False
        assert (drawn.images[i][:, outside] == ground).all(), "the padding is not mirrored into the image"
    unflipped = loader(images, flips=None).draw(range(40)).images
    np.testing.assert_array_equal(unflipped, images.images())
    flipped = loader(images, flips=RandomHorizontalFlip(1.0)).draw(range(40)).images
    for i, (top, left, h, w) in enumerate(images.boxes):
        part = np.s_[:, top : top + h, left : left + w]
        np.testing.assert_array_equal(flipped[i][part], images[i][part][:, :, ::-1])
    assert_same(drawn.batch, loader(images, transform=None, normalize=None, batch_size=3).draw(range(40)).batch)


@pytest.mark.parametrize("size", [16, 8])
def test_mixed_sizes_padded_blocks_lie_inside(mixed: Path, size: int) -> None:
    images = ImageFolder(mixed, image_size=16, sizes="pad")
    made = loader(images, regions=BLOCKS, context_size=size, batch_size=20)
    for (top, left, h, w), region in zip(images.boxes, made.draw(range(40)).regions, strict=True):
        assert region.context == Box(0, 0, 16, 16)
        for box in region.targets:
            assert top <= box.top and left <= box.left
            assert box.top + box.height <= top + h and box.left + box.width <= left + w
    assert [b.context.shape for b in made.batches(0)] == [(20, 3, size, size)] * 2


def test_leaving_early_ends_the_threads(root: Path) -> None:
    made = loader(root, prefetch=3, threads=2)
    for leave in ("close", "forget", "finish"):
        batches = made.batches(0)
        next(batches)
        assert workers()
        if leave == "close":
            batches.close()  # type: ignore[attr-defined]
        elif leave == "finish":
            assert len(list(batches)) == 6
        del batches
        gc.collect()
        assert not workers(), leave
    for _ in zip(made.batches(0), range(2), strict=False):
        pass
    gc.collect()
    assert not workers()


def test_no_more_is_prepared_than_asked_for(root: Path) -> None:
    made: list[int] = []

    class Counting(Transform):
        def apply(self, x, draws):  # type: ignore[no-untyped-def]
            made.append(len(x))
            return x

    for prefetch in (0, 1, 3):
        made.clear()
        batches = loader(root, flips=Counting(), prefetch=prefetch).batches(0)
        assert not made, "nothing is done before the first batch is asked for"
        next(batches)
        deadline = time.monotonic() + 5
        while len(made) < 1 + prefetch and time.monotonic() < deadline:
            time.sleep(0.001)
        batches.close()  # type: ignore[attr-defined]
        assert len(made) <= 1 + prefetch
        assert prefetch != 0 or len(made) == 1


class Fails(Transform):
    """Fails on one image, known by its pixels."""

    def __init__(self, victim: np.ndarray) -> None:
        self.victim = victim

    def apply(self, x, draws):  # type: ignore[no-untyped-def]
        if any(np.array_equal(image, self.victim) for image in x):
            raise ValueError("I do not like this one")
        return x


@pytest.mark.parametrize("prefetch", [0, 2])
def test_an_error_names_the_file_and_comes_when_its_batch_is_due(root: Path, prefetch: int) -> None:
    images = ImageFolder(root, image_size=16)
    bad = 42
    made = loader(images, flips=Fails(images[bad]), prefetch=prefetch)
    due = made.order(0).tolist().index(bad) // 10
    batches = made.batches(0)
    for _ in range(due):
        next(batches)
    with pytest.raises(DataError, match=r"042\.png \(epoch 0\): ValueError: I do not like this one") as caught:
        next(batches)
    assert isinstance(caught.value.__cause__, ValueError)
    gc.collect()
    assert not workers()


def test_flips_must_keep_the_shape(root: Path) -> None:
    with pytest.raises(DataError, match=r"must keep the image's shape; it made"):
        next(loader(root, flips=lambda x, generator: x[:, :8]).batches(0))


@pytest.mark.parametrize(
    "settings, said",
    [
        ({"batch_size": 76}, r"75 images do not fill one batch of 76: set train\.batch_size to at most 75"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"threads": 0}, "threads=0"),
        ({"prefetch": -1}, "prefetch=-1"),
    ],
)
def test_impossible_settings(root: Path, settings: dict[str, int], said: str) -> None:
    with pytest.raises(DataError, match=said):
        loader(root, **settings)
    assert len(loader(root, batch_size=76, drop_last=False)) == 1


@pytest.mark.parametrize("start", [-1, 8])
def test_a_start_outside_the_epoch(root: Path, start: int) -> None:
    with pytest.raises(DataError, match=f"start={start} is no batch of an epoch of 7"):
        next(loader(root).batches(0, start=start))
    assert list(loader(root).batches(0, start=7)) == []
