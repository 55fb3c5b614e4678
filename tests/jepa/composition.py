"""Every source, task, encoder, predictor, target and objective with every other, as far as they fit.

    python -m tests.jepa.composition             all combinations, and how many train
    python -m tests.jepa.composition --cover     those of the suite: every pair of kinds

A combination trains, or it is refused when its parts are put together. Whatever happens later is a fault.
"""

from __future__ import annotations

import argparse
import itertools
import re
import sys
import tempfile
import time
import wave
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from jepa.assembly import Assembly, assemble
from jepa.config.config import schema_of
from jepa.errors import ConfigError
from jepa.parts import ROLES, Choice, made
from jepa.tasks.batches import Batches
from jepa.training.optimizer import AdamW

STEPS, COUNT, SIZE = 12, 8, 8
CROSSED = ("source", "task", "encoder", "predictor", "target", "objective")
TURNING = ("projector", "augment")  # of these the combinations have one kind each, in turn
ALL = ("source", "augment", "task", "encoder", "projector", "predictor", "target", "objective")
PLACES = {"dim": 16, "depth": 1, "heads": 2}
PAIR = {"first": "cnn widths=[8,16]", "second": "mlp width=32 depth=1"}
TINY: dict[tuple[str, str], dict[str, Any]] = {
    ("task", "crops"): {"target_size": SIZE},
    ("task", "masked"): {"targets": 2, "target_scale": (0.2, 0.3), "min_keep": 2},
    ("task", "levels"): {"targets": 2, "target_scale": (0.2, 0.3), "min_keep": 2, "levels": 2, "weights": (1.0, 0.5)},
    ("task", "saccade"): {"view": 0.5, "size": 1.0},
    ("task", "rollout"): {"steps": 3},
    ("encoder", "cnn"): {"widths": (8, 16)},
    ("encoder", "frames"): {"widths": (8, 16)},
    ("encoder", "impala"): {"widths": (4, 8), "dim": 16},
    ("encoder", "maps"): {"widths": (4, 8), "channels": 4},
    ("encoder", "states"): {"width": 32, "depth": 1, "dim": 16},
    ("encoder", "cnn1d"): {"widths": (8, 16), "kernels": (3,)},
    ("encoder", "rnn"): {"patch": 4, "dim": 16},
    ("encoder", "multiscale"): {"patch": 2, "width": 8, **PLACES},
    ("encoder", "vit"): {"patch": 2, **PLACES},
    ("encoder", "energy"): {"patch": 2, **PLACES},
    ("encoder", "resnet9"): {"width": 4},
    ("encoder", "resnet"): {"layers": (1, 1), "width": 8},
    ("encoder", "convnext"): {"depths": (1, 1), "dims": (8, 16), "patch": 1},
    ("encoder", "mlp"): {"width": 32, "depth": 1},
    ("encoder", "columns"): {"dim": 16, "depth": 1, "heads": 2},
    ("encoder", "words"): {**PLACES, "symbols": 300},
    ("encoder", "bag"): {"dim": 16, "symbols": 300},
    ("encoder", "pair"): {**PAIR, "dim": 16},
    ("encoder", "crossmodal"): {**PAIR, "dim": 16, "depth": 1, "attention": 2},
    ("projector", "linear"): {"dim": 16},
    ("projector", "mlp"): {"dim": 16, "width": 32, "depth": 1},
    ("projector", "prototypes"): {"dim": 16, "width": 32, "embedding": 8},
    ("predictor", "geometry"): {"width": 32, "depth": 1},
    ("predictor", "mlp"): {"width": 32, "depth": 1},
    ("predictor", "places"): PLACES,
    ("predictor", "cross"): PLACES,
    ("predictor", "levels"): {**PLACES, "levels": 2},
    ("predictor", "pose"): {"width": 32, "depth": 1},
    ("predictor", "conv"): {"width": 8, "depth": 1},
    ("predictor", "recurrent"): {"width": 16},
    ("predictor", "gru"): {"inverse": 16},
    ("predictor", "residual"): {"inverse": 16, "width": 32},
    ("predictor", "maps"): {"inverse": 16, "width": 8, "layers": 1, "channels": 4},
    ("predictor", "causal"): {"inverse": 16, "width": 16, "depth": 1, "heads": 2},
}
"""settings of a kind that make it small; of another kind its own"""
ARRAYS = {"series": (2, 32), "clips": (3, 4, 8, 8)}
"""examples of arrays, beside images"""

