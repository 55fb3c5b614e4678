"""What the figures of planning say: rows of tables, and sentences."""

from collections.abc import Mapping
from typing import Any

from jepa.planning.plan import ROWS

Found = Mapping[str, Any]
"""what is in ``planning.json``"""


def heads() -> list[str]:
    """Return the heads of the table of `rows`."""
    return ["", "there at the last step", "there at any step", "steps to the goal", "left at the end"]


def rows(found: Found, walls: str) -> list[list[str]]:
    """Return a row for the planner, the ceiling and each floor: success in percent with its interval, steps, distance.

    walls: "random" or "held_out", a key of `jepa.planning.plan.WALLS`.
    """
    return [
        [ROWS[row], share(f, "at_end"), share(f, "ever"), steps(f), f"{f['distance']:.1f} {found['unit']}"]
        for row, f in found["walls"][walls].items()
    ]


def share(figures: Mapping[str, Any], name: str) -> str:
    """Return a share in percent with its interval.

    >>> share({"ever": 0.97, "ever_interval": [0.915, 0.99]}, "ever")
    '97 % (92 to 99)'
    """
    low, high = (round(100 * p) for p in figures[f"{name}_interval"])
    return f"{100 * figures[name]:.0f} % ({low} to {high})"


def steps(figures: Mapping[str, Any]) -> str:
    """Return the median of the steps to the goal, where it was ever reached."""
    return "" if figures["steps"] is None else f"{figures['steps']:.0f}"


def sentences(found: Found) -> list[str]:
    """Say what the tasks were, what planning took, and what fewer candidates reach."""
    time, plan = found["time"], found["plan"]
    lines = [
        f"{plan['tasks']} tasks of {plan['steps']} steps, in parentheses 95 % intervals; a goal is reached within "
        f"{found['radius']:.3g} {found['unit']}. Steps: the median of the tasks in which it was ever reached.",
        f"Planning takes {time['seconds']:.2f} s for a task, all of them at once, with {time['threads']} threads on "
        f"{time['device']}: {time['plans']} plans of {time['sequences']} imagined sequences of up to "
        f"{plan['horizon']} steps.",
    ]
    if found["budget"]:
        less = [f"{b['sequences']}: {100 * b['at_end']:.0f} % in {b['seconds']:.2f} s" for b in found["budget"]]
        lines.append(f"There at the last step with other numbers of imagined sequences: {'; '.join(less)}.")
    return lines
