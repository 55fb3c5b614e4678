"""jvp, vjp, hvp, jacobian, hessian against central differences and against each other; vmap against a loop."""

import numpy as np
import pytest

import minitensor as mt
from minitensor.errors import GradientError

rng = np.random.default_rng(0)
A = mt.Tensor(rng.standard_normal((3, 4)))
X = mt.Tensor(rng.standard_normal(4))


def f(x):
    return mt.tanh(A @ x) * x[:3]


def scalar(x):
    return (f(x) ** 2).sum()


def differences(g, x, h=1e-6):
    columns = []
    for i in range(x.size):
        step = np.zeros(x.size)
        step[i] = h
        up, down = (g(mt.Tensor(x.numpy() + s.reshape(x.shape))).numpy() for s in (step, -step))
        columns.append((up - down) / (2 * h))
    return np.stack(columns, -1)


def test_jacobian_and_products():
    exact = differences(f, X)  # (3, 4)
    jacobian = mt.jacobian(f, X)
    assert jacobian.shape == (3, 4)
    np.testing.assert_allclose(jacobian.numpy(), exact, atol=1e-8)
    u, v = mt.Tensor(rng.standard_normal(3)), mt.Tensor(rng.standard_normal(4))
    y, product = mt.vjp(f, X, u)
    np.testing.assert_allclose(product.numpy(), u.numpy() @ jacobian.numpy(), rtol=1e-12)
    np.testing.assert_array_equal(y.numpy(), f(X).numpy())
    np.testing.assert_allclose(mt.jvp(f, X, v)[1].numpy(), jacobian.numpy() @ v.numpy(), rtol=1e-12)


def test_hessian_and_products():
    hessian = mt.hessian(scalar, X).numpy()
    np.testing.assert_allclose(hessian, hessian.T, rtol=1e-10)
    np.testing.assert_allclose(hessian, differences(lambda x: mt.vjp(scalar, x)[1], X), atol=1e-7)
    v = mt.Tensor(rng.standard_normal(4))
    np.testing.assert_allclose(mt.hvp(scalar, X, v)[1].numpy(), hessian @ v.numpy(), rtol=1e-10)


def test_several_points_and_results():
    a, b = mt.Tensor([2.0, 3.0]), mt.Tensor([5.0])
    j = mt.jacobian(lambda a, b: (a * b, b**2), (a, b))
    assert [[t.shape for t in row] for row in j] == [[(2, 2), (2, 1)], [(1, 2), (1, 1)]]
    np.testing.assert_array_equal(j[0][1].numpy(), [[2], [3]])
    np.testing.assert_array_equal(j[1][0].numpy(), 0)  # b² does not depend on a
    h = mt.hessian(lambda a, b: (a * a).sum() * b[0], (a, b))
    np.testing.assert_array_equal(h[0][0].numpy(), np.eye(2) * 10)
    np.testing.assert_array_equal(h[1][0].numpy(), [[4, 6]])
    assert mt.hessian(lambda a: a.sum(), (a,))[0][0].shape == (2, 2)
    assert mt.jacobian(lambda x: x[:0], a).shape == (0, 2)


def test_products_can_be_differentiated_and_leave_grad_alone():
    x = mt.Tensor([1.0, 2.0], requires_grad=True)
    _, v = mt.vjp(lambda x: (x**3).sum(), x, create_graph=True)
    (g,) = mt.grad(v.sum(), x)
    np.testing.assert_array_equal(g.numpy(), [6, 12])
    assert x.grad is None
    with mt.no_grad():
        assert not mt.jvp(lambda x: x * x, x, mt.ones(2))[1].requires_grad


def test_vmap():
    a, b = (mt.Tensor(rng.standard_normal(s), requires_grad=True) for s in ((2, 5), (2,)))
    y = mt.vmap(lambda a, b: a * b.sum(), in_axes=(1, None), out_axes=1)(a, b)
    np.testing.assert_allclose(y.numpy(), a.numpy() * b.numpy().sum())
    y.sum().backward()
    np.testing.assert_allclose(a.grad.numpy(), b.numpy().sum())
    both = mt.vmap(lambda x: (x + 1, x.sum()))(a)
    assert [t.shape for t in both] == [(2, 5), (2,)]


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: mt.hvp(f, X, X), "single number"),
        (lambda: mt.vjp(f, X), "pass v"),
        (lambda: mt.jvp(f, X, mt.ones(3)), r"not \[\(4,\)\]"),
        (lambda: mt.vmap(lambda a, b: a, in_axes=(0,))(X, X), "2 arguments and 1 in_axes"),
        (lambda: mt.vmap(lambda a, b: a)(X, mt.ones(3)), "one length"),
    ],
)
def test_errors(call, text):
    with pytest.raises((ValueError, GradientError), match=text):
        call()


def test_function_that_returns_no_tensor():
    with pytest.raises(TypeError, match="must return Tensors"):
        mt.jacobian(lambda x: x.numpy(), X)