Combination = dict[str, str]
"""role -> kind; of arrays the kind is said with what is in them, `array of series`"""


class Outcome(NamedTuple):
    """What became of a combination."""

    refused: str = ""
    """the sentence that it was refused with"""
    fault: str = ""
    """what went wrong later, or with the sentence"""


def sources(folder: Path) -> dict[str, Any]:
    """Return a source of each kind, with few and small examples; default data are written below the folder."""
    found: dict[str, Any] = {}
    images = schema_of("source", "shapes")(root=str(folder / "shapes"), size=SIZE, count=50)
    found["shapes"] = made(Choice("shapes", images), "source")
    found["shapes"].split("train")
    for kind in ROLES["source"]:
        if kind == "array":
            rng = np.random.default_rng(0)
            for what, shape in ARRAYS.items():
                x, labels = rng.normal(size=(40, *shape)).cumsum(axis=-1), rng.integers(3, size=40)
                np.savez(folder / f"{what}.npz", x=x.astype(np.float32), labels=labels)
                settings = schema_of("source", kind)(path=str(folder / f"{what}.npz"))
                found[f"{kind} of {what}"] = made(Choice(kind, settings), "source")
        elif kind == "moving-digits":
            settings = schema_of("source", kind)(count=50, size=SIZE, frames=4)
            found[kind] = made(Choice(kind, settings), "source")
        elif kind == "video":
            (folder / kind).mkdir(exist_ok=True)
            for k, clip in enumerate(np.random.default_rng(0).integers(256, size=(20, 4, SIZE, SIZE), dtype=np.uint8)):
                np.save(folder / kind / f"{k}.npy", clip.cumsum(axis=0, dtype=np.uint8))
            settings = schema_of("source", kind)(root=str(folder / kind), size=SIZE, frames=4)
            found[kind] = made(Choice(kind, settings), "source")
        elif kind == "series":
            path = folder / "short.tsv"
            path.write_text("".join(f"{k % 2}\t{row}\n" for k, row in enumerate(short())))
            found[kind] = made(Choice(kind, schema_of("source", kind)(root=str(path), length=32)), "source")
        elif kind == "mnist1d":
            found[kind] = made(Choice(kind, schema_of("source", kind)(count=50)), "source")
        elif kind == "shapes-captions":
            settings = schema_of("source", kind)(root=str(folder / kind), size=SIZE, count=50)
            found[kind] = made(Choice(kind, settings), "source")
        elif kind == "pair":
            np.save(folder / "second.npy", np.random.default_rng(1).normal(size=(50, 2, 8)).astype(np.float32))
            words = {
                "first": f"folder root={folder / 'shapes'} size={SIZE}",
                "second": f"array path={folder / 'second.npy'}",
            }
            found[kind] = made(Choice(kind, schema_of("source", kind)(**words)), "source")
        elif kind in WRITTEN:
            found[kind] = made(Choice(kind, schema_of("source", kind)(**WRITTEN[kind](folder))), "source")
        elif kind not in found:
            count = {} if kind == "folder" else {"count": 50}
            root = folder / ("shapes" if kind == "folder" else kind)
            found[kind] = made(Choice(kind, schema_of("source", kind)(root=str(root), size=SIZE, **count)), "source")
    return {kind: _in_memory(source) for kind, source in found.items()}


class _Held(NamedTuple):
    """A source whose first examples are read already."""

    source: Any
    x: Any


