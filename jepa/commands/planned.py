"""`plan`: how well a model that was told actions is acted by."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from jepa.commands.parser import Parser, taken, whole


def plan(words: Sequence[str]) -> int:
    """Print and write how often plans with a run's model reach their goals."""
    parser = Parser("plan", "Act by what a run's model imagines, in the world that it has learned of, beside floors.")
    parser.with_run()
    parser.add_argument("--tasks", type=whole(1, 100_000), metavar="N", help="the same as plan.tasks=N")
    parser.add_argument("--seed", type=whole(0, 2**64 - 1), metavar="N", help="the same as seed=N: other tasks")
    args = parser.parse_intermixed_args(words)
    named = {"plan.tasks": args.tasks, "seed": args.seed}
    args.settings += [f"{key}={value}" for key, value in named.items() if value is not None]
    settings = taken(args, "plan", also=("planner", "plan"))
    from jepa.planning.plan import plan_run

    found = plan_run(args.run, device=args.device or "auto", settings=settings)
    print(f"{table(found)}\n\nnext: python -m jepa plot {shlex.quote(str(args.run))}")
    return 0


def table(found: Mapping[str, Any]) -> str:
    """Return success in percent, of the planner, the ceiling and the floors, and sentences on time and budget."""
    from jepa.planning.plan import WALLS
    from jepa.planning.said import heads, rows, sentences

    lines = []
    for name, title in WALLS.items():
        lines += [title, f"  {heads()[0]:<36}" + "".join(f"{head:>26}" for head in heads()[1:])]
        lines += [f"  {row:<36}" + "".join(f"{cell:>26}" for cell in cells) for row, *cells in rows(found, name)]
        lines.append("")
    return "\n".join([*lines, *sentences(found)])
