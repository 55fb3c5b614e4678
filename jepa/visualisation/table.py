"""The result table as bars: the trained encoder beside its baselines, with chance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from jepa.visualisation.style import BLACK, BLUE, ORANGE, SKY, describe, legend, message, new_figure

ROWS = {"jepa": "trained encoder", "random": "same encoder, untrained", "pixels": "raw pixels", "chance": "chance"}
"""Rows of the table in the order in which they are shown, and what they are called."""
PROBES = {"linear": "linear probe", "knn": "kNN", "attentive": "attentive probe"}
"""The probes and what they are called."""

_COLOURS = {"jepa": BLUE, "random": ORANGE, "pixels": SKY}


def plot_probes(evaluation: Mapping[str, Any]) -> Figure:
    """Accuracy of linear probe and kNN for each row, the spread of the random encoders, and chance as a dashed line.

    Parameters
    ----------
    evaluation : mapping
        The content of ``evaluation.json``: ``linear`` and ``knn`` with fractions under ``jepa``, ``random``, ``pixels``
        and ``chance``; optionally ``random_seeds`` with lists under the same two names.

    Returns
    -------
    Figure
    """
    figure = new_figure(3.9)
    shown = [probe for probe in PROBES if evaluation.get(probe)]
    if not shown:
        return message(figure, "no probes: the images have no labels")
    axes = figure.subplots()
    width = 0.26
    for place, probe in enumerate(shown):
        row = evaluation[probe]
        for offset, (name, colour) in enumerate(_COLOURS.items(), start=-1):
            if name not in row:
                continue
            x, y = place + offset * width, 100 * row[name]
            axes.bar(
                x,
                y,
                width * 0.92,
                color=colour,
                edgecolor=BLACK,
                linewidth=0.6,
                label=ROWS[name] if place == 0 else None,
            )
            top = y
            seeds = [100 * value for value in (evaluation.get("random_seeds") or {}).get(probe, [])]
            if name == "random" and len(seeds) > 1:
                span = [[y - min(seeds)], [max(seeds) - y]]
                axes.errorbar([x], [y], yerr=np.maximum(span, 0), color=BLACK, capsize=5, linewidth=1.2)
                top = max(seeds)
            axes.annotate(
                f"{y:.1f}", (x, top), (0, 3), textcoords="offset points", ha="center", va="bottom", fontsize=10
            )
        level = 100 * row["chance"]
        label = ROWS["chance"] if place == 0 else None
        axes.plot([place - 0.4, place + 0.4], [level, level], "--", color=BLACK, linewidth=1.4, label=label)
        axes.annotate(f"{level:.1f}", (place + 0.41, level), fontsize=8, va="center")
    describe(axes, "Accuracy on held-out images", y="correct (%)")
    axes.set_xticks(range(len(shown)), [PROBES[probe] for probe in shown], fontsize=11)
    axes.set_xlim(-0.6, len(shown) - 0.4)
    axes.set_ylim(0, 105)
    axes.grid(False, axis="x")
    handles, names = axes.get_legend_handles_labels()  # matplotlib puts lines before bars; chance is the last row
    legend(
        axes,
        handles=handles[1:] + handles[:1],
        labels=names[1:] + names[:1],
        loc="center left",
        bbox_to_anchor=(1, 0.5),
    )
    return figure
