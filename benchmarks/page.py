"""`python -m benchmarks page`: benchmarks/README.md and the front page's table, out of benchmarks/results/*.json.

The text between the figures is page.template.md; `{{name words}}` there is the method of Page of that name, given the
words. Nothing is measured here.
"""

from __future__ import annotations

import json
import re
import statistics
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.gpu.table import lines
from benchmarks.results import rows, spread
from jepa.evaluation.methods import METHODS
from jepa.evaluation.probes import row_titles

HERE = Path(__file__).parent
TEMPLATE = HERE / "page.template.md"
FRONT = HERE.parent / "README.md"
TITLES = {"cifar10": "CIFAR-10"}
RESULTS_HEAD = (
    "| data | probe | JEPA | random encoder | raw pixels | chance | JEPA over the better baseline, points |\n"
    "|---|---|---|---|---|---|---|"
)
MODALITIES_HEAD = (
    "| data | JEPA, linear probe | same encoder, untrained | best simple method | chance | minutes of one core |\n"
    "|---|---|---|---|---|---|"
)
FRONT_HEAD = "| data | JEPA | random encoder | raw pixels | chance |\n|---|---|---|---|---|"
RAW = ("pixels", "kmeans", "patches")
"""rows of a table that no encoder has a part in"""
FRONT_TIMES = re.compile(r"\d\.\d\d to \d\.\d\d of the time")
MODALITIES = (
    "mnist1d",
    "JapaneseVowels",
    "spoken-digits",
    "reviews",
    "breast-cancer",
    "moving-digits",
    "shapes-captions",
)
FRONT_ROWS = ("shapes", "digits-clutter", "digits", "cifar10")
WIDTH = 120
NUMBERS = ("no", "one", "two", "three", "four", "five")


