"""The section of the report on planning: success beside floors and a ceiling, paths over the map, success by budget."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from jepa.pictures import page
from jepa.pictures.style import BLACK, BLUE, GRAY, GREEN, ORANGE, VERMILION, describe, legend, new_figure, rows
from jepa.planning.plan import ROWS, WALLS
from jepa.planning.said import Found, heads, sentences
from jepa.planning.said import rows as lines

FLOORS = {"straight": ORANGE, "behavior": GRAY, "random": BLACK}
"""floor -> its color"""
PIXELS = "px"  # the unit of places that can be drawn on a map


def section(found: Found, picture: Callable[[str, Figure], str]) -> list[str]:
    """Return the pieces of the page. found: what is in ``planning.json``; picture: saves a figure and embeds it."""
    pieces = [page.heading("Planning"), page.bullets([verdict(found), *sentences(found)], look="verdict")]
    for name, title in WALLS.items():
        pieces.append(page.table([title, *heads()[1:]], lines(found, name), ours=0))
    drawn = {"budget": plot_budget(found)}
    if found["unit"] == PIXELS:
        drawn = {"paths": plot_paths(found), **drawn}
    return [*pieces, *(picture(name, figure) for name, figure in drawn.items())]


def verdict(found: Found) -> str:
    """Say in one sentence how often plans reach their goals, and how often they would without the model."""
    f = found["walls"]["random"]
    floor = max(FLOORS, key=lambda row: f[row]["at_end"])
    return (
        f"Planned with the model, the goal is reached at the last step in {100 * f['planner']['at_end']:.0f} % of the "
        f"tasks; the best floor, {ROWS[floor]}, reaches it in {100 * f[floor]['at_end']:.0f} %, the same planner "
        f"knowing the world in {100 * f['ceiling']['at_end']:.0f} %."
    )


def plot_paths(found: Found) -> Figure:
    """Draw the paths of a few tasks over their maps."""
    paths, count = found["paths"], len(found["paths"]["maps"])
    across = min(count, 3)
    below = -(-count // across)
    figure = new_figure(3.1 * below + 0.6)
    figure.set_layout_engine("constrained", h_pad=0.08)  # inches above the titles of square panels
    panels = rows(figure, below, [""] * across).reshape(-1)
    for n, axes in enumerate(panels):
        if n >= count:
            axes.axis("off")
            continue
        here = np.asarray(paths["maps"][n], float) / 255
        axes.imshow(1 - 0.6 * here, cmap="gray", vmin=0, vmax=1, extent=(0, here.shape[1], here.shape[0], 0))
        for row, color, style in (("ceiling", GREEN, "--"), ("planner", VERMILION, "-")):
            way = np.asarray(paths[row][n])
            x, y = way[:, 0] + 0.5, way[:, 1] + 0.5
            axes.plot(x, y, style, color=color, linewidth=1.6, label=ROWS[row] if n == 0 else None)
        goal = np.asarray(paths["goals"][n]) + 0.5
        axes.plot(x[0], y[0], "o", color=BLUE, markersize=8, label="start" if n == 0 else None)
        axes.plot(goal[0], goal[1], "*", color=BLUE, markersize=12, label="goal" if n == 0 else None)
        axes.add_patch(Circle((goal[0], goal[1]), found["radius"], fill=False, color=BLUE, linewidth=1))
        axes.set_title(f"task {n + 1}", fontsize=9)
    figure.legend(loc="outside lower center", ncols=4, fontsize=9, frameon=False)
    return figure


def plot_budget(found: Found) -> Figure:
    """Draw success over the sequences that are imagined for a plan, beside the floors and the ceiling."""
    walls = found["walls"]["random"]
    points = sorted([*found["budget"], {**found["time"], **walls["planner"]}], key=lambda b: b["sequences"])
    figure = new_figure(3.8)
    axes = figure.subplots()
    x = [b["sequences"] for b in points]
    for name, text, color, style, size in (  # the second lies above the first, which it often hides
        ("ever", "planned, there at any step", BLUE, "s:", 11),
        ("at_end", "planned, there at the last step", VERMILION, "o-", 6),
    ):
        look: Any = {"capsize": size / 2, "linewidth": 2, "markersize": size, "markerfacecolor": "white"}
        axes.errorbar(x, *_bars(points, name), fmt=style, color=color, label=text, **look)
    axes.axhline(100 * walls["ceiling"]["at_end"], linestyle="--", color=GREEN, label="knowing the world, last step")
    for k, (row, color) in enumerate(FLOORS.items()):  # dots of one beside those of another, where they lie together
        axes.axhline(
            100 * walls[row]["at_end"], linestyle=(2 * k, (2, 4)), color=color, label=f"{ROWS[row]}, last step"
        )
    axes.set_xscale("log")
    axes.set_xticks(x, [f"{b['sequences']}\n{b['seconds']:.2g} s" for b in points])
    axes.minorticks_off()
    axes.set_ylim(-2, 103)
    where = "imagined sequences for a plan (log scale), and seconds of planning for a task"
    describe(axes, "Reaching the goal", x=where, y="tasks (%)")
    legend(axes, loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


def _bars(points: list[Mapping[str, Any]], name: str) -> tuple[list[float], list[list[float]]]:
    """Return shares in percent, and how far their intervals reach below and above."""
    y = [100 * b[name] for b in points]
    low, high = ([100 * b[f"{name}_interval"][k] for b in points] for k in (0, 1))
    below = [max(v - edge, 0.0) for v, edge in zip(y, low, strict=True)]
    return y, [below, [max(edge - v, 0.0) for v, edge in zip(y, high, strict=True)]]
