"""ONNX files of a CNN, a ViT and a GRU compute in onnxruntime what the models compute here."""

import numpy as np
import pytest

import minitensor as mt
from minitensor import nn
from minitensor.interop.onnx import export

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")


def agree(model, inputs, path, tolerance=1e-5):
    inputs = inputs if isinstance(inputs, tuple) else (inputs,)
    export(model, inputs, path)
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [i.name for i in session.get_inputs()]
    found = session.run(None, {n: x.numpy() for n, x in zip(names, inputs, strict=True)})
    model.eval()
    with mt.no_grad():
        expected = model(*inputs)
    expected = expected if isinstance(expected, tuple) else (expected,)
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype
        np.testing.assert_allclose(a, b.numpy(), atol=tolerance, rtol=tolerance)
    return onnx.load(path)


def cnn():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8), nn.ReLU(),
        nn.Conv2d(8, 8, 3, padding=1, groups=4, dilation=1), nn.GELU(), nn.MaxPool2d(2), nn.AvgPool2d(2),
        nn.Flatten(), nn.Dropout(0.5), nn.Linear(32, 10),
    )  # fmt: skip


def test_cnn(tmp_path):
    mt.manual_seed(0)
    model = cnn()
    model(mt.randn(8, 3, 16, 16))  # running statistics that are not 0 and 1
    proto = agree(model, mt.randn(2, 3, 16, 16), tmp_path / "cnn.onnx")
    kinds = [node.op_type for node in proto.graph.node]
    assert kinds.count("Conv") == 2 and "MaxPool" in kinds and "AveragePool" in kinds
    assert "0.weight" in {i.name for i in proto.graph.initializer}
    assert model.training is False  # `agree` left it so, not export


class Vit(nn.Layer):
    """Patches, a class token, two pre-norm blocks."""

    def __init__(self, dim=16, heads=4):
        self.patch = nn.Conv2d(3, dim, 4, stride=4)
        self.token = nn.Parameter(np.random.default_rng(0).standard_normal((1, 1, dim)).astype("float32"))
        self.place = nn.Parameter(np.random.default_rng(1).standard_normal((1, 17, dim)).astype("float32"))
        self.blocks = nn.LayerList([Block(dim, heads) for _ in range(2)])
        self.norm = nn.LayerNorm(dim)

    def forward(self, images):
        x = self.patch(images).reshape(images.shape[0], -1, 16).swapaxes(1, 2)  # (n, 16, dim)
        x = mt.concatenate([mt.broadcast_to(self.token, (x.shape[0], 1, 16)), x], axis=1) + self.place
        for block in self.blocks:
            x = block(x)
        return self.norm(x)[:, 0]


class Block(nn.Layer):
    def __init__(self, dim, heads):
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))
        self.heads = heads

    def forward(self, x):
        n, t, d = x.shape
        q, k, v = (
            p.reshape(n, t, self.heads, d // self.heads).swapaxes(1, 2)
            for p in mt.split(self.qkv(self.norm1(x)), 3, axis=-1)
        )
        a = nn.functional.scaled_dot_product_attention(q, k, v).swapaxes(1, 2).reshape(n, t, d)
        x = x + self.out(a)
        return x + self.mlp(self.norm2(x))


def test_vit(tmp_path):
    mt.manual_seed(0)
    proto = agree(Vit(), mt.randn(2, 3, 16, 16), tmp_path / "vit.onnx")
    assert "LayerNormalization" in {node.op_type for node in proto.graph.node}


class Reader(nn.Layer):
    def __init__(self):
        self.embed = nn.Embedding(7, 5)
        self.gru = nn.GRU(5, 6, num_layers=2, batch_first=True, bidirectional=True)

    def forward(self, words):
        y, h = self.gru(self.embed(words))
        return y.max(axis=1), h


def test_gru_over_words(tmp_path):
    mt.manual_seed(0)
    words = mt.Tensor(np.random.default_rng(0).integers(0, 7, (3, 9)))
    agree(Reader(), words, tmp_path / "gru.onnx")


class Steps(nn.Layer):
    """The pointwise parts of recurrent layers, over a sequence taken apart."""

    def forward(self, x):
        h = c = mt.zeros((2, 3))
        for v in mt.ops.recurrent.separate(x, axis=1):
            h, c = mt.ops.recurrent.lstm_step(v, c)
            h = mt.ops.recurrent.gru_step(v[:, :9], v[:, 3:], h)
        return h, c


def test_recurrent_steps(tmp_path):
    agree(Steps(), mt.randn(2, 4, 12), tmp_path / "steps.onnx")


class Many(nn.Layer):
    """Ops that the models above do not use, and dtypes that meet."""

    def forward(self, x, k):
        a = mt.where(x > 0, x, 0.5 * x) ** 2 + k  # int64 meets float32
        b = mt.logsumexp(x, axis=1, keepdims=True) - x.min(axis=(0, 1)) / 3
        c = mt.clip(x[:, ::2], -0.5, 0.5)[..., 1] * mt.sigmoid(x[1:, 0]).sum()
        return (
            a,
            mt.concatenate([b, b], axis=-1),
            c,
            mt.argmax(x, axis=1),
            x[:, [1, 0]],
            mt.pad(x, ((0, 0), (1, 2), (0, 0))),
        )


def test_many_ops_inputs_and_results(tmp_path):
    x, k = mt.randn(2, 4, 3), mt.Tensor(np.arange(3))
    agree(Many(), (x, k), tmp_path / "many.onnx")


def test_errors(tmp_path):
    class Odd(nn.Layer):
        def forward(self, x):
            return mt.cumsum(x, axis=0)

    with pytest.raises(NotImplementedError, match="cumsum"):
        export(Odd(), mt.ones(3), tmp_path / "odd.onnx")
    with pytest.raises(ValueError, match="2 names for 1"):
        export(cnn(), mt.ones((1, 3, 16, 16)), tmp_path / "cnn.onnx", names=["a", "b"])
    model = cnn().train()
    export(model, mt.ones((1, 3, 16, 16)), tmp_path / "cnn.onnx")
    assert all(layer.training for layer in (model, *model))
