"""Image folders of every layout: splits, labels, sizes, and what is said when something is wrong."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jepa.config.settings import SettingError
from jepa.errors import ConfigError, DataError
from jepa.parts import kind_of
from jepa.sources import ImageFolder
from jepa.sources.images.inspect import inspect
from jepa.sources.images.listing import list_images
from jepa.sources.images.square import square
from jepa.transforms import crop_resize
from tests.jepa.sources.folders import decode, opened, pixels


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
    images = opened(make(tmp_path, per_class=3), size=8)
    assert images.classes == ["a", "b", "c"]
    assert (
        images.labels is not None
        and images.labels.dtype == np.int64
        and images.labels.tolist() == [0] * 3 + [1] * 3 + [2] * 3
    )
    assert images.paths == sorted(images.paths) and len(images) == 9
    for i, path in enumerate(images.paths):
        np.testing.assert_array_equal(images.read([i])[0], decode(path))
        assert images.classes[images.labels[i]] == path.parent.name
    np.testing.assert_array_equal(pixels(images), np.stack([images.read([i])[0] for i in range(9)]))
    np.testing.assert_array_equal(images.read([4, 1]), np.stack([images.read([4])[0], images.read([1])[0]]))
    assert pixels(images).dtype == np.float32 and repr(images).endswith(": 9 examples of 3 classes, (3, 8, 8))")


def test_a_flat_folder_has_no_labels(tmp_path: Path) -> None:
    for i in range(4):
        save(tmp_path / f"{i}.PNG")
    save(tmp_path / ".hidden.png")
    images = opened(tmp_path, size=8)
    assert len(images) == 4 and images.labels is None and images.classes == []


def test_images_deep_below_a_class_belong_to_it(tmp_path: Path) -> None:
    save(tmp_path / "cat" / "home" / "old" / "1.png")
    save(tmp_path / "dog" / "1.jpg")
    images = opened(tmp_path)
    assert images.labels is not None and [images.classes[k] for k in images.labels] == ["cat", "dog"]


@pytest.mark.parametrize("name", ["val", "valid", "validation", "test"])
def test_own_splits(tmp_path: Path, name: str) -> None:
    make(tmp_path / "train", per_class=2, classes=("a", "b"))
    make(tmp_path / name, per_class=1, classes=("b", "z"))
    (tmp_path / "labels.csv").write_text("file\n")
    train, val = (opened(tmp_path, split=split) for split in ("train", "val"))
    assert train.classes == val.classes == ["a", "b", "z"], "one numbering for all splits"
    assert train.labels is not None and train.labels.tolist() == [0, 0, 1, 1]
    assert val.labels is not None and val.labels.tolist() == [1, 2]
    assert len(opened(tmp_path)) == 6


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    images = opened(make(tmp_path, per_class=2, classes=("plane", "train")))
    assert images.classes == ["plane", "train"] and len(images) == 4


@pytest.mark.parametrize("validation", [0.1, 0.25, 0.5])
def test_held_out_share(tmp_path: Path, validation: float) -> None:
    make(tmp_path)
    train, val = (opened(tmp_path, split=s, validation=validation) for s in ("train", "val"))
    assert sorted(train.paths + val.paths) == opened(tmp_path).paths and not set(train.paths) & set(val.paths)
    assert val.labels is not None and set(Counter(val.labels.tolist()).values()) == {round(20 * validation)}, (
        "each class"
    )
    again = opened(tmp_path, split="val", validation=validation)
    assert again.paths == val.paths


def test_few_images_of_many_classes_still_give_a_validation_part(tmp_path: Path) -> None:
    make(tmp_path, per_class=2, classes=("a", "b", "c", "d"))
    val = opened(tmp_path, split="val", validation=0.3)
    assert len(val) == 2 and val.labels is not None and len(set(val.labels.tolist())) == 2


def test_one_more_file_moves_hardly_any_other(tmp_path: Path) -> None:
    make(tmp_path)
    before = set(opened(tmp_path, split="val").paths)
    new = save(tmp_path / "a" / "0.png")
    after = set(opened(tmp_path, split="val").paths)
    assert len(before ^ (after - {new})) <= 2


def test_splits_in_capitals_a_train_alone_and_what_is_not_used(tmp_path: Path) -> None:
    for split in ("Train", "VAL", "test"):
        make(tmp_path / "three" / split, per_class=2)
    assert len(opened(tmp_path / "three", split="val")) == 6
    assert list_images(tmp_path / "three").unused == ["test"]
    assert "not used       test/" in str(inspect(tmp_path / "three"))
    make(tmp_path / "alone" / "train")
    images = opened(tmp_path / "alone", split="train")
    assert images.classes == ["a", "b", "c"] and len(images) == 54


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    make(tmp_path / "real", per_class=2)
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "x").symlink_to(tmp_path / "real" / "a")
    (tmp_path / "linked" / "y").symlink_to(tmp_path / "real" / "b")
    (tmp_path / "real" / "a" / "up").symlink_to(tmp_path / "real")
    images = opened(tmp_path / "linked")
    assert images.classes == ["x", "y"]
    assert len(images) >= 4


def test_the_split_does_not_depend_on_a_broken_file(tmp_path: Path) -> None:
    make(tmp_path)
    before = {s: set(opened(tmp_path, split=s).paths) for s in ("train", "val")}
    broken = min(before["train"])
    broken.write_bytes(b"")
    after = {s: set(opened(tmp_path, split=s, on_error="skip").paths) for s in ("train", "val")}
    assert after == {"train": before["train"] - {broken}, "val": before["val"]}


def test_limit_keeps_the_shares(tmp_path: Path) -> None:
    make(tmp_path)
    images = opened(tmp_path, limit=9)
    assert images.labels is not None and Counter(images.labels.tolist()) == {0: 3, 1: 3, 2: 3}
    assert images.paths == sorted(images.paths) == opened(tmp_path, limit=9).paths
    assert len(opened(tmp_path, limit=1000)) == 60


def test_limit_keeps_the_shares_of_unequal_classes(tmp_path: Path) -> None:
    make(tmp_path, per_class=30, classes=("a",))
    make(tmp_path, per_class=10, classes=("b",))
    for limit in (4, 8, 20):
        images = opened(tmp_path, limit=limit)
        assert images.labels is not None and np.bincount(images.labels).tolist() == [limit * 3 // 4, limit // 4]


def test_other_sizes_are_resized(tmp_path: Path) -> None:
    path = save(tmp_path / "a" / "1.png", size=(20, 50))
    save(tmp_path / "a" / "2.png", size=(3, 5))
    images = opened(tmp_path, size=16)
    assert pixels(images).shape == (2, 3, 16, 16)
    expected = crop_resize(decode(path)[None], [(0, 0, 20, 50)], 16)[0]
    np.testing.assert_allclose(images.read([0])[0], expected, atol=1.01 / 255)  # Pillow rounds to bytes along each axis


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    "size, box",
    [((10, 20), (4, 0, 8, 16)), ((40, 8), (0, 6, 16, 3)), ((100, 1), (0, 7, 16, 1)), ((5, 5), (0, 0, 16, 16))],
)
def test_padding(tmp_path: Path, size: tuple[int, int], box: tuple[int, int, int, int], channels: int) -> None:
    path = save(tmp_path / "1.png", size=size)
    padded = square(path, 16, fit="pad", ground=(1, 0, 0), channels=channels) / np.float32(255)
    top, left, height, width = box
    valid = np.zeros((16, 16), bool)
    valid[top : top + height, left : left + width] = True
    ground = [0.299] if channels == 1 else [1, 0, 0]
    np.testing.assert_allclose(
        padded[:, ~valid], np.broadcast_to(np.array(ground)[:, None], (channels, (~valid).sum())), atol=0.51 / 255
    )
    inside = crop_resize(decode(path, channels=channels)[None], [(0, 0, *size)], (height, width))[0]
    np.testing.assert_allclose(padded[:, top : top + height, left : left + width], inside, atol=1.51 / 255)
    white = square(path, 16, fit="pad", channels=channels) / np.float32(255)
    assert (white[:, ~valid] == 1).all()
    np.testing.assert_array_equal(opened(tmp_path, size=16, fit="pad", channels=channels).read([0])[0], white)


def test_sixteen_bits_are_kept(tmp_path: Path) -> None:
    save(tmp_path / "1.png")
    Image.fromarray(np.full((8, 8), 12345, np.uint16)).save(tmp_path / "2.png")
    save(tmp_path / "3.png")
    images = opened(tmp_path, size=8)
    np.testing.assert_allclose(images.read([1])[0], 12345 / 65535, rtol=1e-6)
    for i in (0, 2):
        np.testing.assert_array_equal(images.read([i])[0], decode(images.paths[i]))


def test_the_cache_cannot_be_changed_from_outside(tmp_path: Path) -> None:
    Image.fromarray(np.full((8, 8), 12345, np.uint16)).save(tmp_path / "1.png")
    images = opened(tmp_path, size=8)
    pixels(images)[:] = 0
    images.read([0])[0][:] = 0
    assert images.read([0])[0].min() > 0


def test_bad_files_stop_or_are_skipped(tmp_path: Path) -> None:
    make(tmp_path, per_class=2)
    (tmp_path / "a" / "zz.png").write_text("no image")
    (tmp_path / "b" / "zz.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=r"a/zz\.png: it is a text file.*source\.on_error=skip"):
        opened(tmp_path)
    images = opened(tmp_path, on_error="skip")
    assert [(path.name, reason) for path, reason in images.content.failed] == [
        ("zz.png", "it is a text file, no image"),
        ("zz.jpg", "it is empty (0 bytes)"),
    ]
    assert len(images) == len(images.paths) == len(pixels(images)) == 6
    assert images.labels is not None and images.labels.tolist() == [0, 0, 1, 1, 2, 2]
    said = images.skipped
    assert said.startswith("skipped 2 of 8 images") and "zz.jpg (it is empty (0 bytes))" in said
    (tmp_path / "a" / "zz.png").unlink()
    assert opened(tmp_path / "a", on_error="skip").skipped == ""


def test_many_bad_files_are_counted(tmp_path: Path) -> None:
    save(tmp_path / "good.png")
    for i in range(13):
        (tmp_path / f"{i}.png").write_bytes(b"")
    assert opened(tmp_path, on_error="skip").skipped.endswith("and 3 more")


def test_nothing_readable(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"none of the 1 images .* can be read.*1\.png \(it is empty"):
        opened(tmp_path, on_error="skip")


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
        opened(build(tmp_path))


def test_no_validation_images(tmp_path: Path) -> None:
    make(tmp_path)
    with pytest.raises(SettingError, match="validation=0: must lie between 0 and 1, both excluded"):
        opened(tmp_path, split="val", validation=0)


@pytest.mark.parametrize("name", ["on_error", "fit", "range"])
def test_misspelt_settings(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingError, match=f"{name}='nonsense': expected one of"):
        ImageFolder(tmp_path, **{name: "nonsense"})
    with pytest.raises(DataError, match="there is no part 'nonsense' of a source: it is one of 'train', 'val'"):
        ImageFolder(tmp_path).split("nonsense")


@pytest.mark.parametrize("size", [(20, 50), (33, 8), (9, 9), (1, 90)])
def test_the_middle_is_cut_out(tmp_path: Path, size: tuple[int, int]) -> None:
    path = save(tmp_path / "1.png", size=size)
    side = min(size)
    top, left = ((length - side) // 2 for length in size)
    expected = crop_resize(decode(path)[None], [(top, left, side, side)], 16)[0]
    np.testing.assert_allclose(opened(tmp_path, size=16, fit="crop").read([0])[0], expected, atol=1.01 / 255)


def test_nothing_is_opened_before_it_is_asked_for(tmp_path: Path) -> None:
    source = ImageFolder(tmp_path / "nowhere", size=12, channels=1)
    assert source.shape == source.split("val").shape == (1, 12, 12)
    assert source.normalize(np.ones((2, 1, 12, 12), np.float32)).max() == 2
    assert source.missing == str(tmp_path / "nowhere")
    with pytest.raises(DataError, match="there is no folder"):
        len(source)


def test_a_folder_must_be_named() -> None:
    with pytest.raises(ConfigError, match=r"source=folder needs source\.root=PATH; in Python, ImageFolder\(path\)"):
        ImageFolder()


RANGES = [
    ({}, 0.5, 0.25),
    ({"range": "0..1"}, 0, 1),
    ({"range": "-1..1"}, 0.5, 0.5),
    ({"mean": (0.1, 0.2, 0.3)}, (0.1, 0.2, 0.3), 0.25),
    ({"channels": 1, "mean": (0.4, 0.4, 0.4), "std": 0.2}, 0.4, 0.2),
]


@pytest.mark.parametrize(("settings", "mean", "std"), RANGES)
def test_what_a_network_sees(tmp_path: Path, settings: dict[str, object], mean: object, std: object) -> None:
    settings = {name: (value,) if isinstance(value, float) else value for name, value in settings.items()}
    save(tmp_path / "1.png")
    source = opened(tmp_path, size=8, **settings)
    x = pixels(source)
    mean, std = (np.reshape(v, (-1, 1, 1)) for v in (mean, std))
    for y, z in ((x, source.normalize(x)), (x[:, None], source.normalize(x[:, None])), (x[0], source.normalize(x[0]))):
        np.testing.assert_allclose(z, (y - mean) / std, atol=1e-6)
        assert z.dtype == np.float32
    np.testing.assert_array_equal(x, pixels(source))


def test_numbers_for_two_of_three_channels() -> None:
    with pytest.raises(SettingError, match="needs one number, or one for each of channels=3"):
        ImageFolder("x", mean=(0.1, 0.2))


def test_a_fingerprint_is_of_names_and_sizes(tmp_path: Path) -> None:
    make(tmp_path / "here")
    before = ImageFolder(tmp_path / "here").fingerprint()
    (tmp_path / "here").rename(tmp_path / "there")
    moved = ImageFolder(tmp_path / "there")
    assert moved.fingerprint() == before and moved.split("train").fingerprint() != moved.split("val").fingerprint()
    (tmp_path / "there" / "a" / "00.png").rename(tmp_path / "there" / "a" / "0.png")
    renamed = ImageFolder(tmp_path / "there").fingerprint()
    save(tmp_path / "there" / "a" / "01.png", size=(9, 9))
    assert len({before, renamed, ImageFolder(tmp_path / "there").fingerprint()}) == 3


def test_the_parts_are_made_once_and_know_each_other(tmp_path: Path) -> None:
    source = ImageFolder(make(tmp_path))
    train = source.split("train")
    assert train is source.split("train") and train.split("val") is source.split("val")
    assert len(source) == len(train) + len(train.split("val")) == 60 and train.listing is source.listing


def test_another_place_is_read_as_this_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "a")
    make(tmp_path / "b", per_class=2)
    source = ImageFolder(tmp_path / "a", size=8, channels=1, range="-1..1")
    other = source.at(tmp_path / "b")
    assert len(other) == 6 and other.shape == (1, 8, 8) and other.scale == source.scale
    assert other.settings == ImageFolder(tmp_path / "b", size=8, channels=1, range="-1..1").settings
    monkeypatch.chdir(tmp_path)
    assert ImageFolder("a").located().root == str(tmp_path / "a") and ImageFolder("a").where == str(tmp_path / "a")
    assert kind_of("a") == "folder" and source.stored(tmp_path) is source
    np.save(tmp_path / "x.npy", np.zeros((10, 2, 8, 8)))
    with pytest.raises(DataError, match=r"x\.npy has examples of \(2, 8, 8\), and \(1, 8, 8\) are wanted"):
        source.at("x.npy")
    with pytest.raises(ConfigError, match="is not there"):
        kind_of("gone")
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(ConfigError, match="is no source: it would be .* a folder of images .*an .npy or .npz file"):
        kind_of("notes.txt")
