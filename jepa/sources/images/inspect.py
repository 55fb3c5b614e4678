"""What is in a folder of images: classes, sizes, kinds, colors, and the files that cannot be read."""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from jepa.progress import shown_progress
from jepa.sources.images.decode import WHITE, Loaded, UnreadableImage, load
from jepa.sources.images.listing import Listing, list_images
from jepa.sources.images.members import File
from jepa.sources.images.reading import in_threads
from jepa.text import listed, printable, shown

LARGE = 50_000_000  # pixels
LISTED = 10  # sizes, kinds or bad files that are printed


@dataclass
class Report:
    """What `inspect` found; `str` of it is a table."""

    root: Path
    listing: Listing
    # images that can be read, by (class or None, split or None); 0 where there are images and none can be read
    counts: Counter[tuple[str | None, str | None]] = field(default_factory=Counter)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)  # images by (height, width)
    modes: Counter[str] = field(default_factory=Counter)  # by Pillow's name of the kind of pixel: "L", "RGBA", "I;16"
    bad: list[tuple[Path, str]] = field(default_factory=list)  # files that cannot be read, and why
    rounded: int = 0  # images with 16 bits of a color, of which the upper 8 are read
    turned: int = 0  # images that are turned or mirrored as their EXIF orientation says
    sums: Any = 0.0  # (3, 3): of each channel the number of pixels, their sum, and the sum of their squares
    colored: bool = False  # whether any image is not gray

    @property
    def images(self) -> int:
        """Number of images that can be read."""
        return sum(self.counts.values())

    @property
    def scale(self) -> tuple[list[float], list[float]]:
        """Mean and deviation of each channel over all pixels, in [0, 1]: three, or one if every image is gray."""
        if not self.images:
            return [], []
        count, total, squares = self.sums[: 3 if self.colored else 1].T  # (channels,) each
        mean = total / count
        return mean.tolist(), np.sqrt(np.maximum(squares / count - mean**2, 0)).tolist()

    @property
    def remarks(self) -> list[str]:
        """Sentences on what is likely not meant."""
        lost = {label for label, _ in self.counts if label} - {label for (label, _), n in self.counts.items() if n}
        said = [f"no image can be read in the class folders {listed(sorted(map(str, lost)))}"] if lost else []
        return self.listing.remarks + said

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        splits = sorted({split for _, split in self.counts}, key=str)
        named = len({label for label, _ in self.counts if label is not None})
        classes = f"{named} class{'' if named == 1 else 'es'}" if named else "no labels (a flat folder)"
        yield f"{shown(self.root)}: {self.images} image{'' if self.images == 1 else 's'}, {classes}"
        yield from ("", *self._table(splits), "")
        facts = (
            ("sizes (h x w)", _most({f"{h} x {w}": n for (h, w), n in self.sizes.most_common()})),
            ("kinds", _most(dict(self.modes.most_common()))),
            *(
                (name, f"[{', '.join(f'{v:.4f}' for v in found)}]  (source.{name})")
                for name, found in zip(("mean", "std"), self.scale, strict=True)
            ),
            ("16-bit colors", f"{self.rounded} (their upper 8 bits are read)" if self.rounded else ""),
            ("turned", f"{self.turned} (as their EXIF orientation says)" if self.turned else ""),
            ("other files", _most(dict(self.listing.others.most_common())) or "none"),
            ("bad files", str(len(self.bad)) if self.bad else "none"),
            ("not used", listed(f"{name}/" for name in self.listing.unused)),
        )
        yield from (f"{name:<14} {text}" for name, text in facts if text)
        yield from (f"  {shown(path)}: {reason}" for path, reason in self.bad[:LISTED])
        if len(self.bad) > LISTED:
            yield f"  and {len(self.bad) - LISTED} more (--list FILE writes all)"
        if self.bad:
            yield "  train without them: source.on_error=skip"
        loose = sum(n for (label, _), n in self.counts.items() if label is None)
        if loose and named and splits == [None]:
            yield f"  {loose} images lie beside the class folders: move them into one before training"
        if splits == ["train"]:
            yield "  no images to hold out: val/ is empty"
        yield from (f"  {text}" for text in self.remarks)

    def _table(self, splits: list[str | None]) -> Iterator[str]:
        """Yield a row for each class, with the images of each split."""
        classes = sorted({label for label, _ in self.counts}, key=str)
        rows = [["class" if classes != [None] else "", *(split or "images" for split in splits)]]
        for label in classes:
            rows.append([shown(label) if label else "(no class)", *(str(self.counts[label, s]) for s in splits)])
        if len(classes) > 1:
            rows.append(["total", *(str(sum(self.counts[label, s] for label in classes)) for s in splits)])
        first, *width = (max(map(len, column)) for column in zip(*rows, strict=True))
        for name, *values in rows:
            yield "  ".join([name.ljust(first), *(v.rjust(w) for v, w in zip(values, width, strict=True))])

    def list_bad(self) -> str:
        """Return a line for each file that cannot be read: its name, and why."""
        return "".join(f"{printable(str(path))}: {reason}\n" for path, reason in self.bad)


