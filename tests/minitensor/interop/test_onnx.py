"""ONNX files of a CNN, a ViT and a GRU compute in onnxruntime what the models compute here."""

import numpy as np
import pytest

import minitensor as mt
from minitensor import nn
from minitensor.interop.onnx import export, exporting

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")
from tests.minitensor.interop.onnx_check import Call, check  # noqa: E402


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
        for v in mt.ops.nn.recurrent.separate(x, axis=1):
            h, c = mt.ops.nn.recurrent.lstm_step(v, c)
            h = mt.ops.nn.recurrent.gru_step(v[:, :9], v[:, 3:], h)
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


# -- what the example decides ------------------------------------------------------------------------------------------


def other(model, inputs, path, **settings):
    """Export without a word, and hold the file to the model on other inputs and batches."""
    found = check(model, inputs, path, **settings)
    assert found.said == [], found.said
    return onnx.load(path)


X = mt.Tensor(np.random.default_rng(3).standard_normal((4, 3)).astype(np.float32))


class Noisy(nn.Layer):
    def __init__(self):
        self.register_buffer("count", mt.zeros(()))

    def forward(self, x):
        self.count[...] = self.count + 1
        return x * self.count


def _in_place(x):
    y = x * 2
    y[:, 0] = 0.0
    return y


def _raw_in_place(x):
    y = x * 2
    y.data[:, 0] = 0.0
    return y


@pytest.mark.parametrize("function, words", [
    (lambda x: x + mt.Tensor(x.numpy().mean(axis=0)), "add in layer Call takes another array"),
    (lambda x: x + mt.Tensor(np.sin(x.data)), "add in layer Call takes another array"),
    (lambda x: x * float(x.sum()), "multiply in layer Call takes another"),
    (lambda x: x * x.max().item(), "multiply in layer Call takes another"),
    (lambda x: x[: int(abs(x[0, 0]) * 2) + 1], "getitem in layer Call takes another"),
    (lambda x: x.exp() if x.sum() > 0 else x.tanh(), "in layer Call .* for other inputs"),
    (lambda x: x.exp() if x.data.sum() > 0 else x.tanh(), "in layer Call .* for other inputs"),
    (lambda x: mt.Tensor(np.argsort(x.data, axis=0)), "the model's result output takes another array"),
    (lambda x: x[x > 0].reshape(1, -1) + x[x > 0].shape[0], "add in layer Call takes another"),
    (lambda x: x + mt.randn(4, 3), "in every run: random numbers"),
    (lambda x: nn.functional.dropout(x, 0.5, training=True), "in every run: random numbers"),
    (_in_place, "layer Call changes a Tensor in place"),
    (_raw_in_place, "layer Call changes a Tensor in place"),
    (lambda x: mt.linalg.inv(x[:3]), r"inverse \(in inv\) in layer Call has no counterpart"),
    (lambda x: mt.fft.fft(x), "fft in layer Call computes with complex numbers"),
    (lambda x: mt.nn.functional.one_hot(abs(x * 9).astype("int64")), "one_hot in layer Call takes another"),
])  # fmt: skip
def test_what_the_example_decides_is_refused(function, words, tmp_path):
    with pytest.raises(NotImplementedError, match=words):
        check(Call(function), [X], tmp_path / "x.onnx")


def test_a_model_that_changes_itself_is_refused(tmp_path):
    with pytest.raises(NotImplementedError, match="changes count as it runs"):
        export(Noisy(), X, tmp_path / "x.onnx")


def test_an_own_op_is_refused_by_its_name(tmp_path):
    @mt.op
    def square(x):  # ours has this name too
        return x * x * x

    with pytest.raises(NotImplementedError, match="square in layer Call"):
        export(Call(square), X, tmp_path / "x.onnx")


@pytest.mark.parametrize("function, words", [
    (lambda x: x * 2 if bool((abs(x) < 1000).all()) else x, r"bool\(\) in layer Call, test_onnx.py"),
    (lambda x: mt.ones(2), "the result output depends on no input"),
    (lambda x: x[:2].reshape(2, 3) + x[2:].reshape(2, 3), "keeps the example's length"),
    (lambda x: x.squeeze() * 1 if x.shape[0] > 1 else x.squeeze() * 2, "with a length of 1 on the batch axis"),
])  # fmt: skip
def test_what_it_may_decide_is_said(function, words, tmp_path):
    with pytest.warns(UserWarning, match=words):
        export(Call(function), X, tmp_path / "x.onnx")


def test_an_input_that_nothing_takes_is_said(tmp_path):
    with pytest.warns(UserWarning, match="no node of the file takes input1"):
        export(Call(lambda x, y: x + 1), (X, X), tmp_path / "x.onnx")
    with pytest.raises(NotImplementedError, match=r"input1 are read by numpy\(\) in layer Call"):
        export(Call(lambda x, y: x + 0 * int(y.numpy().size)), (X, X), tmp_path / "x.onnx")


