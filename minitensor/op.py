"""How a call becomes a Node: an `Op` is a function on arrays with one gradient rule per argument."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, overload

from numpy import ndarray

from minitensor.backend import backends, is_array, plain
from minitensor.declaration import refuse_tensor
from minitensor.errors import GradientError
from minitensor.graph import Variable, describe, parents, results, state
from minitensor.notices import same
from minitensor.precision import cast
from minitensor.promotion import FLOAT32, FLOAT64, settle
from minitensor.pullback import wanted
from minitensor.rules import Differentiable

__all__ = ["Op", "op"]

Array = Any


class Op(Differentiable):
    """A function on arrays with one gradient rule per argument; see `op`."""

    def __init__(
        self,
        function: Callable[..., Any],
        broadcasts: bool = False,
        floating: bool = False,
        view: bool = False,
        verbatim: bool = False,
        constant: tuple[str, ...] = (),
        complex: bool = False,
    ) -> None:
        super().__init__(function, complex)
        self.broadcasts, self.floating, self.view, self.constant = broadcasts, floating, view, constant
        self.verbatim = verbatim or view
        # which arguments meet in one dtype: those with a rule, once there are any
        self.promoted = [n not in constant for n in self.arguments]

    def vjp(
        self, arguments: tuple[str, ...] = (), joint: Callable[..., Any] | None = None, /, **rules: Callable[..., Any]
    ) -> None:
        """Register gradient rules; see `Differentiable.vjp`."""
        super().vjp(arguments, joint, **rules)
        self.promoted = self.differentiable
        special = self.variadic or self.verbatim or self.kernels or type(self)._trace is not Op._trace
        self.plain = self.complete and not special

    def __call__(self, *args: Any, **settings: Any) -> Any:
        """Compute on arrays; record on Tensors."""
        if self.plain and not settings and state.ordinary and len(args) == len(self.arguments):
            result = self._quick(args)
            if result is not None:
                return result
        if len(args) != len(self.arguments) or self.variadic:
            args, settings = self.bind(args, settings)
        for a in args:
            if isinstance(a, Variable):
                return self._trace(args, settings)
        if settings:
            self._check_settings(settings)
        return self.forward(*args, **settings)

    def _quick(self, args: tuple[Any, ...]) -> Any:
        """Do what `_trace` does, for NumPy's arrays of one float dtype and numbers: there is nothing to bring together.

        Returns None for anything else. An op of 8 numbers costs what this function costs, so it has one loop.
        """
        arrays: list[Any] = []
        edges: list[Any] = []
        dtype: Any = None
        mask = 0
        for x in args:
            edge = None
            if isinstance(x, Variable):
                array = x.data
                if type(array) is not ndarray:
                    return None
                if array.dtype is not dtype:
                    if dtype is not None:
                        return None
                    dtype = array.dtype
                if x.requires_grad:
                    edge = x if x.source is None else x.source
                    mask += 1
                x = array
            elif type(x) is not float and type(x) is not int:
                return None
            arrays.append(x)
            edges.append(edge)
            mask += mask
        if dtype is not FLOAT32 and dtype is not FLOAT64:
            return None
        try:
            y = self.forward(*arrays)
        except Exception as error:
            self.explain(error, args, {})
            raise
        if mask and state.recording:
            return self._record(args, arrays, {}, tuple(edges), mask, y, None)
        return results(y, None)

    def _check_settings(self, settings: dict[str, Any]) -> None:
        for name, value in settings.items():
            if name not in self.defaults:
                self.refuse(name)
            if isinstance(value, Variable):
                refuse_tensor(self.name, name, value)

    def _trace(self, args: tuple[Any, ...], settings: dict[str, Any]) -> Any:
        """Run on Tensors: promote dtypes, compute, and leave a Node behind if somebody wants a gradient."""
        if settings:
            self._check_settings(settings)
        if state.autocast is not None:
            args = cast(self.name, args)
        differentiable, promoted = self.differentiable, self.promoted
        if self.variadic:
            differentiable, promoted = differentiable * len(args), promoted * len(args)
        try:
            arrays: list[Any] = [
                a.data if isinstance(a, Variable) else plain(a) if isinstance(a, ndarray) else a for a in args
            ]
            narrow = None
            if self.verbatim:
                if arrays and type(arrays[0]) not in backends:  # somebody assigned it to `.data`
                    arrays = [plain(x) if isinstance(x, ndarray) else x for x in arrays]
            else:
                arrays, narrow = settle(arrays, promoted, self.floating, self.real)
            edges = parents(args, differentiable) if state.recording else None
            if self.kernels and state.fused and _floats(arrays, promoted):
                result = self._by_kernel(args, arrays, settings, edges, narrow)
                if result is not NotImplemented:
                    return result
            if state.observer is None:
                y = self.forward(*arrays, **settings)
            else:
                y = state.observer.forward(self, args, arrays, settings, lambda: self.forward(*arrays, **settings))
        except Exception as error:
            self.explain(error, args, settings)
            raise
        if state.recording and not self.complete:
            self._refuse_hidden_gradient(args, differentiable)
        if edges is None or (self.verbatim and y.dtype.kind in "iub"):  # a cast to whole numbers has no gradient
            result = results(y if narrow is None else same(y, narrow(y)), None)
        else:
            result = self._record(args, arrays, settings, edges, self._mask(edges), y, narrow)
        if self.view and _is_view(y, arrays[0]):
            if args[0].version is None:
                args[0].version = [0]
            result.version = args[0].version
        return result

    def _mask(self, edges: Sequence[Any]) -> int:
        return 2 if self.variadic else sum([1 << (len(edges) - i) for i, p in enumerate(edges) if p is not None])

    def _by_kernel(
        self, args: Sequence[Any], arrays: list[Any], settings: dict[str, Any], edges: Any, narrow: Any
    ) -> Any:
        """Let an attached kernel compute; what the rules need is kept beside its pullback, for `create_graph`."""
        if edges is not None:  # what a kernel keeps of a raw array could change unseen
            arrays = [x.copy() if is_array(a) else x for x, a in zip(arrays, args, strict=True)]
        outcome = self.run_kernel(args, arrays, settings, wanted(edges, len(args)))
        if outcome is NotImplemented:
            return NotImplemented
        y, pullback = outcome
        if edges is None:
            return results(y if narrow is None else narrow(y), None)
        result = self._record(args, arrays, settings, edges, self._mask(edges), y, narrow)
        return self._with_pullback(result, args, pullback)

    def _refuse_hidden_gradient(self, args: Sequence[Any], differentiable: Sequence[bool]) -> None:
        for name, a, ok in zip(self.arguments * len(args), args, differentiable, strict=False):
            hidden = not ok and isinstance(a, Variable) and a.requires_grad
            if hidden and any(differentiable) and name not in self.constant:
                raise GradientError(
                    f"{self.name} has no gradient for its argument {name!r} ({describe(a)}, requires_grad): detach() it"
                )


def _floats(arrays: Sequence[Any], promoted: Sequence[bool]) -> bool:
    """Whether the arrays that meet in one dtype are floats, which is what kernels compute with."""
    chosen = [x for x, p in zip(arrays, promoted, strict=True) if p and is_array(x)]
    return bool(chosen) and all(x.dtype.kind == "f" for x in chosen)


def _is_view(y: Array, x: Array) -> bool:
    """Whether y shares x's memory: NumPy and CuPy name the owner of it in `base`."""
    return y is x or (y.base is not None and (y.base is x or y.base is x.base))


