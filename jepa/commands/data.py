"""`data make`, `data get`, `data inspect` and `data clean`."""

import shlex
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from jepa.commands.parser import Parser, place, whole


def make(words: Sequence[str]) -> int:
    """Write a default data set."""
    from jepa.parts import ROLES, load

    kinds = [kind for kind in ROLES["source"] if load("source", kind).makes]
    parser = Parser("data make", "Write a default data set; of images a folder DIR/{train,val}/CLASS/00001.png.")
    parser.add_argument("which", choices=kinds)
    parser.add_argument("--out", type=place, metavar="DIR", help="where it is written (default: data/WHICH)")
    parser.add_argument("--count", type=whole(1), metavar="N", help="examples (default: what `train` would write)")
    parser.add_argument("--size", type=whole(8, 2048), metavar="PIXELS", help="side of an image (default: 32)")
    parser.add_argument(
        "--seed", type=whole(0, 2**64 - 1), default=0, metavar="N", help="another seed, other examples (default: 0)"
    )
    args = parser.parse_intermixed_args(words)
    source, out = load("source", args.which), args.out or Path("data") / args.which
    given = {name: value for name in ("count", "size") if (value := getattr(args, name)) is not None}
    for name in given.keys() - {field.name for field in fields(source.Settings)}:
        parser.error(f"{args.which} has no {name}: leave --{name} out")
    written = source(**given).write(out, seed=args.seed)
    print(f"{args.which}: {written}  (train on it: python -m jepa train {shlex.quote(f'source={written}')})")
    return 0


def get(words: Sequence[str]) -> int:
    """Download a public data set."""
    from jepa.downloads.sets import SETS, UCR, checked, get

    lines = [f"{name}: {data.about}" for name, data in SETS.items()]
    parser = Parser("data get", f"Download a public data set, as the sources read it. {'; '.join(lines)}; {UCR}.")
    parser.add_argument("which", metavar="WHICH", help=f"{', '.join(SETS)}, or {UCR}")
    parser.add_argument("--out", type=place, metavar="DIR", help="where it is written (default: data/WHICH)")
    text = "another server, URL/FILE, or a folder that has the file already; HTTPS_PROXY sets a proxy"
    parser.add_argument("--mirror", metavar="URL", help=text)
    parser.add_argument("--sha256", metavar="HEX", help="checksum of the file, in place of the one that is known")
    args = parser.parse_args(words)
    for remote in checked(args.which, args.sha256):
        known = f"checksum {remote.checksum}" if remote.checksum else "no checksum is published"
        print(f"{args.mirror or remote.url}: {known}", flush=True)
    written = get(args.which, args.out, mirror=args.mirror, checksum=args.sha256)
    print(f"{args.which}: {written}  (train on it: python -m jepa train {shlex.quote(f'source={written}')})")
    return 0


def inspect(words: Sequence[str]) -> int:
    """Print what is in a folder or file of examples."""
    parser = Parser("data inspect", "Say what examples there are (classes, sizes, kinds), and name the bad files.")
    parser.add_argument("path", type=place)
    parser.add_argument("--list", type=place, metavar="FILE", help="write a line for each bad file, with the reason")
    args = parser.parse_intermixed_args(words)
    from jepa.files.atomic import write_text
    from jepa.parts import kind_of, load

    report = load("source", kind_of(args.path)).inspect(args.path)
    print(report)
    if args.list is not None:
        write_text(args.list, report.list_bad())
        print(f"bad files with reasons, {len(report.bad)}: {args.list}")
    return 0


def clean(words: Sequence[str]) -> int:
    """Remove decoded images."""
    parser = Parser("data clean", "Remove the decoded images that trainings keep in the user's cache (source.cache).")
    parser.add_argument("path", type=place, nargs="?", help="of the images of this folder or file only (default: all)")
    args = parser.parse_intermixed_args(words)
    from jepa.sources.images.budget import in_words
    from jepa.sources.images.budget import place as cache
    from jepa.sources.images.stored import clean as removed

    found = removed(args.path)
    of = f" of {args.path}" if args.path is not None else ""
    print(f"removed {in_words(found.size)} of decoded images{of} from {cache()}")
    if found.busy:
        print(f"{found.busy} of the folders there cannot be removed: a training is writing, or you may not")
    return 0
