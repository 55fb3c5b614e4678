"""Where the boxes and lines of a computation graph are drawn: rows from top to bottom, lengths in points (1/72 inch).

The layered drawing of Sugiyama, Tagawa & Toda (1981): give each vertex a row, give each edge a place in every row that
it passes, order the rows so that few edges cross, then set each place as near as it can stand to what it is joined to.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

__all__ = ["Box", "Drawing", "Vertex", "drawing"]

LINE, NAME, FACT = 13.0, 7.3, 6.1  # height of a line; width of a letter of the name, and of the facts below it
ACROSS, DOWN, EDGE = 18.0, 30.0, 8.0  # between boxes, between rows, and around the picture
SWEEPS = 12  # down and up through the rows
Point = tuple[float, float]


class Vertex(NamedTuple):
    """A leaf, or one recorded call.

    >>> from minitensor import Tensor
    >>> from minitensor.viz import graph
    >>> graph(Tensor([1.0], requires_grad=True).exp()).vertices[-1].name
    'exp'
    """

    kind: str
    """"leaf", "op", or "result": the call that made what was asked for."""
    name: str
    """Name of the leaf or the op."""
    facts: tuple[str, ...]
    """Dtype and shape, what is saved, numbers: one line each."""
    parents: tuple[int, ...]
    """Positions of its arguments, in their order."""


class Box(NamedTuple):
    """A vertex in the drawing: its center and its size."""

    x: float
    y: float
    width: float
    height: float


class Drawing(NamedTuple):
    """A box for each vertex, and a line for each edge, from the argument to the call that uses it.

    A line is start, then for each stretch two control points and an end: cubic Bézier curves, upright at their ends.
    """

    width: float
    height: float
    boxes: list[Box]
    lines: list[list[Point]]


class _Rows:
    """The vertices and the places where edges pass a row, as numbers: the vertices first, then the places."""

    def __init__(self, vertices: Sequence[Vertex]) -> None:
        self.count = len(vertices)
        self.row = _rows(vertices)
        self.above: list[list[int]] = [[] for _ in vertices]
        self.below: list[list[int]] = [[] for _ in vertices]
        self.chains: list[list[int]] = []  # of each edge: argument, places, user
        for user, v in enumerate(vertices):
            for argument in v.parents:
                self._join(argument, user)
        self.rows: list[list[int]] = [[] for _ in range(max(self.row) + 1)]
        for i, row in enumerate(self.row):
            self.rows[row].append(i)

    def _join(self, argument: int, user: int) -> None:
        between = range(self.row[argument] + 1, self.row[user])
        chain = [argument, *range(len(self.row), len(self.row) + len(between)), user]
        self.row += between
        self.above += [[] for _ in between]
        self.below += [[] for _ in between]
        for a, b in zip(chain, chain[1:], strict=False):
            self.below[a].append(b)
            self.above[b].append(a)
        self.chains.append(chain)

    def sort(self) -> None:
        """Order each row by the mean position of what it is joined to, in the row before and in the row after."""
        position = {i: float(k) for row in self.rows for k, i in enumerate(row)}
        for sweep in range(SWEEPS):
            upward = sweep % 2 == 0  # first: arguments stand in the order of their user
            for row in self.rows[::-1] if upward else self.rows:
                row.sort(key=lambda i: float(np.mean(self._seen(i, position, upward))))
                position |= {i: float(k) for k, i in enumerate(row)}

    def _seen(self, i: int, position: dict[int, float], upward: bool) -> list[float]:
        """Return the positions of what i is joined to; as an argument, at its place among its user's arguments."""
        if not upward:
            return [position[j] for j in self.above[i]] or [position[i]]
        seen = [position[j] + self.above[j].index(i) / (len(self.above[j]) + 1) for j in self.below[i]]
        return seen or [position[i]]

    def places(self, widths: Sequence[float]) -> list[float]:
        """Return the middle of each vertex and place, from left to right."""
        x = [0.0] * len(self.row)
        joined = [[*above, *below] for above, below in zip(self.above, self.below, strict=True)]
        weights = [[self._weight(i, j) for j in others] for i, others in enumerate(joined)]
        for sweep in range(4 * SWEEPS):
            for row in self.rows[::-1] if sweep % 2 else self.rows:
                near = [np.average([x[j] for j in joined[i]] or [x[i]], weights=weights[i] or None) for i in row]
                for i, value in zip(row, _apart(near, [widths[i] for i in row]), strict=True):
                    x[i] = value
        return x

    def _weight(self, i: int, j: int) -> int:
        """Return how much a straight line between the two is worth: most where an edge passes rows."""
        return (1, 2, 8)[(i >= self.count) + (j >= self.count)]


