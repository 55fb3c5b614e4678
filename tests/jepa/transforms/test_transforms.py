"""Transforms: each against an independent way to the same pixels, and what holds for all of them."""

import colorsys
import itertools

import numpy as np
import pytest
from PIL import Image
from threadpoolctl import threadpool_limits

from jepa.errors import ConfigError, DataError
from jepa.transforms import (
    ColorJitter,
    Compose,
    ImageChanges,
    Noise,
    Nothing,
    RandomGrayscale,
    RandomHorizontalFlip,
    RandomInvert,
    RandomVerticalFlip,
    Transform,
    crop_resize,
)
from jepa.transforms.resize import _triangles


def images(n=6, c=3, h=20, w=24, seed=0):
    return np.random.default_rng(seed).random((n, c, h, w), dtype=np.float32)


class Twice(Transform):
    """A transform of one's own."""

    def __repr__(self):
        return "Twice()"

    def draw(self, generator):
        return generator.random()

    def apply(self, x, draws):
        return np.clip(x * 2 * np.float32(draws)[:, None, None, None], 0, 1)


TRANSFORMS = [
    RandomHorizontalFlip(),
    RandomVerticalFlip(0.3),
    ColorJitter(0.4, 0.4, 0.4, 0.1),
    ColorJitter(0.8, 0.8, 0.8, 0.5, p=0.5),
    RandomGrayscale(0.5),
    RandomInvert(0.4),
    Twice(),
    Compose([RandomHorizontalFlip(), ColorJitter(0.4, hue=0.2), Twice()]),
    Compose([]),
    ImageChanges(vertical_flip=0.5).whole(),
    ImageChanges(invert=0.5).part(),
    Noise().part(),
    Nothing().part(),
]


@pytest.mark.parametrize("transform", TRANSFORMS, ids=repr)
def test_what_holds_for_all(transform):
    x = images()
    before = x.copy()
    one_by_one = np.stack([transform(image, np.random.default_rng([7, i])) for i, image in enumerate(x)])
    draws = [transform.draw(np.random.default_rng([7, i])) for i in range(len(x))]
    together = transform.apply(x, draws)
    np.testing.assert_array_equal(together, one_by_one, err_msg="an image is changed alike alone and in a batch")
    np.testing.assert_array_equal(x, before, err_msg="the input is left as it is")
    assert one_by_one.dtype == np.float32
    again = np.stack([transform(image, np.random.default_rng([7, i])) for i, image in enumerate(x)])
    np.testing.assert_array_equal(again, one_by_one, err_msg="the seed decides")
    if not isinstance(transform, Compose) and transform != Noise().part():
        assert one_by_one.min() >= 0 and one_by_one.max() <= 1 + 1e-6


SIMPLE = [t for t in TRANSFORMS if not isinstance(t, Twice | Compose) and t != Noise().part()]


@pytest.mark.parametrize("transform", SIMPLE, ids=repr)
def test_repr_is_the_call_that_makes_it(transform):
    assert eval(repr(transform)) == transform


BOXES = [(0, 0, 20, 24), (3, 5, 10, 9), (19, 23, 1, 1), (0, 4, 20, 1), (5, 0, 1, 24), (2, 1, 17, 23)]


@pytest.mark.parametrize("size", [(20, 24), (8, 8), (1, 1), (64, 3), (33, 50)])
@pytest.mark.parametrize("box", BOXES)
def test_crop_resize_is_pillow_s(box, size):
    x = images(1)
    top, left, h, w = box
    for c in range(3):
        image = Image.fromarray(x[0, c], mode="F").crop((left, top, left + w, top + h))
        expected = np.asarray(image.resize(size[::-1], Image.Resampling.BILINEAR))
        np.testing.assert_allclose(crop_resize(x, [box], size)[0, c], expected, atol=1e-5)


