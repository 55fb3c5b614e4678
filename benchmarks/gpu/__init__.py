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

Without an index (a machine that is offline, with CuPy, NumPy and perhaps PyTorch installed system-wide). Where there is
an index, beside the repository, for that machine's Python and processor:

    pip download -d wheels --only-binary=:all: --python-version 3.12 --platform manylinux_2_28_x86_64 \\
        --platform manylinux_2_27_x86_64 --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 \\
        'omegaconf>=2.4.0.dev0' pyyaml antlr4-python3-runtime --no-deps

    pip download -d wheels ... --no-deps hatchling ... for what `pip list` there does not have

and there, in the repository, with the wheels' folder and CIFAR-10 (a folder, or the archive of one) carried along:

    make gpu WHEELS=wheels ARGS='--cifar10 cifar10.tar.xz'
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
