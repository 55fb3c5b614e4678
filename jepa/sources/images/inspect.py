"""What is in a folder of images: classes, sizes, kinds, colours, and the files that cannot be read."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from jepa.progress import shown_progress
from jepa.sources.images.decode import WHITE, Loaded, UnreadableImage, load
from jepa.sources.images.listing import list_images
from jepa.sources.images.reading import in_threads
from jepa.text import listed, printable, shown

__all__ = ["Report", "inspect"]

LARGE = 50_000_000  # pixels
LISTED = 10  # sizes, kinds or bad files that are printed


@dataclass(frozen=True)
class Report:
    """What `inspect` found; `str` of it is a table."""

    root: Path
    counts: dict[tuple[str | None, str | None], int]
    """Images that can be read, by (class or None, split or None); 0 where there are images and none can be read."""
    sizes: Counter[tuple[int, int]]
    """Images by (height, width)."""
    modes: Counter[str]
    """Images by Pillow's name of the kind of pixel: "L", "RGB", "RGBA", "P", "I;16", ..."""
    mean: tuple[float, ...]
    """Of each channel over all pixels, in [0, 1]: three, or one if every image is grey."""
    std: tuple[float, ...]
    """The same."""
    bad: list[tuple[Path, str]]
    """Files that cannot be read, and why."""
    others: Counter[str]
    """Files that are not images, by suffix."""
    unused: list[str]
    """Sub-folders that training does not look into."""
    rounded: int
    """Images with 16 bits of a colour, of which the upper 8 are read."""
    turned: int
    """Images that are turned or mirrored as their EXIF orientation says."""
    remarks: list[str]
    """Sentences on what is likely not meant."""

    @property
    def images(self) -> int:
        """Number of images that can be read."""
        return sum(self.counts.values())

    def __str__(self) -> str:
        splits = sorted({split for _, split in self.counts}, key=str)
        classes = sorted({label for label, _ in self.counts}, key=str)
        rows = [["class" if classes != [None] else "", *(split or "images" for split in splits)]]
        rows += [
            [shown(label) if label else "(no class)", *(str(self.counts.get((label, s), 0)) for s in splits)]
            for label in classes
        ]
        totals = [sum(n for (_, s), n in self.counts.items() if s == split) for split in splits]
        rows += [["total", *map(str, totals)]] if len(classes) > 1 else []
        width = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
        table = [
            "  ".join([row[0].ljust(width[0]), *(v.rjust(w) for v, w in zip(row[1:], width[1:], strict=True))])
            for row in rows
        ]
        named = len([label for label in classes if label is not None])
        facts = [
            ("sizes (h x w)", _most({f"{h} x {w}": n for (h, w), n in self.sizes.most_common()})),
            ("kinds", _most(dict(self.modes.most_common()))),
            ("mean", f"[{', '.join(f'{v:.4f}' for v in self.mean)}]  (source.mean)"),
            ("std", f"[{', '.join(f'{v:.4f}' for v in self.std)}]  (source.std)"),
            ("16-bit colours", f"{self.rounded} (their upper 8 bits are read)" if self.rounded else ""),
            ("turned", f"{self.turned} (as their EXIF orientation says)" if self.turned else ""),
            ("other files", _most(dict(self.others.most_common())) or "none"),
            ("bad files", str(len(self.bad)) if self.bad else "none"),
            ("not used", listed(f"{name}/" for name in self.unused)),
        ]
        lines = [
            f"{shown(self.root)}: {_count(self.images, 'image')}, "
            + (_count(named, "class", "classes") if named else "no labels (a flat folder)")
        ]
        lines += ["", *table, "", *(f"{name:<14} {text}" for name, text in facts if text)]
        lines += [f"  {shown(path)}: {reason}" for path, reason in self.bad[:LISTED]]
        lines += [f"  and {len(self.bad) - LISTED} more (--list FILE writes all)"] if len(self.bad) > LISTED else []
        lines += ["  train without them: source.on_error=skip"] if self.bad else []
        loose = sum(n for (label, _), n in self.counts.items() if label is None)
        if loose and named and splits == [None]:
            lines += [f"  {loose} images lie beside the class folders: move them into one before training"]
        if "val" not in splits and splits == ["train"]:
            lines += ["  no images to hold out: val/ is empty"]
        return "\n".join(lines + [f"  {text}" for text in self.remarks])

    def list_bad(self) -> str:
        """Return a line for each file that cannot be read: its name, and why."""
        return "".join(f"{printable(str(path))}: {reason}\n" for path, reason in self.bad)


