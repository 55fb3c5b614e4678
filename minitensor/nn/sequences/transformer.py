"""Transformers: stacks of the blocks in `transformer_layers.py`."""

from __future__ import annotations

import copy

import numpy as np
from numpy.typing import DTypeLike

from minitensor.nn import functional as F
from minitensor.nn.base.checks import whole
from minitensor.nn.base.layer import Layer
from minitensor.nn.containers import LayerList
from minitensor.nn.init import xavier_uniform_
from minitensor.nn.normalization.layer_norm import LayerNorm
from minitensor.nn.sequences.transformer_layers import Activation, TransformerDecoderLayer, TransformerEncoderLayer
from minitensor.tensor import Tensor

__all__ = ["Transformer", "TransformerDecoder", "TransformerEncoder"]


def _copies(name: str, layer: Layer, count: int) -> LayerList:
    whole(name, None, num_layers=count)
    if count < 0:
        raise ValueError(f"{name}: num_layers is at least 0; got {count}")
    return LayerList(copy.deepcopy(layer) for _ in range(count))


class TransformerEncoder(Layer):
    """y = norm(blockₙ(... block₁(x))): num_layers copies of `encoder_layer`, which start alike, then `norm` if given.

    Shapes: those of the block, (length, batch, d_model), the same out. enable_nested_tensor and mask_check are taken
    and change nothing. The blocks are `layers`, as in PyTorch: `named_layers()` gives everything inside. Raises
    ValueError for a negative number of layers. Reference: Vaswani et al. 2017.
    Differs from PyTorch: padded places are computed like all others, where its evaluation under no_grad gives 0.

    >>> from minitensor.nn import TransformerEncoderLayer
    >>> TransformerEncoder(TransformerEncoderLayer(8, 2, 16), 2)(Tensor(np.ones((5, 1, 8), np.float32))).shape
    (5, 1, 8)
    """

    def __init__(
        self,
        encoder_layer: Layer,
        num_layers: int,
        norm: Layer | None = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:
        self.layers: LayerList = _copies("TransformerEncoder", encoder_layer, num_layers)
        self.num_layers, self.norm = num_layers, norm

    def forward(
        self,
        src: Tensor,
        mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool | None = None,
    ) -> Tensor:
        """Return the sequence after all blocks; masks as in MultiheadAttention."""
        for block in self.layers:
            src = block(src, mask, src_key_padding_mask, is_causal=bool(is_causal))
        return src if self.norm is None else self.norm(src)


class TransformerDecoder(Layer):
    """y = norm(blockₙ(... block₁(x, memory), memory)): num_layers copies of `decoder_layer`, which start alike.

    Shapes: those of the block, x (n, batch, d_model) and memory (m, batch, d_model) -> (n, batch, d_model); `norm`
    comes last if given. The blocks are `layers`, as in PyTorch: `named_layers()` gives everything inside. Raises
    ValueError for a negative number of layers. Reference: Vaswani et al. 2017.

    >>> from minitensor.nn import TransformerDecoderLayer
    >>> x, memory = Tensor(np.ones((5, 1, 8), np.float32)), Tensor(np.ones((3, 1, 8), np.float32))
    >>> TransformerDecoder(TransformerDecoderLayer(8, 2, 16), 2)(x, memory).shape
    (5, 1, 8)
    """

    def __init__(self, decoder_layer: Layer, num_layers: int, norm: Layer | None = None) -> None:
        self.layers: LayerList = _copies("TransformerDecoder", decoder_layer, num_layers)
        self.num_layers, self.norm = num_layers, norm

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """Return the sequence after all blocks; masks as in MultiheadAttention."""
        masks = (tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask)
        for block in self.layers:
            tgt = block(tgt, memory, *masks, tgt_is_causal=bool(tgt_is_causal), memory_is_causal=memory_is_causal)
        return tgt if self.norm is None else self.norm(tgt)


class Transformer(Layer):
    """y = decoder(tgt, encoder(src)), stacks of attention blocks that each end with a LayerNorm.

    Shapes: src (m, batch, d_model) and tgt (n, batch, d_model) -> (n, batch, d_model); with batch_first the batch is
    axis 0; also without a batch. custom_encoder and custom_decoder take the place of the stacks. All matrices start as
    Xavier's uniform law. Raises ValueError for widths and batches that do not meet, and for heads that do not divide
    d_model. Reference: Vaswani et al. 2017.
    Differs from PyTorch: a row that is masked everywhere attends to nothing; the random numbers.

    >>> src, tgt = Tensor(np.ones((5, 1, 8), np.float32)), Tensor(np.ones((3, 1, 8), np.float32))
    >>> Transformer(8, 2, 1, 1, 16)(src, tgt, tgt_mask=Transformer.generate_square_subsequent_mask(3)).shape
    (3, 1, 8)
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = F.relu,
        custom_encoder: Layer | None = None,
        custom_decoder: Layer | None = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        *,
        generator: np.random.Generator | None = None,
    ) -> None:
        block = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias)
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first
        for name, given in (("custom_encoder", custom_encoder), ("custom_decoder", custom_decoder)):
            if given is not None and not isinstance(given, Layer):
                raise TypeError(f"Transformer: {name} is a Layer or None; got {given!r}")
        if custom_encoder is None:
            encoder_layer = TransformerEncoderLayer(*block, generator=generator)
            norm = LayerNorm(d_model, layer_norm_eps, bias=bias)
            custom_encoder = TransformerEncoder(encoder_layer, num_encoder_layers, norm)
        if custom_decoder is None:
            decoder_layer = TransformerDecoderLayer(*block, generator=generator)
            norm = LayerNorm(d_model, layer_norm_eps, bias=bias)
            custom_decoder = TransformerDecoder(decoder_layer, num_decoder_layers, norm)
        self.encoder, self.decoder = custom_encoder, custom_decoder
        for p in self.parameters():
            if p.ndim > 1:
                xavier_uniform_(p, generator=generator)

    def forward(
        self,
        src: Tensor,
        tgt: Tensor,
        src_mask: Tensor | None = None,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """Return the decoder's sequence; masks as in MultiheadAttention."""
        at = 0 if self.batch_first else 1
        if src.ndim == 3 and tgt.ndim == 3 and src.shape[at] != tgt.shape[at]:
            raise ValueError(f"Transformer: src {src.shape} and tgt {tgt.shape} differ in their batch, axis {at}")
        for name, x in (("src", src), ("tgt", tgt)):
            if x.shape[-1] != self.d_model:
                raise ValueError(f"Transformer: {name} has {self.d_model} features on its last axis; got {x.shape}")
        memory = self.encoder(src, src_mask, src_key_padding_mask, is_causal=src_is_causal)
        masks = (tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask)
        y: Tensor = self.decoder(tgt, memory, *masks, tgt_is_causal=tgt_is_causal, memory_is_causal=memory_is_causal)
        return y

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device: str = "cpu", dtype: DTypeLike = "float32") -> Tensor:
        """Return the mask (sz, sz) that hides what comes later: 0 up to the diagonal, -inf above it.

        >>> Transformer.generate_square_subsequent_mask(2)
        Tensor float32 (2, 2): [[ 0. -inf] [ 0. 0.]]
        """
        return Tensor(np.triu(np.full((sz, sz), -np.inf), 1), dtype=dtype, device=device)
