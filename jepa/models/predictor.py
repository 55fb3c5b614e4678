"""The predictor: from a context's embedding, and where a target lies, to the target's embedding."""

from __future__ import annotations

import math

import minitensor as mt

FREQUENCIES = 4  # of each of the four numbers of a geometry: 1, 2, 4 and 8 quarter turns per unit


def encode_geometry(geometry: mt.Tensor) -> mt.Tensor:
    """Return sin and cos of each number at rising frequencies: (..., 4) -> (..., 4 + 8 · FREQUENCIES).

    γ(v) = (v, sin(2ᶠ π v / 2), cos(2ᶠ π v / 2)) for f = 0, 1, ... (Mildenhall et al. 2020, eq. 4): a small difference
    of place becomes a large one of the code, which an MLP can tell apart.

    >>> encode_geometry(mt.zeros((2, 3, 4))).shape
    (2, 3, 36)
    """
    turns = mt.concatenate([geometry * (2**f * math.pi / 2) for f in range(FREQUENCIES)], axis=-1)
    return mt.concatenate([geometry, mt.sin(turns), mt.cos(turns)], axis=-1)


class Predictor(mt.nn.Layer):
    """An MLP that is told which target to predict.

    Without the geometry it could only predict the mean over all targets that a context may have. `depth` hidden layers
    of `width` units, batch norm and ReLU.

    Shapes: context (n, embedding_dim), geometry (n, targets, 4) -> (n, targets, embedding_dim). The four numbers are
    the target's centre relative to the context's, in units of the context's height and width, and the logarithms of
    the ratios of their heights and widths.
    """

    def __init__(self, embedding_dim: int, width: int, depth: int, geometry: bool = True) -> None:
        self.uses_geometry = geometry
        inputs = embedding_dim + (4 + 8 * FREQUENCIES if geometry else 0)
        layers: list[mt.nn.Layer] = []
        for _ in range(depth):
            layers += [mt.nn.Linear(inputs, width, bias=False), mt.nn.BatchNorm1d(width), mt.nn.ReLU()]
            inputs = width
        self.mlp = mt.nn.Sequential(*layers, mt.nn.Linear(inputs, embedding_dim))

    def forward(self, context: mt.Tensor, geometry: mt.Tensor) -> mt.Tensor:
        """Return the predicted embeddings: (n, embedding_dim), (n, targets, 4) -> (n, targets, embedding_dim)."""
        n, targets, _ = geometry.shape
        x = mt.broadcast_to(context[:, None, :], (n, targets, context.shape[1]))  # (n, targets, embedding_dim)
        if self.uses_geometry:
            x = mt.concatenate([x, encode_geometry(geometry)], axis=-1)
        return self.mlp(x.reshape(n * targets, x.shape[2])).reshape(n, targets, -1)  # type: ignore[no-any-return]
