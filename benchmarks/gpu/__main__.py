"""One part in a process of its own: `python -m benchmarks.gpu PART --report FILE ...`, as `session.py` starts it."""

from __future__ import annotations

import argparse
import importlib
import os
from pathlib import Path

from benchmarks.gpu.report import Report

MODULES = {"machine": "machine", "ops": "cases", "tests": "marked", "steps": "beside"}
MODULES |= {"demo": "training", "half": "training", "cifar10": "training"}


def main() -> None:
    """Run the part; what it raises is in the log, and the exit status says that it did."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu")
    parser.add_argument("part", choices=MODULES)
    parser.add_argument("--report", type=Path, required=True, help="file for what is found")
    parser.add_argument("--folder", type=Path, required=True, help="for files of the part's own")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--dry", action="store_true", help="with the stand-in, on the CPU")
    parser.add_argument("--small", action="store_true", help="the least that runs through everything")
    parser.add_argument("--cifar10", default="")
    args = parser.parse_args()
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1" if args.part == "ops" or args.dry else "4")
    module = importlib.import_module(f"benchmarks.gpu.{MODULES[args.part]}")
    part = getattr(module, args.part, None) or module.run
    settings = {"folder": args.folder, "seconds": args.seconds, "dry": args.dry, "small": args.small}
    part(Report(args.report), cifar10=args.cifar10, **settings)


if __name__ == "__main__":
    main()
