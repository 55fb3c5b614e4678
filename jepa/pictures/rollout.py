"""Pictures of a world model: rollouts by actions alone, how far off places are, and the energy over actions."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from jepa.evaluation.energy import Energy, energies
from jepa.evaluation.rollout import FRAMES, HORIZON, apart, codes, imagined, probe
from jepa.pictures.embedding import plot_similarity
from jepa.pictures.style import (
    BLUE,
    GRAY,
    GREEN,
    ORANGE,
    VERMILION,
    describe,
    drawing,
    legend,
    message,
    new_figure,
    note,
    rows,
)  # fmt: skip
from jepa.runs.run import Run

Floats = NDArray[Any]
DRAWN = 3  # trajectories that are drawn as film strips
PANELS = 7  # frames of each
MAPS = 3  # single cases whose energy is drawn beside the mean of all
CASES = 64  # of which that is the mean
PIXELS = "px"  # the unit of places that can be drawn on frames


def examples(run: Run, count: int) -> dict[str, Any]:
    """Return what the model imagines of `count` held-out trajectories by their actions, and what it says of actions.

    - `clips` (n, c, T, ...); `past`: how many frames are seen;
    - `places`: `unit`, and (n, S, p) of S steps ahead: `true`, `predicted` (read out of predicted codes), `read` (out
      of codes of the true frames), `last` (n, 1, p), where things were seen last; {} where nobody knows true places;
    - `energy`: `jepa.evaluation.energy.Energy`;
    - `prediction`, `target_embedding` (n, d): of the last step.
    """
    run.model.eval()
    held: Any = run.source("val")
    learned: Any = run.source("train")
    past, walks = run.task.settings.past, held.walks(count, run.task.settings.past + HORIZON)
    z = codes(run, run.model, walks.frames)
    ahead = imagined(run.model, z[:, :past], walks.actions)
    places: dict[str, Any] = {}
    if walks.positions is not None:
        told = learned.walks(-(-FRAMES // z.shape[1]), z.shape[1])
        read = probe(codes(run, run.model, told.frames), told.positions, run.device)
        sides = {"true": walks.positions[:, past:], "predicted": read(ahead), "read": read(z[:, past:])}
        places = {**sides, "last": walks.positions[:, past - 1 : past], "unit": walks.unit}
    return {
        "clips": walks.frames,
        "past": past,
        "places": places,
        "energy": energies(run, run.model, CASES),
        "prediction": ahead[:, -1],
        "target_embedding": z[:, -1],
    }


def figures(run: Run, e: Mapping[str, Any]) -> dict[str, Figure]:
    """Draw what `examples` found."""
    drawn = {"energy": plot_energy(e["energy"])}
    if e["places"]:
        drawn["off"] = plot_off(e["places"])
    if len(e["clips"].shape) == 5:
        drawn = {"rollout": plot_strips(drawing(run.source("val")), e), **drawn}
    return drawn | {"similarity": plot_similarity(e["prediction"], e["target_embedding"])}


def plot_strips(draw: Any, e: Mapping[str, Any]) -> Figure:
    """Draw true frames of trajectories, with the true place and the one read out of the predicted code on each."""
    clips, past, places = e["clips"], e["past"], e["places"]
    on = bool(places) and places["unit"] == PIXELS and places["true"].shape[2] % 2 == 0
    steps = np.unique(np.linspace(0, clips.shape[2] - past, PANELS).round().astype(int))
    titles = ["last seen", *(f"{k} ahead" for k in steps[1:]), *(["path"] if on else [])]
    count = min(DRAWN, len(clips))
    width = 9.0
    figure = new_figure(count * (width / len(titles) * clips.shape[3] / clips.shape[4] + 0.25) + 0.6, width=width)
    for n, panels in enumerate(rows(figure, count, titles)):
        for panel, k in zip(panels, steps, strict=False):
            draw.show(panel, clips[n, :, past - 1 + k], BLUE if k == 0 else None)
            if on and k:
                _mark(panel, places["true"][n, k - 1], places["predicted"][n, k - 1])
                off = apart(places["predicted"][n, None, k - 1 : k], places["true"][n, None, k - 1 : k])[0]
                note(panel, f"off {off:.1f} {PIXELS}")
        if on:
            draw.show(panels[-1], clips[n, :, past - 1])
            for name, color, line in (("true", GREEN, "-"), ("predicted", VERMILION, "--")):
                way = np.concatenate([places["last"][n], places[name][n]])
                for x in range(0, way.shape[1], 2):
                    panels[-1].plot(way[:, x] + 0.5, way[:, x + 1] + 0.5, line, color=color, linewidth=1.6)
    if on:
        _key(figure, [("true place", GREEN, "o"), ("read out of the predicted code", VERMILION, "x")])
    return figure


def _mark(axes: Axes, true: Floats, predicted: Floats) -> None:
    """Draw a circle around each true place, and a cross where it is said to be: (p,) each, (x, y) in pixels."""
    look: dict[str, Any] = {"linestyle": "none", "markersize": 8, "markeredgewidth": 1.6, "clip_on": True}
    axes.plot(true[::2] + 0.5, true[1::2] + 0.5, marker="o", markerfacecolor="none", color=GREEN, **look)
    axes.plot(predicted[::2] + 0.5, predicted[1::2] + 0.5, marker="x", color=VERMILION, **look)


def _key(figure: Figure, signs: list[tuple[str, str, str]]) -> None:
    """Write below a figure what its signs mean."""
    axes = figure.axes[0]
    handles = [
        axes.plot([], [], marker=marker, color=color, linestyle="none", markerfacecolor="none", label=text)[0]
        for text, color, marker in signs
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(signs), fontsize=9, frameon=False)


def plot_off(places: Mapping[str, Any]) -> Figure:
    """Draw how far off places are over the steps ahead: of predicted codes, of codes of true frames, of persistence."""
    figure = new_figure(3.8)
    axes, true = figure.subplots(), places["true"]
    steps = np.arange(1, true.shape[1] + 1)
    lines = (
        ("predicted", "predicted codes", VERMILION, "o-"),
        ("read", "codes of the true frames", GREEN, "s--"),
        ("last", "persistence (nothing moves)", ORANGE, "v-"),
    )
    for name, text, color, style in lines:
        axes.plot(steps, apart(places[name], true), style, color=color, markersize=5, label=text)
    high = np.percentile(np.linalg.norm(places["predicted"] - true, axis=2), 90, axis=0)
    axes.plot(steps, high, ":", color=VERMILION, label="predicted codes, nine of ten are below")
    title = f"Places read out of codes, {len(true)} held-out trajectories"
    describe(axes, title, x="steps ahead, by actions alone", y=f"off by ({places['unit']})")
    axes.set_ylim(bottom=0)
    axes.set_xticks(steps[:: max(1, len(steps) // 10)])
    legend(axes)
    return figure


def plot_energy(e: Energy) -> Figure:
    """Draw the energy over actions around the true one, in the middle: the mean of all cases, and single ones."""
    n = len(e.values)
    if not n:
        return message(new_figure(2.0), "there are no held-out steps to look at")
    low = np.nanmin(e.values.reshape(n, -1), axis=1).reshape(-1, *[1] * (e.values.ndim - 1))
    high = np.nanmax(e.values.reshape(n, -1), axis=1).reshape(low.shape)
    scaled = (e.values - low) / np.maximum(high - low, 1e-12)
    counted = np.maximum((~np.isnan(scaled)).sum(axis=0), 1)
    mean = np.where(np.isnan(scaled).all(axis=0), np.nan, np.nansum(scaled, axis=0) / counted)
    shown = [(f"mean of {n} cases", mean), *((f"case {k + 1}", scaled[k]) for k in range(min(MAPS, n)))]
    figure = new_figure(3.0)
    axes = figure.subplots(1, len(shown), squeeze=False)[0]
    draw = _curve if e.values.ndim == 2 else _map
    pictures = [draw(axis, values, e, title) for axis, (title, values) in zip(axes, shown, strict=True)]
    if pictures[0] is not None:
        bar = figure.colorbar(pictures[0], ax=list(axes), shrink=0.75, label="energy, least to most")
        bar.ax.tick_params(labelsize=8)
    _key(figure, [("true action", GREEN, "o"), ("least energy", VERMILION, "x")])
    return figure


def _map(axes: Axes, values: Floats, e: Energy, title: str) -> Any:
    """Draw the energy over both numbers of an action, the first one to the right."""
    edge = float(e.offsets[-1] + (e.offsets[1] - e.offsets[0]) / 2)
    picture = axes.imshow(values.T, origin="lower", extent=(-edge, edge, -edge, edge), cmap="viridis", vmin=0, vmax=1)
    a, b = np.unravel_index(np.nanargmin(values), values.shape)
    axes.plot(0, 0, "o", color=GREEN, markersize=10, markerfacecolor="none", markeredgewidth=2)
    axes.plot(e.offsets[a], e.offsets[b], "x", color=VERMILION, markersize=8, markeredgewidth=2)
    describe(axes, title, x="first number, from the true one", y="second number" if "mean" in title else "")
    axes.set_xlabel(axes.get_xlabel(), fontsize=8)
    axes.grid(False)
    return picture


def _curve(axes: Axes, values: Floats, e: Energy, title: str) -> None:
    """Draw the energy over an action of one number."""
    axes.plot(e.offsets, values, "-", color=BLUE)
    axes.axvline(0, color=GRAY, linewidth=0.8)
    k = int(np.nanargmin(values))
    axes.plot(0, values[len(values) // 2], "o", color=GREEN, markersize=10, markerfacecolor="none", markeredgewidth=2)
    axes.plot(e.offsets[k], values[k], "x", color=VERMILION, markersize=8, markeredgewidth=2)
    describe(axes, title, x="action, from the true one", y="energy" if "mean" in title else "")
