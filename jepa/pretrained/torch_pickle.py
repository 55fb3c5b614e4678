"""What the pickle in a PyTorch checkpoint describes, read one instruction after the other, without running any.

A pickle is a program, which may call any function that it names. Here nothing is called: instructions that build
dicts, lists, numbers, texts and descriptions of tensors are understood, and all else is refused. What a program may ask
for is bounded too: its length, the size of its numbers, and keys that are texts or numbers, so that nothing is hashed
for ever.
"""

import pickletools
from collections.abc import Callable
from typing import Any, NamedTuple

STORAGES = {
    **{"FloatStorage": "f4", "DoubleStorage": "f8", "HalfStorage": "f2"},
    "BFloat16Storage": "u2",  # the upper half of a float32
    **{"LongStorage": "i8", "IntStorage": "i4", "ShortStorage": "i2", "CharStorage": "i1", "ByteStorage": "u1"},
    "BoolStorage": "?",
}
TENSOR, PARAMETER = "torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter"
ORDERED = "collections OrderedDict"
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
VALUES = {
    *("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "INT", "LONG", "BINFLOAT", "FLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "UNICODE"),
}
TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
MOST_INSTRUCTIONS = 500_000  # the largest published checkpoints have 100,000
MOST_AXES = 32


class Refused(Exception):
    """The program does something that a file of weights does not need; the text says what, after "its pickle"."""


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


def understood(program: bytes) -> Any:
    r"""Return what a pickle describes, with `StoredTensor` in place of tensors.

    Raises Refused, and ValueError, TypeError, LookupError or AttributeError for a program that is damaged.

    >>> understood(b"\x80\x02}X\x01\x00\x00\x00aK\x03s.")
    {'a': 3}
    """
    machine = _Machine()
    for count, (opcode, arg, _) in enumerate(pickletools.genops(program)):
        if count == MOST_INSTRUCTIONS:
            raise Refused(f"has more than {MOST_INSTRUCTIONS:,} instructions")
        if opcode.name == "STOP":
            return machine.stack.pop()
        machine.step(opcode.name, arg)
    raise ValueError("it has no end")


class _Machine:
    """The stack, the marks in it, and the memory of a pickle."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []  # heights of the stack
        self.memo: dict[int, Any] = {}

    def step(self, name: str, arg: Any) -> None:
        """Do what an instruction says."""
        if name in VALUES:
            self.stack.append(_bounded(arg))
        elif name in CONSTANTS:
            self.stack.append(CONSTANTS[name])
        elif name in TUPLES:
            self.stack.append(self._taken(TUPLES[name]))
        elif name in ("BINPUT", "LONG_BINPUT", "PUT", "MEMOIZE"):
            self.memo[len(self.memo) if name == "MEMOIZE" else int(arg)] = self.stack[-1]
        elif name in ("BINGET", "LONG_BINGET", "GET"):
            self.stack.append(self.memo[int(arg)])
        elif name in ("APPEND", "APPENDS"):
            values = self._taken(1) if name == "APPEND" else self._since_mark()
            self.stack[-1].extend(values)
        elif name in ACTIONS:
            ACTIONS[name](self, arg)
        else:
            raise Refused(f"uses the instruction {name}")

    def _taken(self, count: int) -> tuple[Any, ...]:
        """Take the last values off the stack."""
        if not 0 <= count <= len(self.stack):
            raise LookupError("a value is missing")
        at = len(self.stack) - count
        values = tuple(self.stack[at:])
        del self.stack[at:]
        return values

    def _since_mark(self) -> tuple[Any, ...]:
        return self._taken(len(self.stack) - self.marks.pop())

    def _set(self, items: tuple[Any, ...]) -> None:
        """Put keys and values, taking turns, into the dict on top of the stack."""
        target = self.stack[-1]
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, str | int | float | None):
                raise Refused("has keys that are no texts or numbers")
            target[key] = value

    def _global(self, name: str) -> None:
        module, _, attribute = name.partition(" ")
        if name not in (TENSOR, PARAMETER, ORDERED) and not (module == "torch" and attribute in STORAGES):
            raise Refused(f"names {name.replace(' ', '.')}")
        self.stack.append(_Global(name))

    def _stack_global(self) -> None:
        module, attribute = self._taken(2)
        if not (isinstance(module, str) and isinstance(attribute, str)):
            raise TypeError("a name is no text")
        self._global(f"{module} {attribute}")

    def _storage(self) -> None:
        kind, storage, key, _, numel = self.stack.pop()
        named = isinstance(storage, _Global) and storage.name.startswith("torch ")
        if kind != "storage" or not named or not isinstance(key, str) or type(numel) is not int:
            raise Refused("has data that is no storage of numbers")
        self.stack.append(Storage(storage.name.removeprefix("torch "), key, numel))

    def _reduce(self) -> None:
        function, arguments = self._taken(2)
        name = function.name if isinstance(function, _Global) else type(function).__name__
        if name == ORDERED and arguments == ():
            self.stack.append({})
        elif name == PARAMETER:
            self.stack.append(arguments[0])
        elif name == TENSOR and isinstance(arguments[0], Storage):
            storage, offset, size, stride = arguments[:4]
            if any(type(n) is not int for n in (offset, *size, *stride)) or not len(size) == len(stride) <= MOST_AXES:
                raise TypeError("a tensor's shape is none")
            self.stack.append(StoredTensor(storage, offset, tuple(size), tuple(stride)))
        else:
            raise Refused(f"calls {name.replace(' ', '.')}")

    def _build(self) -> None:
        self.stack.pop()  # attributes of an OrderedDict: PyTorch's _metadata
        if not isinstance(self.stack[-1], dict):
            raise Refused("uses the instruction BUILD")


ACTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    "PROTO": lambda m, _: None,
    "FRAME": lambda m, _: None,
    "MARK": lambda m, _: m.marks.append(len(m.stack)),
    "TUPLE": lambda m, _: m.stack.append(m._since_mark()),
    "EMPTY_DICT": lambda m, _: m.stack.append({}),
    "EMPTY_LIST": lambda m, _: m.stack.append([]),
    "SETITEM": lambda m, _: m._set(m._taken(2)),
    "SETITEMS": lambda m, _: m._set(m._since_mark()),
    "GLOBAL": lambda m, arg: m._global(arg),
    "STACK_GLOBAL": lambda m, _: m._stack_global(),
    "BINPERSID": lambda m, _: m._storage(),
    "REDUCE": lambda m, _: m._reduce(),
    "BUILD": lambda m, _: m._build(),
}


def _bounded(value: Any) -> Any:
    """Return a number or text as it is; refuse a whole number that no size is."""
    if isinstance(value, int) and value.bit_length() > 64:
        raise Refused("has a whole number of more than 64 bits")
    return value
