"""Any two layers: the embedding of one input is predicted from that of another; and layers to begin with."""

import contextlib
from typing import Any

import numpy as np

import minitensor as mt
from jepa import contracts, learner, predictors
from jepa.contracts import Batch, Embeddings, Grid, Keep
from jepa.encoders.base import Encoder
from jepa.encoders.block import EPS, Block, initialize
from jepa.encoders.positions import sincos_positions
from jepa.errors import ConfigError
from jepa.parts import Unmade
from jepa.predictors.geometry import FREQUENCIES, encode_geometry


class OneToken(Encoder):
    """Any layer as an encoder: what it makes of an example, (n, dim), is its one token."""

    grid: Grid = (1,)

    def __init__(self, layer: mt.nn.Layer, dim: int) -> None:
        self.layer, self.dim = layer, dim

    def tokens(self, x: mt.Tensor, keep: Keep | None = None) -> mt.Tensor:
        """Return the token: (n, *shape) -> (n, 1, dim)."""
        return self.forward(x)[:, None]

    def forward(self, *x: Any) -> mt.Tensor:
        """Return what the layer makes of its inputs."""
        y: mt.Tensor = self.layer(*x)
        return y


class AnyLayer(predictors.Identity):
    """Any layer as a predictor: of a context's embedding, and of what it is told."""

    Settings = Unmade

    def __init__(self, layer: mt.nn.Layer, dim: int, grid: Grid) -> None:
        super().__init__(dim, grid)
        self.layer = layer

    def embedding(self, tokens: mt.Tensor) -> mt.Tensor:
        """Return what the layer, told nothing, makes of each context."""
        y: mt.Tensor = self.layer(tokens)
        return y


class JEPA(learner.JEPA):
    """The learner (`jepa.learner.JEPA`), which here takes any two layers too: `model(x, y, *told)`.

        ŝ = predictor(encoder(x), *told)     s* = target(y)

    encoder: an encoder, or a layer that makes an embedding, (n, dim), of an example; predictor: a predictor, or a layer
    from one embedding to another. An x or y that is a tuple is several inputs of the encoder. A layer has one token, so
    that tasks without places (crops, views) can be asked of it, too.

    >>> model = JEPA(mt.nn.Linear(3, 4), mt.nn.Linear(4, 4))
    >>> prediction, target = model(mt.ones((2, 3)), mt.zeros((2, 3)))
    >>> model.loss(prediction, target).backward()
    >>> model.update_target(0.99)
    """

    def __init__(
        self, encoder: Any, predictor: Any, *, objective: Any = None, target: Any = "ema", projector: Any = None
    ) -> None:
        if not isinstance(encoder, contracts.Encoder):
            encoder = OneToken(encoder, predictor.dim if isinstance(predictor, contracts.Predictor) else 0)
        if not isinstance(predictor, contracts.Predictor):
            predictor = AnyLayer(predictor, encoder.dim if projector is None else projector.dim, encoder.grid)
        super().__init__(encoder, predictor, objective=objective, target=target, projector=projector)

    def forward(self, x: Any, y: Any, *told: Any) -> tuple[mt.Tensor, mt.Tensor]:
        """Return the predicted embedding of y, from x and what the predictor is told, and the true one."""
        if not isinstance(self.predictor, AnyLayer):
            raise ConfigError(
                f"predictor {type(self.predictor).__name__} is asked with a batch of a task, model.loss(batch); a pair "
                "of examples needs a predictor that is a layer from one embedding to another"
            )
        own = self.target.branch(self.context)
        constant = mt.no_grad(), mt.nn.frozen_statistics(own)
        with contextlib.ExitStack() as stack:
            for manager in () if self.target.learns else constant:
                stack.enter_context(manager)
            target = _embedding(own, y)
        prediction = self.predictor.layer(_embedding(self.context, x), *told)
        _same(prediction, target)
        return prediction, target

    def loss(self, first: Any, second: Any = None) -> Any:
        """Return the loss of a prediction (..., d) and its target; or of a batch, with a generator, see the base."""
        if isinstance(first, Batch):
            return super().loss(first, second)
        _same(first, second)
        rows = first.reshape(-1, first.shape[-1])
        z = Embeddings(rows[:, None], [rows[:, None]], [second.reshape(-1, 1, rows.shape[1])])
        return self.objective(z, np.random.default_rng(0))["loss"]

    def update_target(self, momentum: float = 0.996) -> None:
        """Move the target by 1 - momentum; without weights of its own that follow, do nothing."""
        self.target.move(momentum)


def _embedding(branch: learner.Branch, given: Any) -> mt.Tensor:
    """Return what an encoder makes of its input, or of a tuple of them, in the space of the loss."""
    x = branch.encoder(*given) if isinstance(given, tuple) else branch.encoder(given)
    y: mt.Tensor = branch.projector(x)
    return y


def _same(prediction: mt.Tensor, target: mt.Tensor) -> None:
    if prediction.shape != target.shape:
        raise ConfigError(
            f"the predictor returns {prediction.shape} and the target encoder {target.shape}: the shapes must be the "
            "same"
        )


