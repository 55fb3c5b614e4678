"""A team of processes by MPI, through mpi4py: arrays of the host; those of a GPU travel through it."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minitensor.backend import Array, device_of, is_array, is_half, move, to_numpy
from minitensor.errors import DeviceError, ParallelError

__all__ = ["MPI"]

INSTALL = "pip install -e '.[mpi]'"
MOST = 1 << 30  # entries in one message: MPI counts them in 32 bits


def _library() -> Any:
    """Return `mpi4py.MPI`, which starts MPI; say what to install if it cannot."""
    try:
        return importlib.import_module("mpi4py.MPI")
    except ImportError as error:
        raise DeviceError(f"several processes need mpi4py, which is not installed: {INSTALL}") from error
    except RuntimeError as error:
        raise DeviceError(
            f"mpi4py found no MPI on this machine: {INSTALL} brings MPICH; a cluster has its own (module load ...)"
        ) from error


class MPI:
    """The processes of a communicator, by default all that were started together (see `minitensor.team.Team`).

    Sums are MPI's own, in its order: for a number of processes always the same bits, the same in each. MPI is called by
    one thread of each process.

    >>> team = MPI()  # alone, without mpiexec
    >>> team.size, team.rank, team.total(np.ones(2)).tolist(), team.gather("a"), team.broadcast(3)
    (1, 0, [1.0, 1.0], ['a'], 3)
    """

    def __init__(self, communicator: Any = None) -> None:
        self._mpi = _library()
        self.communicator = self._mpi.COMM_WORLD if communicator is None else communicator
        self.size, self.rank = int(self.communicator.size), int(self.communicator.rank)

    @property
    def version(self) -> str:
        """Which MPI it is."""
        first = str(self._mpi.Get_library_version()).strip("\0 \n").splitlines()[0]
        return " ".join(first.split())

    @property
    def near(self) -> int:
        """Which of the processes on this machine it is."""
        shared = self.communicator.Split_type(self._mpi.COMM_TYPE_SHARED)
        rank = int(shared.rank)
        shared.Free()
        return rank

    def total(self, x: Array, what: str = "a sum") -> Array:
        """Return Σ x over the processes: an array of its own, of x's shape and dtype, on its device."""
        host = np.asarray(to_numpy(x))
        dtype = host.dtype
        sums = np.array(host, np.float32 if is_half(dtype) else dtype, order="C")
        for line in _lines(sums.reshape(-1)):
            self.communicator.Allreduce(self._mpi.IN_PLACE, line)
        return move(sums.astype(dtype, copy=False), device_of(x))

    def gather(self, value: Any, what: str = "values") -> list[Any]:
        """Return the values of all processes, in their order; of arrays the first axes may differ."""
        if not is_array(value) or not value.ndim or not _sent(value.dtype):
            return list(self.communicator.allgather(value))
        host = np.ascontiguousarray(to_numpy(value))
        shapes = self.communicator.allgather((host.shape, host.dtype.str))
        if len({(shape[1:], dtype) for shape, dtype in shapes}) > 1:
            raise ParallelError(
                f"the processes have arrays of {', '.join(str(shape) for shape, _ in shapes)} for {what}: they may "
                "differ in their first axis alone"
            )
        lengths, sizes = [shape[0] for shape, _ in shapes], [math.prod(shape) for shape, _ in shapes]
        if sum(sizes) > MOST:
            return [move(each, device_of(value)) for each in self.communicator.allgather(host)]
        found = np.empty((sum(lengths), *host.shape[1:]), host.dtype)
        self.communicator.Allgatherv(host, (found, sizes))
        ends = np.cumsum([0, *lengths])
        return [move(found[a:b], device_of(value)) for a, b in zip(ends[:-1], ends[1:], strict=True)]

    def broadcast(self, value: Any, what: str = "a value") -> Any:
        """Return the value of the first process."""
        return self.communicator.bcast(value)

    def begin_total(self, line: Array) -> Callable[[], None]:
        """Begin to replace a flat array by its sum over the processes; what is returned waits for the end."""
        if not _sent(line.dtype):
            line[...] = self.total(line)
            return lambda: None
        host = to_numpy(line)
        requests = [self.communicator.Iallreduce(self._mpi.IN_PLACE, part) for part in _lines(host)]

        def arrive() -> None:
            self._mpi.Request.Waitall(requests)
            if host is not line:  # of a GPU
                line[...] = move(host, device_of(line))

        return arrive

    def wait(self) -> None:
        """Wait until all processes are here."""
        self.communicator.Barrier()

    def abort(self, code: int) -> None:
        """End all processes at once."""
        self.communicator.Abort(code)


def _lines(line: np.ndarray) -> Sequence[np.ndarray]:
    """Cut a flat array into stretches that fit into messages."""
    return [line[i : i + MOST] for i in range(0, len(line), MOST)] if len(line) > MOST else [line]


def _sent(dtype: np.dtype) -> bool:
    """Whether MPI has the type: not that of halves."""
    return dtype.kind in "biufc" and not is_half(dtype)
