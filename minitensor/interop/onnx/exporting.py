"""`export`: the example, the traces of the model, what they say about it, and the file."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from minitensor.generators import default_generator
from minitensor.graph import Variable, describe
from minitensor.interop.onnx import writers
from minitensor.interop.onnx.compare import Affine, Along, Difference, affine, by_batch, difference
from minitensor.interop.onnx.examples import batched, others, resized
from minitensor.interop.onnx.model import build, kept
from minitensor.interop.onnx.trace import Trace
from minitensor.nn.base.layer import Layer
from minitensor.tensor import Tensor

__all__ = ["OPSET", "export"]

OPSET = 18
SIZES = (2, 3, 17, 5)  # of the batch: what follows it in steps (half of it) is no straight line through three of them
LARGE = 2**31 - 2**24  # bytes: what Protocol Buffers hold in one file, less some room for the nodes
assert writers.__all__  # the table is filled by importing them


class _Run(NamedTuple):
    trace: Trace
    results: list[tuple[str, Any]]  # (name, array)


class _Batch(NamedTuple):
    """Which inputs have the batch on which axis, the constants that follow it, and the runs that show it."""

    axes: dict[int, int]
    plan: dict[str, Affine | Along]
    runs: list[_Run]
    sizes: list[int]


def export(
    model: Layer,
    inputs: Any,
    path: str | Path,
    *,
    names: Sequence[str] = (),
    batch_axis: int | Sequence[int | None] | None = 0,
) -> Path:
    """Write a model to an .onnx file, and return the path.

    inputs: an example Tensor, or a tuple of them; the file takes inputs of these dtypes and shapes, but for the length
    of the batch axis, which may be any. batch_axis: of all inputs that are as long there as the first, or one for each
    input; None fixes the length. names: of the inputs ("input", or "input0", "input1", ... by default). Results are
    "output", or "output0", ..., those of a dict their keys. Weights keep their state-dict names; above 2 GB they stand
    in a second file, PATH.data. Dropout is off. Needs onnx: pip install "minitensor-jepa[onnx]".

    The model runs six times or so, on other values and other batches too, and the traces are compared. Raises
    NotImplementedError, naming op and layer, for what ONNX or this export has no counterpart of, and where a value of
    the example (read by NumPy, by item(), by an index, by a branch) or a random number would stay in the file.
    Warns where a value of the example was read without a difference in these runs (a branch they all take), where a
    result depends on no input, and where the batch must stay as long as it is.
    Differs from PyTorch (torch.onnx.export): one dynamic axis, and no control flow is captured.

    >>> import tempfile, minitensor as mt
    >>> model = mt.nn.Sequential(mt.nn.Linear(3, 2), mt.nn.ReLU())
    >>> export(model, mt.zeros((1, 3)), tempfile.mkdtemp() + "/model.onnx").name
    'model.onnx'
    """
    try:
        import onnx
    except ImportError as error:
        raise ImportError('ONNX export needs onnx: pip install "minitensor-jepa[onnx]"') from error
    examples = inputs if isinstance(inputs, (tuple, list)) else (inputs,)
    examples = tuple(x if isinstance(x, Tensor) else Tensor(x) for x in examples)
    given = _input_names(model, examples, names)
    with _evaluation(model):
        _run(model, examples, given)  # what a model computes once and keeps is there from now on
        run = _run(model, examples, given)
        checked = _other_values(model, examples, given, run)
        batch = _other_batches(model, examples, given, run, batch_axis)
    _check_inputs(run, given)
    _warn(run)
    return _write(onnx, model, examples, given, run, checked, batch, Path(path))


def _input_names(model: Layer, examples: Sequence[Tensor], names: Sequence[str]) -> list[str]:
    several = len(examples) != 1
    given = list(names) or [f"input{i}" if several else "input" for i in range(len(examples))]
    if len(given) != len(examples):
        raise ValueError(f"export: {len(given)} names for {len(examples)} inputs")
    if len(set(given)) < len(given) or not all(given):
        raise ValueError(f"export: every input has a name of its own; got {given}")
    if taken := [name for name in given if name in model._state() or "/" in name]:
        raise ValueError(f"export: an input cannot be called {taken[0]!r}: a weight or a node is")
    for x in examples:
        if x.dtype.kind == "c":
            raise NotImplementedError(f"export: ONNX has no complex inputs; got {describe(x)}")
    return given


@contextmanager
def _evaluation(model: Layer) -> Iterator[None]:
    """Put the model into evaluation mode for a while; leave its mode and the random numbers as they were."""
    modes = [(layer, layer.training) for _, layer in model._tree()]
    generator = default_generator()
    before = generator.bit_generator.state
    model.eval()
    try:
        yield
    finally:
        generator.bit_generator.state = before
        for layer, mode in modes:
            layer.training = mode


def _run(model: Layer, examples: Sequence[Tensor], names: Sequence[str]) -> _Run:
    trace = Trace(model)
    copies = [Tensor(x.data.copy()) for x in examples]  # an input given twice is two inputs
    state = model._state()
    before = {name: _version(t) for name, t in state.items()}
    results = _flat(trace.run(model, copies, names))
    if changed := [name for name, t in state.items() if _version(t) != before[name]]:
        raise NotImplementedError(
            f"export: the model changes {changed[0]} as it runs, which has no counterpart in ONNX here"
        )
    for name, y in results:
        trace.result(y, name)
    return _Run(trace, results)


def _version(t: Variable) -> int:
    return 0 if t.version is None else t.version[0]


def _flat(result: Any) -> list[tuple[str, Any]]:
    """Return the Tensors in a result, each with its name."""
    if isinstance(result, dict):
        found = [(str(key), v) for key, value in result.items() for _, v in _flat(value)]
        counts = [name for name, _ in found]
        found = [(n if counts.count(n) == 1 else f"{n}.{counts[:i].count(n)}", v) for i, (n, v) in enumerate(found)]
    elif isinstance(result, (tuple, list)):
        values = [v for value in result if value is not None for _, v in _flat(value)]
        found = [(f"output{i}" if len(values) > 1 else "output", v) for i, v in enumerate(values)]
    elif isinstance(result, Variable):
        found = [("output", result.data)]
    else:
        raise TypeError(f"export: the model returned {describe(result)}; it must return Tensors")
    return found


def _other_values(model: Layer, examples: Sequence[Tensor], names: Sequence[str], run: _Run) -> list[_Run]:
    """Run the model on other values of the same shapes; raise where that leads to another graph."""
    runs: list[_Run] = []
    for changed in others(examples):
        try:
            other = _run(model, changed, names)
        except Exception:  # noqa: S112  # it refuses these values: the next are milder
            continue
        found = difference(run.trace, other.trace)
        if found is not None:
            again = _run(model, examples, names)
            if difference(run.trace, again.trace):
                raise NotImplementedError(
                    f"export: {found.user} {found.what} in every run: random numbers, and what a model counts, "
                    "have no counterpart in ONNX here"
                )
            raise NotImplementedError(
                f"export: {found.user} {found.what} for other inputs: it was computed from an input outside of the "
                "ops (by NumPy, numpy(), item(), a branch, a shape that depends on values) and would stay the example's"
            )
        runs.append(other)
        if len(runs) == 2:
            break
    if not runs and examples:
        warnings.warn(
            "export: the model takes no other values than the example's; whether they decide anything is not known",
            stacklevel=3,
        )
    return runs


def _other_batches(
    model: Layer, examples: Sequence[Tensor], names: Sequence[str], run: _Run, axis: int | Sequence[int | None] | None
) -> _Batch | None:
    """Run the model on other sizes of the batch; None where the graph is another one then."""
    reason = ""
    for axes in batched(examples, axis):
        sizes = _sizes(examples, axes)
        try:
            runs = [run, *(_run(model, resized(examples, axes, n), names) for n in sizes[1:])]
        except Exception as error:
            reason = reason or f"with {sizes[1]} the model raises {type(error).__name__}: {error}"
            continue
        found = by_batch([r.trace for r in runs], sizes)
        if not isinstance(found, Difference):
            _check_one(model, resized(examples, axes, 1), names, runs, sizes)
            return _Batch(axes, found, runs, sizes)
        reason = reason or f"{found.user} {found.what} at another one"
    if reason:
        warnings.warn(
            f"export: axis {axis} of the inputs keeps the example's length in the file: {reason}", stacklevel=3
        )
    return None


def _check_one(
    model: Layer, example: Sequence[Tensor], names: Sequence[str], runs: Sequence[_Run], sizes: Sequence[int]
) -> None:
    """Warn where one sample alone is computed in another way: axes of length 1 may vanish or broadcast."""
    try:
        one = _run(model, example, names)
    except Exception:
        return  # the model takes no single sample
    found = by_batch([*(r.trace for r in runs), one.trace], [*sizes, 1])
    if isinstance(found, Difference):
        warnings.warn(
            f"export: with a length of 1 on the batch axis the model computes otherwise, and the file does not: "
            f"{found.user} {found.what}",
            stacklevel=4,
        )


def _sizes(examples: Sequence[Tensor], axes: dict[int, int]) -> list[int]:
    """Return the example's length of the batch, then others."""
    lengths = {examples[i].shape[a] for i, a in axes.items()}
    if len(lengths) != 1:
        raise ValueError(f"export: the inputs are equally long on their batch axes; got {sorted(lengths)}")
    (size,) = lengths
    return [size, *[n for n in SIZES if n != size][:3]]


