"""The state of an installation: versions, threads, GPU, optional packages, and whether the engine computes rightly."""

import os
import platform
import time
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_info

import minitensor as mt
from jepa import __file__ as jepa_file
from jepa import __version__

CORE = ("numpy", "pillow", "matplotlib", "pyyaml", "tqdm", "safetensors", "threadpoolctl")
OPTIONAL = {
    "scikit-learn": ("sklearn", "the digits data", "pip install -e '.[eval]'"),
    "Numba": ("numba", "compiled kernels, without which training is slower", "pip install -e '.[fast]'"),
    "CuPy": ("cupy", "GPU", "pip install -e '.[cuda13]', or '.[cuda12]'; the top line of nvidia-smi says which"),
    "ml_dtypes": ("ml_dtypes", "bfloat16", "pip install -e '.[cuda13]', or '.[cuda12]'"),
    "mpi4py": ("mpi4py", "several processes", "pip install -e '.[mpi]'"),
    "pooch": ("pooch", "data get", "pip install -e '.[get]'"),
    "pyarrow": ("pyarrow", ".parquet files", "pip install -e '.[parquet]'"),
    "tensorboardX": ("tensorboardX", "train.track=tensorboard", "pip install -e '.[track]'"),
    "pytest": ("pytest", "the tests", "make test"),
    "hypothesis": ("hypothesis", "the tests", "make test"),
    "torch": ("torch", "tests and benchmarks compare with it", "make parity"),
}


EXCHANGED = 4096, 1 << 20, 1 << 24
"""bytes of gradients that processes exchange for a try"""


class Report(NamedTuple):
    """What was found, in lines, and whether the device that was asked for can be used."""

    lines: list[str]
    usable: bool


def examine(device: str = "auto") -> Report:
    """Look at everything and run the self-test on `device`; for "auto" on the CPU, and on the GPU if there is one."""
    gpu, gpu_lines = _gpu()
    lines = [*_versions(), *_origin(), *_threads(), _kernels(), *gpu_lines, *_optional()]
    asked = [device] if device != "auto" else ["cpu", "cuda"] if gpu else ["cpu"]
    usable, said = _processes(asked[-1])
    lines += said
    for name in asked:
        try:
            lines.append(f"self-test on {name}: {self_test(name)}")
        except Exception as error:  # whatever a broken driver or a missing library raises is the finding
            usable = False
            lines.append(f"self-test on {name}: FAILED: {type(error).__name__}: {error}")
    return Report(lines, usable)


def self_test(device: str = "cpu") -> str:
    """Multiply matrices, go backward, compare with a finite difference; return a sentence with the largest difference.

    Raises ArithmeticError if they differ, DeviceError if the device cannot be used.

    >>> self_test().startswith("ok")
    True
    """
    start = time.perf_counter()
    generator = np.random.default_rng(0)
    a, b = generator.normal(size=(6, 5)), generator.normal(size=(5, 4))  # float64

    def loss(x: mt.Tensor) -> mt.Tensor:
        y: mt.Tensor = (x @ mt.Tensor(b).to(device)).tanh().sum()
        return y

    x = mt.Tensor(a, requires_grad=True).to(device)
    (gradient,) = mt.grad(loss(x), x)  # (6, 5)
    step, numeric = 1e-6, np.empty_like(a)
    for index in np.ndindex(*a.shape):
        shift = np.zeros_like(a)
        shift[index] = step
        up, down = (loss(mt.Tensor(a + sign * shift).to(device)).item() for sign in (1, -1))
        numeric[index] = (up - down) / (2 * step)
    error = float(np.abs(gradient.numpy() - numeric).max())
    if not error < 1e-7:
        raise ArithmeticError(f"the gradient of a matrix product is off by {error:.1e}")
    return f"ok, gradient within {error:.0e} of a finite difference, {time.perf_counter() - start:.2f} s"


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "missing: pip install -e ."


def _versions() -> list[str]:
    return [
        f"minitensor-jepa {__version__}, Python {platform.python_version()}, {platform.platform()}",
        *(f"  {name} {_version(name)}" for name in CORE),
    ]


def _origin() -> list[str]:
    """Say where both packages come from; others have published packages of the same import names."""
    homes = {"jepa": Path(jepa_file).parent, "minitensor": Path(str(mt.__file__)).parent}
    lines = [f"{name} is {home}" for name, home in homes.items()]
    if homes["jepa"].parent != homes["minitensor"].parent:
        lines.append("  WARNING: they lie in different places, so one of them is not ours. Install into a fresh .venv")
    for name in homes:
        if list(metadata.distributions(name=name)):
            lines.append(f"  WARNING: another package called {name!r} is installed: pip uninstall {name}")
    return lines


def _threads() -> list[str]:
    pools = [
        f"{p['internal_api']} {p['version']} for {p.get('architecture', 'any')}, {p['num_threads']} threads"
        for p in threadpool_info()
    ]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return [f"matrix products: {'; '.join(pools) or 'unknown library'}; {cores} cores (--threads N sets the threads)"]


def _kernels() -> str:
    chosen = mt.get_kernels()
    return f"kernels on the CPU: {chosen}" + (f", by Numba {_version('numba')}" if chosen == "compiled" else " alone")


def _gpu() -> tuple[bool, list[str]]:
    """Return whether a GPU can be used, and why not."""
    wheels = sorted({f"{d.name} {d.version}" for d in metadata.distributions() if d.name.startswith("cupy")})
    if find_spec("cupy") is None:
        return False, ["GPU: not used, CuPy is not installed"]
    lines = [f"GPU: {', '.join(wheels)}"]
    if len(wheels) > 1:
        lines.append("  WARNING: several CuPy packages are installed, which breaks both: pip uninstall all but one")
    try:
        mt.Tensor(np.zeros(1)).to("cuda")
    except Exception as error:  # no driver, an older driver, no toolkit: CuPy has a class for each
        return False, [*lines, f"  not usable: {error}"]
    return True, [*lines, "  usable: --device cuda"]


def _processes(device: str) -> tuple[bool, list[str]]:
    """Return whether the processes that were started together add arrays up rightly, and how fast they do."""
    team = mt.teams.join()
    if team is None:
        return True, ["processes: one (`mpiexec -n 2 python -m jepa doctor` tries how fast two exchange gradients)"]
    lines = [f"processes: {team.size}, of which {mt.teams.launched().local} on this machine, {team.version}"]
    usable, (exchange, where) = True, mt.teams.placed(team, device)
    for size in EXCHANGED:
        line = mt.Tensor(np.full(size // 4, team.rank + 1.0, np.float32)).to(where)
        seconds = []
        for _ in range(5):
            team.wait()
            start = time.perf_counter()
            found = mt.Tensor(exchange.total(line.data)).numpy()
            seconds.append(time.perf_counter() - start)
        right, took = bool((found == team.size * (team.size + 1) / 2).all()), min(seconds)
        usable &= right
        rate = f", {size / took / 1e9:.2f} GB/s" if size >= 1 << 20 else ""
        lines.append(
            f"  a sum of {size / 2**20:g} MiB on {where}: {'ok' if right else 'WRONG'}, {1e3 * took:.3f} ms{rate}"
        )
    return usable, lines


def _optional() -> list[str]:
    lines = ["optional:"]
    for name, (module, use, command) in OPTIONAL.items():
        found = find_spec(module) is not None
        lines.append(f"  {name:<17}{'yes' if found else 'no '}  {use}{'' if found else f': {command}'}")
    return lines
