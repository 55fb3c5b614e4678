"""`python -m benchmarks page`: benchmarks/README.md and the front page's table, out of benchmarks/results/*.json.

The text between the figures is page.template.md; `{{name words}}` there is the method of Page of that name, given the
words. Nothing is measured here.
"""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.results import rows, spread

HERE = Path(__file__).parent
TEMPLATE = HERE / "page.template.md"
FRONT = HERE.parent / "README.md"
TITLES = {"cifar10": "CIFAR-10"}
RESULTS_HEAD = (
    "| data | probe | JEPA | random encoder | raw pixels | chance | JEPA over the better baseline, points |\n"
    "|---|---|---|---|---|---|---|"
)
FRONT_HEAD = "| data | JEPA | random encoder | raw pixels | chance |\n|---|---|---|---|---|"
FRONT_ROWS = ("shapes", "digits-clutter", "digits", "cifar10")
NUMBERS = ("no", "one", "two", "three", "four", "five")


class Page:
    """What a template may ask for; each method returns Markdown."""

    def __init__(self, folder: Path = HERE / "results") -> None:
        self.folder = folder

    def read(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / f"{name}.json").read_text("utf-8"))
        return found

    def filled(self, template: str) -> str:
        """Return a template with its figures put in."""

        def figure(match: re.Match[str]) -> str:
            name, *words = match[1].split()
            method: Callable[..., str] = getattr(self, name)
            return method(*words)

        return re.sub(r"\{\{(.*?)\}\}", figure, template)

    # -- what training reaches ---------------------------------------------------------------------------------------

    def results(self, *names: str) -> str:
        """Return the table of some experiments, a line for each probe."""
        lines = []
        for name in names:
            seeds = self.read(name)["seeds"]
            lines += rows(TITLES.get(name, name), seeds)
            if all("fresh" in seed for seed in seeds):
                lines += rows(f"{name}, fresh images", [seed["fresh"] for seed in seeds])
        return "\n".join([RESULTS_HEAD, *lines])

    def front(self) -> str:
        """Return the table of the front page: the linear probe beside its baselines."""
        lines = []
        for name in FRONT_ROWS:
            found = [seed["linear"] for seed in self.read(name)["seeds"]]
            cells = [spread([one[who] for one in found]) for who in ("jepa", "random", "pixels", "chance")]
            lines.append(f"| {TITLES.get(name, name)} | {' | '.join(cells)} |")
        return "\n".join([FRONT_HEAD, *lines])

    def probes(self, name: str) -> str:
        """Return what the first seed of an experiment reached, by each probe."""
        seed = self.read(name)["seeds"][0]
        linear, knn, attentive = (f"{100 * seed[probe]['jepa']:.1f}" for probe in ("linear", "knn", "attentive"))
        return f"{linear} linear, {knn} kNN, {attentive} attentive"

    def seeds(self, *names: str) -> str:
        """Return how many seeds some experiments have: "two seeds, of `energy-shapes` three"."""
        counts = {name: len(self.read(name)["seeds"]) for name in names}
        usual = statistics.mode(counts.values())
        others = [f", of `{name}` {NUMBERS[n]}" for name, n in counts.items() if n != usual]
        return f"{NUMBERS[usual]} seeds{''.join(others)}"

    def minutes(self, *names: str) -> str:
        """Return how long training took, from the shortest to the longest run."""
        seconds = [seed["training_seconds"] for name in names for seed in self.read(name)["seeds"]]
        low, high = (f"{s / 60:.1f}" for s in (min(seconds), max(seconds)))
        return f"{low} to {high} minutes" if low != high else f"{low} minutes"

    # -- what it costs -----------------------------------------------------------------------------------------------

    def machine(self, name: str) -> str:
        """Return what the figures of a file were measured with."""
        found = self.read(name)
        return (
            f"PyTorch {found['torch'].partition('+')[0]}, NumPy {found['numpy']} with {found['blas']}, "
            f"Python {found['python']}, {found['cores']} cores"
        )

    def steps(self) -> str:
        """Return the table of whole training steps."""
        one, two = self.read("steps-1-thread")["rows"], self.read("steps-2-threads")["rows"]
        head = "| step | ours, ms | 1 thread | to tuned | 2 threads | to tuned |\n|---|---|---|---|---|---|"
        lines = []
        for name in one:
            cells = [f"{ratio:.2f}" for rows in (one, two) for ratio in _to_torch(rows[name])]
            lines.append(f"| {name} | {_ms(one[name]['ours'][0])} | {' | '.join(cells)} |")
        return "\n".join([head, *lines])

    def kernels(self) -> str:
        """Return the table of single functions, forward and backward."""
        one, two = self.read("kernels-1-thread")["rows"], self.read("kernels-2-threads")["rows"]
        head = (
            "| forward and backward | ours, ms | PyTorch's best, ms | ratio | ratio, 2 threads |\n|---|---|---|---|---|"
        )
        lines = []
        for name in (n for n in one if "µs" not in n):
            theirs = min(one[name][side][0] for side in ("torch", "torch, channels-last") if side in one[name])
            both = f"{one[name]['ratio']:.2f} | {two[name]['ratio']:.2f}"
            lines.append(f"| {name} | {_ms(one[name]['ours'][0])} | {_ms(theirs)} | {both} |")
        return "\n".join([head, *lines])

    def small(self, name: str) -> str:
        """Return the microseconds of a call on 8 numbers: ours, PyTorch's, NumPy's."""
        found = self.read("kernels-1-thread")["rows"][name.replace("_", " ") + ", µs"]
        return ", ".join(f"{10 * found[side][0]:.1f} ({side})" for side in ("ours", "torch", "numpy"))

    def peer(self, name: str) -> str:
        """Return how many times as long another engine takes."""
        return f"{self.read('peers-1-thread')['rows'][name]['times']:.1f}"

    def memory(self, step: str, side: str) -> str:
        """Return the peak memory of a step as a ratio to PyTorch's."""
        found = self.read("memory-1-thread")["rows"][step]
        return f"{found[side.replace('-', ', ')] / found['torch']:.2f}"


def _ms(time: float) -> str:
    """Return milliseconds with three digits, or all before the point."""
    return f"{time:#.3g}".rstrip(".") if time < 1000 else f"{time:,.0f}"


def _to_torch(row: dict[str, Any]) -> Iterator[float]:
    return (row["ours"][0] / row[side][0] for side in ("torch", "torch, tuned"))


def page(folder: Path = HERE / "results") -> str:
    """Return benchmarks/README.md."""
    return Page(folder).filled(TEMPLATE.read_text("utf-8"))


def front(text: str, folder: Path = HERE / "results") -> str:
    """Return the front page with its table put in, in the place of the one that was there."""
    before, found, after = text.partition(FRONT_HEAD)
    if not found:
        raise ValueError(f"README.md has no table that begins with {FRONT_HEAD.splitlines()[0]!r}")
    return before + Page(folder).front() + "\n\n" + after.partition("\n\n")[2]


def write() -> None:
    """Write both."""
    (HERE / "README.md").write_text(page(), encoding="utf-8")
    FRONT.write_text(front(FRONT.read_text("utf-8")), encoding="utf-8")
    print(f"written: {HERE / 'README.md'}, and the table of {FRONT}")
