"""The op table: value, first and second gradient, fused against composite, aliasing, on every backend there is."""

from __future__ import annotations

import itertools
import math
import warnings
from typing import Any

import numpy as np
import pytest

import minitensor as mt
from minitensor.declaration import registry
from minitensor.op import Op
from minitensor.ops import elementwise, loss
from minitensor.ops.nn import attention, softmax
from minitensor.ops.windows import convolution, max_pooling
from tests.minitensor.cases import CASES
from tests.minitensor.cases.run import first, moved, outputs, same, second
from tests.minitensor.fake_cupy import FakeArray

OURS = {name for name in registry if name.startswith("minitensor.")}
SMOOTH = [c for c in CASES if c.smooth]
SETS = {"compiled": "compiled", "cpu": "numpy"}  # by the kind of a kernel, the set in which it is asked first
FUSED = [(c, kind) for c in CASES for kind in SETS if kind in c.op.kernels]
VIEWS = set(  # composites of view ops
    """array_split atleast_1d atleast_2d atleast_3d broadcast_arrays chunk conj diag expand_dims fliplr flipud meshgrid
    moveaxis ravel rot90 split squeeze swapaxes unstack""".split()
)
table = pytest.mark.parametrize("case", CASES, ids=lambda c: c.id)
smooth = pytest.mark.parametrize("case", SMOOTH, ids=lambda c: c.id)
fused = pytest.mark.parametrize(("case", "kind"), FUSED, ids=lambda v: getattr(v, "id", v))
every_kernel = pytest.mark.parametrize(
    ("op", "kind"), {(c.op.name, kind): (c.op, kind) for c, kind in FUSED}.values(), ids=lambda v: getattr(v, "name", v)
)


@pytest.fixture
def kernels(kind, monkeypatch):
    """The set in which kernels of this kind are asked first, however few the entries are."""
    before = mt.get_kernels()
    mt.set_kernels(SETS[kind])
    for case, _ in FUSED:
        monkeypatch.setattr(case.op, "least", 0)
    yield
    mt.set_kernels(before)


def test_every_op_has_a_case():
    assert OURS == {f"{c.op.forward.__module__}.{c.op.name}" for c in CASES}


@table
def test_value(case):
    expected = outputs(case.reference(*case.args))
    values, _ = first(case)
    assert len(values) == len(expected)
    for got, ref in zip(values, expected, strict=True):
        assert got.shape == np.shape(ref)
        if case.op.name != "one_hot":
            assert got.dtype == np.asarray(ref).dtype
        np.testing.assert_allclose(got, ref, rtol=1e-12, atol=1e-13)
    raw = outputs(case.op(*case.args, **case.settings))  # on arrays: the same values, no Tensors
    for got, ref in zip(raw, values, strict=True):
        assert not isinstance(got, mt.Tensor)
        np.testing.assert_allclose(got, ref, rtol=1e-12, atol=1e-13)


@smooth
def test_gradients_of_both_orders(case):
    """Full Jacobians against central differences; raw rules equal traced ones; nothing mutated, nothing aliased."""
    call = lambda *xs: case.op(*xs, **case.settings)  # noqa: E731
    call.__name__ = case.id
    assert mt.gradgradcheck(call, *case.args)


@pytest.mark.parametrize("case", list({c.id: c for c, _ in FUSED if c.smooth}.values()), ids=lambda c: c.id)
def test_gradients_without_kernels(case):
    with mt.unfused():
        assert mt.gradcheck(lambda *xs: case.op(*xs, **case.settings), *case.args)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 1e-5)])
@fused
def test_fused_equals_composite(case, dtype, tolerance, kernels):
    with mt.unfused():
        plain = first(case, dtype=dtype)
    fused = first(case, dtype=dtype)
    same(fused[0], plain[0], tolerance)
    same(fused[1], plain[1], tolerance)


@every_kernel
def test_every_kernel_runs(op, kind, kernels, monkeypatch):
    """The comparison above means something only if the kernel took the call, forward and backward."""
    ran = []
    kernel = op.kernels[kind]

    def counted(*args: Any, **settings: Any) -> Any:
        outcome = kernel(*args, **settings)
        if outcome is NotImplemented:
            return outcome
        y, pullback = outcome
        return y, lambda g: ran.append("backward") or pullback(g)

    monkeypatch.setitem(op.kernels, kind, counted)
    cases = [c for c, k in FUSED if c.op is op and k == kind]
    for case in cases:
        first(case, dtype="float32")
    assert ran
    with mt.unfused():
        ran.clear()
        first(cases[0])
        assert not ran


