"""A strict stand-in for CuPy: NumPy arrays behind a wall, so that the GPU path is checked where no GPU is.

Like CuPy's, its arrays refuse to become NumPy arrays by themselves and refuse to meet host arrays, their reductions are
0-d arrays, and the module lacks the names that CuPy 14.2 lacks. Where CuPy is lenient (`numpy.exp(device_array)`
works there, NumPy scalars are taken and bring their dtype along) it is stricter.

`import tests.minitensor.fake_cupy` registers it: `Tensor.to("fake")`. Its tables of names and keywords come out of
`cupy_names`, which asks an installed CuPy.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np

from minitensor.backend import Backend, register
from tests.minitensor.cupy_tables import LACKING, MISSING

UFUNC_KEYWORDS = {"out", "dtype", "casting"}
ATOMS = (bool, int, float, complex)  # what an operand may be beside an array
JOINED = {"concatenate", "stack", "vstack", "hstack", "column_stack", "concat", "where"}  # of arrays alone
NARROW = {"where", "clip", "round", "einsum", "matmul", "multiply", "add", "subtract", "divide"}  # see _bfloat16
METHODS = """all any argmax argmin argsort astype clip conj copy cumprod cumsum diagonal dot fill flatten max mean min
    nonzero prod ptp ravel repeat reshape round searchsorted sort squeeze std sum swapaxes take trace transpose var
    view""".split()
OPERATORS = "add sub mul truediv floordiv mod pow matmul and or xor lshift rshift".split()
COMPARISONS = "eq ne lt le gt ge".split()
FROM_HOST = {"array", "asarray", "ascontiguousarray"}  # an explicit copy to the device, of host arrays too
AT = "int32 int64 uint32 uint64 float32 float64".split()  # what the GPU does atomically
AT_DTYPES = {"add": [*AT, "float16"], "maximum": AT, "minimum": AT, "subtract": ["int32", "uint32"]}
calls: list[str] = []  # names of module functions that ran: proof that the device's module did the work


def _refuse(*args: Any, **kwargs: Any) -> Any:
    raise TypeError("implicit conversion of a device array to a NumPy array: use .get()")


def _unwrap(x: Any) -> Any:
    """Return what NumPy needs to compute, refusing everything that lives on the host."""
    if isinstance(x, FakeArray):
        return x._array
    if isinstance(x, (np.ndarray, np.generic)):
        raise TypeError(f"a device array cannot meet a host {type(x).__name__} of dtype {x.dtype}")
    if isinstance(x, (tuple, list)):
        return type(x)([_unwrap(v) for v in x])
    if isinstance(x, dict):
        return {k: _unwrap(v) for k, v in x.items()}
    return x


def _check_keywords(name: str, function: Any, keywords: Any) -> None:
    """Refuse what NumPy's function takes and CuPy's does not."""
    words = set(keywords)
    wrong = words - UFUNC_KEYWORDS if isinstance(function, np.ufunc) else words & LACKING.get(name, frozenset())
    if wrong:
        raise TypeError(f"{name}() got an unexpected keyword argument {sorted(wrong)[0]!r}")
    if name in ("sort", "argsort") and keywords.get("kind") not in (None, "stable"):
        raise ValueError("kind can only be None or 'stable'")


def _check_operands(name: str, args: Any) -> None:
    """Refuse lists to be joined, and a condition that is no array."""
    if name in JOINED and args:
        chosen = args[:1] if name == "where" else args[0] if isinstance(args[0], (list, tuple)) else ()
        for x in chosen:
            if not isinstance(x, FakeArray):
                raise TypeError(f"{name}: unsupported type {type(x)}")


def _bfloat16(name: str, args: Any, y: Any) -> Any:
    """Do with bfloat16 what CuPy does: no stacks of matrix products, and float32 beside a Python float."""
    halves = [x for x in args if isinstance(x, FakeArray) and x.dtype.kind == "V"]
    if halves and (name == "einsum" or (name == "matmul" and max(x.ndim for x in halves) > 2)):
        raise TypeError("data type 'E' not understood")
    beside = name == "round" or any(isinstance(x, float) for x in args)
    if halves and beside and isinstance(y, (np.ndarray, np.generic)) and y.dtype.kind in "Vf":
        return y.astype("float32")
    return y


def _wrap(y: Any) -> Any:
    if isinstance(y, (np.ndarray, np.generic)):
        return FakeArray(np.asarray(y))  # 0-d arrays where NumPy gives scalars
    return tuple(map(_wrap, y)) if isinstance(y, (tuple, list)) else y


class _Flags:
    """What CuPy tells of an array's memory: not whether it may be written, as it always may."""

    def __init__(self, flags: Any) -> None:
        self.c_contiguous, self.f_contiguous, self.owndata = flags.c_contiguous, flags.f_contiguous, flags.owndata


