"""The page: what is shown as JSON, beside the scripts that show it, in one file."""

import base64
import hashlib
import json
import zlib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

import matplotlib
import numpy as np
from matplotlib.colors import to_hex
from numpy.typing import NDArray

from jepa.errors import DataError
from jepa.evaluation.split import streamed
from jepa.explore.drawings import SHEET, Drawing, data_uri, drawing, sheet, thumbnails
from jepa.explore.plane import maps, neighbors, sides, usual
from jepa.explore.snapshots import Shown, Snapshots, planned, snapshots
from jepa.files.atomic import write_text
from jepa.files.mark import PROGRAM
from jepa.pictures.embedding import METHODS, frequent
from jepa.pictures.page import escape
from jepa.pictures.style import BLUE, MARKERS, PALETTE
from jepa.runs.checkpoint import list_checkpoints
from jepa.runs.owned import check_replaceable
from jepa.runs.run import load_run
from jepa.text import printable, shortened

Array = NDArray[Any]
NEAREST = 8
SCRIPTS = ("data.js", "places.js", "map.js", "explore.js")


def explore(
    run_dir: str | Path,
    *,
    out: str | Path | None = None,
    data: str | Path | None = None,
    device: str = "auto",
    projection: str | None = None,
    settings: Sequence[str] = (),
    **given: Any,
) -> Path:
    """Write a page to look around in a run by hand, and return its path.

    It shows where a patch of an example looks, in each layer and head of the encoder that is evaluated, and which other
    patches resemble it; the map of embeddings with each example and its nearest neighbors; both untrained and at every
    checkpoint that the run kept, or seven moments of it. About 5 MB at most: of large transformers fewer moments and
    examples are looked into, then groups of patches.

    out: the file (RUN/explore.html). data: examples of another folder or file than the run's held-out ones. device:
    auto, cpu, cuda or cuda:1. projection: pca, tsne or umap; None: UMAP where it is installed, else PCA. settings:
    other ones than the run's. given: model, task or source of one's own, as for `jepa.runs.run.load_run`.

    Raises JEPAError if the run or its examples cannot be read, or have no picture.
    """
    run_dir = Path(run_dir)
    path = run_dir / "explore.html" if out is None else Path(out)
    if path.is_dir():
        raise DataError(f"cannot write a page to {path}: it is a folder; name a file")
    if out is None:
        check_replaceable(path)
    run = load_run(run_dir, device=device, settings=settings, **given)
    shown = planned(run, run.source("val") if data is None else run.source(None, data))
    seen = snapshots(shown, device=device, settings=settings, **given)
    write_text(path, document(content(shown, seen, usual() if projection is None else projection)))
    return path


def content(shown: Shown, seen: Snapshots, projection: str) -> dict[str, Any]:
    """Return all that the page shows, as JSON has it."""
    run, source = shown.run, shown.source
    name = "" if run.folder is None else run.folder.resolve().name
    kept = 0 if run.folder is None else len(list_checkpoints(run.folder))
    drawn = [drawing(shown.place, x, shown.how.group) for x in source.read(shown.chosen[: shown.how.examples])]
    return {
        "title": f"JEPA run: {shortened(printable(name), 80)}",
        "encoder": f"{run.config.encoder.kind}, the {run.config.evaluation.encoder} encoder",
        "examples": len(source),
        "steps": seen.steps,
        "kept": kept,
        "ramp": [to_hex(color) for color in matplotlib.colormaps["viridis"](np.linspace(0, 1, 33))],
        "map": _map(shown, seen, projection),
        "sheet": {**_sheet(shown), "smooth": drawn[0].framed},
        "places": _places(shown, seen, drawn),
    }


