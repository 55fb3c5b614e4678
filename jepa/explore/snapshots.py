"""What the encoder of each checkpoint makes of held-out examples, within so many bytes."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import minitensor as mt
from jepa import frozen
from jepa.contracts import Attentive, Grid, Index, Source
from jepa.errors import DataError
from jepa.evaluation.patches import spread, starts
from jepa.evaluation.split import streamed
from jepa.health import unit
from jepa.pictures.places import Canvas, canvas
from jepa.pictures.views import some
from jepa.progress import shown_progress
from jepa.runs.checkpoint import list_checkpoints
from jepa.runs.run import Run, load_run

Array = NDArray[Any]
BYTES = 2_200_000  # of all maps over places, one a number, before they are compressed
LEAST, POINTS = 3, 600  # examples on the map
EXAMPLES, MOMENTS = 12, 7  # that are looked into, at most
CALIBRATION = 256  # examples from which an untrained encoder has its batch-norm statistics
FEW = 4  # examples that come before more moments


class Plan(NamedTuple):
    """How much is looked at, so that it fits."""

    heads: list[int]
    """of each block; []: no token looks at another"""
    before: int
    """tokens without a place, such as a class token"""
    group: int
    """places along each axis that are taken together"""
    moments: int
    """checkpoints, and the untrained encoder before them"""
    examples: int


class Looks(NamedTuple):
    """Where tokens of examples look, and what they resemble: N places or groups of them, T - N other tokens before."""

    attention: NDArray[np.uint8]
    """(n, heads of all blocks, T, N): what each token gives to each place, 255 to the one that gets most"""
    peaks: NDArray[np.float32]
    """(n, heads of all blocks, T): what that one gets"""
    cosines: NDArray[np.uint8]
    """(n, N, N): of the encoder's last tokens, 0 for -1 to 255 for 1"""


class Shown(NamedTuple):
    """What a page is about."""

    run: Run
    source: Source
    place: Canvas
    chosen: Index
    """the examples on the map; the first of them are looked into"""
    how: Plan


class Snapshots(NamedTuple):
    """What the encoder makes of the examples from moment to moment, oldest first."""

    steps: list[int | None]
    """None: untrained"""
    features: list[Array]
    """(n, d) each"""
    looks: list[Looks]


def planned(run: Run, source: Source) -> Shown:
    """Return what to show of a run; DataError for examples that have no picture, or are too few."""
    if not isinstance(source.shape, tuple):
        names = ", ".join(source.shape)
        raise DataError(f"examples of several arrays ({names}) have no picture, so they cannot be explored")
    place = canvas(source, run.model.encoders[run.config.evaluation.encoder].grid)
    chosen = some(source, POINTS)
    if len(chosen) < LEAST:
        raise DataError(f"a map needs {LEAST} examples, and there are {len(chosen)}: name more of them with --data")
    assert run.folder is not None
    moments = 1 + len(list_checkpoints(run.folder))
    how = plan(run, source.normalize(source.read(chosen[:1])), place.grid, moments, len(chosen))
    return Shown(run, source, place, chosen, how)


def snapshots(shown: Shown, **opened: Any) -> Snapshots:
    """Return what the untrained encoder and the checkpoints make of the examples. opened: as `load_run` opens the run.

    If not all fit, they are as evenly spread as can be, the last one among them.
    """
    source, chosen, how = shown.source, shown.chosen, shown.how
    x, found = source.normalize(source.read(chosen[: how.examples])), Snapshots([], [], [])
    for run in _moments(shown, opened):
        found.steps.append(run.step or None)
        found.features.append(_features(run, source, chosen))
        found.looks.append(looks(run, x, shown.place.grid, how))
    return found


