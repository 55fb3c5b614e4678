"""One call each of the Python API, and what it says in words: `demo`, `train`, `eval`, `embed`, `plot`, ..."""

import argparse
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from jepa.commands.parser import Parser, configured, is_setting, place, taken
from jepa.config import Config


def demo(words: Sequence[str]) -> int:
    """Train on the default images, evaluate, draw; replace the demo's own earlier run and nothing else."""
    parser = Parser("demo", "Make the default images, train, evaluate, draw: runs/demo/report.html.").with_settings()
    parser.add_argument("--quick", action="store_true", help="a small model for a few epochs: under a minute")
    parser.add_argument(
        "--out", type=place, metavar="DIR", help="folder of the run (default: runs/demo, or runs/quick)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a run that is not the demo's own")
    args = parser.parse_intermixed_args(words)
    config = configured(args, preset="quick" if args.quick else "demo")
    out = args.out or Path("runs") / config.name

    from jepa.evaluation.evaluate import evaluate_run
    from jepa.pictures.report import draw
    from jepa.training.run import train

    train(config, out=out, overwrite=args.overwrite or _is_demo(out))
    evaluation = evaluate_run(out, device=config.device)
    report = draw(out, device=config.device)
    print(f"\n{table(evaluation)}\n\nreport: {report}")
    print("your own images: python -m jepa train source=FOLDER   (FOLDER/CLASS/*.png, or one flat folder)")
    return 0


