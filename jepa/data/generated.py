"""A generated image folder: there whole, or not there at all.

The images are written into a hidden sibling folder, `meta.json` last of all, and the folder is then renamed. So a
folder under the asked name is finished, and what an interrupted run left behind is known by its name and written
anew.
"""

from __future__ import annotations

import csv
import json
import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from jepa.errors import DataError


class Sample(NamedTuple):
    """One image to be written, and what is known about it."""

    split: str
    """`train` or `val`."""
    label: str
    """The class: the name of the image's folder."""
    image: Image.Image
    facts: dict[str, Any]
    """Further columns of `labels.csv`; the same keys for each sample."""


def write_folder(out: str | Path, samples: Iterable[Sample], *, settings: dict[str, Any]) -> Path:
    """Write samples as `out/<split>/<label>/00001.png`, with `out/labels.csv` and `out/meta.json`; return `out`.

    `settings` says how the samples are made (generator, version, seed, ...) and is kept in `meta.json`. A finished
    folder with the same settings is left as it is; any other non-empty folder is never overwritten.

    Raises
    ------
    DataError
        `out` is a file, or a folder that holds something else.
    """
    out = Path(out)
    if is_finished(out, settings):
        listed = len((out / "labels.csv").read_text(encoding="utf-8").splitlines()) - 1
        there = sum(1 for _ in out.glob("*/*/*.png"))
        if there != listed:
            raise DataError(f"{out} has {there} of its {listed} images: remove the folder, and it is written anew")
        return out
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(
            f"cannot write the data set '{settings['generator']}' to {out}: it exists and is not this data set with "
            f"these settings ({_listed(settings)}); remove it or choose another folder"
        )
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    numbers: Counter[tuple[str, str]] = Counter()
    rows: list[dict[str, Any]] = []
    for sample in samples:
        key = sample.split, sample.label
        numbers[key] += 1
        folder = partial / sample.split / sample.label
        if numbers[key] == 1:
            folder.mkdir(parents=True)
        sample.image.save(folder / f"{numbers[key]:05d}.png")
        rows.append({"file": f"{sample.split}/{sample.label}/{numbers[key]:05d}.png", **sample.facts})
    with open(partial / "labels.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]) if rows else ["file"])
        writer.writeheader()
        writer.writerows(rows)
    counts = {split: sum(n for (s, _), n in numbers.items() if s == split) for split in ("train", "val")}
    meta = json.dumps({**settings, "images": counts}, indent=1)
    (partial / "meta.json").write_text(meta + "\n", encoding="utf-8")
    if out.exists():
        out.rmdir()  # an empty folder; a rename onto one fails on some systems
    partial.rename(out)
    return out


def is_finished(out: str | Path, settings: dict[str, Any]) -> bool:
    """Whether `out` holds a finished data set made with these settings."""
    try:
        meta = json.loads((Path(out) / "meta.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(meta, dict) and all(meta.get(name) == value for name, value in settings.items())


def _listed(settings: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items())
