"""The norms' kernels beside their composites: over several blocks, and where mean(x²) - mean² would lose its digits."""

import numpy as np
import pytest

import minitensor as mt
from minitensor.kernels.cpu import layer_norm as rows
from minitensor.kernels.cpu import normalization as places

F = mt.nn.functional
NORMS = {
    "layer": lambda x, w, b: F.layer_norm(x, x.shape[1:], w, b),
    "layer, plain": lambda x, w, b: F.layer_norm(x, x.shape[1:]),
    "batch": lambda x, w, b: mt.ops.nn.normalization.batch_norm(x, w, b),
    "group": lambda x, w, b: mt.ops.nn.normalization.group_norm(x, w, b, groups=2),
    "instance": lambda x, w, b: mt.ops.nn.normalization.group_norm(x, w, None, groups=x.shape[1]),
}
SHAPES = {"layer": [(37, 6), (5, 3, 4)], "layer, plain": [(37, 6)]}
IMAGES = [(7, 6, 5, 3), (9, 6), (2, 6, 11), (1, 6, 4, 4)]
TABLE = [(name, shape) for name in NORMS for shape in SHAPES.get(name, IMAGES)]


def results(name, x, generator):
    """Return values and gradients; those of the statistics too, where there are some."""
    features = x.shape[1:] if "layer" in name else x.shape[1:2]
    arrays = [x, *(generator.standard_normal(features).astype(x.dtype) for _ in range(2))]
    tensors = [mt.Tensor(a, requires_grad=True) for a in arrays]
    found = NORMS[name](*tensors)
    found = found if isinstance(found, tuple) else (found,)
    upstream = [mt.Tensor(generator.standard_normal(y.shape).astype(x.dtype)) for y in found]
    total = sum((y * u).sum() for y, u in zip(found, upstream, strict=True))
    gradients = mt.grad(total, tensors, allow_unused=True)
    return [y.numpy() for y in (*found, *(g for g in gradients if g is not None))]


@pytest.mark.parametrize(("name", "shape"), TABLE)
@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_blocks_of_any_size(name, shape, offset, monkeypatch):
    """Blocks of 1 to 1000 entries give what the composite gives, to float64's rounding of the offset."""
    x = np.random.default_rng(0).standard_normal(shape) + offset
    with mt.unfused():
        expected = results(name, x, np.random.default_rng(1))
    for block in (1, 20, 64, 1000):
        monkeypatch.setattr(rows, "BLOCK", block)
        monkeypatch.setattr(places, "BLOCK", block)
        for a, b in zip(results(name, x, np.random.default_rng(1)), expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-12 * max(1, offset) * np.abs(b).max())


@pytest.mark.parametrize("name", NORMS)
@pytest.mark.parametrize("offset", [0.0, 1.5, 10.0, 1e4])
def test_large_means_in_float32(name, offset):
    """Beside float64 the error is that of rounding x itself: 2⁻²⁴ of the offset, in units of σ = 1."""
    shape = (64, 300) if "layer" in name else (8, 6, 20, 20)
    x = (np.random.default_rng(0).standard_normal(shape) + offset).astype("float32")
    wide = results(name, x.astype("float64"), np.random.default_rng(1))
    for a, b in zip(results(name, x, np.random.default_rng(1)), wide, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=(3e-6 + 3e-7 * offset) * np.abs(b).max())


@pytest.mark.parametrize("name", NORMS)
@pytest.mark.parametrize("value", [0.0, 1e3, 0.1])
def test_constant_input(name, value):
    """Of a variance of 0 there is nothing to divide by but √eps; y is the bias, and nothing is NaN."""
    x = np.full((40, 6) if "layer" in name else (4, 6, 5, 5), value, "float32")
    for y in results(name, x, np.random.default_rng(0)):
        assert np.isfinite(y).all()
    y = NORMS[name](mt.Tensor(x), *[mt.zeros(6)] * 2)
    assert np.abs((y[0] if isinstance(y, tuple) else y).numpy()).max() < 1e-6
