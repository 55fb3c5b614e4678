"""Parity: which dtype each elementwise function gives for each pair of operands, and what is refused."""

from __future__ import annotations

import itertools
import operator
from typing import Any

import numpy as np
import pytest

import minitensor as mt
from tests.minitensor.parity.oracle import torch
from tests.minitensor.parity.test_elementwise_edges import BINARY, UNARY

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore::RuntimeWarning")]
DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]
WHOLE = DTYPES[1:6]
NAMES = {"power": "pow", "negative": "neg", "equal": "eq", "not_equal": "ne", "clip": "clamp"}
TAKES_MORE = {"logaddexp", "logaddexp2", "hypot", "heaviside", "isclose"}  # integers, or two dtypes: as in NumPy
BITS = ["bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_left_shift", "bitwise_right_shift"]
OPERATORS = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "power": operator.pow,
    "remainder": operator.mod,
    "floor_divide": operator.floordiv,
}


def _outcome(call: Any, *args: Any) -> Any:
    try:
        return call(*args)
    except (TypeError, ValueError, ArithmeticError, RuntimeError) as error:
        return error


def _agree(name: str, ours: Any, theirs: Any) -> None:
    if isinstance(ours, Exception) or isinstance(theirs, Exception):
        if not (name in TAKES_MORE and isinstance(theirs, Exception)):
            assert isinstance(ours, Exception) and isinstance(theirs, Exception), (name, ours, theirs)
        return
    assert f"torch.{ours.dtype}" == str(theirs.dtype) and ours.shape == tuple(theirs.shape), (name, ours, theirs)
    tolerance = 2e-3 if ours.dtype == np.float16 else 1e-5
    np.testing.assert_allclose(ours.numpy().astype(float), theirs.numpy().astype(float), tolerance, 1e-6)


@pytest.mark.parametrize("name", [*UNARY, "sign", "lgamma", "digamma", "bitwise_not"])
def test_one_operand(name):
    for dtype in DTYPES:
        x = np.array([0, 1, 1] if name in ("erfinv", "logit", "asin", "acos", "atanh") else [0, 1, 2]).astype(dtype)
        theirs = getattr(torch, NAMES.get(name, name))
        _agree(name, _outcome(getattr(mt, name), mt.Tensor(x)), _outcome(theirs, torch.tensor(x)))


@pytest.mark.parametrize("name", [*BINARY, *BITS, "equal", "floor_divide", "heaviside", "clip"])
def test_two_operands(name):
    ours, theirs = getattr(mt, name), getattr(torch, NAMES.get(name, name))
    for d, e in itertools.product(DTYPES, DTYPES):
        a, b = np.array([1, 2, 7]).astype(d), np.array([3, 1, 2]).astype(e)
        _agree(name, _outcome(ours, mt.Tensor(a), mt.Tensor(b)), _outcome(theirs, torch.tensor(a), torch.tensor(b)))
        b = b[0]
        _agree(name, _outcome(ours, mt.Tensor(a), mt.Tensor(b)), _outcome(theirs, torch.tensor(a), torch.tensor(b)))


@pytest.mark.parametrize("name", OPERATORS)
def test_an_operand_and_a_number(name):
    for d, number in itertools.product(DTYPES, (True, 2, 2.5, -1)):
        if name == "power" and (d, number) in (("bool", True), ("uint8", -1)):
            continue  # True ** True is no power here; -1 is 255 before the op sees it
        ours, theirs, a = getattr(mt, name), OPERATORS[name], np.array([1, 2, 7]).astype(d)
        _agree(name, _outcome(ours, mt.Tensor(a), number), _outcome(theirs, torch.tensor(a), number))
        _agree(name, _outcome(ours, number, mt.Tensor(a)), _outcome(theirs, number, torch.tensor(a)))


def test_integers_wrap_around():
    for dtype in WHOLE:
        info = np.iinfo(dtype)
        a, b = np.array([info.max, info.min, info.max], dtype), np.array([1, info.max, info.max], dtype)
        for name in ("add", "subtract", "multiply", "square", "negative"):
            args = (a, b) if name in OPERATORS else (a,)
            theirs = getattr(torch, NAMES.get(name, name))(*map(torch.tensor, args))
            np.testing.assert_array_equal(getattr(mt, name)(*map(mt.Tensor, args)).numpy(), theirs.numpy())


