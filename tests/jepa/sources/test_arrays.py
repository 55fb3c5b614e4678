"""Arrays of any rank as examples: what is taken, what is refused, parts, normalization, and files of them."""

import copy
import pickle
from pathlib import Path

import numpy as np
import pytest

from jepa.config.settings import SettingError
from jepa.errors import ConfigError, DataError
from jepa.parts import kind_of
from jepa.sources import ArrayFile, Arrays
from jepa.sources.examples import STEP, measured

SHAPES = [(3, 50), (1, 64), (3, 8, 8), (2, 4, 8, 8), (1, 2, 2, 2, 2)]


def series(n: int = 40, shape: tuple[int, ...] = (3, 50), seed: int = 0) -> np.ndarray:
    channels = np.arange(1.0, 1 + shape[0]).reshape(-1, *[1] * (len(shape) - 1))
    return 100 * channels + channels * np.random.default_rng(seed).normal(size=(n, *shape))


def every(source: Arrays) -> np.ndarray:
    return source.read(range(len(source)))


@pytest.mark.parametrize("shape", SHAPES)
def test_examples_of_any_rank(shape: tuple[int, ...]) -> None:
    x = series(shape=shape)
    source = Arrays(x)
    assert source.shape == shape and len(source) == 40 and source.labels is None and source.classes == []
    read = source.read([4, 1, -1])
    assert read.dtype == np.float32 and type(read) is np.ndarray
    np.testing.assert_array_equal(read, x[[4, 1, -1]].astype(np.float32))
    read[:] = 0
    assert x.min() > 0 and every(source).min() > 0, "an array of the caller's own"
    assert source.pictures.removeprefix("jepa.pictures.") == ("line" if len(shape) < 3 else "image")


@pytest.mark.parametrize("shape", SHAPES)
def test_a_network_sees_the_deviations_of_what_is_learned_from(shape: tuple[int, ...]) -> None:
    source = Arrays(series(shape=shape))
    train, val = source.split("train"), source.split("val")
    z = train.normalize(every(train))
    axes = (0, *range(2, z.ndim))
    np.testing.assert_allclose(z.mean(axis=axes), 0, atol=2e-3)
    np.testing.assert_allclose(z.std(axis=axes), 1, atol=1e-3)
    for part in (source, val):
        np.testing.assert_array_equal(part.normalize(every(train)), z)
    np.testing.assert_array_equal(train.normalize(every(train)[:, None])[:, 0], z)
    np.testing.assert_array_equal(train.normalize(every(train)[..., :2]), z[..., :2])


def test_numbers_that_are_said_are_taken() -> None:
    x = series()
    z = Arrays(x, mean=[1, 2, 3], std=(2.0,)).normalize(np.float32(x))
    np.testing.assert_allclose(z, (x - np.array([1, 2, 3])[:, None]) / 2, rtol=1e-5)
    half = Arrays(x, mean=(0,))
    assert half.scale[0] == 0 and half.scale[1].shape == (3,)
    with pytest.raises(DataError, match=r"source\.mean has 2 numbers, and the examples 3 channels"):
        Arrays(x, mean=(1, 2)).scale  # noqa: B018


def test_a_constant_channel_becomes_zero() -> None:
    x = series()
    x[:, 1], x[:, 2] = 0.1, -1e8
    z = Arrays(x).normalize(np.float32(x))
    assert np.isfinite(z).all() and abs(z[:, 1:]).max() < 1e-3