class Predictor(mt.nn.Layer):
    """From one embedding to another: `depth` times Linear, layer norm, GELU; then a Linear.

    told: how many numbers say what is to be predicted, such as the place of a target or an action, each by sines and
    cosines (`encode_geometry`); without them (0) the predictor can only mean one target. width None: twice hidden_dim.

    Shapes: (..., hidden_dim), told (..., told) -> (..., hidden_dim); the leading axes are broadcast, so that one
    context (n, 1, hidden_dim) serves many targets (n, t, told).

    >>> Predictor(8)(mt.ones((5, 8))).shape, Predictor(8, told=4)(mt.ones((5, 1, 8)), mt.ones((5, 3, 4))).shape
    ((5, 8), (5, 3, 8))
    """

    def __init__(self, hidden_dim: int, width: int | None = None, depth: int = 1, told: int = 0) -> None:
        self.told, width = told, 2 * hidden_dim if width is None else width
        inputs, layers = hidden_dim + told * (1 + 2 * FREQUENCIES), list[mt.nn.Layer]()
        for _ in range(depth):
            layers += [mt.nn.Linear(inputs, width), mt.nn.LayerNorm(width), mt.nn.GELU()]
            inputs = width
        self.mlp = mt.nn.Sequential(*layers, mt.nn.Linear(inputs, hidden_dim))

    def forward(self, x: mt.Tensor, told: mt.Tensor | None = None) -> mt.Tensor:
        """Return the predicted embeddings."""
        count = 0 if told is None else told.shape[-1]
        if count != self.told:
            raise ConfigError(f"this predictor is told {self.told} numbers about each target; got {count}")
        if told is not None:
            leading = np.broadcast_shapes(x.shape[:-1], told.shape[:-1])
            x, told = (mt.broadcast_to(z, (*leading, z.shape[-1])) for z in (x, told))
            x = mt.concatenate([x, encode_geometry(told)], axis=-1)
        y: mt.Tensor = self.mlp(x)
        return y


class SequenceEncoder(mt.nn.Layer):
    """Sequences to one embedding each, or to one token for each step.

        x = steps W + b + positions (of ids: rows of a table + positions);   x = block_l(x);   y = norm(x)

    hidden_dim: of tokens and embedding; input_dim: numbers in a step, None: hidden_dim; vocab_size: with it the encoder
    takes token ids too, 0 .. vocab_size - 1.

    Shapes: (steps, n, input_dim), or ids (steps, n), sequence first as PyTorch's transformers have it, or
    (n, steps, ...) with batch_first=True -> (n, hidden_dim), the mean over the steps; `tokens` -> (n, steps,
    hidden_dim). `valid` (n, steps), where given, says which steps are no padding.

    >>> encoder = SequenceEncoder(hidden_dim=8, input_dim=3, depth=1, heads=2)
    >>> encoder(mt.ones((20, 5, 3))).shape, encoder.tokens(mt.ones((20, 5, 3))).shape
    ((5, 8), (5, 20, 8))
    """

    def __init__(
        self,
        hidden_dim: int,
        input_dim: int | None = None,
        vocab_size: int | None = None,
        depth: int = 2,
        heads: int = 4,
        mlp_ratio: float = 4.0,
        batch_first: bool = False,
    ) -> None:
        if hidden_dim % 2:
            raise ConfigError(f"positions are sines and cosines, so hidden_dim must be even; got {hidden_dim}")
        self.dim, self.batch_first, self.input_dim = hidden_dim, batch_first, input_dim or hidden_dim
        self.embed = mt.nn.Linear(self.input_dim, hidden_dim)
        self.table = None if vocab_size is None else mt.nn.Embedding(vocab_size, hidden_dim)
        self.blocks = mt.nn.LayerList([Block(hidden_dim, heads, mlp_ratio) for _ in range(depth)])
        self.norm = mt.nn.LayerNorm(hidden_dim, EPS)
        initialize(self, self.blocks)
        if self.table is not None:
            mt.nn.init.trunc_normal_(self.table.weight, std=1.0)  # of the size of the positions

    def _embedded(self, x: mt.Tensor) -> mt.Tensor:
        if self.table is not None and x.ndim == 2 and x.dtype.kind in "iu":
            y: mt.Tensor = self.table(x)
            return y
        if x.ndim != 3 or x.shape[-1] != self.input_dim:
            ids = "" if self.table is None else ", or whole numbers with two axes"
            raise ValueError(f"this encoder takes sequences (steps, n, {self.input_dim}){ids}; got {x.shape} {x.dtype}")
        y = self.embed(x)
        return y

    def tokens(self, x: mt.Tensor, valid: mt.Tensor | None = None) -> mt.Tensor:
        """Return one token for each step: (steps, n, input_dim) -> (n, steps, hidden_dim)."""
        x = self._embedded(x)
        x = x if self.batch_first else x.swapaxes(0, 1)
        x = x + mt.Tensor(sincos_positions(x.shape[1:2], self.dim), device=x.device).astype(x.dtype)
        for block in self.blocks:
            x = block(x, valid)
        y: mt.Tensor = self.norm(x)
        return y

    def forward(self, x: mt.Tensor, valid: mt.Tensor | None = None) -> mt.Tensor:
        """Return the mean over the steps: (steps, n, input_dim) -> (n, hidden_dim)."""
        tokens = self.tokens(x, valid)
        if valid is None:
            return tokens.mean(axis=1)
        weight = valid.astype(tokens.dtype)[:, :, None]
        return (tokens * weight).sum(axis=1) / weight.sum(axis=1)