class FakeArray:
    """An array on the device "fake"."""

    __slots__ = ("_array",)
    __array_priority__ = 100
    __array_ufunc__ = None  # numpy.exp(device), host + device: TypeError
    __array__ = _refuse
    __array_function__ = _refuse
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, array: np.ndarray) -> None:
        if array.dtype.kind not in "biufcV" or array.dtype.char in "gG" or not array.dtype.isnative:
            raise ValueError(f"Unsupported dtype {array.dtype}")
        self._array = array

    shape = property(lambda self: self._array.shape)
    dtype = property(lambda self: self._array.dtype)
    ndim = property(lambda self: self._array.ndim)
    size = property(lambda self: self._array.size)
    itemsize = property(lambda self: self._array.itemsize)
    nbytes = property(lambda self: self._array.nbytes)
    strides = property(lambda self: self._array.strides)
    flags = property(lambda self: _Flags(self._array.flags))
    real = property(lambda self: FakeArray(self._array.real), lambda self, v: setattr(self._array, "real", _unwrap(v)))
    imag = property(lambda self: FakeArray(self._array.imag), lambda self, v: setattr(self._array, "imag", _unwrap(v)))
    T = property(lambda self: FakeArray(self._array.T))
    mT = property(lambda self: FakeArray(self._array.mT))  # noqa: N815
    base = property(lambda self: self._array.base)
    data = property(lambda self: object())  # CuPy's is a pointer to device memory, not an array
    device = "fake"

    def get(self) -> np.ndarray:
        return self._array.copy()

    def item(self) -> Any:
        return self._array.item()

    def tolist(self) -> Any:
        return self._array.tolist()

    def __len__(self) -> int:
        return len(self._array)

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        return bool(self._array)

    def __int__(self) -> int:
        return int(self._array)

    def __float__(self) -> float:
        return float(self._array)

    def __repr__(self) -> str:
        return f"FakeArray({self._array!r})"

    def __getitem__(self, index: Any) -> FakeArray:
        return _wrap(self._array[_unwrap(index)])

    def __setitem__(self, index: Any, value: Any) -> None:
        if isinstance(value, (list, tuple)):
            raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
        self._array[_unwrap(index)] = _unwrap(value)

    def __neg__(self) -> FakeArray:
        return _wrap(-self._array)

    def __invert__(self) -> FakeArray:
        return _wrap(~self._array)

    def __abs__(self) -> FakeArray:
        return _wrap(abs(self._array))


def _method(name: str) -> Any:
    def call(self: FakeArray, *args: Any, **kwargs: Any) -> Any:
        _check_keywords("" if name == "clip" else name, None, kwargs)  # the method names its bounds as NumPy's does
        return _wrap(getattr(self._array, name)(*_unwrap(args), **_unwrap(kwargs)))

    return call


def _binary(name: str, reflected: bool = False) -> Any:
    function = getattr(operator, f"__{name}__")

    def call(self: FakeArray, other: Any) -> Any:
        if not isinstance(other, (FakeArray, *ATOMS, np.ndarray, np.generic)):
            if isinstance(other, str):
                raise TypeError(f"__{name}__: operand type(s) all returned NotImplemented")
            return NotImplemented
        a, b = self._array, _unwrap(other)
        return _wrap(_bfloat16(name, (self, other), function(b, a) if reflected else function(a, b)))

    return call


def _in_place(name: str) -> Any:
    function = getattr(operator, f"__i{name}__")

    def call(self: FakeArray, other: Any) -> Any:
        self._array = function(self._array, _unwrap(other))
        return self

    return call


for _name in METHODS:
    setattr(FakeArray, _name, _method(_name))
for _name in COMPARISONS:
    setattr(FakeArray, f"__{_name}__", _binary(_name))
