"""Parity: normalisation."""

from __future__ import annotations

import pytest

from minitensor.ops import normalisation
from tests.minitensor.parity.oracle import agree, normal, torch

F = torch.nn.functional
pytestmark = pytest.mark.parity


@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize("eps", [1e-5, 1e-2])
def test_layer_norm(axes, eps):
    x = normal(3, 4, 5)
    shape = x.shape[-axes:]
    agree(
        lambda x, w, b: normalisation.layer_norm(x, w, b, axes=axes, eps=eps),
        lambda x, w, b: F.layer_norm(x, shape, w, b, eps),
        x, normal(*shape), normal(*shape),
    )  # fmt: skip
    agree(lambda x: normalisation.layer_norm(x, axes=axes, eps=eps), lambda x: F.layer_norm(x, shape, eps=eps), x)


@pytest.mark.parametrize("x_shape", [(8, 3), (2, 3, 5), (4, 3, 3, 2)])
@pytest.mark.parametrize("eps", [1e-5, 1e-2])
def test_batch_norm(x_shape, eps):
    arrays = normal(*x_shape), normal(3), normal(3)
    agree(
        lambda x, w, b: normalisation.batch_norm(x, w, b, eps=eps)[0],
        lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True, eps=eps),
        *arrays,
    )
