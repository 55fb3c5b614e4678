"""Curves over a run: loss, health of the representation, schedules, curriculum."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from jepa.pictures.style import BLUE, GRAY, GREEN, ORANGE, PALETTE, VERMILION, describe, legend, message, new_figure

__all__ = ["curves", "plot_curriculum", "plot_health", "plot_loss", "plot_schedules"]

Record = Mapping[str, Any]
"""a line of ``metrics.jsonl``: "kind" is "step" or "epoch", "step" its number; what else is missing is left out"""
Values = NDArray[Any]

_STEPS = "training step"


def curves(records: Sequence[Record]) -> dict[str, Figure]:
    """Return every picture of the lines of a run's metrics."""
    found = {"loss": plot_loss(records), "health": plot_health(records), "schedules": plot_schedules(records)}
    return found | ({"curriculum": plot_curriculum(records)} if _names(records, "curriculum/") else {})


def plot_loss(records: Sequence[Record]) -> Figure:
    """Draw the training loss ("loss") with its running mean and its parts ("loss/PART").

    Beside it, if examples were held out, the loss of the predictions of those ("validation_loss"), and the same for a
    wrong question ("validation_loss_shuffled").
    """
    held_out = len(_series(records, "validation_loss", "epoch")[0]) > 0
    figure = new_figure(4.0)
    x, y = _series(records, "loss")
    if not len(x):
        return message(figure, "no loss was logged yet")
    panels = figure.subplots(1, 2 if held_out else 1, squeeze=False)[0]
    if len(x) < 40:  # nothing to smooth
        panels[0].plot(x, y, color=BLUE, linewidth=2, label="training")
    else:
        panels[0].plot(x, y, color=BLUE, linewidth=0.8, alpha=0.35, label="each logged step")
        panels[0].plot(x, _smooth(y), color=BLUE, linewidth=2, label="running mean")
    parts = [name for name in _names(records, "loss/") if len(_series(records, name)[0])]
    parts = [name for name in parts if name.rpartition("/")[2] != "accuracy"]  # no loss: it has a scale of its own
    for name, color, style in zip(parts, PALETTE[1:] * 4, ("--", "-.", ":") * 12, strict=False):
        if len(parts) >= 2:
            x, y = _series(records, name)
            panels[0].plot(x, _smooth(y), style, color=color, linewidth=1.6, label=_part(name.removeprefix("loss/")))
    describe(panels[0], "Training loss", x=_STEPS, y="loss")
    _maybe_log(panels[0])
    if held_out:
        for name, label, color, style in (
            ("validation_loss", "asked the true question", BLUE, "-"),
            ("validation_loss_shuffled", "asked a wrong one", VERMILION, "--"),
        ):
            x, y = _series(records, name, "epoch")
            if len(x):
                panels[1].plot(x, y, style, color=color, marker="o", markersize=4, linewidth=2, label=label)
        describe(panels[1], "Loss of the predictions, held out", x=_STEPS, y="loss")
        low, high = panels[1].get_ylim()
        panels[1].set_ylim(min(0.0, low), 1.1 * high)
    for panel in panels:
        legend(panel)
    return figure


def plot_health(records: Sequence[Record]) -> Figure:
    """Draw "feature_std", "effective_rank", "prediction_cosine" and "grad_norm/NAME" over the steps."""
    figure = new_figure(6.2)
    spread, rank, cosine, norms = figure.subplots(2, 2).ravel()
    for panel, name, color in (
        (spread, "feature_std", BLUE),
        (rank, "effective_rank", GREEN),
        (cosine, "prediction_cosine", ORANGE),
    ):
        _line(panel, *_series(records, name), color=color)
    describe(spread, "Feature standard deviation", x=_STEPS, y="× √D (1 = even, 0 = collapsed)")
    describe(rank, "Effective rank", x=_STEPS, y="directions in use")
    describe(cosine, "Cosine of prediction and target", x=_STEPS, y="cosine (1 = same direction)")
    spread.set_ylim(0, 1.05)
    rank.set_ylim(bottom=0)
    if cosine.lines:
        cosine.set_ylim(min(0.0, *cosine.get_ylim()), 1.05)
    _many(norms, records, "grad_norm/", 1.6)
    describe(norms, "Gradient norm", x=_STEPS, y="norm before clipping")
    if norms.lines:
        _maybe_log(norms)
    else:
        _line(norms, (), ())
    legend(norms)
    return figure


