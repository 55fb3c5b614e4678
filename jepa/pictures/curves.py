"""The lines of a run's metrics, and curves of them: loss, health of the representation, schedules, curriculum."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from jepa.errors import RunError
from jepa.pictures.style import BLUE, GRAY, GREEN, ORANGE, PALETTE, VERMILION, describe, legend, message, new_figure

Records = Sequence[Mapping[str, Any]]
"""lines of ``metrics.jsonl``: "kind" is "step" or "epoch", "step" its number; what else is missing is left out"""
Values = NDArray[Any]

_STEPS = "training step"


def read_metrics(path: str | Path) -> list[dict[str, Any]]:
    """Return the lines of a ``metrics.jsonl``, in the order of their steps.

    A run that was stopped and resumed writes some steps twice: the later line counts. A last line cut short by a kill
    is left out. Raises RunError if another line is not JSON.
    """
    records: dict[tuple[Any, Any], dict[str, Any]] = {}
    lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            if number == len(lines):
                break
            raise RunError(f"line {number} of {path} is not JSON: repair or delete that line") from error
        if not (isinstance(record, dict) and isinstance(record.get("kind"), str) and _is_number(record.get("step"))):
            raise RunError(f"line {number} of {path} is no line of metrics (kind, step): repair or delete that line")
        records[record.get("kind"), record.get("step")] = record
    return sorted(records.values(), key=lambda record: float(record["step"]))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and abs(value) < 1e18  # not NaN either


def curves(records: Records) -> dict[str, Figure]:
    """Return every picture of the lines of a run's metrics."""
    found = {"loss": plot_loss(records), "health": plot_health(records), "schedules": plot_schedules(records)}
    return found | ({"curriculum": plot_curriculum(records)} if _names(records, "curriculum/") else {})


def plot_loss(records: Records) -> Figure:
    """Draw the training loss ("loss") with its running mean and its parts ("loss/PART").

    Beside it, if examples were held out, the loss of the predictions of those ("validation_loss"), and the same for a
    wrong question ("validation_loss_shuffled").
    """
    held_out = len(series(records, "validation_loss", "epoch")[0]) > 0
    figure = new_figure(4.0)
    x, y = series(records, "loss")
    if not len(x):
        return message(figure, "no loss was logged yet")
    panels = figure.subplots(1, 2 if held_out else 1, squeeze=False)[0]
    if len(x) < 40:  # nothing to smooth
        panels[0].plot(x, y, color=BLUE, linewidth=2, label="training")
    else:
        panels[0].plot(x, y, color=BLUE, linewidth=0.8, alpha=0.35, label="each logged step")
        panels[0].plot(x, _smooth(y), color=BLUE, linewidth=2, label="running mean")
    parts = [name for name in _names(records, "loss/") if len(series(records, name)[0])]
    parts = [name for name in parts if name.rpartition("/")[2] != "accuracy"]  # no loss: it has a scale of its own
    if len(parts) >= 2:
        _many(panels[0], records, parts, parts=True)
    describe(panels[0], "Training loss", x=_STEPS, y="loss")
    _maybe_log(panels[0])
    if held_out:
        for name, label, color, style in (
            ("validation_loss", "asked the true question", BLUE, "-"),
            ("validation_loss_shuffled", "asked a wrong one", VERMILION, "--"),
        ):
            x, y = series(records, name, "epoch")
            if len(x):
                panels[1].plot(x, y, style, color=color, marker="o", markersize=4, linewidth=2, label=label)
        describe(panels[1], "Loss of the predictions, held out", x=_STEPS, y="loss")
        low, high = panels[1].get_ylim()
        panels[1].set_ylim(min(0.0, low), 1.1 * high)
    for panel in panels:
        legend(panel)
    return figure


def plot_health(records: Records) -> Figure:
    """Draw "feature_std", "effective_rank", "prediction_cosine" and "grad_norm/NAME" over the steps."""
    figure = new_figure(6.2)
    spread, rank, cosine, norms = figure.subplots(2, 2).ravel()
    _line(spread, records, "feature_std", BLUE, "Feature standard deviation", "× √D (1 = even, 0 = collapsed)")
    _line(rank, records, "effective_rank", GREEN, "Effective rank", "directions (near 1 = collapsed)")
    _line(cosine, records, "prediction_cosine", ORANGE, "Cosine of prediction and target", "cosine (1 = the same)")
    spread.set_ylim(0, 1.05)
    rank.set_ylim(bottom=0)
    if cosine.lines:
        cosine.set_ylim(min(0.0, *cosine.get_ylim()), 1.05)
    names = _names(records, "grad_norm/")
    if names:
        _many(norms, records, names)
        describe(norms, "Gradient norm", x=_STEPS, y="norm before clipping")
        _maybe_log(norms)
        legend(norms)
    else:
        _line(norms, records, "grad_norm", GRAY, "Gradient norm", "norm before clipping")
    return figure