def _table(folder: Path) -> dict[str, Any]:
    (folder / "rows.csv").write_text(table(40))
    return {"path": str(folder / "rows.csv")}


def _texts(folder: Path) -> dict[str, Any]:
    rng, words = np.random.default_rng(0), "a good bad long short film tale . ,".split()
    texts = [" ".join(rng.choice(words, size=n)) for n in rng.integers(4, 24, 40)]
    rows = [f'{{"text": "{text}", "label": {k % 2}}}' for k, text in enumerate(texts)]
    (folder / "texts.jsonl").write_text("\n".join(rows))
    return {"path": str(folder / "texts.jsonl"), "length": 16, "words": 20, "buckets": 4}


def _sound(folder: Path) -> dict[str, Any]:
    rng, root = np.random.default_rng(0), folder / "sound"
    root.mkdir(exist_ok=True)
    for k in range(40):
        with wave.open(str(root / f"{k % 3}_{k}.wav"), "wb") as file:
            file.setparams((1, 2, 4000, 0, "NONE", ""))
            file.writeframes((3000 * rng.normal(size=1000)).astype("<i2").tobytes())
    return {"path": str(root), "label": "([0-9])_", "rate": 4000, "bands": SIZE, "frames": SIZE}


def _trajectories(folder: Path) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    actions = rng.normal(size=(40, 5, 2))
    np.savez(
        folder / "acted.npz", observations=np.pad(actions.cumsum(axis=1), ((0, 0), (1, 0), (0, 0))), actions=actions
    )
    return {"path": str(folder / "acted.npz")}


def _world(folder: Path) -> dict[str, Any]:
    return {"count": 50, "frames": 4, "size": 17}


def _shards(folder: Path) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(folder / "images.zip", "w") as archive:
        for k in range(40):
            with archive.open(f"{k % 3}/{k}.png", "w") as file:
                Image.fromarray(rng.integers(256, size=(SIZE, SIZE, 3), dtype=np.uint8)).save(file, "png")
    return {"root": str(folder / "images.zip"), "size": SIZE}


WRITTEN: dict[str, Any] = {
    "table": _table,
    "text": _texts,
    "sound": _sound,
    "shards": _shards,
    "two-rooms": _world,
    "pendulum": _world,
    "trajectories": _trajectories,
}
"""what writes a place of examples below a folder, if any, and returns the settings of its source"""


def table(count: int) -> str:
    """Return a table of numbers, words and missing values, with a column of classes."""
    rng = np.random.default_rng(0)
    numbers, words = rng.normal(size=(count, 3)), rng.integers(3, size=count).tolist()
    rows = [
        f"{a:.3f},{b:.3f},{'rgb'[k]},{c:.3f},{'?' if c < 0 else k},{k}"
        for (a, b, c), k in zip(numbers, words, strict=True)
    ]
    return "\n".join(["a,b,c,d,e,class", *rows]) + "\n"


def short() -> Iterator[str]:
    """Yield the numbers of series of 20 to 31 samples: an example of 32 has a gap behind them."""
    rng = np.random.default_rng(0)
    for k in range(40):
        yield "\t".join(f"{v:.4f}" for v in rng.normal(size=20 + k % 12).cumsum())


def _in_memory(source: Any) -> _Held:
    return _Held(source, source.split("train").read(range(COUNT)))


def choices(combination: Combination) -> dict[str, Choice]:
    """Return the choices of a combination but for its source."""
    kinds = {"augment": "none", "projector": "linear", **combination}
    return {
        role: Choice(kind, schema_of(role, kind)(**TINY.get((role, kind), {})))
        for role, kind in kinds.items()
        if role != "source"
    }


