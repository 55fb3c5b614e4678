"""dtypes are settled at the door: the table cell by cell, frozen here and compared with PyTorch where it is there."""

from __future__ import annotations

import numpy as np
import pytest

import minitensor as mt
from minitensor import promotion
from minitensor.promotion import promote

NAMES = "bool uint8 int8 int16 int32 int64 float16 float32 float64 complex64 complex128".split()
SHORT = dict(zip("b u1 i1 i2 i4 i8 f2 f4 f8 c8 c16".split(), NAMES, strict=True))
SCALARS = {"True": True, "2": 2, "2.5": 2.5, "1j": 1j}
# the dtype of a + b: rows a, columns b
TWO_ARRAYS = """
        b   u1  i1  i2  i4  i8  f2  f4  f8  c8  c16
    b   b   u1  i1  i2  i4  i8  f2  f4  f8  c8  c16
    u1  u1  u1  i2  i2  i4  i8  f2  f4  f8  c8  c16
    i1  i1  i2  i1  i2  i4  i8  f2  f4  f8  c8  c16
    i2  i2  i2  i2  i2  i4  i8  f2  f4  f8  c8  c16
    i4  i4  i4  i4  i4  i4  i8  f2  f4  f8  c8  c16
    i8  i8  i8  i8  i8  i8  i8  f2  f4  f8  c8  c16
    f2  f2  f2  f2  f2  f2  f2  f2  f4  f8  c8  c16
    f4  f4  f4  f4  f4  f4  f4  f4  f4  f8  c8  c16
    f8  f8  f8  f8  f8  f8  f8  f8  f8  f8  c16 c16
    c8  c8  c8  c8  c8  c8  c8  c8  c8  c16 c8  c16
    c16 c16 c16 c16 c16 c16 c16 c16 c16 c16 c16 c16
"""
ARRAY_AND_0D = """
        b   u1  i1  i2  i4  i8  f2  f4  f8  c8  c16
    b   b   u1  i1  i2  i4  i8  f2  f4  f8  c8  c16
    u1  u1  u1  u1  u1  u1  u1  f2  f4  f8  c8  c16
    i1  i1  i1  i1  i1  i1  i1  f2  f4  f8  c8  c16
    i2  i2  i2  i2  i2  i2  i2  f2  f4  f8  c8  c16
    i4  i4  i4  i4  i4  i4  i4  f2  f4  f8  c8  c16
    i8  i8  i8  i8  i8  i8  i8  f2  f4  f8  c8  c16
    f2  f2  f2  f2  f2  f2  f2  f2  f2  f2  c8  c8
    f4  f4  f4  f4  f4  f4  f4  f4  f4  f4  c8  c8
    f8  f8  f8  f8  f8  f8  f8  f8  f8  f8  c16 c16
    c8  c8  c8  c8  c8  c8  c8  c8  c8  c8  c8  c8
    c16 c16 c16 c16 c16 c16 c16 c16 c16 c16 c16 c16
"""
ARRAY_AND_SCALAR = """
        True 2   2.5 1j
    b   b    i8  f4  c8
    u1  u1   u1  f4  c8
    i1  i1   i1  f4  c8
    i2  i2   i2  f4  c8
    i4  i4   i4  f4  c8
    i8  i8   i8  f4  c8
    f2  f2   f2  f2  c8
    f4  f4   f4  f4  c8
    f8  f8   f8  f8  c16
    c8  c8   c8  c8  c8
    c16 c16  c16 c16 c16
"""


def table(text: str) -> dict[tuple[str, str], str]:
    header, *rows = [line.split() for line in text.strip().splitlines()]
    return {(row[0], column): SHORT[cell] for row in rows for column, cell in zip(header, row[1:], strict=True)}


def cells(text: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("a", "b", "expected"), [(a, b, e) for (a, b), e in table(text).items()])


def array(name: str) -> mt.Tensor:
    return mt.Tensor(np.ones(2, SHORT[name]))


def zero_d(name: str) -> mt.Tensor:
    return mt.Tensor(np.ones((), SHORT[name]))


@cells(TWO_ARRAYS)
def test_two_arrays(a, b, expected):
    assert (array(a) * array(b)).dtype == expected
    assert promote(np.dtype(SHORT[a]), np.dtype(SHORT[b])) == expected
    assert (zero_d(a) * zero_d(b)).dtype == expected
    assert mt.where(mt.Tensor([True, False]), array(a), array(b)).dtype == expected
    assert mt.concatenate([array(a), array(b)]).dtype == expected


@cells(ARRAY_AND_0D)
def test_array_and_0d(a, b, expected):
    assert (array(a) * zero_d(b)).dtype == expected
    assert (zero_d(b) * array(a)).dtype == expected


