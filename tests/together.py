"""Programs that several processes run together, by `mpiexec`; skipped where there is none."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
BESIDE = Path(sys.executable).parent / "mpiexec"
MPIEXEC = str(BESIDE) if BESIDE.exists() else shutil.which("mpiexec")
KEPT = ("PMI_", "MPI_", "OMPI_", "PMIX_", "SLURM_")  # of another mpiexec, whose child this one may be

needs_mpi = pytest.mark.skipif(
    MPIEXEC is None or importlib.util.find_spec("mpi4py") is None, reason="needs mpi4py and mpiexec"
)


def command(count: int, words: Sequence[str]) -> list[str]:
    """Return what starts so many processes of `python WORDS`."""
    return [str(MPIEXEC), "-n", str(count), sys.executable, *words]


def environment() -> dict[str, str]:
    """Return the environment of a process that nobody started together with others."""
    own = {key: value for key, value in os.environ.items() if not key.startswith(KEPT)}
    single = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    return own | single | {"PYTHONPATH": str(ROOT), "MPIR_CVAR_ENABLE_HEAVY_YIELD": "1"}  # tests share the cores


def run(count: int, words: Sequence[str], folder: Path, **how: Any) -> subprocess.CompletedProcess[str]:
    """Run `python WORDS` in so many processes in a folder; return how they ended and what they said."""
    how = {"timeout": 240, **how}
    return subprocess.run(
        command(count, words), cwd=folder, env=environment(), capture_output=True, text=True, check=False, **how
    )