def test_the_whole_image_is_pillow_s_resize_with_box():
    x = images(1, c=1, h=40, w=30)
    expected = np.asarray(
        Image.fromarray(x[0, 0], mode="F").resize((12, 16), Image.Resampling.BILINEAR, box=(0, 0, 30, 40))
    )
    np.testing.assert_allclose(crop_resize(x, [(0, 0, 40, 30)], (16, 12))[0, 0], expected, atol=1e-5)


def test_crop_resize_sees_nothing_outside_its_box():
    x = images(1)
    y = x.copy()
    y[:, :, 3:13, 5:14] = 0
    np.testing.assert_array_equal(crop_resize(x * (y == 0), [(3, 5, 10, 9)], 16), crop_resize(x, [(3, 5, 10, 9)], 16))
    np.testing.assert_array_equal(crop_resize(np.ones_like(x), [(3, 5, 10, 9)], 7), np.float32(1))


def test_the_same_size_is_the_same_image():
    x = images(2)
    np.testing.assert_array_equal(crop_resize(x, [(0, 0, 20, 24)] * 2, (20, 24)), x)


@pytest.mark.parametrize("box", [(-1, 0, 4, 4), (0, -1, 4, 4), (17, 0, 4, 4), (0, 21, 4, 4), (0, 0, 0, 4)])
def test_a_box_outside_is_refused(box):
    with pytest.raises(DataError, match="does not lie in an example of 20 x 24"):
        crop_resize(images(1), [box], 8)


def test_a_whole_photograph_is_not_kept_in_the_cache(monkeypatch):
    from jepa.transforms import loops, resize

    monkeypatch.setattr(loops, "chosen", lambda: False)
    resize._small_weights.cache_clear()
    crop_resize(images(1, h=30, w=4000), [(0, 0, 30, 4000)], 32)
    assert resize._small_weights.cache_info().currsize == 1  # 30 -> 32; not 4000 -> 32


