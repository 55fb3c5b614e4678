"""A strict stand-in for `cupy.cuda` and its NCCL, over `fake_cupy`'s arrays and MPI: what cannot be run without GPUs.

Like NCCL it knows addresses, counts and types alone: of an array whose entries do not lie one behind the other it sends
what lies there. Like CuPy's it takes numbers and tuples, and no arrays. Streams note who waits for whom.
"""

from __future__ import annotations

import ctypes
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
from mpi4py import MPI

from tests.minitensor import fake_cupy

NAMES = "INT8 UINT8 INT32 UINT32 INT64 UINT64 FLOAT16 FLOAT32 FLOAT64 BFLOAT16".split()
NUMBERS = dict(zip(NAMES, (0, 1, 2, 3, 4, 5, 6, 7, 8, 9), strict=True))
DTYPES = {NUMBERS[name]: np.dtype(name.lower()) for name in NAMES[:-1]}
calls: list[tuple[str, int]] = []  # what was done, on which stream


def _memory(at: int, count: int, kind: int) -> np.ndarray:
    if not all(type(n) is int for n in (at, count, kind)):
        raise TypeError("an integer is required")
    size = DTYPES[kind].itemsize * count
    return np.frombuffer((ctypes.c_char * size).from_address(at), DTYPES[kind])


class NcclCommunicator:
    """`cupy.cuda.nccl.NcclCommunicator`."""

    def __init__(self, ndev: int, commId: tuple[int, ...], rank: int) -> None:  # noqa: N803
        assert type(commId) is tuple and len(commId) == 128
        self.communicator = MPI.COMM_WORLD.Split(0, rank)
        assert (self.communicator.size, self.communicator.rank) == (ndev, rank)
        assert len(set(self.communicator.allgather(commId))) == 1

    def allReduce(self, sendbuf: int, recvbuf: int, count: int, datatype: int, op: int, stream: int) -> None:  # noqa: N802
        assert op == 0
        calls.append(("allReduce", stream))
        sums = _memory(sendbuf, count, datatype).copy()
        found = [np.empty_like(sums) for _ in range(self.communicator.size)]
        self.communicator.Allgather(sums.view("u1"), joined := np.empty(sums.nbytes * len(found), "u1"))
        _memory(recvbuf, count, datatype)[:] = joined.view(sums.dtype).reshape(len(found), -1).sum(0, sums.dtype)

    def allGather(self, sendbuf: int, recvbuf: int, count: int, datatype: int, stream: int) -> None:  # noqa: N802
        calls.append(("allGather", stream))
        out = _memory(recvbuf, count * self.communicator.size, datatype)
        self.communicator.Allgather(_memory(sendbuf, count, datatype).view("u1"), out.view("u1"))


class Stream:
    """`cupy.cuda.Stream`."""

    def __init__(self, ptr: int = 0, non_blocking: bool = False) -> None:
        self.ptr = ptr or (7 if non_blocking else 0)

    def record(self) -> tuple[str, int]:
        return "recorded", self.ptr

    def wait_event(self, event: tuple[str, int]) -> None:
        assert event[0] == "recorded" and event[1] != self.ptr
        calls.append(("wait", self.ptr))


@contextmanager
def device(index: int) -> Any:
    assert type(index) is int
    yield


nccl = SimpleNamespace(
    NcclCommunicator=NcclCommunicator, NCCL_SUM=0, get_unique_id=lambda: tuple(np.random.bytes(128)),
    **{f"NCCL_{name}": number for name, number in NUMBERS.items()},
)  # fmt: skip
runtime = SimpleNamespace(getDeviceCount=lambda: 2)
cuda = SimpleNamespace(runtime=runtime, Stream=Stream, Device=device, get_current_stream=Stream)

fake_cupy.FakeArray.data = property(lambda self: SimpleNamespace(ptr=int(self._array.ctypes.data)))  # type: ignore[assignment]
