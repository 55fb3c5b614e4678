"""The report of a run: plots/*.png and report.html, from what is in the run folder and what its model shows."""

import importlib
import logging
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from jepa.errors import JEPAError, RunError
from jepa.evaluation import measures
from jepa.evaluation.methods import METHODS
from jepa.evaluation.probes import FIGURES, PROBES
from jepa.files.atomic import write_text
from jepa.files.mark import read_object
from jepa.pictures import page, planning
from jepa.pictures.captions import CAPTIONS
from jepa.pictures.curves import curves, read_metrics
from jepa.pictures.embedding import plot_embedding
from jepa.pictures.results import percent, plot_probes, summary, titles
from jepa.pictures.style import save
from jepa.pictures.views import embedded
from jepa.runs.checkpoint import list_checkpoints, numbered
from jepa.runs.owned import check_replaceable, sweep_run

ODD = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)
"""What goes wrong with the content of a file that has another shape than ours."""
_ANEW = "move it elsewhere, and `python -m jepa eval {}` writes it anew."
EXAMPLES = 64
"""Held-out examples that the pictures of the model are made from."""


def draw(
    run_dir: str | Path, *, device: str = "auto", projection: str = "pca", settings: Sequence[str] = (), **given: Any
) -> Path:
    """Draw every picture of a run into ``plots/``, write ``report.html`` and return its path.

    Whatever is there of ``metrics.jsonl``, ``evaluation*.json``, ``config.yaml`` and ``env.json`` is used; what is
    missing is named in the report. What the model does is shown by the task's module of pictures, what an example looks
    like by the source's.

    device: where the model runs: ``auto``, ``cpu``, ``cuda`` or ``cuda:1``. projection: of the embeddings in the plane:
    ``pca``, ``tsne`` or ``umap`` (`jepa.pictures.projection.project`). settings: other than the run's, such as
    ``source.root=FOLDER``. given: model, task or source of one's own, as for `jepa.runs.run.load_run`.

    Raises RunError if there is no such folder.
    """
    run_dir = Path(run_dir)
    if not run_dir.is_dir():
        raise RunError(f"there is no run folder {run_dir}: give the folder that training wrote, such as runs/demo")
    report = run_dir / "report.html"
    check_replaceable(report)
    sweep_run(run_dir)
    missing: list[str] = []
    evaluations = _evaluations(run_dir, missing)
    figures = _curves(run_dir, missing)
    try:
        figures |= _shown(run_dir, projection, {"device": device, "settings": settings, **given}, missing)
    except JEPAError as error:
        mended = f"(When that is mended, `python -m jepa plot {run_dir}` draws them.)"
        missing.append(f"Pictures of what the model does: {str(error).rstrip('.')}. {mended}")
    pictures = [_picture(run_dir, name, figure) for name, figure in figures.items()]

    body: list[str] = []
    results: list[str] = []
    for name, evaluation in evaluations.items():
        try:
            verdict = page.bullets(_verdict(run_dir, evaluation), look="verdict")
            results += _results(run_dir, name, evaluation, verdict)
            body += [verdict] if name == "evaluation" else []
        except ODD as error:
            missing.append(
                f"Result table: `{name}.json` holds something else than an evaluation ({type(error).__name__}: "
                f"{error}); {_ANEW.format(run_dir)}"
            )
    results += _planning(run_dir, missing)
    if missing:
        body += [page.paragraph("Not in this report:"), page.bullets(missing, look="missing")]
    body += [*results, *([page.heading("Pictures"), *pictures] if pictures else []), *_settings(run_dir)]
    for text in missing:
        logging.getLogger("jepa").warning(f"not in the report: {text}")
    write_text(report, page.document(f"JEPA run: {run_dir.resolve().name}", body))
    return report


def _curves(run_dir: Path, missing: list[str]) -> dict[str, Figure]:
    path = run_dir / "metrics.jsonl"
    try:
        if records := read_metrics(path) if path.is_file() else []:
            return curves(records)
        missing.append("Curves: there is no `metrics.jsonl` with figures in it; `python -m jepa train` writes it.")
    except ODD as error:
        missing.append(f"Curves: `metrics.jsonl` holds something else than figures ({type(error).__name__}: {error}).")
    return {}


def _shown(run_dir: Path, projection: str, opened: Mapping[str, Any], missing: list[str]) -> dict[str, Figure]:
    """Return the pictures of what the model does."""
    from jepa.runs.run import load_run

    run = load_run(run_dir, **opened)
    shown = {"embedding": plot_embedding(**embedded(run), method=projection)}
    task = importlib.import_module(run.task.pictures)
    try:
        figures: dict[str, Figure] = task.figures(run, task.examples(run, EXAMPLES))
    except JEPAError as error:  # a question that has no picture for such examples
        missing.append(f"Pictures of the task: {str(error).rstrip('.')}.")
        return shown
    return figures | shown


def _picture(run_dir: Path, name: str, figure: Figure) -> str:
    """Save a figure in ``plots/`` and embed it with its caption."""
    place = run_dir / "plots" / f"{name}.png"
    check_replaceable(place)
    path = save(figure, place)
    title, caption = CAPTIONS.get(name.partition("-")[0], (name.capitalize(), ""))
    return page.picture(title, path.read_bytes(), " ".join(caption.split()))


def _evaluations(run_dir: Path, missing: list[str]) -> dict[str, dict[str, Any]]:
    """Content of each evaluation*.json by its stem, the run's own first."""
    found = {}
    for path in sorted(run_dir.glob("evaluation*.json"), key=lambda path: (path.stem != "evaluation", path.stem)):
        try:
            found[path.stem] = read_object(path)
        except (OSError, ValueError):
            missing.append(f"Result table: `{path.name}` is damaged; {_ANEW.format(run_dir)}")
    if not found and not missing:
        missing.append(f"Result table: the run was not evaluated yet; `python -m jepa eval {run_dir}` does it.")
    return found


