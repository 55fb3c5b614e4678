"""A team of processes with a GPU each, by NCCL through CuPy: arrays go from GPU to GPU, and not through the host."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minitensor.backend import Array, collectives, device_of, is_array, namespace
from minitensor.errors import DeviceError
from minitensor.teams.mpi import MPI

__all__ = ["NCCL"]

TYPES = {  # NCCL's names of dtypes
    "int8": "INT8", "uint8": "UINT8", "bool": "UINT8", "int32": "INT32", "uint32": "UINT32", "int64": "INT64",
    "uint64": "UINT64", "float16": "FLOAT16", "float32": "FLOAT32", "float64": "FLOAT64", "bfloat16": "BFLOAT16",
}  # fmt: skip


class NCCL:
    """The processes of `control`, whose arrays are on a GPU each (see `minitensor.team.Team`).

    What is on the host, and what is no array, goes by MPI. A sum runs in the order of the stream that computes; those
    of gradients on a stream of their own, while backward goes on. Two processes cannot share a GPU: NCCL refuses.

    device: of this process, "cuda:1". Raises DeviceError where CuPy has no NCCL, or the machine not so many GPUs.
    """

    def __init__(self, control: MPI, device: str) -> None:
        self.control, self.size, self.rank = control, control.size, control.rank
        self._cuda, self._nccl = collectives(device)
        index, count = int(device.partition(":")[2] or 0), int(self._cuda.runtime.getDeviceCount())
        if index >= count:
            raise DeviceError(
                f"this machine has {count} GPU{'s' * (count > 1)} and a process more than that, for which {device} was "
                "meant: start as many processes on it as it has GPUs"
            )
        name = control.broadcast(self._nccl.get_unique_id() if self.rank == 0 else None)
        with self._cuda.Device(index):
            self._communicator = self._nccl.NcclCommunicator(self.size, name, self.rank)
            self._apart = self._cuda.Stream(non_blocking=True)

    def total(self, x: Array, what: str = "a sum") -> Array:
        """Return Σ x over the processes, on x's device."""
        if not is_array(x) or device_of(x) == "cpu":
            return self.control.total(x)
        sums = x.copy(order="C")
        self._sum(sums, self._cuda.get_current_stream())
        return sums

    def gather(self, value: Any, what: str = "values") -> list[Any]:
        """Return the values of all processes, in their order; of arrays the first axes may differ."""
        if not is_array(value) or device_of(value) == "cpu" or not value.ndim or value.dtype.name not in TYPES:
            return self.control.gather(value)
        lengths = self.control.gather(len(value))
        xp, longest = namespace(value), max(lengths)
        sent = xp.zeros((longest, *value.shape[1:]), value.dtype)
        sent[: len(value)] = value
        found = xp.empty((self.size, *sent.shape), value.dtype)
        stream = self._cuda.get_current_stream()
        if sent.size:
            self._communicator.allGather(sent.data.ptr, found.data.ptr, sent.size, self._type(sent), stream.ptr)
        return [found[rank, :length] for rank, length in enumerate(lengths)]

    def broadcast(self, value: Any, what: str = "a value") -> Any:
        """Return the value of the first process."""
        return self.control.broadcast(value)

    def begin_total(self, line: Array) -> Callable[[], None]:
        """Begin to replace a flat array by its sum over the processes; what is returned makes its stream wait."""
        if device_of(line) == "cpu":
            return self.control.begin_total(line)
        computing = self._cuda.get_current_stream()
        self._apart.wait_event(computing.record())
        self._sum(line, self._apart)
        done = self._apart.record()
        return lambda: computing.wait_event(done)

    def wait(self) -> None:
        """Wait until all processes are here."""
        self.control.wait()

    def abort(self, code: int) -> None:
        """End all processes at once."""
        self.control.abort(code)

    def _sum(self, x: Array, stream: Any) -> None:
        """Replace an array, whose entries lie one behind the other, by its sum."""
        real = x.view(x.real.dtype) if x.dtype.kind == "c" and x.ndim else x
        if real.dtype.kind == "c":  # a single number
            real = x.reshape(1).view(x.real.dtype)
        if real.size:
            at = real.data.ptr
            self._communicator.allReduce(at, at, real.size, self._type(real), self._nccl.NCCL_SUM, stream.ptr)

    def _type(self, x: Array) -> int:
        return int(getattr(self._nccl, f"NCCL_{TYPES[x.dtype.name]}"))
