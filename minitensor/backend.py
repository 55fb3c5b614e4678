"""Where arrays live: NumPy on the CPU, CuPy on the GPU, the same code for both.

This is the only file that imports CuPy, and it does so when a device is first asked for. Everything else asks
`namespace(x)` for the module that made the array `x` and calls NumPy-named functions on it.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from types import ModuleType
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from minitensor.errors import DeviceError

__all__ = [
    "Array",
    "Backend",
    "address",
    "backends",
    "checked",
    "collectives",
    "device_of",
    "from_device_dlpack",
    "is_array",
    "is_complex",
    "is_half",
    "is_plain",
    "move",
    "names_device",
    "namespace",
    "plain",
    "references",
    "register",
    "stretches",
    "synchronize",
    "to_numpy",
    "writable",
]

Array: TypeAlias = Any  # of NumPy or CuPy; in a gradient rule it may be a Tensor


class Backend(NamedTuple):
    """What the engine needs to know of one kind of array."""

    module: ModuleType  # the array namespace: numpy, cupy
    device: Callable[[Array], str]  # array -> "cpu", "cuda:0", ...
    from_host: Callable[[np.ndarray, str], Array]  # copies a NumPy array to the named device
    to_host: Callable[[Array], np.ndarray]
    checked: Callable[[], AbstractContextManager[object]] = nullcontext  # in which LAPACK's failures are LinAlgErrors


backends: dict[type, Backend] = {}  # by the type of its arrays
_loaders: dict[str, Callable[[], None]] = {}  # device kind -> what registers its backend
_kinds: dict[str, Backend] = {}  # device kind ("cpu", "cuda") -> backend


def register(kind: str, array_type: type, backend: Backend) -> None:
    """Make arrays of `array_type` usable, under the device kind `kind` ("cpu", "cuda", ...)."""
    backends[array_type] = backend
    _kinds[kind] = backend


register("cpu", np.ndarray, Backend(np, lambda x: "cpu", lambda x, device: x, lambda x: x))
_cpu = backends[np.ndarray]


def _load_cupy() -> None:
    """Import CuPy and register it; say which package is missing, or that no GPU is to be found."""
    if importlib.util.find_spec("cupy") is None:
        raise DeviceError(
            "the device 'cuda' needs CuPy, which is not installed: pip install -e '.[cuda13]' "
            "(or [cuda12]; the top line of nvidia-smi says which)"
        )
    cupy = importlib.import_module("cupy")
    if not cupy.cuda.is_available():
        raise DeviceError(
            f"the device 'cuda' was asked for, but CuPy {cupy.__version__} finds no usable NVIDIA driver. "
            "Use device 'cpu'"
        )

    def from_host(x: np.ndarray, device: str) -> Array:
        with cupy.cuda.Device(_index(device)):
            return cupy.asarray(x)

    def checked() -> AbstractContextManager[object]:
        found: AbstractContextManager[object] = importlib.import_module("cupyx").errstate(linalg="raise")
        return found

    register("cuda", cupy.ndarray, Backend(cupy, lambda x: f"cuda:{x.device.id}", from_host, cupy.asnumpy, checked))


_loaders["cuda"] = _load_cupy


def _index(device: str) -> int:
    _, _, index = device.partition(":")
    return int(index or 0)


def _of(x: Array) -> Backend:
    return backends.get(type(x), _cpu)


def is_array(x: object) -> bool:
    """Whether `x` is an array of a registered backend."""
    return type(x) in backends or isinstance(x, np.ndarray)


def is_plain(x: Array) -> bool:
    """Whether an array has no rules of its own: no subclass of ndarray, the bytes in this machine's order."""
    return type(x) in backends and x.dtype.isnative


def plain(x: Array) -> Array:
    """Return an array of numbers as the engine computes with it: the same memory unless its bytes are swapped.

    A subclass of ndarray (matrix, memmap, recarray) becomes an ndarray. Raises TypeError for entries that are no
    numbers, and for a masked array in which something is masked.

    >>> plain(np.ma.array([1.0, 2.0])) * plain(np.array([3.0, 4.0], ">f4"))
    array([3., 8.])
    """
    kind = x.dtype.kind
    if kind not in "biufc" and (kind != "V" or x.dtype.name != "bfloat16"):
        raise TypeError(f"dtype {x.dtype} is not supported: a Tensor is made of numbers or bools")
    if is_plain(x):
        return x
    if isinstance(x, np.ma.MaskedArray) and np.ma.is_masked(x):
        raise TypeError(
            f"{int(x.mask.sum())} of {x.size} entries of a masked array are masked, and a Tensor has no masks: "
            "use .filled(value), or .data to take what is beneath"
        )
    x = np.asarray(x)
    return x if x.dtype.isnative else x.astype(x.dtype.newbyteorder("="))


def namespace(*arrays: Array) -> ModuleType:
    """Return the array module (`numpy`, `cupy`) of the first operand that is a device array; scalars follow the others.

    >>> namespace(np.ones(3)).__name__
    'numpy'
    """
    for x in arrays:
        backend = backends.get(type(x))
        if backend is not None:
            return backend.module
    return np


