"""The graph as text, DOT and pictures: every call, shape and saved byte, and numbers that are right."""

import sys
import xml.etree.ElementTree as xml

import numpy as np
import pytest

import minitensor as mt
from minitensor import nn
from minitensor.errors import GradientError
from minitensor.viz.layout import drawing

shown = sys.modules["minitensor.viz.graph"]._text
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
    assert f"value {shown(y.data)}" in facts["tanh"]
    assert f"gradient {shown(x.data)}" in facts["tanh"]  # d sum(y x) / dy = x
    assert f"gradient {shown(g.data)}" in facts["x"]
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


def chain(length):
    h = x
    for _ in range(length):
        h = mt.tanh(h @ w + x)
    return h.sum()


@pytest.mark.parametrize("y", [mt.exp(x), f(x), chain(12)], ids=["exp", "f", "chain"])
def test_boxes_stand_apart_and_lines_lead_down_from_argument_to_user(y):
    vertices = mt.viz.graph(y).vertices
    made = drawing(vertices)
    for i, a in enumerate(made.boxes):
        assert a.width / 2 <= a.x <= made.width - a.width / 2
        assert a.height / 2 <= a.y <= made.height - a.height / 2
        for b in made.boxes[:i]:
            beside = abs(a.x - b.x) >= (a.width + b.width) / 2
            assert beside or abs(a.y - b.y) >= (a.height + b.height) / 2
    edges = [(p, user) for user, v in enumerate(vertices) for p in v.parents]
    for (p, user), line in zip(edges, made.lines, strict=True):
        a, b = made.boxes[p], made.boxes[user]
        assert line[0] == (a.x, a.y + a.height / 2)
        assert line[-1][1] == b.y - b.height / 2 and abs(line[-1][0] - b.x) <= b.width / 2
        assert all(one[1] <= other[1] for one, other in zip(line, line[1:], strict=False))
        for box in made.boxes:  # in the rows that it passes a line stands beside the boxes
            if box not in (a, b):
                assert all(
                    abs(px - box.x) > box.width / 2 or abs(py - box.y) >= box.height / 2 for px, py in line[3::3]
                )


def test_arguments_stand_in_their_order():
    a, b = mt.Tensor([1.0], requires_grad=True), mt.Tensor([1.0], requires_grad=True)
    for y, left in ((a - b, "a"), (b - a, "b")):
        graph = mt.viz.graph(y, names={"a": a, "b": b})
        xs = {v.name: box.x for v, box in zip(graph.vertices, drawing(graph.vertices).boxes, strict=True)}
        assert xs[left] == min(xs["a"], xs["b"]) and xs["a"] != xs["b"]


def test_a_notebook_is_given_a_picture_that_is_well_formed():
    graph = mt.viz.graph(f, x, names={"<b>&": x}, values=True)
    tree = xml.fromstring(graph._repr_svg_().encode())
    texts = [t.text for t in tree.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == [text for v in graph.vertices for text in (v.name, *v.facts)]
    assert len(list(tree.iter("{http://www.w3.org/2000/svg}rect"))) == len(graph.vertices) + 1  # and the ground
    assert mt.viz.graph(chain(200))._repr_svg_() is None  # too many: its text is shown


def cells(t):
    """Return the table that a notebook shows of a Tensor."""
    tree = xml.fromstring(t._repr_html_())
    return [[cell.text for cell in row] for row in tree.iter("tr")]


def test_a_notebook_shows_a_tensor():
    assert cells(mt.Tensor([[1.0, -2.5], [3e9, np.nan]])) == [["1", "-2.5"], ["3e+09", "nan"]]
    assert cells(mt.Tensor(7)) == [["7"]]
    assert cells(mt.Tensor([True, False])) == [["True", "False"]]
    assert cells(mt.Tensor([1 + 2j])) == [["1+2j"]]
    assert cells(mt.Tensor(np.zeros((0, 3)))) == []
    big = cells(mt.Tensor(np.arange(900).reshape(30, 30)))
    assert [len(row) for row in big] == [8] * 8
    assert big[0] == ["0", "1", "2", "3", "…", "27", "28", "29"] and big[4] == ["⋮"] * 4 + ["⋱"] + ["⋮"] * 3
    assert big[7][-1] == "899"
    y = mt.Tensor(np.arange(24.0).reshape(2, 3, 4), requires_grad=True) * 2
    assert cells(y)[1] == ["8", "10", "12", "14"]
    assert "Tensor float64 (2, 3, 4) from multiply, [0, :, :] of it" in y._repr_html_()


def test_a_notebook_shows_a_layer_as_a_tree_with_its_parameters():
    class Odd(nn.Layer):
        def __init__(self):
            self.inner = nn.Linear(2, 3)
            self.again = self.inner

        def extra_repr(self):
            return "<script>"

    page = nn.Sequential(Odd(), nn.ReLU())._repr_html_()
    assert "&lt;script&gt;" in page and "<script>" not in page
    assert page.count("9 parameters") == 4  # of all, of Odd, of the layer that it has twice
    tags = [e.tag for e in xml.fromstring(page.replace(" open", "")).iter()]
    assert tags.count("details") == tags.count("summary") == 2 and tags.count("b") == 5
    layer = nn.Linear(2, 3)
    layer.bias.requires_grad_(False)
    assert "9 parameters, 3 frozen" in layer._repr_html_() and "parameters" not in nn.ReLU()._repr_html_()


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
    assert cells(d) == [["1", "1", "1"]]
