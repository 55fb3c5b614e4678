"""The result table as bars: the trained encoder beside its baselines, with chance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jepa.evaluation.probes import PROBES, row_titles
from jepa.pictures.style import BLACK, BLUE, ORANGE, SKY, describe, legend, message, new_figure

_BARS = {"jepa": BLUE, "random": ORANGE, "pixels": SKY}
_WIDTH = 0.26


def titles(evaluation: Mapping[str, Any]) -> dict[str, str]:
    """Return the rows of an evaluation's table in their order, and what they are called."""
    return row_titles(evaluation["shape"]) if evaluation.get("shape") else row_titles()


def plot_probes(evaluation: Mapping[str, Any]) -> Figure:
    """Draw the accuracy of each probe for each row, the spread of the random encoders, and chance as a dashed line.

    evaluation: the content of ``evaluation.json``: under the name of each probe fractions for "jepa", "random",
    "pixels" and "chance"; "random_seeds" may have lists under the same names.
    """
    figure = new_figure(3.9)
    shown = [probe for probe in PROBES if evaluation.get(probe)]
    if not shown:
        return message(figure, "no probes: the examples have no labels")
    axes, names = figure.subplots(), titles(evaluation)
    for place, probe in enumerate(shown):
        row, seeds = evaluation[probe], (evaluation.get("random_seeds") or {}).get(probe, [])
        for offset, (name, color) in enumerate(_BARS.items(), start=-1):
            if name in row:
                bar = axes.bar(place + offset * _WIDTH, 100 * row[name], _WIDTH * 0.92, color=color)
                bar.patches[0].set(edgecolor=BLACK, linewidth=0.6, label=names[name] if place == 0 else "_")
                _write(axes, place + offset * _WIDTH, 100 * row[name], seeds if name == "random" else ())
        level = 100 * row["chance"]
        label = names["chance"] if place == 0 else None
        axes.plot([place - 0.4, place + 0.4], [level, level], "--", color=BLACK, linewidth=1.4, label=label)
        axes.annotate(f"{level:.1f}", (place + 0.41, level), fontsize=8, va="center")
    describe(axes, "Accuracy on held-out examples", y="correct (%)")
    axes.set_xticks(range(len(shown)), [PROBES[probe].title for probe in shown], fontsize=11)
    axes.set_xlim(-0.6, len(shown) - 0.4)
    axes.set_ylim(0, 105)
    axes.grid(False, axis="x")
    legend(axes, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _write(axes: Axes, x: float, y: float, seeds: Any) -> None:
    """Write the height of a bar above it, with a whisker over the spread of several seeds."""
    seeds, top = [100 * value for value in seeds], y
    if len(seeds) > 1:
        span = np.maximum([[y - min(seeds)], [max(seeds) - y]], 0)
        axes.errorbar([x], [y], yerr=span, color=BLACK, capsize=5, linewidth=1.2)
        top = max(seeds)
    at: dict[str, Any] = {"ha": "center", "va": "bottom", "fontsize": 10}
    axes.annotate(f"{y:.1f}", (x, top), (0, 3), textcoords="offset points", **at)
