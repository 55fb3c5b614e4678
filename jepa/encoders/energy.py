"""The energy transformer: one block whose forward pass is a step down an energy, repeated with tied weights."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np

import minitensor as mt
from jepa.config.settings import Rule, setting
from jepa.encoders.block import EPS, NOWHERE, STD
from jepa.encoders.vit import PatchSettings, ViT

STEP: Rule = (lambda v: 0 < v <= 100), "must be above 0 and at most 100"


class EnergyNorm(mt.nn.Layer):
    """g = γ (x - mean) / √(var + ε) + δ over the last axis, γ one number and δ a vector (Hoover et al. 2023, eq. 1).

    The usual layer norm has one γ for each entry. With a single positive one, ∂g/∂x is symmetric and positive
    semidefinite, so that -∂E/∂g, taken as the direction of x, never leads up: dE/dt = -∂E/∂gᵀ (∂g/∂x) ∂E/∂g <= 0.

    >>> EnergyNorm(2)(mt.Tensor([[1.0, 3.0]]))
    Tensor float32 (1, 2) from add: [[-1. 1.]]
    """

    def __init__(self, dim: int) -> None:
        self.weight = mt.nn.Parameter(np.ones((), np.float32))
        self.bias = mt.nn.Parameter(np.zeros(dim, np.float32))

    def forward(self, x: mt.Tensor) -> mt.Tensor:
        """Return the normalized tokens."""
        return mt.nn.functional.layer_norm(x, (x.shape[-1],), eps=EPS) * self.weight + self.bias


class EnergyAttention(mt.nn.Layer):
    """E = -Σ_h 1/β_h Σ_q log Σ_k exp(β_h ⟨Q_hq, K_hk⟩), Q = W_q g, K = W_k g (Hoover et al. 2023, eq. 2).

    There are no values: a token is drawn to what it looks at, and to what looks at it. `forward` returns the direction
    down, in closed form, with A = softmax_k(β_h ⟨Q_hq, K_hk⟩):

        -∂E/∂g_i = Σ_h W_qhᵀ Σ_k A_hik K_hk + W_khᵀ Σ_q A_hqi Q_hq

    β is learned for each head, from 1/√(dim / heads). A token sees itself too, as in the authors' code (their paper
    leaves it out). `valid` (n, tokens), where given: padding neither looks nor is looked at.
    (n, tokens, dim) -> (n, tokens, dim). Raises ValueError unless heads divide dim.

    >>> EnergyAttention(8, 2)(mt.ones((1, 5, 8))).shape
    (1, 5, 8)
    """

    def __init__(self, dim: int, heads: int) -> None:
        if heads < 1 or dim % heads:
            raise ValueError(f"heads={heads} must divide dim={dim}: each head gets dim / heads of the numbers")
        self.heads = heads
        self.query = mt.nn.Parameter(np.zeros((dim, dim), np.float32))  # rows: heads x dim / heads
        self.key = mt.nn.Parameter(np.zeros((dim, dim), np.float32))
        self.beta = mt.nn.Parameter(np.full(heads, (dim / heads) ** -0.5, np.float32))
        for weight in (self.query, self.key):
            mt.nn.init.trunc_normal_(weight, std=STD)

    def _heads(self, g: mt.Tensor, weight: mt.Tensor) -> mt.Tensor:
        n, tokens, dim = g.shape
        return (g @ weight.T).reshape(n, tokens, self.heads, dim // self.heads).transpose(0, 2, 1, 3)

    def _similarity(self, q: mt.Tensor, k: mt.Tensor, valid: mt.Tensor | None) -> mt.Tensor:
        """Return β ⟨Q, K⟩, (n, heads, tokens, tokens)."""
        s = (q * self.beta[:, None, None]) @ k.swapaxes(-1, -2)
        return s if valid is None else mt.where(valid[:, None, None, :], s, NOWHERE)

    def weights(self, g: mt.Tensor, valid: mt.Tensor | None = None) -> mt.Tensor:
        """Return how much each token (axis 2) looks at each other (axis 3): (n, heads, tokens, tokens)."""
        s = self._similarity(self._heads(g, self.query), self._heads(g, self.key), valid)
        return mt.nn.functional.softmax(s, -1)

    def energy(self, g: mt.Tensor, valid: mt.Tensor | None = None) -> mt.Tensor:
        """Return the energy of each sample: (n, tokens, dim) -> (n,)."""
        s = self._similarity(self._heads(g, self.query), self._heads(g, self.key), valid)
        each = mt.logsumexp(s, -1) / self.beta[:, None]  # (n, heads, tokens)
        return -(each if valid is None else mt.where(valid[:, None, :], each, 0.0)).sum(axis=(1, 2))

    def forward(self, g: mt.Tensor, valid: mt.Tensor | None = None) -> mt.Tensor:
        """Return -∂E/∂g."""
        q, k = self._heads(g, self.query), self._heads(g, self.key)
        a = mt.nn.functional.softmax(self._similarity(q, k, valid), -1)
        if valid is not None:
            a = mt.where(valid[:, None, :, None], a, 0.0)
        looks, seen = a @ k, a.swapaxes(-1, -2) @ q  # (n, heads, tokens, dim / heads) each
        looks, seen = (x.transpose(0, 2, 1, 3).reshape(*g.shape) for x in (looks, seen))
        return looks @ self.query + seen @ self.key


class Hopfield(mt.nn.Layer):
    """An energy that is low where a token resembles one of `memories` learned patterns, the columns of W.

        kind="relu":     E = -1/2 Σ relu(g W)²                   -∂E/∂g = relu(g W) Wᵀ
        kind="softmax":  E = -1/β Σ_tokens log Σ_m exp(β g W)    -∂E/∂g = softmax(β g W) Wᵀ

    `forward` returns the direction down, -∂E/∂g. β is learned, from 0.01; with relu it would only scale W, and is left
    out. (n, tokens, dim) -> (n, tokens, dim). Reference: Hoover et al. 2023, eq. 4.

    >>> Hopfield(8, 32)(mt.ones((1, 5, 8))).shape
    (1, 5, 8)
    """

    def __init__(self, dim: int, memories: int, kind: str = "relu") -> None:
        self.memories = mt.nn.Parameter(np.zeros((dim, memories), np.float32))
        self.beta = None if kind == "relu" else mt.nn.Parameter(np.full((), 0.01, np.float32))
        mt.nn.init.trunc_normal_(self.memories, std=STD)

    def energy(self, g: mt.Tensor, valid: mt.Tensor | None = None) -> mt.Tensor:
        """Return the energy of each sample: (n, tokens, dim) -> (n,)."""
        h = g @ self.memories
        if self.beta is None:
            each = 0.5 * (mt.relu(h) ** 2).sum(axis=-1)  # (n, tokens)
        else:
            each = mt.logsumexp(self.beta * h, -1) / self.beta
        return -(each if valid is None else mt.where(valid, each, 0.0)).sum(axis=1)

    def forward(self, g: mt.Tensor) -> mt.Tensor:
        """Return -∂E/∂g. Each token's is its own, so padding concerns no other."""
        h = g @ self.memories
        drive = mt.relu(h) if self.beta is None else mt.nn.functional.softmax(self.beta * h, -1)
        return drive @ self.memories.T