def tried(combination: Combination, held: _Held, seed: int = 0) -> Outcome:
    """Train the combination on one batch, again and again, and look at its figures and held-out losses."""
    try:
        parts = assemble(choices(combination), seed, source=held.source)
    except ConfigError as error:
        return Outcome(refused=str(error), fault=poor(str(error)))
    except Exception as error:
        return Outcome(fault=f"when put together: {type(error).__name__}: {error}")
    try:
        losses = trained(parts, seed)
        found = held_out(parts)
    except Exception as error:
        return Outcome(fault=f"{type(error).__name__}: {error}")
    if not np.isfinite([*losses, found["loss"]]).all():
        return Outcome(fault=f"losses {losses}, held out {found['loss']}")
    if not falls(losses):
        return Outcome(fault=f"the loss does not fall: {[round(loss, 4) for loss in losses]}")
    return Outcome()


def falls(losses: list[float]) -> bool:
    """Whether three losses in a row come to lie below the first three; a moving target may raise them again."""
    means = np.convolve(losses, np.ones(3) / 3, "valid")
    return bool(means[1:].min() < means[0])


def trained(parts: Assembly, seed: int) -> list[float]:
    """Return the losses of so many steps on one batch."""
    model, examples = parts.model, parts.source.split("train")
    batches = Batches(examples, parts.task, model.context.encoder.grid, batch_size=COUNT, seed=seed, prefetch=0)
    batch = batches.batch(range(COUNT))
    optimizer = AdamW(lr=2e-3).build(model.groups(0.0))
    model.train()
    losses = []
    for step in range(STEPS):
        optimizer.zero_grad()
        found, z = model.loss(batch, np.random.default_rng([seed, step]))
        found["loss"].backward()
        optimizer.step()
        model.after_step(step, STEPS)
        losses.append(float(found["loss"]))
    if np.isfinite(losses).all():
        figures = model.figures(z)
        assert np.isfinite(list(figures.values())).all(), figures
    return losses


def held_out(parts: Assembly) -> dict[str, Any]:
    """Return the held-out losses of a few examples."""
    model, examples = parts.model, parts.source.split("val")
    batches = Batches(
        examples, parts.task, model.context.encoder.grid, batch_size=4, seed=1, drop_last=False, prefetch=0
    )
    return model.held_out([batches.batch(range(min(4, len(examples))))])


ADVICE = re.compile(r"\b(take|use|set|lower|see|fewer|make)\b", re.IGNORECASE)


def roles_in(sentence: str) -> set[str]:
    """Return the roles that a sentence names."""
    return {role for role in ALL if re.search(rf"\b{role}\b", sentence)}


def poor(sentence: str) -> str:
    """Say what a refusal lacks: it is one sentence that names two parts, and what to change."""
    named = roles_in(sentence)
    lacks = [] if len(named) > 1 else [f"names {', '.join(named) or 'no part'} alone"]
    lacks += [] if ADVICE.search(sentence) else ["does not say what to change"]
    lacks += ["has several lines"] if "\n" in sentence else []
    return f"refused by a sentence that {' and '.join(lacks)}: {sentence}" if lacks else ""


# -- which combinations ----------------------------------------------------------------------------------------------


def kinds(role: str, given: Iterable[str]) -> list[str]:
    """Return the kinds of a role; those of sources are given."""
    return list(given) if role == "source" else list(ROLES[role])


def every(given: Iterable[str]) -> Iterator[Combination]:
    """Yield every combination of the crossed roles, with a projector and an augmentation in turn."""
    turns = {role: itertools.cycle(kinds(role, given)) for role in TURNING}
    crossed = [kinds(role, given) for role in CROSSED]
    for row in itertools.product(*crossed):
        found = dict(zip(CROSSED, row, strict=True))
        turn = {role: next(turn) for role, turn in turns.items()}
        if len(found["source"].split()) > 1:  # arrays have no colors
            turn["augment"] = "noise" if turn["augment"] == "image" else turn["augment"]
        yield found | turn


def pairs(combination: Combination) -> set[tuple[tuple[str, str], ...]]:
    """Return the pairs of kinds in a combination."""
    return set(itertools.combinations(((role, combination[role]) for role in ALL), 2))


