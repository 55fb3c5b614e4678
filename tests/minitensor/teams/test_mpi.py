"""Processes compute a batch in parts, and get what one gets for the whole."""

import subprocess
import sys

import pytest

from minitensor.teams import cut, launched
from tests.together import environment, needs_mpi, run

NAMES = ["contract", "gradients", "late", "around", "hooked", "training", "threads", "nccl"]


@needs_mpi
@pytest.mark.parametrize("count", [2, 3])
def test_processes_are_as_one(count, tmp_path):
    ended = run(count, ["-m", "tests.minitensor.teams.program", *NAMES], tmp_path)
    assert ended.returncode == 0, ended.stderr[-3000:]


@needs_mpi
@pytest.mark.parametrize("how", ["raise ZeroDivisionError", "import os; os._exit(3)"])
def test_a_process_that_fails_ends_all(how, tmp_path):
    program = f"from minitensor.teams import join\nt = join()\nif t.rank == 1:\n    {how}\nt.wait()"
    ended = run(2, ["-c", program], tmp_path, timeout=60)
    assert ended.returncode != 0


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, (0, 1, 1)),
        ({"PMI_RANK": "1", "PMI_SIZE": "2", "MPI_LOCALNRANKS": "1"}, (1, 2, 1)),
        ({"OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_SIZE": "4"}, (0, 4, 4)),
        ({"PMIX_RANK": "3", "SLURM_NTASKS": "8", "SLURM_NTASKS_PER_NODE": "4"}, (3, 8, 4)),
        ({"PMI_RANK": "0", "PMI_SIZE": "1"}, (0, 1, 1)),
        ({"PMI_RANK": "x", "PMI_SIZE": "2"}, (0, 1, 1)),
    ],
)
def test_what_the_environment_says(variables, expected, monkeypatch):
    for name in [n for n in __import__("os").environ if n.startswith(("PMI", "OMPI", "MPI_", "SLURM"))]:
        monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert launched() == expected


def test_each_sample_has_one_process():
    for n in range(12):
        for size in range(1, 7):
            rows = [i for rank in range(size) for i in range(n)[cut(n, size, rank)]]
            assert rows == list(range(n))


def test_without_mpi4py_it_says_what_to_install(tmp_path):
    program = "import sys; sys.modules['mpi4py'] = None; import minitensor as mt; mt.teams.join()"
    env = environment() | {"PMI_RANK": "0", "PMI_SIZE": "2"}
    ended = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=False)
    assert "several processes need mpi4py, which is not installed: pip install -e '.[mpi]'" in ended.stderr


def test_nobody_loads_mpi_unasked():
    program = "import sys, minitensor, jepa; assert not any(n.startswith('mpi4py') for n in sys.modules)"
    subprocess.run([sys.executable, "-c", program], env=environment(), check=True)
