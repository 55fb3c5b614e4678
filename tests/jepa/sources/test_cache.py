"""What took long to decode is found again: the same pixels, never those of other files, and never an obstacle."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jepa.__main__ import main
from jepa.errors import ConfigError, DataError
from jepa.files.lock import writing
from jepa.sources.folder import FolderSettings, ImageFolder
from jepa.sources.images import budget, cache, pixels, reading, stored, workers
from jepa.sources.images.stored import DEEP, LOOSE, PACKED
from tests.jepa.sources import folders
from tests.jepa.sources.folders import pixels as every_pixel
from tests.jepa.tiny import config


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, in which everything counts as slow."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "SLOW", -1.0)
    return tmp_path / "cache" / "minitensor-jepa"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for k in range(20):
        path = tmp_path / "images" / "ab"[k % 2] / f"{k}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        x = np.random.default_rng(k).integers(0, 256, (12 + k, 20, 3), dtype=np.uint8)
        Image.fromarray(x).save(path)
    (tmp_path / "images" / "a" / "bad.png").write_bytes(b"")
    return tmp_path / "images"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were decoded, in this process."""
    names: list[str] = []
    real = workers.square

    def square(path: str, *args: object, **settings: object) -> object:
        names.append(os.path.basename(path))
        return real(path, *args, **settings)

    monkeypatch.setattr(workers, "square", square)
    return names


def images(root: Path, **settings: object) -> ImageFolder:
    return folders.opened(root, **{"size": 8, "on_error": "skip", "fit": "pad", **settings})


def assert_same(a: ImageFolder, b: ImageFolder) -> None:
    np.testing.assert_array_equal(every_pixel(a), every_pixel(b))
    assert a.paths == b.paths and a.skipped == b.skipped and a.fingerprint() == b.fingerprint()


def places(kept: Path) -> list[Path]:
    return sorted(path for path in kept.glob("*") if path.is_dir())


def test_a_second_look_reads_nothing_but_what_is_bad(root: Path, kept: Path, opened: list[str]) -> None:
    first = images(root)
    assert len(set(opened)) == 21 and len(places(kept)) == 1
    opened.clear()
    assert_same(images(root), first)
    assert set(opened) == {"bad.png"}
    assert "are kept in" in first.kept and "source.cache" in first.kept


