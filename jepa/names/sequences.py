"""A transformer for sequences of any length: of numbers, such as measurements over time, or of token ids."""

import minitensor as mt
from jepa.encoders.block import EPS, Block, initialize
from jepa.encoders.positions import sincos_positions
from jepa.errors import ConfigError


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
            return self.table(x)  # type: ignore[no-any-return]
        if x.ndim != 3 or x.shape[-1] != self.input_dim:
            ids = "" if self.table is None else ", or whole numbers with two axes"
            raise ValueError(f"this encoder takes sequences (steps, n, {self.input_dim}){ids}; got {x.shape} {x.dtype}")
        return self.embed(x)  # type: ignore[no-any-return]

    def tokens(self, x: mt.Tensor, valid: mt.Tensor | None = None) -> mt.Tensor:
        """Return one token for each step: (steps, n, input_dim) -> (n, steps, hidden_dim)."""
        x = self._embedded(x)
        x = x if self.batch_first else x.swapaxes(0, 1)
        x = x + mt.Tensor(sincos_positions(x.shape[1:2], self.dim), device=x.device).astype(x.dtype)
        for block in self.blocks:
            x = block(x, valid)
        return self.norm(x)  # type: ignore[no-any-return]

    def forward(self, x: mt.Tensor, valid: mt.Tensor | None = None) -> mt.Tensor:
        """Return the mean over the steps: (steps, n, input_dim) -> (n, hidden_dim)."""
        tokens = self.tokens(x, valid)
        if valid is None:
            return tokens.mean(axis=1)
        weight = valid.astype(tokens.dtype)[:, :, None]
        return (tokens * weight).sum(axis=1) / weight.sum(axis=1)  # type: ignore[no-any-return]
