"""The page of a fine-tuning: accuracy by labels as a table and a curve, and which classes are taken for which."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from jepa.files.atomic import write_text
from jepa.pictures import page
from jepa.pictures.results import standard_error
from jepa.pictures.style import BLACK, BLUE, GREEN, ORANGE, describe, legend, named, new_figure, save
from jepa.runs.owned import check_replaceable

Found = Mapping[str, Any]
"""what is in ``finetune.json``"""
LOOKS = {"jepa": (BLUE, "o-"), "pretrained": (GREEN, "s-"), "scratch": (ORANGE, "^--")}
"""how each beginning is drawn"""
FEW = 12  # classes, of which the numbers are written into the matrix
CURVE = """Higher is better. Each point is one model: the labeled examples were drawn evenly from the classes, a part of
them chose the epoch, and the held-out examples were scored once. Both curves have the same network, steps and
augmentation; the gap between them is what learning without labels was worth. Bars: twice the sampling error of the
held-out examples; which examples are labeled makes a further difference, the more the fewer they are. Dotted: always
the most frequent class."""
MATRIX = """Each row is one true class: the share of its held-out examples that got each answer. A clean diagonal is
right; a bright spot beside it is a pair of classes that the classifier confuses."""


def report(folder: str | Path, found: Found) -> Path:
    """Draw ``plots/*.png`` of a fine-tuning, write ``report.html``, and return its path."""
    folder = Path(folder)
    last = [r for r in found["results"] if r["start"] != "scratch" and "confusion" in r][-1:]
    drawn = [("Accuracy by labels", "labels", plot_labels(found), CURVE)]
    drawn += [
        (f"Confusion: {said(r)}", "confusion", plot_confusion(r["confusion"], found["classes"]), MATRIX) for r in last
    ]
    head, *lines = rows(found)
    check_replaceable(folder / "report.html")
    body = [
        page.bullets(sentences(found), look="verdict"),
        page.table(head, lines, ours=0),
        page.paragraph(
            f"Share of {found['test']:,} held-out examples that are classified rightly, by the share of the training "
            f"labels. The encoder: {found['origin']}."
        ),
    ]
    for title, name, figure, caption in drawn:
        path = folder / "plots" / f"{name}.png"
        check_replaceable(path)
        body.append(page.picture(title, save(figure, path).read_bytes(), " ".join(caption.split())))
    write_text(folder / "report.html", page.document(f"Fine-tuning: {folder.resolve().name}", body))
    return folder / "report.html"


def rows(found: Found) -> list[list[str]]:
    """Return the table: a heading, a row for each beginning, and chance; a column for each share of the labels."""
    shares = shares_of(found)
    head = ["", *(f"{100 * share:.3g} % ({count:,})" for share, count in shares.items())]
    cells = {(r["start"], r["labels"]): f"{100 * r['accuracy']:.1f} %" for r in found["results"]}
    lines = [[title, *(cells.get((start, share), "") for share in shares)] for start, title in titles(found).items()]
    return [head, *lines, ["chance", *[f"{100 * found['chance']:.1f} %"] * len(shares)]]


def shares_of(found: Found) -> dict[float, int]:
    """Return the shares of the labels, ascending, with how many examples they are."""
    return dict(sorted((r["labels"], r["examples"]) for r in found["results"]))


def titles(found: Found) -> dict[str, str]:
    """Return what each beginning is called."""
    return {r["start"]: r["title"] for r in found["results"]}


def said(result: Mapping[str, Any]) -> str:
    """Say which model a result is of."""
    return f"{result['title']}, {100 * result['labels']:.3g} % of the labels"


def sentences(found: Found) -> list[str]:
    """Say for each share of the labels how far the trained encoder is above the same network from scratch."""
    from_scratch = {r["labels"]: r["accuracy"] for r in found["results"] if r["start"] == "scratch"}
    lines = []
    for result in found["results"]:
        share, accuracy, other = result["labels"], result["accuracy"], from_scratch.get(result["labels"])
        if result["start"] == "scratch" or other is None:
            continue
        errors = [standard_error(p, found["test"]) for p in (accuracy, other)]
        points, doubt = 100 * (accuracy - other), 200 * math.hypot(*errors)
        clear = "" if abs(points) > doubt else f", within the sampling error of ±{doubt:.1f}"
        lines.append(
            f"{100 * share:.3g} % of the labels: right on {100 * accuracy:.1f} % from the {result['title']}, on "
            f"{100 * other:.1f} % from scratch: {points:+.1f} points{clear}."
        )
    return [*lines, *([found["note"]] if "note" in found else [])]


def plot_labels(found: Found) -> Figure:
    """Draw the accuracy of each beginning over the number of labeled examples."""
    figure = new_figure(4.2)
    axes = figure.subplots()
    for start, title in titles(found).items():
        color, style = LOOKS[start]
        points = sorted((r["examples"], r["accuracy"]) for r in found["results"] if r["start"] == start)
        if points:
            x, y = zip(*points, strict=True)
            bars = [200 * standard_error(value, found["test"]) for value in y]
            look: dict[str, Any] = {"color": color, "linewidth": 2, "markersize": 7, "capsize": 3, "elinewidth": 1}
            axes.errorbar(x, [100 * value for value in y], bars, fmt=style, label=title, **look)
    axes.axhline(100 * found["chance"], linestyle=":", color=BLACK, linewidth=1.2, label="chance")
    counts = list(shares_of(found).values())
    axes.set_xscale("log")
    axes.set_xticks(counts, [f"{n:,}\n{100 * share:.3g} %" for share, n in shares_of(found).items()])
    axes.minorticks_off()
    axes.set_xlim(0.8 * counts[0], 1.25 * counts[-1])
    axes.set_ylim(0, 103)
    describe(axes, "Accuracy on held-out examples", x="labeled examples, and their share (log scale)", y="correct (%)")
    legend(axes, loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


def plot_confusion(counts: Sequence[Sequence[int]], classes: Sequence[str]) -> Figure:
    """Draw the share of each true class (row) that got each answer (column)."""
    matrix = np.asarray(counts, float)
    shares = 100 * matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    side = min(max(0.52 * len(classes), 4.5), 9.0)
    figure = new_figure(side, width=side + 1.6)
    axes = figure.subplots()
    picture = axes.imshow(shares, cmap="cividis", vmin=0, vmax=100)
    figure.colorbar(picture, ax=axes, label="share of the true class (%)", shrink=0.8)
    every = max(1, -(-len(classes) // 40))
    shown = range(0, len(classes), every)
    axes.set_xticks(shown, [named(classes[k]) for k in shown], rotation=90 if len(max(classes, key=len)) > 2 else 0)
    axes.set_yticks(shown, [named(classes[k]) for k in shown])
    describe(axes, "Answers by true class", x="answer", y="true class")
    axes.grid(False)
    if len(classes) <= FEW:
        for (row, column), share in np.ndenumerate(shares):
            if share > 0.5:
                ink = BLACK if share > 55 else "white"
                axes.text(column, row, f"{share:.0f}", ha="center", va="center", fontsize=8, color=ink)
    return figure
