"""Complex Tensors: what users see at the doors. The derivatives themselves stand in the op table."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import minitensor as mt
from minitensor import backend
from minitensor.errors import GradientError
from minitensor.nn import functional as F
from tests.minitensor.fake_cupy import FakeArray

Z = np.array([1 + 2j, -3 + 0.5j, 0.25 - 1j])


@pytest.fixture(autouse=True)
def _no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # NumPy's ComplexWarning: imaginary parts are never dropped
        yield


def leaf(x=Z, dtype=None):
    return mt.Tensor(x, dtype, requires_grad=True)


def test_the_gradient_is_d_real_plus_i_d_imaginary():
    z = leaf()
    (z.abs() ** 2).sum().backward()  # a² + b²
    np.testing.assert_allclose(z.grad.numpy(), 2 * Z)
    for f, expected in ((lambda z: z.real, 1), (lambda z: z.imag, 1j), (lambda z: (3j * z).real, -3j)):
        np.testing.assert_allclose(mt.grad(f(z).sum(), z)[0].numpy(), np.full(3, expected, complex))


def test_a_product_gets_the_conjugate_of_the_other_factor():
    a, b = leaf(), leaf(Z[::-1].copy())
    v = np.array([1j, 2.0, 1 - 1j])
    for create_graph in (False, True):
        ga, gb = mt.grad(a * b, [a, b], v, create_graph=create_graph)
        np.testing.assert_allclose(ga.numpy(), v * b.numpy().conj())
        np.testing.assert_allclose(gb.numpy(), v * a.numpy().conj())


def test_a_real_argument_gets_a_real_gradient():
    x, z = leaf([1.0, 2.0, 3.0], "float64"), leaf()
    v = np.array([1j, 1.0, 1 + 1j])
    gx, gz = mt.grad(x * z, [x, z], v)
    assert gx.dtype == np.float64 and gz.dtype == np.complex128
    np.testing.assert_allclose(gx.numpy(), (v * Z.conj()).real)
    y = leaf(np.float32([[1.0], [2.0]]))
    (y + z).abs().sum().backward()  # summed over the broadcast axis, too
    assert y.grad.dtype == np.float32 and y.grad.shape == (2, 1)


def test_backward_starts_by_itself_from_real_numbers_only():
    z = leaf(1j)
    with pytest.raises(GradientError, match="only from a real number; this Tensor is complex64: pass the incoming"):
        (z * z).backward()
    (z * z).backward(mt.Tensor(1.0))
    assert z.grad.item() == -2j
    x = leaf(2.0)
    with pytest.raises(GradientError, match="the incoming gradient is complex; the Tensor is float32"):
        (x * x).backward(1j)


def test_the_imaginary_part_of_zero_absolute_value_and_angle():
    for f in (mt.abs, mt.angle, mt.norm):
        z = leaf([0j, 0j])
        y = f(z).sum()
        assert y.item() == 0
        assert mt.grad(y, z)[0].tolist() == [0, 0]


def test_hooks_functions_and_checkpoints_see_the_same_gradients():
    seen = []

    class Times(mt.Function):
        @staticmethod
        def forward(ctx, a, b):
            ctx.save_for_backward(a, b)
            return a * b

        @staticmethod
        def backward(ctx, g):
            a, b = ctx.saved_tensors
            seen.append(g.numpy().copy())
            return g * b.conj(), g * a.conj()

    a, b = leaf(), leaf(2j * Z)
    v = np.array([1j, 2.0, 1 - 1j])
    expected = [g.numpy() for g in mt.grad(a * b, [a, b], v)]
    for create_graph in (False, True):
        for y in (Times.apply(a, b), mt.checkpoint(lambda a, b: a * b, a, b)):
            for g, e in zip(mt.grad(y, [a, b], v, create_graph=create_graph), expected, strict=True):
                np.testing.assert_allclose(g.numpy(), e)
    np.testing.assert_array_equal(seen, [v, v])
    product = a * b
    handles = [product.register_hook(lambda g: seen.append(g.numpy())), a.register_hook(lambda g: g * 1j)]
    product.backward(v)
    np.testing.assert_array_equal(seen[-1], v)
    np.testing.assert_allclose(a.grad.numpy(), expected[0] * 1j)
    for handle in handles:
        handle.remove()
    assert mt.gradgradcheck(Times.apply, Z, 2j * Z)


def test_an_op_of_ones_own_says_that_it_takes_complex_numbers():
    rule = {"x": lambda g, x: g * 3 * x * x}  # the plain derivative: conjugates are the engine's business
    cube = mt.op("complex")(lambda x: x * x * x)
    cube.vjp(**rule)
    assert mt.gradgradcheck(cube, Z)
    real_cube = mt.op(lambda x: x * x * x)
    with pytest.raises(TypeError, match="takes no complex numbers; got complex128"):
        real_cube(mt.Tensor(Z))
    norm_of = mt.composite(lambda x: mt.abs(x).sum())
    with pytest.raises(TypeError, match="takes no complex numbers"):
        norm_of(mt.Tensor(Z))
    assert mt.composite("complex")(lambda x: mt.abs(x).sum())(mt.Tensor(Z)).dtype == np.float64


REFUSED = """sign relu floor ceil round trunc max min argmax argmin sort argsort median var std cummax logsumexp softmax
    sigmoid erf signbit nan_to_num clip quantile unique logcumsumexp""".split()


@pytest.mark.parametrize("name", REFUSED)
def test_what_needs_an_order_refuses_complex_numbers(name):
    z = leaf()
    with pytest.raises(TypeError, match=r"takes no complex numbers; got complex128: pass the real part"):
        getattr(mt, name)(z, *{"quantile": (0.5,), "clip": (0.0, 1.0)}.get(name, ()))


@pytest.mark.parametrize("name", "less greater_equal maximum fmin floor_divide remainder atan2 hypot logaddexp".split())
def test_what_compares_two_refuses_complex_numbers(name):
    for a, b in ((leaf(), mt.ones(3)), (mt.ones(3), 1j), (1.0, leaf())):
        with pytest.raises(TypeError, match=f"{name} takes no complex numbers"):
            getattr(mt, name)(a, b)


@pytest.mark.parametrize("name", "mse_loss l1_loss huber_loss smooth_l1_loss cosine_similarity gelu silu".split())
def test_losses_and_activations_refuse_complex_numbers(name):
    for z in (leaf(), mt.Tensor([1 + 1j])):
        args = (z,) if name in ("gelu", "silu") else (mt.zeros(z.shape), z)
        with pytest.raises(TypeError, match=f"{name} takes no complex numbers"):
            getattr(F, name)(*args)


def test_layers_without_complex_kernels_refuse_them():
    with pytest.raises(TypeError, match="conv1d takes no complex numbers"):
        mt.nn.Conv1d(1, 1, 1)(mt.Tensor(Z[None, None]))
    with pytest.raises(ValueError, match="takes float leaves"):
        mt.optim.SGD([leaf()], lr=0.1)


@pytest.mark.parametrize(
    "call",
    [
        lambda x, z: z.astype("float32"),
        lambda x, z: z.to("float64"),
        lambda x, z: mt.Tensor(z, "float32"),
        lambda x, z: mt.Tensor([1j], "int64"),
        lambda x, z: mt.masked_fill(x, [True, False, True], 1j),
        lambda x, z: mt.scatter(x, 0, np.array([0]), 1j),
        lambda x, z: mt.put(x, [0], [1j]),
        lambda x, z: mt.put_along_axis(x, np.array([0]), z[:1], 0),
        lambda x, z: mt.pad(x, 1, constant_values=1j),
        lambda x, z: mt.nan_to_num(x, nan=1j),
        lambda x, z: mt.diff(x, prepend=1j),
        lambda x, z: mt.full(2, 1j, "float32"),
        lambda x, z: mt.full_like(x, 1j),
        lambda x, z: mt.linspace(0, 1j, 3),
        lambda x, z: x.__setitem__(0, 1j),
        lambda x, z: x.__setitem__(slice(None), z),
        lambda x, z: float(z[0]),
        lambda x, z: int(z[0]),
    ],
)
def test_an_imaginary_part_is_never_dropped(call):
    with pytest.raises(TypeError):
        call(mt.Tensor([1.0, 2.0, 3.0]), mt.Tensor(Z))


def test_parts_are_views_and_share_the_version():
    z = mt.Tensor(Z.copy())
    assert np.shares_memory(z.real.data, z.data) and np.shares_memory(z.imag.data, z.data)
    w = leaf(Z.copy())
    y = w * w.real  # saves the view
    with mt.no_grad():
        w[0] = 5.0
    with pytest.raises(mt.errors.InPlaceError):
        y.abs().sum().backward()
    x = mt.Tensor([1.0, 2.0])
    assert x.conj() is x and x.real.tolist() == [1, 2] and x.imag.tolist() == [0, 0]


def test_python_sees_complex_numbers():
    z = mt.Tensor([[1 + 2j]])
    assert z.item() == 1 + 2j and complex(z) == 1 + 2j and z.tolist() == [[1 + 2j]] and bool(z)
    assert repr(z) == "Tensor complex64 (1, 1): [[1.+2.j]]"
    assert mt.full(2, 1j).dtype == np.complex64 == mt.where([True, False], 1j, 0.0).dtype
    assert mt.zeros(2, "complex128").dtype == np.complex128
    assert (1j * mt.Tensor([1.0])).tolist() == [1j] and (2.0 ** mt.Tensor([0j])).tolist() == [1]


def test_half_precision_meets_complex_numbers_in_complex64():
    h = mt.Tensor(np.ones(2, np.float16), requires_grad=True)
    y = h * mt.Tensor([1j, 2.0])
    y.real.sum().backward()
    assert y.dtype == np.complex64 and h.grad.dtype == np.float16 and h.grad.tolist() == [0, 2]
    assert mt.complex(h, h).dtype == np.complex64
    assert mt.matmul(mt.ones((2, 2), "float16"), mt.Tensor([1j, 1.0])).dtype == np.complex64


def test_infinities_stay_in_their_part():
    z = mt.complex([np.inf, 1.0], [1.0, np.nan])
    np.testing.assert_array_equal(z.real.numpy(), [np.inf, 1])
    np.testing.assert_array_equal(z.imag.numpy(), [1, np.nan])
    with pytest.raises(TypeError, match="complex takes no complex numbers"):
        mt.complex(mt.Tensor(Z), mt.zeros(3))
    with pytest.raises(TypeError, match="view_as_real takes complex numbers; got float32"):
        mt.view_as_real([1.0])
    with pytest.raises(TypeError, match="view_as_complex takes floats; got int64"):
        mt.view_as_complex([[1, 2]])
    with pytest.raises(ValueError, match=r"the last axis has length 2, for the two parts; got shape \(3,\)"):
        mt.view_as_complex([1.0, 2.0, 3.0])


def test_on_the_stand_in_complex_numbers_are_written_and_asked_for():
    z = mt.Tensor(Z, device="fake")
    z[:1] = mt.Tensor([1j], device="fake")
    assert isinstance(z.real.data, FakeArray) and z.tolist()[0] == 1j
    x = mt.zeros(3, device="fake")
    x[:] = 1.0
    with pytest.raises(TypeError, match="do not fit into a Tensor float32"):
        x[:] = z
    assert backend.is_complex(z.data) and not backend.is_complex(x)
    w = mt.Tensor(Z, device="fake", requires_grad=True)
    (w * w).backward(mt.Tensor(np.ones(3, complex), device="fake"))
    np.testing.assert_allclose(w.grad.numpy(), 2 * Z.conj())


def test_jvp_is_the_derivative_in_a_direction():
    v = np.array([1j, 1.0, 2 - 1j])
    for f, d in (
        (lambda z: z * z, lambda z, v: 2 * z * v),
        (lambda z: z * z.conj(), lambda z, v: 2 * (z.conj() * v).real),
    ):
        _, got = mt.jvp(f, mt.Tensor(Z), mt.Tensor(v))
        np.testing.assert_allclose(got.numpy(), d(Z, v))
