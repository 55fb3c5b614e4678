"""When, in a backward, the gradient of a leaf is complete: so that it can be sent on while backward goes on.

A gradient is complete when every call that used the leaf has been passed. They are counted before a pass begins. A pass
inside of another one (of `checkpoint`, of `data_parallel`) is a level of its own: what it completes is complete in all
if each level around it waits for the one call alone in which that pass runs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

from minitensor.graph import Node, Place, Variable

__all__ = ["Arrivals"]


class Arrivals:
    """Calls `then(leaf)` as soon as the leaf's `.grad` is complete, at most once in a backward."""

    def __init__(self, then: Callable[[Variable], None]) -> None:
        self.then = then
        self._levels: list[dict[Place, int]] = []  # of each pass under way: the calls that a leaf waits for

    def begin(self, starts: Iterable[Place], ends: Collection[Place]) -> None:
        """Count the uses of each leaf in a pass from `starts`, back to `ends`."""
        uses: dict[Place, int] = {}
        nodes: set[Node] = set()
        stack = [start.origin for start in starts]
        while stack:
            node = stack.pop()
            if type(node) is not Node or node in nodes:
                continue
            nodes.add(node)
            for p in node.parents:
                if isinstance(p, Variable):
                    uses[p] = uses.get(p, 0) + 1
                elif p is not None and p not in ends:
                    stack.append(p.origin)
        self._levels.append(uses)

    def end(self) -> None:
        """End the innermost pass."""
        self._levels.pop()

    def passed(self, node: Node) -> Iterator[Variable]:
        """Yield the leaves whose gradient is complete now that a call was passed."""
        *around, uses = self._levels
        for p in node.parents:
            if isinstance(p, Variable):
                uses[p] -= 1
                if uses[p] == 0 and all(level.get(p, 1) == 1 for level in around):
                    for level in around:  # they have nothing more to say of it
                        level[p] = 0
                    yield p
