"""Which processes were started together, told without loading MPI; and joining them."""

from __future__ import annotations

import os
import sys
from types import TracebackType
from typing import Any, NamedTuple

from minitensor.teams.mpi import MPI
from minitensor.teams.nccl import NCCL

__all__ = ["Launched", "join", "launched", "placed"]

VARIABLES = {  # rank, size, and the processes on this machine
    "PMI_RANK": ("PMI_SIZE", "MPI_LOCALNRANKS"),  # MPICH, Intel MPI, `srun --mpi=pmi2`
    "OMPI_COMM_WORLD_RANK": ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_SIZE"),
    "PMIX_RANK": ("SLURM_NTASKS", "SLURM_NTASKS_PER_NODE"),  # `srun --mpi=pmix`
}


class Launched(NamedTuple):
    """What the environment says of the processes that were started together."""

    rank: int
    size: int
    local: int
    """of them on this machine, where that is said; else all"""


def launched() -> Launched:
    """Return which of how many processes this one is, by what `mpiexec` or `srun` put into the environment.

    >>> launched().size >= 1
    True
    """
    for name, (size, local) in VARIABLES.items():
        found = [os.environ.get(key, "") for key in (name, size)]
        if all(map(str.isdecimal, found)) and int(found[1]) > 1:
            near = os.environ.get(local, "")
            return Launched(
                int(found[0]), int(found[1]), int(near) if near.isdecimal() and int(near) else int(found[1])
            )
    return Launched(0, 1, 1)


_joined: list[MPI] = []


def join() -> MPI | None:
    """Return the team of the processes that were started together; None if this one was started alone.

    An error that nobody catches in one of them then ends them all, as with `python -m mpi4py`: the others would wait
    for it for ever. Raises DeviceError, with what to install, where mpi4py or an MPI is missing.

    >>> join() is None or join().size > 1
    True
    """
    if not _joined and launched().size > 1:
        team = MPI()
        if team.size != launched().size:  # started by another MPI than mpi4py has: each would be alone
            raise RuntimeError(
                f"{launched().size} processes were started together, and mpi4py's MPI knows of {team.size}: start them "
                "with the mpiexec of the MPI that mpi4py uses; that of `pip install mpich` lies beside python"
            )
        _end_together(team)
        _joined.append(team)
    return _joined[0] if _joined else None


def placed(team: MPI | None, device: str) -> tuple[Any, str]:
    """Return the team that computes on a device, and which device is this process's.

    On the CPU it is the team itself. Of "cuda" each process on a machine takes a GPU of its own, in their order, and
    what is on the GPUs goes by NCCL.

    >>> placed(None, "cpu")
    (None, 'cpu')
    """
    if team is None or not device.startswith("cuda"):
        return team, device
    device = f"cuda:{team.near}"
    return NCCL(team, device), device


def _end_together(team: MPI) -> None:
    """Let an error that nobody catches end all processes."""
    before = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> Any:
        before(kind, error, traceback)
        sys.stderr.flush()
        team.abort(130 if issubclass(kind, KeyboardInterrupt) else 1)

    sys.excepthook = hook
