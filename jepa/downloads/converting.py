"""From what authors pack to what the sources read: class folders of images or sounds, series in files."""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from jepa.downloads.unpacking import moved
from jepa.errors import DataError
from jepa.progress import shown_progress
from jepa.text import listed, shown

CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
FASHION = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle-boot")
STL10 = ("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck")
IMAGENETTE = {
    "n01440764": "tench",
    "n02102040": "english-springer",
    "n02979186": "cassette-player",
    "n03000684": "chain-saw",
    "n03028079": "church",
    "n03394916": "french-horn",
    "n03417042": "garbage-truck",
    "n03425413": "gas-pump",
    "n03445777": "golf-ball",
    "n03888257": "parachute",
}

Pixels = NDArray[np.uint8]


def cifar10(raw: Path, to: Path) -> None:
    """Write CIFAR-10 from its binary batches: a byte for the class, then 32 x 32 pixels, channel by channel."""
    parts = {"train": sorted(raw.rglob("data_batch_*.bin")), "val": sorted(raw.rglob("test_batch.bin"))}
    for part, files in parts.items():
        _there(files, raw, f"the batches of {part}")
        records = np.concatenate([_records(file, 3073) for file in files])
        images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        _write(to / part, images, records[:, 0], CIFAR10)


def stl10(raw: Path, to: Path) -> None:
    """Write STL-10 from its binary files: 96 x 96 pixels, channel by channel, each column after column.

    The 5,000 training images are `train`, the 8,000 test images `val`; the 100,000 without a label are `unlabeled`.
    """
    for part, name in (("train", "train"), ("val", "test"), ("unlabeled", "unlabeled")):
        pixels = _there(sorted(raw.rglob(f"{name}_X.bin")), raw, f"{name}_X.bin")
        images = _records(pixels[0], 3 * 96 * 96).reshape(-1, 3, 96, 96).transpose(0, 3, 2, 1)
        labels = None
        if part != "unlabeled":
            labels = _records(_there(sorted(raw.rglob(f"{name}_y.bin")), raw, f"{name}_y.bin")[0], 1)[:, 0] - 1
        _write(to / part, images, labels, STL10)


def fashion_mnist(raw: Path, to: Path) -> None:
    """Write Fashion-MNIST from its IDX files; the test images are `val`."""
    for part, name in (("train", "train"), ("val", "t10k")):
        images, labels = (_idx(raw / f"{name}-{kind}-ubyte") for kind in ("images-idx3", "labels-idx1"))
        _write(to / part, images, labels, FASHION)


def imagenette(raw: Path, to: Path) -> None:
    """Move the images of Imagenette, train and val, into folders with the names of their classes."""
    files = [path for path in raw.rglob("*.JPEG") if path.parts[-3] in ("train", "val")]
    for path in _there(files, raw, "train/CLASS/*.JPEG"):
        part, code, name = path.parts[-3:]
        moved(path, to / part / IMAGENETTE.get(code, code) / name)


def speech_commands(raw: Path, to: Path) -> None:
    """Move the clips of Speech Commands into train, validation and val, the official test list.

    No speaker is in two of them. The long recordings of noise are left out.
    """
    listed_in = {
        name: part
        for part, file in (("val", "testing_list.txt"), ("validation", "validation_list.txt"))
        for name in _there(sorted(raw.rglob(file)), raw, file)[0].read_text("utf-8").split()
    }
    clips = [path for path in raw.rglob("*.wav") if path.parent.name != "_background_noise_"]
    for path in _there(clips, raw, "CLASS/*.wav"):
        name = f"{path.parent.name}/{path.name}"
        moved(path, to / listed_in.get(name, "train") / name)


def ucr(raw: Path, to: Path) -> None:
    """Move the two parts of a set of the UCR or UEA archive, in the first format that our reader takes."""
    files = {path.name.lower(): path for path in sorted(raw.rglob("*")) if path.is_file()}
    for ending in (".ts", ".tsv", ".txt"):
        train = [name for name in files if name.endswith(f"_train{ending}")]
        if train and (test := train[0].replace("_train", "_test")) in files:
            for name in (train[0], test):
                moved(files[name], to / re.sub("(?i)_(train|test)", lambda m: m[0].upper(), files[name].name))
            return
    raise DataError(f"the archive has no NAME_TRAIN.ts with NAME_TEST.ts, but {listed(files) or 'no files'}")


# -- reading ---------------------------------------------------------------------------------------------------------


def _there(files: Sequence[Path], raw: Path, what: str) -> Sequence[Path]:
    if not files:
        names = (
            listed(sorted(path.relative_to(raw).as_posix() for path in raw.rglob("*") if path.is_file())) or "nothing"
        )
        raise DataError(f"the archive has no {what}, but {names}: it is another data set")
    return files


def _records(file: Path, size: int) -> Pixels:
    """Return a file of records of one size, mapped: (n, size)."""
    count, rest = divmod(file.stat().st_size, size)
    if rest or not count:
        raise DataError(f"{shown(file)} is damaged: {file.stat().st_size} bytes are no records of {size}")
    return np.memmap(file, np.uint8, "r", shape=(count, size))


def _idx(file: Path) -> Pixels:
    """Return the array of an IDX file of bytes: two zeros, 8, the number of axes, each length in four bytes."""
    _there([file] if file.is_file() else [], file.parent, file.name)
    raw = file.read_bytes()
    axes = raw[3] if len(raw) > 3 and raw[:3] == b"\0\0\x08" else 0
    shape = tuple(int.from_bytes(raw[4 * k : 4 * k + 4], "big") for k in range(1, axes + 1))
    if not axes or len(raw) != 4 + 4 * axes + int(np.prod(shape)):
        raise DataError(f"{shown(file)} is damaged: it is no IDX file of bytes")
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * axes).reshape(shape)


def _write(folder: Path, images: Pixels, labels: Iterable[int] | None, classes: Sequence[str]) -> None:
    """Write images (n, h, w) or (n, h, w, 3) as FOLDER/CLASS/00001.png, or as FOLDER/00001.png without labels."""
    names = _names(len(images), labels, classes)
    for image, name in shown_progress(zip(images, names, strict=True), len(images), f"writing {folder.name}"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.ascontiguousarray(image)).save(path)


def _names(count: int, labels: Iterable[int] | None, classes: Sequence[str]) -> Iterator[str]:
    codes = None if labels is None else np.fromiter(labels, np.int64)
    if codes is not None and (len(codes) != count or codes.max() >= len(classes) or codes.min() < 0):
        raise DataError(f"the archive is damaged: {len(codes)} labels up to {codes.max()} of {count} images")
    for k in range(count):
        yield f"{k + 1:05}.png" if codes is None else f"{classes[codes[k]]}/{k + 1:05}.png"
