"""The graph as text, DOT and pictures: every call, shape and saved byte, and numbers that are right."""

import numpy as np
import pytest

import minitensor as mt
from minitensor import nn
from minitensor.errors import GradientError

x = mt.Tensor([[1.0, -2.0], [3.0, 0.5]], requires_grad=True)
w = mt.Tensor([[0.5, 1.0], [-1.0, 2.0]], requires_grad=True)


def f(x):
    return (mt.tanh(x @ w) * x).sum()


def test_text_lists_every_call_after_its_arguments():
    graph = mt.viz.graph(f(x), names={"x": x, "w": w})
    assert [v.name for v in graph.vertices] == ["x", "w", "bmm", "tanh", "multiply", "sum"]
    assert graph.vertices[4].parents == (3, 0)
    assert graph.vertices[-1].kind == "result"
    assert "saves y: 16 B" in str(graph) and "float32 (2, 2)" in str(graph)
    for i, v in enumerate(graph.vertices):
        assert all(p < i for p in v.parents)


def test_values_and_gradients_of_a_function_are_shown_and_nothing_is_touched():
    graph = mt.viz.graph(f, x, names={"x": x, "w": w}, values=True)
    facts = {v.name: " ".join(v.facts) for v in graph.vertices}
    y = mt.tanh(x @ w)
    (g,) = mt.grad(f(x), x)
    assert f"value {mt.viz._text(y.data)}" in facts["tanh"]
    assert f"gradient {mt.viz._text(x.data)}" in facts["tanh"]  # d sum(y x) / dy = x
    assert f"gradient {mt.viz._text(g.data)}" in facts["x"]
    assert x.grad is None
    z = f(x)
    mt.viz.graph(z, values=True)
    z.backward()  # nothing was freed
    x.grad = w.grad = None


def test_several_results_freed_nodes_and_kernels():
    a, b = mt.split(mt.concatenate([x, x]), 2)
    y = (a * b).sum()
    names = [v.name for v in mt.viz.graph(y, values=True).vertices]
    assert names.count("getitem") == 2
    y.backward()
    assert any("freed" in v.facts for v in mt.viz.graph(y).vertices)
    x.grad = None
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU())
    graph = mt.viz.graph(model(mt.randn(2, 1, 5, 5)).sum(), names=model.named_parameters())
    assert {"0.weight", "1.bias", "conv2d", "batch_norm", "relu"} <= {v.name for v in graph.vertices}


def test_dot():
    text = mt.viz.graph(f(x), names={'say "x"': x}).dot()
    assert text.startswith("digraph {") and text.count("->") == 6 and '\\"x\\"' in text


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf", ".dot"])
def test_pictures(tmp_path, suffix):
    path = mt.viz.graph(f, x, values=True).save(tmp_path / f"graph{suffix}")
    starts = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF", ".dot": b"digraph"}
    assert path.read_bytes().startswith(starts[suffix])


def test_boxes_do_not_share_a_place():
    spots, ways = mt.viz.graph(f, x)._layout()
    taken = [*spots, *(s for way in ways.values() for s in way)]
    assert len(set(taken)) == len(taken)
    for user, argument in ways:
        p = mt.viz.graph(f, x).vertices[user].parents[argument]
        assert spots[p][1] < spots[user][1]


def test_what_has_no_graph():
    for y in (mt.ones(2), x, 3.0):
        with pytest.raises(GradientError):
            mt.viz.graph(y)
    with pytest.raises(ValueError, match=r"\.png"):
        mt.viz.graph(f(x)).save("graph.bmp")


def test_on_the_stand_in():
    import tests.minitensor.fake_cupy  # noqa: F401

    d = mt.Tensor(np.ones(3), device="fake", requires_grad=True)
    assert "gradient [2. 2. 2.]" in str(mt.viz.graph(lambda d: (d * d).sum(), d, values=True))