@pytest.mark.parametrize("function", [
    lambda x: x.detach() + mt.Tensor(x) + x.clone() + mt.Tensor(x, dtype="float64").astype("float32"),
    lambda x: x + mt.zeros(x.shape) + mt.arange(x.shape[0])[:, None] + mt.ones((x.shape[0], 1)),
    lambda x: x[mt.arange(x.shape[0]), abs(x * 3).astype("int64")[:, 0] % 3],
    lambda x: x.reshape(x.shape[0] * 3)[mt.Tensor((np.arange(x.shape[0])[:, None] * 3 + [2, 0]).reshape(-1))],
    lambda x: mt.where(x > 0, x, 0.0) + mt.where(x > 1, 1.0, 0.0) + x.var(axis=0) * x.shape[0],
    lambda x: mt.index_put(x, x < 0, 0.0),
    lambda x: mt.index_put(x, (slice(None), mt.Tensor([2, 0])), x[:, :2] * 2),
    lambda x: {"mean": x.mean(), "parts": [x[:, 0], (x[:, 1], None)]},
    lambda x: mt.concatenate([x, x.flip(0)], axis=0).sum(axis=1),
])  # fmt: skip
def test_the_batch_is_free(function, tmp_path):
    other(Call(function), [X], tmp_path / "x.onnx")


def test_indices_and_masks_that_are_inputs(tmp_path):
    places, mask = mt.Tensor(np.array([[2, 0], [1, -1]])), mt.Tensor(np.array([True, False, True]))
    other(Call(lambda i, x: x[i]), [places, X], tmp_path / "x.onnx")
    other(Call(lambda i, x: x[:, i, None]), [places % 3, X], tmp_path / "x.onnx")
    put = Call(lambda i, x: mt.index_put(x, (i, i % 2), 1.0 + x[:2, :2]))
    other(put, [places, X], tmp_path / "x.onnx", axes=None)
    check(Call(lambda x, m: x.T[m].sum()), [X, mask], tmp_path / "x.onnx")
    check(Call(lambda x, m: mt.masked_select(x, m)), [X, mask], tmp_path / "x.onnx")


@pytest.mark.parametrize("dtype, tolerance", [("float16", 2e-3), ("float64", 1e-12)])
def test_other_precisions(dtype, tolerance, tmp_path):
    draw = np.random.default_rng(0)
    images, steps = (mt.Tensor(draw.standard_normal(s).astype(dtype)) for s in ((2, 3, 6, 6), (2, 4, 3)))
    mlp = nn.Sequential(nn.Linear(3, 5), nn.LayerNorm(5), nn.ReLU(), nn.Linear(5, 2), nn.Softmax(-1))
    for model, x in ((mlp, X.astype(dtype)), (nn.Conv2d(3, 4, 3), images), (nn.LSTM(3, 5, batch_first=True), steps)):
        other(model.to(dtype=dtype), [x], tmp_path / "x.onnx", tolerance=tolerance)


def test_the_batch_axis_may_be_another_or_none(tmp_path):
    steps = mt.Tensor(np.zeros((5, 2, 3), np.float32))
    other(nn.GRU(3, 4), [steps], tmp_path / "x.onnx", axes=1)
    export(nn.Linear(3, 4), X, tmp_path / "x.onnx", batch_axis=None)
    (given,) = onnx.load(tmp_path / "x.onnx").graph.input
    assert [d.dim_value for d in given.type.tensor_type.shape.dim] == [4, 3]
    with pytest.raises(ValueError, match="equally long"):
        export(Call(lambda x, y: x), (X, X), tmp_path / "x.onnx", batch_axis=(0, 1))


def test_nodes_that_runtimes_are_fast_at(tmp_path):
    proto = other(nn.LSTM(3, 4, batch_first=True, bidirectional=True), [mt.randn(2, 5, 3)], tmp_path / "x.onnx")
    kinds = [node.op_type for node in proto.graph.node]
    assert kinds.count("LSTM") == 2 and "MatMul" not in kinds
    proto = other(nn.Conv2d(3, 4, 3), [mt.randn(2, 3, 5, 5)], tmp_path / "x.onnx")
    assert [node.op_type for node in proto.graph.node] == ["Conv", "Identity"]
    assert {i.name for i in proto.graph.initializer} == {"weight", "bias"}


def test_large_weights_stand_in_a_second_file(tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "LARGE", 1000)
    other(nn.Linear(3, 400), [X], tmp_path / "x.onnx")
    assert (tmp_path / "x.onnx.data").exists()


def test_the_model_is_left_as_it_was(tmp_path):
    mt.manual_seed(0)
    model, x = cnn().train(), mt.ones((2, 3, 16, 16))
    before, generator = model.state_dict(), mt.default_generator().bit_generator.state
    export(model, x, tmp_path / "cnn.onnx")
    assert all(layer.training for layer in (model, *model))
    assert all(np.array_equal(v, before[k]) for k, v in model.state_dict().items())
    assert mt.default_generator().bit_generator.state == generator
    assert x.data.flags.writeable and all(p.data.flags.writeable for p in model.parameters())


def test_errors(tmp_path):
    path = tmp_path / "cnn.onnx"
    with pytest.raises(ValueError, match="2 names for 1"):
        export(cnn(), mt.ones((1, 3, 16, 16)), path, names=["a", "b"])
    with pytest.raises(ValueError, match="'weight'"):
        export(nn.Linear(3, 2), X, path, names=["weight"])
    with pytest.raises(ValueError, match="'output'"):
        export(nn.Linear(3, 2), X, path, names=["output"])
    with pytest.raises(TypeError, match="the model returned float"):
        export(Call(lambda x: 1.0), X, path)
    with pytest.raises(NotImplementedError, match="complex inputs"):
        export(Call(lambda x: x), X.astype("complex64"), path)
    assert not path.exists()
