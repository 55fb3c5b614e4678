"""The generated data sets: the same by seed, complete, honestly split, and readable."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jepa.errors import DataError, JEPAError
from jepa.files.lock import writing
from jepa.sources import digits, shapes
from jepa.sources.generated import Sample, is_finished, write_folder


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def rows(root: Path) -> list[dict[str, str]]:
    with open(root / "labels.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write_shapes(out, seed=0, count=100):
    return shapes.write(out, count=count, seed=seed)


def write_digits(out, seed=0, count=100):
    return digits.Digits(count=count).write(out, seed)


def write_clutter(out, seed=0, count=100):
    return digits.ClutteredDigits(count=count).write(out, seed)


WRITERS = pytest.mark.parametrize("write", [write_shapes, write_digits, write_clutter])


@WRITERS
def test_seed_decides_every_byte(write, tmp_path):
    first, again, other = write(tmp_path / "a"), write(tmp_path / "b"), write(tmp_path / "c", seed=1)
    assert contents(first) == contents(again)
    assert contents(first)["labels.csv"] != contents(other)["labels.csv"]


@WRITERS
def test_counts_and_labels_agree_with_the_files(write, tmp_path):
    root = write(tmp_path / "set")
    files = sorted(str(path.relative_to(root).as_posix()) for path in root.rglob("*.png"))
    assert sorted(row["file"] for row in rows(root)) == files
    assert len(files) == 100
    assert json.loads((root / "meta.json").read_text())["images"] == {"train": 80, "val": 20}
    for row in rows(root):
        _, folder, _ = row["file"].split("/")
        assert folder == row.get("shape", row.get("digit"))


@pytest.mark.parametrize("size", [24, 32])
@pytest.mark.parametrize("label", list(shapes.OUTLINES))
def test_shape_stands_out_from_its_ground(label, size):
    for seed in range(20):
        image, facts = shapes.draw(label, np.random.default_rng(seed), size=size)
        assert (image.size, image.mode) == ((size, size), "RGB")
        ink = np.array([facts[f"ink_{c}"] for c in "rgb"]) @ shapes.LUMA
        ends = [np.array([facts[f"ground_{end}_{c}"] for c in "rgb"]) @ shapes.LUMA for end in "ab"]
        assert min(abs(ink - end) for end in ends) > shapes.MIN_CONTRAST - 1e-3
        luma = np.asarray(image) / 255 @ shapes.LUMA
        on_ink = abs(luma - ink) < 0.12
        assert 0.01 < on_ink.mean() < 0.6
        assert facts["radius"] <= facts["x"] <= 1 - facts["radius"]


def test_shapes_are_balanced_and_a_smaller_set_begins_a_larger_one(tmp_path):
    small, large = contents(write_shapes(tmp_path / "s")), contents(write_shapes(tmp_path / "l", count=150))
    assert {name: data for name, data in large.items() if name in small and name.endswith(".png")} == {
        name: data for name, data in small.items() if name.endswith(".png")
    }
    labels = [row["shape"] for row in rows(tmp_path / "s")]
    assert {labels.count(label) for label in shapes.OUTLINES} == {10}


def test_shapes_differ_from_each_other():
    masks = [np.asarray(shapes._mask(label, 0.5, 0.5, 0.4, 0, 32)) / 255 for label in shapes.OUTLINES]
    for i, a in enumerate(masks):
        for b in masks[:i]:
            assert abs(a - b).sum() > 20  # pixels


@pytest.mark.parametrize("clutter", [False, True])
def test_train_and_val_come_from_disjoint_scans(clutter, tmp_path):
    root = (digits.ClutteredDigits if clutter else digits.Digits)(count=1797).write(tmp_path / "set")
    sources: dict[str, set[str]] = {"train": set(), "val": set()}
    for row in rows(root):
        sources[row["file"].split("/")[0]].add(row["source"])
    assert not sources["train"] & sources["val"]
    assert len(sources["train"] | sources["val"]) >= (1790 if clutter else 1797)
    assert {row["digit"] for row in rows(root) if row["file"].startswith("val")} == set("0123456789")


def test_plain_digit_is_the_scan_scaled_up(tmp_path):
    root = digits.Digits(count=60, size=32).write(tmp_path / "set")
    scans, labels = digits.load()
    for row in rows(root)[:10]:
        small = np.asarray(Image.open(root / row["file"]).resize((8, 8), Image.Resampling.BOX), np.float64)
        correlation = np.corrcoef(small.ravel(), scans[int(row["source"])].ravel())[0, 1]
        assert correlation > 0.97
        assert labels[int(row["source"])] == int(row["digit"])


def test_cluttered_digit_is_legible():
    scans, _ = digits.load()
    for seed in range(20):
        image, facts = digits.draw(scans[seed], scans[100:], np.random.default_rng(seed))
        assert (image.size, image.mode) == ((32, 32), "L")
        assert abs(facts["ink"] - facts["ground"]) >= 0.4
        turned = Image.fromarray(scans[seed]).resize((round(facts["scale"] * 32),) * 2, Image.Resampling.BICUBIC)
        turned = turned.rotate(facts["angle"], Image.Resampling.BILINEAR, expand=True)
        sheet = Image.new("L", (32, 32))
        sheet.paste(turned, tuple(round(facts[a] * 32 - turned.width / 2) for a in "xy"))
        strokes = np.asarray(sheet) > 200
        coverage = (np.asarray(image) / 255 - facts["ground"]) / (facts["ink"] - facts["ground"])
        assert coverage[strokes].mean() > 0.8


def test_unfinished_folder_is_recognised_and_written_anew(tmp_path):
    settings = {"generator": "test", "seed": 0}
    sample = Sample("train", "a", Image.new("L", (8, 8)), {"n": 1})

    def interrupted():
        yield sample
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_folder(tmp_path / "set", interrupted(), settings=settings)
    assert not (tmp_path / "set").exists()
    assert not is_finished(tmp_path / "set", settings)
    write_folder(tmp_path / "set", [sample], settings=settings)
    assert is_finished(tmp_path / "set", settings)
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


ONE = [Sample("train", "a", Image.new("L", (8, 8)), {"n": 1})]
SETTINGS = {"generator": "test", "seed": 0}


def unfinished(folder: Path, program: str) -> Path:
    """Return a folder as a killed process leaves it behind."""
    (folder / "train" / "a").mkdir(parents=True)
    (folder / "train" / "a" / "00001.png").write_bytes(b"half")
    (folder / "unfinished.json").write_text(json.dumps({"program": program}))
    return folder


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path):
    old = unfinished(tmp_path / ".set.0123.partial", "minitensor-jepa")
    with_a_thesis = unfinished(tmp_path / ".set.4567.partial", "minitensor-jepa")
    (with_a_thesis / "train" / "a" / "thesis.txt").write_text("years of work")
    busy = unfinished(tmp_path / ".set.89ab.partial", "minitensor-jepa")
    foreign = unfinished(tmp_path / ".set.cdef.partial", "another")
    mine = tmp_path / ".set.partial"  # what version 0.1.0 called it, and anybody may
    mine.mkdir()
    (mine / "labels.csv").write_text("years of work")
    elsewhere = unfinished(tmp_path / "elsewhere", "minitensor-jepa")
    (tmp_path / ".set.link.partial").symlink_to(elsewhere)
    with writing(busy):
        write_folder(tmp_path / "set", ONE, settings=SETTINGS)
    assert not old.exists()
    assert [path.name for path in with_a_thesis.rglob("*") if path.is_file()] == ["thesis.txt"]
    for folder in (busy, foreign, elsewhere):
        assert (folder / "train" / "a" / "00001.png").exists()
    assert (mine / "labels.csv").read_text() == "years of work"


def test_a_set_that_was_finished_meanwhile_is_used(tmp_path):
    def slow():
        yield from ONE
        write_folder(tmp_path / "set", ONE, settings=SETTINGS)

    assert write_folder(tmp_path / "set", slow(), settings=SETTINGS) == tmp_path / "set"
    assert [path.name for path in tmp_path.iterdir()] == ["set"]

    def other():
        yield from ONE
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / "thesis.txt").write_text("years of work")

    with pytest.raises(DataError, match="something else was put there|it exists and is not this data set"):
        write_folder(tmp_path / "other", other(), settings=SETTINGS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "set"]


def test_processes_that_start_at_once_all_succeed(tmp_path):
    program = f"from jepa.sources import shapes; print(shapes.write({str(tmp_path / 'data' / 'set')!r}, count=60))"
    started = [subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE) for _ in range(4)]
    for process in started:
        _, said = process.communicate(timeout=100)
        assert process.returncode == 0, said.decode()
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["set"]
    assert contents(tmp_path / "data" / "set") == contents(shapes.write(tmp_path / "alone", count=60))


def test_finished_set_is_kept_and_anything_else_is_refused(tmp_path):
    root = write_shapes(tmp_path / "set")
    before = (root / "meta.json").stat().st_mtime_ns
    assert write_shapes(tmp_path / "set") == root
    assert (root / "meta.json").stat().st_mtime_ns == before
    with pytest.raises(DataError, match="seed 1"):
        write_shapes(tmp_path / "set", seed=1)
    next(root.glob("train/*/*.png")).unlink()
    with pytest.raises(DataError, match="remove it, and it is written anew"):
        write_shapes(tmp_path / "set")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(DataError, match="mine"):
        write_shapes(tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").exists()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda out: shapes.write(out, count=3), "count=3: must be at least 50"),
        (lambda out: shapes.write(out, count=100, size=4), "size=4: must be at least 8"),
        (lambda out: digits.Digits(count=3).write(out), "count=3: must be at least 50"),
        (lambda out: digits.Digits(count=2000).write(out), "count=2000: must be at least 50 and at most 1,797"),
        (lambda out: digits.Digits(size=4).write(out), "size=4: must be at least 8"),
        (lambda out: shapes.draw("blob", np.random.default_rng(0)), "blob"),
    ],
)
def test_settings_that_cannot_be_met(call, message, tmp_path):
    with pytest.raises(JEPAError, match=message):
        call(tmp_path / "set")


def test_missing_scikit_learn_names_the_command(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sklearn.datasets", None)
    with pytest.raises(DataError, match=r"pip install -e '\.\[eval\]'"):
        digits.load()
