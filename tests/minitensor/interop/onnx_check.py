"""What the tests of ONNX export share: a file beside its model, on the example, on other inputs, on other batches."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import minitensor as mt
from minitensor import nn
from minitensor.interop.onnx import export

runtime = pytest.importorskip("onnxruntime")
runtime.set_default_logger_severity(4)
BATCHES = (1, 7)


class Call(nn.Layer):
    """A function as a model."""

    def __init__(self, function: Any) -> None:
        self.function = function

    def forward(self, *xs: mt.Tensor) -> Any:
        return self.function(*xs)


class Found(NamedTuple):
    """What a check found: what was said, and whether the batch is free."""

    said: list[str]
    free: bool


def tensors(result: Any) -> list[mt.Tensor]:
    values = result.values() if isinstance(result, dict) else result
    return [result] if isinstance(result, mt.Tensor) else [t for v in values if v is not None for t in tensors(v)]


def agree(session: Any, model: nn.Layer, xs: Sequence[mt.Tensor], tolerance: float) -> None:
    """The file's results are the model's: shapes, dtypes, and values to a tolerance of the largest."""
    found = session.run(None, {i.name: x.numpy() for i, x in zip(session.get_inputs(), xs, strict=True)})
    with mt.no_grad():
        expected = tensors(model(*xs))
    assert len(found) == len(expected)
    for a, t in zip(found, expected, strict=True):
        b = t.numpy()
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        scale = float(np.abs(b[np.isfinite(b)]).max(initial=0)) if b.dtype.kind == "f" else 0
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * (1 + scale) * (b.dtype.kind == "f"))


def others(xs: Sequence[mt.Tensor]) -> Iterator[tuple[mt.Tensor, ...]]:
    """Other values within the bounds of the example's: in another order, and a little larger."""
    yield tuple(mt.Tensor(np.array(x.numpy().reshape(-1)[::-1].reshape(x.shape))) for x in xs)
    rng = np.random.default_rng(5)
    yield tuple(
        mt.Tensor((x.numpy() * (1 + 0.01 * rng.random(x.shape))).astype(x.dtype)) if x.dtype.kind == "f" else x
        for x in xs
    )


def _taken(model: nn.Layer, xs: Sequence[mt.Tensor]) -> bool:
    """Whether the model itself takes these values."""
    try:
        with mt.no_grad():
            model(*xs)
    except (ValueError, IndexError, ZeroDivisionError, np.linalg.LinAlgError):
        return False
    return True


def longer(xs: Sequence[mt.Tensor], axes: dict[int, int], size: int) -> list[mt.Tensor]:
    """The inputs with so many entries on their batch axes, over and over again."""
    found = []
    for i, x in enumerate(xs):
        if i in axes and not (n := x.shape[axes[i]]):
            x = mt.zeros([size if k == axes[i] else n for k, n in enumerate(x.shape)], dtype=x.dtype)
        elif i in axes:
            x = mt.Tensor(x.numpy().take(np.arange(size) % n, axis=axes[i]))
        found.append(x)
    return found


def check(model: nn.Layer, xs: Sequence[mt.Tensor], path: Path, *, tolerance: float = 1e-5, axes: Any = 0) -> Found:
    """Export, and hold the file to the model on the example, two other inputs and two other batches."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        export(model, tuple(xs), path, batch_axis=axes)
    said = [str(w.message) for w in caught if str(w.message).startswith("export:")]
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    model.eval()
    agree(session, model, xs, tolerance)
    for other in others(xs):
        if _taken(model, other):
            agree(session, model, other, tolerance)
    free = {i: v.shape.index("batch") for i, v in enumerate(session.get_inputs()) if "batch" in v.shape}
    alone = any("with a length of 1" in text for text in said)
    for size in BATCHES if free else ():
        batch = longer(xs, free, size)
        if not (size == 1 and alone) and _taken(model, batch):
            agree(session, model, batch, tolerance)
    return Found(said, bool(free))
