"""Writing the embeddings of a folder of images into a file, for use elsewhere."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import minitensor as mt
from jepa.config import Config, changed
from jepa.errors import DataError, RunError
from jepa.evaluation.streamed import streamed
from jepa.files.atomic import replacing
from jepa.text import cell

SUFFIXES = (".npz", ".csv")
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # mean and deviation of the channels
BATCH = 16  # images at once: few, for large transformers


def embed(
    run_dir: str | Path, data: str | Path | None, out: str | Path, *, device: str = "auto", settings: Sequence[str] = ()
) -> Path:
    """Embed every image of a folder with the frozen encoder of a run, and write them to a file.

    Parameters
    ----------
    run_dir : path
        A run folder with a checkpoint; the encoder is the one of `evaluation.encoder`.
    data : path or None
        A folder of images, with or without classes; None means the data that the run was trained on.
    out : path
        ``.npz`` or ``.csv``, see `write_embeddings`. An existing file is replaced once the new one is whole.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.
    settings : list of str
        Settings other than the run's, such as ``evaluation.pool=cls``.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    JEPAError
        If the run or the data cannot be read, or the suffix is another one.
    """
    _checked(out)  # before the work, not after it
    from jepa.runs.run import load_run

    run = load_run(run_dir, device=device, settings=settings)
    found = run.dataset(None, data)
    embeddings = streamed(lambda x: run.features(run.normalized(x)), found, range(len(found)), "embedding")  # (N, D)
    return write_embeddings(out, embeddings, found.labels, paths=list(map(str, found.paths)), classes=found.classes)


def embed_pretrained(
    weights: str | Path, data: str | Path, out: str | Path, *, device: str = "auto", settings: Sequence[str] = ()
) -> Path:
    """Embed every image of a folder with published weights, and write them to a file: the mean over all patches.

    Parameters
    ----------
    weights : path
        A checkpoint of the official I-JEPA code (``.pth.tar``), of which the target encoder is taken, or a folder of
        `jepa.models.save_pretrained` with a vision transformer.
    data, out, device, settings
        As in `embed`, but of the settings ``data.on_error``, ``data.sizes`` and ``data.limit`` alone. Images are
        brought to the size of the weights and normalised by ImageNet's mean and deviation.

    Raises
    ------
    JEPAError
        If the weights or the data cannot be read, or the suffix is another one.
    """
    _checked(out)
    from jepa.data.folder import ImageFolder
    from jepa.models.ijepa import pooled
    from jepa.models.pretrained import ijepa_encoder, pretrained_transformer
    from jepa.runs.device import choose_device
    from jepa.transforms import Normalize

    weights, device = Path(weights), choose_device(device)
    if not weights.exists():
        raise RunError(f"there are no weights {weights}: name a checkpoint of I-JEPA, or a folder of save_pretrained")
    encoder = ijepa_encoder(weights) if weights.is_file() else pretrained_transformer(weights)
    if (channels := encoder.patch_embed.proj.weight.shape[1]) != 3:
        raise RunError(f"{weights} is for images of {channels} channels; only images in colour, of 3, can be embedded")
    encoder.to(device)
    height, width = encoder.image_size
    if height != width:
        raise RunError(f"{weights} is for images of {height} x {width} pixels; only squares can be embedded")
    how = changed(Config(), settings).data
    limit = how.limit or None
    found = ImageFolder(
        data, split=None, image_size=height, channels=3, on_error=how.on_error, sizes=how.sizes, limit=limit
    )
    normalize = Normalize(*IMAGENET)

    def embedded(x: NDArray[np.float32]) -> NDArray[np.float32]:
        with mt.no_grad():
            x = normalize.apply(x, [None] * len(x))
            return pooled(encoder, mt.Tensor(x, device=device), "mean").numpy()

    rows = streamed(embedded, found, range(len(found)), "embedding", batch=BATCH)
    return write_embeddings(out, rows, found.labels, paths=list(map(str, found.paths)), classes=found.classes)


def write_embeddings(
    out: str | Path,
    embeddings: NDArray[np.float32],
    labels: NDArray[Any] | None,
    *,
    paths: Sequence[str],
    classes: Sequence[str],
) -> Path:
    """Write embeddings atomically, in the format that the suffix of `out` names.

    - ``.npz`` (`numpy.load`, no pickle): ``embeddings`` float32 (N, D), ``labels`` int64 (N,), -1 where there is none,
      ``paths`` (N,), ``classes`` (K,).
    - ``.csv``: a heading, then one row an image: path, class (empty where there is none), e0, e1, ... with the nine
      digits that bring a float32 back exactly. A name that a spreadsheet would take for a formula begins with an
      apostrophe; control characters are written out (`jepa.text.cell`).

    Raises
    ------
    DataError
        If the suffix is another one.

    Examples
    --------
    >>> import tempfile
    >>> out = Path(tempfile.mkdtemp()) / "e.csv"
    >>> _ = write_embeddings(out, np.array([[0.5, 2]], np.float32), np.array([0]), paths=["a.png"], classes=["cat"])
    >>> print(out.read_text(), end="")
    path,class,e0,e1
    a.png,cat,0.5,2
    """
    out = _checked(out)
    codes = np.full(len(embeddings), -1, dtype=np.int64) if labels is None else np.asarray(labels, dtype=np.int64)
    with replacing(out) as temporary:
        if out.suffix.lower() == ".npz":
            with temporary.open("wb") as file:
                np.savez(
                    file,
                    embeddings=np.asarray(embeddings, dtype=np.float32),
                    labels=codes,
                    paths=np.asarray(paths, dtype=str),
                    classes=np.asarray(classes, dtype=str),
                )
        else:
            with temporary.open("w", newline="", encoding="utf-8") as text:
                writer = csv.writer(text, lineterminator="\n")
                writer.writerow(["path", "class", *(f"e{axis}" for axis in range(embeddings.shape[1]))])
                for path, code, row in zip(paths, codes, embeddings, strict=True):
                    writer.writerow(
                        [cell(path), cell(classes[code]) if code >= 0 else "", *(f"{value:.9g}" for value in row)]
                    )
    return out


def _checked(out: str | Path) -> Path:
    out = Path(out)
    if out.suffix.lower() not in SUFFIXES:
        raise DataError(f"cannot write embeddings to {out}: the file must end in {' or '.join(SUFFIXES)}")
    if out.is_dir():
        raise DataError(f"cannot write embeddings to {out}: it is a folder; name a file")
    return out
