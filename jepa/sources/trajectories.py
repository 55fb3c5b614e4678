"""Trajectories from a file: what was seen, and what was done between, of any world."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import is_zipfile

import numpy as np
from numpy.typing import NDArray

from jepa.config.settings import PATH, setting
from jepa.contracts import Array
from jepa.errors import DataError
from jepa.sources.base import SourceSettings, of_part, of_whole
from jepa.sources.examples import Held
from jepa.sources.memory import InMemory
from jepa.sources.world import Walks, WorldSettings
from jepa.text import shown

NEEDED = ("observations", "actions")
FEW = 4  # channels of a picture, at most, where they come last
LOOK = "(n, frames, channels, height, width), (n, frames, height, width, channels) or (n, frames, numbers)"


class Given(NamedTuple):
    """What a file has."""

    x: NDArray[Any]
    """(N, c, T, h, w) or (N, d, T)"""
    actions: Array
    """(N, T - 1, a)"""
    positions: NDArray[np.float64] | None
    """(N, T, p)"""
    remarks: list[str]


@dataclass(frozen=True)
class TrajectoriesSettings(SourceSettings):
    """Of trajectories in a file."""

    usual = WorldSettings.usual
    path: str | None = setting(None, PATH)
    """an .npz file with `observations` and `actions`, and `positions` if they are known"""


class Trajectories(InMemory):
    """Trajectories of one length in an .npz file: examples (c, T, h, w) or (d, T), and `actions` (N, T - 1, a).

    observations: (N, T, c, h, w), (N, T, h, w, c) or (N, T, d), bytes of pictures or floats; the channels are the last
    axis where that has at most 4 entries and the third one more. actions: (N, T - 1, a), number t leads from frame t to
    frame t + 1; of (N, T, a) the last one leads nowhere, and is left out. positions: (N, T, p), where things are, in
    any unit: what `eval` reads out of codes along rollouts. A share of the trajectories is held out.

    Raises DataError, naming file and array, for arrays that are not there, have other shapes, or are not finite.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "arm.npz"
    >>> np.savez(path, observations=np.zeros((20, 9, 4), np.float32), actions=np.zeros((20, 8, 3), np.float32))
    >>> source = Trajectories(path).split("train")
    >>> source.shape, len(source), source.actions.shape
    ((4, 9), 18, (18, 8, 3))
    """

    Settings = TrajectoriesSettings
    place = "path"
    taken = "an .npz file of observations and actions"

    @classmethod
    def takes(cls, path: Path) -> bool:
        if path.suffix.lower() != ".npz" or not path.is_file() or not is_zipfile(path):
            return False
        try:
            with np.load(path, allow_pickle=False) as file:
                return set(NEEDED) <= set(file.files)
        except (OSError, ValueError):
            return False

    @property
    def pictures(self) -> str:  # type: ignore[override]
        return f"jepa.pictures.{'line' if len(self.shape) < 3 else 'image'}"

    @of_whole
    def given(self) -> Given:
        """What the file has."""
        path, named = self.path, _read(self.path)
        x, remarks = _frames(f"{shown(path)}: observations", named["observations"])
        n, frames = x.shape[0], x.shape[2]
        actions = _numbers(f"{shown(path)}: actions", named["actions"], n, (frames - 1, frames))
        if actions.shape[1] == frames:
            remarks.append(f"{shown(path)}: there are as many actions as frames; the last one of each is left out")
        known = named.get("positions")
        positions = None if known is None else _numbers(f"{shown(path)}: positions", known, n, (frames,))
        return Given(x, actions[:, : frames - 1].astype(np.float32), positions, remarks)

    @cached_property
    def held(self) -> Held:
        """All examples."""
        return Held({"": self.given.x}, None, [], self.given.remarks)

    @of_part
    def actions(self) -> Array:
        """Of each example of the part, (n, T - 1, a)."""
        return np.asarray(self.given.actions[self.content.rows])

    def walks(self, count: int, frames: int) -> Walks:
        """Return so many examples of the part, and so many frames of each, as far as there are so many."""
        rows, known = self.content.rows[:count], self.given.positions
        x = self.read(range(len(rows)))[:, :, :frames]
        positions = None if known is None else known[rows, :frames]
        return Walks(x, self.actions[:count, : x.shape[2] - 1], positions, "units", 1.0)


def _read(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of a file that are known here."""
    if not path.is_file():
        raise DataError(f"there is no file {shown(path)}")
    try:
        with np.load(path, allow_pickle=False) as file:
            names = file.files
            missing = [name for name in NEEDED if name not in names]
            found = {} if missing else {name: file[name] for name in (*NEEDED, "positions") if name in names}
    except MemoryError:
        raise
    except Exception as error:  # a damaged file may bring about anything
        raise DataError(f"cannot read {shown(path)} as an .npz file of numbers: {error}") from error
    if missing:
        there = ", ".join(map(shown, names))
        raise DataError(f"{shown(path)} has no array {' and '.join(missing)}; it has {there}")
    return found


def _frames(what: str, x: NDArray[Any]) -> tuple[NDArray[Any], list[str]]:
    """Return observations with the channels before the frames, and what they are taken for."""
    about = f"{what} ({x.dtype}, {x.shape})"
    if x.ndim not in (3, 5) or 0 in x.shape or x.dtype.kind not in "biuf":
        raise DataError(f"{about} must be numbers {LOOK}")
    if x.shape[1] < 2:
        raise DataError(f"{about} has one frame of each trajectory: at least two are needed, with an action between")
    if len(x) < 2:
        raise DataError(f"{about} is one trajectory: at least two are needed, one of them to be held out")
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        raise DataError(f"{about} has NaN or infinite numbers: take out those trajectories, or fill them in")
    if x.ndim == 3:
        return x.swapaxes(1, 2), []
    last = x.shape[4] <= FEW < x.shape[2]
    x = x.transpose(0, 4, 1, 2, 3) if last else x.swapaxes(1, 2)
    return x, [f"{about}: the {'last' if last else 'third'} axis is taken for the channels"]


def _numbers(what: str, given: NDArray[Any], n: int, frames: tuple[int, ...]) -> NDArray[np.float64]:
    """Return numbers (n, frames, any), of a row without a last axis one number each."""
    about = f"{what} ({given.dtype}, {given.shape})"
    x = given[..., None] if given.ndim == 2 else given
    if x.ndim != 3 or len(x) != n or x.shape[1] not in frames or not x.shape[2] or x.dtype.kind not in "biuf":
        raise DataError(f"{about} must be ({n}, {' or '.join(map(str, frames))}, numbers), as the observations are")
    if not np.isfinite(x).all():
        raise DataError(f"{about} has NaN or infinite numbers: take out those trajectories")
    return np.asarray(x, np.float64)
