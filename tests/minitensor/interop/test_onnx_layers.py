"""Every layer of minitensor.nn as an ONNX file: the same on other inputs and batches, or refused by name."""

from __future__ import annotations

import numpy as np
import pytest

import minitensor as mt
from minitensor import nn

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from tests.minitensor.interop.onnx_check import Call, check  # noqa: E402

rng = np.random.default_rng(11)


def normal(*shape):
    return mt.Tensor(rng.standard_normal(shape).astype(np.float32))


def share(*shape):
    return mt.Tensor(rng.uniform(0.05, 0.95, shape).astype(np.float32))


def integers(high, *shape):
    return mt.Tensor(rng.integers(0, high, shape))


def signs(*shape):
    return mt.Tensor(np.sign(rng.standard_normal(shape)).astype(np.float32))


POINTWISE = """CELU ELU GELU SELU LogSigmoid Mish SiLU Sigmoid Softplus Softsign Tanh Tanhshrink Hardshrink Hardsigmoid
    Hardswish Hardtanh LeakyReLU PReLU RReLU ReLU ReLU6 Softshrink Identity Dropout AlphaDropout DropPath""".split()
LAYERS = {name: (getattr(nn, name)(), [2 * normal(3, 4)]) for name in POINTWISE}
LAYERS |= {f"Dropout{n}d": (getattr(nn, f"Dropout{n}d")(), [normal(2, 3, *(4,) * n)]) for n in (1, 2, 3)}
for n_ in (1, 2, 3):
    image_, wide_ = normal(2, 4, *(5,) * n_), normal(2, 4, *(6,) * n_)
    LAYERS |= {
        f"{name}{n_}d": (getattr(nn, f"{name}{n_}d")(*args, **settings), [x])
        for name, args, settings, x in (
            ("Conv", (4, 6, 3), {"stride": 2, "padding": 1, "groups": 2}, image_),
            ("ConvTranspose", (4, 6, 3), {"stride": 2, "padding": 1, "output_padding": 1, "groups": 2}, image_),
            ("MaxPool", (2,), {"stride": 1}, image_), ("AvgPool", (3,), {"stride": 2, "padding": 1}, image_),
            ("LPPool", (2.0, 2), {}, image_), ("AdaptiveAvgPool", (1,), {}, image_),
            ("AdaptiveMaxPool", (2,), {}, image_), ("BatchNorm", (4,), {}, image_), ("InstanceNorm", (4,), {}, image_),
            ("ZeroPad", (1,), {}, image_), ("ConstantPad", (2, 0.5), {}, image_), ("ReflectionPad", (2,), {}, image_),
            ("ReplicationPad", (1,), {}, image_), ("CircularPad", (1,), {}, image_),
        )
    } | {
        f"Conv{n_}d, same": (getattr(nn, f"Conv{n_}d")(4, 3, 2, padding="same", bias=False), [image_]),
        f"Conv{n_}d, dilation": (getattr(nn, f"Conv{n_}d")(4, 3, 2, dilation=2), [image_]),
        f"Conv{n_}d, one": (getattr(nn, f"Conv{n_}d")(4, 3, 2), [normal(4, *(5,) * n_)]),
        f"ConvTranspose{n_}d, dilation": (
            getattr(nn, f"ConvTranspose{n_}d")(4, 3, 2, dilation=2, output_padding=1), [image_]
        ),
        f"MaxPool{n_}d, ceil": (getattr(nn, f"MaxPool{n_}d")(2, ceil_mode=True, padding=1), [image_]),
        f"MaxPool{n_}d, indices": (getattr(nn, f"MaxPool{n_}d")(2, return_indices=True), [wide_]),
        f"MaxPool{n_}d, dilation": (getattr(nn, f"MaxPool{n_}d")(2, 1, dilation=2), [image_]),
        f"AvgPool{n_}d, ceil": (getattr(nn, f"AvgPool{n_}d")(2, ceil_mode=True), [image_]),
        f"AvgPool{n_}d, inner": (getattr(nn, f"AvgPool{n_}d")(3, 2, 1, count_include_pad=False), [image_]),
        f"AdaptiveAvgPool{n_}d, uneven": (getattr(nn, f"AdaptiveAvgPool{n_}d")(3), [image_]),
        f"AdaptiveMaxPool{n_}d, indices": (getattr(nn, f"AdaptiveMaxPool{n_}d")(3, return_indices=True), [image_]),
        f"MaxUnpool{n_}d": (
            getattr(nn, f"MaxUnpool{n_}d")(2),
            list(getattr(nn, f"MaxPool{n_}d")(2, return_indices=True)(wide_)),
        ),
        f"InstanceNorm{n_}d, tracked": (getattr(nn, f"InstanceNorm{n_}d")(4, 1e-3, 0.3, True, True), [image_]),
        f"BatchNorm{n_}d, bare": (getattr(nn, f"BatchNorm{n_}d")(4, affine=False), [image_]),
    }  # fmt: skip