def test_mean_and_deviation_of_more_than_is_gone_through_at_once() -> None:
    x = (1000 + np.random.default_rng(0).normal(size=(9, 2, STEP // 8))).astype(np.float32)
    rows = np.array([8, 0, 2, 3, 7, 5, 6])
    mean, std = measured(x, rows)
    np.testing.assert_allclose(mean, x[rows].mean(axis=(0, 2), dtype=np.float64), rtol=1e-9)
    np.testing.assert_allclose(std, x[rows].std(axis=(0, 2), dtype=np.float64), rtol=1e-6)


def test_bytes_of_images_are_divided() -> None:
    x = np.random.default_rng(0).integers(0, 256, (12, 3, 6, 6), dtype=np.uint8)
    np.testing.assert_array_equal(every(Arrays(x)), np.divide(x, 255, dtype=np.float32))


@pytest.mark.parametrize("dtype", ["bool", "int8", "int64", "uint16", "float16", "float64", ">f4"])
def test_every_kind_of_number(dtype: str) -> None:
    x = (np.arange(60).reshape(10, 2, 3) % 2).astype(dtype)
    np.testing.assert_array_equal(every(Arrays(x)), x.astype(np.float32))


def test_what_else_is_an_array() -> None:
    assert Arrays([[[1, 2]], [[3, 4]]]).shape == (1, 2)
    flat = Arrays(np.zeros((5, 7)))
    assert flat.shape == (1, 7) and flat.remarks == ["x (float64, (5, 7)): each row is taken for one channel"]
    assert Arrays(series()).remarks == []


HOLE = series()
HOLE[3, 1, 7] = np.nan
REFUSED = [
    (HOLE, r"x \(float64, \(40, 3, 50\)\) has NaN or infinite numbers: take out those rows"),
    (np.full((2, 1, 3), np.inf, np.float16), "has NaN or infinite numbers"),
    (np.full((2, 1, 3), 1e300), "has NaN or infinite numbers"),
    (np.array([[[None]]]), r"x \(object, \(1, 1, 1\)\) holds no numbers to learn from"),
    (np.array([[["a"]]]), r"x \(<U1, \(1, 1, 1\)\) holds no numbers"),
    (np.zeros((2, 1, 3), complex), "holds no numbers to learn from: convert it to float32"),
    (np.zeros((2, 1, 3), "M8[s]"), "holds no numbers to learn from"),
    (np.zeros((0, 1, 3)), r"x \(float64, \(0, 1, 3\)\) holds no examples"),
    (np.zeros((4, 1, 0)), "holds no examples"),
    (np.zeros(4), r"holds no examples: it must be \(n, channels, length\) or of more axes"),
    (3.0, "holds no examples"),
    ([[[1, 2]], [[3]]], "x is no array: "),
    (np.zeros((9, 28, 28), np.uint8), r"images are \(n, channels, height, width\) here, x\[:, None\]"),
    (np.zeros((9, 28, 28, 3), np.uint8), r"here, x\.transpose\(0, 3, 1, 2\)"),
    ({"a": np.zeros((4, 1, 3)), "b": np.zeros((4, 1))[:, :0]}, r"x\['b'\] \(float64, \(4, 0\)\) holds no examples"),
    ({"a": np.zeros((4, 1, 3)), "b": np.zeros((5, 1, 3))}, r"need as many examples each; there are \[4, 5\]"),
    ({"labels": np.zeros((4, 1, 3))}, "an array of examples cannot be called 'labels'"),
    ({}, r"need as many examples each; there are \[\]"),
]


@pytest.mark.parametrize(("x", "said"), REFUSED)
def test_what_cannot_be_learned_from_is_refused_at_once(x: object, said: str) -> None:
    with pytest.raises(DataError, match=said) as caught:
        Arrays(x)
    assert "\n" not in str(caught.value)


LABELS = [
    ([3, 1, 1, 3], [1, 0, 0, 1], ["1", "3"]),
    ([-1, 1, 1, -1], [0, 1, 1, 0], ["-1", "1"]),
    (["dog", "cat", "cat", "dog"], [1, 0, 0, 1], ["cat", "dog"]),
    (["dog", None, "cat", "dog"], [1, -1, 0, 1], ["cat", "dog"]),
    (np.array(["b", "a", "a", "b"], dtype=object), [1, 0, 0, 1], ["a", "b"]),
    ([True, False, False, True], [1, 0, 0, 1], ["False", "True"]),
    ([None, None, None, None], [-1] * 4, []),
]


@pytest.mark.parametrize(("given", "labels", "classes"), LABELS)
def test_labels(tmp_path: Path, given: object, labels: list[int], classes: list[str]) -> None:
    source = Arrays(series(4), given)
    for found in (source, source.stored(tmp_path)):
        assert found.labels.dtype == np.int64 and found.labels.tolist() == labels and found.classes == classes


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([1, 2, 3], r"labels \(int64, \(3,\)\) must be one for each of the 4 examples"),
        ([[1], [2], [3], [4]], "must be one for each of the 4 examples"),
        ([0.5, 1.0, 2.0, 3.0], "must be whole numbers or texts, a class each"),
        ([{}, 1, 2, 3], "must be whole numbers or texts"),
    ],
)
def test_labels_that_do_not_fit(labels: object, said: str) -> None:
    with pytest.raises(DataError, match=said):
        Arrays(series(4), labels)


def test_a_share_of_each_class_is_held_out() -> None:
    labels = ["a"] * 30 + ["b"] * 10
    source = Arrays(series(), labels, validation=0.2)
    train, val = source.split("train"), source.split("val")
    assert np.bincount(val.labels).tolist() == [6, 2] and sorted(train.names + val.names) == sorted(source.names)
    assert train.names != [str(k) for k in range(32)], "it is not the first rows"
    assert val.names == Arrays(series(), labels, validation=0.2).split("val").names
    np.testing.assert_array_equal(every(val), every(source)[[int(name) for name in val.names]])
    assert train.split("val") is val and repr(val) == "Arrays(val: 8 examples of 2 classes, (3, 50))"
    more = Arrays(series(41), [*labels, "b"], validation=0.2).split("val")
    assert len(set(val.names) ^ set(more.names)) <= 2, "one more row moves hardly any other"


def test_a_limit_keeps_the_shares() -> None:
    source = Arrays(series(), ["a"] * 30 + ["b"] * 10, limit=8)
    for part in (source, source.split("train")):
        assert np.bincount(part.labels).tolist() == [6, 2] and part.names == sorted(part.names, key=int)
    assert len(source.split("val")) == 4


def test_one_example_cannot_be_divided() -> None:
    with pytest.raises(DataError, match="1 example cannot be divided into some to learn from and some held out"):
        len(Arrays(series(1)).split("train"))
    with pytest.raises(SettingError, match="validation=1: must lie between 0 and 1"):
        Arrays(series(), validation=1)


def test_a_fingerprint_is_of_numbers_and_labels() -> None:
    x, labels = series(), ["a"] * 20 + ["b"] * 20
    source = Arrays(x, labels)
    assert source.fingerprint() == Arrays(x.copy(), labels).fingerprint()
    changed = x.copy()
    changed[-1, -1, -1] += 1
    others = [Arrays(changed, labels), Arrays(x), Arrays(x, labels[::-1]), Arrays(x.astype(np.float32), labels)]
    marks = {other.fingerprint() for other in (source, *others, source.split("train"), source.split("val"))}
    assert len(marks) == 7


def test_copies_and_pickles_are_the_same() -> None:
    source = Arrays(series(), [0, 1] * 20, limit=7)
    for other in (pickle.loads(pickle.dumps(source)), copy.deepcopy(source)):
        assert other.fingerprint() == source.fingerprint() and other.settings == source.settings
        np.testing.assert_array_equal(every(other.split("train")), every(source.split("train")))


def test_several_arrays_by_name(tmp_path: Path) -> None:
    sound, light = series(20, (1, 30)), series(20, (3, 4, 4))
    source = Arrays({"sound": sound, "light": light}, [0, 1] * 10)
    for found in (source, source.stored(tmp_path)):
        assert found.shape == {"sound": (1, 30), "light": (3, 4, 4)} and len(found) == 20
        train = found.split("train")
        read = train.normalize(every(train))
        assert list(read) == ["sound", "light"]
        for x in read.values():
            np.testing.assert_allclose([x.mean(), x.std()], [0, 1], atol=2e-3)
        assert found.fingerprint() == source.fingerprint()


def test_in_memory_and_stored_are_the_same(tmp_path: Path) -> None:
    source = Arrays(series(), ["b", "a"] * 20, validation=0.3, limit=9, std=(2.0,))
    stored = source.stored(tmp_path / "run")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["source.npz"]
    assert stored.settings.path == str(tmp_path / "run" / "source.npz") and stored.stored("x") is stored
    for part in ("train", "val"):
        a, b = source.split(part), stored.split(part)
        assert a.names == b.names and a.fingerprint() == b.fingerprint() and a.classes == b.classes
        np.testing.assert_array_equal(a.labels, b.labels)
        np.testing.assert_array_equal(a.normalize(every(a)), b.normalize(every(b)))


def test_an_npy_is_mapped_when_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = ArrayFile(tmp_path / "x.npy", labels=str(tmp_path / "y.npy"))
    np.save(tmp_path / "x.npy", series())
    np.save(tmp_path / "y.npy", np.arange(40) % 4)
    assert source.shape == (3, 50) and source.classes == ["0", "1", "2", "3"]
    assert isinstance(source.held.arrays[""], np.memmap) and kind_of(tmp_path / "x.npy") == "array"
    monkeypatch.chdir(tmp_path)
    short = ArrayFile("x.npy", labels="y.npy")
    assert short.located() == source.settings and short.where == source.where == str(tmp_path / "x.npy")
    assert short.fingerprint() == source.fingerprint()


def test_which_array_of_an_npz(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, y=[0, 1] * 20, first=series(), x=series(shape=(1, 9)), kind=np.array(["p", "q"] * 20))
    assert ArrayFile(path).shape == (1, 9) and ArrayFile(path).labels.tolist() == [0, 1] * 20
    assert ArrayFile(path, key="first", labels="kind").classes == ["p", "q"]
    assert ArrayFile(path, key="first, x").shape == {"first": (3, 50), "x": (1, 9)}
    with pytest.raises(DataError, match=r"a\.npz has no array z; it has y, first, x, kind"):
        ArrayFile(path, key="z").shape  # noqa: B018
    with pytest.raises(DataError, match=r"a\.npz has no array z"):
        ArrayFile(path, labels="z").labels  # noqa: B018
    np.savez(tmp_path / "b.npz", spectra=series())
    assert ArrayFile(tmp_path / "b.npz").shape == (3, 50)
    np.savez(tmp_path / "c.npz", y=[1])
    with pytest.raises(DataError, match="has no array of examples"):
        ArrayFile(tmp_path / "c.npz").shape  # noqa: B018


def damaged(folder: Path) -> dict[str, tuple[Path, str]]:
    np.save(folder / "whole.npy", series())
    np.savez(folder / "whole.npz", x=series())
    np.save(folder / "objects.npy", np.array([[[None]]]), allow_pickle=True)
    np.savez(folder / "objects.npz", x=np.array([[[print]]]))
    np.save(folder / "hole.npy", HOLE)
    (folder / "cut.npy").write_bytes((folder / "whole.npy").read_bytes()[:-100])
    (folder / "cut.npz").write_bytes((folder / "whole.npz").read_bytes()[:-100])
    (folder / "text.npy").write_text("1, 2, 3")
    (folder / "empty.npz").write_bytes(b"")
    return {
        "no file": (folder / "gone.npy", r"there is no file .*gone\.npy"),
        "a folder": (folder, "is no regular file"),
        "objects": (folder / "objects.npy", "it holds Python objects, which are not unpickled"),
        "objects in an npz": (folder / "objects.npz", "it holds Python objects, which are not unpickled"),
        "a hole": (folder / "hole.npy", r"hole\.npy \(float64, \(40, 3, 50\)\) has NaN"),
        "cut": (folder / "cut.npy", r"cannot read .*cut\.npy as a file of NumPy's"),
        "cut npz": (folder / "cut.npz", r"cannot read .*cut\.npz as a file of NumPy's"),
        "text": (folder / "text.npy", r"cannot read .*text\.npy as a file of NumPy's: it does not begin like one"),
        "empty": (folder / "empty.npz", r"cannot read .*empty\.npz"),
    }


@pytest.mark.parametrize("name", [
    "no file", "a folder", "objects", "objects in an npz", "a hole", "cut", "cut npz", "text", "empty",
])  # fmt: skip
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    path, said = damaged(tmp_path)[name]
    with pytest.raises(DataError, match=said) as caught:
        len(ArrayFile(path))
    assert "\n" not in str(caught.value)


def test_settings_that_do_not_fit_a_file(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", series())
    with pytest.raises(DataError, match=r"source\.key=a: .*x\.npy is one array without a name"):
        ArrayFile(tmp_path / "x.npy", key="a").shape  # noqa: B018
    with pytest.raises(DataError, match=r"source\.labels=y: .*name an \.npy file of labels"):
        ArrayFile(tmp_path / "x.npy", labels="y").labels  # noqa: B018
    with pytest.raises(ConfigError, match=r"source=array needs source\.path=PATH; in Python, ArrayFile\(path\)"):
        ArrayFile()
    np.savez(tmp_path / "p.npz", x=series(4), labels=[0, 1, 2, 5], classes=["a", "b", "c"])
    with pytest.raises(DataError, match="must be positions in the 3 classes, or -1"):
        ArrayFile(tmp_path / "p.npz").labels  # noqa: B018


def test_another_file_is_normalized_as_this_one(tmp_path: Path) -> None:
    source = Arrays(series(), validation=0.2)
    np.save(tmp_path / "other.npy", 5 * series(seed=1))
    other = source.at(tmp_path / "other.npy")
    assert other.settings.validation == 0.2 and other.split("val").scale is source.scale