def plot_schedules(records: Sequence[Record]) -> Figure:
    """Draw learning rate, EMA momentum and speed over the steps ("lr", "ema", "examples_per_second")."""
    figure = new_figure(3.2)
    for panel, (name, title, unit, color) in zip(
        figure.subplots(1, 3),
        (
            ("lr", "Learning rate", "learning rate", BLUE),
            ("ema", "EMA momentum", "share of the target kept", GREEN),
            ("examples_per_second", "Speed", "examples / s", GRAY),
        ),
        strict=True,
    ):
        describe(panel, title, x=_STEPS, y=unit)
        _line(panel, *_series(records, name), color=color)
        panel.ticklabel_format(axis="y", useOffset=False)
        if name == "examples_per_second":
            panel.set_ylim(bottom=0)
    return figure


def plot_curriculum(records: Sequence[Record]) -> Figure:
    """Draw the task's moving settings over the steps ("curriculum/NAME")."""
    figure = new_figure(3.4)
    if not _names(records, "curriculum/"):
        return message(figure, "this run has no curriculum")
    panel = figure.subplots()
    _many(panel, records, "curriculum/", 2)
    describe(panel, "Curriculum", x=_STEPS, y="value")
    legend(panel, loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


def _names(records: Sequence[Record], prefix: str) -> list[str]:
    """Keys with this prefix, in the order in which they appear."""
    return list(dict.fromkeys(name for record in records for name in record if name.startswith(prefix)))


def _part(name: str) -> str:
    """Return what a part of the loss is called: a level by the patches of its groups."""
    whole, _, part = name.partition("/")
    level = whole.removeprefix("level ")
    if level == whole or not level.isdigit():
        return name
    said = f"{whole}: groups {2 ** int(level)} patches wide" if int(level) else f"{whole}: patches"
    return f"{said}, {part}" if part else said


def _series(records: Sequence[Record], name: str, kind: str = "step") -> tuple[Values, Values]:
    """Steps and finite values of a metric."""
    pairs = [(r["step"], r[name]) for r in records if r.get("kind") == kind and r.get(name) is not None and "step" in r]
    pairs = [(step, value) for step, value in pairs if np.isfinite(value)]
    return np.array([step for step, _ in pairs]), np.array([value for _, value in pairs], dtype=float)


def _smooth(y: Values) -> Values:
    """Running mean in the middle of about a twentieth of the points; the window shrinks at both ends."""
    half = len(y) // 40
    total = np.concatenate([[0.0], np.cumsum(y)])
    start = np.maximum(np.arange(len(y)) - half, 0)
    stop = np.minimum(np.arange(len(y)) + half + 1, len(y))
    return np.asarray((total[stop] - total[start]) / (stop - start))


def _line(axes: Axes, x: Iterable[Any], y: Iterable[Any], color: str = GRAY) -> None:
    """Draw a curve, or say that there is none."""
    if len(x := list(x)):
        axes.plot(x, list(y), color=color, linewidth=1.8)
    else:
        axes.text(0.5, 0.5, "not logged", ha="center", va="center", color=GRAY, fontsize=10, transform=axes.transAxes)


def _many(axes: Axes, records: Sequence[Record], prefix: str, width: float) -> None:
    """Draw every metric with a prefix, named by the rest."""
    for name, color, style in zip(_names(records, prefix), PALETTE * 4, ("-", "--", ":", "-.") * 10, strict=False):
        x, y = _series(records, name)
        axes.plot(x, y, style, color=color, linewidth=width, label=name.removeprefix(prefix).replace("_", " "))


def _maybe_log(axes: Axes) -> None:
    """Take a logarithmic axis where the values are positive and cover more than a factor of 20."""
    values = np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in axes.lines])
    if len(values) and values.min() > 0 and values.max() > 20 * values.min():
        axes.set_yscale("log")
        axes.set_ylabel(f"{axes.get_ylabel()} (log scale)")