PICTURE = normal(2, 4, 6, 6)
BAG, CELL, CHAIN = nn.EmbeddingBag(7, 3, mode="sum"), nn.LSTMCell(3, 5), nn.LSTM(3, 5, batch_first=True)
LAYERS |= {
    "CELU, alpha": (nn.CELU(1.3), [normal(3, 4)]), "ELU, alpha": (nn.ELU(0.7), [normal(3, 4)]),
    "GELU, tanh": (nn.GELU("tanh"), [normal(3, 4)]), "Softplus, settings": (nn.Softplus(2.0, 1.0), [normal(3, 4)]),
    "Hardtanh, bounds": (nn.Hardtanh(-0.5, 0.3), [normal(3, 4)]), "Threshold": (nn.Threshold(0.1, 20), [normal(3, 4)]),
    "PReLU, channels": (nn.PReLU(4), [normal(2, 4, 3)]), "FeatureAlphaDropout": (nn.FeatureAlphaDropout(), [PICTURE]),
    "GLU": (nn.GLU(), [normal(3, 4)]), "SwiGLU": (nn.SwiGLU(), [normal(3, 4)]), "Softmax": (nn.Softmax(1), [PICTURE]),
    "Softmax, batch": (nn.Softmax(0), [normal(3, 4)]), "LogSoftmax": (nn.LogSoftmax(-1), [normal(3, 4)]),
    "Softmin": (nn.Softmin(1), [normal(3, 4)]), "Softmax2d": (nn.Softmax2d(), [PICTURE]),
    "Flatten": (nn.Flatten(), [PICTURE]), "Flatten, all": (nn.Flatten(0), [PICTURE]),
    "Unflatten": (nn.Unflatten(1, (2, 2)), [PICTURE]), "Linear": (nn.Linear(4, 3), [normal(5, 4)]),
    "Linear, tokens": (nn.Linear(4, 3, bias=False), [normal(2, 5, 4)]), "Linear, one": (nn.Linear(4, 3), [normal(4)]),
    "Bilinear": (nn.Bilinear(3, 4, 2), [normal(5, 3), normal(5, 4)]),
    "Embedding": (nn.Embedding(7, 3, padding_idx=1), [integers(7, 4, 5)]),
    "EmbeddingBag": (nn.EmbeddingBag(7, 3), [integers(7, 4, 5)]),
    "EmbeddingBag, max": (nn.EmbeddingBag(7, 3, mode="max", padding_idx=1), [integers(7, 4, 5)]),
    "EmbeddingBag, weights": (
        Call(lambda x, w: BAG(x, per_sample_weights=w)),
        [integers(7, 4, 5), normal(4, 5)],
    ),
    "GRN": (nn.GRN(4), [PICTURE]), "GroupNorm": (nn.GroupNorm(2, 4), [PICTURE]),
    "LayerNorm": (nn.LayerNorm([6, 6]), [PICTURE]),
    "LayerNorm, bare": (nn.LayerNorm(6, elementwise_affine=False), [PICTURE]),
    "LayerNorm2d": (nn.LayerNorm2d(4), [PICTURE]), "LocalResponseNorm": (nn.LocalResponseNorm(3), [PICTURE]),
    "RMSNorm": (nn.RMSNorm(6), [PICTURE]), "BatchNorm1d, rows": (nn.BatchNorm1d(4), [normal(5, 4)]),
    "ChannelShuffle": (nn.ChannelShuffle(2), [PICTURE]), "PixelShuffle": (nn.PixelShuffle(2), [PICTURE]),
    "PixelUnshuffle": (nn.PixelUnshuffle(2), [PICTURE]), "Unfold": (nn.Unfold(3, 1, 1, 2), [PICTURE]),
    "Fold": (nn.Fold(6, 3, padding=1, stride=2), [normal(2, 18, 9)]),
    "Upsample": (nn.Upsample(scale_factor=2), [PICTURE]),
    "Upsample, bicubic": (nn.Upsample((9, 7), mode="bicubic", align_corners=False), [PICTURE]),
    "Upsample, trilinear": (nn.Upsample(5, mode="trilinear"), [normal(2, 2, 3, 3, 3)]),
    "Upsample, linear": (nn.Upsample(5, mode="linear"), [normal(2, 2, 3)]),
    "UpsamplingBilinear2d": (nn.UpsamplingBilinear2d(9), [PICTURE]),
    "UpsamplingNearest2d": (nn.UpsamplingNearest2d(9), [PICTURE]),
    "GRUCell": (nn.GRUCell(3, 5), [normal(4, 3), normal(4, 5)]), "RNNCell": (nn.RNNCell(3, 5), [normal(4, 3)]),
    "LSTMCell": (Call(lambda x, h, c: CELL(x, (h, c))), [normal(4, n) for n in (3, 5, 5)]),
    "Sequential": (nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)), [normal(5, 4)]),
}  # fmt: skip
for kind_, more_ in (("RNN", {"nonlinearity": "relu"}), ("GRU", {}), ("LSTM", {"proj_size": 2})):
    layer_ = getattr(nn, kind_)
    LAYERS |= {
        kind_: (layer_(3, 5), [normal(4, 2, 3)]),
        f"{kind_}, batch first, two ways, two layers, no bias": (
            layer_(3, 5, num_layers=2, batch_first=True, bidirectional=True, bias=False), [normal(2, 4, 3)]
        ),
        f"{kind_}, one": (layer_(3, 5), [normal(4, 3)]),
        f"{kind_}, {more_}": (layer_(3, 5, batch_first=True, bidirectional=True, **more_), [normal(2, 4, 3)]),
    }  # fmt: skip
