"""What ops and composites share: a declared function, its signature, and the words for a call that went wrong."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from functools import partial, update_wrapper
from typing import Any, ClassVar, Generic, Literal, ParamSpec, TypeAlias, TypedDict

from numpy import ndarray

from minitensor import kernel_sets
from minitensor.backend import device_of, is_array
from minitensor.graph import Operands, Settings, Variable, describe, state
from minitensor.operands import Call

P = ParamSpec("P")
Cast = Literal["half", "float32"]  # what `autocast` does to the operands
Outcome: TypeAlias = Any  # of a kernel: (value, pullback), or NotImplemented
Kernel = Callable[..., Outcome]  # of (*arrays, needs, **settings)


class Facts(TypedDict, total=False):
    """What a declaration says of its op or composite by name, besides traits."""

    autocast: Cast | None  # the precision that `autocast` computes it in; without one, that of its operands
    public: str  # in a file of `ops/`, its names for users: "acos arccos", or "linalg.det" for `mt.linalg.det`
    onnx: str  # the ONNX operator that means the same, after a space the one for bools: "Max Or"


registry: dict[str, Declaration[...]] = {}  # by module and name, such as "minitensor.ops.elementwise.exp"


def refuse_tensor(function: str, name: str, value: Variable) -> None:
    """Raise TypeError for a Tensor given as a setting, through which no gradient would flow."""
    raise TypeError(
        f"{function}: the setting {name!r} was given a {describe(value)}; settings take plain values, "
        "through which no gradient flows: pass .item() or .tolist()"
    )


def _of_one_float(arrays: Operands) -> bool:
    """Whether all arrays but indices and masks are float32, or float64, in this machine's order of bytes."""
    dtype = None
    for a in arrays:
        if type(a) is ndarray and a.dtype.kind not in "iub":
            if dtype is not None and a.dtype is not dtype and a.dtype != dtype:
                return False
            dtype = a.dtype
    return dtype is None or (dtype.char in "fd" and dtype.isnative)


def _is_array_parameter(p: inspect.Parameter) -> bool:
    """Whether a parameter takes an array, not a setting: its annotation says array, or there is none."""
    if p.kind is p.KEYWORD_ONLY or p.kind is p.VAR_POSITIONAL or p.annotation is p.empty:
        return p.kind is not p.KEYWORD_ONLY
    text = str(p.annotation)
    return "rray" in text or "Tensor" in text or (p.annotation is Any and p.default is p.empty)  # of Array = Any


