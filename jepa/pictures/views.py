"""Pictures of any task: what the two encoders see, side by side, and predictions against targets."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from jepa.pictures.shown import answered, asked, loader, some
from jepa.pictures.similarity import plot_similarity
from jepa.pictures.style import BLUE, TARGETS, sheet

DRAWN = 4  # examples of which each has a row
MOST = 4  # views that are asked for, of those that are drawn


def examples(run: Any, count: int) -> dict[str, Any]:
    """Return what the model makes of `count` held-out examples.

    - `seen` (n, *shape) and `true` (n, v, *shape'), as the encoders see them but for normalization;
    - `prediction`, `target_embedding` (n, d): of the first token that is asked for.
    """
    run.model.eval()
    batches = loader(run, "val")
    raw, batch = asked(batches, some(batches.source, count))
    predictions, targets = answered(run, batch)
    first = {"prediction": predictions[0][:, 0], "target_embedding": targets[0][:, 0]}
    return {"seen": raw.seen, "true": raw.true, **first}


def figures(run: Any, e: Mapping[str, Any]) -> dict[str, Figure]:
    """Draw what `examples` found."""
    draw = importlib.import_module(run.source("val").pictures)
    return {
        "views": plot_views(draw, e["seen"][:DRAWN], e["true"][:DRAWN, :MOST]),
        "similarity": plot_similarity(e["prediction"], e["target_embedding"]),
    }


def plot_views(draw: Any, seen: Any, true: Any) -> Figure:
    """Draw one row an example: what is seen (n, *shape), and what is to be predicted of it (n, v, *shape').

    draw: the module that draws examples.
    """
    count = true.shape[1]
    names = [f"to be predicted{f' {k + 1}' if count > 1 else ''}" for k in range(count)]
    figure, axes = sheet(len(seen), ("seen by the\ncontext encoder", *names), draw.ratio(seen.shape[1:]))
    for n, row in enumerate(axes):
        draw.show(row[0], seen[n], "", BLUE)
        for k, axis in enumerate(row[1:]):
            draw.show(axis, true[n, k], "", TARGETS[k])
    return figure