def inspect(root: str | os.PathLike[str]) -> Report:
    """Read every image below a folder and count what there is; a file that cannot be read is listed, not raised.

    Raises
    ------
    DataError
        The folder is missing, or has no images at all.

    Examples
    --------
    >>> import tempfile
    >>> from jepa.sources import shapes
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     report = inspect(shapes.write(folder + "/shapes", count=50))
    >>> report.images, report.modes, report.sizes, report.bad
    (50, Counter({'RGB': 50}), Counter({(32, 32): 50}), [])
    """
    listing = list_images(root)
    counts: Counter[tuple[str | None, str | None]] = Counter()
    sizes: Counter[tuple[int, int]] = Counter()
    modes: Counter[str] = Counter()
    bad: list[tuple[Path, str]] = []
    good: list[_Facts] = []
    with closing(in_threads(_facts, [entry.path for entry in listing.entries])) as results:
        told = shown_progress(results, len(listing.entries), "reading")
        for entry, facts in zip(listing.entries, told, strict=True):
            counts[entry.label, entry.split] += not isinstance(facts, UnreadableImage)
            if isinstance(facts, UnreadableImage):
                bad.append((facts.path, facts.reason))
                continue
            sizes[facts.size] += 1
            modes[facts.mode] += 1
            good.append(facts._replace(size=(0, 0)))
    lost = sorted({label for label, _ in counts if label} - {label for (label, _), n in counts.items() if label and n})
    mean, std = _colours(good)
    return Report(
        root=listing.root,
        counts=dict(counts),
        sizes=sizes,
        modes=modes,
        mean=mean,
        std=std,
        bad=bad,
        others=listing.others,
        unused=listing.unused,
        rounded=sum(facts.rounded for facts in good),
        turned=sum(facts.turned for facts in good),
        remarks=listing.remarks + ([f"no image can be read in the class folders {listed(lost)}"] if lost else []),
    )


class _Facts(NamedTuple):
    """What is counted of an image."""

    size: tuple[int, int]
    """(height, width) as it is seen."""
    mode: str
    rounded: bool
    turned: bool
    sums: NDArray[np.float64]
    """(3, 3): of each channel the number of pixels, their sum, and the sum of their squares."""
    coloured: bool


def _facts(path: Path) -> _Facts | UnreadableImage:
    try:
        return load(path, _counted, wanted=_enough)
    except UnreadableImage as error:
        return error


def _enough(width: float, height: float) -> tuple[int, int]:
    """Return how many pixels are counted: all, but of a JPEG of more than LARGE every eighth each way is enough."""
    share = 1 if width * height <= LARGE else 16
    return int(width // share), int(height // share)


def _counted(loaded: Loaded) -> _Facts:
    sums, coloured = np.zeros((3, 3)), False
    for strip in loaded.strips():
        x = loaded.rounded_off(strip, WHITE)  # (h, W, 1 or 3)
        coloured = coloured or bool(x.shape[2] == 3 and (x != x[:, :, :1]).any())
        sums += _sums_of_bytes(x) if x.dtype == np.uint8 else _sums(x.astype(np.float64))
    width, height = loaded.full
    size = (width, height) if loaded.orientation >= 5 else (height, width)
    return _Facts(size, loaded.mode, loaded.rounded, loaded.turned, sums, coloured)


def _sums(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return number, sum and sum of squares of each channel (3, 3) of pixels (h, W, 1 or 3)."""
    rows = np.stack([np.full(x.shape[2], x.size / x.shape[2]), x.sum(axis=(0, 1)), (x * x).sum(axis=(0, 1))], axis=1)
    return np.broadcast_to(rows, (3, 3))


def _sums_of_bytes(x: NDArray[Any]) -> NDArray[np.float64]:
    """Return the same of bytes, from how often each value occurs."""
    image = Image.fromarray(x if x.shape[2] == 3 else x[:, :, 0])
    times = np.array(image.histogram(), dtype=np.float64).reshape(-1, 256)  # (channels, 256)
    value = np.arange(256) / 255
    return np.broadcast_to(times @ np.stack([np.ones(256), value, value * value], axis=1), (3, 3))


def _colours(good: list[_Facts]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and deviation over all pixels: of three channels, or of one if every image is grey."""
    if not good:
        return (), ()
    count, total, squares = np.sum([facts.sums for facts in good], axis=0).T  # (3,) each
    mean = total / count
    std = np.sqrt(np.maximum(squares / count - mean**2, 0))
    shown_channels = slice(None) if any(facts.coloured for facts in good) else slice(1)
    return tuple(mean[shown_channels].tolist()), tuple(std[shown_channels].tolist())


def _count(n: int, one: str, many: str = "") -> str:
    return f"{n} {one if n == 1 else many or one + 's'}"


def _most(counts: dict[str, int]) -> str:
    """Say the most frequent of these, and how many others there are."""
    first = [f"{name} ({n})" for name, n in list(counts.items())[:LISTED]]
    return ", ".join(first) + (f" and {len(counts) - LISTED} others" if len(counts) > LISTED else "")
