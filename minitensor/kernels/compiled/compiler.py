"""Loops over arrays, compiled by Numba for float32 and for float64, at their first call.

A loop is a function on contiguous arrays of one float dtype that says its formula entry by entry. The decorators keep
it until it is called; then they compile it for the dtype of its first array. Numbers follow NumPy's rule: one that is
written with a point, in the loop or in a constant that it names, has the arrays' dtype, and so has a Python float that
is passed. An integer that meets a float would make it a float64: write 2.0 x, and `real(n)` for a count.

    @compiled
    def square(x, y):
        for i in range(x.size):
            y[i] = x[i] * x[i]

No loop takes liberties with NaN, infinity or signed zeros: a product and a sum may become one fused multiply-add, and
with `sums=True` the terms of a sum may be added in another order, in vectors, which is the same order each time.

What was compiled is kept on disk, under `__pycache__` beside the source, or where that cannot be written (or
NUMBA_CACHE_DIR says so) in the user's cache; the name of the folder is a hash of the source.
"""

import hashlib
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import FunctionType
from typing import Any, NamedTuple, TypeAlias, overload

import numpy as np

__all__ = ["IR", "Compilation", "Inlined", "Loop", "Number", "PerDtype", "compilations", "compiled", "inlined", "real"]

Array = np.ndarray
Number: TypeAlias = Any  # one entry of an array, in a loop: float32 or float64
IR: TypeAlias = Any  # of llvmlite or Numba's typing, which have no types: a builder, a value, a signature
DTYPES: dict[str, Any] = {"f": np.float32, "d": np.float64}


class Compilation(NamedTuple):
    """One loop that was made ready: its name, the dtype, how long that took, and whether it was found on disk."""

    name: str
    dtype: str
    seconds: float
    cached: bool


class PerDtype(NamedTuple):
    """A constant that differs between float32 and float64."""

    single: Any
    double: Any


real: Any = PerDtype(np.float32, np.float64)  # in a loop: the type of its floats
_made: list[Compilation] = []
_lock = threading.RLock()

if hasattr(os, "register_at_fork"):  # a process forked while another thread compiles would wait for it forever
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


def numba() -> Any:
    """Return the module, which nothing imports before a loop is compiled."""
    return import_module("numba")


def _type(value: Any) -> Any:
    """Return Numba's type of an argument; an array is taken as contiguous, so that no other one is let in."""
    types = numba().types
    if isinstance(value, np.ndarray):
        return types.Array(numba().from_dtype(value.dtype), value.ndim, "C")
    return numba().typeof(value)


def compilations() -> tuple[Compilation, ...]:
    """Return what this process has compiled, or found compiled on disk, in order.

    >>> all(c.seconds > 0 for c in compilations())
    True
    """
    return tuple(_made)


class Inlined:
    """A function of numbers that becomes a part of the loops that call it; see `inlined`."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.made: dict[str, Any] = {}

    def __call__(self, *args: Any) -> Any:
        """Refuse a call from Python."""
        raise TypeError(f"{self.function.__name__} is a part of compiled loops: call it in one")

    def of(self, char: str) -> Any:
        """Return what Numba makes of it for a dtype."""
        if char not in self.made:
            options = {"fastmath": {"contract"}, "error_model": "numpy", "nogil": True, "forceinline": True}
            self.made[char] = numba().njit(**options)(specialized(self.function, char))
        return self.made[char]


def inlined(function: Callable[..., Any]) -> Inlined:
    """Declare a function of numbers that loops may call."""
    return Inlined(function)


class Intrinsic(Inlined):
    """A function that emits LLVM's instructions itself: Numba's `intrinsic`, as yet without Numba."""

    def of(self, char: str) -> Any:
        """Return what Numba makes of it, the same for all dtypes."""
        if "" not in self.made:
            from numba.extending import intrinsic

            self.made[""] = intrinsic(self.function)
        return self.made[""]


def intrinsic(function: Callable[..., Any]) -> Intrinsic:
    """Declare a function `(context, *types) -> (signature, generator)`, as Numba's decorator of this name takes."""
    return Intrinsic(function)


