"""Runs side by side on one page: what they reach, their curves, and the settings in which they differ."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.figure import Figure

from jepa.config.layers import flat
from jepa.config.reading import read
from jepa.errors import RunError
from jepa.evaluation.probes import PROBES
from jepa.files.atomic import write_text
from jepa.files.mark import read_object
from jepa.pictures import page
from jepa.pictures.curves import Records, read_metrics, series
from jepa.pictures.results import percent, standard_error
from jepa.pictures.style import PALETTE, describe, legend, named, new_figure, png
from jepa.runs.folder import read_config
from jepa.runs.owned import check_replaceable
from jepa.text import listed, shown

CURVES = (
    ("loss", "step", "Training loss", "loss"),
    ("validation_loss", "epoch", "Loss of the predictions, held out", "loss"),
    ("probe/linear", "epoch", "Linear probe in training", "correct (share)"),
    ("probe/knn", "epoch", "kNN in training", "correct (share)"),
    ("effective_rank", "step", "Effective rank", "directions (near 1 = collapsed)"),
    ("lr", "step", "Learning rate", "learning rate"),
)
"""what is drawn: the metric, the lines of the log that have it, title and unit"""
STYLES = ("-", "--", "-.", ":")


class Compared(NamedTuple):
    """What is read of a run."""

    name: str
    settings: dict[str, str]
    """those that count, by their full key"""
    metrics: Records
    evaluation: Mapping[str, Any]
    """of ``evaluation.json``; empty where there is none"""


def compare(runs: Sequence[str | Path], out: str | Path | None = None) -> Path:
    """Write one page about several runs, and return its path.

    It has the accuracy of each probe, with what is clear between the best and the others; the curves of the log, each
    in one panel for all runs; and a table of the settings in which they differ. Nothing is computed anew: figures are
    those of ``evaluation.json``, lines those of ``metrics.jsonl``.

    out: the file (compare.html in the working directory). Raises RunError for fewer than two runs, a folder that is no
    run's, and a compare.html that is somebody else's.
    """
    if len(runs) < 2:
        raise RunError(f"compare needs two runs or more, got {len(runs)}: name the folders that training wrote")
    path = Path("compare.html" if out is None else out)
    if out is None:
        check_replaceable(path)
    found = [_read(Path(run), name) for run, name in zip(runs, _names(runs), strict=True)]
    body = [page.heading("Results"), *_results(found), page.heading("Curves")]
    body += [page.picture("The course of training", png(curves(found)), CAPTION), page.heading("Settings")]
    body += _settings(found)
    write_text(path, page.document(f"{len(found)} JEPA runs compared", body))
    return path


CAPTION = "One line for each run. A training loss compares runs of one objective, task and set of examples alone."


def _names(runs: Sequence[str | Path]) -> list[str]:
    """Return as much of the end of each path as tells the runs apart."""
    paths = [Path(run).resolve() for run in runs]
    if twice := {str(path) for path in paths if paths.count(path) > 1}:
        raise RunError(f"{listed(sorted(twice))} is named twice: name each run once")
    for length in range(1, max(len(path.parts) for path in paths) + 1):
        names = ["/".join(path.parts[-length:]) for path in paths]
        if len(set(names)) == len(names):
            break
    return names


def _read(run: Path, name: str) -> Compared:
    read_config(run)  # raises RunError for what is no run
    settings = {key: _value(given) for key, given in flat(read(run / "config.yaml")).items()}
    metrics, evaluation = run / "metrics.jsonl", run / "evaluation.json"
    try:
        figures = read_object(evaluation) if evaluation.is_file() else {}
    except (OSError, ValueError) as error:
        raise RunError(f"{shown(evaluation)} is damaged: `python -m jepa eval {run}` writes it anew") from error
    return Compared(name, settings, read_metrics(metrics) if metrics.is_file() else [], figures)


def _value(given: Any) -> str:
    """Return a setting as it is written."""
    if isinstance(given, list):
        return f"[{', '.join(map(_value, given))}]"
    return "null" if given is None else str(given)


def _results(runs: Sequence[Compared]) -> list[str]:
    """Return the table of the probes, and a sentence for each of them."""
    probes = [probe for probe in PROBES if any(run.evaluation.get(probe) for run in runs)]
    without = [run.name for run in runs if not run.evaluation]
    note = f"Not evaluated yet: {listed(without)} (`python -m jepa eval RUN`)."
    pieces = [page.paragraph(note)] if without else []
    if not probes:
        return pieces
    heads = ["run", *(PROBES[p].title + side for p in probes for side in ("", ", untrained")), "step", "examples"]
    rows = []
    for run in runs:
        e = run.evaluation
        cells = [(e.get(probe) or {}).get(row) for probe in probes for row in ("jepa", "random")]
        rows.append([run.name, *map(percent, cells), str(e.get("step", "")), f"{e['images']:,}" if e else ""])
    said = [text for probe in probes for text in _verdict(probe, [r for r in runs if r.evaluation.get(probe)])]
    data = {str(run.evaluation["data"]) for run in runs if run.evaluation.get("data")}
    said += [f"They were evaluated on other examples each, {listed(sorted(data))}."] if len(data) > 1 else []
    pieces += [page.bullets(said, look="verdict")] if said else []
    return [*pieces, page.table(heads, rows)]


def _verdict(probe: str, runs: Sequence[Compared]) -> list[str]:
    """Say which run is the best, and which others are below it by more than chance may do."""
    if len(runs) < 2:
        return []
    best = max(runs, key=lambda run: run.evaluation[probe]["jepa"])
    above, near = list[str](), list[str]()
    for run in runs:
        if run is not best:
            pair = [(r.evaluation[probe]["jepa"], r.evaluation["images"]) for r in (best, run)]
            gap, error = pair[0][0] - pair[1][0], 2 * math.hypot(*(standard_error(*one) for one in pair))
            (above if gap > error else near).append(f"{run.name} ({100 * gap:.1f} ± {100 * error:.1f} points)")
    said = f"{PROBES[probe].title}: {best.name} is right on {percent(best.evaluation[probe]['jepa'])}"
    said += f", clearly more than {listed(above)}" if above else ""
    return [said + (f"; no clear difference from {listed(near)}." if near else ".")]


def curves(runs: Sequence[Compared]) -> Figure:
    """Draw each metric that some run logged, a line for each run."""
    drawn = [c for c in CURVES if any(len(series(run.metrics, c[0], c[1])[0]) for run in runs)]
    figure = new_figure(2.9 * math.ceil(max(len(drawn), 1) / 2))
    panels = figure.subplots(math.ceil(max(len(drawn), 1) / 2), 2, squeeze=False).ravel()
    for axes, (metric, kind, title, unit) in zip(panels, drawn, strict=False):
        for k, run in enumerate(runs):
            x, y = series(run.metrics, metric, kind)
            look = {"color": PALETTE[k % len(PALETTE)], "linestyle": STYLES[k // len(PALETTE) % len(STYLES)]}
            axes.plot(x, y, linewidth=1.5, label=named(run.name), **look)
        describe(axes, title, x="training step", y=unit)
    for axes in panels[len(drawn) :]:
        axes.axis("off")
    legend(panels[0])
    return figure


def _settings(runs: Sequence[Compared]) -> list[str]:
    """Return the table of the settings that are not the same in all runs."""
    keys = list(dict.fromkeys(key for run in runs for key in run.settings))
    differing = [key for key in keys if len({run.settings.get(key) for run in runs}) > 1]
    if not differing:
        return [page.paragraph(f"All {len(keys)} settings are the same.")]
    rows = [[key, *(run.settings.get(key, "") for run in runs)] for key in differing]
    same = f"The other {len(keys) - len(differing)} settings are the same. An empty cell: that run has no such setting."
    return [page.table(["setting", *(run.name for run in runs)], rows, numbers=False), page.paragraph(same)]
