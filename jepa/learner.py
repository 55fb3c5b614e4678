"""JEPA, the one learner: an encoder, a projector, a predictor, a target and an objective, of any kinds."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

import minitensor as mt
from jepa import health, objectives, targets
from jepa.contracts import Asked, Batch, Embeddings, Encoder, Flags, Gapped, Keep
from jepa.errors import ConfigError
from jepa.parts import chosen
from jepa.projectors import Identity, Projector
from jepa.several import each, size_of
from jepa.text import by_x


class Branch(mt.nn.Layer):
    """An encoder and what brings its tokens into the space of the loss: the context has one, the target another.

    projector: any layer on the last axis of tokens, with `dim`, what it makes.
    """

    def __init__(self, encoder: Any, projector: Any) -> None:
        self.encoder: Any = encoder
        self.projector: Any = projector

    def forward(self, *x: mt.Tensor) -> mt.Tensor:
        """Return the projected tokens of whole examples, of several arrays in their order: (n, *shape) -> (n, N, d)."""
        whole = x[0] if len(x) == 1 else dict(zip(self.encoder.sides, x, strict=True))
        y: mt.Tensor = self.projector(self.encoder.tokens(whole))
        return y

    @property
    def layers_behind(self) -> int:
        """The number of the projector's layers."""
        return self.projector.depth if isinstance(self.projector, Projector) else 1

    def features(self, x: mt.Tensor, pool: str = "mean", layer: int = 0) -> mt.Tensor:
        """Return one vector of an example, (n, *shape) -> (n, d): of the encoder, or of the projector's k-th layer."""
        y: mt.Tensor = self.encoder.pooled(x, pool)
        if layer == 0:
            return y
        behind = self.projector.after_layers(y) if isinstance(self.projector, Projector) else [self.projector(y)]
        return behind[layer - 1]

    def context(self, seen: Any, keep: Keep | None, asked: Asked) -> tuple[mt.Tensor, Flags | None]:
        """Return what the predictor gets of a context, (n e, K, d), and which of it is no padding."""
        if isinstance(seen, list):
            return self.views(seen, asked), None
        tokens, valid = asked.context(self._meant(self.encoder.tokens(seen, keep), seen, asked, keep), keep)
        return self.projector(tokens), valid

    def views(self, seen: list[mt.Tensor], asked: Asked) -> mt.Tensor:
        """Return the embedding of each view: (n, v, *shape) of each shape -> (n, V, d)."""
        tokens = [asked.of(self._tokens(x, asked))[0] for x in seen]
        y: mt.Tensor = self.projector(mt.concatenate(tokens, axis=1))
        return y

    def targets(self, true: mt.Tensor, asked: Asked) -> list[mt.Tensor]:
        """Return the true targets of each set: (n, v, *shape) -> S of (n, k, d)."""
        return [self.projector(x) for x in asked.of(self._tokens(true, asked))]

    def _tokens(self, x: Any, asked: Asked) -> mt.Tensor:
        n, whole = size_of(x), each(lambda part: part.reshape(-1, *part.shape[2:]), x)
        tokens = self._meant(self.encoder.tokens(whole), whole, asked)
        return tokens.reshape(n, len(tokens) // n, *tokens.shape[1:])

    def _meant(self, tokens: mt.Tensor, x: Any, asked: Asked, keep: Keep | None = None) -> mt.Tensor:
        """Return tokens whose mean is that of those that are there, the others being zeros, if means are asked for."""
        there = self.encoder.there(x, keep) if asked.whole and isinstance(self.encoder, Gapped) else None
        if there is None:
            return tokens
        share = there.shape[1] / np.maximum(there.sum(axis=1), 1)
        return tokens * mt.Tensor(share.astype(np.float32)[:, None, None], device=tokens.device)


class JEPA(mt.nn.Layer):
    """Joint-Embedding Predictive Architecture (LeCun 2022): predict the embedding of one part from another part.

        ŝ = predictor(projector(encoder(seen)), asked);   s* = asked.of(target(true));   objective draws ŝ towards s*

    encoder, predictor, objective, target: see `jepa.contracts`. target: "ema" (the default, a moving average of the
    encoder), "stopgrad" (the encoder itself, without a gradient), "shared" (with it), "own" (an encoder of its own), or
    a target. projector: see `jepa.projectors`; None: no projector.

    Raises ConfigError for parts that cannot work together: a target that learns with an objective that a constant
    satisfies, dimensions that differ.

    >>> import jepa
    >>> encoder = jepa.encoders.ViT((3, 32, 32), patch=8, dim=32, depth=1, heads=2)
    >>> predictor = jepa.predictors.Places(encoder.dim, encoder.grid, dim=16, depth=1, heads=2)
    >>> model = jepa.JEPA(encoder, predictor, objective=jepa.objectives.InfoNCE(0.1))
    >>> batch = jepa.tasks.Masked().ask(np.ones((4, 3, 32, 32), np.float32), encoder.grid, jepa.tasks.generators(4))
    >>> sorted(model.loss(batch)[0])
    ['accuracy', 'distance', 'loss']
    """

    def __init__(
        self, encoder: Any, predictor: Any, *, objective: Any = None, target: Any = "ema", projector: Any = None
    ) -> None:
        self.objective = objectives.SmoothL1() if objective is None else objective
        self.context = Branch(encoder, Identity(encoder.dim) if projector is None else projector)
        self.predictor: Any = predictor
        self.target: Any = targets.target(target) if isinstance(target, str) else target
        check_parts(self)
        self.target.follow(self.context)

    @property
    def encoders(self) -> dict[str, Encoder]:
        """The context encoder, and the one that makes the true tokens; they may be the same."""
        return {name: branch.encoder for name, branch in self.branches.items()}

    @property
    def branches(self) -> dict[str, Any]:
        """The context's encoder and projector, and those that make the targets; they may be the same."""
        return {"context": self.context, "target": self.target.branch(self.context)}

    def embed(self, batch: Batch) -> Embeddings:
        """Return the embeddings of a batch; threads compute a part of the examples each, and so do processes.

        Of a part of a batch (`Batch.team`) they are those of the whole, in each process.
        """
        return self._embedded(batch, None)[0]

    def _embedded(self, batch: Batch, other: Asked | None) -> tuple[Embeddings, list[mt.Tensor]]:
        """Return the embeddings of a batch, and what is predicted of the same contexts for another question."""
        device = next(iter(self.parameters())).device
        whole = batch.changed(lambda x: each(lambda part: mt.Tensor(part, device=device), x))  # a GPU takes them whole
        found = mt.data_parallel(self.part, whole.seen, batch.keep, whole.true, batch.asked, other, team=batch.team)
        context, predictions, targets, misled, returned, read = found
        kept = [
            (p, t) if valid is None else (_kept(p, valid), _kept(t, valid))
            for p, t, valid in zip(predictions, targets, _of_all(batch.asked.valid, batch.team), strict=True)
        ]
        predictions, targets = map(list, zip(*kept, strict=True))
        flags = [] if other is None else _of_all(other.valid, batch.team)
        misled = [p if valid is None else _kept(p, valid) for p, valid in zip(misled, flags, strict=True)]
        same = batch.true is None and self.target.branch(self.context) is self.context
        acted = None if read is None else (read, mt.Tensor(_whole(batch.asked.actions, batch.team), device=device))
        return Embeddings(context, predictions, targets, batch.asked.level_weights, same, returned, acted), misled

    def part(
        self, seen: Any, keep: Keep | None, true: mt.Tensor | None, asked: Any, other: Asked | None = None
    ) -> tuple[mt.Tensor, list[mt.Tensor], list[mt.Tensor], list[mt.Tensor], list[mt.Tensor], mt.Tensor | None]:
        """Return contexts (n e, V, d), predictions and targets of each set, and what else is asked for.

        That is predictions for another question, the way back, and actions that are read out of embeddings, (n, T - 1,
        a): [], [] and None where no other question is given, and where the objective compares neither.
        """
        tokens, valid = self.context.context(seen, keep, asked)
        predictions = self.predictor(tokens, valid, keep, asked)
        if true is None:
            targets = asked.wanted(self.target.among(self.context, seen, keep, tokens, asked))
        else:
            targets = [_repeated(t, len(tokens) // size_of(true)) for t in self.target(self.context, true, asked)]
        for p, t in zip(predictions, targets, strict=True):
            if p.shape != t.shape:
                raise ConfigError(f"the predictor makes {p.shape} of targets of {t.shape}: the shapes must be the same")
        misled = [] if other is None else self.predictor(tokens, valid, keep, other)
        contexts = tokens if asked.whole else mean_token(tokens, valid)[:, None]
        contexts = tokens.reshape(-1, 1, tokens.shape[-1]) if asked.single else contexts
        returned = self.predictor(predictions[0], None, None, asked.back()) if self.objective.returns else []
        read = self.predictor.inverse(contexts[:, :-1], contexts[:, 1:]) if self.objective.inverts else None
        return contexts, predictions, targets, misled, returned, read

    def loss(self, batch: Batch, rng: np.random.Generator | None = None) -> tuple[dict[str, mt.Tensor], Embeddings]:
        """Return the parts of the loss by name ("loss" is minimized), and what `figures` looks at."""
        z = self.embed(batch)
        return self.objective(z, np.random.default_rng(0) if rng is None else rng), z

    def figures(self, z: Embeddings) -> dict[str, float]:
        """Return how healthy the embeddings of a batch are, for the log."""
        return health.of(z)

    def parts(self) -> dict[str, list[mt.Tensor]]:
        """Return the trained parameters by name of the part, whose gradient norms are logged apart."""
        parts = {"encoder": self.context, "predictor": self.predictor, "target": self.target}
        found = {name: [p for p in part.parameters() if p.requires_grad] for name, part in parts.items()}
        return {name: parameters for name, parameters in found.items() if parameters}

    def groups(self, weight_decay: float) -> list[dict[str, Any]]:
        """Return the optimizer's groups: weights decay; biases and the scales of normalization (vectors) do not."""
        trained = [p for p in self.parameters() if p.requires_grad]
        matrices, vectors = [p for p in trained if p.ndim > 1], [p for p in trained if p.ndim <= 1]
        return [{"params": matrices, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]

    def after_step(self, step: int, steps: float) -> dict[str, float]:
        """Move the target after optimizer step `step` of `steps`; return what the log should show."""
        found: dict[str, float] = self.target.update(self.context, step, steps)
        return found

    def held_out(self, batches: Iterable[Batch], rng: np.random.Generator | None = None) -> dict[str, Any]:
        """Return what predictions and targets of held-out batches are apart, and the same for a wrong question.

        "loss": the objective's "distance", averaged over the examples. "shuffled": the same when the predictor is
        asked another example's question, and "ratio" between them: a predictor that uses what it is told gets clearly
        worse; without them where all examples are asked the same. "parts": the parts of the objective, by name.
        """
        training, rng = self.training, np.random.default_rng(0) if rng is None else rng
        self.eval()
        wrong, count, total = 0.0, 0, dict[str, float]()
        with mt.no_grad():
            for batch in batches:
                n, other = batch.size, batch.asked.rolled()
                z, misled = self._embedded(batch, other)
                for name, part in self.objective(z, rng).items():
                    total[name] = total.get(name, 0.0) + float(part) * n
                if other is not None:
                    wrong += float(self.objective(z._replace(predictions=misled), rng)["distance"]) * n
                count += n
        self.train(training)
        if not count:
            return {}
        right = total.pop("distance")
        parts = {name: value / count for name, value in total.items() if name != "loss"}
        told = {"shuffled": wrong / count, "ratio": wrong / right if right else 1.0} if wrong else {}
        return {"loss": right / count, **told, "parts": parts}

    def extra_repr(self) -> str:
        return f"objective={self.objective}"


def check_parts(model: JEPA) -> None:
    """Raise ConfigError, naming two parts and what to change, if the parts of a model cannot work together."""
    encoder, projector, predictor = model.context.encoder, model.context.projector, model.predictor
    target, objective = model.target, model.objective
    parts = {"encoder": encoder, "predictor": predictor, "target": target, "objective": objective}
    said = {role: f"{role}={chosen(role, part).kind}" for role, part in parts.items()}
    if (predictor.dim, predictor.grid) != (projector.dim, encoder.grid):
        raise ConfigError(
            f"{said['predictor']} is made for embeddings of {predictor.dim} numbers and a grid of "
            f"{by_x(predictor.grid)}; {said['encoder']} has {by_x(encoder.grid)} places and, with its projector, "
            f"{projector.dim} numbers: make the predictor with dim and grid of these"
        )
    if target.learns and not objective.spreads:
        raise ConfigError(
            f"{said['target']} with {said['objective']} must collapse, as one constant for every example has loss "
            "0: use target=ema or stopgrad, or an objective that spreads, such as vicreg or infonce"
        )
    learns = any(p.requires_grad for p in predictor.parameters())
    if lacks := objective.lacks(target, learns):
        raise ConfigError(f"{said['objective']} with {said['target']} and {said['predictor']}: {lacks}")
    if not learns and not objective.spreads and not target.lags:
        raise ConfigError(
            f"{said['target']} with {said['objective']} and {said['predictor']}, which does not learn, must collapse: "
            "use target=ema, another predictor, or an objective that spreads, such as vicreg or infonce"
        )


def mean_token(x: mt.Tensor, valid: Flags | None) -> mt.Tensor:
    """Return the mean of the tokens that are no padding: (n, K, d) -> (n, d)."""
    if valid is None:
        return x.mean(axis=1)
    weight = mt.Tensor((valid / valid.sum(axis=1, keepdims=True)).astype(np.float32), device=x.device)  # (n, K)
    return (x * weight[:, :, None]).sum(axis=1)


def _of_all(valid: Sequence[Flags | None], team: Any) -> Sequence[Flags | None]:
    """Return, for each set, the flags of the whole batch."""
    return [None if own is None else _whole(own, team) for own in valid]


def _whole(own: Any, team: Any) -> Any:
    """Return an array of all examples of a batch, of which this process has its part."""
    return own if team is None else np.concatenate(team.gather(np.asarray(own)))


def _kept(x: mt.Tensor, valid: Flags) -> mt.Tensor:
    """Return the tokens that are no padding as one row: (n, k, d) -> (1, kept, d)."""
    flags = np.repeat(valid, len(x) // len(valid), axis=0)
    rows = mt.Tensor(np.flatnonzero(flags), device=x.device)
    return mt.index_select(x.reshape(-1, x.shape[-1]), 0, rows)[None]


def _repeated(x: mt.Tensor, times: int) -> mt.Tensor:
    """Return each example's targets once for each of its contexts: (n, k, d) -> (n e, k, d)."""
    if times == 1:
        return x
    n, *shape = x.shape
    return mt.broadcast_to(x[:, None], (n, times, *shape)).reshape(n * times, *shape)
