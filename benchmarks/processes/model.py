"""What an exchange costs, by counting messages: of a latency α each, and a link of β bytes a second.

    ring:  2 (N - 1) (α + G / (N β))       G bytes in N stretches, each goes around twice (Patarasuk & Yuan 2009)
    tree:  2 ⌈log2 N⌉ (α + G / β)          all G bytes up to the first and down again

A library takes what is faster for the size. A step of N processes with the same batch each costs its computing, and
the sum of the gradients, as if nothing went on meanwhile; batch norms and the gathering of embeddings add messages.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

LINKS = {  # seconds of a message, bytes a second in each direction
    "10 Gbit/s Ethernet": (30e-6, 1.25e9),
    "100 Gbit/s InfiniBand": (2e-6, 12.5e9),
    "NVLink, 450 GB/s": (3e-6, 450e9),
}
COUNTS = (2, 8, 32, 128, 512, 1024)
STOPS = 0.5  # where half of a step is computing


def ring(n: int, size: float, alpha: float, beta: float) -> float:
    """Return the seconds of a sum around a ring.

    >>> round(ring(8, 1e6, 1e-3, 1e9) * 1e3, 2)
    15.75
    """
    return 2 * (n - 1) * (alpha + size / n / beta)


def tree(n: int, size: float, alpha: float, beta: float) -> float:
    """Return the seconds of a sum up a tree and down again.

    >>> round(tree(8, 1e6, 1e-3, 1e9) * 1e3, 2)
    12.0
    """
    return 2 * math.ceil(math.log2(n)) * (alpha + size / beta)


def exchange(n: int, step: Mapping[str, Any], alpha: float, beta: float) -> float:
    """Return the seconds of all that a step exchanges: gradients, and what batch norms and losses need beside them."""
    gradients = step["gradient_MB"] * 1e6
    beside = max(0.0, step["MB"] * 1e6 - gradients) / max(1, step["calls"] - 1)  # of a call, by each process
    best = lambda size: min(ring(n, size, alpha, beta), tree(n, size, alpha, beta))  # noqa: E731
    return best(gradients) + max(0, step["calls"] - 1) * best(beside * n / 2)  # what is gathered grows with them


def tables(measured: Mapping[str, Any]) -> dict[str, Any]:
    """Return, for each step and link, the share of computing in a step of N processes, each with one's batch."""
    found: dict[str, Any] = {}
    for name, row in measured.items():
        both, compute = row["two processes"], row["one"]["ms"] / 1e3
        for link, (alpha, beta) in LINKS.items():
            shares = {n: compute / (compute + exchange(n, both, alpha, beta)) for n in COUNTS}
            found.setdefault(name, {})[link] = {str(n): round(share, 3) for n, share in shares.items()}
    return found


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield the tables in words."""
    yield "share of computing in a step, of N processes with the batch of one each: " + ", ".join(map(str, COUNTS))
    for name, links in found.items():
        for link, shares in links.items():
            few = [n for n, share in shares.items() if share < STOPS]
            stops = f"; exchanging takes longer than computing from {few[0]} on" if few else ""
            yield f"  {name:18} {link:22} {' '.join(f'{share:5.2f}' for share in shares.values())}{stops}"
