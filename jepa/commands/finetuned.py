"""`finetune` and `predict`: a classifier on an encoder, and what it says of examples."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jepa.commands.parser import Parser, place, taken


def finetune(words: Sequence[str]) -> int:
    """Fine-tune an encoder on shares of the labels, beside the same network from scratch."""
    parser = Parser("finetune", "A classifier on a run's encoder, trained with it on some of the labels.")
    parser.with_run(optional=True).with_weights()
    parser.add_argument("--data", type=place, metavar="PATH", help="labeled examples (default: those of the run)")
    parser.add_argument("--out", type=place, metavar="DIR", help="folder to write (default: RUN-finetuned)")
    parser.add_argument("--overwrite", action="store_true", help="replace the fine-tuning that is in the folder")
    args = parser.run_or_weights(words)
    data, args.data = args.data, None
    settings = taken(args, "finetune", also=("finetune", "augment"))
    from jepa.finetuning.finetune import tuned
    from jepa.finetuning.start import of_run, of_weights
    from jepa.pictures.finetuned import report

    device = args.device or "auto"
    if args.pretrained is None:
        start, name = of_run(args.run, data, device, settings), args.run
    else:
        start, name = of_weights(args.pretrained, data, device, settings), args.pretrained.name
    out = args.out or Path(f"{name}-finetuned" if args.pretrained is None else f"runs/{name}-finetuned")
    found = tuned(start, out, overwrite=args.overwrite)
    print(f"{table(found)}\n\nreport: {report(out, found)}")
    print(f"next: python -m jepa predict {out} --data FOLDER --out predictions.csv")
    return 0


def table(found: Mapping[str, Any]) -> str:
    """Return the accuracies in percent, a row for each beginning, and sentences that compare them."""
    from jepa.pictures.finetuned import rows, sentences

    lines = [f"{title:<28}" + "".join(f"{cell:>18}" for cell in cells) for title, *cells in rows(found)]
    return "\n".join([*lines, "", *sentences(found)])


def predict(words: Sequence[str]) -> int:
    """Write the label of each example, and its probability."""
    parser = Parser("predict", "Write what a fine-tuned classifier says of examples: name,label,probability.")
    parser.add_argument("folder", type=place, help="what `python -m jepa finetune` wrote, or one model's folder in it")
    parser.add_argument("--data", type=place, required=True, metavar="PATH", help="folder or file of examples")
    parser.add_argument("--out", type=place, required=True, metavar="FILE", help="a .csv file")
    args = parser.with_device().parse_args(words)
    from jepa.finetuning.predict import predict as write

    print(f"predictions: {write(args.folder, args.data, args.out, device=args.device or 'auto')}")
    return 0
