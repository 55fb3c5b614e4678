"""What a Tensor is made of, how it is copied, pickled, written as text, and what it refuses."""

import copy
import pickle

import numpy as np
import pytest

import minitensor as mt
from minitensor import nn
from minitensor.errors import GradientError

x = mt.Tensor([1.0, 2.0], requires_grad=True)


def test_dtype_stands_second_as_the_docstring_says():
    assert mt.Tensor([1.0], "float64").dtype == np.float64
    assert mt.Tensor(np.ones(2, np.float32), np.float64).dtype == np.float64


@pytest.mark.parametrize("data", [np.array([None, 1]), np.array(["a"]), ["a"], np.array(["2020-01-01"], "M8[D]"), None])
def test_what_is_no_number_is_refused(data):
    with pytest.raises(TypeError, match="numbers or bools"):
        mt.Tensor(data)


def test_lists_of_tensors_keep_their_history_or_are_refused():
    assert mt.Tensor([mt.Tensor(1.0), 2.0]).tolist() == [1.0, 2.0]
    a = mt.Tensor(1.0, requires_grad=True)
    for call in (lambda: mt.Tensor([a, 2.0]), lambda: mt.sum([a, a]), lambda: x + [a, 1.0]):
        with pytest.raises((GradientError, TypeError), match="stack"):
            call()


def test_cast_to_whole_numbers_has_no_gradient():
    assert not x.astype("int64").requires_grad and not x.astype(bool).requires_grad
    assert x.astype("float64").requires_grad


def test_format():
    assert f"{mt.Tensor(1.25):.1f} {x.sum():.2f}" == "1.2 3.00"
    assert f"{x}" == repr(x)
    with pytest.raises(ValueError, match="one entry"):
        f"{x:.1f}"


def test_truth_of_several_entries():
    with pytest.raises(ValueError, match="neither true nor false"):
        bool(x > 1)


def test_copies_and_pickles_of_leaves():
    a = mt.Tensor([1.0, 2.0], requires_grad=True)
    (a * a).sum().backward()
    b = copy.deepcopy(a)
    b.grad.data[0] = 9.0
    assert b.requires_grad and a.grad.tolist() == [2, 4]
    c = pickle.loads(pickle.dumps(a))
    assert c.requires_grad and c.tolist() == a.tolist() and not np.shares_memory(c.data, a.data)
    for f in (copy.deepcopy, pickle.dumps):
        with pytest.raises(GradientError, match="only a leaf"):
            f(a * 2)


def test_a_pickled_layer_is_free_of_its_optimizer():
    layer = nn.Linear(2, 1)
    mt.optim.SGD(layer.parameters(), lr=0.1)
    other = pickle.loads(pickle.dumps(layer))
    assert other.weight.slot is None and other.weight.home is None
    same = copy.copy(layer.weight)
    (same.sum() * 5).backward()
    assert layer.weight.grad is None or layer.weight.grad.numpy().max() != 5


def test_to_takes_a_dtype_first():
    assert x.to("float64").dtype == np.float64 and x.to(np.float16).dtype == np.float16
    assert x.to("cpu") is x


@pytest.mark.parametrize(("value", "wrapped"), [(300, 45), (-1, 0), (255, 0)])
def test_whole_numbers_wrap_as_in_pytorch(value, wrapped):
    assert (mt.Tensor(np.ones(1, np.uint8)) + value).tolist() == [wrapped]


def test_a_copy_is_not_taken_for_a_view():
    a = mt.Tensor(np.ones((4, 3), np.float32))
    loss = nn.Linear(3, 2)(a).sum()
    for y in (a[:, np.array([0, 2])], a.T.reshape(-1)):
        y[0] = 0.0
    loss.backward()
    b = mt.Tensor(np.ones(3), requires_grad=True)
    c = b * 1
    y = c * c
    with mt.no_grad():
        c[1:][0] = 5.0  # a view: seen
    with pytest.raises(mt.errors.InPlaceError):
        y.sum().backward()


def test_an_array_that_a_kernel_kept_may_change():
    w = mt.Tensor(np.ones((1, 1, 3, 3), np.float32), requires_grad=True)
    images = np.ones((1, 1, 4, 4), np.float32)
    y = mt.ops.windows.convolution.conv2d(images, w)
    images[...] = 0
    y.sum().backward()
    assert w.grad.numpy().min() == 4