@table
def test_results_share_no_memory_with_arguments(case):
    if case.op.name in VIEWS or getattr(case.op, "view", False):
        pytest.skip("a view")
    args = [mt.Tensor(a.copy()) if isinstance(a, np.ndarray) else a for a in case.args]
    for y in outputs(case.op(*args, **case.settings)):
        assert not any(isinstance(a, mt.Tensor) and np.shares_memory(y.data, a.data) for a in args)


@table
def test_arguments_are_not_changed(case):
    args = [a.copy() if isinstance(a, np.ndarray) else a for a in case.args]
    for a in args:
        if isinstance(a, np.ndarray):
            a.flags.writeable = False  # a write raises
    case.op(*(mt.Tensor(a) if isinstance(a, np.ndarray) else a for a in args), **case.settings)


@table
def test_on_the_stand_in(case):
    host, device = first(case), first(case, "fake")
    same(device[0], host[0], 1e-12)
    same(device[1], host[1], 1e-12)
    raw = case.op(*[moved(a, "fake") for a in case.args], **{k: moved(v, "fake") for k, v in case.settings.items()})
    assert all(isinstance(y, FakeArray) for y in outputs(raw))


@smooth
def test_second_gradient_on_the_stand_in(case):
    same(second(case, "fake"), second(case), 1e-12)


@pytest.mark.gpu
@table
def test_on_the_gpu(case):
    host, device = first(case), first(case, "cuda")
    same(device[0], host[0], 1e-9)
    same(device[1], host[1], 1e-9)


@pytest.mark.gpu
@smooth
def test_second_gradient_on_the_gpu(case):
    same(second(case, "cuda"), second(case), 1e-8)


@table
def test_float32_stays_float32(case):
    values, grads = first(case, dtype="float32")
    for v in values:
        assert v.dtype not in (np.float64, np.complex128) or "dtype" in case.settings
    assert all(g is None or g.dtype in (np.float32, np.complex64) for g in grads)


# -- conventions at the edges ----------------------------------------------------------------------------------------


def _grads(f: Any, *xs: Any) -> list[np.ndarray]:
    leaves = [mt.Tensor(np.asarray(x, float), requires_grad=True) for x in xs]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # 0 ** -1
        return [g.numpy() for g in mt.grad(f(*leaves).sum(), leaves)]


def test_ties_in_maximum_and_minimum_share_in_halves():
    for f in (mt.maximum, mt.minimum):
        for g in _grads(f, [1.0, 2.0], [1.0, 2.0]):
            np.testing.assert_array_equal(g, [0.5, 0.5])


def test_ties_in_max_and_min_share_equally():
    x = [[3, 3, 1, 3], [2, 1, 1, 0]]
    np.testing.assert_allclose(_grads(lambda x: x.max(axis=1), x)[0], [[1 / 3, 1 / 3, 0, 1 / 3], [1, 0, 0, 0]])
    np.testing.assert_allclose(_grads(lambda x: x.min(), [[3, 1], [1, 2]])[0], [[0, 0.5], [0.5, 0]])


def test_max_pool_and_argmax_take_the_first():
    x = np.ones((1, 1, 2, 2))
    for context in (mt.unfused(), mt.enable_grad()):
        with context:
            (g,) = _grads(lambda v: max_pooling.max_pool2d(v, kernel_size=2), x)
            np.testing.assert_array_equal(g[0, 0], [[1, 0], [0, 0]])
    assert mt.argmax(mt.Tensor([1, 3, 3])).item() == 1


@pytest.mark.parametrize("f", [mt.relu, mt.abs], ids=["relu", "abs"])
def test_kinks_have_gradient_zero(f):
    np.testing.assert_array_equal(_grads(f, [0.0, -0.0])[0], [0, 0])


def test_clip_has_gradient_one_at_its_bounds():
    np.testing.assert_array_equal(_grads(lambda x: x.clip(-1, 1), [-2, -1, 0, 1, 2])[0], [0, 1, 1, 1, 0])


