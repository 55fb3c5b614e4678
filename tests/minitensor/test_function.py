"""`Function`: values, both orders, several results, what is kept and what is freed, and its errors."""

import gc
import weakref

import numpy as np
import pytest

import minitensor as mt
from minitensor.errors import GradientError, InPlaceError


class Exp(mt.Function):
    @staticmethod
    def forward(ctx, x):
        y = mt.exp(x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):
        (y,) = ctx.saved_tensors
        return g * y


class ScaledBoth(mt.Function):
    """(a b, k a), with a setting, and a result that needs no gradient."""

    @staticmethod
    def forward(ctx, a, b, k):
        ctx.save_for_backward(a, b)
        ctx.k = k
        where = mt.argmax(a)
        ctx.mark_non_differentiable(where)
        return a * b, k * a, where

    @staticmethod
    def backward(ctx, g, h, _):
        a, b = ctx.saved_tensors
        return g * b + ctx.k * h, g * a if ctx.needs_input_grad[1] else None, None


X = np.array([0.5, -1.0, 2.0])


def test_both_orders():
    assert mt.gradgradcheck(Exp.apply, X)
    assert mt.gradgradcheck(lambda a, b: ScaledBoth.apply(a, b, 3.0)[:2], X, X + 1)


def test_unused_results_give_zeros_and_unneeded_gradients_are_known():
    a, b = mt.Tensor(X, requires_grad=True), mt.Tensor(X)
    product, scaled, where = ScaledBoth.apply(a, b, 3.0)
    assert not where.requires_grad and product.requires_grad
    scaled.sum().backward()
    np.testing.assert_array_equal(a.grad.numpy(), 3.0)


def test_nothing_is_recorded_without_need_and_nothing_lives_on():
    assert not Exp.apply(mt.Tensor(X)).requires_grad
    with mt.no_grad():
        assert not Exp.apply(mt.Tensor(X, requires_grad=True)).requires_grad
    gc.disable()
    try:
        y = Exp.apply(mt.Tensor(X, requires_grad=True))
        dead = weakref.ref(y)
        del y
        assert dead() is None  # no cycle, though the result was saved
    finally:
        gc.enable()


def test_second_backward_and_change_in_place_are_refused():
    x = mt.Tensor(X.copy(), requires_grad=True)
    y = Exp.apply(x)
    y.sum().backward()
    with pytest.raises(GradientError, match="second time"):
        y.sum().backward()
    a = mt.Tensor(X.copy(), requires_grad=True)
    product = ScaledBoth.apply(a, mt.Tensor(X), 1.0)[0]
    with mt.no_grad():
        a[0] = 9.0
    with pytest.raises(InPlaceError, match="ScaledBoth"):
        product.sum().backward()


def test_wrong_backwards():
    class Few(mt.Function):
        forward = staticmethod(lambda ctx, a, b: a * b)
        backward = staticmethod(lambda ctx, g: g)

    class Array(mt.Function):
        forward = staticmethod(lambda ctx, a: a * 2)
        backward = staticmethod(lambda ctx, g: g.numpy())

    class Shape(mt.Function):
        forward = staticmethod(lambda ctx, a: a * 2)
        backward = staticmethod(lambda ctx, g: g.sum())

    x = mt.Tensor(X, requires_grad=True)
    for call, text in (
        (lambda: Few.apply(x, x), "returned 1 gradients; forward took 2"),
        (lambda: Array.apply(x), "not a Tensor"),
        (lambda: Shape.apply(x), "returned shape"),
    ):
        with pytest.raises(GradientError, match=text):
            call().sum().backward()


def test_a_change_of_a_saved_result_is_noticed():
    """In the result itself, in a view of it, in an argument that is handed through, in one without gradient."""

    class Through(mt.Function):
        @staticmethod
        def forward(ctx, a):
            ctx.save_for_backward(a)
            return a, a.reshape(-1, 1)

        @staticmethod
        def backward(ctx, g, h):
            return g * ctx.saved_tensors[0] + h.reshape(-1)

    class Constant(mt.Function):
        @staticmethod
        def forward(ctx, a):
            m = a * 2
            ctx.save_for_backward(m)
            ctx.mark_non_differentiable(m)
            return a * a, m

        @staticmethod
        def backward(ctx, g, _):
            return g * ctx.saved_tensors[0]

    for f, changed in (
        (Exp.apply, lambda y, a: y),
        (Exp.apply, lambda y, a: y[1:]),
        (Exp.apply, lambda y, a: y.detach()),
        (Through.apply, lambda y, a: y[0]),
        (Through.apply, lambda y, a: y[1]),
        (Through.apply, lambda y, a: a),
        (Constant.apply, lambda y, a: y[1]),
    ):
        a = mt.Tensor(X.copy(), requires_grad=True)
        y = f(a)
        first = y[0] if isinstance(y, tuple) else y
        with mt.no_grad():
            changed(y, a)[0] = 9.0
        with pytest.raises(InPlaceError):
            first.sum().backward()


def test_only_tensors_are_saved():
    class Wrong(mt.Function):
        @staticmethod
        def forward(ctx, a):
            ctx.save_for_backward(a.numpy())
            return a * 2

    with pytest.raises(TypeError, match="takes Tensors and None; got array"):
        Wrong.apply(mt.Tensor(X, requires_grad=True))