def _map(shown: Shown, seen: Snapshots, projection: str) -> dict[str, Any]:
    """The map of embeddings: points, classes, names, neighbors."""
    source, chosen = shown.source, shown.chosen
    labels = np.full(len(chosen), -1) if source.labels is None else np.asarray(source.labels)[chosen]
    told = frequent(labels[labels >= 0])
    near = [neighbors(z, NEAREST) for z in seen.features]
    classes = [*source.classes, *map(str, range(len(source.classes), labels.max() + 1))]
    return {
        "method": METHODS[projection],
        "points": packed(np.stack(maps(seen.features, projection)), np.float32),  # (C, M, 2)
        "sides": sides(seen.features, projection),
        "neighbors": packed(np.stack([order for order, _ in near]), np.uint16),  # (C, M, k)
        "cosines": packed(1000 * np.stack([cosines for _, cosines in near]), np.int16),
        "labels": labels.tolist(),
        "names": [_told("row", "/".join(Path(str(source.names[k])).parts[-2:])) for k in chosen],
        "classes": [_told("class", str(name)) for name in classes],
        "blue": BLUE,
        "looks": [{"class": k, "color": PALETTE[n], "sign": MARKERS[n]} for n, k in enumerate(told)],
    }


def _sheet(shown: Shown) -> dict[str, Any]:
    """The thumbnails of the points."""
    small = streamed(lambda x: thumbnails(shown.place, x), shown.source, shown.chosen, "drawing thumbnails")
    image, columns = sheet(small.astype(np.uint8))
    return {"source": data_uri(image, SHEET), "columns": columns, "height": small.shape[1], "width": small.shape[2]}


def _places(shown: Shown, seen: Snapshots, drawn: Sequence[Drawing]) -> dict[str, Any] | None:
    """Where places look; None of an encoder with a single one."""
    how = shown.how
    if seen.looks[0].cosines.shape[-1] == 1:
        return None
    attention, peaks, cosines = (np.stack(side) for side in zip(*seen.looks, strict=True))
    return {
        "pictures": [{"source": d.source, "width": d.size[0], "height": d.size[1]} for d in drawn],
        "boxes": packed(np.stack([d.boxes for d in drawn]), np.float32),  # (K, N, B, 4)
        "grid": [-(-length // how.group) for length in shown.place.grid],
        "group": how.group,
        "heads": how.heads,
        "before": how.before,
        "attention": packed(attention, np.uint8),  # (C, K, heads of all blocks, T, N)
        "peaks": packed(peaks, np.float32),  # (C, K, heads of all blocks, T)
        "cosines": packed(cosines, np.uint8),  # (C, K, N, N)
    }


def packed(x: Array, kind: Any) -> dict[str, Any]:
    r"""Return an array as the page reads it: its type, its shape, and its bytes, compressed and in base 64.

    >>> found = packed(np.array([0.6, 2.2]), np.uint8)
    >>> found["kind"], found["shape"], zlib.decompress(base64.b64decode(found["bytes"]))
    ('u1', [2], b'\x01\x02')
    """
    x = np.ascontiguousarray(np.rint(x) if np.issubdtype(kind, np.integer) else x, np.dtype(kind).newbyteorder("<"))
    data = base64.b64encode(zlib.compress(x.tobytes(), 9)).decode("ascii")
    return {"kind": x.dtype.str[1:], "shape": list(x.shape), "bytes": data}


def document(shown: dict[str, Any]) -> str:
    """Return the page; it may run its own scripts, known by their hash, and load nothing."""
    folder = resources.files("jepa.explore")
    style = (folder / "explore.css").read_text("utf-8")
    script = "\n".join((folder / name).read_text("utf-8") for name in SCRIPTS)
    hashes = [base64.b64encode(hashlib.sha256(x.encode()).digest()).decode() for x in (style, script)]
    policy = "default-src 'none'; img-src data:; style-src 'sha256-{}'; script-src 'sha256-{}'".format(*hashes)
    data = json.dumps(shown, separators=(",", ":")).replace("<", "\\u003c")  # no markup inside
    pieces = {
        "POLICY": policy,
        "PROGRAM": PROGRAM,
        "TITLE": escape(shown["title"]),
        "STYLE": style,
        "SCRIPT": script,
        "DATA": data,
    }
    return Template((folder / "page.html").read_text("utf-8")).substitute(pieces)


def _told(what: str, name: str) -> str:
    """Return a name fit to be shown; a bare number with what it is.

    >>> _told("row", "13"), _told("class", "cat")
    ('row 13', 'cat')
    """
    return f"{what} {name}" if name.isdecimal() else shortened(printable(name), 80)
