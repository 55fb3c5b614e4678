"""Changes of images compiled, against the same in NumPy, which is the definition."""

from collections.abc import Iterator

import numpy as np
import pytest

import minitensor as mt
from jepa.contracts import Batch
from jepa.sources.shapes import Shapes
from jepa.tasks import Batches
from jepa.tasks.crops import Crops
from jepa.tasks.masked import Masked
from jepa.tasks.multiview import MultiView
from jepa.tasks.views import Views
from jepa.transforms import ImageChanges, crop_resize, loops

pytest.importorskip("numba")
CLOSE = {"rtol": 0, "atol": 2e-6}  # of values in [0, 1]
SIDES = [(1, 1), (1, 7), (2, 2), (5, 3), (32, 32), (33, 65)]


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = mt.get_kernels()
    yield
    mt.set_kernels(before)


def both(f):
    """Return what f gives in NumPy, and compiled."""
    found = []
    for kernels in ("numpy", "compiled"):
        mt.set_kernels(kernels)
        assert loops.chosen() == (kernels == "compiled")
        found.append(f())
    return found


def images(n, c, h, w):
    return np.random.default_rng(n + 7 * h).random((n, c, h, w), dtype=np.float32)


def boxes(n, h, w):
    """Return boxes anywhere, the whole image and single pixels among them."""
    rng = np.random.default_rng(0)
    sides = np.stack([rng.integers(1, h + 1, n), rng.integers(1, w + 1, n)], axis=1)
    sides[:1], sides[1:2] = (h, w), (1, 1)
    return [(rng.integers(h - a + 1), rng.integers(w - b + 1), a, b) for a, b in sides]


@pytest.mark.parametrize("sides", SIDES)
@pytest.mark.parametrize("size", [1, (2, 9), 32, (64, 3)])
@pytest.mark.parametrize("n", [0, 1, 9])
def test_resized_crops(sides, size, n):
    x, where = images(n, 3, *sides), boxes(n, *sides)
    np.testing.assert_allclose(*both(lambda: crop_resize(x, where, size)), **CLOSE)


@pytest.mark.parametrize("c", [1, 3])
@pytest.mark.parametrize("sides", [*SIDES, (40, 40)])  # of more pixels than are added up together
@pytest.mark.parametrize("n", [1, 12])
def test_colors_and_flips(c, sides, n):
    x = images(n, c, *sides)
    changes = ImageChanges(grayscale=0.5, invert=0.5, vertical_flip=0.5)
    for change, close in ((changes.part(), CLOSE), (changes.whole(), {"rtol": 0})):
        g = np.random.default_rng(n)
        draws = [change.draw(g) for _ in x]
        kept = x.copy()
        np.testing.assert_allclose(*both(lambda change=change, draws=draws: change.apply(x, draws)), **close)
        np.testing.assert_array_equal(x, kept)


def test_the_mean_of_a_photograph_is_not_rounded_away():
    x = np.full((1, 1, 2048, 2048), 0.1, np.float32)
    change = ImageChanges(jitter=(0, 1, 0, 0), jitter_p=1, grayscale=0).part()
    mt.set_kernels("compiled")
    np.testing.assert_allclose(change(x[0], np.random.default_rng(0)), 0.1, atol=1e-7)  # contrast keeps the mean


@pytest.mark.filterwarnings("ignore:invalid value")
def test_what_is_no_number_stays_none():
    x = images(1, 3, 4, 4)
    x[0, :, 1, 1] = np.nan
    jitter = ImageChanges(jitter=(0.5, 0, 0, 0), jitter_p=0, grayscale=0).part()
    numpy, compiled = both(lambda: jitter(x[0], np.random.default_rng(0)))
    np.testing.assert_array_equal(np.isnan(numpy), np.isnan(compiled))
    assert np.isnan(compiled).any()


@pytest.mark.parametrize("layout", ["strided", "read-only", "fortran"])
def test_any_memory(layout):
    x = images(4, 3, 16, 16)
    x = {"strided": x[:, :, ::2, ::-1], "fortran": np.asfortranarray(x)}.get(layout, x)
    x.flags.writeable = layout != "read-only"
    part, whole = ImageChanges().part(), ImageChanges().whole()
    draws, flips = (
        [t.draw(g) for _ in x] for t, g in ((part, np.random.default_rng(0)), (whole, np.random.default_rng(1)))
    )
    where = [(1, 2, 5, 6)] * 4
    for f in (lambda: part.apply(x, draws), lambda: whole.apply(x, flips), lambda: crop_resize(x, where, 8)):
        np.testing.assert_allclose(*both(f), **CLOSE)


@pytest.mark.parametrize(
    "task",
    [
        Crops(ImageChanges(), targets=3, target_size=12),
        Crops(ImageChanges(), regions="blocks", target_scale=(0.1, 0.2)),
        Views(ImageChanges(vertical_flip=0.5)),
        MultiView(ImageChanges(), views=2, small=2, small_size=0.5),
        Masked(ImageChanges(), crop=(0.3, 1.0)),
    ],
    ids=lambda t: type(t).__name__,
)
def test_batches_of_tasks(task):
    source = Shapes(count=80, size=32).split("train")
    numpy, compiled = both(lambda: Batches(source, task, (8, 8), batch_size=40, seed=0).batch(range(40)))
    assert isinstance(numpy, Batch)
    for a, b in zip(arrays(numpy), arrays(compiled), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=2e-5)  # normalized: divided by a deviation


def arrays(batch):
    if isinstance(batch, np.ndarray):
        return [batch]
    return [x for part in batch for x in arrays(part)] if isinstance(batch, tuple | list) else []
