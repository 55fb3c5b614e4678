"""`python -m benchmarks`: the engine. `python -m benchmarks results`: the README's result table."""

from __future__ import annotations

import argparse

import numpy as np
from threadpoolctl import threadpool_limits


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("what", nargs="?", default="engine", choices=["engine", "results"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=3, help="training seeds of `results`")
    parser.add_argument("--only", default="", help="one experiment of `results`")
    parser.add_argument(
        "--cifar10", default="", help="folder with train/ and test/ of CIFAR-10 in class folders, for `results`"
    )
    args = parser.parse_args()
    if args.what == "results":
        from benchmarks import results

        results.run(args.seeds, args.only, args.cifar10, args.threads)
        return
    from benchmarks import engine

    if engine.torch is not None:
        engine.torch.set_num_threads(args.threads)
        print(f"torch {engine.torch.__version__}, ", end="")
    print(f"NumPy {np.__version__}, {args.threads} threads\n")
    with threadpool_limits(args.threads):
        engine.kernels()
        engine.overhead()


main()
