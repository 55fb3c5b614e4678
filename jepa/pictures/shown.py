"""What a run makes of examples, as arrays: what all tasks' pictures begin with."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import minitensor as mt
from jepa.contracts import Batch, Index, Keep
from jepa.objectives.base import Objective
from jepa.tasks.batches import Batches

Floats = NDArray[np.float32]
EMBEDDED = 1000  # held-out examples in the picture of the embedding space


def loader(run: Any, split: str) -> Batches:
    """Return what asks about the examples of a split, with random numbers that neither training nor evaluation has."""
    return run.batches(split, 1 if split == "val" else 2)  # type: ignore[no-any-return]


def some(source: Any, count: int) -> Index:
    """Return `count` examples of a source, any but the same each time; fewer if there are not so many."""
    return np.random.default_rng(0).permutation(len(source))[:count]


def asked(batches: Batches, indices: Index) -> tuple[Batch, Batch]:
    """Return these examples, asked as at the end of training: as they are drawn, and as a network sees them."""
    x, generators = batches.inputs(indices)
    batch = batches.task.at(1.0).ask(x, batches.grid, generators)
    return batch, batches.normalized(batch)


def answered(run: Any, batch: Batch) -> tuple[list[Floats], list[Floats]]:
    """Return predicted and true tokens of each set, S of (n, k, d), padding and all, of the first context."""
    model = run.model
    first: Any = (None if side is None else side[:, :1] for side in batch.keep or ())
    keep = batch.keep and Keep(*first)

    def part(seen: mt.Tensor, keep: Any, true: mt.Tensor, asked: Any) -> Any:
        tokens, valid = model.context.context(seen, keep, asked)
        return model.predictor(tokens, valid, keep, asked), model.target(model.context, true, asked)

    with mt.no_grad():
        seen, true = (mt.Tensor(x, device=run.device) for x in (batch.seen, batch.true))
        predictions, targets = mt.data_parallel(part, seen, keep, true, batch.asked)
        return [p.numpy() for p in predictions], [as_compared(run, t).numpy() for t in targets]


def as_compared(run: Any, targets: mt.Tensor) -> mt.Tensor:
    """Return true tokens as the objective compares them."""
    objective = run.model.objective
    return objective.targets(targets) if isinstance(objective, Objective) else targets


def embedded(run: Any) -> dict[str, Any]:
    """Return the features of held-out examples, "embeddings" (m, d), with "labels" (m,) or None, and "classes"."""
    source = run.source("val")
    chosen = some(source, EMBEDDED)
    return {
        "embeddings": run.features(source.normalize(source.read(chosen))),
        "labels": None if source.labels is None else source.labels[chosen],
        "classes": source.classes,
    }
