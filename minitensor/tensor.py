"""`Tensor`: an array with operators and NumPy-named methods, one line each. What they do stands in `ops/`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from minitensor import backend, engine
from minitensor.backend import Array
from minitensor.doors import array_from, call_numpy, entries, may_leave
from minitensor.errors import GradientError, InPlaceError
from minitensor.graph import Node, Variable, describe, set_tensor_class
from minitensor.hooks import Handle, register
from minitensor.modes import is_recording
from minitensor.notices import copied, leaves
from minitensor.ops import elementwise as el
from minitensor.ops.indexing import gather, scatter, sorting
from minitensor.ops.indexing import index as ix
from minitensor.ops.linalg import matmul as linalg
from minitensor.ops.linalg import norm
from minitensor.ops.nn import softmax
from minitensor.ops.reductions import reduce, scan, statistics
from minitensor.ops.reductions.axes import Axis
from minitensor.ops.shaping import diagonal, join, order, tiling
from minitensor.ops.shaping import shape as sh
from minitensor.viz.html import tensor_html

__all__ = ["Shape", "Tensor"]

Shape = int | tuple[int, ...]
Operator = Callable[["Tensor", ArrayLike], "Tensor"]


def _operator(f: Operator) -> Operator:
    return f


def _asks(f: Callable[[Tensor, Any], Tensor]) -> Callable[[Tensor, object], Any]:
    return f  # any object may be asked whether it is equal


class Tensor(Variable):
    """A multi-dimensional array that remembers how it was computed.

    `Tensor(data, dtype=None, device=None, requires_grad=False)`: nested lists of Python floats become float32, of
    complex numbers complex64; arrays keep their dtype and are not copied, unless their bytes are in another machine's
    order; subclasses of ndarray (matrix, memmap) become plain. Tensors that share memory, by Tensor(t), detach or as a
    view, count changes in place together. With `requires_grad` the calls it goes into are recorded, and `y.backward()`
    puts dy/dx into `x.grad`: for x = a + ib it is dy/da + i dy/db, as in PyTorch. Only floats and complex numbers can
    require a gradient; NumPy's functions refuse a Tensor that does (HistoryError, a TypeError).
    Differs from PyTorch: methods follow NumPy (axis, keepdims); `+=` makes a new Tensor; lists of integers are int64.

    >>> x = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    >>> y = (x * x).sum()
    >>> y
    Tensor float32 () from sum: 30.
    >>> y.backward()
    >>> x.grad
    Tensor float32 (2, 2): [[2. 4.] [6. 8.]]
    """

    __slots__ = ()
    __array_ufunc__ = None  # `ndarray * Tensor` comes to us
    __hash__ = object.__hash__
    _repr_html_ = tensor_html

    def __init__(
        self, data: ArrayLike, dtype: DTypeLike | None = None, *, device: str | None = None, requires_grad: bool = False
    ) -> None:
        given = data.data if isinstance(data, Variable) else data
        super().__init__(array_from(given, dtype))
        if isinstance(data, Variable) and self.data is given:
            self._shares(data)
        if device is not None:
            moved = backend.move(self.data, device)
            self.data, self.version = moved, self.version if moved is self.data else None
        if requires_grad:
            self.requires_grad_()

    # -- what it is --------------------------------------------------------------------------------------------------

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.data.shape)

    @property
    def size(self) -> int:
        """The number of entries."""
        return int(self.data.size)

    @property
    def device(self) -> str:
        """Where the array lives: "cpu", "cuda:0", ..."""
        return backend.device_of(self.data)

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded call made it."""
        return self.source is None

    def __len__(self) -> int:
        if not self.data.shape:
            raise TypeError("a Tensor of shape () has no length")
        return int(self.data.shape[0])

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        made = f" from {self.origin.op.name}" if isinstance(self.origin, Node) else ""
        values = np.array2string(
            backend.to_numpy(self.data), precision=4, threshold=20, edgeitems=3, separator=" "
        ).replace("\n", "")
        where = "" if self.device == "cpu" else f" on {self.device}"
        grad = " requires_grad" if self.requires_grad and self.source is None else ""
        return f"Tensor {self.dtype} {self.shape}{where}{grad}{made}: {' '.join(values.split())}"

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else repr(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Copy a leaf, its gradient too; a computed Tensor would bring its whole graph along."""
        self._only_a_leaf("copied")
        copy = object.__new__(type(self))
        memo[id(self)] = copy
        Variable.__init__(copy, self.data.copy())
        copy.requires_grad = self.requires_grad
        copy._grad = None if self._grad is None else self._grad.detach().clone()
        return copy

    def __reduce__(self) -> Any:
        self._only_a_leaf("pickled")
        return _unpickle, (type(self), self.data, self.requires_grad)

    def _only_a_leaf(self, what: str) -> None:
        if self.source is not None:
            raise GradientError(f"only a leaf can be {what}; this Tensor was computed by a recorded call: detach() it")

    def numpy(self) -> np.ndarray:
        """Return the entries as a NumPy array, without history: a read-only view on the CPU, a copy from a GPU."""
        leaves(self, "numpy()")
        view = backend.to_numpy(self.data).view()
        view.flags.writeable = False
        return view

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> np.ndarray:
        if self.device != "cpu":
            raise TypeError(
                f"a Tensor on {self.device} is not turned into a NumPy array by itself: use .numpy() or .to('cpu')"
            )
        may_leave(self, "NumPy")
        return np.array(self.numpy(), dtype=dtype, copy=True if copy else None)

    def __array_function__(self, function: Any, types: Any, args: Any, settings: Any) -> Any:
        return call_numpy(function, args, settings)

    def __dlpack__(self, **settings: Any) -> Any:
        may_leave(self, "DLPack")
        leaves(self, "DLPack")
        return self.data.__dlpack__(**settings)

    def __dlpack_device__(self) -> tuple[int, int]:
        found: tuple[int, int] = self.data.__dlpack_device__()
        return found

    def item(self) -> Any:
        """Return the single entry as a Python number."""
        if self.data.size != 1:
            raise ValueError(f"item() takes a Tensor of one entry; this one has shape {self.shape}")
        leaves(self, "item()")
        return self.data.item()

    def tolist(self) -> Any:
        """Return the entries as nested lists of Python numbers."""
        leaves(self, "tolist()")
        return self.data.tolist()

    __float__ = lambda self: float(self.item())  # noqa: E731
    __int__ = lambda self: int(self.item())  # noqa: E731
    __complex__ = lambda self: complex(self.item())  # noqa: E731

    def __bool__(self) -> bool:
        if self.data.size != 1:
            raise ValueError(f"a Tensor of shape {self.shape} is neither true nor false: use .any() or .all()")
        leaves(self, "bool()")
        return bool(self.data.item())

    def __index__(self) -> int:
        if self.data.dtype.kind not in "iu":
            raise TypeError(f"only an integer Tensor can be an index; this one is {self.dtype}")
        return int(self.item())

    # -- gradients ---------------------------------------------------------------------------------------------------

    @property
    def grad(self) -> Any:
        """The gradient that backward has left here, a Tensor of this shape, dtype and device; None before.

        Assigning raises TypeError for what is no Tensor and None, GradientError for another shape, dtype or device. A
        later backward adds to the Tensor in place; one that was kept from before `zero_grad` stays what it was.
        """
        return self._grad

    @grad.setter
    def grad(self, g: Array) -> None:
        if g is not None:
            if not isinstance(g, Variable):
                raise TypeError(f".grad is a Tensor or None; got {describe(g)}")
            if g is self:
                raise GradientError("a Tensor cannot be its own .grad: assign a copy, x.detach().clone()")
            if (g.shape, g.dtype, backend.device_of(g.data)) != (self.shape, self.dtype, self.device):
                raise GradientError(
                    f"the gradient of {describe(self)} has its shape, dtype and device; got {describe(g)}"
                )
        self._grad = g

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Say whether gradients with respect to this leaf are wanted; returns itself."""
        if self.source is not None and not requires_grad:
            raise GradientError("this Tensor was computed by a recorded call; use detach() for one without history")
        if requires_grad and self.data.dtype.kind not in "fVc":
            raise GradientError(
                f"only a float Tensor can require a gradient; this one is {self.dtype}: use .astype('float32')"
            )
        self.requires_grad = requires_grad
        return self

    def backward(self, gradient: Array = None, retain_graph: bool = False, create_graph: bool = False) -> None:
        """Add d(self)/d(leaf) to the `.grad` of every leaf that requires grad.

        gradient: the incoming gradient, of this Tensor's shape; 1 if this is a single number. What the graph saved is
        freed unless `retain_graph`. With `create_graph` the gradients are part of a graph themselves; `.grad` then
        refers to a graph that refers to its leaf, a cycle: prefer `minitensor.grad`.

        >>> x = Tensor([1.0, 2.0], requires_grad=True)
        >>> (3 * x).backward(Tensor([1.0, 10.0]))
        >>> x.grad
        Tensor float32 (2,): [ 3. 30.]
        """
        engine.backward(self, gradient, retain_graph, create_graph)

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> Handle:
        """Call `hook(gradient)` when this Tensor's gradient is complete; what it returns (or None) takes its place.

        >>> x = Tensor([1.0, 2.0], requires_grad=True)
        >>> with x.register_hook(lambda g: g * 10):
        ...     (x * x).sum().backward()
        >>> x.grad
        Tensor float32 (2,): [20. 40.]
        """
        return register(self, hook)

    def detach(self) -> Tensor:
        """Return the same array without its history; changes in place are seen by both."""
        result = Tensor.__new__(Tensor)
        Variable.__init__(result, self.data)
        result._shares(self)
        return result

    def _shares(self, other: Variable) -> None:
        """Count changes in place together with another Tensor on the same memory."""
        if other.version is None:
            other.version = [0]
        self.version = other.version

    def clone(self) -> Tensor:
        """Return a copy that passes gradients on."""
        return self * 1 if self.requires_grad and is_recording() else Tensor(copied(self.data))

    # -- devices and dtypes ------------------------------------------------------------------------------------------

    def to(self, device: Any = None, dtype: DTypeLike | None = None) -> Tensor:
        """Return it on a device and in a dtype; itself if it is there already. On another device it starts as a leaf.

        A dtype may stand in the first place, as in PyTorch.

        >>> Tensor([1, 2]).to(dtype="float32")
        Tensor float32 (2,): [1. 2.]
        """
        if device is not None and not backend.names_device(device):
            device, dtype = None, np.dtype(device)
        data = self.data if device is None else backend.move(self.data, device)
        if data is self.data:
            return self if dtype is None or self.dtype == dtype else self.astype(dtype)
        if self.requires_grad and self.source is not None and is_recording():
            raise GradientError(
                f"a recorded Tensor cannot move from {self.device} to {device} with its graph: "
                "detach() it first, or move the leaves"
            )
        return Tensor(data, dtype=dtype, requires_grad=self.requires_grad and self.source is None)

    def astype(self, dtype: DTypeLike) -> Tensor:
        """Return it in another dtype; gradients come back in this one."""
        return el.astype(self, dtype=np.dtype(dtype))

    # -- operators ---------------------------------------------------------------------------------------------------

    __add__: ClassVar[Operator] = _operator(lambda self, other: el.add(self, other))
    __radd__: ClassVar[Operator] = _operator(lambda self, other: el.add(other, self))
    __sub__: ClassVar[Operator] = _operator(lambda self, other: el.subtract(self, other))
    __rsub__: ClassVar[Operator] = _operator(lambda self, other: el.subtract(other, self))
    __mul__: ClassVar[Operator] = _operator(lambda self, other: el.multiply(self, other))
    __rmul__: ClassVar[Operator] = _operator(lambda self, other: el.multiply(other, self))
    __truediv__: ClassVar[Operator] = _operator(lambda self, other: el.divide(self, other))
    __rtruediv__: ClassVar[Operator] = _operator(lambda self, other: el.divide(other, self))
    __pow__ = _operator(lambda self, other: el.power(self, other))
    __rpow__ = _operator(lambda self, other: el.power(other, self))
    __matmul__ = _operator(lambda self, other: linalg.matmul(self, other))
    __rmatmul__ = _operator(lambda self, other: linalg.matmul(other, self))
    __neg__ = lambda self: el.negative(self)  # noqa: E731
    __abs__ = lambda self: el.abs(self)  # noqa: E731
    __eq__ = _asks(lambda self, other: el.equal(self, other))
    __ne__ = _asks(lambda self, other: el.not_equal(self, other))
    __lt__ = _operator(lambda self, other: el.less(self, other))
    __le__ = _operator(lambda self, other: el.less_equal(self, other))
    __gt__ = _operator(lambda self, other: el.greater(self, other))
    __ge__ = _operator(lambda self, other: el.greater_equal(self, other))
    __floordiv__ = _operator(lambda self, other: el.floor_divide(self, other))
    __rfloordiv__ = _operator(lambda self, other: el.floor_divide(other, self))
    __mod__ = _operator(lambda self, other: el.remainder(self, other))
    __rmod__ = _operator(lambda self, other: el.remainder(other, self))
    __and__ = __rand__ = _operator(lambda self, other: el.bitwise_and(self, other))
    __or__ = __ror__ = _operator(lambda self, other: el.bitwise_or(self, other))
    __xor__ = __rxor__ = _operator(lambda self, other: el.bitwise_xor(self, other))
    __lshift__ = _operator(lambda self, other: el.bitwise_left_shift(self, other))
    __rshift__ = _operator(lambda self, other: el.bitwise_right_shift(self, other))
    __invert__ = lambda self: el.bitwise_not(self)  # noqa: E731

    def __getitem__(self, index: Any) -> Tensor:
        return ix.getitem(self, index=ix.plain_index(index, self))

    def __setitem__(self, index: Any, value: ArrayLike) -> None:
        """Change entries in place: only where no recorded call would notice."""
        if is_recording() and (self.requires_grad or (isinstance(value, Variable) and value.requires_grad)):
            raise InPlaceError(
                "x[...] = v on a Tensor that takes part in a graph cannot be differentiated: "
                "use minitensor.where or minitensor.index_put, which return a new Tensor, or do it under no_grad()"
            )
        new = entries(value, self.data)
        if self.data.dtype.kind != "c" and backend.is_complex(new):
            raise TypeError(f"complex numbers do not fit into a Tensor {self.dtype}: assign their .real or .abs()")
        try:
            self.data[ix.plain_index(index, self)] = new
        except (ValueError, IndexError) as error:
            error.add_note(f"in x[{index!r}] = {describe(value)}, where x is {describe(self)}")
            raise
        self.changed()

    # -- methods, named as NumPy's -----------------------------------------------------------------------------------

    def exp(self) -> Tensor:
        """eˣ"""
        return el.exp(self)

    def log(self) -> Tensor:
        """Natural logarithm"""
        return el.log(self)

    def sqrt(self) -> Tensor:
        """√x"""
        return el.sqrt(self)

    def tanh(self) -> Tensor:
        """Hyperbolic tangent"""
        return el.tanh(self)

    def sigmoid(self) -> Tensor:
        """1 / (1 + e⁻ˣ)"""
        return el.sigmoid(self)

    def relu(self) -> Tensor:
        """max(x, 0)"""
        return el.relu(self)

    def abs(self) -> Tensor:
        """|x|"""
        return el.abs(self)

    @property
    def real(self) -> Tensor:
        """The real part"""
        return el.real(self)

    @property
    def imag(self) -> Tensor:
        """The imaginary part"""
        return el.imag(self)

    def conj(self) -> Tensor:
        """a - ib for a + ib"""
        return el.conj(self)

    def angle(self) -> Tensor:
        """The angle of a complex number"""
        return el.angle(self)

    def clip(self, min: float | None = None, max: float | None = None) -> Tensor:
        """x brought into [min, max]"""
        return el.clip(self, min=min, max=max)

    def sum(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Sum over axes"""
        return reduce.sum(self, axis=axis, keepdims=keepdims)

    def mean(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Mean over axes"""
        return reduce.mean(self, axis=axis, keepdims=keepdims)

    def var(self, axis: Axis = None, correction: float = 0, keepdims: bool = False) -> Tensor:
        """Variance over axes"""
        return statistics.var(self, axis=axis, correction=correction, keepdims=keepdims)

    def std(self, axis: Axis = None, correction: float = 0, keepdims: bool = False) -> Tensor:
        """Standard deviation over axes"""
        return statistics.std(self, axis=axis, correction=correction, keepdims=keepdims)

    def max(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Largest entry over axes"""
        return reduce.max(self, axis=axis, keepdims=keepdims)

    def min(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Smallest entry over axes"""
        return reduce.min(self, axis=axis, keepdims=keepdims)

    def argmax(self, axis: int | None = None, keepdims: bool = False) -> Tensor:
        """Position of the largest entry"""
        return reduce.argmax(self, axis=axis, keepdims=keepdims)

    def argmin(self, axis: int | None = None, keepdims: bool = False) -> Tensor:
        """Position of the smallest entry"""
        return reduce.argmin(self, axis=axis, keepdims=keepdims)

    def any(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Whether some entry is true"""
        return reduce.any(self, axis=axis, keepdims=keepdims)

    def all(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Whether every entry is true"""
        return reduce.all(self, axis=axis, keepdims=keepdims)

    def cumsum(self, axis: int | None = None) -> Tensor:
        """Running sum along an axis"""
        return scan.cumsum(self, axis=axis)

    def reshape(self, *shape: Any) -> Tensor:
        """The same entries in another shape: x.reshape(2, -1) or x.reshape((2, -1))"""
        return sh.reshape(self, shape=shape[0] if len(shape) == 1 else shape)

    def transpose(self, *axes: Any) -> Tensor:
        """Axes in another order: x.transpose(1, 0), x.transpose((1, 0)); reversed if none are named"""
        order = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes or None
        return sh.transpose(self, axes=None if order is None else tuple(order))

    permute = transpose

    @property
    def T(self) -> Tensor:  # noqa: N802
        """The transpose of a matrix"""
        return sh.transpose(self, axes=None)

    @property
    def mT(self) -> Tensor:  # noqa: N802
        """The last two axes exchanged"""
        return sh.swapaxes(self, axis1=-1, axis2=-2)

    def swapaxes(self, axis1: int, axis2: int) -> Tensor:
        """Two axes exchanged"""
        return sh.swapaxes(self, axis1=axis1, axis2=axis2)

    def squeeze(self, axis: Axis = None) -> Tensor:
        """Without axes of length 1"""
        return sh.squeeze(self, axis=axis)

    def prod(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Product over axes"""
        return reduce.prod(self, axis=axis, keepdims=keepdims)

    def cumprod(self, axis: int | None = None) -> Tensor:
        """Running product along an axis"""
        return scan.cumprod(self, axis=axis)

    def logsumexp(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """ln Σ eˣ over axes"""
        return softmax.logsumexp(self, axis=axis, keepdims=keepdims)

    def softmax(self, axis: int = -1) -> Tensor:
        """e^x / Σ e^x along an axis"""
        return softmax.softmax(self, axis=axis)

    def log_softmax(self, axis: int = -1) -> Tensor:
        """x - ln Σ e^x along an axis"""
        return softmax.log_softmax(self, axis=axis)

    def median(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Median over axes"""
        return statistics.median(self, axis=axis, keepdims=keepdims)

    def norm(self, ord: Any = None, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Norm over axes"""
        return norm.norm(self, ord=ord, axis=axis, keepdims=keepdims)

    def sort(self, axis: int | None = -1, descending: bool = False) -> Tensor:
        """The entries in order along an axis"""
        return sorting.sort(self, axis=axis, descending=descending)

    def argsort(self, axis: int | None = -1, descending: bool = False) -> Tensor:
        """The places of the entries in order"""
        return sorting.argsort(self, axis=axis, descending=descending)

    def topk(self, k: int, axis: int = -1, largest: bool = True, sorted: bool = True) -> tuple[Tensor, ...]:
        """The k largest entries and their places"""
        return tuple(sorting.topk(self, k=k, axis=axis, largest=largest, sorted=sorted))

    def ravel(self) -> Tensor:
        """All entries in one axis"""
        return sh.ravel(self)

    def moveaxis(self, source: int | tuple[int, ...], destination: int | tuple[int, ...]) -> Tensor:
        """Axes moved to other places"""
        return sh.moveaxis(self, source=source, destination=destination)

    def expand_dims(self, axis: int | tuple[int, ...]) -> Tensor:
        """With an axis of length 1 put in"""
        return sh.expand_dims(self, axis=axis)

    def broadcast_to(self, shape: Shape) -> Tensor:
        """Repeated along axes of length 1 to a shape"""
        return sh.broadcast_to(self, shape=shape)

    def flip(self, axis: Axis = None) -> Tensor:
        """The order along axes reversed"""
        return order.flip(self, axis=axis)

    def roll(self, shift: Shape, axis: Axis = None) -> Tensor:
        """Moved along axes, what falls out coming in again"""
        return order.roll(self, shift=shift, axis=axis)

    def repeat(self, repeats: int | Sequence[int], axis: int | None = None) -> Tensor:
        """Each entry repeated"""
        return tiling.repeat(self, repeats=repeats, axis=axis)

    def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
        """The diagonal"""
        return diagonal.diagonal(self, offset=offset, axis1=axis1, axis2=axis2)

    def trace(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
        """The sum of the diagonal"""
        return diagonal.trace(self, offset=offset, axis1=axis1, axis2=axis2)

    def split(self, indices_or_sections: int | Sequence[int], axis: int = 0) -> tuple[Tensor, ...]:
        """Consecutive pieces"""
        return tuple(join.split(self, indices_or_sections=indices_or_sections, axis=axis))

    def chunk(self, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
        """At most so many pieces, PyTorch's"""
        return tuple(join.chunk(self, chunks=chunks, dim=dim))

    def take(self, indices: ArrayLike, axis: int | None = None) -> Tensor:
        """The slices at indices"""
        return ix.take(self, indices, axis=axis)

    def gather(self, dim: int, index: ArrayLike) -> Tensor:
        """The entries that an index names, PyTorch's"""
        return gather.gather(self, index, dim=dim)

    def scatter(self, dim: int, index: ArrayLike, src: ArrayLike) -> Tensor:
        """Entries put where an index says, PyTorch's"""
        return scatter.scatter(self, index, src, dim=dim)

    def scatter_add(self, dim: int, index: ArrayLike, src: ArrayLike) -> Tensor:
        """Entries added where an index says, PyTorch's"""
        return scatter.scatter_add(self, index, src, dim=dim)

    def index_select(self, dim: int, index: ArrayLike) -> Tensor:
        """The slices at an index, PyTorch's"""
        return gather.index_select(self, index, dim=dim)

    def masked_fill(self, mask: ArrayLike, value: ArrayLike) -> Tensor:
        """A value where the mask is true"""
        return scatter.masked_fill(self, mask, value)

    def flatten(self) -> Tensor:
        """All entries in one axis"""
        return sh.reshape(self, shape=-1)


def _unpickle(cls: type[Tensor], data: Array, requires_grad: bool) -> Tensor:
    tensor = object.__new__(cls)
    Variable.__init__(tensor, data)
    tensor.requires_grad = requires_grad
    return tensor


set_tensor_class(Tensor)