def _rows(vertices: Sequence[Vertex]) -> list[int]:
    """Return the row of each vertex: a call one below its lowest argument, a leaf one above its first user."""
    rows: list[int] = []
    for v in vertices:
        rows.append(1 + max((rows[p] for p in v.parents), default=-1))
    users: list[list[int]] = [[] for _ in vertices]
    for i, v in enumerate(vertices):
        for p in v.parents:
            users[p].append(rows[i])
    return [rows[i] if v.parents else min(users[i], default=1) - 1 for i, v in enumerate(vertices)]


def _apart(wanted: Sequence[float], widths: Sequence[float]) -> list[float]:
    """Return the x nearest to those wanted, in least squares, that keep their order and do not overlap.

    With the room that each needs taken off, the x may only rise: neighbors that would fall share their mean.
    """
    gaps = [(a + b) / 2 + ACROSS for a, b in zip(widths, widths[1:], strict=False)]
    room = np.cumsum([0.0, *gaps])
    groups: list[tuple[float, int]] = []  # mean, and of how many
    for value in np.subtract(wanted, room):
        mean, count = float(value), 1
        while groups and groups[-1][0] > mean:
            before, many = groups.pop()
            mean, count = (before * many + mean * count) / (many + count), many + count
        groups.append((mean, count))
    return [float(x) for x in np.repeat([m for m, _ in groups], [c for _, c in groups]) + room]


def drawing(vertices: Sequence[Vertex]) -> Drawing:
    """Return the drawing of a graph, its arguments above the calls that use them.

    >>> made = drawing([Vertex("leaf", "x", (), ()), Vertex("result", "exp", (), (0,))])
    >>> made.boxes[0].x == made.boxes[1].x, made.boxes[0].y < made.boxes[1].y, len(made.lines)
    (True, True, 1)
    """
    rows = _Rows(vertices)
    rows.sort()
    passing = [0.0] * (len(rows.row) - len(vertices))
    widths = [max(NAME * len(v.name), *(FACT * len(f) for f in v.facts), 20.0) + 16 for v in vertices] + passing
    heights = [LINE * (1 + len(v.facts)) + 10 for v in vertices] + passing
    x = rows.places(widths)
    left = min(a - w / 2 for a, w in zip(x, widths, strict=True)) - EDGE
    tall = np.array([max(heights[i] for i in row) for row in rows.rows])
    y = EDGE + np.cumsum(tall + DOWN) - DOWN - tall / 2
    boxes = [Box(x[i] - left, float(y[row]), widths[i], heights[i]) for i, row in enumerate(rows.row)]
    lines = []
    for chain, aim in zip(rows.chains, _aims(vertices), strict=True):
        lines.append(_line([boxes[i] for i in chain], aim, [float(tall[rows.row[i]]) / 2 for i in chain]))
    width = max(b.x + b.width / 2 for b in boxes) + EDGE
    return Drawing(width, float(y[-1] + tall[-1] / 2) + EDGE, boxes[: len(vertices)], lines)


def _aims(vertices: Sequence[Vertex]) -> list[float]:
    """Return how far from the middle of its user each edge arrives: arguments beside each other, in their order."""
    counts = [len(v.parents) for v in vertices]
    return [(k - (n - 1) / 2) * min(12.0, 40.0 / n) for n in counts for k in range(n)]


def _line(chain: Sequence[Box], aim: float, tall: Sequence[float]) -> list[Point]:
    """Return the line through a chain: straight beside the boxes of a row that it passes, curved between the rows."""
    first, *passed, last = chain
    points = [(first.x, first.y + first.height / 2)]
    stops = [(b.x, b.y, half) for b, half in zip(passed, tall[1:-1], strict=True)]
    for x, y, half in [*stops, (last.x + aim, last.y, last.height / 2)]:
        points += _curve(points[-1], (x, y - half))
        if (x, y, half) in stops:
            points += _curve(points[-1], (x, y + half))
    return points


def _curve(start: Point, end: Point) -> list[Point]:
    middle = (start[1] + end[1]) / 2
    return [(start[0], middle), (end[0], middle), end]