def cover(given: dict[str, Any], seed: int = 0, tries: int = 400) -> Iterator[Combination]:
    """Yield combinations in which every pair of kinds occurs; in one that can be put together, where there is one.

    Pair by pair: the rest is drawn, of what can be put together the one with the most pairs that are still to come. The
    parts that a refusal names are not tried together again with that source.
    """
    rng = np.random.default_rng(seed)
    lists = {role: kinds(role, given) for role in ALL}
    every_pair = [((a, x), (b, y)) for a, b in itertools.combinations(ALL, 2) for x in lists[a] for y in lists[b]]
    missing = dict.fromkeys(every_pair[i] for i in rng.permutation(len(every_pair)))
    known: set[frozenset[tuple[str, str]]] = set()
    while missing:
        pair = next(iter(missing))
        best: Combination = {}
        fit = 0
        for _ in range(tries):
            drawn = {role: lists[role][rng.integers(len(lists[role]))] for role in ALL} | dict(pair)
            if fit == 4 or any(named <= drawn.items() for named in known):
                continue
            if gained(drawn, missing) <= gained(best, missing):
                continue
            refusal = refused(drawn, given[drawn["source"]])
            if refusal:
                known.add(frozenset((role, drawn[role]) for role in {"source", *roles_in(refusal)}))
            else:
                best, fit = drawn, fit + 1
        for done in pairs(best) if best else {pair}:
            missing.pop(done, None)
        yield best or drawn


def gained(combination: Combination, missing: Any) -> int:
    """Return how many of the missing pairs occur."""
    return len(pairs(combination) & missing.keys()) if combination else 0


def refused(combination: Combination, held: _Held) -> str:
    """Return the sentence with which a combination is refused; nothing for one that can be put together."""
    try:
        assemble(choices(combination), 0, source=held.source)
    except ConfigError as error:
        return str(error)
    except Exception:  # a fault, which is to be found
        return ""
    return ""


def main(words: list[str] | None = None) -> int:
    """Try combinations and print the counts; 1 if there are faults."""
    parser = argparse.ArgumentParser(prog="python -m tests.jepa.composition", description=__doc__)
    parser.add_argument("--cover", action="store_true", help="those of the suite alone")
    parser.add_argument("--seed", type=int, default=0, help="of weights, questions and the cover")
    parser.add_argument("--part", default="1/1", help="2/3: the second third of them")
    args = parser.parse_args(words)
    part, of = map(int, args.part.split("/"))
    with tempfile.TemporaryDirectory() as folder:
        given = sources(Path(folder))
        drawn = cover(given, args.seed) if args.cover else every(given)
        return report(itertools.islice(drawn, part - 1, None, of), given, args.seed)


def report(drawn: Iterable[Combination], given: dict[str, Any], seed: int) -> int:
    """Try combinations and print what became of them."""
    start, counts, faults = time.monotonic(), Counter[str](), Counter[str]()
    trains: set[Any] = set()
    seen: set[Any] = set()
    for number, combination in enumerate(drawn, 1):
        outcome = tried(combination, given[combination["source"]], seed)
        what = "fault" if outcome.fault else "refused" if outcome.refused else "trains"
        counts[what] += 1
        seen |= pairs(combination)
        if what == "trains":
            trains |= pairs(combination)
        if outcome.fault:
            faults[outcome.fault] += 1
            print(f"FAULT {' '.join(f'{role}={combination[role]}' for role in ALL)}\n      {outcome.fault}", flush=True)
        if number % 500 == 0:
            print(f"{number} {dict(counts)} {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    print(
        f"{counts.total()} combinations: {counts['trains']} train, {counts['refused']} are refused when they are put "
        f"together, {counts['fault']} fail; {time.monotonic() - start:.0f} s"
    )
    print(f"{len(seen)} pairs of kinds: {len(trains)} train together in some combination, these in none:")
    for (a, x), (b, y) in sorted(seen - trains):
        print(f"  {a}={x} with {b}={y}")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
