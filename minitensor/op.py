"""How a call becomes a Node: an `Op` is a function on arrays with one gradient rule per argument."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, Unpack, get_args, overload

from numpy import ndarray

from minitensor.backend import Array, backends, is_array, plain
from minitensor.declaration import Facts, Outcome, P, refuse_tensor
from minitensor.errors import GradientError
from minitensor.graph import Operands, Settings, Variable, describe, parents, results, state, wrap
from minitensor.notices import same
from minitensor.operands import Call, alike, holds_tensor, unshared
from minitensor.precision import cast
from minitensor.promotion import settle
from minitensor.rules import Differentiable

if TYPE_CHECKING:  # what a call returns, as an editor sees it; here it is a Variable
    from minitensor.tensor import Tensor

__all__ = ["Op", "op"]

Trait = Literal["broadcasts", "floating", "numbers", "verbatim", "view", "complex"]


class Op(Differentiable[P]):
    """A function on arrays with one gradient rule per argument; see `op`."""

    known = frozenset(get_args(Trait))

    def __init__(
        self,
        function: Callable[P, Any],
        traits: Sequence[Trait] = (),
        constant: tuple[str, ...] = (),
        **facts: Unpack[Facts],
    ) -> None:
        super().__init__(function, traits, **facts)
        self.broadcasts, self.view = "broadcasts" in traits, "view" in traits
        self.verbatim, self.floating = self.view or "verbatim" in traits, "floating" in traits
        self.constant = constant
        self.promoted = [n not in constant for n in self.arguments]

    def __call__(self, *operands: P.args, **given: P.kwargs) -> Tensor:
        """Compute on arrays; record on Tensors."""
        args: tuple[Any, ...] = operands
        settings: Settings = given
        if len(args) != self.count:
            args, settings = self.bind(args, settings)
        if settings:
            self._check_settings(settings)
        ordinary = state.ordinary
        call = alike(args) if ordinary and self.quick else None
        if call is None and not holds_tensor(args):
            raw: Tensor = self.forward(*args, **settings)  # an array, as the operands are
            return raw
        try:
            call = call or self._settled(args)
            if ordinary and (not self.kernels or getattr(call[1][0], "size", self.least) < self.least):
                y = self.forward(*call[1], **settings) if settings else self.forward(*call[1])
                pullback = None
            else:
                y, pullback = self._computed(call, settings)
        except Exception as error:
            self.explain(error, args, settings)
            raise
        if not call[3] or (self.verbatim and y.dtype.kind in "iub"):  # a cast to whole numbers has no gradient
            shown = y if call[4] is None else same(y, call[4](y))
            result: Any = wrap(shown) if type(shown) is not tuple else results(shown, None)
        else:
            result = self._record(call, settings, y, pullback)
        made: Tensor = self._viewing(result, call, y) if self.view else result
        return made

    def _refuse_bools(self, args: Operands) -> None:
        for x in args:
            if x is True or x is False or (hasattr(x, "dtype") and x.dtype == bool):
                raise TypeError(f"{self.name}: bools are refused: turn one by ~x, compare two by ^ or !=")

    def _check_settings(self, settings: Settings) -> None:
        for name, value in settings.items():
            if name not in self.defaults:
                self.refuse(name)
            if isinstance(value, Variable):
                refuse_tensor(self.name, name, value)

    def _settled(self, args: tuple[Any, ...]) -> Call:
        """Bring the operands to one dtype, check that they are on one device, and find which want a gradient."""
        if state.autocast is not None:
            args = cast(self.autocast, args)
        if "numbers" in self.traits:
            self._refuse_bools(args)
        arrays: list[Array] = [
            a.data if isinstance(a, Variable) else plain(a) if isinstance(a, ndarray) else a for a in args
        ]
        narrow = None
        if not self.verbatim:
            promoted = self.promoted * (len(args) if self.variadic else 1)
            arrays, narrow = settle(arrays, promoted, self.floating, self.real)
        elif arrays and type(arrays[0]) not in backends:  # somebody assigned it to `.data`
            arrays = [plain(x) if isinstance(x, ndarray) else x for x in arrays]
        edges, mask = self._wanted(args)
        if self.kernels and mask:
            arrays = unshared(args, arrays)
        return args, arrays, edges, mask, narrow

    def _wanted(self, args: Operands) -> tuple[Any, int]:
        """Return where each gradient goes, and the mask of those that are wanted."""
        if not state.recording:
            return (), 0
        differentiable = self.differentiable * (len(args) if self.variadic else 1)
        edges = parents(args, differentiable)
        if not self.complete:
            self._refuse_hidden_gradient(args, differentiable)
        if edges is None:
            return (), 0
        return edges, 2 if self.variadic else sum([1 << (len(edges) - i) for i, p in enumerate(edges) if p is not None])

    def _refuse_hidden_gradient(self, args: Operands, differentiable: Sequence[bool]) -> None:
        for name, a, ok in zip(self.arguments * len(args), args, differentiable, strict=False):
            hidden = not ok and isinstance(a, Variable) and a.requires_grad
            if hidden and any(differentiable) and name not in self.constant:
                raise GradientError(
                    f"{self.name} has no gradient for its argument {name!r} ({describe(a)}, requires_grad): detach() it"
                )

    def _computed(self, call: Call, settings: Settings) -> Outcome:
        """Return the value and a pullback: of an attached kernel that takes the call, or of the function, and None."""
        args, arrays = call[:2]
        if self.kernels and state.fused and self._floats(arrays):
            outcome: Outcome = self.run_kernel(call, settings)
            if outcome is not NotImplemented:
                return outcome
        if state.observer is None:
            return self.forward(*arrays, **settings), None
        run = lambda: self.forward(*arrays, **settings)  # noqa: E731
        return state.observer.forward(self, args, arrays, settings, run), None

    def _floats(self, arrays: Operands) -> bool:
        """Whether the arrays that meet in one dtype are floats, which is what kernels compute with."""
        promoted = self.promoted * (len(arrays) if self.variadic else 1)
        kinds = {x.dtype.kind for x, p in zip(arrays, promoted, strict=True) if p and is_array(x)}
        return kinds == {"f"}

    def _viewing(self, result: Any, call: Call, y: Array) -> Any:
        """Let a result that shares its argument's memory count changes in place together with it."""
        x = call[0][0]
        if _is_view(y, call[1][0]):
            if x.version is None:
                x.version = [0]
            result.version = x.version
        return result


