"""Moving digits: they are where they are said to be, go straight on, bounce, and are written as they are held."""

import csv
from pathlib import Path

import numpy as np
import pytest

from jepa.__main__ import main
from jepa.sources.video.folder import Video
from jepa.sources.video.moving import MovingDigits, fold

pytest.importorskip("sklearn")


def test_a_digit_is_where_it_is_said_to_be() -> None:
    source = MovingDigits(count=60, digits=1, frames=12)
    x = source.read(range(60))[:, 0].astype(np.float64)
    y, across = np.mgrid[:32, :32] + 0.5
    found = np.stack([(x * grid).sum((2, 3)) / x.sum((2, 3)) for grid in (across, y)], axis=-1)
    apart = found - source.positions[:, :, 0]  # the ink of a scan is not in its middle, but stays where it is
    assert apart.std(axis=1).max() < 0.01 and np.abs(apart.mean((0, 1))).max() < 0.3
    assert 0 <= x.min() and x.max() <= 1 and (x > 0.5).any(axis=(2, 3)).all()


def test_digits_go_straight_on_between_bounces() -> None:
    places = MovingDigits(count=100, frames=16, speed=(0.05, 0.1)).positions
    steps = np.diff(places, axis=1)
    even = np.isclose(np.abs(steps[:, 1:]), np.abs(steps[:, :-1])).all(axis=-1)
    assert 0.5 < even.mean() < 1  # all but those steps in which a digit meets an edge
    speed = np.linalg.norm(steps, axis=-1) / 32
    assert 0.05 - 1e-9 <= np.median(speed, axis=1).min() and speed.max() <= 0.1 + 1e-9
    assert 6 <= places.min() < 6.5 and 25.5 < places.max() <= 26  # half a scan from the edges


def test_fold_is_a_ball_between_walls() -> None:
    place, way, seen = 2.5, 1.3, []
    for _ in range(20):
        seen.append(place)
        place += way
        if not 0 <= place <= 4:
            place, way = (-place if place < 0 else 8 - place), -way
    np.testing.assert_allclose(fold(2.5 + 1.3 * np.arange(20), 4.0), seen)


def test_scans_of_the_held_out_clips_are_not_learned_from() -> None:
    still = MovingDigits(count=200, digits=1, frames=2, speed=(0.0, 0.0), scale=0.25, size=32, seed=3)
    pixels = {part: {tuple(np.sort(x[x > 0])) for x in still.split(part).read(range(20))} for part in ("train", "val")}
    assert len(still.split("val")) == 40 and not pixels["train"] & pixels["val"]
    assert (np.bincount(still.labels) == 20).all()


def test_clips_depend_on_seed_and_number_alone() -> None:
    one, more, other = (MovingDigits(count=n, frames=4, seed=s).held.arrays[""] for n, s in ((60, 0), (90, 0), (60, 1)))
    np.testing.assert_array_equal(one, more[:60])
    assert (one != other).any() and MovingDigits(seed=1).where == "moving-digits-1"


def test_made_clips_are_read_again_with_their_positions(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out = tmp_path / "moving"
    assert main(["data", "make", "moving-digits", "--count", "50", "--seed", "4", "--out", str(out)]) == 0
    assert f"source={out}" in capsys.readouterr().out
    held, read = MovingDigits(count=50, seed=4), Video(out, frames=10, channels=1)
    assert len(read.split("val")) == len(held.split("val")) == 10 and read.classes == held.classes
    other = MovingDigits(count=90).at(out)
    np.testing.assert_allclose(other.normalize(other.read([3])), MovingDigits(count=90).normalize(read.read([3])))
    with (out / "labels.csv").open() as file:
        rows = {row["file"]: row for row in csv.DictReader(file)}
    for part in ("train", "val"):
        mine, theirs = held.split(part), read.split(part)
        for k, name in enumerate(theirs.names):
            row = rows[Path(name).relative_to(out).as_posix()]
            positions = np.array([[[float(row[f"{a}{d}_{t}"]) for a in "xy"] for d in (0, 1)] for t in range(10)])
            (same,) = np.flatnonzero(np.isclose(mine.positions, positions, atol=1e-3).all(axis=(1, 2, 3)))
            np.testing.assert_array_equal(theirs.read([k]), mine.read([same]))
