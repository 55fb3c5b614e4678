"""Curves over a run: loss, health of the representation, schedules, curriculum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from jepa.visualisation.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PALETTE,
    VERMILION,
    describe,
    legend,
    message,
    new_figure,
)

Record = Mapping[str, Any]

_STEPS = "training step"


def plot_loss(records: Sequence[Record]) -> Figure:
    """Training loss with its running mean and its parts; beside it the loss of the predictions on held-out images.

    Parameters
    ----------
    records : sequence of mappings
        Lines of ``metrics.jsonl``: ``kind`` "step" with ``step``, ``loss`` and ``loss/PART``; ``kind`` "epoch" with
        ``step``, ``validation_loss`` and
        ``validation_loss_shuffled`` (with a wrong geometry). What is missing is left out.

    Returns
    -------
    Figure
        Two panels, or one if nothing was held out.
    """
    held_out = len(_series(records, "validation_loss", kind="epoch")[0]) > 0
    figure = new_figure(4.0)
    if not len(_series(records, "loss")[0]):
        return message(figure, "no loss was logged yet")
    panels = figure.subplots(1, 2 if held_out else 1, squeeze=False)[0]
    _noisy(panels[0], *_series(records, "loss"), "each logged step", "running mean", BLUE)
    parts = [name for name in _names(records, "loss/") if len(_series(records, name)[0])]
    parts = [name for name in parts if name.rpartition("/")[2] != "accuracy"]  # no loss: it has a scale of its own
    if len(parts) >= 2:
        for name, colour, style in zip(parts, PALETTE[1:] * 4, ("--", "-.", ":") * 12, strict=False):
            x, y = _series(records, name)
            panels[0].plot(x, _smooth(y), style, color=colour, linewidth=1.6, label=_part(name.removeprefix("loss/")))
    describe(panels[0], "Training loss", x=_STEPS, y="loss")
    _maybe_log(panels[0])
    if held_out:
        for name, label, colour, style in (
            ("validation_loss", "told the true geometry", BLUE, "-"),
            ("validation_loss_shuffled", "told a wrong geometry", VERMILION, "--"),
        ):
            x, y = _series(records, name, kind="epoch")
            panels[1].plot(x, y, style, color=colour, marker="o", markersize=4, linewidth=2, label=label)
        describe(panels[1], "Loss of the predictions, held out", x=_STEPS, y="loss")
        panels[1].set_ylim(0, 1.1 * panels[1].get_ylim()[1])
    for panel in panels:
        legend(panel)
    return figure


def plot_health(records: Sequence[Record]) -> Figure:
    """Feature standard deviation, effective rank, cosine of prediction and target, and gradient norms.

    Parameters
    ----------
    records : sequence of mappings
        Lines of ``metrics.jsonl`` of ``kind`` "step", with ``feature_std``, ``effective_rank``, ``prediction_cosine``
        and ``grad_norm/NAME``.

    Returns
    -------
    Figure
        Four panels; one whose figures are missing says so.
    """
    figure = new_figure(6.2)
    spread, rank, cosine, norms = figure.subplots(2, 2).ravel()
    for panel, name, colour in (
        (spread, "feature_std", BLUE),
        (rank, "effective_rank", GREEN),
        (cosine, "prediction_cosine", ORANGE),
    ):
        x, y = _series(records, name)
        if len(x):
            panel.plot(x, y, color=colour, linewidth=1.8)
        else:
            _empty(panel)
    describe(spread, "Feature standard deviation", x=_STEPS, y="× √D (1 = even, 0 = collapsed)")
    describe(rank, "Effective rank", x=_STEPS, y="directions in use")
    describe(cosine, "Cosine of prediction and target", x=_STEPS, y="cosine (1 = same direction)")
    spread.set_ylim(0, 1.05)
    rank.set_ylim(bottom=0)
    if cosine.lines:
        cosine.set_ylim(min(0.0, *cosine.get_ylim()), 1.05)
    names = _names(records, "grad_norm/")
    for name, colour, style in zip(names, PALETTE * 4, ("-", "--", ":", "-.") * 8, strict=False):
        x, y = _series(records, name)
        norms.plot(x, y, style, color=colour, linewidth=1.6, label=name.removeprefix("grad_norm/"))
    describe(norms, "Gradient norm", x=_STEPS, y="norm before clipping")
    if names:
        _maybe_log(norms)
    else:
        _empty(norms)
    legend(norms)
    return figure


def plot_schedules(records: Sequence[Record]) -> Figure:
    """Learning rate, EMA momentum and speed over the steps (``lr``, ``ema``, ``images_per_second``)."""
    figure = new_figure(3.2)
    for panel, (name, title, unit, colour) in zip(
        figure.subplots(1, 3),
        (
            ("lr", "Learning rate", "learning rate", BLUE),
            ("ema", "EMA momentum", "share of the target kept", GREEN),
            ("images_per_second", "Speed", "images / s", GREY),
        ),
        strict=True,
    ):
        x, y = _series(records, name)
        describe(panel, title, x=_STEPS, y=unit)
        if len(x):
            panel.plot(x, y, color=colour, linewidth=1.8)
            panel.ticklabel_format(axis="y", useOffset=False)
        else:
            _empty(panel)
        if name == "images_per_second":
            panel.set_ylim(bottom=0)
    return figure


def plot_curriculum(records: Sequence[Record]) -> Figure:
    """Settings of the region sampler over the steps (``curriculum/NAME``)."""
    figure = new_figure(3.4)
    names = _names(records, "curriculum/")
    if not names:
        return message(figure, "this run has no curriculum")
    panel = figure.subplots()
    for name, colour, style in zip(names, PALETTE * 4, ("-", "--", ":", "-.") * 8, strict=False):
        x, y = _series(records, name)
        panel.plot(x, y, style, color=colour, linewidth=2, label=name.removeprefix("curriculum/").replace("_", " "))
    describe(panel, "Curriculum", x=_STEPS, y="value")
    legend(panel, loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


def _names(records: Sequence[Record], prefix: str) -> list[str]:
    """Keys with this prefix, in the order in which they appear."""
    return list(dict.fromkeys(name for record in records for name in record if name.startswith(prefix)))


def _part(name: str) -> str:
    """Return what a part of the loss is called: a level of H-JEPA by the patches of its groups."""
    whole, _, part = name.partition("/")
    level = whole.removeprefix("level ")
    if level == whole or not level.isdigit():
        return name
    side = 2 ** int(level)
    said = f"{whole}: {side} x {side} patches" if int(level) else f"{whole}: patches"
    return f"{said}, {part}" if part else said


def _series(records: Sequence[Record], name: str, *, kind: str = "step") -> tuple[NDArray[Any], NDArray[Any]]:
    """Steps and finite values of a metric."""
    pairs = [(r["step"], r[name]) for r in records if r.get("kind") == kind and r.get(name) is not None and "step" in r]
    pairs = [(step, value) for step, value in pairs if np.isfinite(value)]
    return np.array([step for step, _ in pairs]), np.array([value for _, value in pairs], dtype=float)


def _smooth(y: NDArray[Any]) -> NDArray[Any]:
    """Centred running mean over about a twentieth of the points; the window shrinks at both ends."""
    half = len(y) // 40
    total = np.concatenate([[0.0], np.cumsum(y)])
    start = np.maximum(np.arange(len(y)) - half, 0)
    stop = np.minimum(np.arange(len(y)) + half + 1, len(y))
    return np.asarray((total[stop] - total[start]) / (stop - start))


def _noisy(axes: Axes, x: NDArray[Any], y: NDArray[Any], label: str, mean_label: str, colour: str) -> None:
    if len(x) < 40:  # nothing to smooth
        axes.plot(x, y, color=colour, linewidth=2, label="training")
        return
    axes.plot(x, y, color=colour, linewidth=0.8, alpha=0.35, label=label)
    axes.plot(x, _smooth(y), color=colour, linewidth=2, label=mean_label)


def _maybe_log(axes: Axes) -> None:
    """A logarithmic axis where the values are positive and cover more than a factor of 20."""
    values = np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in axes.lines])
    if values.min() > 0 and values.max() > 20 * values.min():
        axes.set_yscale("log")
        axes.set_ylabel(f"{axes.get_ylabel()} (log scale)")


def _empty(axes: Axes) -> None:
    axes.text(0.5, 0.5, "not logged", ha="center", va="center", color=GREY, fontsize=10, transform=axes.transAxes)