def plot_schedules(records: Records) -> Figure:
    """Draw learning rate, EMA momentum and speed over the steps ("lr", "ema", "examples_per_second")."""
    figure = new_figure(3.2)
    rate, kept, speed = figure.subplots(1, 3)
    _line(rate, records, "lr", BLUE, "Learning rate", "learning rate")
    _line(kept, records, "ema", GREEN, "EMA momentum", "share of the target kept")
    _line(speed, records, "examples_per_second", GRAY, "Speed", "examples / s")
    for panel in (rate, kept, speed):
        panel.ticklabel_format(axis="y", useOffset=False)
    speed.set_ylim(bottom=0)
    return figure


def plot_curriculum(records: Records) -> Figure:
    """Draw the task's moving settings over the steps ("curriculum/NAME")."""
    figure = new_figure(3.4)
    names = _names(records, "curriculum/")
    if not names:
        return message(figure, "this run has no curriculum")
    panel = figure.subplots()
    _many(panel, records, names)
    describe(panel, "Curriculum", x=_STEPS, y="value")
    legend(panel, loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


def _names(records: Records, prefix: str) -> list[str]:
    """Return the keys with this prefix, in the order in which they appear."""
    return list(dict.fromkeys(name for record in records for name in record if name.startswith(prefix)))


def _said(name: str) -> str:
    """Return what a metric is called in a legend: a level of the loss by the patches of its groups."""
    whole, _, part = name.partition("/")[2].partition("/")
    level = whole.removeprefix("level ")
    if level != whole and level.isdigit():
        whole += f": groups {2 ** int(level)} patches wide" if int(level) else ": patches"
    return (f"{whole}, {part}" if part else whole).replace("_", " ")


def series(records: Records, name: str, kind: str = "step") -> tuple[Values, Values]:
    """Return steps and finite values of a metric."""
    pairs = [(r["step"], r[name]) for r in records if r.get("kind") == kind and r.get(name) is not None and "step" in r]
    pairs = [(step, value) for step, value in pairs if np.isfinite(value)]
    return np.array([step for step, _ in pairs]), np.array([value for _, value in pairs], dtype=float)


def _smooth(y: Values) -> Values:
    """Return the running mean in the middle of about a twentieth of the points; the window shrinks at both ends."""
    half, place = len(y) // 40, np.arange(len(y))
    total = np.concatenate([[0.0], np.cumsum(y)])
    start, stop = np.maximum(place - half, 0), np.minimum(place + half + 1, len(y))
    return np.asarray((total[stop] - total[start]) / (stop - start))


def _line(axes: Axes, records: Records, name: str, color: str, title: str, unit: str) -> None:
    """Draw a metric, or say that there is none."""
    x, y = series(records, name)
    if len(x):
        axes.plot(x, y, color=color, linewidth=1.8)
    else:
        axes.text(0.5, 0.5, "not logged", ha="center", va="center", color=GRAY, fontsize=10, transform=axes.transAxes)
    describe(axes, title, x=_STEPS, y=unit)


def _many(axes: Axes, records: Records, names: Sequence[str], *, parts: bool = False) -> None:
    """Draw metrics of a kind, told apart by color and style; parts of a loss smoothed, and unlike the loss itself."""
    colors, styles = PALETTE[parts:] * 4, ("--", "-.", ":") * 12 if parts else ("-", "--", ":", "-.") * 9
    for name, color, style in zip(names, colors, styles, strict=False):
        x, y = series(records, name)
        axes.plot(x, _smooth(y) if parts else y, style, color=color, linewidth=1.6, label=_said(name))


def _maybe_log(axes: Axes) -> None:
    """Take a logarithmic axis where the values are positive and cover more than a factor of 20."""
    values = np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in axes.lines])
    if len(values) and values.min() > 0 and values.max() > 20 * values.min():
        axes.set_yscale("log")
        axes.set_ylabel(f"{axes.get_ylabel()} (log scale)")