def test_std_of_a_constant_has_gradient_zero():
    x = mt.Tensor(np.full(4, 3.0), requires_grad=True)
    (g,) = mt.grad(x.std(), x, create_graph=True)
    np.testing.assert_array_equal(g.numpy(), 0)


def test_power_at_zero():
    base, exponent = _grads(lambda a, b: a**b, [0, 0, 0, 0], [0, 1, 2, 0.5])
    np.testing.assert_array_equal(base, [0, 1, 0, np.inf])
    np.testing.assert_array_equal(exponent, 0)
    for b, expected in ((0, 0.0), (1, 1.0), (2, 0.0), (3.0, 0.0)):
        assert _grads(lambda a, b=b: a**b, 0.0)[0] == expected
    x = mt.Tensor(0.0, dtype="float64", requires_grad=True)
    (g,) = mt.grad(x**2, x, create_graph=True)
    assert mt.grad(g, x)[0].item() == 2.0


def test_attention_rows_masked_everywhere_give_zero():
    q, k, v = (np.random.default_rng(i).standard_normal((2, 3)) for i in range(3))
    for mask in (np.array([[True, False], [False, False]]), np.array([[0.0, -np.inf], [-np.inf, -np.inf]])):
        f = lambda q, k, v, m=mask: attention.scaled_dot_product_attention(q, k, v, mt.Tensor(m))  # noqa: E731
        y = f(*map(mt.Tensor, (q, k, v))).numpy()
        np.testing.assert_array_equal(y[1], 0)
        np.testing.assert_allclose(y[0], v[0])
        grads = _grads(f, q, k, v)
        assert all(np.isfinite(g).all() for g in grads)
        np.testing.assert_array_equal(grads[0][1], 0)