class Declaration(Generic[P]):
    """What ops and composites share: a Python function of arrays and settings.

    Arrays are the parameters annotated as such, or not at all; all others are settings, and so is what follows a *.
    """

    broadcasts = False  # see `op`

    known: ClassVar[frozenset[str]]  # traits

    def __init__(
        self,
        function: Callable[P, Any],
        traits: Sequence[str],
        autocast: Cast | None = None,
        public: str = "",
        onnx: str = "",
    ) -> None:
        if unknown := sorted(set(traits) - self.known):
            raise TypeError(f"{function.__name__}: there is no trait {unknown[0]!r}; there are {sorted(self.known)}")
        if autocast not in (None, "half", "float32"):
            raise TypeError(f'{function.__name__}: autocast is "half" or "float32"; got {autocast!r}')
        self.traits, self.autocast, self.public = frozenset(traits), autocast, public.split()
        self.onnx: str | Callable[..., Any] = onnx  # or what writes several nodes, see `interop/onnx/writing.py`
        parameters = inspect.signature(function).parameters.values()
        arrays = [p for p in parameters if _is_array_parameter(p)]
        self.forward: Callable[..., Any] = function
        self.name = function.__name__
        self.variadic = any(p.kind is p.VAR_POSITIONAL for p in arrays)
        self.arguments = tuple(p.name for p in arrays)
        self.count = -1 if self.variadic else len(arrays)  # of arrays; with as many by position nothing is to bind
        self.optional = {p.name: p.default for p in arrays if p.default is not p.empty}
        self.defaults = {p.name: p.default for p in parameters if p not in arrays}
        self.by_position = tuple(p.name for p in parameters if p not in arrays and p.kind is not p.KEYWORD_ONLY)
        for name in (*self.arguments, *self.defaults):
            if name in ("g", "y") or name.endswith("_shape"):
                raise TypeError(f"{self.name}: a parameter may not be called {name!r}: rules use that name")
        self.real = "" if self.traits & {"complex", "moves"} else self.name  # for the error; "": complex is taken
        self.kernels: dict[str, Kernel] = {}  # by kind: "compiled", "cpu", "cuda"
        self.least = math.inf  # entries of the first array, from which on a kernel is asked
        update_wrapper(self, function)  # type: ignore[arg-type]
        registry[f"{function.__module__}.{self.name}"] = self

    def __repr__(self) -> str:
        return f"{type(self).__name__.lower()} {self.name}({', '.join(self.arguments)})"

    def fused(self, kind: str, least: int = 0) -> Callable[[Kernel], Kernel]:
        """Attach a kernel: `f(*arrays, needs, **settings) -> (value, pullback)`, by hand, for one kind of device.

        kind: "cpu" for NumPy's arrays, "compiled" for loops compiled by Numba, asked first where `set_kernels`
        says so, "cuda" for CuPy's. `needs` says which gradients are wanted; `pullback(g)` returns one gradient or None
        per argument, any number of times. A kernel that returns NotImplemented leaves the call to the next: the
        compiled one to NumPy's, that to the plain Python. Under `create_graph` an op's rules run instead of the
        pullback, and a composite's plain Python is differentiated.
        least: with fewer entries in the first array no kernel is asked, which would cost more than it saves.
        """

        def attach(kernel: Kernel) -> Kernel:
            self.kernels[kind], self.least = kernel, min(self.least, least)
            return kernel

        return attach

    def run_kernel(self, call: Call, settings: Settings) -> Outcome:
        """Return (value, pullback) of the first attached kernel that takes the call, or NotImplemented."""
        args, arrays, edges, mask, _ = call
        needs = tuple([e is not None for e in edges]) if mask else (False,) * len(args)
        first = arrays[0] if type(arrays[0]) is ndarray else next(x for x in arrays if is_array(x))
        if first.size < self.least:
            return NotImplemented
        kinds = kernel_sets.kinds() if type(first) is ndarray else (device_of(first).partition(":")[0],)
        for kind in kinds:
            if kind in self.kernels and (kind != "compiled" or _of_one_float(arrays)):
                run = partial(self.kernels[kind], *arrays, needs=needs, **settings)
                outcome = run() if state.observer is None else state.observer.forward(self, args, arrays, settings, run)
                if outcome is not NotImplemented:
                    return outcome
        return NotImplemented

    def refuse(self, name: str) -> None:
        """Raise TypeError for a name by which a call passed something that is not taken."""
        if name in self.arguments:
            raise TypeError(f"{self.name}() got two values for {name!r}")
        known = f"it has {', '.join(self.defaults)}" if self.defaults else "it has none"
        raise TypeError(f"{self.name}() got an unknown setting {name!r}: {known}")

    def bind(self, args: tuple[Any, ...], settings: Settings) -> tuple[tuple[Any, ...], Settings]:
        """Move arrays that were passed by name to their positions, and settings by position to their names."""
        if self.variadic:
            return args, settings
        if extra := args[self.count :]:
            args, settings = args[: self.count], self._named(extra, settings)
        given, missing = len(args), self.arguments[len(args) :]
        if missing:
            args += tuple([settings[n] if n in settings else self.optional.get(n, inspect._empty) for n in missing])
            settings = {k: v for k, v in settings.items() if k not in missing}
        if any([a is inspect._empty for a in args]):
            given += sum(a is not inspect._empty for a in args[given:])
            raise TypeError(f"{self.name}({', '.join(self.arguments)}) takes {self.count} arrays; got {given}")
        return args, settings

    def _named(self, extra: tuple[Any, ...], settings: Settings) -> Settings:
        """Return the settings with those that were passed by position."""
        if len(extra) > len(self.by_position):
            most = self.count + len(self.by_position)
            raise TypeError(f"{self.name} takes at most {most} arguments; got {self.count + len(extra)}")
        for name in self.by_position[: len(extra)]:
            if name in settings:
                raise TypeError(f"{self.name} got two values for {name!r}")
        return settings | dict(zip(self.by_position, extra, strict=False))

    def explain(self, error: Exception, args: Operands, settings: Settings) -> None:
        """Add to an error which call it came from, and each operand's dtype, shape and device."""
        names = [f"{self.arguments[0]}[{i}]" for i in range(len(args))] if self.variadic else self.arguments
        operands = [f"{n} = {describe(a)}" for n, a in zip(names, args, strict=False)] + [
            f"{k}={v!r}"[:60] for k, v in settings.items()
        ]
        error.add_note(f"in {self.name}({', '.join(operands)})")
        devices = sorted({device_of(x) for a in args if is_array(x := a.data if isinstance(a, Variable) else a)})
        if len(devices) > 1:
            error.add_note(f"the operands are on {' and '.join(devices)}: move one with .to({devices[0]!r})")