def _planning(run_dir: Path, missing: list[str]) -> list[str]:
    """What `python -m jepa plan` has found, if it was asked."""
    path = run_dir / "planning.json"
    if not path.is_file():
        return []
    try:
        return planning.section(read_object(path), lambda name, figure: _picture(run_dir, name, figure))
    except (OSError, *ODD) as error:
        anew = f"move it elsewhere, and `python -m jepa plan {run_dir}` writes it anew."
        missing.append(f"Planning: `planning.json` is damaged ({type(error).__name__}); {anew}")
        return []


def _verdict(run_dir: Path, evaluation: Mapping[str, Any]) -> list[str]:
    """The result in sentences; first of all that it is of other weights, if training has gone on since."""
    step, last = evaluation.get("step"), list_checkpoints(run_dir)[-1:]
    if step is None or not last or last[0].stem == numbered(step):
        return summary(evaluation)
    now = int(last[0].stem.removeprefix("step-"))
    again = f"`python -m jepa eval {shlex.quote(str(run_dir))}` evaluates the run as it is."
    return [
        f"These figures are of step {step}, and the last checkpoint is of step {now}: {again}",
        *summary(evaluation),
    ]


def _results(run_dir: Path, name: str, evaluation: Mapping[str, Any], verdict: str) -> list[str]:
    """Heading, tables and bars of one evaluation; other data than the run's own have their verdict here."""
    own = name == "evaluation"
    pieces = [
        page.heading("Results" if own else f"Results on {evaluation.get('data', name)}"),
        *([verdict] * (not own)),
    ]
    probes = [probe for probe in PROBES if evaluation.get(probe)]
    if probes:
        names = {row: text for row, text in titles(evaluation).items() if any(row in evaluation[p] for p in probes)}
        rows = [[text, *(percent(evaluation[probe].get(row)) for probe in probes)] for row, text in names.items()]
        heads = ["", *(PROBES[probe].title for probe in probes)]
        pieces.append(page.table(heads, rows, ours=list(names).index("jepa")))
        text = (
            f"Share of {evaluation['images']:,} held-out examples classified rightly by a linear probe (logistic "
            f"regression on standardized features) and by the {evaluation.get('k', 20)} nearest neighbors (cosine), "
            f"both learned from the frozen features of {evaluation.get('train_images', 0):,} training examples, the "
            "same for every row."
        )
        pieces.append(page.paragraph(text))
        pieces.append(_picture(run_dir, name.replace("evaluation", "probes"), plot_probes(evaluation)))
    if found := evaluation.get("methods"):
        rows = [[METHODS[name].title, percent(value)] for name, value in found.items()]
        pieces.append(page.table(["simple methods on the same examples", "accuracy"], rows))
    pieces += _layers(evaluation)
    facts = {key: figure.title for key, figure in FIGURES.items()}
    facts |= {"feature_dim": "size of the features", "seconds": "seconds that the evaluation took"}
    columns = evaluation, evaluation.get("untrained") or {}
    rows = [
        [text, *(f"{e[key]:.4g}" if isinstance(e.get(key), int | float) else "" for e in columns)]
        for key, text in facts.items()
        if isinstance(evaluation.get(key), int | float)
    ]
    if rows:
        pieces.append(page.table(["health of the held-out features", "trained", "untrained"], rows))
    for module, told in measures.found(evaluation):
        for found in module.tables(told, titles(evaluation)):
            pieces.append(page.table(found.heads, found.rows, ours=-1 if found.ours is None else found.ours))
            pieces += [page.paragraph(found.note)] if found.note else []
    return pieces


def _layers(evaluation: Mapping[str, Any]) -> list[str]:
    """A table of the encoder and of the projector's layers: which of them is worth keeping."""
    if not (layers := evaluation.get("layers")):
        return []
    probes = [probe for probe in PROBES if probe in layers[0]]
    heads = ["layer", "size", *(PROBES[probe].title for probe in probes), "effective rank"]
    names = ["encoder", *(f"projector, layer {row['layer']}" for row in layers[1:])]
    rows = [
        [name, str(row["dim"]), *(percent(row[probe]) for probe in probes), f"{row['effective_rank']:.1f}"]
        for name, row in zip(names, layers, strict=True)
    ]
    text = (
        "The encoder's features and what each layer of the projector makes of them, on fewer examples and with less "
        "choice than above: a look. The projector is left away when the encoder is used; `evaluation.layer=N` probes "
        "and embeds layer N instead."
    )
    return [page.table(heads, rows, ours=0), page.paragraph(text)]


def _settings(run_dir: Path) -> list[str]:
    """The configuration and the versions."""
    pieces = []
    if (config := run_dir / "config.yaml").is_file():
        pieces += [page.heading("Configuration"), page.code(config.read_text(encoding="utf-8", errors="replace"))]
    if (environment := run_dir / "env.json").is_file():
        try:
            rows = _flattened(read_object(environment))
        except (OSError, ValueError, RecursionError):
            rows = [["env.json", "is damaged"]]
        pieces += [page.heading("Environment"), page.table(["what", "value"], rows, numbers=False)]
    return pieces


def _flattened(value: Mapping[str, Any], prefix: str = "") -> list[list[str]]:
    rows = []
    for key, entry in value.items():
        said = ", ".join(map(str, entry)) if isinstance(entry, list) else str(entry)
        rows += _flattened(entry, f"{prefix}{key}.") if isinstance(entry, Mapping) else [[f"{prefix}{key}", said]]
    return rows
