"""What the engine does on an NVIDIA GPU, in one command of at most eight minutes, the most important first.

    make gpu                                  ARGS='--cifar10 FOLDER' for the last part
    python -m benchmarks gpu --seconds 420    the same, where the packages are there already
    python -m benchmarks gpu --dry            all of it in small on the CPU, with a stand-in for CuPy

The parts, each in a process of its own with a share of the seconds; one that fails or is late does not stop the next:

    machine   GPU, driver, versions
    ops       the case table of the tests: values, gradients and second orders beside the CPU's; failures by name
    tests     the other tests that are marked `gpu` (if pytest and hypothesis are there)
    demo      `python -m jepa demo --device cuda`, with its probes
    half      float16 with loss scaling beside float32: the losses of the same steps
    steps     three training steps and their memory beside PyTorch on the same GPU, taking turns
    cifar10   as many epochs of `ijepa-cifar10` as fit in what is left: loss and probe of each

What a part finds is in benchmarks/results/gpu.json as soon as it is found. `--only NAME` runs one part (and `machine`).
While the cases run, the others go through two steps each in the background: CuPy compiles each kernel when it is first
met, and keeps it on disk.

Without an index, on a machine that has CuPy (and PyTorch for `steps`) already: where there is an index, fetch what
that machine's `pip list` lacks, for its Python and processor; with PyTorch, CuPy and the usual packages there, that is

    python -m pip download -d wheels --only-binary=:all: --python-version 3.12 --implementation cp \\
        --platform manylinux_2_28_x86_64 --platform manylinux2014_x86_64 pyyaml

(with pillow, matplotlib, tqdm, safetensors, threadpoolctl behind it for a machine that has nothing but NumPy, and, for
the digits, the tests and bfloat16, scikit-learn, pytest, hypothesis, pytest-timeout and ml_dtypes). There, in the
repository, with the wheels and CIFAR-10 (a folder, or the archive of one) carried along:

    make gpu WHEELS=wheels ARGS='--cifar10 cifar10.tar.xz --out gpu.json'

It makes .venv beside what the machine's own Python sees, asks no index, and installs nothing else. Where there is no
`make`, `python3 -m pip install --no-index --no-deps --target FOLDER wheels/*` and then
`PYTHONPATH=FOLDER python3 -m benchmarks gpu` do the same. The figures are in the file that `--out` names.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.gpu.session import PARTS, Session

__all__ = ["run"]

RESULTS = Path(__file__).parent.parent / "results" / "gpu.json"
DRY = Path("runs") / "gpu-dry.json"


def run(seconds: float, only: str, cifar10: str, out: str, *, dry: bool) -> int:
    """Run all parts, or one of them after `machine`; return the exit status."""
    names = [part.name for part in PARTS if not only or part.name in ("machine", only)]
    return Session(seconds, Path(out) if out else DRY if dry else RESULTS, dry=dry, cifar10=cifar10).run(names)