def _is_view(y: Array, x: Array) -> bool:
    """Whether y shares x's memory: NumPy and CuPy name the owner of it in `base`."""
    return y is x or (y.base is not None and (y.base is x or y.base is x.base))


@overload
def op(function: Callable[P, Any], /) -> Op[P]: ...
@overload
def op(
    *traits: Trait, constant: tuple[str, ...] = (), **facts: Unpack[Facts]
) -> Callable[[Callable[P, Any]], Op[P]]: ...
def op(*traits: Any, constant: tuple[str, ...] = (), **facts: Unpack[Facts]) -> Any:
    """Declare an op. Parameters annotated as arrays, or not at all, are operands; all others are settings.

    The traits of an op are given by name: `@op("broadcasts", "complex")`.
    broadcasts: the operands broadcast; the engine sums each gradient back to its argument's shape.
    floating: integer operands become the default float first. numbers: bools are refused, before they meet numbers.
    verbatim: the operands are taken as they are, without promotion. view: that, and the result may share their memory.
    complex: complex numbers are taken too; all other ops refuse them. A rule stays the plain derivative, g * 2 * x for
    x², without a conjugate: that is the engine's business (see `engine.py`), as broadcasting is.
    constant: arguments without a rule that a Tensor which requires grad may be passed for all the same.
    autocast, public, onnx: see `Facts` in declaration.py.
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
    if len(traits) == 1 and callable(traits[0]):
        return Op(traits[0])
    return lambda function: Op(function, traits, constant, **facts)
