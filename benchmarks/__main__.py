"""`python -m benchmarks [WHAT]`: what the engine costs, beside PyTorch.

    kernels   each kernel beside its composite and PyTorch, forward and backward; small ops
    functions many other functions beside PyTorch's, the slowest first
    steps     whole training steps beside PyTorch's, with its defaults and tuned
    memory    the peak memory of the two training steps
    hops      how many Python functions a forward of a layer calls
    images    a batch of images prepared for training, in images per second
    folders   200,000 small images and 3,000 large ones: start, memory, images per second beside PyTorch's DataLoader
    scaling   the step's cost against batch size, image size, depth and width, as a plot
    processes the steps by two processes, two threads and one; what is exchanged, and a model of more processes
    peers     the CNN step beside other engines for NumPy (see `make bench-peers`)
    gpu       everything on an NVIDIA GPU, in eight minutes (see `make gpu`)
    results   what training reaches: the experiments behind the tables (hours)
    page      benchmarks/README.md and the front page's table, out of the figures that are there

Without a word: kernels, steps and memory, with one thread and with two. What is measured goes into benchmarks/results.
"""

from __future__ import annotations

import argparse
import os
import sys

PARTS = ("kernels", "steps", "memory")
AVX2 = {  # what holds both sides to AVX2, read when the libraries are loaded
    "OPENBLAS_CORETYPE": "Haswell",
    "NUMBA_CPU_NAME": "haswell",
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
}


def by_itself(args: argparse.Namespace) -> bool:
    """Run what has figures of its own; False if that is none of these."""
    if args.what == "results":
        from benchmarks import results

        results.run(args.seeds, args.only, args.cifar10, args.ucr, args.threads or 1)
        return True
    if args.what == "folders":
        from benchmarks import folders

        folders.run(args.threads or 2, args.only, args.share)
        return True
    if args.what == "processes":
        from benchmarks import processes

        processes.run(args.only, args.dry)
        return True
    if args.what == "gpu":
        from benchmarks import gpu

        sys.exit(gpu.run(args.seconds, args.only, args.cifar10, args.out, dry=args.dry))
    return False


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "what",
        nargs="?",
        default="",
        choices=[
            "",
            *PARTS,
            "functions",
            "hops",
            "images",
            "folders",
            "scaling",
            "processes",
            "peers",
            "gpu",
            "results",
            "page",
        ],
    )
    parser.add_argument("--threads", type=int, default=0, help="of both sides; default: 1, then 2")
    parser.add_argument("--isa", default="native", choices=["native", "avx2"], help="hold both sides to AVX2")
    parser.add_argument("--only", default="", help="one case, or one experiment of `results`")
    parser.add_argument("--seeds", type=int, default=0, help="training seeds of `results`; default: 3, masked 5")
    parser.add_argument(
        "--cifar10", default="", help="folder with train/ and test/ of CIFAR-10 in class folders, for `results`, `gpu`"
    )
    parser.add_argument("--ucr", default="", help="folder with GunPoint/GunPoint_TRAIN.ts and the like, for `results`")
    parser.add_argument("--share", type=float, default=1, help="of the images of `folders`; 0.1 is a trial")
    parser.add_argument("--seconds", type=float, default=420, help="for all of `gpu`")
    parser.add_argument("--dry", action="store_true", help="`gpu` in small, on the CPU; `processes` once each")
    parser.add_argument("--out", default="", help="file of `gpu`'s results (default: benchmarks/results/gpu.json)")
    args = parser.parse_args()
    if args.what == "page":
        from benchmarks import page

        page.write()
        return
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):  # each side takes what it finds best for the processor
        os.environ.pop(name, None)
    if args.isa == "avx2":
        os.environ |= AVX2
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")
    if by_itself(args):
        return
    try:
        import torch
    except ImportError:
        sys.exit("the benchmarks compare with PyTorch: make bench, or pip install --group parity")
    import minitensor as mt
    from benchmarks import record

    mt.keep_freed_memory()  # for both sides: they share the process
    for threads in [args.threads] if args.threads else (1, 2):
        mt.set_num_threads(threads)
        torch.set_num_threads(threads)
        for what in [args.what] if args.what else PARTS:
            record.run(what, threads, args.only)


main()
