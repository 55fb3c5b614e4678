"""Fourier transforms against PyTorch: values, gradients, second order, every norm, even and odd lengths, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minitensor as mt
from tests.minitensor.parity.oracle import normal, torch
from tests.minitensor.parity.test_complex import compare, plane

pytestmark = pytest.mark.parity
ONE = {"fft": plane, "ifft": plane, "rfft": normal, "irfft": plane}
NORMS = ("backward", "ortho", "forward")


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", ONE)
@pytest.mark.parametrize("n", [None, 1, 2, 3, 4, 5, 8, 9])
def test_one_axis(name, n, norm):
    f, g = getattr(mt.fft, name), getattr(torch.fft, name)
    for m in (2, 5, 6):
        compare(lambda z: f(z, n, -1, norm), lambda t: g(t, n, -1, norm), ONE[name](2, m))
    compare(lambda z: f(z, n, 0, norm), lambda t: g(t, n, 0, norm), ONE[name](4, 2))
    compare(lambda z: f(z[::2].T, n), lambda t: g(t[::2].T, n), ONE[name](4, 3))


@pytest.mark.parametrize("name", ["fft", "ifft", "irfft"])
def test_real_numbers_where_complex_ones_are_expected(name):
    f, g = getattr(mt.fft, name), getattr(torch.fft, name)
    compare(lambda z: f(z, 5), lambda t: g(t, 5), normal(2, 4))


@pytest.mark.parametrize("name", ["fftn", "ifftn", "rfftn", "irfftn"])
@pytest.mark.parametrize(
    ("s", "axes"),
    [(None, None), (None, (0, 1)), (None, (-1,)), ((3,), None), ((2, 5), None), ((4, -1), (2, 0)), ((3, 3), (-1, 1))],
)
def test_several_axes(name, s, axes):
    f, g = getattr(mt.fft, name), getattr(torch.fft, name)
    x = ONE[name[:-1]](2, 3, 4)
    for norm in NORMS:
        compare(lambda z, n=norm: f(z, s, axes, n), lambda t, n=norm: g(t, s, axes, n), x)


@pytest.mark.parametrize("name", ["fft2", "ifft2", "rfft2", "irfft2"])
def test_two_axes(name):
    f, g = getattr(mt.fft, name), getattr(torch.fft, name)
    x = ONE[name[:-1]](2, 3, 4)
    compare(f, g, x)
    compare(lambda z: f(z, (5, 3), (0, 1), "ortho"), lambda t: g(t, (5, 3), (0, 1), "ortho"), x)


@pytest.mark.parametrize("name", ONE)
def test_nothing_to_transform(name):
    f, g = getattr(mt.fft, name), getattr(torch.fft, name)
    compare(lambda z: f(z, 4), lambda t: g(t, 4), ONE[name](2, 0), order=1)
    assert f(mt.Tensor(ONE[name](0, 4))).shape == getattr(np.fft, name)(ONE[name](0, 4)).shape  # PyTorch: an MKL error


@pytest.mark.parametrize("dtype", ["int64", "uint8", "bool", "float32", "complex64"])
@pytest.mark.parametrize("name", ["fft", "ifft", "rfft", "irfft", "fftn", "irfft2"])
def test_dtypes(name, dtype):
    x = np.ones((3, 4)).astype(dtype)
    if name == "rfft" and dtype == "complex64":
        return
    y, t = getattr(mt.fft, name)(mt.Tensor(x)), getattr(torch.fft, name)(torch.tensor(x))
    assert str(t.dtype) == f"torch.{y.dtype}"
    np.testing.assert_allclose(y.numpy(), t.resolve_conj().numpy(), atol=1e-6)
    assert getattr(mt.fft, name)(x.tolist()).dtype == (np.float32 if name.startswith("ir") else np.complex64)


@pytest.mark.parametrize("n", [0, 1, 2, 5, 6])
@pytest.mark.parametrize("d", [1.0, 0.25, -3.0])
def test_frequencies_and_the_order_of_bins(n, d):
    for name in ("fftfreq", "rfftfreq")[: 2 if n else 1]:
        y, t = getattr(mt.fft, name)(n, d), getattr(torch.fft, name)(n, d)
        assert y.dtype == np.float32 and y.shape == tuple(t.shape)
        np.testing.assert_allclose(y.numpy(), t.numpy(), rtol=1e-6)
    assert mt.fft.fftfreq(n, d, "float64").dtype == np.float64
    for name in ("fftshift", "ifftshift"):
        f, g = getattr(mt.fft, name), getattr(torch.fft, name)
        for axes in (None, 0, (1,), (-1, 0), (1, 1)):
            compare(lambda z, f=f, a=axes: f(z, a), lambda t, g=g, a=axes: g(t, a), plane(n, 3))


def test_a_spectrum_and_back():
    def ours(x: Any, w: Any) -> Any:
        return (mt.fft.irfft(mt.fft.rfft(x) * w, 7).abs() ** 2).sum()

    def theirs(x: Any, w: Any) -> Any:
        return (torch.fft.irfft(torch.fft.rfft(x) * w, 7).abs() ** 2).sum()

    compare(ours, theirs, normal(2, 7), plane(4))
    compare(lambda z: mt.fft.fft2(z).abs().sum(), lambda t: torch.fft.fft2(t).abs().sum(), normal(3, 4))


ERRORS: dict[str, tuple[Any, Any]] = {
    "no point": (lambda f, x: f.fft(x[:0]), r"fft: there must be at least one point; got axis 0 of shape \(0,\)"),
    "n = 0": (lambda f, x: f.rfft(x, 0), "rfft: there must be at least one point; got n=0"),
    "n < 0": (lambda f, x: f.ifft(x, -2), "ifft: there must be at least one point; got n=-2"),
    "a single bin": (
        lambda f, x: f.irfft(x[:1]),
        r"irfft: there must be at least one point; got axis 0 of shape \(1,\)",
    ),
    "a number": (lambda f, x: f.fft(x[0]), "fft: a number has no axis to transform along"),
    "norm": (lambda f, x: f.fft(x, None, -1, "unit"), "norm is 'backward', 'ortho' or 'forward'; got 'unit'"),
    "axis": (lambda f, x: f.fft(x, None, 2), "axis 2 is out of bounds"),
    "complex": (lambda f, x: f.rfft(x * 1j), "rfft takes no complex numbers; got complex128"),
    "complex, several": (lambda f, x: f.rfft2(x[None] * 1j), "rfft2 takes no complex numbers"),
    "twice": (lambda f, x: f.fftn(x[None], None, (0, -2)), "names an axis of 2 twice"),
    "lengths": (lambda f, x: f.fftn(x, (2, 3), (0,)), r"fftn: s=\(2, 3\) and axes=\(0,\) must name as many"),
    "too many lengths": (lambda f, x: f.fftn(x, (2, 3)), r"fftn: s=\(2, 3\) names 2 lengths; x has 1 axes"),
    "one axis for two": (lambda f, x: f.fft2(x), "axis -2 is out of bounds"),
    "no axis": (lambda f, x: f.rfftn(x, None, ()), "rfftn: there is no axis to transform along"),
    "no axis back": (lambda f, x: f.irfftn(x[0]), "irfftn: there is no axis to transform along"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_error_inputs(name):
    call, text = ERRORS[name]
    with pytest.raises((RuntimeError, IndexError, ValueError)):
        call(torch.fft, torch.ones(4, dtype=torch.float64))
    with pytest.raises((TypeError, IndexError, ValueError), match=text):
        call(mt.fft, mt.Tensor(np.ones(4)))


def test_frequencies_refuse():
    for call in (lambda: mt.fft.fftfreq(-1), lambda: mt.fft.rfftfreq(0), lambda: mt.fft.rfftfreq(4, 0.0)):
        with pytest.raises(ValueError, match="n is . or more and the spacing d is not 0"):
            call()
