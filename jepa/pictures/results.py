"""The result of a run: as bars beside its baselines, and in plain words."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jepa.evaluation import measures
from jepa.evaluation.methods import METHODS
from jepa.evaluation.probes import BASELINES, PROBES, row_titles
from jepa.health import is_collapsed
from jepa.pictures.style import BLACK, BLUE, GREEN, OLIVE, ORANGE, SKY, describe, legend, message, new_figure

_BARS = {"jepa": BLUE, "random": ORANGE, "pixels": SKY, "kmeans": GREEN, "patches": OLIVE}
_WIDTH = 0.78  # of all bars of a probe


def titles(evaluation: Mapping[str, Any]) -> dict[str, str]:
    """Return the rows of an evaluation's table in their order, and what they are called."""
    return row_titles(evaluation.get("shape") or (3, 32, 32), str(evaluation.get("raw", "")))


def plot_probes(evaluation: Mapping[str, Any]) -> Figure:
    """Draw the accuracy of each probe for each row, the spread of the random encoders, and chance as a dashed line.

    evaluation: the content of ``evaluation.json``: under the name of each probe fractions for "jepa", "random",
    "pixels" and "chance", and what other rows there are; "random_seeds" may have lists under the same names.
    """
    figure = new_figure(3.9)
    shown = [probe for probe in PROBES if evaluation.get(probe)]
    if not shown:
        return message(figure, "no probes: the examples have no labels")
    axes, names = figure.subplots(), titles(evaluation)
    for place, probe in enumerate(shown):
        row, seeds = evaluation[probe], (evaluation.get("random_seeds") or {}).get(probe, [])
        bars = {name: color for name, color in _BARS.items() if name in row}
        width = _WIDTH / len(bars)
        for number, (name, color) in enumerate(bars.items()):
            x = place + width * (number - (len(bars) - 1) / 2)
            bar = axes.bar(x, 100 * row[name], width * 0.92, color=color)
            bar.patches[0].set(edgecolor=BLACK, linewidth=0.6, label=names[name] if place == 0 else "_")
            _write(axes, x, 100 * row[name], seeds if name == "random" else ())
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


def summary(evaluation: Mapping[str, Any]) -> list[str]:
    """Return sentences about ``evaluation.json``, the verdict first.

    A difference in accuracy counts as clear when it is more than twice its standard error, which treats the two
    accuracies as independent (they are measured on the same examples, so this is the cautious side).

    >>> evaluation = {"linear": {"jepa": 0.8, "random": 0.5, "pixels": 0.6, "chance": 0.1}, "images": 1000}
    >>> import textwrap
    >>> print(textwrap.fill(summary(evaluation)[0], 100))
    Linear probe: the trained encoder is right on 80.0 % of 1,000 held-out examples, 20.0 points above
    the best baseline (raw pixels, 60.0 %).
    """
    rows = titles(evaluation)
    sentences = [
        _verdict(probe.title, evaluation[name], evaluation["images"], rows)
        for name, probe in PROBES.items()
        if evaluation.get(name)
    ] + _methods(evaluation)
    if evaluation.get("layer"):
        sentences.append(f"The features are those of layer {evaluation['layer']} of the projector, not the encoder's.")
    if evaluation.get("note"):
        sentences.append(str(evaluation["note"]))
    if "feature_std" in evaluation and "effective_rank" in evaluation:
        std, rank = evaluation["feature_std"], evaluation["effective_rank"]
        state = "has collapsed" if is_collapsed(std, rank) else "has not collapsed"
        of = f" of {evaluation['feature_dim']}" if "feature_dim" in evaluation else ""
        sentences.append(
            f"The representation {state}: feature standard deviation {std:.2f} (1 = spread evenly, 0 = collapsed), "
            f"effective rank {rank:.1f}{of} directions (near 1 = collapsed; more is not better)."
        )
    asked = evaluation.get("geometry") or {}
    if asked.get("ratio"):
        ratio = asked["ratio"]
        use = "uses" if ratio > 1.05 else "hardly uses"
        sentences.append(
            f"The held-out loss of the predictions is {asked['loss']:.3g}, and {asked['shuffled']:.3g} when the "
            f"predictor is told wrong places, {ratio:.2f} times as much: it {use} what it is told."
        )
    return sentences + [text for module, told in measures.found(evaluation) for text in module.sentences(told, rows)]


def _methods(evaluation: Mapping[str, Any]) -> list[str]:
    """Set the best probe beside the best simple method."""
    found = evaluation.get("methods") or {}
    ours = {probe.title: evaluation[name]["jepa"] for name, probe in PROBES.items() if evaluation.get(name)}
    if not found or not ours:
        return []
    probe, method = max(ours, key=lambda name: ours[name]), max(found, key=lambda name: found[name])
    gap = 100 * (ours[probe] - found[method])
    return [
        f"The best simple method, {METHODS[method].title}, is right on {100 * found[method]:.1f} %; the trained "
        f"encoder's {probe} is {abs(gap):.1f} points {'above' if gap > 0 else 'below'} it."
    ]


def percent(fraction: float | None) -> str:
    """Return a share in percent; nothing for None.

    >>> percent(0.625), percent(None)
    ('62.5 %', '')
    """
    return "" if fraction is None else f"{100 * fraction:.1f} %"


def standard_error(accuracy: float, count: int) -> float:
    """Return the standard error of an accuracy on so many examples, sqrt(p (1 - p) / examples).

    For it, two right and two wrong are added (Agresti & Coull 1998): 5 of 5 right is no proof.

    >>> round(standard_error(1.0, 5), 2)
    0.14
    """
    p = (accuracy * count + 2) / (count + 4)
    return math.sqrt(p * (1 - p) / (count + 4))


def _verdict(probe: str, row: Mapping[str, float], count: int, rows: Mapping[str, str]) -> str:
    baselines = {name: row[name] for name in BASELINES if name in row}
    best = max(baselines, key=lambda name: baselines[name])
    ours, theirs = row["jepa"], baselines[best]
    difference = 100 * (ours - theirs)
    error = 100 * math.hypot(*(standard_error(share, count) for share in (ours, theirs)))
    probe = probe if probe[1:2].isupper() else probe.capitalize()  # kNN
    start = f"{probe}: the trained encoder is right on {100 * ours:.1f} % of {count:,} held-out examples"
    name = f"the best baseline ({rows[best]}, {100 * theirs:.1f} %)"
    if abs(difference) <= 2 * error:
        points = f"{difference:+.1f} points, within the sampling error of ±{2 * error:.1f}"
        return f"{start}, no clear difference from {name}: {points}."
    if difference < 0:
        return f"{start}. It does not beat its baselines: that is {-difference:.1f} points below {name}."
    return f"{start}, {difference:.1f} points above {name}."