@overload
def op(function: Callable[..., Any], /) -> Any: ...
@overload
def op(
    *,
    broadcasts: bool = False,
    floating: bool = False,
    view: bool = False,
    verbatim: bool = False,
    constant: tuple[str, ...] = (),
    complex: bool = False,
) -> Callable[[Callable[..., Any]], Any]: ...
def op(
    function: Callable[..., Any] | None = None,
    *,
    broadcasts: bool = False,
    floating: bool = False,
    view: bool = False,
    verbatim: bool = False,
    constant: tuple[str, ...] = (),
    complex: bool = False,
) -> Any:
    """Declare an op: arrays are positional parameters, settings keyword-only.

    broadcasts: the operands broadcast; the engine sums each gradient back to its argument's shape.
    floating: integer operands become the default float first. view: the result may share its argument's memory.
    verbatim: the operands are taken as they are, without promotion (view implies it).
    constant: arguments without a rule that a Tensor which requires grad may be passed for all the same.
    complex: complex numbers are taken too; all other ops refuse them. A rule stays the plain derivative, g * 2 * x for
    x², without a conjugate: that is the engine's business (see `engine.py`), as broadcasting is.
    Differs from PyTorch: there custom_op and register_autograd; here the rule makes the second gradient too.

    >>> import minitensor as mt
    >>> @op
    ... def cube(x):
    ...     return x * x * x
    >>> cube.vjp(x=lambda g, x: g * (3 * x * x))
    >>> x = mt.Tensor([2.0], requires_grad=True)
    >>> cube(x).sum().backward()
    >>> x.grad
    Tensor float32 (1,): [12.]
    """
    if function is None:
        return lambda f: Op(f, broadcasts, floating, view, verbatim, constant, complex)
    return Op(function, broadcasts, floating, view, verbatim, constant, complex)
