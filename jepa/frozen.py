"""What a trained encoder makes of examples, without a gradient: one vector of each, or its tokens."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

import minitensor as mt
from jepa.errors import ConfigError
from jepa.several import each, rows, size_of

Array = NDArray[np.float32]


def frozen(encoder: Any, f: Callable[[mt.Tensor], mt.Tensor], x: Array, batch: int = 256) -> Array:
    """Return f of examples (n, *shape), `batch` at a time, while the encoder is in eval mode, as float32."""
    training, device = encoder.training, next(iter(encoder.parameters())).device
    generator = mt.default_generator().bit_generator
    state = generator.state  # several threads draw seeds for their parts, of which nothing here is random
    encoder.eval()
    with mt.no_grad():
        parts = [
            mt.data_parallel(f, each(partial(mt.Tensor, device=device), rows(x, slice(i, i + batch)))).numpy()
            for i in range(0, size_of(x), batch)
        ]
    encoder.train(training)
    generator.state = state
    return np.concatenate(parts)


def features(model: Any, x: Array, which: str = "target", pool: str = "mean", layer: int = 0) -> Array:
    """Return one vector of each example, normalized as in training: (n, *shape) -> (n, d).

    which: the encoder of a learner, "target" or "context"; pool: one of its `pools`; layer: 0, the encoder's, or what
    the projector's k-th layer makes of it.
    """
    branch = model.branches[which]
    return frozen(branch, lambda x: branch.features(x, pool, layer), x)


def tokens(model: Any, x: Array, which: str = "target") -> Array:
    """Return the tokens of all places of each example, normalized as in training: (n, *shape) -> (n, N, dim)."""
    encoder = model.encoders[which]
    return frozen(encoder, encoder.tokens, x)


def check_features(model: Any, pool: str, layer: int = 0) -> None:
    """Raise ConfigError if a learner does not have a way to pool its tokens, or such a layer behind them."""
    try:
        model.context.encoder.check_pool(pool)
    except ValueError as error:
        raise ConfigError(f"evaluation.{error}") from error
    most = model.context.layers_behind
    if layer > most:
        raise ConfigError(
            f"evaluation.layer={layer}: the projector has {most} layers; take at most {most}, 0 for the encoder, or a "
            "run with a deeper projector"
        )
    if layer and pool != "mean":
        raise ConfigError(
            f"evaluation.layer={layer} with evaluation.pool={pool}: the projector learned from means of tokens; take "
            "evaluation.pool=mean, or evaluation.layer=0"
        )
