"""Teams of processes: those that `mpiexec` or `srun` started together, by MPI, and by NCCL where each has a GPU."""

from minitensor.team import cut
from minitensor.teams.joining import join, launched, placed
from minitensor.teams.mpi import MPI
from minitensor.teams.nccl import NCCL

__all__ = ["MPI", "NCCL", "cut", "join", "launched", "placed"]
