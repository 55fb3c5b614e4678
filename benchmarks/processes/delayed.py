"""`mpiexec -n 8 python -m benchmarks.processes.delayed`: the model beside sums whose messages are slowed down.

Sums around a ring and up a tree are written out, message by message, and each message takes as long as it would on a
slow link: the sender sleeps, which takes no core. The results are compared with MPI's own sum.
"""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np
from mpi4py import MPI

from benchmarks.processes import model

ALPHA, BETA = 20e-3, 5e6  # seconds of a message, bytes a second: what the machine adds is little beside them
SIZES = 640, 64_000, 320_000


def message(comm: Any, to: int | None, source: int | None, sent: np.ndarray) -> np.ndarray:
    """Send an array to one process while another one's arrives, no sooner than the link would have it there."""
    if to is not None:
        time.sleep(ALPHA + sent.nbytes / BETA)
    received = np.empty_like(sent)
    null = MPI.PROC_NULL
    comm.Sendrecv(sent, null if to is None else to, recvbuf=received, source=null if source is None else source)
    return received


def ring(comm: Any, x: np.ndarray) -> np.ndarray:
    """Return the sum of all x: N stretches, each added up on its way around, and told on a second one."""
    n, rank = comm.size, comm.rank
    parts = np.array(x).reshape(n, -1)
    right, left = (rank + 1) % n, (rank - 1) % n
    for k in range(n - 1):
        parts[(rank - k - 1) % n] += message(comm, right, left, parts[(rank - k) % n])
    for k in range(n - 1):
        parts[(rank - k) % n] = message(comm, right, left, parts[(rank - k + 1) % n])
    return parts.reshape(-1)


def tree(comm: Any, x: np.ndarray) -> np.ndarray:
    """Return the sum of all x, of a number of processes that is a power of two: up to the first, and down again."""
    n, rank, y = comm.size, comm.rank, np.array(x)
    strides = [1 << k for k in range((n - 1).bit_length())]
    for stride in strides:
        if rank % (2 * stride) == 0:
            y += message(comm, None, rank + stride, y)
        elif rank % stride == 0:
            message(comm, rank - stride, None, y)
    for stride in reversed(strides):
        if rank % (2 * stride) == 0:
            message(comm, rank + stride, None, y)
        elif rank % stride == 0:
            y = message(comm, None, rank - stride, y)
    return y


def main() -> None:
    """Measure; the first process prints."""
    comm = MPI.COMM_WORLD
    found = []
    for size in SIZES:
        x = np.random.default_rng(comm.rank).integers(100, size=size // 8).astype(np.float64)
        expected = np.empty_like(x)
        comm.Allreduce(x, expected)
        for way, cost in ((ring, model.ring), (tree, model.tree)):
            taken = []
            for _ in range(3):
                comm.Barrier()
                start = time.perf_counter()
                y = way(comm, x)
                comm.Barrier()
                taken.append(time.perf_counter() - start)
                assert (y == expected).all()
            row = {"way": way.__name__, "bytes": size, "ms": round(min(taken) * 1e3, 2)}
            found.append({**row, "model_ms": round(cost(comm.size, size, ALPHA, BETA) * 1e3, 2)})
    if comm.rank == 0:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