def test_contexts_may_be_used_again_and_without_brackets():
    context = mt.no_grad()
    for _ in range(2):
        with context, context:
            assert not mt.is_recording()
        assert mt.is_recording()

    @mt.no_grad
    def f():
        return mt.is_recording()

    @mt.enable_grad()
    def g():
        return mt.is_recording()

    with mt.no_grad():
        assert g()
    assert not f()
    with pytest.raises(TypeError, match="generator"):

        @mt.no_grad()
        def h():
            yield 1


def test_grad_says_what_does_not_fit():
    y = (x * x).sum()
    for call, text in (
        (lambda: mt.grad([y, y], x, [mt.ones(())]), "got 1 for 2"),
        (lambda: mt.grad(None, x), "NoneType"),
        (lambda: mt.add(x), "takes 2 arrays; got 1"),
        (lambda: mt.zeros(2, 3), r"zeros\(\(2, 3\)\)"),
    ):
        with pytest.raises((GradientError, TypeError), match=text):
            call()
    assert mt.grad(y, x, 2.0)[0].tolist() == [4, 8]
    assert mt.randn((2, 3)).shape == mt.randn(2, 3).shape == (2, 3)


METHODS = {
    "prod": {"axis": 1}, "cumprod": {"axis": 0}, "logsumexp": {"axis": 0}, "softmax": {}, "log_softmax": {"axis": 0},
    "median": {"axis": 1}, "sort": {"descending": True}, "argsort": {"axis": 0}, "topk": {"k": 2}, "ravel": {},
    "moveaxis": {"source": 0, "destination": 1}, "expand_dims": {"axis": 1}, "broadcast_to": {"shape": (2, 3, 4)},
    "flip": {"axis": 0}, "roll": {"shift": 1}, "repeat": {"repeats": 2}, "diagonal": {"offset": 1}, "trace": {},
    "split": {"indices_or_sections": 3}, "chunk": {"chunks": 2}, "take": {"indices": np.array([0, 5])},
    "gather": {"dim": 1, "index": np.array([[0], [1], [2]])}, "index_select": {"dim": 0, "index": np.array([2, 0])},
    "scatter": {"dim": 1, "index": np.array([[0], [1], [2]]), "src": np.ones((3, 1))},
    "scatter_add": {"dim": 1, "index": np.array([[0], [1], [2]]), "src": np.ones((3, 1))},
    "masked_fill": {"mask": np.eye(3, 4, dtype=bool), "value": 0.5}, "var": {"axis": 0, "correction": 1},
    "norm": {"axis": 1}, "cumsum": {"axis": 0}, "argmax": {"axis": 1}, "clip": {"min": 0.0},
    "swapaxes": {"axis1": 0, "axis2": 1},
}  # fmt: skip


@pytest.mark.parametrize("name", METHODS)
def test_methods_are_the_functions(name):
    settings = {k: mt.Tensor(v) if isinstance(v, np.ndarray) else v for k, v in METHODS[name].items()}
    a = mt.Tensor(np.random.default_rng(0).standard_normal((3, 4)))
    got, expected = getattr(a, name)(**settings), getattr(mt, name)(a, **settings)
    for x, y in zip(
        got if isinstance(got, tuple) else [got], expected if isinstance(got, tuple) else [expected], strict=True
    ):
        np.testing.assert_array_equal(x.numpy(), y.numpy())


def test_operators_of_bits_and_remainders():
    a, b, t = mt.Tensor([6, 5]), mt.Tensor([3, 3]), mt.Tensor([True, False])
    assert (a & b).tolist() == [2, 1] and (a | b).tolist() == [7, 7] and (a ^ b).tolist() == [5, 6]
    assert (~a).tolist() == [-7, -6] and (~t).tolist() == [False, True]
    assert (np.array([True, True]) & t).tolist() == (True & t).tolist() == [True, False]
    assert (a << 1).tolist() == [12, 10] and (a >> 1).tolist() == [3, 2]
    assert (a // 4).tolist() == [1, 1] and (7 % b).tolist() == [1, 1] and (-7.0 // mt.Tensor([2.0])).tolist() == [-4]