def test_softmax_and_sigmoid_do_not_overflow():
    x = mt.Tensor([1e4, -1e4, 0.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(softmax.softmax(x).numpy(), [1, 0, 0])
        np.testing.assert_allclose(softmax.logsumexp(x).numpy(), 1e4)
        np.testing.assert_allclose(elementwise.sigmoid(x).numpy(), [1, 0, 0.5])
        assert np.isfinite(softmax.log_softmax(x).numpy()).all()


INFINITE = np.array(
    [
        [0.0, 1.0, 2.0],
        [-np.inf, 1.0, 2.0],
        [-np.inf, -np.inf, -np.inf],
        [np.inf, 0.0, 1.0],
        [np.nan, 0.0, 1.0],
        [1e30, -1e30, 0.0],
    ]
)


@pytest.mark.parametrize("rows", [[0, 1], [0, 2], [0, 3], [0, 4], [0, 5], [1, 2, 3, 4, 5]], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "f",
    [
        softmax.softmax,
        softmax.log_softmax,
        lambda x: loss.cross_entropy(x, mt.Tensor(np.full(len(x), 1)), reduction="none"),
        lambda x: loss.cross_entropy(x, mt.Tensor(np.array([1, -100, 1, 1, 1][: len(x)])), label_smoothing=0.2),
    ],
    ids=["softmax", "log_softmax", "cross_entropy", "smoothed"],
)
def test_kernels_of_exponentials_meet_infinities_as_their_composites_do(f, dtype, rows):
    found = []
    for context in (mt.enable_grad(), mt.unfused()):
        x = mt.Tensor(INFINITE[rows].astype(dtype), requires_grad=True)
        with context, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            y = f(x)
            (g,) = mt.grad(y, [x], mt.ones_like(y))
        found.append((y.numpy(), g.numpy()))
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_softmax_of_rows_that_share_no_scale_is_as_exact_as_of_one():
    x = np.random.default_rng(0).standard_normal((64, 5)).astype("float32")
    x += np.linspace(-40, 40, 64, dtype="float32")[:, None]
    for f in (softmax.softmax, softmax.log_softmax):
        exact = f(x.astype("float64"))
        np.testing.assert_allclose(f(mt.Tensor(x)).numpy(), exact, rtol=4e-6, atol=1e-6)
        np.testing.assert_array_equal(f(mt.Tensor(x[:, :1])).numpy(), f(x[:, :1]))


def test_erf_far_out_and_in_float32():
    x = np.linspace(-6, 6, 4001)
    exact = np.array([math.erf(v) for v in x])
    narrow = x.astype("float32")
    exact32 = np.array([math.erf(v) for v in narrow])
    assert np.abs(mt.erf(mt.Tensor(x)).numpy() - exact).max() < 1e-15
    assert np.abs(mt.erf(mt.Tensor(narrow)).numpy() - exact32).max() < 4e-7
    np.testing.assert_array_equal(mt.erf(mt.Tensor([np.inf, -np.inf, np.nan, 0.0])).numpy(), [1, -1, np.nan, 0])


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda x: convolution.conv2d(x, mt.ones((1, 2, 1, 1))), "channels"),
        (lambda x: max_pooling.max_pool2d(x, kernel_size=2, padding=2), "more than half"),
        (lambda x: max_pooling.max_pool2d(x, kernel_size=9), "do not fit"),
        (lambda x: mt.einsum("ij,jk->ik", x), "names 2 operands"),
        (lambda x: mt.einsum("ij->i", x), "names 2 axes"),
        (lambda x: mt.einsum("ab,ab->ab", mt.ones((2, 3)), mt.ones((3, 2))), "'a' is 2 long in operand 0 and 3 in"),
        (lambda x: mt.einsum("ij,jk,kl->il", mt.ones((2, 3)), mt.ones((4, 2)), mt.ones((2, 2))), "'j' is 3 long"),
        (lambda x: mt.einsum("ij->iz", mt.ones((2, 3))), "'z' of the result is in no operand"),
        (lambda x: mt.zeros((2, 3)) @ mt.zeros((4, 5)), r"\(2, 3\) @ \(4, 5\): the last axis of a \(3\)"),
        (lambda x: mt.nn.Linear(3, 2)(mt.zeros((1, 4))), "need the same length"),
        (lambda x: mt.split(x, 2, axis=2), "equal parts"),
        (lambda x: mt.squeeze(x, axis=2), "length 1"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_errors_say_what_arrived(call, text):
    with pytest.raises(ValueError, match=text):
        call(mt.ones((1, 1, 3, 3)))


def _operands(rng: np.random.Generator) -> list[Any]:
    a = rng.uniform(0.5, 1.5, (3, 4)).astype(np.float32)
    tensors = [
        mt.Tensor(a, requires_grad=True),
        mt.Tensor(a + 1),
        mt.Tensor(a[:1], requires_grad=True),
        mt.Tensor(np.float32(1.5), requires_grad=True),
        mt.Tensor(a.astype(np.float64), requires_grad=True),
    ]
    return [*tensors, 2.0, 3, True, a]


def _exactly(value: Any) -> Any:
    """Return what equals another's only if kinds, dtypes, shapes and all bits do."""
    if isinstance(value, tuple):
        return [_exactly(v) for v in value]
    if isinstance(value, mt.Tensor):
        return "Tensor", value.requires_grad, _exactly(value.data), _exactly(value.grad)
    if isinstance(value, (np.ndarray, np.generic)):
        return type(value), value.dtype, value.shape, value.tobytes()
    return type(value), str(value)


PLAIN = [o for n, o in registry.items() if n in OURS and isinstance(o, Op) and o.complete and o.count in (1, 2)]


@pytest.mark.parametrize("op", PLAIN, ids=lambda o: o.name)
def test_a_plain_call_gives_what_a_watched_one_does(op: Any) -> None:
    """Op has a short way for NumPy arrays of one dtype; a profiler sends all calls the long way."""

    def outcome(args: tuple[Any, ...]) -> Any:
        fresh = [mt.Tensor(a.data, requires_grad=a.requires_grad) if isinstance(a, mt.Tensor) else a for a in args]
        try:
            y = op(*fresh)
            for part in outputs(y):
                if isinstance(part, mt.Tensor) and part.requires_grad:
                    part.sum().backward(retain_graph=True)
        except Exception as error:
            y = error
        return [_exactly(v) for v in (y, *fresh)]

    for args in itertools.product(_operands(np.random.default_rng(0)), repeat=len(op.arguments)):
        with np.errstate(all="ignore"):
            short = outcome(args)
            with mt.profile():
                assert short == outcome(args)
