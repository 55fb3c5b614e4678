"""What a fine-tuned classifier says of examples: a label for each, and its probability, in a table."""

import csv
from pathlib import Path
from typing import Any, NamedTuple

from jepa import contracts
from jepa.errors import DataError, RunError
from jepa.evaluation.split import BATCH
from jepa.files.atomic import replacing
from jepa.files.mark import read_object
from jepa.finetuning.classifier import Classifier
from jepa.finetuning.finetune import FIGURES, load_best
from jepa.finetuning.start import SCRATCH
from jepa.parts import made
from jepa.progress import shown_progress
from jepa.runs.folder import read_config
from jepa.runs.run import choose_device
from jepa.sources.base import Source
from jepa.text import cell


class FineTuned(NamedTuple):
    """A classifier of a fine-tuning, opened."""

    model: Classifier
    classes: list[str]
    """names of the classes, in the order of its outputs"""
    source: Any
    """what the examples were read from: others are read and normalized in the same way (`Source.at`)"""


def load_classifier(folder: str | Path, device: str = "auto", encoder: Any = None) -> FineTuned:
    """Open a fine-tuned classifier, in evaluation mode.

    folder: what `jepa.finetune` wrote, of which the trained encoder's classifier on the most labels is taken, or the
    folder of another one in it, such as runs/x-finetuned/jepa-0.1. encoder: one to put the weights into, of a class
    without Settings. Raises RunError if there is none, or it is damaged.
    """
    named = Path(folder)
    whole = named if (named / FIGURES).is_file() else named.parent
    try:
        found = read_object(whole / FIGURES)
        mine = [r for r in found["results"] if r["folder"] == named.name]
        results = [r for r in found["results"] if r["start"] != SCRATCH] if whole == named else mine
        own = max(results, key=lambda r: r["labels"])["folder"]
        classes, shape, pool = found["classes"], tuple(found["shape"]), found["pool"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise RunError(f"{named} has no finished fine-tuning: `python -m jepa finetune RUN` writes one") from error
    config = read_config(whole, without=() if encoder is None else ("encoder",))
    encoder = made(config.encoder, "encoder", shape) if encoder is None else encoder
    model = Classifier(encoder, shape, len(classes), pool=pool)
    load_best(model, whole / own, config)
    return FineTuned(model.eval().to(choose_device(device)), classes, made(config.source, "source"))


def predict(
    folder: str | Path,
    data: str | Path | contracts.Source,
    out: str | Path,
    *,
    device: str = "auto",
    encoder: Any = None,
) -> Path:
    """Write the label of each example and its probability to a .csv file, which is returned.

    folder, encoder: as `load_classifier` takes them. data: a folder or file of examples, with or without classes, or a
    source. The file has a heading, then one row an example, ``name,label,probability``, the probability with four
    digits. It is written batch by batch, and replaces an existing one once it is whole. A name that a spreadsheet would
    take for a formula begins with an apostrophe (`jepa.text.cell`).

    Raises JEPAError if the classifier or the data cannot be read, or `out` is no .csv file.
    """
    out = Path(out)
    if out.suffix.lower() != ".csv" or out.is_dir():
        raise DataError(f"cannot write predictions to {out}: name a file that ends in .csv")
    model, classes, own = load_classifier(folder, device, encoder)
    source: Any = data
    if isinstance(data, str | Path):
        assert isinstance(own, Source), "it was made of settings"
        source = own.at(data)
    with replacing(out) as temporary, temporary.open("w", newline="", encoding="utf-8") as text:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["name", "label", "probability"])
        batches = range(0, len(source), BATCH)
        for i in shown_progress(batches, len(batches), "predicting", f"batches of {BATCH} examples"):
            rows = range(i, min(i + BATCH, len(source)))
            for row, p in zip(rows, model.probabilities(source.normalize(source.read(rows))), strict=True):
                writer.writerow([cell(str(source.names[row])), cell(classes[p.argmax()]), f"{p.max():.4g}"])
    return out
