"""What took long to read is found again: the same pixels, never those of other files, and never an obstacle."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jepa.sources.folder import ImageFolder
from jepa.sources.images import reading, store
from tests.jepa.sources import folders
from tests.jepa.sources.folders import pixels


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, in which everything counts as slow."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(store, "SLOW", -1.0)
    return tmp_path / "cache" / "minitensor-jepa"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for k in range(20):
        path = tmp_path / "images" / "ab"[k % 2] / f"{k}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(k).integers(0, 256, (12 + k, 20, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    (tmp_path / "images" / "a" / "bad.png").write_bytes(b"")
    return tmp_path / "images"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were read."""
    paths: list[Path] = []
    real = reading.square

    def square(path: Path, *args: object, **settings: object) -> object:
        paths.append(path)
        return real(path, *args, **settings)

    monkeypatch.setattr(reading, "square", square)
    return paths


def images(root: Path, **settings: object) -> ImageFolder:
    return folders.opened(root, **{"size": 8, "on_error": "skip", "fit": "pad", **settings})


def assert_same(a: ImageFolder, b: ImageFolder) -> None:
    np.testing.assert_array_equal(pixels(a), pixels(b))
    assert a.paths == b.paths and a.skipped == b.skipped


def files(cache: Path) -> list[Path]:
    return sorted(cache.glob("*"))


def test_a_second_look_reads_nothing_but_what_is_bad(root: Path, cache: Path, opened: list[Path]) -> None:
    first = images(root)
    assert len(opened) == 21 and len(files(cache)) == 1
    opened.clear()
    assert_same(images(root), first)
    assert [path.name for path in opened] == ["bad.png"]


def test_the_parts_of_a_folder_share_what_was_read(root: Path, cache: Path, opened: list[Path]) -> None:
    train, val = images(root, split="train"), images(root, split="val")
    assert len(files(cache)) == 1
    opened.clear()
    whole = images(root)
    assert [path.name for path in opened] == ["bad.png"] and len(whole) == 20
    assert_same(images(root, split="train"), train)
    assert_same(images(root, split="val"), val)
    assert_same(images(root, limit=5), images(root, limit=5))
    by_path = dict(zip(whole.paths, pixels(whole), strict=True))
    for part in (train, val):
        for path, x in zip(part.paths, pixels(part), strict=True):
            np.testing.assert_array_equal(x, by_path[path])


def test_a_deep_image_among_others(root: Path, cache: Path) -> None:
    before = images(root, split="train")
    Image.fromarray(np.full((8, 8), 12345, np.uint16)).save(root / "a" / "deep.png")
    whole = images(root)
    assert_same(images(root), whole)
    assert whole.read([whole.paths.index(root / "a" / "deep.png")]).max() == np.float32(12345) / np.float32(65535)
    shared = [whole.paths.index(path) for path in before.paths]
    np.testing.assert_array_equal(whole.read(shared), pixels(before))


@pytest.mark.parametrize("what", ["content", "new", "gone", "renamed"])
def test_a_change_in_the_folder_is_seen(root: Path, cache: Path, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    images(root)
    victim = root / "b" / "1.png"
    if what == "content":
        Image.new("RGB", (20, 13)).save(victim)
        os.utime(victim, ns=(1, 1))
    elif what == "new":
        Image.new("RGB", (20, 13)).save(root / "b" / "0.png")
    elif what == "gone":
        victim.unlink()
    else:
        victim.rename(root / "b" / "2.png")
    found = images(root)
    monkeypatch.setenv("XDG_CACHE_HOME", str(root.parent / "another"))
    assert_same(found, images(root))


@pytest.mark.parametrize("settings", [{"channels": 1}, {"fit": "stretch"}, {"size": 9}, {"fit": "crop"}])
def test_another_way_of_reading_is_another_file(root: Path, cache: Path, settings: dict[str, object]) -> None:
    images(root)
    changed = images(root, **settings)
    assert len(files(cache)) == 2
    assert_same(images(root, **settings), changed)


def damages(content: bytes) -> list[bytes]:
    return [b"", content[:50], content[:-100], b"\x93NUMPY" + content[6:60] + b"\xff" * 100, b"x" * len(content)]


@pytest.mark.parametrize("number", range(5))
def test_a_damaged_file_is_not_used(root: Path, cache: Path, number: int) -> None:
    first = images(root)
    (file,) = files(cache)
    whole = file.read_bytes()
    file.write_bytes(damages(whole)[number])
    assert_same(images(root), first)
    assert file.read_bytes() == whole, "it is written anew"


def test_without_a_place_for_it_all_is_read(root: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.parent.write_text("a file where the folder would be")
    first = images(root)
    assert_same(images(root), first)

    def full(*args: object, **settings: object) -> None:
        raise OSError(28, "No space left on device")

    cache.parent.unlink()
    monkeypatch.setattr(np.lib.format, "write_array_header_2_0", full)
    assert_same(images(root), first)
    assert files(cache) == []


def test_the_oldest_go_when_there_are_too_many(root: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images(root)
    (old,) = files(cache)
    os.utime(old, ns=(1, 1))
    mine = cache / "thesis.npy"
    mine.write_bytes(b"years of work")
    monkeypatch.setattr(store, "ALL", old.stat().st_size + 100)
    images(root, size=7)
    assert not old.exists() and mine.exists() and len(files(cache)) == 2
    monkeypatch.setattr(store, "LARGEST", 100)
    images(root, size=6)
    assert len(files(cache)) == 2


def test_what_was_read_quickly_is_not_kept(root: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "SLOW", 60.0)
    images(root)
    assert files(cache) == []
