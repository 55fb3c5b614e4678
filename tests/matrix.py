"""`make matrix`: the wheel in empty environments, on each Python that is here, with the lowest and the newest packages.

Each environment gets the wheel by pip and nothing else; then, in an empty folder, the command line makes images,
trains, evaluates, embeds, draws and fine-tunes. Lowest: of each package that pyproject.toml names the lowest version it
allows that has a wheel for this Python. Packages come from where pip is told to look; without an index, from folders.

    python -m tests.matrix [--python 3.11 3.13] [--packages lowest] [--extras eval fast]
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
EXTRAS = ("eval", "fast", "onnx", "get", "track")  # not those of GPUs, processes, .parquet and drawings in the plane
TINY = "encoder.widths=[4,8] projector.dim=8 predictor.width=16 predictor.depth=1 train.max_steps=6 train.batch_size=8"
COMMANDS = (
    "doctor",
    "data make shapes --count 80 --size 16 --out shapes",
    f"train --preset quick source=shapes source.size=16 task.target_size=16 {TINY} --out run",
    "eval run evaluation.random_seeds=1",
    "embed run --out z.npz",
    "plot run",
    "explore run",
    "finetune run --out tuned finetune.epochs=1 finetune.epoch_steps=2 finetune.labels=1",
    "predict tuned --data shapes --out p.csv",
)
EXPORT = (
    "import minitensor as mt; from minitensor.interop.onnx import export; "
    "export(mt.nn.Linear(3, 2), mt.zeros((1, 3)), 'model.onnx')"
)
OPTIONAL = {
    "track": ["-m", "jepa", *COMMANDS[2].replace("--out run", "--out tracked train.track=tensorboard").split()],
    "onnx": ["-c", EXPORT],
    "get": ["-c", "from jepa.downloads.fetching import installed; installed()"],
}
"""what makes use of an extra; scikit-learn and the kernels of `fast` are used by all that is above"""
LOCAL = "import jepa, minitensor, sys; sys.exit(not all(sys.prefix in m.__file__ for m in (jepa, minitensor)))"


class Outcome(NamedTuple):
    """What became of one environment."""

    python: str
    packages: str
    extras: str
    said: str
    seconds: float = 0.0


def bounds(extras: Sequence[str], pyproject: Path = ROOT / "pyproject.toml") -> dict[str, str]:
    """Return the lowest version that pyproject.toml allows of each package, of the project and of some extras."""
    project = tomllib.loads(pyproject.read_text("utf-8"))["project"]
    named = [*project["dependencies"], *(one for extra in extras for one in project["optional-dependencies"][extra])]
    found = {}
    for one in named:
        match = re.fullmatch(r"([\w.-]+)>=([\w.]+)", one.split(";")[0].strip())
        if not match:
            raise ValueError(f"{one!r} in pyproject.toml has no lower bound alone: NAME>=VERSION")
        found[match[1]] = match[2]
    return found


def versions(text: str) -> tuple[int, ...]:
    """Return the numbers of a version, without zeros at its end."""
    numbers = [int(n) for n in re.match(r"[\d.]+", text)[0].rstrip(".").split(".")]  # type: ignore[index]
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)


def lowest(listing: str, bound: str) -> str:
    """Return the lowest version of a listing of `pip index versions --json` that a bound allows."""
    every = json.loads(listing)["versions"]
    fits = [one for one in every if re.fullmatch(r"[\d.]+(\.post\d+)?", one) and versions(one) >= versions(bound)]
    if not fits:
        raise LookupError(f"no version from {bound} on")
    return min(fits, key=versions)


def find(version: str) -> str | None:
    """Return a Python of this version that can make environments; None if there is none here."""
    pyenv = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    for candidate in (shutil.which(f"python{version}"), *map(str, pyenv)):
        ask = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"
        if candidate is None:
            continue
        done = subprocess.run([candidate, "-c", ask], capture_output=True, text=True)
        if done.returncode == 0 and done.stdout.strip() == version:
            return candidate
    return None


def run(words: Sequence[str | Path], where: Path) -> str:
    """Run a command; return what it wrote. Raises RuntimeError with the end of it if it fails."""
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    done = subprocess.run([str(word) for word in words], cwd=where, env=clean, capture_output=True, text=True)
    if done.returncode:
        last = " / ".join((done.stdout + done.stderr).strip().splitlines()[-3:])
        raise RuntimeError(f"{' '.join(map(str, words))[-120:]}: {last[-600:]}")
    return done.stdout


def pins(pip: Sequence[str | Path], extras: Sequence[str], where: Path) -> Iterator[str]:
    """Yield NAME==VERSION of each package, the lowest for an environment."""
    for name, bound in bounds(extras).items():
        listing = run([*pip, "index", "versions", name, "--only-binary", ":all:", "--json"], where)
        try:
            yield f"{name}=={lowest(listing, bound)}"
        except LookupError as error:
            raise RuntimeError(f"{name} has {error} for this Python where pip looks") from error


def tried(python: str, packages: str, extras: Sequence[str], wheel: Path) -> Outcome:
    """Install the wheel into an empty environment and use it."""
    started, what = time.monotonic(), (packages, "+".join(extras) or "-")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        try:
            run([python, "-m", "venv", place / "venv"], place)
            own = place / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
            pip = [own, "-m", "pip"]
            run([*pip, "install", "-q", "-U", "pip>=25.1"], place)
            pinned = [*pins(pip, extras, place)] if packages == "lowest" else []
            suffix = f"[{','.join(extras)}]" if extras else ""
            run([*pip, "install", "-q", "--only-binary", ":all:", f"{wheel}{suffix}", *pinned], place)
            run([*pip, "check"], place)
            run([own, "-I", "-c", LOCAL], place)
            for command in COMMANDS:
                run([own, "-W", "error::DeprecationWarning:jepa", "-m", "jepa", *command.split()], place)
            for extra in OPTIONAL.keys() & extras:
                run([own, *OPTIONAL[extra]], place)
            said = f"works{' with ' + ' '.join(pinned) if pinned else ''}"
        except RuntimeError as error:
            said = f"FAILS: {error}"
    return Outcome(python, *what, said, time.monotonic() - started)


def main(words: Sequence[str] | None = None) -> int:
    """Try every environment that is asked for; print a line for each, and return 1 if one fails."""
    parser = argparse.ArgumentParser("python -m tests.matrix", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--python", nargs="+", default=PYTHONS, metavar="3.X")
    parser.add_argument("--packages", nargs="+", default=["lowest", "newest"], choices=["lowest", "newest"])
    parser.add_argument("--extras", nargs="*", default=EXTRAS, help="besides an environment with none")
    args = parser.parse_args(words)
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, ROOT], Path(folder))
        (wheel,) = Path(folder).glob("*.whl")
        for version in args.python:
            python = find(version)
            if python is None:
                print(f"Python {version}: skipped, there is none here", flush=True)
                continue
            for packages in args.packages:
                for extras in dict.fromkeys([(), tuple(args.extras)]):
                    found = tried(python, packages, extras, wheel)
                    failed += found.said.startswith("FAILS")
                    what = f"{packages} packages, extras {found.extras}"
                    print(f"Python {version}, {what}: {found.said} ({found.seconds:.0f} s)", flush=True)
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