def _moments(shown: Shown, opened: dict[str, Any]) -> Iterator[Run]:
    """Yield the run with the weights of each moment that is shown; the untrained one is at step 0."""
    run, source = shown.run, shown.source
    assert run.folder is not None
    ways: list[Path | None] = [None, *list_checkpoints(run.folder)]
    kept = np.linspace(len(ways) - 1, 0, shown.how.moments).round().astype(int)[::-1]
    for path in (ways[k] for k in kept):
        if path is not None:
            yield load_run(run.folder, checkpoint=str(path), **opened)
        else:
            twin = run.random_twin(run.config.seed, source.normalize(source.read(shown.chosen[:CALIBRATION])))
            if twin is not None:  # a model of one's own cannot be made anew
                yield Run(run.folder, run.config, run.parts._replace(model=twin), run.device)


def _features(run: Run, source: Source, chosen: Index) -> Array:
    return streamed(lambda x: run.features(source.normalize(x)), source, chosen, f"step {run.step}, embedding")


def attention(run: Run, x: Array) -> list[Array]:
    """Return how each token looks at each other in each block, (n, heads, T, T), of normalized examples; []: none."""
    encoder: Any = run.model.encoders[run.config.evaluation.encoder]
    if not isinstance(encoder, Attentive):
        return []
    run.model.eval()
    with mt.no_grad():
        return [block.numpy() for block in encoder.attention_maps(mt.Tensor(x, device=run.device))]


def plan(run: Run, example: Array, grid: Grid, moments: int, most: int) -> Plan:
    """Return how much of so many moments and at most so many examples fits into `BYTES`: see `Plan`.

    example: one, normalized, (1, *shape). Of large grids, groups of places are taken together.
    """
    blocks = attention(run, example)
    heads: list[int] = [block.shape[1] for block in blocks]
    before = blocks[0].shape[-1] - int(np.prod(grid)) if blocks else 0

    def size(group: int) -> int:
        places = math.prod(-(-length // group) for length in grid)
        return int(places * (sum(heads) * (before + places) + places))

    group = next(g for g in range(1, max(grid) + 1) if size(g) * FEW <= BYTES or g == max(grid))
    pairs = max(1, BYTES // size(group))
    moments = max(1, min(moments, MOMENTS, pairs // FEW))
    return Plan(heads, before, group, moments, max(1, min(most, EXAMPLES, pairs // moments)))


def looks(run: Run, x: Array, grid: Grid, how: Plan) -> Looks:
    """Return where the tokens of normalized examples (n, *shape) look."""
    one_by_one = shown_progress(range(len(x)), len(x), f"step {run.step}, where patches look", "examples")
    found = [_look(run, x[k : k + 1], grid, how) for k in one_by_one]  # large maps stay few
    return Looks(*(np.stack(side) for side in zip(*found, strict=True)))


def _look(run: Run, x: Array, grid: Grid, how: Plan) -> Looks:
    sums = _groups(grid, how.group)  # (G, N)
    means = sums / sums.sum(axis=1, keepdims=True)
    maps = [m for block in attention(run, x) for m in block[0]]  # of (T, T)
    rows = [np.concatenate([m[: how.before], means @ m[how.before :]])[:, how.before :] @ sums.T for m in maps]
    given = np.stack(rows) if rows else np.zeros((0, len(sums), len(sums)))
    peaks = given.max(axis=2)
    tokens = unit(means @ frozen.tokens(run.model, x, run.config.evaluation.encoder)[0])
    return Looks(
        np.rint(255 * given / np.maximum(peaks, 1e-12)[:, :, None]).astype(np.uint8),
        peaks.astype(np.float32),
        np.rint(127.5 * (1 + np.clip(tokens @ tokens.T, -1, 1))).astype(np.uint8),
    )


def _groups(grid: Grid, group: int) -> Array:
    """Return which places each group has, (G, N), as 0 and 1.

    >>> _groups((3,), 2).tolist()
    [[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    at = starts(grid, grid, group)
    count = int(np.prod([len(first) for first in at]))
    return np.asarray(np.arange(count)[:, None] == spread(np.arange(count), at, grid).reshape(-1), np.float64)
