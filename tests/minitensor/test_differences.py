"""What CuPy does otherwise than NumPy, and the engine evens out: on the stand-in here, on a GPU where there is one."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import minitensor as mt
from tests.minitensor import cupy_names, fake_cupy
from tests.minitensor.cupy_tables import LACKING, MISSING

ROOT = Path(__file__).resolve().parents[2]
DEVICES = ["cpu", "fake", pytest.param("cuda", marks=pytest.mark.gpu)]
on_devices = pytest.mark.parametrize("device", DEVICES)


def test_the_packages_call_nothing_that_cupy_lacks():
    found = [use for package in ("minitensor", "jepa") for use in cupy_names.used(ROOT / package)]
    assert len(found) > 200 and {"linalg.svd", "exp", "add.at"} <= {name for _, name, _ in found}
    for place, name, keywords in found:
        assert name not in MISSING, f"{place}: CuPy has no {name}"
        assert not keywords & LACKING.get(name, set()), f"{place}: CuPy's {name} takes no {keywords}"


@pytest.mark.skipif(importlib.util.find_spec("cupy") is None, reason="needs CuPy, but no GPU")
def test_the_tables_are_cupys():
    assert cupy_names.missing() - MISSING == set(), "names that this CuPy lacks and the stand-in has"
    lacking = {name: words - LACKING.get(name, set()) for name, words in cupy_names.lacking().items()}
    assert not any(lacking.values())


@on_devices
@pytest.mark.parametrize(
    "call",
    [mt.linalg.inv, mt.linalg.cholesky, lambda a: mt.linalg.solve(a, a[..., :1])],
    ids=["inv", "cholesky", "solve"],
)
@pytest.mark.parametrize("stacked", [False, True])
def test_what_lapack_gives_up_on_raises_everywhere(device, call, stacked):
    """By itself cuSOLVER says so in a number that nobody looks at, and CuPy returns what is in the memory."""
    singular = np.array([[1.0, 2.0], [2.0, 4.0]])
    singular = np.stack([np.eye(2), -singular]) if stacked else -singular
    with pytest.raises(mt.linalg.LinAlgError):
        call(mt.Tensor(singular, device=device))


@on_devices
def test_complex_gradients_of_places_read_twice_add_up(device):
    x = mt.Tensor(np.array([1 + 1j, 2 - 1j, 3.0]), device=device, requires_grad=True)
    weights = mt.Tensor(np.array([1 + 2j, 3.0, 5j]), device=device)
    (g,) = mt.grad((x[mt.Tensor([0, 2, 0], device=device)] * weights).real.sum(), x)
    np.testing.assert_allclose(g.numpy(), [1 - 7j, 0, 3])


@on_devices
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize(
    ("shapes", "call"),
    [
        (((2, 3), (3, 4)), lambda a, b: a @ b),
        (((5, 2, 3), (5, 3, 4)), lambda a, b: a @ b),
        (((1, 2, 3), (5, 1, 3, 4)), lambda a, b: a @ b),
        (((2, 3), (4, 3)), lambda a, b: mt.einsum("ij,kj->ik", a, b)),
        (((3, 3), (3, 2)), lambda a, b: mt.einsum("ii,ij->ij", a, b)),
    ],
    ids=["matrix", "stack", "broadcast", "einsum", "diagonal"],
)
def test_products_of_halves(device, dtype, shapes, call):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    kind = np.dtype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(s).astype(kind) for s in shapes]
    leaves = [mt.Tensor(a, device=device, requires_grad=True) for a in arrays]
    y = call(*leaves)
    exact = [mt.Tensor(a.astype("float64"), requires_grad=True) for a in arrays]
    wanted = call(*exact)
    assert y.dtype == kind
    np.testing.assert_allclose(y.numpy().astype("float64"), wanted.numpy(), rtol=0.02, atol=0.02)
    for g, true in zip(mt.grad(y.sum(), leaves), mt.grad(wanted.sum(), exact), strict=True):
        assert g.dtype == kind
        np.testing.assert_allclose(g.numpy().astype("float64"), true.numpy(), rtol=0.03, atol=0.03)


@on_devices
def test_halves_stay_halves_beside_numbers(device):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    x = mt.Tensor(np.array([0.5, -2.0], ml_dtypes.bfloat16), device=device, requires_grad=True)
    for f in (lambda x: x * 1.5, lambda x: mt.where(x > 0, x, 0.0), lambda x: x.clip(-1.0, 1.0), mt.nn.functional.gelu):
        y = f(x)
        assert y.dtype == x.dtype
        assert mt.grad(y.sum(), x)[0].dtype == x.dtype


KEYWORDS = {
    "ufunc where=": lambda xp, d: xp.exp(d, where=d > 0),
    "ufunc order=": lambda xp, d: xp.add(d, d, order="C"),
    "sum(where=)": lambda xp, d: xp.sum(d, where=d > 0),
    "d.max(initial=)": lambda xp, d: d.max(initial=0.0),
    "d.std(correction=)": lambda xp, d: d.std(correction=1),
    "zeros(device=)": lambda xp, d: xp.zeros(3, device="cpu"),
    "take(mode=)": lambda xp, d: xp.take(d, xp.asarray([0]), mode="wrap"),
    "argsort(kind='quicksort')": lambda xp, d: xp.argsort(d, kind="quicksort"),
    "sort(stable=)": lambda xp, d: xp.sort(d, stable=True),
    "d[0] = list": lambda xp, d: d.__setitem__(0, [1.0, 2.0, 3.0]),
    "concatenate with a list": lambda xp, d: xp.concatenate([d, [[1.0, 2.0, 3.0]]]),
    "where(True, ...)": lambda xp, d: xp.where(True, d, d),
    "astype(str)": lambda xp, d: d.astype(str),
    "astype('>f8')": lambda xp, d: d.astype(">f8"),
    "astype(object)": lambda xp, d: d.astype(object),
    "astype('longdouble')": lambda xp, d: d.astype("longdouble"),
    "d.flags.writeable": lambda xp, d: d.flags.writeable,
    "d == str": lambda xp, d: d == "a",
    "add.at on complex": lambda xp, d: xp.add.at(d + 0j, xp.asarray([0]), 1j),
    "maximum.at on float16": lambda xp, d: xp.maximum.at(d.astype("float16"), xp.asarray([0]), 1.0),
    "multiply.at": lambda xp, d: xp.multiply.at(d, 0, 2.0),
    "linalg.cholesky(upper=)": lambda xp, d: xp.linalg.cholesky(d, upper=True),
    "fft.fft(out=)": lambda xp, d: xp.fft.fft(d, out=d),
    "item(0)": lambda xp, d: d.item(0),
}


@pytest.mark.parametrize("mistake", KEYWORDS.values(), ids=KEYWORDS)
@pytest.mark.parametrize("which", ["fake", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_what_cupy_refuses_the_stand_in_refuses(which, mistake):
    d = mt.Tensor(np.arange(1, 10.0).reshape(3, 3), device=which).data
    xp = fake_cupy.xp if which == "fake" else importlib.import_module("cupy")
    with pytest.raises((TypeError, ValueError, AttributeError, NotImplementedError)):
        mistake(xp, d)


def test_lapack_by_itself_is_silent_on_the_stand_in():
    singular = fake_cupy.FakeArray(np.zeros((2, 2)))
    assert fake_cupy.xp.linalg.inv(singular).shape == (2, 2)
    with fake_cupy.xp.linalg.checked(), pytest.raises(np.linalg.LinAlgError):
        fake_cupy.xp.linalg.inv(singular)