def _check_inputs(run: _Run, names: Sequence[str]) -> None:
    """Refuse an input whose values were read and are in no node; warn of one that nothing takes."""
    taken = {x for step in kept(run.trace, [run.trace.name(y) for _, y in run.results]) for x in step.inputs}
    taken |= {run.trace.name(y) for _, y in run.results}
    for name in names:
        if name not in taken and name in run.trace.read:
            raise NotImplementedError(
                f"export: the values of {name} are read by {run.trace.read[name]} and would stay the example's: what "
                "they decide has no counterpart in ONNX here"
            )
        if name not in taken:
            warnings.warn(f"export: no node of the file takes {name}", stacklevel=4)


def _warn(run: _Run) -> None:
    for where in dict.fromkeys(run.trace.decided):
        warnings.warn(
            f"export: the example's value was read by {where}: what Python decides by it holds for every input of the "
            "file",
            stacklevel=3,
        )
    for name, y in run.results:
        if not run.trace.traced(y):
            warnings.warn(f"export: the result {name} depends on no input: the file holds it as it is", stacklevel=3)


def _lengths(shapes: Sequence[Sequence[int]], sizes: Sequence[int]) -> list[Any]:
    """Return an axis's length, "batch" where it is the batch's, None where it is neither."""
    lengths: list[Any] = []
    for each in zip(*shapes, strict=True):
        rule = affine(each[: len(sizes)], sizes) if len(sizes) > 1 else None
        follows = rule is not None and rule.slope == 1 and not rule.start and len(set(each[len(sizes) :])) < 2
        lengths.append(each[0] if len(set(each)) == 1 else "batch" if follows else None)
    return lengths


