"""Transforms: each against an independent way to the same pixels, and what holds for all of them."""

import colorsys
import itertools

import numpy as np
import pytest
from PIL import Image
from threadpoolctl import threadpool_limits

from jepa.errors import DataError
from jepa.transforms import (
    CenterCrop,
    ColorJitter,
    Compose,
    Each,
    Normalize,
    RandomCrop,
    RandomGrayscale,
    RandomHorizontalFlip,
    RandomResizedCrop,
    RandomVerticalFlip,
    Resize,
    as_transform,
    crop_resize,
)
from jepa.transforms.resize import _triangles


def images(n=6, c=3, h=20, w=24, seed=0):
    return np.random.default_rng(seed).random((n, c, h, w), dtype=np.float32)


def twice(x, generator):
    return np.clip(x * generator.random(dtype=np.float32) * 2, 0, 1)


TRANSFORMS = [
    Resize(16),
    Resize((30, 7)),
    CenterCrop(10),
    RandomCrop(12),
    RandomCrop((20, 24), padding=3, fill=0.5),
    RandomResizedCrop(16),
    RandomHorizontalFlip(),
    RandomVerticalFlip(0.3),
    ColorJitter(0.4, 0.4, 0.4, 0.1),
    ColorJitter(0.8, 0.8, 0.8, 0.5, p=0.5),
    RandomGrayscale(0.5),
    Normalize((0.1, 0.2, 0.3), 0.5),
    Each(twice),
    Compose([RandomHorizontalFlip(), RandomResizedCrop(8), ColorJitter(0.4, hue=0.2), twice, Normalize(0.5, 0.5)]),
    Compose([]),
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
    if not isinstance(transform, Normalize | Compose):
        assert one_by_one.min() >= 0 and one_by_one.max() <= 1 + 1e-6


@pytest.mark.parametrize("transform", [t for t in TRANSFORMS if not isinstance(t, Each | Compose)], ids=repr)
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
    with pytest.raises(DataError, match="does not lie in an image of 20 x 24"):
        crop_resize(images(1), [box], 8)


def test_a_whole_photograph_is_not_kept_in_the_cache():
    from jepa.transforms import resize

    resize._small_weights.cache_clear()
    crop_resize(images(1, h=30, w=4000), [(0, 0, 30, 4000)], 32)
    assert resize._small_weights.cache_info().currsize == 1  # 30 -> 32; not 4000 -> 32


def test_center_crop():
    x = images(1, h=7, w=8)
    np.testing.assert_array_equal(CenterCrop(4)(x[0], None), x[0, :, 1:5, 2:6])
    with pytest.raises(DataError, match=r"CenterCrop\(size=9\) does not fit into an image of 7 x 8"):
        CenterCrop(9)(x[0], None)


@pytest.mark.parametrize("padding", [0, 2])
def test_random_crop_takes_every_part(padding):
    x = np.arange(20, dtype=np.float32).reshape(1, 4, 5)
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding)), constant_values=-1)
    parts = {padded[:, r : r + 3, c : c + 3].tobytes() for r in range(2 + 2 * padding) for c in range(3 + 2 * padding)}
    crop, generator = RandomCrop(3, padding=padding, fill=-1), np.random.default_rng(0)
    found = {crop(x, generator).tobytes() for _ in range(1000)}
    assert found == parts


def test_random_resized_crop_has_the_asked_areas_and_ratios():
    crop = RandomResizedCrop(8, scale=(0.2, 0.5), ratio=(0.5, 2.0))
    generator = np.random.default_rng(0)
    boxes = np.array(crop.boxes(300, 200, [crop.draw(generator) for _ in range(1000)]))
    share, ratio = boxes[:, 2] * boxes[:, 3] / 60000, boxes[:, 3] / boxes[:, 2]
    assert 0.195 < share.min() < 0.21 and 0.49 < share.max() < 0.505 and abs(share.mean() - 0.35) < 0.01
    assert 0.49 < ratio.min() < 0.53 and 1.2 < ratio.max() < 2.03
    with pytest.raises(DataError, match="scale must be"):
        RandomResizedCrop(8, scale=(0.0, 1.0))


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


def grey(x):
    return np.asarray(0.299 * x[:, :1] + 0.587 * x[:, 1:2] + 0.114 * x[:, 2:])


@pytest.mark.parametrize("u", [0.0, 0.3, 0.9])
def test_each_change_of_colour_follows_its_formula(u):
    x = 0.3 + 0.2 * images()  # far from 0 and 1: nothing is clipped
    f = 1 + (2 * u - 1) * 0.4
    jitter = ColorJitter(0.4, 0.4, 0.4, 0.1)
    expected = {
        "brightness": f * x,
        "contrast": f * x + (1 - f) * grey(x).mean((2, 3), keepdims=True),
        "saturation": f * x + (1 - f) * grey(x),
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


def test_hue_turns_the_colour_and_keeps_its_grey():
    jitter = ColorJitter(hue=0.5)
    x = 0.5 + 0.1 * (np.random.default_rng(0).random((1, 3, 16, 16), dtype=np.float32) - 0.5)
    for turn in (-0.25, 0.1, 0.3):
        y = jitter.apply(x, draws_of(1, hue=turn + 0.5))
        np.testing.assert_allclose(grey(y), grey(x), atol=1e-5)
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
def test_grey_images_stay_grey(transform):
    one = images(1, c=1)[0]
    three = np.repeat(one, 3, axis=0)
    a, b = transform(one, np.random.default_rng(3)), transform(three, np.random.default_rng(3))
    assert a.shape == one.shape
    np.testing.assert_allclose(b, np.repeat(a, 3, axis=0), atol=1e-6)
    with pytest.raises(DataError, match="1 or 3 channels"):
        transform(np.zeros((2, 4, 4), np.float32), np.random.default_rng(0))


def test_normalize():
    x = images(1)[0]
    y = Normalize((0.1, 0.2, 0.3), (0.5, 0.25, 2.0))(x, None)
    np.testing.assert_allclose(y[1], (x[1] - 0.2) / 0.25, atol=1e-5)
    np.testing.assert_array_equal(Normalize(0.0, 1.0)(x, None), x)
    for wrong in (lambda: Normalize((0.1, 0.2), 1.0)(x, None), lambda: Normalize(0.0, (1.0, 0.0, 1.0))):
        with pytest.raises(DataError, match=r"Normalize\("):
            wrong()


@pytest.mark.parametrize(
    "make",
    [
        lambda: RandomHorizontalFlip(1.5),
        lambda: RandomGrayscale(-1),
        lambda: ColorJitter(p=2),
        lambda: ColorJitter(hue=0.6),
        lambda: ColorJitter(2.0),
    ],
)
def test_impossible_settings(make):
    with pytest.raises(DataError, match="must be a probability|must lie in"):
        make()


def test_one_image_is_asked_for():
    with pytest.raises(DataError, match=r"shape \(C, H, W\); got \(6, 3, 20, 24\)"):
        Resize(4)(images(), None)


def test_none_changes_nothing_and_a_function_will_do():
    x = images()
    assert as_transform(None).apply(x, [[]] * 6) is x
    assert repr(Compose([twice])) == "Compose([Each(twice)])"
    assert as_transform(Resize(3)) == Resize(3)


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