@pytest.mark.parametrize("lengths", [(24,), (20, 24), (6, 9, 11), (3, 4, 5, 6)])
def test_any_axes_are_resized_one_after_the_other(lengths):
    generator = np.random.default_rng(0)
    x = generator.random((5, 2, *lengths), dtype=np.float32)
    boxes = []
    for _ in x:
        sides = [int(generator.integers(1, n + 1)) for n in lengths]
        boxes.append((*(int(generator.integers(0, n - k + 1)) for n, k in zip(lengths, sides, strict=True)), *sides))
    size = tuple(n // 2 + 3 for n in lengths)
    found = crop_resize(x, boxes, size)
    assert found.shape == (5, 2, *size) and found.dtype == np.float32
    for part, box, y in zip(x, boxes, found, strict=True):
        starts, sides = box[: len(lengths)], box[len(lengths) :]
        expected = part[(slice(None), *(slice(a, a + b) for a, b in zip(starts, sides, strict=True)))].astype(float)
        for axis, (old, new) in enumerate(zip(sides, size, strict=True), start=1):
            expected = np.moveaxis(np.tensordot(expected, _triangles(old, new).astype(float), (axis, 1)), -1, axis)
        np.testing.assert_allclose(y, expected, atol=1e-5)
    whole = (0,) * len(lengths) + lengths
    np.testing.assert_array_equal(crop_resize(x, [whole] * 5, lengths), x)


def test_a_clip_of_whole_length_is_its_frames():
    clip = images(2, c=6).reshape(2, 3, 2, 20, 24)
    boxes = [(0, 3, 2, 2, 10, 12), (0, 0, 5, 2, 20, 9)]
    frames = crop_resize(clip.reshape(2, 6, 20, 24), [(3, 2, 10, 12), (0, 5, 20, 9)], (16, 8))
    np.testing.assert_allclose(crop_resize(clip, boxes, (2, 16, 8)), frames.reshape(2, 3, 2, 16, 8), atol=1e-6)


@pytest.mark.parametrize("box", [(-1, 4), (21, 4), (0, 0), (3, 25)])
def test_an_interval_outside_is_refused(box):
    with pytest.raises(DataError, match=rf"the box of {box[1]} at {box[0]} does not lie in an example of 24"):
        crop_resize(np.zeros((1, 2, 24), np.float32), [box], 8)


@pytest.mark.parametrize("flip, axis", [(RandomHorizontalFlip, 2), (RandomVerticalFlip, 1)])
def test_flips(flip, axis):
    x = images(1)[0]
    np.testing.assert_array_equal(flip(1.0)(x, np.random.default_rng(0)), np.flip(x, axis))
    np.testing.assert_array_equal(flip(0.0)(x, np.random.default_rng(0)), x)
    generator = np.random.default_rng(0)
    assert 0.25 < np.mean([not np.array_equal(flip(0.3)(x, generator), x) for _ in range(1000)]) < 0.35


CHANGES = ["brightness", "contrast", "saturation", "hue"]


def draws_of(n, **chosen):
    """Draws of ColorJitter with no change but those chosen."""
    u = np.full((n, 5), 0.5)
    for name, value in chosen.items():
        u[:, CHANGES.index(name)] = value
    return u


def gray(x):
    return np.asarray(0.299 * x[:, :1] + 0.587 * x[:, 1:2] + 0.114 * x[:, 2:])


@pytest.mark.parametrize("u", [0.0, 0.3, 0.9])
def test_each_change_of_color_follows_its_formula(u):
    x = 0.3 + 0.2 * images()  # far from 0 and 1: nothing is clipped
    f = 1 + (2 * u - 1) * 0.4
    jitter = ColorJitter(0.4, 0.4, 0.4, 0.1)
    expected = {
        "brightness": f * x,
        "contrast": f * x + (1 - f) * gray(x).mean((2, 3), keepdims=True),
        "saturation": f * x + (1 - f) * gray(x),
    }
    for name, y in expected.items():
        np.testing.assert_allclose(jitter.apply(x, draws_of(6, **{name: u})), y, atol=1e-6, err_msg=name)


def test_all_four_are_the_changes_one_after_the_other_in_any_order():
    x = 0.4 + 0.1 * images()
    jitter = ColorJitter(0.3, 0.3, 0.3, 0.05)
    u = np.random.default_rng(0).random((6, 5))
    for order in itertools.permutations(range(4)):
        y = x
        for k in order:
            alone = draws_of(6)
            alone[:, k] = u[:, k]
            y = jitter.apply(y, alone)
        np.testing.assert_allclose(jitter.apply(x, u), y, atol=1e-5, err_msg=str(order))


def test_the_result_is_clipped():
    y = ColorJitter(1.0, 1.0).apply(images(), draws_of(6, brightness=0.99, contrast=0.99))
    assert y.min() == 0 and y.max() == 1


def test_hue_turns_the_color_and_keeps_its_gray():
    jitter = ColorJitter(hue=0.5)
    x = 0.5 + 0.1 * (np.random.default_rng(0).random((1, 3, 16, 16), dtype=np.float32) - 0.5)
    for turn in (-0.25, 0.1, 0.3):
        y = jitter.apply(x, draws_of(1, hue=turn + 0.5))
        np.testing.assert_allclose(gray(y), gray(x), atol=1e-5)
        assert abs(y - x).max() > 0.01
    np.testing.assert_array_equal(jitter.apply(x, draws_of(1)), x, err_msg="no turn, no change at all")
    back = jitter.apply(jitter.apply(x, draws_of(1, hue=0.6)), draws_of(1, hue=0.4))
    np.testing.assert_allclose(back, x, atol=1e-5)


def test_hue_turns_in_the_direction_of_hsv():
    red = np.full((1, 3, 1, 1), 0.4, np.float32)
    red[0, 0] = 0.6
    for turn in (0.1, 0.2, 0.3):
        y = ColorJitter(hue=0.5).apply(red, draws_of(1, hue=turn + 0.5)).ravel()
        assert colorsys.rgb_to_hsv(*y.tolist())[0] == pytest.approx(turn, abs=0.08)


def test_jitter_of_the_chosen_share_only():
    x = images(1)[0]
    jitter, generator = ColorJitter(0.4, 0.4, 0.4, 0.1, p=0.3), np.random.default_rng(0)
    unchanged = np.mean([np.array_equal(jitter(x, generator), x) for _ in range(500)])
    assert 0.63 < unchanged < 0.77


@pytest.mark.parametrize("transform", [ColorJitter(0.4, 0.4, 0.4, 0.3), RandomGrayscale(1.0)], ids=repr)
def test_gray_images_stay_gray(transform):
    one = images(1, c=1)[0]
    three = np.repeat(one, 3, axis=0)
    a, b = transform(one, np.random.default_rng(3)), transform(three, np.random.default_rng(3))
    assert a.shape == one.shape
    np.testing.assert_allclose(b, np.repeat(a, 3, axis=0), atol=1e-6)
    with pytest.raises(DataError, match="1 or 3 channels"):
        transform(np.zeros((2, 4, 4), np.float32), np.random.default_rng(0))


@pytest.mark.parametrize(
    "settings",
    [{"flip": 1.5}, {"grayscale": -1}, {"jitter_p": 2}, {"jitter": (0, 0, 0, 0.6)}, {"jitter": (2.0, 0, 0, 0)}],
)
def test_impossible_settings(settings):
    (name,) = settings
    with pytest.raises(ConfigError, match=f"ImageChanges: {name}=.*must (be at|lie in)"):
        ImageChanges(**settings)


@pytest.mark.parametrize("shape", [(6, 128), (2, 8, 8), (3, 4, 8, 8), (5,)])
def test_changes_of_images_are_refused_for_what_is_none(shape):
    with pytest.raises(ConfigError, match=r"augment=image changes images .* take augment=noise or none"):
        ImageChanges().check(shape)
    Noise().check(shape)
    Nothing().check(shape)
    ImageChanges().check((1, 8, 8))


@pytest.mark.parametrize("shape", [(3,), (3, 50), (3, 8, 8), (2, 4, 5, 6)])
def test_noise_has_the_asked_deviations(shape):
    x = np.ones((400, *shape), np.float32)
    draws = [np.random.default_rng(i) for i in range(400)]
    y = Noise(scale=0.2, noise=0).part().apply(x, draws)
    assert (np.ptp(y.reshape(400, shape[0], -1), axis=2) == 0).all() and abs(y.std() - 0.2) < 0.02
    y = Noise(scale=0, noise=0.3).part().apply(x, [np.random.default_rng(i) for i in range(400)])
    assert abs(y.std() - 0.3) < 0.02 and abs(y.mean() - 1) < 0.03


def test_what_a_task_asks_of_an_augmentation():
    x, changes = images(), ImageChanges(flip=1, jitter_p=0, grayscale=1, invert=1)
    whole, part = changes.whole(), changes.part()
    np.testing.assert_array_equal(whole(x[0], np.random.default_rng(0)), x[0, :, :, ::-1])
    np.testing.assert_allclose(part(x[0], np.random.default_rng(0)), 1 - np.repeat(gray(x[:1])[0], 3, 0), atol=1e-6)
    assert Nothing().whole().apply(x, [[]] * 6) is x


@pytest.mark.parametrize(("side", "size"), [(32, 24), (64, 64), (65, 64), (150, 40), (224, 96), (224, 224), (300, 224)])
def test_a_resize_is_one_thread_s_work_and_gives_one_thread_s_bits(side: int, size: int) -> None:
    x = np.random.default_rng(0).random((2, 3, side, side + 7), dtype=np.float32)
    boxes = [(0, 0, side, side + 7), (3, 5, side - 9, side - 13)]
    found = []
    for threads in (1, 2, 4):
        with threadpool_limits(threads):
            found.append(crop_resize(x, boxes, size))
    for y in found[1:]:
        np.testing.assert_array_equal(y, found[0])
    for image, (top, left, h, w), y in zip(x, boxes, found[0], strict=True):
        part = image[:, top : top + h, left : left + w].astype(np.float64)
        np.testing.assert_allclose(y, _triangles(h, size) @ part @ _triangles(w, size).T, atol=1e-5)
