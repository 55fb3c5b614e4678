"""Series in files and folders: what is read, what is said of it, and what is refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from jepa.errors import ConfigError, DataError
from jepa.parts import kind_of
from jepa.sources.base import Source
from jepa.sources.series.mnist1d import MNIST1D
from jepa.sources.series.source import Series

TS = """# a comment
@problemName Two
@timestamps false
@univariate false
@classLabel true up down
@data
1,2,3:4,5,6:up
1,?,3,4:4,5,6,7:down
"""


def every(source: Source) -> np.ndarray:
    x: np.ndarray = source.read(range(len(source)))
    return x


def folder(root: Path, files: dict[str, str | np.ndarray]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            path.write_text(content)
        else:
            np.save(path, content)
    return root


def test_a_folder_of_classes(tmp_path: Path) -> None:
    root = folder(
        tmp_path,
        {
            "up/a.csv": "time one,two\n0,10\n1,11\n2,NaN\n",
            "up/b.csv": "0;1\n5;\n7;8\n",
            "down/c.npy": np.arange(8).reshape(2, 4),
        },
    )
    source = Series(root)
    assert kind_of(root) == "series" and source.classes == ["down", "up"] and source.shape == (2, 4)
    assert source.names == ["down/c.npy", "up/a.csv", "up/b.csv"] and source.labels.tolist() == [0, 1, 1]
    nan = np.nan
    expected = [[[0, 1, 2, 3], [4, 5, 6, 7]], [[0, 1, 2, nan], [10, 11, nan, nan]], [[0, 5, 7, nan], [1, nan, 8, nan]]]
    np.testing.assert_array_equal(every(source), np.float32(expected))
    assert source.gaps and source.remarks == [
        "3 to 4 samples: shorter ones are filled up (a gap)",
        "2 of 3 series have missing values (10 % of all): gaps",
    ]


@pytest.mark.parametrize(
    "suffix, text", [(".tsv", "1\t1\t2\t3\n-1\t4\t5\tNaN\n"), (".txt", "  1.0e+0  1 2 3\n -1.0 4 5\n")]
)
def test_lines_of_the_ucr_archive_and_official_parts(suffix: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / f"Some_TRAIN{suffix}"
    path.write_text(text)
    path.with_name(f"Some_TEST{suffix}").write_text("1\t0\t0\t0\n")
    source = Series(path)
    train, val = source.split("train"), source.split("val")
    assert kind_of(path) == kind_of(tmp_path) == "series" and source.classes == ["-1", "1"]
    assert train.names == [f"Some_TRAIN{suffix}:1", f"Some_TRAIN{suffix}:2"] and val.names == [f"Some_TEST{suffix}:1"]
    np.testing.assert_array_equal(every(train), np.float32([[[1, 2, 3]], [[4, 5, np.nan]]]))
    chosen = Series(path, official=False, validation=0.5)
    assert len(chosen) == 2 and len(chosen.split("train")) == len(chosen.split("val")) == 1
    assert Series(tmp_path).fingerprint() == source.fingerprint() != chosen.fingerprint()


def test_lines_of_the_uea_archive(tmp_path: Path) -> None:
    path = folder(tmp_path, {"two.ts": TS}) / "two.ts"
    source = Series(path)
    assert source.classes == ["down", "up"] and source.labels.tolist() == [1, 0]
    np.testing.assert_array_equal(every(source)[1], np.float32([[1, np.nan, 3, 4], [4, 5, 6, 7]]))
    assert np.isnan(every(source)[0, :, 3]).all()


def test_lengths_are_fitted(tmp_path: Path) -> None:
    root = folder(tmp_path, {"a.npy": np.arange(10.0), "b.npy": np.arange(5.0)})
    assert Series(root).labels is None
    np.testing.assert_array_equal(every(Series(root, length=4))[:, 0], [[0, 1, 2, 3]] * 2)
    np.testing.assert_array_equal(every(Series(root, length=9, fit="resample"))[1, 0], np.arange(9) / 2)
    cut = Series(root, length=2, fit="windows", validation=0.4)
    assert [name for part in ("train", "val") for name in cut.split(part).names] == [
        *["a.npy[0:2]", "a.npy[2:4]", "a.npy[4:6]", "b.npy[0:2]"],
        *["a.npy[6:8]", "a.npy[8:10]", "b.npy[2:4]"],
    ]
    normed = every(Series(root, norm="series"))
    np.testing.assert_allclose(np.nanmean(normed, axis=2), 0, atol=1e-6)
    np.testing.assert_allclose(np.nanstd(normed, axis=2), 1, rtol=1e-6)
    assert Series(root, length=7).remarks == [
        "5 to 10 samples: shorter ones are filled up (a gap); longer ones are cut off at 7"
    ]


def test_another_place_is_read_alike(tmp_path: Path) -> None:
    first = folder(tmp_path / "first", {"a.npy": np.arange(10.0), "b.npy": np.ones(5)})
    second = folder(tmp_path / "second", {"a.npy": np.arange(30.0), "b.npy": np.arange(3.0)})
    source = Series(first)
    found = source.at(second)
    assert found.shape == (1, 10) and found.scale == source.scale


BAD: dict[str, tuple[str, str | np.ndarray, str]] = {
    "nothing in it": ("a.csv", "", "it is empty"),
    "a heading alone": ("a.csv", "one,two\n", "it is empty"),
    "a text in a column": (
        "a.csv",
        "x,y\n1,2\n3,four\n",
        r"column 2 \('y'\) has 'four' in row 3, and numbers are wanted",
    ),
    "rows of two lengths": ("a.csv", "1,2\n3\n", "row 2 has 1 columns, and row 1 has 2"),
    "one sample": ("a.csv", "1,2\n", "it has one sample, and a series needs 2 at least"),
    "nothing but gaps": ("a.csv", "x\nNaN\n\nNA\n", "nothing but missing values"),
    "infinite": ("a.npy", np.array([0, np.inf]), "infinite numbers"),
    "too large": ("a.npy", np.array([0, 1e300]), "beyond those of 32 bits"),
    "too many axes": ("a.npy", np.zeros((2, 3, 4, 5)), r"it holds float64 \(2, 3, 4, 5\)"),
    "texts": ("a.npy", np.array(["a", "b"]), "it holds <U1"),
    "no array": ("a.npy", "a text", "cannot be read as an array"),
    "no text": ("a.csv", np.zeros(3), "no text in UTF-8"),
    "other channels": ("a.csv", "1,2,3\n4,5,6\n", "it has 2 channels, and a.csv has 3"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_is_no_series_is_named(what: str, tmp_path: Path) -> None:
    name, content, said = BAD[what]
    path = tmp_path / name
    if isinstance(content, str):
        path.write_text(content)
    else:
        with path.open("wb") as file:
            np.save(file, content)
    other = what == "other channels"
    good = {"b.csv": "1,2\n3,4\n5,6\n", "c.csv": "1,2\n3,4\n4,4\n"}
    folder(tmp_path, good | ({"d.csv": "1,2,3\n4,5,6\n"} if other else {}))
    with pytest.raises(DataError, match=said) as caught:
        len(Series(tmp_path))
    assert "\n" not in str(caught.value) and "source.on_error=skip" in str(caught.value)
    source = Series(tmp_path, on_error="skip")
    bad = 2 if other else 1
    assert source.names == (["a.csv", "d.csv"] if other else ["b.csv", "c.csv"])
    assert f"skipped {bad} series" in source.skipped
    report = Series.inspect(tmp_path)
    assert len(report.bad) == bad and "samples, median" in str(report)


LINES: dict[str, tuple[str, str]] = {
    "a text among numbers": ("1\t2\t3\n1\t2\tx\n", r"set.tsv:2 cannot be read as a series: 'x' stands at sample 2"),
    "an empty file": ("", "has no series"),
    "no numbers": ("1\n", "it is empty"),
}


@pytest.mark.parametrize("what", LINES)
def test_lines_that_are_no_series_are_named(what: str, tmp_path: Path) -> None:
    path = tmp_path / "set.tsv"
    path.write_text(LINES[what][0])
    with pytest.raises(DataError, match=LINES[what][1]):
        len(Series(path))


@pytest.mark.parametrize(
    "make, said",
    [
        (lambda root: Series(root / "none"), "no folder and no file of series"),
        (lambda root: Series(folder(root, {"a.txt": "text"})), "no series in"),
        (lambda root: Series(folder(root, {"a_TRAIN.tsv": "1\t2\t3\n", "b_TRAIN.tsv": "1\t2\t3\n"})), "several sets"),
        (lambda root: Series(folder(root, {"a.ts": "@timestamps true\n@data\n"}) / "a.ts"), "times beside its values"),
        (lambda root: Series(folder(root, {"a.ts": "1,2,3\n"}) / "a.ts"), "before a line @data"),
        (lambda root: Series(folder(root, {"a.npy": np.ones(5)}), fit="resample"), "say how many samples"),
        (lambda root: Series(folder(root, {"a.npy": np.ones(5)}), fit="windows", length=9), "longer than every series"),
    ],
)
def test_places_without_series(make: Callable[[Path], Series], said: str, tmp_path: Path) -> None:
    with pytest.raises((DataError, ConfigError), match=said):
        len(make(tmp_path))


def test_what_cannot_be_learned_from_can_be_looked_at(tmp_path: Path) -> None:
    report = Series.inspect(folder(tmp_path, {"a.csv": "1\n2\n", "b.csv": "x\n"}))
    assert report.bad == ["b.csv: it is empty"] and "1 channels; 2 to 2 samples" in str(report)


def test_folders_of_other_things_are_not_taken(tmp_path: Path) -> None:
    clips = folder(tmp_path / "clips", {"a.npy": np.zeros((2, 3, 4))})
    texts = folder(tmp_path / "texts", {"a.txt": "words"})
    images = folder(tmp_path / "images", {"labels.csv": "1,2", **{f"train/{k}.png": "" for k in range(9)}})
    assert (
        not Series.takes(images)
        and not Series.takes(clips)
        and not Series.takes(texts)
        and not Series.takes(texts / "a.txt")
    )


def test_mnist1d_is_the_published_set() -> None:
    """Its first and last series, and the accuracy that its authors give for the nearest ten: 59.6 %."""
    source = MNIST1D()
    train, val = source.split("train"), source.split("val")
    assert len(train) == 4000 and len(val) == 1000 and source.shape == (1, 40)
    assert np.bincount(source.labels).tolist() == [500] * 10
    x, z = every(train)[:, 0].astype(np.float64), every(val)[:, 0].astype(np.float64)
    both = np.concatenate([x, z])
    assert abs(both.mean()) < 1e-6 and abs(both.std() - 1) < 1e-6
    squared = (z**2).sum(1)[:, None] - 2 * z @ x.T + (x**2).sum(1)
    near = train.labels[np.argsort(squared, axis=1, kind="stable")[:, :10]]
    votes = np.array([np.bincount(row, minlength=10).argmax() for row in near])  # a tie: the smallest class
    assert np.mean(votes == val.labels) == 0.596
    assert MNIST1D(official=False).split("train").names[0] == "0" and len(MNIST1D(official=False)) == 4000


def test_mnist1d_is_written_as_the_archive_has_its_sets(tmp_path: Path) -> None:
    source = MNIST1D(count=50)
    written = Series(source.write(tmp_path / "set"))
    for part in ("train", "val"):
        mine, its = source.split(part), written.split(part)
        np.testing.assert_array_equal(every(mine), every(its))
        assert mine.labels.tolist() == its.labels.tolist()