@cells(ARRAY_AND_SCALAR)
def test_array_and_scalar(a, b, expected):
    assert (array(a) * SCALARS[b]).dtype == expected
    assert (SCALARS[b] * array(a)).dtype == expected
    assert (zero_d(a) * SCALARS[b]).dtype == expected
    assert (array(a) * np.array([SCALARS[b]])[0]).dtype == expected  # NumPy scalars are weak too


@pytest.mark.parametrize("name", SHORT)
def test_division_and_functions_give_floats(name):
    expected = SHORT[name] if name[0] in "fc" else "float32"
    assert (array(name) / array(name)).dtype == expected
    assert (array(name) / 2).dtype == expected
    assert mt.exp(array(name)).dtype == expected
    assert mt.mean(array(name)).dtype == expected
    if not name.startswith("c"):
        assert mt.softmax(array(name)).dtype == expected


def test_operands_of_one_float_dtype_take_the_fast_path(monkeypatch):
    monkeypatch.setattr(promotion, "_settle", None)  # calling it would raise
    a, b = np.ones(2, np.float32), np.ones(3, np.float32)
    for operands in ([a, b], [a, 2.0], [a, b, None], [None, a, 1]):
        assert promotion.settle(operands, [True] * len(operands), True) == (operands, None)
    with pytest.raises(TypeError):
        promotion.settle([a, 1j], [True, True], True)


def test_rules_never_mix_dtypes():
    seen = []

    @mt.op
    def spied(a, b):
        return a * b

    spied.vjp(
        a=lambda g, b: seen.append((g.dtype, b.dtype)) or g * b, b=lambda g, a: seen.append((g.dtype, a.dtype)) or g * a
    )
    a, b = mt.Tensor(np.ones(2, "float32"), requires_grad=True), mt.Tensor(np.ones(2), requires_grad=True)
    spied(a, b).sum().backward()
    assert set(seen) == {(np.dtype("float64"),) * 2}
    assert a.grad.dtype == np.float32 and b.grad.dtype == np.float64


def test_what_tensors_are_made_of():
    assert mt.Tensor([1.0]).dtype == np.float32
    assert mt.Tensor(1.0).dtype == np.float32
    assert mt.Tensor([1]).dtype == np.int64
    assert mt.Tensor([True]).dtype == np.bool_
    assert mt.Tensor(np.ones(1)).dtype == np.float64
    assert mt.Tensor(np.float64(1)).dtype == np.float64
    assert mt.Tensor([1], dtype="float16").dtype == np.float16
    assert mt.Tensor(1j).dtype == mt.Tensor([1.0, 1j]).dtype == np.complex64
    assert mt.Tensor(np.ones(1, complex)).dtype == mt.Tensor(np.complex128(1)).dtype == np.complex128
    assert mt.Tensor([1], dtype="complex128").dtype == np.complex128
    for bad in (["a"], None):
        with pytest.raises(TypeError):
            mt.Tensor(bad)


def test_what_is_no_number_is_refused_by_name():
    with pytest.raises(TypeError, match="datetime64.* is not supported"):
        mt.Tensor([1.0]) * np.ones(1, "datetime64[s]")
    with pytest.raises(TypeError, match="got str"):
        mt.Tensor([1.0]) + "a"


@pytest.mark.parity
@pytest.mark.filterwarnings("ignore:ComplexHalf")
def test_the_frozen_tables_are_torchs():
    torch = pytest.importorskip("torch")
    kinds = {short: getattr(torch, name) for short, name in SHORT.items()}

    def name(x):
        return str(x.dtype).removeprefix("torch.").replace("complex32", "complex64")  # there are none of half precision

    for a, x in kinds.items():
        full, point = torch.ones(2, dtype=x), torch.ones((), dtype=x)
        for b, y in kinds.items():
            assert (
                table(TWO_ARRAYS)[a, b] == name(full * torch.ones(2, dtype=y)) == name(point * torch.ones((), dtype=y))
            )
            assert table(ARRAY_AND_0D)[a, b] == name(full * torch.ones((), dtype=y))
        for b, scalar in SCALARS.items():
            assert table(ARRAY_AND_SCALAR)[a, b] == name(full * scalar) == name(point * scalar)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda: mt.Tensor(np.full(1000, 100, np.float16)).mean(), 100),
        (lambda: mt.Tensor(np.array([300, -300], np.float16)).std(), 300),
        (lambda: mt.nn.functional.mse_loss(*(mt.Tensor(np.full(9, v, np.float16)) for v in (200, 0))), 40000),
    ],
    ids=["mean", "std", "mse_loss"],
)
def test_composites_of_halves_do_not_overflow_inside(call, expected):
    y = call()
    assert y.dtype == np.float16
    np.testing.assert_allclose(y.numpy(), expected, rtol=2e-3)
