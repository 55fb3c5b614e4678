"""Containers of layers and of parameters: as lists and dicts, and what they refuse."""

import numpy as np
import pytest

import minitensor as mt
from minitensor import nn


def test_layer_list_as_a_list():
    a, b, c, d = nn.Linear(1, 1), nn.ReLU(), nn.Tanh(), nn.Sigmoid()
    held = nn.LayerList([a, c])
    held.insert(1, b)
    assert list(held) == [a, b, c] and b in held and d not in held
    assert held.pop() is c and list(held) == [a, b]
    held.extend([c, d])
    del held[1]
    assert list(held) == [a, c, d] and list(held.state_dict()) == ["0.weight", "0.bias"]
    del held[1:]
    assert list(held) == [a] and list(held + [b]) == [a, b] and len(held) == 1
    held[-1] = b
    assert held[0] is b and list(held.state_dict()) == []
    with pytest.raises(TypeError, match="LayerList holds layers; got a int"):
        held.insert(0, 3)
    with pytest.raises(IndexError):
        held[1]


def test_layer_dict_as_a_dict():
    a, b = nn.Linear(1, 1), nn.ReLU()
    held = nn.LayerDict({"a": a})
    held["b"] = b
    assert list(held) == list(held.keys()) == ["a", "b"] and list(held.values()) == [a, b] and len(held) == 2
    assert list(held.items()) == [("a", a), ("b", b)] and "a" in held and held["b"] is b
    held.update([("a", b)])
    assert held["a"] is b and held.pop("a") is b and list(held) == ["b"]
    del held["b"]
    assert not len(held)
    held.update({"x": a})
    held.clear()
    assert list(held) == []


def test_parameter_containers():
    held = nn.ParameterList([[1.0], mt.Tensor([2.0, 3.0])])
    held.append(np.zeros(3, np.float32)).extend([nn.Parameter([4.0])])
    assert [p.shape for p in held] == [(1,), (2,), (3,), (1,)] and all(p.requires_grad for p in held)
    assert [n for n, _ in held.named_parameters()] == ["0", "1", "2", "3"] and len(held) == 4
    held[-1] = [5.0, 6.0]
    assert held[3].tolist() == [5, 6] and len(held[1:3]) == 2 and held[1:3][0] is held[1]
    table = nn.ParameterDict({"a": [1.0]})
    table["b"] = [2.0, 3.0]
    assert list(table) == list(table.keys()) == ["a", "b"] and "b" in table and len(table) == 2
    assert [p.tolist() for p in table.values()] == [[1], [2, 3]] and dict(table.items())["a"] is table["a"]
    assert table.pop("a").tolist() == [1] and list(table.state_dict()) == ["b"]
    del table["b"]
    table.update([("c", [0.0])])
    table.clear()
    assert not len(table)


@pytest.mark.parametrize(
    ("key", "text"), [("a.b", "a word without a dot; got 'a.b'"), ("", "got ''"), ("keys", "attribute 'keys' already")]
)
@pytest.mark.parametrize("kind", [nn.LayerDict, nn.ParameterDict])
def test_keys_that_are_refused(kind, key, text):
    with pytest.raises(KeyError, match=text):
        kind({key: nn.ReLU() if kind is nn.LayerDict else [1.0]})


def test_what_is_not_there():
    with pytest.raises(KeyError, match=r"no layer 'b'; it has \['a'\]"):
        nn.LayerDict({"a": nn.ReLU()})["b"]
    with pytest.raises(KeyError, match=r"no parameter 'b'; it has \['a'\]"):
        nn.ParameterDict({"a": [1.0]})["b"]
    with pytest.raises(TypeError, match="LayerDict holds layers; got a int"):
        nn.LayerDict({"a": 3})


def test_axes_that_do_not_fit():
    with pytest.raises(ValueError, match=r"axis 1 of shape \(2, 5\) cannot be cut into \(2, 3\)"):
        nn.Unflatten(1, (2, 3))(mt.zeros((2, 5)))
    with pytest.raises(ValueError, match=r"axis 1 of shape \(2, 5\) cannot be cut into \(-1, 3\)"):
        nn.Unflatten(1, (-1, 3))(mt.zeros((2, 5)))
    with pytest.raises(ValueError, match="start_dim 2 comes after end_dim 1"):
        nn.Flatten(2, 1)(mt.zeros((2, 3, 4)))
    with pytest.raises(IndexError, match="axis 3 is out of bounds"):
        nn.Flatten(3)(mt.zeros((2, 3, 4)))
    with pytest.raises(ValueError, match=r"need the same length `in`; got input Tensor float32 \(2, 5\)"):
        nn.Linear(4, 3)(mt.zeros((2, 5)))
    with pytest.raises(ValueError, match=r"got \(2, 3\), \(2, 3\) and \(4, 2, 3\)"):
        nn.Bilinear(2, 3, 4)(mt.zeros((2, 3)), mt.zeros((2, 3)))
