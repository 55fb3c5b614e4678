"""Reading the arrays of a PyTorch checkpoint without PyTorch, and without running the program that a pickle is.

`torch.save` writes a zip file: `data.pkl`, a pickle that says which tensors there are, and `data/0`, `data/1`, ...,
their bytes. A pickle may call any function that it names. Here nothing is called: its instructions are read one by one,
those that build dicts, lists, numbers, texts and descriptions of tensors are understood, and all else is refused.
"""

from __future__ import annotations

import math
import pickletools
import zipfile
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from jepa.errors import RunError

__all__ = ["StoredTensor", "TorchFile"]

STORAGES = {
    "FloatStorage": "f4",
    "DoubleStorage": "f8",
    "HalfStorage": "f2",
    "BFloat16Storage": "u2",  # the upper half of a float32
    "LongStorage": "i8",
    "IntStorage": "i4",
    "ShortStorage": "i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}
TENSOR, PARAMETER, ORDERED = (
    "torch._utils _rebuild_tensor_v2",
    "torch._utils _rebuild_parameter",
    "collections OrderedDict",
)
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
VALUES = {
    *("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "INT", "LONG", "BINFLOAT", "FLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "UNICODE"),
}
TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class Storage(NamedTuple):
    """A stretch of numbers in the file, which tensors may share."""

    kind: str
    """name of its type, as FloatStorage"""
    key: str
    """its name in the file"""
    numel: int
    """how many numbers"""


class StoredTensor(NamedTuple):
    """Where the numbers of a tensor are, in units of a number."""

    storage: Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


class _Global(NamedTuple):
    """A function or class that the pickle names: a name here, never the thing."""

    name: str


class _Mark:
    """Where a sequence on the stack begins."""


class TorchFile:
    """A checkpoint that `torch.save` wrote, opened without PyTorch. Nothing in it is executed.

    `content`: what was saved, with `StoredTensor` in place of tensors; `array` reads one, as long as the file is open
    (`with TorchFile(path) as file`). So the parts of a large file that nobody asks for are not read. Raises
    FileNotFoundError, and RunError for a file that is none, that is damaged, or that names anything but dicts, lists,
    numbers, texts and tensors.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise FileNotFoundError(f"there is no file {self.path}")
        if not zipfile.is_zipfile(self.path):
            raise RunError(
                f"{self.path} is no zip file of torch.save, perhaps one of before PyTorch 1.6, or cut short; convert "
                f"it once where PyTorch is: python -c \"import torch; torch.save(torch.load('{self.path.name}', "
                "map_location='cpu'), 'converted.pth')\""
            )
        self._zip = zipfile.ZipFile(self.path)
        heads = [name for name in self._zip.namelist() if name.split("/")[1:] == ["data.pkl"] or name == "data.pkl"]
        if len(heads) != 1:
            raise RunError(f"{self.path} is a zip file, but none of torch.save: it has {len(heads)} data.pkl, not one")
        self._stem = heads[0].removesuffix("data.pkl")
        order = f"{self._stem}byteorder"
        self._order: Literal["<", ">"] = ">" if order in self._zip.namelist() and self._read(order) == b"big" else "<"
        program = self._read(heads[0])
        try:
            self.content: Any = self._understood(program)
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise RunError(f"{self.path} is damaged: its list of tensors cannot be read ({error})") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._zip.close()

    def _read(self, entry: str) -> bytes:
        """Return the bytes of an entry; compressed ones, which torch.save does not write, could be of any size."""
        try:
            if self._zip.getinfo(entry).compress_type == zipfile.ZIP_STORED:
                return self._zip.read(entry)
        except (KeyError, EOFError, OSError, zipfile.BadZipFile) as error:
            raise RunError(f"{self.path} is damaged: {entry} in it cannot be read") from error
        raise RunError(f"{self.path} is refused: {entry} in it is compressed, which torch.save never does")

    def _refuse(self, what: str) -> RunError:
        return RunError(
            f"{self.path} is refused: its pickle {what}, which a file of weights does not need; nothing of it was run"
        )

    def _understood(self, program: bytes) -> Any:
        """Return what the pickle describes."""
        stack: list[Any] = []
        memo: dict[int, Any] = {}

        def since_mark() -> list[Any]:
            at = max(i for i, value in enumerate(stack) if isinstance(value, _Mark))
            values = stack[at + 1 :]
            del stack[at:]
            return values

        arg: Any
        for opcode, arg, _ in pickletools.genops(program):
            name = opcode.name
            if name in ("PROTO", "FRAME"):
                continue
            elif name == "STOP":
                return stack.pop()
            elif name == "MARK":
                stack.append(_Mark())
            elif name in VALUES:
                stack.append(arg)
            elif name in CONSTANTS:
                stack.append(CONSTANTS[name])
            elif name in TUPLES:
                count = TUPLES[name]
                values = [stack.pop() for _ in range(count)]
                stack.append(tuple(reversed(values)))
            elif name == "TUPLE":
                stack.append(tuple(since_mark()))
            elif name in ("EMPTY_DICT", "EMPTY_LIST"):
                stack.append({} if name == "EMPTY_DICT" else [])
            elif name == "SETITEM":
                value, key = stack.pop(), stack.pop()
                stack[-1][key] = value
            elif name == "SETITEMS":
                values = since_mark()
                stack[-1].update(zip(values[::2], values[1::2], strict=True))
            elif name == "APPEND":
                value = stack.pop()
                stack[-1].append(value)
            elif name == "APPENDS":
                values = since_mark()
                stack[-1].extend(values)
            elif name in ("BINPUT", "LONG_BINPUT", "PUT"):
                memo[int(arg)] = stack[-1]
            elif name == "MEMOIZE":
                memo[len(memo)] = stack[-1]
            elif name in ("BINGET", "LONG_BINGET", "GET"):
                stack.append(memo[int(arg)])
            elif name == "GLOBAL":
                stack.append(self._named(arg))
            elif name == "STACK_GLOBAL":
                attribute, module = stack.pop(), stack.pop()
                stack.append(self._named(f"{module} {attribute}"))
            elif name == "BINPERSID":
                stack.append(self._storage(stack.pop()))
            elif name == "REDUCE":
                arguments, function = stack.pop(), stack.pop()
                stack.append(self._reduced(function, arguments))
            elif name == "BUILD" and isinstance(stack[-2], dict):
                stack.pop()  # attributes of an OrderedDict: PyTorch's _metadata
            else:
                raise self._refuse(f"uses the instruction {name}")
        raise ValueError("it has no end")

    def _named(self, name: str) -> _Global:
        module, _, attribute = name.partition(" ")
        if name not in (TENSOR, PARAMETER, ORDERED) and not (module == "torch" and attribute in STORAGES):
            raise self._refuse(f"names {name.replace(' ', '.')}")
        return _Global(name)

    def _storage(self, identity: Any) -> Storage:
        kind, storage, key, _, numel = identity
        if kind != "storage" or not isinstance(storage, _Global) or not storage.name.startswith("torch "):
            raise self._refuse("has data that is no storage of numbers")
        return Storage(storage.name.removeprefix("torch "), str(key), int(numel))

    def _reduced(self, function: Any, arguments: Any) -> Any:
        if function == _Global(ORDERED) and arguments == ():
            return {}
        if function == _Global(PARAMETER):
            return arguments[0]
        if function == _Global(TENSOR) and isinstance(arguments[0], Storage):
            storage, offset, size, stride = arguments[:4]
            return StoredTensor(storage, int(offset), tuple(map(int, size)), tuple(map(int, stride)))
        raise self._refuse(f"calls {getattr(function, 'name', type(function).__name__).replace(' ', '.')}")

    def array(self, tensor: StoredTensor) -> NDArray[Any]:
        """Return a tensor's numbers as an array of its own; bfloat16 as float32, which holds each of them exactly."""
        dtype = np.dtype(STORAGES[tensor.storage.kind]).newbyteorder(self._order)
        entry = f"{self._stem}data/{tensor.storage.key}"
        raw = self._read(entry)
        last = tensor.offset + sum((n - 1) * s for n, s in zip(tensor.size, tensor.stride, strict=True))
        count = math.prod(tensor.size)
        fits = min((tensor.offset, *tensor.size, *tensor.stride)) >= 0 and count <= tensor.storage.numel
        if len(raw) != tensor.storage.numel * dtype.itemsize or not fits or (count and last >= tensor.storage.numel):
            raise RunError(f"{self.path} is damaged: a tensor of shape {tensor.size} does not fit into {entry}")
        storage = np.frombuffer(raw, dtype)
        strides = tuple(s * dtype.itemsize for s in tensor.stride)
        view = np.lib.stride_tricks.as_strided(storage[tensor.offset :], tensor.size, strides)
        if tensor.storage.kind == "BFloat16Storage":
            return (view.astype(np.uint32) << 16).view(np.float32)
        return np.array(view, dtype.newbyteorder("="), order="C")
