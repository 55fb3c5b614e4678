"""Which files of a folder a run of ours has written, by name and by content: nothing else is deleted or replaced."""

import json
import re
import secrets
import struct
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from jepa.errors import RunError
from jepa.files.atomic import sweep, write_text
from jepa.files.mark import PROGRAM, is_run, read_object

SETTINGS = ("env.json", "config.yaml", "model.txt", "train.log", "metrics.jsonl", "source.npz", "vocabulary.txt")
"""what a training writes into the folder itself"""
BELOW = ("checkpoints", "plots", "tensorboard")
"""folders in it that hold files of the run"""
_CHECKPOINT = {"step", "best", "optimizer", "generator", "config"}
RUN_YAML = {"name", "seed", "device", "augment", "train", "evaluation"}
HEAD = 64 << 10  # bytes at the beginning of a text that are looked at
DPI = struct.pack(">II", 5906, 5906)  # 150 dots per inch: what version 0.1.0 wrote first into its pictures


def _start(path: Path, count: int = HEAD) -> bytes:
    with open(path, "rb") as file:
        return file.read(count)


def _yaml(path: Path) -> bool:
    keys = re.findall(r"^(\w+):", _start(path).decode("utf-8", "replace"), re.MULTILINE)
    return set(keys) >= RUN_YAML


def _arrays(path: Path) -> bool:
    """Whether it is the examples that a run was given in memory."""
    with zipfile.ZipFile(path) as file:
        return is_run(path.parent) and all(name.endswith(".npy") for name in file.namelist())


def _evaluation(path: Path) -> bool:
    return read_object(path).keys() >= {"data", "step", "encoder", "feature_dim"}


def _page(path: Path) -> bool:
    start = _start(path)
    return PROGRAM.encode() in start or b"<title>JEPA run: " in start


def _picture(path: Path) -> bool:
    start = _start(path, 512)
    return start[:4] == b"\x89PNG" and (PROGRAM.encode() in start or start[37:49] == b"pHYs" + DPI)


def _checkpoint(path: Path) -> bool:
    """Whether the head of a safetensors file says that a training wrote it; what follows may be cut short."""
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        head = file.read(length) if length < HEAD << 10 else b""
    texts = json.loads(head)["__metadata__"]
    return set(json.loads(texts["metadata"])) >= _CHECKPOINT


_CONTENT: list[tuple[str, Callable[[Path], bool]]] = [
    (r"env\.json", lambda path: is_run(path.parent)),
    (r"config\.yaml", _yaml),
    (r"model\.txt", lambda path: _start(path).split()[:5] == b"name type output parameters trainable".split()),
    (r"train\.log", lambda path: re.match(rb"\d\d:\d\d:\d\d ", _start(path)) is not None),
    (r"metrics\.jsonl", lambda path: _start(path).startswith(b'{"kind": ')),
    (r"source\.npz", _arrays),
    (
        r"(report|explore|compare)\.html",
        lambda path: PROGRAM.encode() in _start(path) or b"<title>JEPA run: " in _start(path),
    ),
    (r"vocabulary\.txt", lambda path: _start(path).startswith(b"# the commonest words of a vocabulary of jepa")),
    (r"evaluation(-.*)?\.json", _evaluation),
    (r"planning\.json", lambda path: read_object(path).keys() >= {"planner", "walls", "step"}),
    (r"finetune\.json", lambda path: read_object(path).keys() >= {"origin", "classes", "results"}),
    (r"plots/[\w-]+\.png", _picture),
    (r"tensorboard/events\.out\.tfevents\..*", lambda path: b"brain.Event:" in _start(path, 512)),
    (r"checkpoints/(step-\d{8,}|best)\.safetensors", _checkpoint),
]


def _name(path: Path) -> str:
    """Return the path from the run's folder, as far as it can be one of ours."""
    return f"{path.parent.name}/{path.name}" if path.parent.name in BELOW else path.name


def _is_ours(place: Path, name: str) -> bool:
    return _named(_name(place / name)) is not None


def _named(name: str) -> Callable[[Path], bool] | None:
    return next((test for pattern, test in _CONTENT if re.fullmatch(pattern, name)), None)


def is_ours(path: Path) -> bool:
    """Whether a file has a name and a content that only a run of ours gives one. An empty one has nothing to lose."""
    test = _named(_name(path))
    try:
        return test is not None and path.is_file() and (path.stat().st_size == 0 or test(path))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, zipfile.BadZipFile):
        return False


def _owned(folder: Path) -> Iterator[Path]:
    """Yield the files of a run, and what stands in the places of its checkpoints; nothing behind a link to a folder."""
    places = [folder, *(p for p in (folder / name for name in BELOW) if p.is_dir() and not p.is_symlink())]
    for path in (path for place in places for path in sorted(place.iterdir())):
        if _named(_name(path)) and (path.parent.name == "checkpoints" or path.is_symlink() or is_ours(path)):
            yield path


def foreign(folder: Path) -> Path | None:
    """Return what stands where a training would write, and is not ours; None if nothing is in the way."""
    for path in (folder / name for name in (*SETTINGS, "checkpoints")):
        there = path.exists() and not path.is_symlink()
        if there and not (path.is_dir() if path.name == "checkpoints" else is_ours(path)):
            return path
    return None


def put_away(path: Path) -> None:
    """Delete a file of a run; one that has the name alone, or is damaged, is renamed: a new one may take its place."""
    if path.is_symlink() or is_ours(path):
        path.unlink()
    else:
        path.rename(path.with_name(f"{path.name}.{secrets.token_hex(4)}.damaged"))


def check_replaceable(path: Path) -> None:
    """Raise RunError if a file stands where one of a run's is to be written, and is not one."""
    if path.exists() and not is_ours(path):
        raise RunError(f"{path} is in the way: it was not written by a run, so it is not replaced. Move it elsewhere")


def replace_text(path: Path, text: str) -> None:
    """Write a text file of a run; what somebody else has put in its place is left, and refused."""
    check_replaceable(path)
    write_text(path, text)


def sweep_run(folder: Path, *, locked: bool = False) -> None:
    """Delete the halves of a run's files that a killed process left.

    locked: nobody else trains here, so half a checkpoint is nobody's; without that, and where pictures and evaluations
    may be written at the same time, the process that the name tells of has to be gone.
    """
    for place in (folder, folder / "plots", folder / "checkpoints"):
        alone = locked and place.name == "checkpoints" and not place.is_symlink()
        sweep(place, partial(_is_ours, place), alone=alone)


def clear(folder: Path) -> list[str]:
    """Delete what a run has written to its folder; return a sentence for each link in its place that was taken away.

    What is behind a link stays as it is: it may be another run's. env.json goes last: until then it is a run.
    """
    said = []
    for name in BELOW:
        if (folder / name).is_symlink():
            said.append(f"{folder / name} was a link to {(folder / name).readlink()}, where everything stays as it is")
            (folder / name).unlink()
    for path in sorted(_owned(folder), key=lambda path: path.name == "env.json"):
        put_away(path)
    sweep_run(folder, locked=True)
    for name in BELOW:
        with suppress(OSError):  # something of somebody else's is in it, or it is not there
            (folder / name).rmdir()
    return said