class EnergyBlock(mt.nn.Layer):
    """One step down: x ← x - step · ∂E/∂g, g = norm(x), E = E_attention + E_Hopfield.

    For small steps the energy falls with each: see `EnergyNorm`. (n, tokens, dim) -> (n, tokens, dim).

    >>> mt.manual_seed(0)
    >>> block, x = EnergyBlock(8, 2, 32), mt.randn((1, 5, 8))
    >>> bool(block.energy(block(x))[0] < block.energy(x)[0])
    True
    """

    def __init__(self, dim: int, heads: int, memories: int, hopfield: str = "relu", step: float = 0.1) -> None:
        self.step = step
        self.norm = EnergyNorm(dim)
        self.attn = EnergyAttention(dim, heads)
        self.hopfield = Hopfield(dim, memories, hopfield)

    def energy(self, x: mt.Tensor, valid: mt.Tensor | None = None) -> mt.Tensor:
        """Return the energy of each sample: (n, tokens, dim) -> (n,)."""
        g = self.norm(x)
        return self.attn.energy(g, valid) + self.hopfield.energy(g, valid)

    def weights(self, x: mt.Tensor, valid: mt.Tensor | None = None) -> mt.Tensor:
        """Return how much each token (axis 2) looks at each other (axis 3): (n, heads, tokens, tokens)."""
        return self.attn.weights(self.norm(x), valid)

    def forward(self, x: mt.Tensor, valid: mt.Tensor | None = None) -> mt.Tensor:
        """Return the tokens one step further down."""
        g = self.norm(x)
        y: mt.Tensor = x + self.step * (self.attn(g, valid) + self.hopfield(g))
        return y


@dataclass(frozen=True)
class EnergySettings(PatchSettings):
    """Of the energy transformer."""

    hopfield: Literal["relu", "softmax"] = setting("relu")
    """how a token that resembles a memory lowers the energy"""
    step: float = setting(0.1, STEP)
    """size of a step"""


class EnergyTransformer(ViT):
    """A vision transformer whose blocks are `depth` steps down one energy, all with the same weights.

        x = patches W + b + positions;   x = x[keep];   x ← x - step · ∂E/∂g, `depth` times;   y = norm(x)

    Called as a `ViT` is, with the same shapes and pools. dim · mlp_ratio is the number of Hopfield memories. The
    weights start from N(0, 0.02²) (the authors' from N(0, 0.002²), with which a block hardly moves a token at first).

    Reference: Hoover et al. 2023, "Energy Transformer".

    >>> encoder = EnergyTransformer((3, 32, 32), patch=8, dim=16, depth=4, heads=2)
    >>> encoder.tokens(mt.ones((3, 3, 32, 32))).shape, len(encoder.blocks)
    ((3, 16, 16), 1)
    """

    Settings = EnergySettings

    def _body(self) -> Iterator[mt.nn.Layer]:
        s = self.settings
        yield EnergyBlock(s.dim, s.heads, int(s.dim * s.mlp_ratio), s.hopfield, s.step)

    def _initialize(self) -> None:
        mt.nn.init.trunc_normal_(self.patch_embed.proj.weight, std=STD)
        mt.nn.init.zeros_(cast(mt.Tensor, self.patch_embed.proj.bias))
        self._draw_tokens()

    def steps(self) -> list[Any]:
        """Return the one block, `depth` times."""
        return [self.blocks[0]] * self.settings.depth

    def energies(self, x: mt.Tensor) -> mt.Tensor:
        """Return the energy of each example before the first step and after each: (depth + 1, n)."""
        x = self._with_others(self.embed(x))
        return mt.stack([self.steps()[0].energy(y) for y in (x, *self.body(x))])

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, {self.settings.hopfield} Hopfield, step {self.settings.step}"