def device_of(x: Array) -> str:
    """Return "cpu", "cuda:0", ... for an array."""
    return _of(x).device(x)


def to_numpy(x: Array) -> np.ndarray:
    """Return the array on the host (the same memory if it is there already)."""
    return _of(x).to_host(x)


def move(x: Array, device: str) -> Array:
    """Return `x` on `device` ("cpu", "cuda", "cuda:1"); the same array if it is there already.

    Raises DeviceError for a name that is no device, or when CuPy or the GPU is missing.
    """
    kind = device.partition(":")[0]
    if kind not in _kinds:
        if kind not in _loaders:
            raise DeviceError(f"there is no device {device!r}: use 'cpu', 'cuda' or 'cuda:0', 'cuda:1', ...")
        _loaders[kind]()
    here = device_of(x)
    if here == device or (here.partition(":")[0] == device):
        return x
    return _kinds[kind].from_host(to_numpy(x), device)


def stretches(x: Array, bounds: Sequence[tuple[int, int]]) -> list[Array]:
    """Return the parts (start, stop) of a flat array as views, each the base of its own views: see `references`.

    NumPy's view of a view refers to the array that owns the memory, unless what lies between is no array.

    >>> x = np.zeros(4)
    >>> a, b = stretches(x, [(0, 2), (2, 4)])
    >>> b[0] = 1
    >>> x.tolist(), a[:1].base is a
    ([0.0, 0.0, 1.0, 0.0], True)
    """
    size = x.dtype.itemsize
    if isinstance(x, np.ndarray):
        memory: Any = x.view(np.uint8).data
        return [np.frombuffer(memory[a * size : b * size], x.dtype) for a, b in bounds]
    if hasattr(x.data, "mem"):  # CuPy's pointer, which holds the memory
        return [type(x)((b - a,), x.dtype, memptr=x.data + a * size) for a, b in bounds]
    return [x[a:b] for a, b in bounds]  # they have one base: what is held of one counts for all


def address(x: Array) -> int:
    """Return where in memory an array begins."""
    return int(x.__array_interface__["data"][0] if isinstance(x, np.ndarray) else x.data.ptr)


def references(x: Array) -> int:
    """Return how many hold a view of a stretch, or its memory through another view of it.

    Compared with what it was when only its owner held it, it says whether the memory may be written anew.
    """
    return sys.getrefcount(x) + sys.getrefcount(x.base)


def writable(x: Array) -> Array:
    """Return x, or a copy of it where a change in place would raise (read-only) or count twice (`broadcast_to`).

    >>> x = np.zeros(2)
    >>> writable(x) is x, writable(np.broadcast_to(x, (3, 2))).flags.writeable
    (True, True)
    """
    if 0 not in x.strides and getattr(x.flags, "writeable", True):
        return x
    shared = any(stride == 0 and n > 1 for stride, n in zip(x.strides, x.shape, strict=True))
    return x.copy() if shared or not getattr(x.flags, "writeable", True) else x


def checked(x: Array) -> AbstractContextManager[object]:
    """Return a context in which linear algebra raises LinAlgError: by itself CuPy gives whatever is in the memory."""
    return _of(x).checked()


def from_device_dlpack(x: object) -> Array:
    """Return the array on a GPU that another library's array shares its memory with."""
    if "cuda" not in _kinds:
        _load_cupy()
    return _kinds["cuda"].module.from_dlpack(x)


def collectives(device: str) -> tuple[Any, Any]:
    """Return `cupy.cuda` and `cupy.cuda.nccl`, through which processes with a GPU each speak to one another.

    Raises DeviceError where CuPy, a GPU or NCCL is missing.
    """
    kind = device.partition(":")[0]
    if kind not in _kinds:
        move(np.zeros(0), device)
    cuda = _kinds[kind].module.cuda
    try:
        nccl = importlib.import_module(f"{cuda.__name__}.nccl")
        if not nccl.available:
            raise ImportError("CuPy was built without it")
    except ImportError as error:
        raise DeviceError(
            f"several processes with a GPU each need NCCL ({error}): pip install nvidia-nccl-cu13 (or -cu12, as CuPy)"
        ) from error
    return cuda, nccl


def synchronize(x: Array) -> None:
    """Wait until an array on a GPU is computed."""
    wait = getattr(getattr(x, "device", None), "synchronize", None)  # cupy.ndarray.device is a cupy.cuda.Device
    if wait is not None:
        wait()


def names_device(name: object) -> bool:
    """Whether a value is meant as a device ("cpu", "cuda:0"), not as a dtype ("float32", numpy.float32)."""
    if not isinstance(name, str):
        return False
    try:
        np.dtype(name)
    except TypeError:
        return True
    return False


def is_half(dtype: np.dtype) -> bool:
    """Whether the dtype is a 16-bit float (float16, or bfloat16 of ml_dtypes): storage only on the CPU."""
    return dtype.itemsize == 2 and dtype.kind in "fV"


def is_complex(x: Any) -> bool:
    """Whether an array, a Tensor, a number or a list holds complex numbers.

    >>> is_complex(np.ones(2)), is_complex([1.0, 2j])
    (False, True)
    """
    return bool((x.dtype if hasattr(x, "dtype") else np.asarray(x).dtype).kind == "c")