def inspect(root: str | os.PathLike[str], listing: Listing | None = None) -> Report:
    """Read every image below a folder and count what there is; a file that cannot be read is listed, not raised.

    listing: the images, where they are not those of a folder.

    Raises DataError if the folder is missing, or has no images at all.

    >>> import tempfile
    >>> from jepa.sources import shapes
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     report = inspect(shapes.write(folder + "/shapes", count=50))
    >>> report.images, report.modes, report.sizes, report.bad
    (50, Counter({'RGB': 50}), Counter({(32, 32): 50}), [])
    """
    report = Report(Path(root), list_images(root) if listing is None else listing)
    entries = report.listing.entries
    with closing(in_threads(_facts, [entry.file for entry in entries])) as results:
        for entry, facts in zip(entries, shown_progress(results, len(entries), "reading"), strict=True):
            report.counts[entry.label, entry.split] += not isinstance(facts, UnreadableImage)
            if isinstance(facts, UnreadableImage):
                report.bad.append((facts.path, facts.reason))
                continue
            loaded, sums, colored = facts
            width, height = loaded.full
            report.sizes[(width, height) if loaded.orientation >= 5 else (height, width)] += 1
            report.modes[loaded.mode] += 1
            report.rounded += loaded.rounded
            report.turned += loaded.turned
            report.sums = report.sums + sums
            report.colored |= colored
    return report


def _facts(file: File) -> tuple[Loaded, NDArray[np.float64], bool] | UnreadableImage:
    """Return what the file says, without its pixels; their sums (3, 3); and whether it is not gray."""
    try:
        return load(file, _counted, wanted=_enough)
    except UnreadableImage as error:
        return error


def _enough(width: float, height: float) -> tuple[int, int]:
    """Return how many pixels are counted: all, but of a JPEG of more than LARGE every eighth each way is enough."""
    share = 1 if width * height <= LARGE else 16
    return int(width // share), int(height // share)


def _counted(loaded: Loaded) -> tuple[Loaded, NDArray[np.float64], bool]:
    sums, colored = np.zeros((3, 3)), False
    for strip in loaded.strips():
        x = loaded.colors(strip, WHITE)  # (h, W, 1 or 3)
        colored = colored or bool(x.shape[2] == 3 and (x != x[:, :, :1]).any())
        sums += _sums(x)
    return loaded._replace(image=Image.new("1", (1, 1))), sums, colored


def _sums(x: NDArray[Any]) -> NDArray[np.float64]:
    """Return number, sum and sum of squares of each channel (3, 3) of pixels (h, W, 1 or 3); bytes as in [0, 1]."""
    z = x / 255 if x.dtype == np.uint8 else x.astype(np.float64)
    rows = np.stack([np.full(z.shape[2], z.size / z.shape[2]), z.sum(axis=(0, 1)), (z * z).sum(axis=(0, 1))], axis=1)
    return np.broadcast_to(rows, (3, 3))


def _most(counts: dict[str, int]) -> str:
    """Say the most frequent of these, and how many others there are."""
    first = [f"{name} ({n})" for name, n in list(counts.items())[:LISTED]]
    return ", ".join(first) + (f" and {len(counts) - LISTED} others" if len(counts) > LISTED else "")
