"""The plainest encoder: all numbers of an input at once through a multilayer perceptron."""

from __future__ import annotations

import math

import minitensor as mt

__all__ = ["MLPEncoder"]


class MLPEncoder(mt.nn.Layer):
    """Flattens inputs of any shape and encodes each by an MLP: `depth` times Linear, batch norm, ReLU; then a Linear.

    input_shape: of one input, such as (channels, h, w), or its one length. dim: of the embedding; width: units of each
    hidden layer; norm: "batch" or "none".

    (n, *input_shape) -> (n, dim); `tokens` -> (n, 1, dim): the whole input is one token, and there is no grid to mask.
    Raises ValueError for inputs of another shape.

    >>> encoder = MLPEncoder((3, 8, 8), dim=16)
    >>> encoder(mt.ones((5, 3, 8, 8))).shape, encoder.tokens(mt.ones((5, 3, 8, 8))).shape
    ((5, 16), (5, 1, 16))
    """

    def __init__(
        self, input_shape: int | tuple[int, ...], dim: int, width: int = 512, depth: int = 2, norm: str = "batch"
    ) -> None:
        if norm not in ("batch", "none"):
            raise ValueError(f"norm is 'batch' or 'none'; got {norm!r}")
        self.input_shape = (input_shape,) if isinstance(input_shape, int) else tuple(input_shape)
        self.dim = dim
        inputs, layers = math.prod(self.input_shape), list[mt.nn.Layer]()
        for _ in range(depth):
            layers += [mt.nn.Linear(inputs, width, bias=norm != "batch")]
            layers += [mt.nn.BatchNorm1d(width)] if norm == "batch" else []
            layers += [mt.nn.ReLU()]
            inputs = width
        self.mlp = mt.nn.Sequential(*layers, mt.nn.Linear(inputs, dim))

    def pooled(self, x: mt.Tensor) -> mt.Tensor:
        """Return the last hidden layer, all that there is before the last Linear: (n, *input_shape) -> (n, width)."""
        if x.shape[1:] != self.input_shape:
            raise ValueError(f"this encoder takes inputs of shape {self.input_shape}; got {x.shape[1:]}")
        return self.mlp[:-1](x.reshape(len(x), -1))  # type: ignore[no-any-return]

    def forward(self, x: mt.Tensor) -> mt.Tensor:
        """Return the embeddings: (n, *input_shape) -> (n, dim)."""
        return self.mlp[-1](self.pooled(x))  # type: ignore[no-any-return]

    def tokens(self, x: mt.Tensor) -> mt.Tensor:
        """Return the embedding as the one token that there is: (n, *input_shape) -> (n, 1, dim)."""
        return self(x)[:, None]  # type: ignore[no-any-return]