for kind_ in ("RNN", "GRU"):
    LAYERS[f"{kind_}, state"] = getattr(nn, kind_)(3, 5, batch_first=True), [normal(2, 4, 3), normal(1, 2, 5)]
LAYERS["LSTM, state"] = (
    Call(lambda x, h, c: CHAIN(x, (h, c))),
    [normal(2, 4, 3), normal(1, 2, 5), normal(1, 2, 5)],
)  # fmt: skip
ATTENTION = nn.MultiheadAttention(8, 2, batch_first=True)
HIDDEN, CAUSAL = (
    mt.Tensor(np.array([[False, False, True], [False, True, True]])),
    mt.Tensor(np.triu(np.ones((3, 3), bool), 1)),
)
TOKENS = normal(2, 3, 8)
ENCODER = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2).eval()
LAYERS |= {
    "MultiheadAttention": (ATTENTION, [TOKENS, TOKENS, TOKENS]),
    "MultiheadAttention, padding": (Call(lambda x, m: ATTENTION(x, x, x, key_padding_mask=m)), [TOKENS, HIDDEN]),
    "MultiheadAttention, bool mask": (Call(lambda x, m: ATTENTION(x, x, x, attn_mask=m)), [TOKENS, CAUSAL]),
    "MultiheadAttention, float mask": (Call(lambda x, m: ATTENTION(x, x, x, attn_mask=m)), [TOKENS, normal(3, 3)]),
    "MultiheadAttention, both masks": (
        Call(lambda x, m, k: ATTENTION(x, x, x, key_padding_mask=k, attn_mask=m)), [TOKENS, normal(3, 3), HIDDEN]
    ),
    "MultiheadAttention, causal": (
        Call(lambda x: ATTENTION(x, x, x, attn_mask=CAUSAL, is_causal=True, need_weights=False)[0]), [TOKENS]
    ),
    "MultiheadAttention, biases": (
        nn.MultiheadAttention(8, 2, batch_first=True, add_bias_kv=True, add_zero_attn=True), [TOKENS, TOKENS, TOKENS]
    ),
    "MultiheadAttention, sequence first": (nn.MultiheadAttention(8, 2, kdim=4, vdim=6), [
        normal(3, 2, 8), normal(5, 2, 4), normal(5, 2, 6)
    ]),
    "TransformerEncoderLayer": (nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), [TOKENS]),
    "TransformerEncoderLayer, norm first": (
        nn.TransformerEncoderLayer(8, 2, 16, activation="gelu", batch_first=True, norm_first=True), [TOKENS]
    ),
    "TransformerEncoder": (
        Call(lambda x, m: ENCODER(x, src_key_padding_mask=m)), [TOKENS, HIDDEN]
    ),
    "TransformerDecoderLayer": (nn.TransformerDecoderLayer(8, 2, 16, batch_first=True), [TOKENS, normal(2, 5, 8)]),
    "TransformerDecoder": (
        nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2, 16, batch_first=True), 2), [TOKENS, normal(2, 5, 8)]
    ),
    "Transformer": (nn.Transformer(8, 2, 1, 1, 16, batch_first=True), [TOKENS, normal(2, 5, 8)]),
}  # fmt: skip
X, T = normal(4, 3), normal(4, 3)
LAYERS |= {
    name: (getattr(nn, name)(), xs)
    for name, xs in {
        "BCELoss": [share(4, 3), share(4, 3)], "BCEWithLogitsLoss": [X, share(4, 3)], "HuberLoss": [X, T],
        "HingeEmbeddingLoss": [X, signs(4, 3)], "MultiLabelSoftMarginLoss": [X, share(4, 3)], "L1Loss": [X, T],
        "SoftMarginLoss": [X, signs(4, 3)], "CrossEntropyLoss": [X, integers(3, 4)], "MSELoss": [X, T],
        "MultiMarginLoss": [X, integers(3, 4)], "NLLLoss": [X, integers(3, 4)], "SmoothL1Loss": [X, T],
        "GaussianNLLLoss": [X, T, share(4, 3)], "KLDivLoss": [X, share(4, 3)], "PoissonNLLLoss": [X, share(4, 3)],
        "CosineEmbeddingLoss": [X, T, signs(4)], "CosineSimilarity": [X, T], "PairwiseDistance": [X, T],
        "MarginRankingLoss": [normal(4), normal(4), signs(4)], "TripletMarginLoss": [X, T, normal(4, 3)],
    }.items()
}  # fmt: skip
LAYERS |= {
    "CrossEntropyLoss, settings": (
        nn.CrossEntropyLoss(share(3), ignore_index=1, label_smoothing=0.1, reduction="none"), [X, integers(3, 4)]
    ),
    "CrossEntropyLoss, soft": (nn.CrossEntropyLoss(), [X, share(4, 3)]),
    "BCEWithLogitsLoss, weights": (nn.BCEWithLogitsLoss(pos_weight=share(3)), [X, share(4, 3)]),
}  # fmt: skip
FIXED = {  # the first axis is no batch: it stays as long as the example's, and that is said
    "Linear, one", "Conv1d, one", "Conv2d, one", "Conv3d, one",
}  # fmt: skip
AXES = {"RNN, state": (0, 1), "GRU, state": (0, 1), "LSTM, state": (0, 1, 1)}
REFUSED = {
    "CTCLoss": (nn.CTCLoss(), [nn.LogSoftmax(-1)(normal(5, 2, 3)), mt.Tensor([[1, 2], [2, 1]]), mt.Tensor([5, 4]),
                               mt.Tensor([2, 1])], "ctc_loss"),
    "MultiLabelMarginLoss": (nn.MultiLabelMarginLoss(), [X, mt.Tensor([[0, 2, -1]] * 4)], "layer MultiLabelMarginLoss"),
    "EmbeddingBag, offsets": (nn.EmbeddingBag(7, 3), [integers(7, 6), mt.Tensor([0, 2, 5])], "layer EmbeddingBag"),
    "Embedding, max_norm": (nn.Embedding(7, 3, max_norm=0.5), [integers(7, 4)], "changes weight|in place"),
}  # fmt: skip
ABSTRACT = {"Layer", "LayerDict", "LayerList", "ParameterDict", "ParameterList"}  # they have no forward


@pytest.mark.parametrize("name", LAYERS)
def test_the_same(name, tmp_path):
    model, xs = LAYERS[name]
    found = check(model, xs, tmp_path / "model.onnx", axes=AXES.get(name, 0))
    assert found.said == [] or name in FIXED, found.said
    assert found.free or name in FIXED


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name, tmp_path):
    model, xs, words = REFUSED[name]
    with pytest.raises(NotImplementedError, match=words):
        check(model, xs, tmp_path / "model.onnx")


def test_every_layer_is_here():
    kinds = {n for n in nn.__all__ if isinstance(getattr(nn, n), type) and issubclass(getattr(nn, n), nn.Layer)}
    assert kinds - ABSTRACT == {name.partition(",")[0] for name in (*LAYERS, *REFUSED)}