class Loop:
    """A function on arrays that is compiled at its first call for each dtype; see `compiled`."""

    def __init__(self, function: Callable[..., None], sums: bool, parts: dict[str, Inlined] | None = None) -> None:
        self.function, self.sums, self.parts = function, sums, parts or {}
        self.made: dict[str, Callable[..., None]] = {}
        file = Path(function.__code__.co_filename).stem
        self.name = ".".join([file, function.__name__, *(f.function.__name__ for f in self.parts.values())])

    def of_parts(self, **parts: Inlined) -> "Loop":
        """Return the loop in which each of these names, which it calls, stands for an inlined function."""
        return Loop(self.function, self.sums, parts)

    def __call__(self, first: Array, *rest: Any) -> None:
        """Run on arrays that are contiguous and can be written to, and on numbers; the first array's dtype counts."""
        dtype = first.dtype
        run = self.made.get(dtype.char)
        args = [
            _of(a, dtype.char) if type(a) is float or (type(a) is tuple and float in map(type, a)) else a for a in rest
        ]
        if run is None:
            run = self._make(dtype.char, (first, *args))
        run(first, *args)

    def _declared(self, char: str) -> Any:
        """Return Numba's function for a dtype, as yet without a signature."""
        flags = {"contract", "reassoc"} if self.sums else {"contract"}
        folder = cache(self, char)
        config = numba().config
        before, config.CACHE_DIR = config.CACHE_DIR, str(folder or "")
        try:
            declare = numba().njit(cache=folder is not None, fastmath=flags, error_model="numpy", nogil=True)
            return declare(specialized(self.function, char, self.parts))
        finally:
            config.CACHE_DIR = before

    def _make(self, char: str, args: tuple[Any, ...]) -> Callable[..., None]:
        """Compile for the types of the arguments, the only ones that there are for this dtype from now on."""
        with _lock:
            if char in self.made:
                return self.made[char]
            start = time.perf_counter()
            dispatcher = self._declared(char)
            dispatcher.compile(tuple(_type(a) for a in args))
            dispatcher.disable_compile()
            seconds = time.perf_counter() - start
            _made.append(Compilation(self.name, np.dtype(char).name, seconds, bool(dispatcher.stats.cache_hits)))
            self.made[char] = dispatcher
            return self.made[char]


@overload
def compiled(function: Callable[..., None], /) -> Loop: ...
@overload
def compiled(*, sums: bool) -> Callable[[Callable[..., None]], Loop]: ...
def compiled(function: Callable[..., None] | None = None, *, sums: bool = False) -> Any:
    """Declare a loop over arrays, which Numba compiles at its first call for float32 or float64, and keeps on disk.

    The loop's arrays are contiguous and can be written to, as `np.require(x, requirements="CAW")` makes them. The dtype
    of the first one counts; numbers written with a point have it too. Other arrays have the same dtype, or, each time,
    the same other one: int64, bool, uint8, or float64. An array that is left out is an empty one. What is computed is
    written into arrays: a loop returns nothing. sums: the terms of its sums may be added in another order than they
    are written. Whether to call it at all is asked of `get_kernels`. Raises TypeError where the types of arguments
    are others than at the first call, ImportError without Numba.
    Differs from PyTorch: it has none; Numba's `njit` compiles when it is imported, or for each new type.

    >>> @compiled
    ... def double(y, x):
    ...     for i in range(x.size):
    ...         y[i] = 2.0 * x[i]
    >>> y = np.empty(3, np.float32)
    >>> double(y, np.ones(3, np.float32)); y.tolist()
    [2.0, 2.0, 2.0]
    """
    return Loop(function, sums) if function else lambda f: Loop(f, sums)


def specialized(function: Callable[..., Any], char: str, parts: dict[str, Inlined] | None = None) -> FunctionType:
    """Return the function with its numbers, and what it calls, for a dtype."""
    assert isinstance(function, FunctionType)
    code = function.__code__
    known = {name: value for name, value in function.__globals__.items() if name in code.co_names} | (parts or {})
    known = {name: _of(value, char) for name, value in known.items()}
    code = code.replace(co_consts=tuple(_of(c, char) for c in code.co_consts))
    new = FunctionType(code, {**function.__globals__, **known}, function.__name__)
    new.__module__, new.__qualname__ = function.__module__, function.__qualname__
    return new


def _of(value: Any, char: str) -> Any:
    """Return a constant for a dtype."""
    if isinstance(value, PerDtype):
        value = value.single if char == "f" else value.double
    if isinstance(value, Inlined):
        return value.of(char)
    if type(value) is tuple:
        return tuple(_of(v, char) for v in value)
    return DTYPES[char](value) if type(value) is float else value


def cache(loop: Loop, char: str) -> Path | None:
    """Return the folder in which a loop is kept, one for each version of the files that it is made of.

    None if there is nowhere to write. Each dtype has its own: where two processes write an index at once, the last one
    wins, and it must not point to what the other one wrote.
    """
    source = Path(loop.function.__code__.co_filename)
    digest = hashlib.blake2b(loop.name.encode(), digest_size=8)
    try:
        for file in sorted(
            {__file__} | _sources(loop.function).union(*(_sources(f.function) for f in loop.parts.values()))
        ):
            digest.update(Path(file).read_bytes())
    except OSError:  # there is no source, as in a frozen application
        return None
    own = os.environ.get("NUMBA_CACHE_DIR")
    for base in [Path(own)] if own else [source.parent / "__pycache__", user_cache()]:
        folder: Path = base / f"{loop.name}-{digest.hexdigest()}" / DTYPES[char].__name__
        try:
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
        except OSError:
            continue
        return folder
    return None


def _sources(function: Callable[..., Any]) -> set[str]:
    """Return the files of a function and of all that becomes a part of it."""
    assert isinstance(function, FunctionType)
    named = [function.__globals__.get(name) for name in function.__code__.co_names]
    inner = [_sources(f.function) for f in named if isinstance(f, Inlined)]
    return {function.__code__.co_filename}.union(*inner)


def user_cache() -> Path:
    """Return where this system keeps what programs of a user can make again."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or os.path.expanduser("~/AppData/Local"))
    elif sys.platform == "darwin":
        base = Path(os.path.expanduser("~/Library/Caches"))
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))
    return base / "minitensor"
