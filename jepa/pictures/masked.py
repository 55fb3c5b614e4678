"""Pictures of tasks that hide places: masks, what is predicted behind them, attention, features, neighbors."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

import minitensor as mt
from jepa import frozen
from jepa.contracts import Attentive, Batch, Flags, Index
from jepa.evaluation.decoder import ridge
from jepa.evaluation.neighbors import nearest
from jepa.evaluation.patches import cut, paste, spread
from jepa.masks import to_binary
from jepa.pictures.embedding import plot_similarity
from jepa.pictures.places import (
    Canvas,
    canvas,
    plot_attention,
    plot_blocks,
    plot_features,
    plot_masks,
    plot_neighbors,
    plot_predictions,
    rollout,
)  # fmt: skip
from jepa.pictures.views import answered, as_compared, asked, loader, some
from jepa.runs.run import Run

Floats = NDArray[np.float32]
BANK = 2000  # training examples that predictions are looked up in, and that decoders learn from
NEAREST = 5
DRAWN = 4  # examples of which each has a row
COLORED = 16  # examples whose features are drawn


class Answers(NamedTuple):
    """Predicted and true tokens of one level; a place that lies in two targets stands here twice."""

    places: Index
    """(n, K): the place, or group of places"""
    valid: Flags
    """(n, K): False where an entry is padding"""
    prediction: Floats
    """(n, K, d)"""
    target: Floats
    """(n, K, d), as the objective compares them"""

    def estimated(self, x: Floats) -> Floats:
        """Return predictions (n, K, d) brought among the true tokens, by the affine map that fits these best."""
        estimate = ridge(self.prediction[self.valid], self.target[self.valid])
        return estimate(x.reshape(-1, x.shape[2])).reshape(x.shape)


class Everything:
    """The question about every place, to which the true tokens are the answer."""

    whole = False

    def of(self, tokens: mt.Tensor) -> list[mt.Tensor]:
        """Return all true tokens: (n, 1, N, d) -> one set (n, N, d)."""
        return [tokens[:, 0]]


def examples(run: Run, count: int) -> dict[str, Any]:
    """Return what the model makes of `count` held-out examples.

    A linear decoder of each level, the map from a true token to the samples of its patch (or group of patches) that is
    best on training examples, shows what is in a token. Predictions are first brought among the true tokens by the best
    affine map: a contrastive loss asks a prediction to be nearest to its target, not to be equal to it.

    - `images` (n, *shape), as the encoders see them but for normalization; `grid`, the encoder's;
    - `contexts` (E, n, N), `targets` (M, n, N), `hidden` (n, N), bool: what is seen, asked for, and asked for at all;
    - `levels`: of each, finest first, what `plot_predictions` draws;
    - `prediction`, `target_embedding` (n, d): of the first place that is asked for;
    - `tokens` (n, N, d) of the encoder that is evaluated; `attention` (m, blocks, heads, T, T) and `rollout` (m, T, T),
      None where there is no attention;
    - `neighbors` (m, k, *shape) and `neighbor_cosines` (m, k): the training examples nearest to what is predicted.
    """
    run.model.eval()
    place, which = canvas(run.source("val"), run.model.context.encoder.grid), run.config.evaluation.encoder
    bank, bank_batch = _drawn(run, "train", BANK)
    learnt = _answers(run, bank_batch)
    images, batch = _drawn(run, "val", count)
    found, places, keep = _answers(run, batch), int(np.prod(place.grid)), batch.keep
    assert keep is not None  # a task of places
    hidden = to_binary(found[0].places, places, found[0].valid)
    predicted = placed(learnt[0].estimated(found[0].prediction[:DRAWN]), found[0], places)
    return {
        "images": images,
        "grid": place.grid,
        "contexts": _sets(keep.index, keep.valid, places),
        "targets": hidden[None] if batch.asked.level_weights else _sets(batch.asked.index, batch.asked.flags, places),
        "hidden": hidden,
        "levels": [decoded(place, 2**k, pair, bank) for k, pair in enumerate(zip(learnt, found, strict=True))],
        "prediction": found[0].prediction[:, 0],
        "target_embedding": found[0].target[:, 0],
        "tokens": frozen.tokens(run.model, batch.true[:COLORED, 0], which),
        **_attention(run, which, batch.true[:DRAWN, 0]),
        **_looked_up(predicted, hidden[:DRAWN], _true_tokens(run, bank_batch), bank),
    }


def figures(run: Run, e: Mapping[str, Any]) -> dict[str, Figure]:
    """Draw what `examples` found."""
    place = canvas(run.source("val"), e["grid"])
    few = {name: value[:DRAWN] for name, value in e.items() if isinstance(value, np.ndarray)}
    images, levels = few["images"], e["levels"]
    drawn = {
        "similarity": plot_similarity(e["prediction"], e["target_embedding"]),
        "masks": plot_masks(place, images, e["contexts"], e["targets"]),
        "predictions": plot_predictions(place, images, levels[:1], e["contexts"][0, :DRAWN]),
    }
    if len(levels) > 1:
        drawn["levels"] = plot_predictions(place, images, levels[1:])
    if e["attention"] is not None:
        drawn["attention"] = plot_attention(place, images, few["attention"][:, -1], few["rollout"])
        drawn["blocks"] = plot_blocks(place, images[0], few["attention"][0])
    return drawn | {
        "features": plot_features(place, e["images"][:COLORED], e["tokens"]),
        "neighbors": plot_neighbors(place, images, few["hidden"], few["neighbors"], few["neighbor_cosines"]),
    }


def decoded(place: Canvas, side: int, answers: tuple[Answers, Answers], bank: Floats) -> dict[str, Any]:
    """Return what predicted and true tokens say of their hidden groups of `side` places along each axis.

    answers: to questions about training examples, which the decoder and the map that brings predictions among true
    tokens are fitted on, and about those to be drawn; bank: the training examples themselves.
    """
    (learnt, found), at, lengths = answers, place.at(side), place.shape[1:]
    own = np.take_along_axis(cut(bank, at), learnt.places[:, :, None], axis=1)  # (m, K, samples)
    read_out = looked_up if place.symbols else ridge
    decode, count = read_out(learnt.target[learnt.valid], own[learnt.valid]), int(np.prod([len(first) for first in at]))

    def picture(tokens: Floats) -> Floats:
        mean = placed(tokens, found, count)  # (m, count, d)
        samples = decode(mean.reshape(-1, tokens.shape[2])).reshape(*mean.shape[:2], -1)
        return np.clip(paste(samples, at, lengths), np.nanmin(bank), np.nanmax(bank))

    return {
        "name": "hidden" if side == 1 else " x ".join([str(side)] * len(place.grid)),
        "hidden": spread(to_binary(found.places, count, found.valid), at, lengths),
        "true": picture(found.target),
        "predicted": picture(learnt.estimated(found.prediction)),
    }


def looked_up(tokens: Floats, samples: Floats) -> Callable[[Floats], Floats]:
    """Return a function from tokens (m, d) to the samples of the nearest of these (n, d), by cosine: (m, samples)."""
    return lambda x: samples[nearest(x, tokens, 1)[0][:, 0]]


def placed(x: Floats, where: Answers, count: int) -> Floats:
    """Return tokens (m, K, d) of the first m of n examples at their places, (m, count, d).

    The mean of those that share a place, 0 where there is none.

    >>> none = np.zeros((1, 3, 1))
    >>> where = Answers(np.array([[2, 2, 0]]), np.array([[True, True, False]]), none, none)
    >>> placed(np.array([[[1.0], [3.0], [9.0]]]), where, 3)[0, :, 0].tolist()
    [0.0, 0.0, 2.0]
    """
    rows, places, valid = np.arange(len(x))[:, None], where.places[: len(x)], where.valid[: len(x), :, None]
    at, times = np.zeros((len(x), count, x.shape[2]), np.float32), np.zeros((len(x), count, 1), np.float32)
    np.add.at(at, (rows, places), x * valid)
    np.add.at(times, (rows, places), valid.astype(np.float32))
    at /= np.maximum(times, 1)
    return at


def _drawn(run: Run, split: str, count: int) -> tuple[Floats, Batch]:
    """Return examples and questions about them; both encoders see the same, without a change of color in between."""
    batches = loader(run, split)
    raw, batch = asked(batches, some(batches.source, count))
    return raw.true[:, 0], batch._replace(seen=batch.true[:, 0])


def _answers(run: Run, batch: Batch) -> list[Answers]:
    """Return the answers level by level, finest first; sets of one kind are joined to one level."""
    predictions, targets = answered(run, batch)
    question, n = batch.asked, len(batch.seen)
    if question.level_weights:
        return [Answers(*a) for a in zip(question.index, question.valid, predictions, targets, strict=True)]
    index = question.index.reshape(n, -1)
    valid = np.ones(index.shape, bool) if question.flags is None else question.flags.reshape(n, -1)
    return [Answers(index, valid, np.concatenate(predictions, axis=1), np.concatenate(targets, axis=1))]


def _sets(index: Index, valid: Flags | None, places: int) -> Flags:
    """Return the places of each set, (S, n, N), from their indices (n, S, k)."""
    flags = [None] * index.shape[1] if valid is None else valid.swapaxes(0, 1)
    return np.stack([to_binary(i, places, f) for i, f in zip(index.swapaxes(0, 1), flags, strict=True)])


def _true_tokens(run: Run, batch: Batch) -> Floats:
    """Return the true tokens of all places, (n, N, d), as the objective compares them."""
    model = run.model
    with mt.no_grad():
        true = mt.Tensor(batch.true, device=run.device)
        (tokens,) = mt.data_parallel(lambda x: model.target(model.context, x, Everything()), true)
        return as_compared(run, tokens).numpy()


def _attention(run: Run, which: str, x: Floats) -> dict[str, Any]:
    """Return how each token looks at each other in each block, and through all."""
    encoder: Any = run.model.encoders[which]
    with mt.no_grad():
        looks = isinstance(encoder, Attentive)
        maps = [m.numpy() for m in encoder.attention_maps(mt.Tensor(x, device=run.device))] if looks else []
    return {"attention": np.stack(maps, axis=1) if maps else None, "rollout": rollout(maps) if maps else None}


def _looked_up(predicted: Floats, hidden: Flags, tokens: Floats, bank: Floats) -> dict[str, Any]:
    """Return the training examples whose true tokens, at the hidden places, are nearest to what is predicted there."""
    found = []
    for prediction, places in zip(predicted, hidden, strict=True):
        mean = tokens[:, places].mean(axis=0)  # what is special about an example is the rest
        pair = (prediction[places] - mean).reshape(1, -1), (tokens[:, places] - mean).reshape(len(tokens), -1)
        found.append(nearest(*pair, min(NEAREST, len(bank))))
    indices, cosines = (np.concatenate(side) for side in zip(*found, strict=True))
    return {"neighbors": bank[indices], "neighbor_cosines": cosines}