def test_halves_keep_their_largest_number():
    x = np.array([np.inf, -np.inf, np.nan], "float16")
    assert mt.nan_to_num(mt.Tensor(x)).numpy().tolist() == torch.nan_to_num(torch.tensor(x)).tolist()


def test_where_of_numbers_and_mixed_dtypes():
    taken = np.array([True, False])
    for a, b in itertools.product(
        (1, 2.0, True, np.array([1, 2]), np.array([1.0, 2.0], "float32"), np.array([1.0, 2.0])), repeat=2
    ):
        args = [[f(v) if isinstance(v, np.ndarray) else v for v in (a, b)] for f in (mt.Tensor, torch.tensor)]
        _agree("where", mt.where(mt.Tensor(taken), *args[0]), torch.where(torch.tensor(taken), *args[1]))
    assert [i.tolist() for i in mt.where([True, False, True])] == [[0, 2]]


REFUSED = {
    "subtract bools": (lambda m, t: m.subtract(t([True]), t([False])), TypeError, "subtract: bools are refused"),
    "1 - bool": (lambda m, t: 1 - t([True]), TypeError, "turn one by ~x"),
    "float - bool": (lambda m, t: t([1.0]) - t([True]), TypeError, "subtract: bools are refused"),
    "float - True": (lambda m, t: t([1.0]) - True, TypeError, "subtract: bools are refused"),
    "negative bool": (lambda m, t: -t([True]), TypeError, "negative: bools are refused"),
    "abs bool": (lambda m, t: m.abs(t([True])), TypeError, "abs: bools are refused"),
    "relu bool": (lambda m, t: m.relu(t([True])), TypeError, "relu: bools are refused"),
    "floor bool": (lambda m, t: m.floor(t([True])), TypeError, "floor: bools are refused"),
    "round bool": (lambda m, t: m.round(t([True])), TypeError, "round: bools are refused"),
    "remainder bools": (lambda m, t: m.remainder(t([True]), t([True])), TypeError, "remainder: bools are refused"),
    "bool powers": (lambda m, t: t([True]) ** t([True]), TypeError, "power: a bool has no powers"),
    "int ** -1": (lambda m, t: t([1, 2]) ** -1, ValueError, "an integer to a negative power is no integer"),
    "int // 0": (lambda m, t: m.floor_divide(t([1, 2]), 0), ZeroDivisionError, "floor_divide: an integer over 0"),
    "int % 0": (lambda m, t: m.remainder(t([1, 2]), t([1, 0])), ZeroDivisionError, "remainder: an integer over 0"),
    "int fmod 0": (lambda m, t: m.fmod(t([1, 2]), t([1, 0])), ZeroDivisionError, "fmod: an integer over 0"),
    "float & float": (lambda m, t: m.bitwise_and(t([1.0]), t([1.0])), TypeError, "bitwise_and takes integers or bools"),
    "float << int": (
        lambda m, t: m.bitwise_left_shift(t([1.0]), t([1])),
        TypeError,
        "bitwise_left_shift takes integers;",
    ),
    "bool << bool": (
        lambda m, t: m.bitwise_left_shift(t([True]), t([True])),
        TypeError,
        "takes integers; got array bool",
    ),
    "~float": (lambda m, t: m.bitwise_not(t([1.0])), TypeError, "bitwise_not takes integers or bools"),
    "where of numbers": (
        lambda m, t: m.where(t([1, 0]), t([1]), t([2])),
        TypeError,
        "where: the condition is of bools",
    ),
    "clip by nothing": (
        lambda m, t: (m.clip if m is mt else m.clamp)(t([1.0])),
        ValueError,
        "clip: give a lower bound",
    ),
    "close by less": (lambda m, t: m.isclose(t([1.0]), t([1.0]), rtol=-1.0), ValueError, "tolerances are at least 0"),
    "polygamma -1": (lambda m, t: m.polygamma(-1, t([1.0])), ValueError, "n counts derivatives"),
    "shapes of +": (lambda m, t: t([1.0, 2.0]) + t([1.0, 2.0, 3.0]), ValueError, r"\(2,\).*\(3,\)"),
    "shapes of where": (lambda m, t: m.where(t([True] * 4), t([1.0] * 2), t([1.0])), ValueError, r"\(4,\).*\(2,\)"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    call, kind, text = REFUSED[name]
    with pytest.raises((RuntimeError, TypeError, NotImplementedError, ValueError)):
        call(torch, torch.tensor)
    with pytest.raises(kind, match=text):
        call(mt, mt.Tensor)
