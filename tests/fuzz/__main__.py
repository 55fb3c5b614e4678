"""The driver: `python -m tests.fuzz [--seconds N] [--seed N] [--only PART,PART]`, of each part so many seconds."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy is loaded: each case is a fork, and threads are not

PARTS = sorted(
    path.stem
    for path in Path(__file__).parent.glob("*.py")
    if path.stem[0] != "_" and "\ndef campaign(" in path.read_text("utf-8")
)


def main() -> int:
    """Run the parts in turn; 1 if any has broken the rule."""
    parser = argparse.ArgumentParser("python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="for each part (default: 60)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default=",".join(PARTS), help=f"of {', '.join(PARTS)}")
    args = parser.parse_args()
    chosen = args.only.split(",")
    if unknown := set(chosen) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; the parts are {', '.join(PARTS)}")
    broken = 0
    for name in chosen:
        started = time.monotonic()
        failures = importlib.import_module(f"tests.fuzz.{name}").campaign(args.seed, args.seconds)
        print(f"{name}: {len(failures)} failures in {time.monotonic() - started:.0f} s (seed {args.seed})", flush=True)
        for failure in failures[:20]:
            print(f"  {failure}", flush=True)
        broken += len(failures)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