class Page:
    """What a template may ask for; each method returns Markdown."""

    def __init__(self, folder: Path = HERE / "results") -> None:
        self.folder = folder

    def read(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / f"{name}.json").read_text("utf-8"))
        return found

    def filled(self, template: str) -> str:
        """Return a template with its figures put in; what is missing leaves no gap, and prose is wrapped anew."""
        parts = [self.paragraph(part) for part in template.split("\n\n")]
        return "\n\n".join(part for part in parts if part)

    def paragraph(self, template: str) -> str:
        def figure(match: re.Match[str]) -> str:
            name, *words = match[1].split()
            method: Callable[..., str] = getattr(self, name)
            return method(*words)

        text = re.sub(r"\{\{(.*?)\}\}", figure, template)
        prose = text != template and re.match(r"\w", template)
        return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False) if prose else text

    # -- what training reaches ---------------------------------------------------------------------------------------

    def results(self, *names: str) -> str:
        """Return the table of some experiments, a line for each probe."""
        body = []
        for name in names:
            seeds = self.read(name)["seeds"]
            body += rows(TITLES.get(name, name), seeds)
            if all("fresh" in seed for seed in seeds):
                body += rows(f"{name}, fresh images", [seed["fresh"] for seed in seeds])
        return "\n".join([RESULTS_HEAD, *body])

    def front(self) -> str:
        """Return the table of the front page: the linear probe beside its baselines."""
        body = []
        for name in FRONT_ROWS:
            found = [seed["linear"] for seed in self.read(name)["seeds"]]
            cells = [spread([one[who] for one in found]) for who in ("jepa", "random", "pixels", "chance")]
            body.append(f"| {TITLES.get(name, name)} | {' | '.join(cells)} |")
        return "\n".join([FRONT_HEAD, *body])

    def modalities(self, *names: str) -> str:
        """Return the table of experiments of several modalities, those that there are."""
        body = []
        for name in names:
            if (self.folder / f"{name}.json").exists():
                body.append(_beside(TITLES.get(name, name), self.read(name)["seeds"]))
        return "\n".join([MODALITIES_HEAD, *body]) if body else ""

    def recall(self, name: str) -> str:
        """Return how often what belongs together is found, both ways, by the median of the seeds."""
        found = [seed["retrieval"]["recall"] for seed in self.read(name)["seeds"]]
        body = ["| question | among the first | JEPA | untrained | chance |", "|---|---|---|---|---|"]
        for way in found[0]:
            for count in found[0][way]:
                cells = [spread([one[way][count][row] for one in found]) for row in ("jepa", "random", "chance")]
                body.append(f"| {way} | {count} | {' | '.join(cells)} |")
        return "\n".join(body)

    def probes(self, name: str) -> str:
        """Return what the first seed of an experiment reached, by each probe."""
        seed = self.read(name)["seeds"][0]
        linear, knn, attentive = (f"{100 * seed[probe]['jepa']:.1f}" for probe in ("linear", "knn", "attentive"))
        return f"{linear} linear, {knn} kNN, {attentive} attentive"

    def seeds(self, *names: str) -> str:
        """Return how many seeds some experiments have: "two seeds, of `energy-shapes` three"; kernels do not count."""
        counts = {name: len({run["seed"] for run in self.read(name)["seeds"]}) for name in names}
        usual = statistics.mode(counts.values())
        others = [f", of `{name}` {NUMBERS[n]}" for name, n in counts.items() if n != usual]
        return f"{NUMBERS[usual]} seeds{''.join(others)}"

    def rounding(self, name: str) -> str:
        """Return how far apart the linear probes of a seed are with two kinds of matrix kernels, at most, in points."""
        found: dict[int, list[float]] = {}
        for run in self.read(name)["seeds"]:
            found.setdefault(run["seed"], []).append(100 * run["linear"]["jepa"])
        return f"{max(max(of) - min(of) for of in found.values()):.1f}"

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
            f"{found.get('kernels', 'numpy')} kernels, PyTorch {found['torch'].partition('+')[0]}, "
            f"NumPy {found['numpy']} with {found['blas']}, Python {found['python']}, {found['cores']} cores"
        )

    def steps(self, isa: str = "") -> str:
        """Return the table of whole training steps; of another instruction set, if there is one."""
        found = self.threads("steps", isa)
        head = "| step | ours, ms | 1 thread | to tuned | 2 threads | to tuned |\n|---|---|---|---|---|---|"
        body = []
        for name in found[0]:
            cells = [f"{ratio:.2f}" for rows in found if name in rows for ratio in _to_torch(rows[name])]
            body.append(f"| {name} | {_ms(found[0][name]['ours'][0])} | {' | '.join(cells)} |")
        return self.captioned(isa, [head, *body])

    def ratios(self) -> str:
        """Return from which to which part of PyTorch's time the steps take."""
        found = [next(_to_torch(row)) for rows in self.threads("steps", "") for row in rows.values()]
        return f"{min(found):.2f} to {max(found):.2f} of the time"

    def kernels(self, isa: str = "") -> str:
        """Return the table of single functions, forward and backward; of another instruction set, if there is one."""
        one, two = self.threads("kernels", isa)
        head = (
            "| forward and backward | ours, ms | PyTorch's best, ms | ratio | ratio, 2 threads |\n|---|---|---|---|---|"
        )
        body = []
        for name in (n for n in one if "µs" not in n):
            theirs = min(one[name][side][0] for side in ("torch", "torch, channels-last") if side in one[name])
            both = " | ".join(f"{rows[name]['ratio']:.2f}" if name in rows else "" for rows in (one, two))
            body.append(f"| {name} | {_ms(one[name]['ours'][0])} | {_ms(theirs)} | {both} |")
        return self.captioned(isa, [head, *body])

    def threads(self, what: str, isa: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the rows of a measurement with one thread and with two; none where there is no such file."""
        names = (f"{what}-{threads}{isa and '-'}{isa}" for threads in ("1-thread", "2-threads"))
        one, two = (self.read(n)["rows"] if (self.folder / f"{n}.json").exists() else {} for n in names)
        return one, two

    def captioned(self, isa: str, table: list[str]) -> str:
        if not isa:
            return "\n".join(table)
        return "\n".join([f"With both sides held to {isa.upper()} (`--isa {isa}`):", "", *table]) if table[1:] else ""

    def hops(self) -> str:
        """Return how many Python functions a forward of each layer calls."""
        return ", ".join(f"{row['calls']} ({name})" for name, row in self.read("hops-1-thread")["rows"].items())

    def gpu(self) -> str:
        """Return the lines of a run on a GPU, if one is kept."""
        if not (self.folder / "gpu.json").exists():
            return "No run on a GPU is kept here yet."
        said = "\n".join(lines(self.read("gpu"))).rstrip()
        return f"```\n{said}\n```"

    def microseconds(self, name: str, side: str) -> str:
        """Return what a call on 8 numbers takes: ours, torch or numpy."""
        found = self.read("kernels-1-thread")["rows"][name.replace("_", " ") + ", µs"]
        return f"{10 * found[side][0]:.1f}"  # of 100 in milliseconds, one in microseconds

    def peer(self, name: str) -> str:
        """Return how many times as long another engine takes."""
        return f"{self.read('peers-1-thread')['rows'][name]['times']:.1f}"

    def images(self, size: str, side: str) -> str:
        """Return how many images a second are prepared: ours, numpy or torch."""
        return f"{self.read('images-1-thread')['rows'][size]['per_second'][side]:,}"

    def memory(self, step: str, side: str) -> str:
        """Return the peak memory of a step as a ratio to PyTorch's."""
        found = self.read("memory-1-thread")["rows"][step]
        return f"{found[side.replace('-', ', ')] / found['torch']:.2f}"


def _beside(title: str, seeds: list[dict[str, Any]]) -> str:
    """Return the row of an experiment: the linear probe, and the best of what reads the examples without an encoder."""
    found = [seed["linear"] for seed in seeds]
    names, simple = row_titles(seeds[0].get("shape", (3, 32, 32)), seeds[0].get("raw", "")), dict[str, list[float]]()
    for row in RAW:
        for probe, said in (("linear", "linear"), ("knn", "kNN")):
            if all(row in seed[probe] for seed in seeds):
                simple[f"{names[row]}, {said}"] = [seed[probe][row] for seed in seeds]
    for method in seeds[0].get("methods", {}):
        simple[METHODS[method].title] = [seed["methods"][method] for seed in seeds]
    best = max(simple, key=lambda name: statistics.median(simple[name]))
    ours, untrained, chance = (spread([one[who] for one in found]) for who in ("jepa", "random", "chance"))
    minutes = statistics.median(seed["training_cpu_seconds"] for seed in seeds) / 60
    return f"| {title} | {ours} | {untrained} | {spread(simple[best])} ({best}) | {chance} | {minutes:.1f} |"


def _ms(time: float) -> str:
    """Return milliseconds with three digits, or all before the point."""
    return f"{time:#.3g}".rstrip(".") if time < 1000 else f"{time:,.0f}"


def _to_torch(row: dict[str, Any]) -> Iterator[float]:
    return (row["ours"][0] / row[side][0] for side in ("torch", "torch, tuned"))


def page(folder: Path = HERE / "results") -> str:
    """Return benchmarks/README.md."""
    return Page(folder).filled(TEMPLATE.read_text("utf-8"))


def front(text: str, folder: Path = HERE / "results") -> str:
    """Return the front page with its tables and its times put in, in the place of those that were there."""
    found = Page(folder)
    for head, table in ((FRONT_HEAD, found.front()), (MODALITIES_HEAD, found.modalities(*MODALITIES))):
        before, there, after = text.partition(head)
        if not there or not FRONT_TIMES.search(text):
            raise ValueError(f"README.md has no table {head.splitlines()[0]!r}, or no '{FRONT_TIMES.pattern}'")
        text = f"{before}{table}\n\n{after.partition(chr(10) * 2)[2]}"
    return FRONT_TIMES.sub(found.ratios(), text)


def write() -> None:
    """Write both."""
    (HERE / "README.md").write_text(page(), encoding="utf-8")
    FRONT.write_text(front(FRONT.read_text("utf-8")), encoding="utf-8")
    print(f"written: {HERE / 'README.md'}, and the table of {FRONT}")
