"""`data make` and `data inspect`."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from jepa.commands.parser import Parser, place, whole


def make(words: Sequence[str]) -> int:
    """Write a default data set as DIR/{train,val}/CLASS/00001.png, with labels.csv and meta.json."""
    parser = Parser("data make", "Write a default data set as a folder of PNG files: DIR/{train,val}/CLASS/00001.png.")
    parser.add_argument("which", choices=["shapes", "digits", "digits-clutter"])
    parser.add_argument("--out", type=place, metavar="DIR", help="folder to write (default: data/WHICH)")
    parser.add_argument("--count", type=whole(1), metavar="N", help="images (default: 5000; digits: all 1797)")
    parser.add_argument(
        "--size", type=whole(8, 2048), default=32, metavar="PIXELS", help="side of an image (default: 32)"
    )
    parser.add_argument(
        "--seed", type=whole(0, 2**64 - 1), default=0, metavar="N", help="another seed, other images (default: 0)"
    )
    args = parser.parse_intermixed_args(words)
    from jepa.parts import load

    out = args.out or Path("data") / args.which
    load("source", args.which)(count=args.count, size=args.size).write(out, seed=args.seed)
    print(f"{args.which}: {out}  (train on it: python -m jepa train {shlex.quote(f'source={out}')})")
    return 0


def inspect(words: Sequence[str]) -> int:
    """Print what is in a folder of images."""
    parser = Parser("data inspect", "Count classes, sizes and kinds of the images in a folder, and name the bad files.")
    parser.add_argument("folder", type=place)
    parser.add_argument("--list", type=place, metavar="FILE", help="write a line for each bad file, with the reason")
    args = parser.parse_intermixed_args(words)
    from jepa.files.atomic import write_text
    from jepa.sources.images.inspect import inspect as inspect_folder

    report = inspect_folder(args.folder)
    print(report)
    if args.list is not None:
        write_text(args.list, report.list_bad())
        print(f"bad files with reasons, {len(report.bad)}: {args.list}")
    return 0
