"""Pictures of any task: what the two encoders see, side by side; and what all tasks' pictures begin with."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

import minitensor as mt
from jepa.contracts import Batch, Index, Keep, Source
from jepa.objectives.base import Objective
from jepa.pictures.embedding import plot_similarity
from jepa.pictures.style import BLUE, TARGETS, drawing, sheet
from jepa.runs.run import Run
from jepa.tasks.batches import Batches

Floats = NDArray[np.float32]
EMBEDDED = 1000  # held-out examples in the picture of the embedding space
DRAWN = 4  # examples of which each has a row
MOST = 4  # views that are asked for, of those that are drawn


def examples(run: Run, count: int) -> dict[str, Any]:
    """Return what the model makes of `count` held-out examples.

    - `seen` (n, *shape), the first view of each, and `true` (n, v, *shape'), the others, or of several shapes those of
      the first, as the encoders see them but for normalization;
    - `prediction`, `target_embedding` (n, d): of the first token that is asked for.
    """
    run.model.eval()
    batches = loader(run, "val")
    raw, batch = asked(batches, some(batches.source, count))
    predictions, targets = answered(run, batch)
    first = {"prediction": predictions[0][:, 0], "target_embedding": targets[0][:, 0]}
    if raw.true is None:  # all views are seen
        raw = raw._replace(seen=raw.seen[0][:, 0], true=raw.seen[-1] if len(raw.seen) > 1 else raw.seen[0][:, 1:])
    return {"seen": raw.seen, "true": raw.true, **first}


def figures(run: Run, e: Mapping[str, Any]) -> dict[str, Figure]:
    """Draw what `examples` found."""
    draw = drawing(run.source("val"))
    return {
        "views": plot_views(draw, e["seen"][:DRAWN], e["true"][:DRAWN, :MOST]),
        "similarity": plot_similarity(e["prediction"], e["target_embedding"]),
    }


def plot_views(draw: Any, seen: Floats, true: Floats) -> Figure:
    """Draw one row an example: what is seen (n, *shape), and what is to be predicted of it (n, v, *shape').

    draw: the module that draws examples.
    """
    count = true.shape[1]
    names = [f"to be predicted{f' {k + 1}' if count > 1 else ''}" for k in range(count)]
    figure, axes = sheet(len(seen), ("seen by the\ncontext encoder", *names), draw.ratio(seen.shape[1:]))
    for n, row in enumerate(axes):
        draw.show(row[0], seen[n], BLUE)
        for k, axis in enumerate(row[1:]):
            draw.show(axis, true[n, k], TARGETS[k])
    return figure


def loader(run: Run, split: str) -> Batches:
    """Return what asks about the examples of a split, with random numbers that neither training nor evaluation has."""
    return run.batches(split, 1 if split == "val" else 2)


def some(source: Source, count: int) -> Index:
    """Return `count` examples of a source, any but the same each time; fewer if there are not so many."""
    return np.random.default_rng(0).permutation(len(source))[:count]


def asked(batches: Batches, indices: Index) -> tuple[Batch, Batch]:
    """Return these examples, asked as at the end of training: as they are drawn, and as a network sees them."""
    x, generators = batches.inputs(indices)
    batch = batches.task.at(1.0).ask(x, batches.grid, generators)
    return batch, batches.normalized(batch)


def answered(run: Run, batch: Batch) -> tuple[list[Floats], list[Floats]]:
    """Return predicted and true tokens of each set, S of (n, k, d), padding and all, of the first context."""
    model = run.model
    first: Any = (None if side is None else side[:, :1] for side in batch.keep or ())
    keep = batch.keep and Keep(*first)

    whole = batch.changed(lambda x: mt.Tensor(x, device=run.device))
    with mt.no_grad():
        _, predictions, targets, *_ = mt.data_parallel(model.part, whole.seen, keep, whole.true, batch.asked)
        return [p.numpy() for p in predictions], [as_compared(run, t).numpy() for t in targets]


def as_compared(run: Run, targets: mt.Tensor) -> mt.Tensor:
    """Return true tokens as the objective compares them."""
    objective = run.model.objective
    return objective.targets(targets) if isinstance(objective, Objective) else targets


def embedded(run: Run) -> dict[str, Any]:
    """Return the features of held-out examples, "embeddings" (m, d), with "labels" (m,) or None, and "classes"."""
    source = run.source("val")
    chosen = some(source, EMBEDDED)
    return {
        "embeddings": run.features(source.normalize(source.read(chosen))),
        "labels": None if source.labels is None else source.labels[chosen],
        "classes": source.classes,
    }