def _is_demo(out: Path) -> bool:
    """Whether the run in a folder was made by `jepa demo`: its env.json has the command."""
    try:
        command = json.loads((out / "env.json").read_text("utf-8"))["command"]
        return isinstance(command, list) and command[1:2] == ["demo"]
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _train_parser() -> Parser:
    """Return the parser of `train`."""
    parser = Parser(
        "train", "Train a model on a folder of images or a file of arrays: python -m jepa train source=PATH."
    ).with_settings()
    parser.add_argument("--out", type=place, metavar="DIR", help="folder of the run (default: runs/NAME)")
    parser.add_argument(
        "--resume",
        nargs="?",
        const="",
        metavar="RUN",
        help="go on with the run in this folder (default: --out), to the same bits; or from a checkpoint file of it",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the run that is in the folder")
    parser.add_argument(
        "--from",
        dest="init",
        type=place,
        metavar="RUN|FILE",
        help="start from the weights of another run, where they fit, or from published ones, with their encoder",
    )
    parser.add_argument(
        "--accept-changes",
        action="store_true",
        help="with --resume: go on even if examples were added or removed, with the schedule that the run had",
    )
    return parser


def train(words: Sequence[str]) -> int:
    """Train a model, or go on with one."""
    parser = _train_parser()
    args = parser.parse_intermixed_args(words)
    if args.resume and is_setting(args.resume):  # `--resume key=value`: a setting, not the folder
        args.settings.insert(0, args.resume)
        args.resume = ""
    if args.init is not None:
        if args.resume is not None:
            parser.error("a run that is resumed goes on with its own weights: leave --from or --resume away")
    resume: bool | Path = args.resume is not None
    earlier: Path | None = None
    if resume and (args.resume or args.out is not None):
        from jepa.runs.folder import find_run

        args.out, checkpoint = find_run(place(args.resume) if args.resume else args.out, args.out)
        resume, earlier = checkpoint or True, args.out / "config.yaml"
    config = configured(args, file=earlier) if args.init is None else _started(args)

    from jepa.training.run import train as train_run

    out = args.out or Path("runs") / config.name
    accept = {"accept_changes": True} if args.accept_changes else {}
    result = train_run(config, out=out, resume=resume, overwrite=args.overwrite, **accept)
    run = shlex.quote(str(result.folder))
    print(f"next: python -m jepa eval {run}   and: python -m jepa plot {run}")
    return 0


def _started(args: argparse.Namespace) -> Config:
    """Return the configuration of a training that starts from other weights.

    Published ones bring the settings of their encoder, and the size and normalization of the images, for those that are
    not named.
    """
    from jepa.pretrained.published import is_published, published

    args.settings.append(f"train.init={args.init}")
    if not is_published(args.init):
        return configured(args)
    found, named = published(args.init), {word.partition("=")[0] for word in args.settings}
    if "encoder" not in named:
        args.settings += [word for word in found.words if word.partition("=")[0] not in named]
    known = {f"source.{field.name}" for field in fields(configured(args).source.settings)}
    images = {"size": found.encoder.shape[-1], "mean": list(found.mean), "std": list(found.std)}
    usual = {f"source.{name}": value for name, value in images.items()}
    args.settings += [f"{key}={value}" for key, value in usual.items() if key in known - named]
    return configured(args)


def evaluate(words: Sequence[str]) -> int:
    """Print and write the evaluation of a run."""
    parser = Parser("eval", "Linear probe and kNN of a run's frozen encoder on held-out examples, beside baselines.")
    parser.with_run(optional=True).with_weights()
    parser.add_argument("--data", type=place, metavar="PATH", help="labeled examples other than the run's")
    parser.add_argument("--out", type=place, metavar="FILE", help="with --pretrained: a .json file for the figures")
    args = parser.run_or_weights(words)
    data, args.data = args.data, None
    settings = taken(args, "eval")
    if args.pretrained is not None:
        from jepa.evaluation.weights import evaluate_pretrained

        found = evaluate_pretrained(args.pretrained, data, out=args.out, device=_device(settings), settings=settings)
        print(table(found))
        return 0
    if args.out is not None:
        parser.error("a run's figures are written into its folder: leave --out away")
    from jepa.evaluation.evaluate import evaluate_run

    print(table(evaluate_run(args.run, data=data, device=_device(settings), settings=settings)))
    return 0


def _device(settings: Sequence[str]) -> str:
    """Return the last device that was named: that of the run is where it was trained."""
    named = [word.partition("=")[2] for word in settings if word.startswith("device=")]
    return named[-1] if named else "auto"


def table(evaluation: Mapping[str, Any]) -> str:
    """Return accuracies in percent, a row for the encoder and each baseline, and sentences that say what they mean.

    >>> row = {"jepa": 0.8, "random": 0.5, "pixels": 0.6, "chance": 0.1}
    >>> print(table({"linear": row, "knn": row, "images": 1000}).splitlines()[1])
    trained encoder                 80.0 %        80.0 %
    """
    from jepa.evaluation.methods import METHODS
    from jepa.evaluation.probes import PROBES
    from jepa.pictures.results import summary, titles

    probes = {name: probe.title for name, probe in PROBES.items() if evaluation.get(name)}
    rows = titles(evaluation)
    widths = {name: max(14, len(text) + 2) for name, text in probes.items()}
    lines = [" " * 24 + "".join(f"{text:>{widths[name]}}" for name, text in probes.items())] if probes else []
    for row, text in rows.items():
        found = {
            name: evaluation[name].get(row) for name in probes
        }  # one that cannot be made anew has no untrained twin
        if not any(value is not None for value in found.values()):
            continue
        cells = ("" if v is None else f"{100 * v:>{widths[name] - 2}.1f} %" for name, v in found.items())
        lines.append(f"{text:<24}" + "".join(cells))
    methods = [f"{METHODS[name].title}: {100 * value:.1f} %" for name, value in evaluation.get("methods", {}).items()]
    lines += ["", f"simple methods: {'; '.join(methods)}"] if methods else []
    return "\n".join([*lines, "", *summary(evaluation)])


def embed(words: Sequence[str]) -> int:
    """Write the embeddings of examples."""
    parser = Parser("embed", "Write the embeddings of examples, with their labels and names.").with_run(optional=True)
    parser.with_weights()
    parser.add_argument("--data", type=place, metavar="PATH", help="examples (default: those of the run)")
    parser.add_argument("--out", type=place, required=True, metavar="FILE", help="a .npz or .csv file")
    args = parser.run_or_weights(words)
    data, args.data = args.data, None
    if args.pretrained is not None:
        settings = taken(args, "embed --pretrained")
        from jepa.evaluation.embed import embed_pretrained

        device = _device(settings)
        print(f"embeddings: {embed_pretrained(args.pretrained, data, args.out, device=device, settings=settings)}")
        return 0
    settings = taken(args, "embed")
    from jepa.evaluation.embed import embed as embed_run

    print(f"embeddings: {embed_run(args.run, data, args.out, device=_device(settings), settings=settings)}")
    return 0


def plot(words: Sequence[str]) -> int:
    """Draw the pictures and the report of a run."""
    parser = Parser("plot", "Draw a run's pictures into RUN/plots, and RUN/report.html.").with_run()
    parser.add_argument("--data", type=place, metavar="PATH", help="examples to show (default: those of the run)")
    parser.add_argument(
        "--projection", choices=("pca", "tsne", "umap"), default="pca", help="of the embeddings in the plane"
    )
    args = parser.parse_intermixed_args(words)
    settings = taken(args, "plot")
    from jepa.pictures.report import draw

    report = draw(args.run, device=_device(settings), projection=args.projection, settings=settings)
    print(f"report: {report}")
    return 0


def explore(words: Sequence[str]) -> int:
    """Write the page of a run to look around in."""
    parser = Parser(
        "explore", "Write one page to look around in a run: where patches look, and the map of embeddings."
    ).with_run()
    parser.add_argument("--data", type=place, metavar="PATH", help="examples (default: those that the run held out)")
    parser.add_argument("--out", type=place, metavar="FILE", help="the page (default: RUN/explore.html)")
    parser.add_argument(
        "--projection",
        choices=("pca", "tsne", "umap"),
        help="of the map (default: umap if installed, else pca)",
    )
    args = parser.parse_intermixed_args(words)
    data, args.data = args.data, None
    settings = taken(args, "explore")
    from jepa.explore.page import explore as explore_run

    how = {"out": args.out, "data": data, "projection": args.projection}
    page = explore_run(args.run, device=_device(settings), settings=settings, **how)
    print(f"page: {page} ({page.stat().st_size / 1e6:.1f} MB; any browser opens it)")
    return 0


def compare(words: Sequence[str]) -> int:
    """Write a page about several runs."""
    parser = Parser(
        "compare", "Write one page about several runs: what they reach, their curves, the settings that differ."
    )
    parser.add_argument("runs", type=place, nargs="+", metavar="run", help="folders of runs, two or more")
    parser.add_argument("--out", type=place, metavar="FILE", help="the page (default: compare.html)")
    args = parser.parse_intermixed_args(words)
    from jepa.pictures.compare import compare as compare_runs

    print(f"page: {compare_runs(args.runs, args.out)}")
    return 0