def _write(
    onnx: Any,
    model: Layer,
    examples: Sequence[Tensor],
    names: Sequence[str],
    run: _Run,
    checked: list[_Run],
    batch: _Batch | None,
    path: Path,
) -> Path:
    axes = batch.axes if batch is not None else {}
    shapes: list[list[Any]] = [list(x.shape) for x in examples]
    for i, axis in axes.items():
        shapes[i][axis] = "batch"
    runs = [*(batch.runs if batch is not None else [run]), *checked]
    sizes = batch.sizes if batch is not None else [0]
    outputs = []
    for k, (name, y) in enumerate(run.results):
        if name in names:
            raise ValueError(f"export: {name!r} is the name of an input and of a result: choose others by names=")
        lengths = _lengths([r.results[k][1].shape for r in runs], sizes)
        outputs.append((name, run.trace.name(y), y.dtype, lengths))
    proto = build(
        onnx,
        run.trace,
        batch.plan if batch is not None else {},
        type(model).__name__,
        [(n, x.dtype, s) for n, x, s in zip(names, examples, shapes, strict=True)],
        outputs,
        next(((names[i], axis) for i, axis in axes.items()), None),
        OPSET,
    )
    large = proto.ByteSize() > LARGE
    if large:
        path.with_name(path.name + ".data").unlink(missing_ok=True)
        onnx.save(proto, path, save_as_external_data=True, location=path.name + ".data")
        onnx.checker.check_model(str(path))
    else:
        onnx.checker.check_model(proto, full_check=True)
        onnx.save(proto, path)
    return path
