"""Which dtype an op computes in: PyTorch's promotion rules, settled once, before the op runs.

| operands                                | result                                                         |
|-----------------------------------------|----------------------------------------------------------------|
| same dtype                              | that dtype                                                     |
| bool, integer, float, complex           | the higher kind decides: int64 + float32 = float32             |
| two floats, two integers, two complex   | the wider; float16 + bfloat16 = float32                        |
| a float with a complex                  | complex numbers of the wider: float64 + complex64 = complex128 |
| with a Python or NumPy scalar           | the array's dtype, unless the scalar is of a higher kind       |
| an array with a 0-d array               | likewise: a 0-d array counts only if it is of a higher kind    |
| a float scalar with integers, int / int | the default float, float32                                     |
| a complex scalar, or 0-d, with floats   | complex numbers of the floats' precision, at least complex64   |

Half precision on the CPU is storage: it is widened to float32 before an op and narrowed after it. There are no complex
numbers of half precision: with a complex operand a half gives complex64 (PyTorch: with a scalar, complex32).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from minitensor.backend import Array, backends, device_of, is_array, is_half, namespace, plain, to_numpy
from minitensor.errors import DeviceError, HistoryError
from minitensor.graph import Operands, Variable, state

__all__ = [
    "FLOAT32", "FLOAT64", "complex_of", "default_complex", "default_float", "listed", "promote", "refuse_complex",
    "settle", "widen",
]  # fmt: skip

FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)
default_float = FLOAT32
default_complex = np.dtype(np.complex64)
_kinds = {"b": 0, "i": 1, "u": 1, "f": 2, "V": 2, "c": 3}  # ml_dtypes' bfloat16 is of kind V


def _kind(dtype: np.dtype) -> int:
    if dtype.kind not in _kinds:
        raise TypeError(f"dtype {dtype} is not supported: use bool, an integer, a float or a complex")
    return _kinds[dtype.kind]


def promote(a: np.dtype, b: np.dtype) -> np.dtype:
    """Return the dtype in which arrays of the dtypes `a` and `b` meet.

    >>> promote(np.dtype("int64"), np.dtype("float32"))
    dtype('float32')
    """
    if a == b:
        return a
    if _kind(a) != _kind(b):
        low, high = (a, b) if _kind(a) < _kind(b) else (b, a)
        return complex_of(low) if high == default_complex and _kind(low) == 2 else high
    if _kind(a) == 2:
        return np.dtype(np.float32) if a.itemsize == b.itemsize else max(a, b, key=lambda d: d.itemsize)
    both = np.promote_types(a, b)
    return np.dtype(np.int64) if both.kind == "f" else both  # NumPy would send uint64 + int64 to float64


def complex_of(dtype: np.dtype) -> np.dtype:
    """Return the dtype of complex numbers whose parts are floats of a dtype, half precision being widened.

    >>> complex_of(np.dtype("float64"))
    dtype('complex128')
    """
    return np.dtype(np.complex128) if dtype.itemsize > 4 else default_complex


def _scalar_dtype(x: complex) -> np.dtype:
    if isinstance(x, complex):
        return default_complex
    return np.dtype(bool) if isinstance(x, bool) else np.dtype(np.int64) if isinstance(x, int) else default_float


def _result_dtype(operands: Operands) -> np.dtype:
    """Apply the table: arrays decide, then 0-d arrays, then scalars, each only if it is of a higher kind."""
    result: np.dtype | None = None
    tiers = (
        [x.dtype for x in operands if is_array(x) and x.ndim],
        [x.dtype for x in operands if is_array(x) and not x.ndim],
        [_scalar_dtype(x) for x in operands if not is_array(x)],
    )
    for tier in tiers:
        best: np.dtype | None = None
        for dtype in tier:
            best = dtype if best is None else promote(best, dtype)
        if best is not None and (result is None or _kind(best) > _kind(result)):
            result = complex_of(result) if result is not None and _kind(result) == 2 else best
    assert result is not None
    return result


def _holds_arrays(values: Operands) -> bool:
    """Whether something with a dtype stands in nested lists."""
    if set(map(type, values)) <= {bool, int, float, complex}:
        return False
    return any(_holds_arrays(v) if isinstance(v, (list, tuple)) else hasattr(v, "dtype") for v in values)


def _host(v: Any, leaves: list[Any]) -> Any:
    """Return an entry of nested lists as NumPy takes it, and add it to the leaves."""
    if isinstance(v, (list, tuple)):
        return [_host(u, leaves) for u in v]
    if isinstance(v, Variable):
        if v.requires_grad and state.recording:
            raise HistoryError(
                "a list of Tensors that require grad would lose their history: join them with minitensor.stack"
            )
        v = to_numpy(v.data)
    v = plain(v) if is_array(v) else v.item() if isinstance(v, np.generic) else v
    leaves.append(v)
    return v


def listed(values: Operands) -> tuple[np.ndarray, Any]:
    """Return nested lists as one array, and the dtype that is meant: arrays and Tensors in them decide, as in a call.

    >>> listed([[1.0, 2.0], [3.0, 4.0]])[1], listed([np.ones(2), [3.0, 4.0]])[1]
    (dtype('float32'), dtype('float64'))
    """
    leaves: list[Any] = []
    if _holds_arrays(values):
        values = [_host(v, leaves) for v in values]
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ValueError(
            f"nested lists stand for an array if their rows have one length; got {values!r:.100}"
        ) from error
    if array.dtype.kind not in "biufcV":
        raise TypeError(
            f"a {type(values).__name__} of dtype {array.dtype} is not supported: a Tensor is made of numbers or bools"
        )
    if leaves:
        return array, _result_dtype(leaves)
    return array, {"f": default_float, "c": default_complex}.get(array.dtype.kind, array.dtype)


def _plain(x: Any, module: ModuleType) -> Any:
    """Bring an operand to an array or a Python scalar."""
    if is_array(x):
        return plain(x)
    if isinstance(x, np.generic):
        return x.item()
    if isinstance(x, (bool, int, float, complex)):
        return x
    if isinstance(x, (list, tuple)):
        array, dtype = listed(x)
        return module.asarray(array.astype(dtype, copy=False))
    raise TypeError(f"an operand must be a Tensor, an array or a number; got {type(x).__name__}")


def settle(
    operands: Operands, promoted: Sequence[bool], floating: bool, real: str = ""
) -> tuple[list[Array], Callable[[Array], Array] | None]:
    """Bring the promoted operands to one dtype and check that they are on one device.

    real: the name of a function that refuses complex numbers. Returns the operands, and what narrows the result again
    if half precision was widened to compute (or None).
    """
    dtype: np.dtype | None = None
    cls: type | None = None
    for x, wanted in zip(operands, promoted, strict=True):
        if not wanted or x is None or (t := type(x)) is float or t is int:
            continue
        d = getattr(x, "dtype", None)
        if d is None:
            break
        if dtype is None:
            dtype, cls = d, t
        elif d is not dtype or t is not cls:
            break
    else:
        if dtype is not None and dtype.kind == "f" and dtype.itemsize > 2 and cls in backends and dtype.isnative:
            return list(operands), None  # the common case: floats of one dtype
    return _settle(operands, promoted, floating, real)


def refuse_complex(name: str, dtype: np.dtype | str) -> None:
    """Raise the TypeError of a function that takes no complex numbers."""
    raise TypeError(f"{name} takes no complex numbers; got {dtype}: pass the real part, the imaginary part or mt.abs")


def _settle(
    operands: Operands, promoted: Sequence[bool], floating: bool, real: str
) -> tuple[list[Array], Callable[[Array], Array] | None]:
    module = namespace(*operands)
    result = [_plain(x, module) if p and x is not None else x for x, p in zip(operands, promoted, strict=True)]
    chosen = [x for x, p in zip(result, promoted, strict=True) if p and x is not None]
    arrays = [x for x in chosen if is_array(x)]
    devices = sorted({device_of(x) for x in arrays})
    if len(devices) > 1:
        raise DeviceError(
            f"the operands are on different devices, {' and '.join(devices)}: move one with .to({devices[0]!r})"
        )
    if not chosen:
        return result, None
    dtype = _result_dtype(chosen)
    if real and dtype.kind == "c":
        refuse_complex(real, dtype)
    if floating and _kind(dtype) < 2:
        dtype = default_float
    compute = np.dtype(np.float32) if is_half(dtype) and module is np else dtype
    for i, x in enumerate(result):
        if promoted[i] and is_array(x) and x.dtype != compute:
            result[i] = x.astype(compute)
        elif promoted[i] and floating and isinstance(x, int):
            result[i] = float(x)
        elif promoted[i] and isinstance(x, int) and dtype.kind in "iu" and not _fits(x, dtype):
            result[i] = module.asarray(x % 2 ** (8 * dtype.itemsize), np.uint64).astype(dtype)  # wraps, as PyTorch's
    return result, (_narrow(dtype) if is_half(dtype) else None)


def _fits(x: int, dtype: np.dtype) -> bool:
    info = np.iinfo(dtype)
    return bool(info.min <= x <= info.max)


def _narrow(dtype: np.dtype) -> Callable[[Array], Array]:
    def narrow(y: Array) -> Array:
        if isinstance(y, tuple):
            return tuple(narrow(v) for v in y)
        if y.dtype != np.float32:
            return y
        with np.errstate(over="ignore"):  # too large for a half is inf, and no news
            return y.astype(dtype)

    return narrow


def widen(g: Array) -> Array:
    """Return a gradient as its rule computes it: half precision on the CPU becomes float32."""
    if isinstance(g, tuple):
        return tuple(v if v is None else widen(v) for v in g)
    if is_half(g.dtype) and namespace(g.data if isinstance(g, Variable) else g) is np:
        return g.astype(np.float32)
    return g
