"""Trajectories in a file: what is taken for what, what is refused, and that they are found without a kind."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jepa.errors import DataError
from jepa.parts import kind_of
from jepa.sources.trajectories import Trajectories
from jepa.sources.world import TwoRoomsSource

rng = np.random.default_rng(0)
PICTURES = rng.integers(256, size=(10, 6, 2, 9, 8), dtype=np.uint8)
NUMBERS = rng.normal(size=(10, 6, 4))
ACTIONS = rng.normal(size=(10, 5, 3))


def written(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "acted.npz", **{"observations": NUMBERS, "actions": ACTIONS, **arrays})
    return folder / "acted.npz"


@pytest.mark.parametrize(
    ("observations", "shape", "frame"),
    [
        (PICTURES, (2, 6, 9, 8), PICTURES[:, 3] / np.float32(255)),
        (PICTURES.transpose(0, 1, 3, 4, 2), (2, 6, 9, 8), PICTURES[:, 3] / np.float32(255)),
        (PICTURES.astype(np.float64), (2, 6, 9, 8), PICTURES[:, 3]),
        (NUMBERS, (4, 6), NUMBERS[:, 3]),
    ],
)
def test_frames_are_what_they_were(tmp_path: Path, observations: Any, shape: tuple[int, ...], frame: Any) -> None:
    path = written(tmp_path, observations=observations)
    source = Trajectories(path)
    assert kind_of(path) == "trajectories" and source.shape == shape
    np.testing.assert_allclose(source.read(range(10))[:, :, 3], frame, rtol=1e-6)
    val = source.split("val")
    assert len(val) == 1 and len(source.split("train")) == 9
    np.testing.assert_allclose(val.actions, ACTIONS[[int(val.names[0])]], rtol=1e-6)


def test_a_last_action_leads_nowhere_and_one_number_is_an_action(tmp_path: Path) -> None:
    more = np.concatenate([ACTIONS, np.full((10, 1, 3), 9.0)], axis=1)
    source = Trajectories(written(tmp_path, actions=more))
    np.testing.assert_allclose(source.actions, ACTIONS, rtol=1e-6)
    assert "the last one of each is left out" in source.remarks[0]
    assert Trajectories(written(tmp_path, actions=ACTIONS[..., 0])).actions.shape == (10, 5, 1)


def test_a_part_has_its_own_actions_and_they_are_copied_once(tmp_path: Path) -> None:
    for source in (Trajectories(written(tmp_path)), TwoRoomsSource(count=20, frames=3, size=33)):
        every = source.actions  # of the whole, before there are parts
        for part in (source.split("train"), source.split("val")):
            np.testing.assert_array_equal(part.actions, every[[int(name) for name in part.names]])
            assert part.actions is part.actions


def test_nothing_is_drawn_for_a_scale_that_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TwoRoomsSource, "lived", None)
    mean, std = TwoRoomsSource(count=20, mean=(0.5,), std=(0.1, 0.2)).scale
    assert mean.tolist() == [0.5] and std.tolist() == [0.1, 0.2]
    with pytest.raises(DataError, match="source.std has 3 numbers, and the examples 2 channels"):
        _ = TwoRoomsSource(count=20, mean=(0.5,), std=(0.1, 0.2, 0.3)).scale


def test_places_stay_with_their_frames(tmp_path: Path) -> None:
    source = Trajectories(written(tmp_path, positions=NUMBERS[..., :2])).split("train")
    walks = source.walks(4, 3)
    np.testing.assert_allclose(walks.frames[:, :2].swapaxes(1, 2), walks.positions, rtol=1e-6)
    np.testing.assert_array_equal(walks.actions, source.actions[:4, :2])
    assert Trajectories(written(tmp_path)).walks(4, 99).positions is None


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"actions": ACTIONS[:9]}, r"actions \(float64, \(9, 5, 3\)\) must be \(10, 5 or 6, numbers\)"),
        ({"actions": ACTIONS[:, :4]}, "must be"),
        ({"actions": np.where(ACTIONS > 2, np.nan, ACTIONS)}, "actions .* NaN"),
        ({"actions": ACTIONS.astype("U5")}, "must be"),
        ({"observations": NUMBERS[:, :, None]}, "must be numbers"),
        ({"observations": NUMBERS[:, :1]}, "one frame of each"),
        ({"observations": NUMBERS[:1], "actions": ACTIONS[:1]}, "one trajectory"),
        ({"observations": np.where(NUMBERS > 2, np.inf, NUMBERS)}, "observations .* NaN or infinite"),
        ({"observations": NUMBERS.astype(object)}, "cannot read .*acted.npz as an .npz file of numbers"),
        ({"positions": NUMBERS[:, :5]}, r"positions .* must be \(10, 6, numbers\)"),
    ],
)
def test_what_does_not_fit_is_said(tmp_path: Path, arrays: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        assert Trajectories(written(tmp_path, **arrays)).split("train")


def test_files_without_both_arrays(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", observations=NUMBERS, labels=ACTIONS)
    assert kind_of(tmp_path / "x.npz") == "array"
    with pytest.raises(DataError, match=r"x.npz has no array actions; it has observations, labels"):
        assert Trajectories(tmp_path / "x.npz").shape
    with pytest.raises(DataError, match="there is no file"):
        assert Trajectories(tmp_path / "y.npz").shape
    (tmp_path / "z.npz").write_bytes(b"PK\3\4 and nothing behind it")
    with pytest.raises(DataError, match="cannot read .*z.npz"):
        assert Trajectories(tmp_path / "z.npz").shape
