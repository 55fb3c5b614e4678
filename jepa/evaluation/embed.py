"""Writing the embeddings of examples into a file, for use elsewhere."""

import csv
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import minitensor as mt
from jepa import contracts, frozen
from jepa.config import load
from jepa.errors import ConfigError, DataError, RunError
from jepa.evaluation.split import BATCH, streamed
from jepa.files.atomic import replacing
from jepa.parts import made
from jepa.runs.run import choose_device, load_run, tell_left_out
from jepa.text import cell

Array = NDArray[np.float32]
SUFFIXES = (".npz", ".csv")
FEW = 16  # images at once, for large transformers


def embed(
    run_dir: str | Path,
    data: str | Path | None,
    out: str | Path,
    *,
    device: str = "auto",
    settings: Sequence[str] = (),
    **given: Any,
) -> Path:
    """Embed every example with the frozen encoder of a run, and write the embeddings to a file, which is returned.

    run_dir: a run folder with a checkpoint; the encoder is the one of `evaluation.encoder`. data: a folder or file of
    examples, with or without classes; None: those that the run was trained on. out: ``.npz`` or ``.csv``, see
    `write_embeddings`; an existing file is replaced once the new one is whole. device: auto, cpu, cuda or cuda:1.
    settings: other ones than the run's, such as ``evaluation.pool=cls``. given: `model`, `task` or `source`, where they
    cannot be made from their settings (`jepa.runs.run.load_run`).

    Raises JEPAError if the run or the data cannot be read, or the suffix is another one.
    """
    writable(out, "embeddings", SUFFIXES)  # before the work, not after it
    run = load_run(run_dir, device=device, settings=settings, **given)
    return _written(out, run.source(None, data), run.features)


def embed_pretrained(
    weights: str | Path, data: str | Path, out: str | Path, *, device: str = "auto", settings: Sequence[str] = ()
) -> Path:
    """Embed every image of a folder with published weights, and write them to a file: the mean over all places.

    weights: what `jepa.pretrained.published` reads, or a folder of `jepa.pretrained.save_pretrained` with a vision
    transformer. data, out, device: as in `embed`. settings: `evaluation.pool`, such as ``evaluation.pool=cls``, the
    class token, which DINO's authors evaluate; and those of the source. Images are brought to the size of the weights,
    or to ``source.size``, and normalized as those that the weights were trained with, or as ``source.mean`` and
    ``source.std`` say.

    Raises JEPAError if the weights or the data cannot be read, or the suffix is another one.
    """
    writable(out, "embeddings", SUFFIXES)
    config = load(overrides=settings)
    encoder, source = pretrained(weights, data, settings)
    pool = checked_pool(encoder, config.evaluation.pool)
    encoder.to(choose_device(device))
    return _written(out, source, lambda x: frozen.frozen(encoder, lambda part: encoder.pooled(part, pool), x, FEW), FEW)


def checked_pool(encoder: Any, pool: str) -> str:
    """Return a pooling that an encoder has; raise ConfigError for another one."""
    try:
        encoder.check_pool(pool)
    except ValueError as error:
        raise ConfigError(f"evaluation.{error}") from error
    return pool


def pretrained(weights: str | Path, data: str | Path, settings: Sequence[str]) -> tuple[Any, contracts.Source]:
    """Return the encoder of published weights, and a folder of images at its size, normalized as `embed_pretrained`."""
    from jepa.pretrained import published

    weights = Path(weights)
    if not weights.exists():
        raise RunError(f"there are no weights {weights}: name a file of weights, or a folder with them")
    found = published(weights)
    logging.getLogger("jepa").warning("weights: %s", found.title)
    channels, *lengths = found.encoder.shape
    if channels != 3 or len(lengths) != 2:
        raise RunError(
            f"{weights} is for examples of {found.encoder.shape}; only images in color, of 3 channels, can be embedded"
        )
    height, width = lengths
    if height != width:
        raise RunError(f"{weights} is for images of {height} x {width} pixels; only squares can be embedded")
    words = [word for word in settings if word.startswith("source")]
    own = {"size": height, "mean": list(found.mean), "std": list(found.std)}
    usual = [f"source.{name}={value}" for name, value in own.items()]
    choice = load(overrides=["source=folder", *usual, *words, f"source.root={data}", "source.channels=3"]).source
    source = made(choice, "source")
    encoder = found.at(source.shape)
    tell_left_out(source)
    return encoder, source


def _written(
    out: str | Path, source: contracts.Source, f: Callable[[Any], NDArray[np.float32]], batch: int = BATCH
) -> Path:
    team = mt.teams.join()
    doing = "embedding"
    rows = streamed(
        lambda x: f(source.normalize(x)), source, range(len(source)), doing, batch=batch, team=team
    )  # (N, D)
    if team is not None and team.rank:
        return Path(out)  # the first process writes
    return write_embeddings(out, rows, source.labels, names=list(map(str, source.names)), classes=source.classes)


def write_embeddings(
    out: str | Path,
    embeddings: NDArray[np.float32],
    labels: NDArray[Any] | None,
    *,
    names: Sequence[str],
    classes: Sequence[str],
) -> Path:
    """Write embeddings atomically, in the format that the suffix of `out` names.

    - ``.npz`` (`numpy.load`, no pickle): ``embeddings`` float32 (N, D), ``labels`` int64 (N,), -1 where there is none,
      ``names`` (N,), files or rows, ``classes`` (K,).
    - ``.csv``: a heading, then one row an example: name, class (empty where there is none), e0, e1, ... with the nine
      digits that bring a float32 back exactly. A name that a spreadsheet would take for a formula begins with an
      apostrophe; control characters are written out (`jepa.text.cell`).

    Raises DataError if the suffix is another one.

    >>> import tempfile
    >>> out = Path(tempfile.mkdtemp()) / "e.csv"
    >>> _ = write_embeddings(out, np.array([[0.5, 2]], np.float32), np.array([0]), names=["a.png"], classes=["cat"])
    >>> print(out.read_text(), end="")
    name,class,e0,e1
    a.png,cat,0.5,2
    """
    out = writable(out, "embeddings", SUFFIXES)
    codes = np.full(len(embeddings), -1, dtype=np.int64) if labels is None else np.asarray(labels, dtype=np.int64)
    with replacing(out) as temporary:
        if out.suffix.lower() == ".npz":
            z, called, kinds = np.asarray(embeddings, np.float32), np.asarray(names, str), np.asarray(classes, str)
            with temporary.open("wb") as file:
                np.savez(file, embeddings=z, labels=codes, names=called, classes=kinds)
        else:
            with temporary.open("w", newline="", encoding="utf-8") as text:
                writer = csv.writer(text, lineterminator="\n")
                writer.writerow(["name", "class", *(f"e{axis}" for axis in range(embeddings.shape[1]))])
                for name, code, row in zip(names, codes, embeddings, strict=True):
                    kind = cell(classes[code]) if code >= 0 else ""
                    writer.writerow([cell(name), kind, *(f"{value:.9g}" for value in row)])
    return out


def writable(out: str | Path, what: str, suffixes: Sequence[str]) -> Path:
    """Return a file that may be written; raise DataError for another suffix, or a folder."""
    out = Path(out)
    if out.suffix.lower() not in suffixes:
        raise DataError(f"cannot write {what} to {out}: the file must end in {' or '.join(suffixes)}")
    if out.is_dir():
        raise DataError(f"cannot write {what} to {out}: it is a folder; name a file")
    return out