def test_what_is_little_starts_no_process_and_writes_nothing(
    root: Path, kept: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    images(root)
    monkeypatch.setattr(reading, "SHORT", 60.0)
    monkeypatch.setattr(cache, "SHORT", 60.0)
    monkeypatch.setattr(reading, "pool", None)
    opened.clear()
    (index,) = kept.glob("*/index.npz")
    before = index.stat().st_ino
    images(root, workers=2)
    assert opened == ["bad.png"] and index.stat().st_ino == before, "it is as bad as it was"
    shutil.copy(root / "a" / "0.png", root / "a" / "new.png")
    assert len(images(root, workers=2)) == 21 and "new.png" in opened and index.stat().st_ino != before


def test_the_parts_of_a_folder_share_what_was_read(root: Path, kept: Path, opened: list[str]) -> None:
    train, val = images(root, split="train"), images(root, split="val")
    assert len(places(kept)) == 1
    opened.clear()
    whole = images(root)
    assert set(opened) <= {"bad.png"} and len(whole) == 20
    assert_same(images(root, split="train"), train)
    assert_same(images(root, split="val"), val)
    by_path = dict(zip(whole.paths, every_pixel(whole), strict=True))
    for part in (train, val):
        for path, x in zip(part.paths, every_pixel(part), strict=True):
            np.testing.assert_array_equal(x, by_path[path])


def test_a_deep_image_among_others(root: Path, kept: Path) -> None:
    Image.fromarray(np.full((8, 8), 12345, np.uint16)).save(root / "a" / "deep.png")
    for whole in (images(root), images(root)):
        place = whole.paths.index(root / "a" / "deep.png")
        assert whole.read([place]).max() == np.float32(12345) / np.float32(65535)
        assert (whole.decoded.known.kind == DEEP).sum() == 1 and (whole.decoded.known.kind == PACKED).sum() == 20
        np.testing.assert_array_equal(every_pixel(whole), every_pixel(images(root, cache="0")))


@pytest.mark.parametrize("what", ["content", "new", "gone", "renamed"])
def test_only_what_has_changed_is_decoded_anew(
    root: Path, kept: Path, what: str, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
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
    opened.clear()
    found = images(root)
    new = {"content": {"1.png"}, "new": {"0.png"}, "gone": set(), "renamed": {"2.png"}}[what]
    assert set(opened) == new | {"bad.png"}
    assert_same(images(root), found)
    monkeypatch.setenv("XDG_CACHE_HOME", str(root.parent / "another"))
    assert_same(found, images(root))


@pytest.mark.parametrize("settings", [{"channels": 1}, {"fit": "stretch"}, {"size": 9}, {"fit": "crop"}])
def test_another_way_of_decoding_is_another_folder(root: Path, kept: Path, settings: dict[str, object]) -> None:
    images(root)
    changed = images(root, **settings)
    assert len(places(kept)) == 2
    assert_same(images(root, **settings), changed)


DAMAGES = {
    "empty": lambda content: b"",
    "short": lambda content: content[:50],
    "shorter": lambda content: content[:-100],
    "flipped": lambda content: content[:100] + bytes([content[100] ^ 255]) + content[101:],
    "other": lambda content: b"x" * len(content),
}


@pytest.mark.parametrize("which", ["index.npz", "pixels-*"])
@pytest.mark.parametrize("damage", ["empty", "short", "shorter", "flipped", "other"])
def test_a_damaged_file_is_not_used(root: Path, kept: Path, which: str, damage: str) -> None:
    if which == "pixels-*" and damage in ("flipped", "other"):
        pytest.skip("what the disk does to single bytes is not looked for")
    first = every_pixel(images(root))
    (path,) = places(kept)[0].glob(which)
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    np.testing.assert_array_equal(every_pixel(images(root)), first)
    again = images(root)
    np.testing.assert_array_equal(every_pixel(again), first)
    assert (again.decoded.known.kind == PACKED).sum() == 20 and again.decoded.known.files, "it is written anew"


@pytest.mark.parametrize("where", ["no folder", "no room", "full in the middle"])
def test_without_a_place_for_it_all_is_in_memory(
    root: Path, kept: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = every_pixel(images(root, cache="0"))
    shutil.rmtree(kept.parent)
    if where == "no folder":
        kept.parent.write_text("a file where the folder would be")
    elif where == "no room":
        monkeypatch.setattr(pixels.Growing, "flush", full)
    else:
        monkeypatch.setattr(pixels, "BLOCK", 3 * 3 * 64)
        real, done = pixels.Growing.flush, []

        def flush(self: pixels.Growing) -> None:
            done.append(1)
            full() if len(done) > 2 else real(self)

        monkeypatch.setattr(pixels.Growing, "flush", flush)
    found = images(root)
    np.testing.assert_array_equal(every_pixel(found), expected)
    assert "in memory" in found.kept


def full(*args: object) -> None:
    raise OSError(28, "No space left on device")


def test_beyond_the_budget_images_are_decoded_when_they_are_needed(root: Path, kept: Path, opened: list[str]) -> None:
    whole = images(root)
    expected = every_pixel(whole)
    for size, fit in {"0": 0, "200": 1, "1kB": 5, "3840": 20}.items():
        shutil.rmtree(kept)
        some = images(root, cache=size)
        kinds = some.decoded.known.kind
        assert (kinds == PACKED).sum() == fit and (kinds == LOOSE).sum() == 20 - fit
        opened.clear()
        np.testing.assert_array_equal(every_pixel(some), expected)
        assert len(opened) == 20 - fit
        opened.clear()
        again = images(root, cache=size)
        assert set(opened) <= {"bad.png"}, "that a file can be read is known"
        np.testing.assert_array_equal(every_pixel(again), expected)
        assert ("not kept" in again.kept) == (fit < 20)
        np.testing.assert_array_equal(every_pixel(images(root)), expected)
        assert (images(root).decoded.known.kind == PACKED).sum() == 20, "a larger budget takes in the others"


@pytest.mark.parametrize("count", [1, 2, 3])
def test_other_processes_decode_the_same(root: Path, kept: Path, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = images(root, workers=0)
    shutil.rmtree(kept)
    monkeypatch.setattr(reading, "SHORT", -1.0)
    monkeypatch.setattr(cache, "SHORT", -1.0)
    monkeypatch.setattr(workers, "CHUNK", 3)
    monkeypatch.setattr(workers, "made", None)  # in this process
    found = images(root, workers=count, cache="1kB")
    assert_same(found, expected)
    with pytest.raises(DataError, match="bad.png: it is empty") as told:
        images(root, workers=count, on_error="raise", size=9)
    assert "source.on_error=skip" in str(told.value)


def test_a_process_that_ends_is_told_of(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = workers.Pool(1)
    how = reading.How(8, "stretch", 3)
    assert len(list(pool.made([str(root / "a" / "0.png")], how))) == 1
    worker = pool._idle.get()
    assert worker is not None
    worker.process.kill()
    pool._idle.put(worker)
    with pytest.raises(
        DataError, match=r"has ended \(-9\) while it read one of 1 files from .*0.png on.*source.workers"
    ):
        list(pool.made([str(root / "a" / "0.png")], how))
    assert len(list(pool.made([str(root / "a" / "0.png")], how))) == 1, "another takes its place"
    pool.close()


@pytest.mark.parametrize("ways", [{"cache": "0", "workers": 0}, {"cache": "9kB", "workers": 2}, {"workers": 2}])
def test_a_training_has_the_same_bits_whoever_decodes(
    shapes_folder: Path, kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ways: dict[str, object]
) -> None:
    from jepa.training.run import train

    monkeypatch.setattr(cache, "SHORT", 0.0)
    words = ["train.epochs=2", "train.log_every=1"]
    train(config(shapes_folder, *words, "source.workers=0"), out=tmp_path / "a")
    given = [f"source.{name}={value}" for name, value in ways.items()]
    train(config(shapes_folder, *words, *given, "train.threads=2"), out=tmp_path / "b")
    weights = [sorted((tmp_path / run / "checkpoints").glob("*.safetensors"))[-1] for run in "ab"]
    import safetensors.numpy

    a, b = (safetensors.numpy.load_file(path) for path in weights)
    assert a.keys() == b.keys() and all(a[k].tobytes() == b[k].tobytes() for k in a)


def test_a_run_goes_on_with_another_cache_and_other_processes(shapes_folder: Path, kept: Path, tmp_path: Path) -> None:
    from jepa.training.run import train

    with pytest.raises(KeyboardInterrupt):
        train(config(shapes_folder, "train.epochs=2"), out=tmp_path / "run", stop_after=2)
    way = ["source.cache=0", "source.workers=1"]
    train(config(shapes_folder, "train.epochs=2", *way), out=tmp_path / "run", resume=True)


FILL = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's job in the background ignores it
from jepa.sources.images import cache
cache.SLOW, cache.COMMIT = -1.0, 0.0
real = cache._Sink.take
def take(self, number, square):
    real(self, number, square)
    print(number, flush=True)
    time.sleep(float(sys.argv[2]))
cache._Sink.take = take
from jepa.sources.folder import ImageFolder
print(len(ImageFolder(sys.argv[1], size=8, fit="pad", on_error="skip")), flush=True)
"""


def filling(root: Path, pause: float) -> "subprocess.Popen[str]":
    """Return another process that decodes, with a pause after each image."""
    words = [sys.executable, "-c", FILL, str(root), str(pause)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_what_a_process_that_was_stopped_has_decoded_is_kept(
    root: Path, kept: Path, how: int, opened: list[str]
) -> None:
    process = filling(root, 0.05)
    assert process.stdout is not None
    for _ in range(10):
        process.stdout.readline()
    process.send_signal(how)
    process.wait()
    found = images(root)
    assert 1 <= len(set(opened) - {"bad.png"}) <= 13
    assert_same(found, images(root, cache="0"))


def test_a_second_process_waits_for_the_first(
    root: Path, kept: Path, opened: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    process = filling(root, 0.15)
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.readline()
    found = images(root)
    assert process.wait() == 0
    assert len(set(opened) - {"bad.png"}) <= 2, "what the first has decoded is taken"
    assert f"waiting for process {process.pid}" in capfd.readouterr().err
    assert len(found) == 20


def test_the_oldest_go_when_there_are_too_many(root: Path, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images(root)
    (old,) = places(kept)
    os.utime(old / "index.npz", ns=(1, 1))
    (old_file := kept / f"{'0' * 32}.npy").write_bytes(b"of an earlier version")
    (mine := kept / "thesis.npy").write_bytes(b"years of work")
    monkeypatch.setattr(stored, "ALL", 100)
    images(root, size=7)
    assert not old.exists() and not old_file.exists() and mine.exists() and len(places(kept)) == 1


def test_what_was_decoded_quickly_is_not_kept(root: Path, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "SLOW", 60.0)
    assert images(root).kept == "" and not kept.exists()
    monkeypatch.setattr(cache, "HELD", 1000)
    images(root)
    assert len(places(kept)) == 1, "more than may be held"


def test_clean(root: Path, kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images(root)
    shutil.copytree(root, tmp_path / "other")
    images(tmp_path / "other")
    (mine := places(kept)[0] / "thesis.txt").write_text("years of work")
    assert main(["data", "clean", str(tmp_path / "other")]) == 0
    assert "removed 0 MB of decoded images of" in capsys.readouterr().out
    left = [path for place in places(kept) for path in place.glob("index.npz")]
    assert [stored.root_of(path.parent) for path in left] == [str(root)]
    with writing(left[0].parent):
        assert main(["data", "clean"]) == 0
    assert "1 of the folders there cannot be removed" in capsys.readouterr().out and left[0].exists()
    assert main(["data", "clean"]) == 0
    assert not left[0].exists() and mine.exists() and stored.folders() == []
    assert len(images(root)) == 20


def test_a_cache_in_the_data_folder_is_no_data(root: Path, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(root))
    images(root)
    assert (root / "minitensor-jepa").is_dir()
    again = images(root)
    assert again.classes == ["a", "b"] and again.remarks == []


@pytest.mark.parametrize("size", ["", "2 boxes", "-1", "1e9", "GB", "1PB", "1..5GB", "nan"])
def test_a_size_that_is_none(size: str) -> None:
    with pytest.raises(ConfigError, match="must be a size, such as 2GB or 500MB, or 0, or null"):
        FolderSettings(cache=size)


def test_the_default_is_a_share_of_the_memory() -> None:
    assert budget.budget(None) == budget.memory() // 4 and 1e8 < budget.memory() < 1e14
    assert budget.budget("0") == 0


def test_memory_stays_small(tmp_path: Path, kept: Path) -> None:
    """Reading 200 MB of pixels again and again takes a fraction of them."""
    for k in range(64):
        path = tmp_path / "large" / f"{k}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8), (k, 0, 0)).save(path)
    prepared = f"""
from jepa.sources.images import cache, pixels
cache.SLOW, pixels.TOUCHED = -1.0, 16 << 20
from jepa.sources.folder import ImageFolder
source = ImageFolder({str(tmp_path / "large")!r}, size=1024)
"""
    work = """
assert len(source) == 64
for _ in range(2):
    for k in range(64):
        assert round(float(source.read([k])[0, 0, 0, 0]) * 255) == int(source.paths[k].stem)
"""
    grown = folders.grown(prepared, work)
    assert grown < 100, f"{grown} MB for 201 MB of pixels"


def test_no_process_is_left(root: Path, kept: Path) -> None:
    program = f"""
from jepa.sources.images import cache, reading, workers
cache.SLOW, reading.SHORT, cache.SHORT = -1.0, -1.0, -1.0
from jepa.sources.folder import ImageFolder
len(ImageFolder({str(root)!r}, size=8, on_error="skip", workers=2))
pool = workers.pool(2)
print(*(w.process.pid for w in pool._idle.queue if w), flush=True)
import os, sys
os._exit(0) if sys.argv[1] == "killed" else None
"""
    for end in ("killed", "ended"):
        shutil.rmtree(kept, ignore_errors=True)
        words = [sys.executable, "-c", program, end]
        found = subprocess.run(words, check=True, capture_output=True, text=True)
        numbers = found.stdout.split()
        assert numbers and not found.stderr
        due = time.monotonic() + 5
        while (left := [n for n in numbers if Path(f"/proc/{n}").exists()]) and time.monotonic() < due:
            time.sleep(0.05)
        assert not left
