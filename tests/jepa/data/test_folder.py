"""Image folders of every layout: splits, labels, sizes, and what is said when something is wrong."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jepa.data.decode import decode
from jepa.data.folder import ImageFolder
from jepa.data.inspect import inspect
from jepa.data.listing import list_images
from jepa.errors import DataError
from jepa.transforms import crop_resize


def save(path: Path, *, size: tuple[int, int] = (8, 8), mode: str = "RGB", seed: int | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(len(str(path.name)) if seed is None else seed)
    Image.fromarray(generator.integers(0, 256, (*size, 3), dtype=np.uint8)).convert(mode).save(path)
    return path


def make(root: Path, *, per_class: int = 20, classes: tuple[str, ...] = ("b", "a", "c")) -> Path:
    for k, name in enumerate(classes):
        for i in range(per_class):
            save(root / name / f"{i:02d}.png", seed=100 * k + i)
    return root


def test_class_folders(tmp_path: Path) -> None:
    images = ImageFolder(make(tmp_path, per_class=3), image_size=8)
    assert images.classes == ["a", "b", "c"] and images.class_to_idx == {"a": 0, "b": 1, "c": 2}
    assert (
        images.labels is not None
        and images.labels.dtype == np.int64
        and images.labels.tolist() == [0] * 3 + [1] * 3 + [2] * 3
    )
    assert images.paths == sorted(images.paths) and len(images) == 9
    for i, path in enumerate(images.paths):
        np.testing.assert_array_equal(images[i], decode(path))
        assert images.classes[images.labels[i]] == path.parent.name
    np.testing.assert_array_equal(images.images(), np.stack([images[i] for i in range(9)]))
    np.testing.assert_array_equal(images.images([4, 1]), np.stack([images[4], images[1]]))
    assert images.images().dtype == np.float32 and repr(images).endswith(": 9 images of 3 classes, 3 x 8 x 8)")


def test_a_flat_folder_has_no_labels(tmp_path: Path) -> None:
    for i in range(4):
        save(tmp_path / f"{i}.PNG")
    save(tmp_path / ".hidden.png")
    images = ImageFolder(tmp_path, image_size=8)
    assert len(images) == 4 and images.labels is None and images.classes == []


def test_images_deep_below_a_class_belong_to_it(tmp_path: Path) -> None:
    save(tmp_path / "cat" / "home" / "old" / "1.png")
    save(tmp_path / "dog" / "1.jpg")
    images = ImageFolder(tmp_path)
    assert images.labels is not None and [images.classes[k] for k in images.labels] == ["cat", "dog"]


@pytest.mark.parametrize("name", ["val", "valid", "validation", "test"])
def test_own_splits(tmp_path: Path, name: str) -> None:
    make(tmp_path / "train", per_class=2, classes=("a", "b"))
    make(tmp_path / name, per_class=1, classes=("b", "z"))
    (tmp_path / "labels.csv").write_text("file\n")
    train, val = (ImageFolder(tmp_path, split=split) for split in ("train", "val"))  # type: ignore[arg-type]
    assert train.classes == val.classes == ["a", "b", "z"], "one numbering for all splits"
    assert train.labels is not None and train.labels.tolist() == [0, 0, 1, 1]
    assert val.labels is not None and val.labels.tolist() == [1, 2]
    assert len(ImageFolder(tmp_path)) == 6


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    images = ImageFolder(make(tmp_path, per_class=2, classes=("plane", "train")))
    assert images.classes == ["plane", "train"] and len(images) == 4


@pytest.mark.parametrize("validation", [0.1, 0.25, 0.5])
def test_held_out_share(tmp_path: Path, validation: float) -> None:
    make(tmp_path)
    train, val = (ImageFolder(tmp_path, split=s, validation=validation) for s in ("train", "val"))  # type: ignore[arg-type]
    assert sorted(train.paths + val.paths) == ImageFolder(tmp_path).paths and not set(train.paths) & set(val.paths)
    assert val.labels is not None and set(Counter(val.labels.tolist()).values()) == {round(20 * validation)}, (
        "each class"
    )
    again = ImageFolder(tmp_path, split="val", validation=validation)
    assert again.paths == val.paths
    assert ImageFolder(tmp_path, split="val", validation=validation, seed=1).paths != val.paths


def test_few_images_of_many_classes_still_give_a_validation_part(tmp_path: Path) -> None:
    make(tmp_path, per_class=2, classes=("a", "b", "c", "d"))
    val = ImageFolder(tmp_path, split="val", validation=0.3)
    assert len(val) == 2 and val.labels is not None and len(set(val.labels.tolist())) == 2


def test_one_more_file_moves_hardly_any_other(tmp_path: Path) -> None:
    make(tmp_path)
    before = set(ImageFolder(tmp_path, split="val").paths)
    new = save(tmp_path / "a" / "0.png")
    after = set(ImageFolder(tmp_path, split="val").paths)
    assert len(before ^ (after - {new})) <= 2


def test_splits_in_capitals_a_train_alone_and_what_is_not_used(tmp_path: Path) -> None:
    for split in ("Train", "VAL", "test"):
        make(tmp_path / "three" / split, per_class=2)
    assert len(ImageFolder(tmp_path / "three", split="val")) == 6
    assert list_images(tmp_path / "three").unused == ["test"]
    assert "not used       test/" in str(inspect(tmp_path / "three"))
    make(tmp_path / "alone" / "train")
    images = ImageFolder(tmp_path / "alone", split="train")
    assert images.classes == ["a", "b", "c"] and len(images) == 54


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    make(tmp_path / "real", per_class=2)
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "x").symlink_to(tmp_path / "real" / "a")
    (tmp_path / "linked" / "y").symlink_to(tmp_path / "real" / "b")
    (tmp_path / "real" / "a" / "up").symlink_to(tmp_path / "real")
    images = ImageFolder(tmp_path / "linked")
    assert images.classes == ["x", "y"]
    assert len(images) >= 4


def test_the_split_does_not_depend_on_a_broken_file(tmp_path: Path) -> None:
    make(tmp_path)
    before = {s: set(ImageFolder(tmp_path, split=s).paths) for s in ("train", "val")}  # type: ignore[arg-type]
    broken = min(before["train"])
    broken.write_bytes(b"")
    after = {s: set(ImageFolder(tmp_path, split=s, on_error="skip").paths) for s in ("train", "val")}  # type: ignore[arg-type]
    assert after == {"train": before["train"] - {broken}, "val": before["val"]}


def test_limit_keeps_the_shares(tmp_path: Path) -> None:
    make(tmp_path)
    images = ImageFolder(tmp_path, limit=9)
    assert images.labels is not None and Counter(images.labels.tolist()) == {0: 3, 1: 3, 2: 3}
    assert images.paths == sorted(images.paths) == ImageFolder(tmp_path, limit=9).paths
    assert len(ImageFolder(tmp_path, limit=1000)) == 60


def test_limit_keeps_the_shares_of_unequal_classes(tmp_path: Path) -> None:
    make(tmp_path, per_class=30, classes=("a",))
    make(tmp_path, per_class=10, classes=("b",))
    for limit in (4, 8, 20):
        images = ImageFolder(tmp_path, limit=limit)
        assert images.labels is not None and np.bincount(images.labels).tolist() == [limit * 3 // 4, limit // 4]


def test_other_sizes_are_resized(tmp_path: Path) -> None:
    path = save(tmp_path / "a" / "1.png", size=(20, 50))
    save(tmp_path / "a" / "2.png", size=(3, 5))
    images = ImageFolder(tmp_path, image_size=16)
    assert images.images().shape == (2, 3, 16, 16) and images.boxes[0] == (0, 0, 16, 16)
    expected = crop_resize(decode(path)[None], [(0, 0, 20, 50)], 16)[0]
    np.testing.assert_allclose(images[0], expected, atol=1.01 / 255)  # Pillow rounds to bytes along each axis


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    "size, box",
    [((10, 20), (4, 0, 8, 16)), ((40, 8), (0, 6, 16, 3)), ((100, 1), (0, 7, 16, 1)), ((5, 5), (0, 0, 16, 16))],
)
def test_padding(tmp_path: Path, size: tuple[int, int], box: tuple[int, int, int, int], channels: int) -> None:
    path = save(tmp_path / "1.png", size=size)
    images = ImageFolder(tmp_path, image_size=16, sizes="pad", ground=(1, 0, 0), channels=channels)
    assert images.boxes == [box]
    top, left, height, width = box
    valid = np.zeros((16, 16), bool)
    valid[top : top + height, left : left + width] = True
    ground = [0.299] if channels == 1 else [1, 0, 0]
    np.testing.assert_allclose(
        images[0][:, ~valid], np.broadcast_to(np.array(ground)[:, None], (channels, (~valid).sum())), atol=0.51 / 255
    )
    inside = crop_resize(decode(path, channels=channels)[None], [(0, 0, *size)], (height, width))[0]
    np.testing.assert_allclose(images[0][:, top : top + height, left : left + width], inside, atol=1.51 / 255)


def test_sixteen_bits_are_kept(tmp_path: Path) -> None:
    save(tmp_path / "1.png")
    Image.fromarray(np.full((8, 8), 12345, np.uint16)).save(tmp_path / "2.png")
    save(tmp_path / "3.png")
    images = ImageFolder(tmp_path, image_size=8)
    np.testing.assert_allclose(images[1], 12345 / 65535, rtol=1e-6)
    for i in (0, 2):
        np.testing.assert_array_equal(images[i], decode(images.paths[i]))


def test_the_cache_cannot_be_changed_from_outside(tmp_path: Path) -> None:
    Image.fromarray(np.full((8, 8), 12345, np.uint16)).save(tmp_path / "1.png")
    images = ImageFolder(tmp_path, image_size=8)
    images.images()[:] = 0
    images[0][:] = 0
    assert images[0].min() > 0


def test_bad_files_stop_or_are_skipped(tmp_path: Path) -> None:
    make(tmp_path, per_class=2)
    (tmp_path / "a" / "zz.png").write_text("no image")
    (tmp_path / "b" / "zz.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=r"a/zz\.png: it is a text file.*data\.on_error=skip"):
        ImageFolder(tmp_path)
    images = ImageFolder(tmp_path, on_error="skip")
    assert [(path.name, reason) for path, reason in images.skipped] == [
        ("zz.png", "it is a text file, no image"),
        ("zz.jpg", "it is empty (0 bytes)"),
    ]
    assert len(images) == len(images.paths) == len(images.boxes) == 6
    assert images.labels is not None and images.labels.tolist() == [0, 0, 1, 1, 2, 2]
    said = images.describe_skipped()
    assert said.startswith("skipped 2 of 8 images") and "zz.jpg (it is empty (0 bytes))" in said
    (tmp_path / "a" / "zz.png").unlink()
    assert "every image" in ImageFolder(tmp_path / "a", on_error="skip").describe_skipped()


def test_many_bad_files_are_counted(tmp_path: Path) -> None:
    save(tmp_path / "good.png")
    for i in range(13):
        (tmp_path / f"{i}.png").write_bytes(b"")
    assert ImageFolder(tmp_path, on_error="skip").describe_skipped().endswith("and 3 more")


def test_nothing_readable(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"none of the 1 images .* can be read.*1\.png \(it is empty"):
        ImageFolder(tmp_path, on_error="skip")


def no_folder(root: Path) -> Path:
    (root / "flowers").mkdir()
    return root / "flower"


def far_away(root: Path) -> Path:
    return root / "x" / "y" / "z"


def a_file(root: Path) -> Path:
    return save(root / "x.png")


def empty(root: Path) -> Path:
    return root


def other_files(root: Path) -> Path:
    for name in ("a.txt", "b/b.txt", "b/c.psd", "b/Makefile"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("x")
    return root


def loose(root: Path) -> Path:
    save(root / "cat" / "1.png")
    save(root / "odd.png")
    return root


@pytest.mark.parametrize(
    "build, said",
    [
        (no_folder, r"there is no folder .*flower: did you mean .*flowers\?"),
        (far_away, r"there is no folder .*z: .* exists, but has no x"),
        (a_file, r"x\.png is a file, not a folder"),
        (empty, r"no images in .*: it has no files; expected FOLDER/CLASS/\*\.png"),
        (other_files, r"no images in .*: its files are 2 x \.txt, 1 x no suffix, 1 x \.psd; expected"),
        (loose, r"has 1 images beside its class folders \(first: odd\.png\): move"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_wrong_with_a_folder_is_said(tmp_path: Path, build, said: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(DataError, match=said):
        ImageFolder(build(tmp_path))


def test_no_validation_images(tmp_path: Path) -> None:
    make(tmp_path)
    with pytest.raises(DataError, match="no images for the split 'val'"):
        ImageFolder(tmp_path, split="val", validation=0)


@pytest.mark.parametrize("name", ["split", "on_error", "sizes"])
def test_misspelt_settings(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=f"{name}='nonsense' must be one of"):
        ImageFolder(make(tmp_path, per_class=1), **{name: "nonsense"})  # type: ignore[arg-type]
