"""The report of a run: plots/*.png and report.html, from what is in the run folder and what its model shows."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from jepa.errors import JEPAError, RunError
from jepa.files.atomic import write_text
from jepa.files.mark import read_object
from jepa.runs.checkpoint import list_checkpoints, numbered
from jepa.runs.owned import check_replaceable, sweep_run
from jepa.visualisation import page
from jepa.visualisation.attention import plot_attention, plot_attention_blocks
from jepa.visualisation.captions import CAPTIONS
from jepa.visualisation.curves import plot_curriculum, plot_health, plot_loss, plot_schedules
from jepa.visualisation.embedding import plot_embedding
from jepa.visualisation.masks import plot_masks
from jepa.visualisation.reconstruction import plot_reconstruction
from jepa.visualisation.records import read_metrics
from jepa.visualisation.regions import plot_regions
from jepa.visualisation.similarity import plot_similarity
from jepa.visualisation.style import save
from jepa.visualisation.summary import summary
from jepa.visualisation.table import PROBES, ROWS, plot_probes
from jepa.visualisation.tokens import plot_features, plot_levels, plot_neighbours, plot_predictions

ODD = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)
"""What goes wrong with the content of a file that has another shape than ours."""
_ANEW = "move it elsewhere, and `python -m jepa eval {}` writes it anew."
EXAMPLES = 64
"""Held-out images that the pictures of the model are made from."""


def draw(
    run_dir: str | Path,
    *,
    examples: Mapping[str, Any] | None = None,
    device: str = "auto",
    projection: str = "pca",
    settings: Sequence[str] = (),
) -> Path:
    """Draw every picture of a run into ``plots/`` and write ``report.html``; what is missing is named in the report.

    Parameters
    ----------
    run_dir : path
        A run folder. Whatever is there of ``metrics.jsonl``, ``evaluation*.json``, ``config.yaml`` and ``env.json`` is
        used.
    examples : mapping, optional
        What the model makes of n held-out images; loaded from the last checkpoint if missing, with
        `jepa.evaluation.examples.examples`. Its keys:

        - ``images`` float (n, C, H, W) in [0, 1]: the images that the regions were drawn in (after flips);
        - ``regions``: list of n `jepa.masks.Regions`, in pixels of ``images``;
        - ``context`` float (n, C, S, S) and ``target`` float (n, T, C, S_t, S_t), in [0, 1], that is with the
          normalisation undone;
        - ``geometry`` float (n, T, 4);
        - ``prediction`` and ``target_embedding`` float (n, T, D), in the space of the loss;
        - ``decoded_target`` and ``decoded_prediction`` float (n, T, C, S_t, S_t) in [0, 1], or None: no decoder;
        - ``embeddings`` float (m, D) of m held-out images, ``labels`` int (m,) or None, ``classes`` list of str.

        A missing key leaves out the pictures that need it.
    device : str
        Where the model runs: ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.
    settings : list of str
        Settings other than the run's for what the model shows, such as ``data.root=FOLDER``.
    projection : str
        Of the embeddings in the plane: ``pca``, ``tsne`` or ``umap`` (`jepa.visualisation.projection.project`).

    Returns
    -------
    Path
        The report.

    Raises
    ------
    RunError
        If there is no such folder.
    """
    run_dir = Path(run_dir)
    if not run_dir.is_dir():
        raise RunError(f"there is no run folder {run_dir}: give the folder that training wrote, such as runs/demo")
    report = run_dir / "report.html"
    check_replaceable(report)
    sweep_run(run_dir)
    missing: list[str] = []
    evaluations = _evaluations(run_dir, missing)
    figures = _curves(run_dir, missing) | _model_figures(run_dir, examples, device, missing, projection, settings)
    pictures = {name: _picture(run_dir, name, figure) for name, figure in figures.items()}

    body: list[str] = []
    results: list[str] = []
    for name, evaluation in evaluations.items():
        try:
            verdict = page.bullets(_verdict(run_dir, evaluation), look="verdict") if name == "evaluation" else None
            results += _results(run_dir, name, evaluation)
            body += [verdict] if verdict else []
        except ODD as error:
            missing.append(
                f"Result table: `{name}.json` holds something else than an evaluation ({type(error).__name__}: "
                f"{error}); {_ANEW.format(run_dir)}"
            )
    if missing:
        body += [page.paragraph("Not in this report:"), page.bullets(missing, look="missing")]
    body += results
    if pictures:
        body += [page.heading("Pictures"), *pictures.values()]
    body += _settings(run_dir)
    for text in missing:
        logging.getLogger("jepa").warning(f"not in the report: {text}")
    write_text(report, page.document(f"JEPA run: {run_dir.resolve().name}", body))
    return report


def _curves(run_dir: Path, missing: list[str]) -> dict[str, Figure]:
    path = run_dir / "metrics.jsonl"
    records = read_metrics(path) if path.is_file() else []
    if not records:
        missing.append("Curves: there is no `metrics.jsonl` with figures in it; `python -m jepa train` writes it.")
        return {}
    try:
        figures = {"loss": plot_loss(records), "health": plot_health(records), "schedules": plot_schedules(records)}
        if any(name.startswith("curriculum/") for record in records for name in record):
            figures["curriculum"] = plot_curriculum(records)
    except ODD as error:
        missing.append(f"Curves: `metrics.jsonl` holds something else than figures ({type(error).__name__}: {error}).")
        return {}
    return figures


def _model_figures(
    run_dir: Path,
    examples: Mapping[str, Any] | None,
    device: str,
    missing: list[str],
    projection: str,
    settings: Sequence[str],
) -> dict[str, Figure]:
    if examples is None:
        try:
            from jepa.evaluation.examples import examples as shown_by
            from jepa.runs.run import load_run

            examples = shown_by(load_run(run_dir, device=device, settings=settings), EXAMPLES)
        except JEPAError as error:
            mended = f"(When that is mended, `python -m jepa plot {run_dir}` draws them.)"
            missing.append(f"Pictures of what the model does: {str(error).rstrip('.')}. {mended}")
            return {}
    found = {name for name, value in examples.items() if value is not None}
    figures = {}
    if {"images", "regions"} <= found:
        crops = {name: examples[name][:4] for name in ("context", "target", "geometry") if name in found}
        figures["regions"] = plot_regions(examples["images"][:4], examples["regions"][:4], **crops)
    if {"prediction", "target_embedding"} <= found:
        figures["similarity"] = plot_similarity(examples["prediction"][:, 0], examples["target_embedding"][:, 0])
    if {"target", "decoded_target", "decoded_prediction"} <= found:
        shown = (examples[name][:8, 0] for name in ("target", "decoded_target", "decoded_prediction"))
        figures["reconstruction"] = plot_reconstruction(*shown)
    if "grid" in found:
        figures |= _token_figures(examples)
    if "embeddings" in found:
        figures["embedding"] = plot_embedding(
            examples["embeddings"], examples.get("labels"), examples.get("classes"), method=projection
        )
    return figures


def _token_figures(e: Mapping[str, Any]) -> dict[str, Figure]:
    """Draw what a masked model shows (`jepa.evaluation.token_examples.token_examples`)."""
    first, grid = 4, e["grid"]
    few = {name: value[:first] for name, value in e.items() if isinstance(value, np.ndarray)}
    images, hidden = few["images"], few["hidden"]
    figures = {
        "masks": plot_masks(images, e["masks"], grid, show_coverage=True),
        "predictions": plot_predictions(
            images, few["seen"], hidden, few["patches_true"], few["patches_predicted"], grid
        ),
    }
    if e.get("levels"):
        figures["levels"] = plot_levels(images, e["levels"])
    if "attention" in few:  # a convolutional encoder has none
        maps, rollout, first_is_class = few["attention"], few["rollout"], e["class_token"]
        figures["attention"] = plot_attention(images, maps[:, -1], rollout, grid, class_token=first_is_class)
        figures["blocks"] = plot_attention_blocks(images[0], maps[0], grid, class_token=first_is_class)
    return figures | {
        "features": plot_features(e["images"][:16], e["tokens"][:16], grid),
        "neighbours": plot_neighbours(images, hidden, few["neighbours"], few["neighbour_cosines"], grid),
    }


def _picture(run_dir: Path, name: str, figure: Figure) -> str:
    """Save a figure in ``plots/`` and embed it with its caption."""
    place = run_dir / "plots" / f"{name}.png"
    check_replaceable(place)
    path = save(figure, place)
    title, caption = CAPTIONS[name.partition("-")[0]]
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


def _results(run_dir: Path, name: str, evaluation: Mapping[str, Any]) -> list[str]:
    """Heading, tables and bars of one evaluation; another data set than the run's own has its verdict here."""
    if name == "evaluation":
        pieces = [page.heading("Results")]
    else:
        pieces = [
            page.heading(f"Results on {evaluation.get('data', name)}"),
            page.bullets(_verdict(run_dir, evaluation), look="verdict"),
        ]
    probes = [probe for probe in PROBES if evaluation.get(probe)]
    if probes:
        names = [row for row in ROWS if any(row in evaluation[probe] for probe in probes)]
        rows = [[ROWS[row], *(_percent(evaluation[probe].get(row)) for probe in probes)] for row in names]
        pieces.append(page.table(["", *(PROBES[probe] for probe in probes)], rows, ours=names.index("jepa")))
        text = (
            f"Share of {evaluation['images']:,} held-out images classified rightly by a linear probe (logistic "
            f"regression on standardised features) and by the {evaluation.get('k', 20)} nearest neighbours (cosine), "
            f"both learned from the frozen features of {evaluation.get('train_images', 0):,} training images, the same "
            "for every row."
        )
        pieces.append(page.paragraph(text))
        pieces.append(_picture(run_dir, name.replace("evaluation", "probes"), plot_probes(evaluation)))
    facts = {
        "feature_std": "feature standard deviation (1 = spread evenly, 0 = collapsed)",
        "effective_rank": "effective rank (directions in use)",
        "feature_dim": "size of the features",
        "correlation_dimension": "correlation dimension (of the cloud that they fill)",
        "uniformity": "uniformity (lower = more evenly spread)",
        "seconds": "seconds that the evaluation took",
    }
    untrained = evaluation.get("untrained") or {}
    rows = [
        [text, *(f"{e[key]:.4g}" if isinstance(e.get(key), int | float) else "" for e in (evaluation, untrained))]
        for key, text in facts.items()
        if isinstance(evaluation.get(key), int | float)
    ]
    if rows:
        pieces.append(page.table(["health of the held-out features", "trained", "untrained"], rows))
    return pieces


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
        if isinstance(entry, Mapping):
            rows += _flattened(entry, f"{prefix}{key}.")
        else:
            rows.append([f"{prefix}{key}", ", ".join(map(str, entry)) if isinstance(entry, list) else str(entry)])
    return rows


def _percent(fraction: float | None) -> str:
    return "" if fraction is None else f"{100 * fraction:.1f} %"