for _name in OPERATORS:
    setattr(FakeArray, f"__{_name}__", _binary(_name))
    setattr(FakeArray, f"__r{_name}__", _binary(_name, reflected=True))
    if _name != "matmul":
        setattr(FakeArray, f"__i{_name}__", _in_place(_name))


class _Callable:
    """A function of the module: device arrays in, device arrays out."""

    def __init__(self, name: str, function: Any, part: str = "") -> None:
        self.name, self.function, self.label = name, function, part + name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        calls.append(self.name)
        _check_keywords(self.label, self.function, kwargs)
        _check_operands(self.name, args)
        if self.name in FROM_HOST and isinstance(args[0], (np.ndarray, np.generic)):
            return _wrap(np.array(args[0], **kwargs))
        y = self.function(*_unwrap(args), **_unwrap(kwargs))
        return _wrap(_bfloat16(self.name, args, y) if self.name in NARROW else y)

    def at(self, a: FakeArray, index: Any, b: Any = None) -> None:
        if self.name not in AT_DTYPES:
            raise NotImplementedError(f"`cupy_{self.name}.at` is not supported yet")
        if a.dtype.name not in AT_DTYPES[self.name]:
            raise TypeError(f"cupy.{self.name}.at only supports {', '.join(AT_DTYPES[self.name])} as data type")
        calls.append(f"{self.name}.at")
        self.function.at(_unwrap(a), _unwrap(index), _unwrap(b))


class _Part(ModuleType):
    """A part of the module, such as `cupy.fft`: those names of NumPy's that CuPy has there too."""

    def __init__(self, part: Any, names: str) -> None:
        super().__init__(part.__name__)
        self._part, self._names = part, frozenset(names.split())

    def __getattr__(self, name: str) -> Any:
        if name not in self._names:
            raise AttributeError(f"module 'cupy' has no attribute {self._part.__name__}.{name}")
        return _Callable(name, getattr(self._part, name), self._part.__name__.removeprefix("numpy.") + ".")


FFT = """fft fft2 fftfreq fftn fftshift hfft ifft ifft2 ifftn ifftshift ihfft irfft irfft2 irfftn rfft rfft2 rfftfreq
    rfftn"""


LINALG = "cholesky det eigh eigvalsh inv matrix_power matrix_rank norm pinv qr slogdet solve svd tensorinv tensorsolve"


class _LinAlg(_Part):
    """`cupy.linalg`: systems of one shape of stack only, as CuPy solves them, and nothing without entries.

    What LAPACK gives up on is what happens to be in the memory; it raises only in `checked`, as in cupyx.errstate.
    """

    raising = False

    def __getattr__(self, name: str) -> Any:
        function = super().__getattr__(name)

        def call(a: Any, *args: Any, **kwargs: Any) -> Any:
            if name == "solve" and a.shape[:-2] != args[0].shape[:-2]:
                raise ValueError("a must have (..., M, M) shape and b must have (..., M) or (..., M, K)")
            if 0 in a.shape:
                raise ValueError(f"cupy.linalg.{name}: an array of shape {a.shape} has no entries")
            try:
                return function(a, *args, **kwargs)
            except np.linalg.LinAlgError:
                if self.raising:
                    raise
                return FakeArray(np.full((args[0] if name == "solve" else a).shape, 7.0, a.dtype))

        return call

    @contextmanager
    def checked(self) -> Iterator[None]:
        before, self.raising = self.raising, True
        try:
            yield
        finally:
            self.raising = before


class _Module(ModuleType):
    ndarray = FakeArray
    fft = _Part(np.fft, FFT)
    linalg = _LinAlg(np.linalg, LINALG)

    def __getattr__(self, name: str) -> Any:
        if name in MISSING or not hasattr(np, name):
            raise AttributeError(f"module 'cupy' has no attribute {name!r}")
        value = getattr(np, name)
        return _Callable(name, value) if callable(value) and not isinstance(value, type) else value


xp = _Module("fake_cupy")


def _register(kind: str, device: str) -> None:
    to_device = lambda x, device: FakeArray(x.copy())  # noqa: E731
    register(kind, FakeArray, Backend(xp, lambda x: device, to_device, FakeArray.get, xp.linalg.checked))


_register("fake", "fake")


def as_cuda() -> None:
    """Let the stand-in bear CuPy's name in this process: `Tensor.to("cuda")`."""
    _register("cuda", "cuda:0")
