"""What is in a folder of images: classes, sizes, kinds, colours, and the files that cannot be read."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jepa.data.decode import UnreadableImage, read
from jepa.data.listing import list_images

__all__ = ["Report", "inspect"]

LISTED = 10  # sizes, kinds or bad files that are printed


@dataclass(frozen=True)
class Report:
    """What `inspect` found; `str` of it is a table."""

    root: Path
    counts: dict[tuple[str | None, str | None], int]
    """Images that can be read, by (class or None, split or None)."""
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

    @property
    def images(self) -> int:
        """Number of images that can be read."""
        return sum(self.counts.values())

    def __str__(self) -> str:
        splits = sorted({split for _, split in self.counts}, key=str)
        classes = sorted({label for label, _ in self.counts}, key=str)
        rows = [["class" if classes != [None] else "", *(split or "images" for split in splits)]]
        rows += [[label or "(no class)", *(str(self.counts.get((label, s), 0)) for s in splits)] for label in classes]
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
            ("mean", f"[{', '.join(f'{v:.4f}' for v in self.mean)}]  (data.mean)"),
            ("std", f"[{', '.join(f'{v:.4f}' for v in self.std)}]  (data.std)"),
            ("other files", _most(dict(self.others.most_common())) or "none"),
            ("bad files", str(len(self.bad)) if self.bad else "none"),
            ("not used", ", ".join(f"{name}/" for name in self.unused)),
        ]
        lines = [
            f"{self.root}: {_count(self.images, 'image')}, "
            + (_count(named, "class", "classes") if named else "no labels (a flat folder)")
        ]
        lines += ["", *table, "", *(f"{name:<14} {text}" for name, text in facts if text)]
        lines += [f"  {path}: {reason}" for path, reason in self.bad[:LISTED]]
        lines += [f"  and {len(self.bad) - LISTED} more"] if len(self.bad) > LISTED else []
        lines += ["  train without them: data.on_error=skip"] if self.bad else []
        loose = sum(n for (label, _), n in self.counts.items() if label is None)
        if loose and named:
            lines += [f"  {loose} images lie beside the class folders: move them into one before training"]
        if "val" not in splits and splits == ["train"]:
            lines += ["  no images to hold out: val/ is empty"]
        return "\n".join(lines)


def inspect(root: str | os.PathLike[str]) -> Report:
    """Read every image below a folder and count what there is; a file that cannot be read is listed, not raised.

    Raises
    ------
    DataError
        The folder is missing, or has no images at all.

    Examples
    --------
    >>> import tempfile
    >>> from jepa.data import shapes
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
    pixels, total, squares, coloured = 0, np.zeros(3), np.zeros(3), False
    for entry in listing.entries:
        try:
            picture = read(entry.path)
        except UnreadableImage as error:
            bad.append((error.path, error.reason))
            continue
        x = picture.pixels.reshape(3, -1).astype(np.float64)  # (3, H W)
        counts[entry.label, entry.split] += 1
        sizes[picture.pixels.shape[1], picture.pixels.shape[2]] += 1
        modes[picture.mode] += 1
        pixels += x.shape[1]
        total += x.sum(axis=1)
        squares += (x * x).sum(axis=1)
        coloured = coloured or bool((x != x[:1]).any())
    mean = total / max(pixels, 1)
    std = np.sqrt(np.maximum(squares / max(pixels, 1) - mean**2, 0))
    shown = slice(None) if coloured else slice(1)
    return Report(
        root=listing.root,
        counts=dict(counts),
        sizes=sizes,
        modes=modes,
        mean=tuple(mean[shown].tolist()) if pixels else (),
        std=tuple(std[shown].tolist()) if pixels else (),
        bad=bad,
        others=listing.others,
        unused=listing.unused,
    )


def _count(n: int, one: str, many: str = "") -> str:
    return f"{n} {one if n == 1 else many or one + 's'}"


def _most(counts: dict[str, int]) -> str:
    """Say the most frequent of these, and how many others there are."""
    listed = [f"{name} ({n})" for name, n in list(counts.items())[:LISTED]]
    return ", ".join(listed) + (f" and {len(counts) - LISTED} others" if len(counts) > LISTED else "")
