"""Parity: second order."""

from __future__ import annotations

import numpy as np
import pytest

import minitensor as mt
from minitensor.ops import loss
from minitensor.ops.nn import activation, attention, normalization
from minitensor.ops.windows import convolution, max_pooling
from tests.minitensor.parity.oracle import normal, torch

F = torch.nn.functional
pytestmark = pytest.mark.parity


def test_second_gradients():
    """Hessian-vector products of a small network: convolution, normalization, GELU, attention, cross-entropy."""
    x, w, m = normal(2, 2, 4, 4), normal(3, 2, 3, 3), normal(3, 5)
    target = np.array([1, 4])

    def ours(x, w, m):
        h = activation.gelu(convolution.conv2d(x, w, padding=1))
        h = normalization.layer_norm(max_pooling.max_pool2d(h, kernel_size=2).reshape(2, 3, 4).swapaxes(1, 2))
        h = attention.scaled_dot_product_attention(h, h, h)
        return loss.cross_entropy(mt.mean(h, axis=1) @ m, mt.Tensor(target))

    def theirs(x, w, m):
        h = F.max_pool2d(F.gelu(F.conv2d(x, w, padding=1)), 2).reshape(2, 3, 4).swapaxes(1, 2)
        h = F.layer_norm(h, (3,))
        h = F.scaled_dot_product_attention(h, h, h)
        return F.cross_entropy(h.mean(1) @ m, torch.tensor(target))

    xs = [mt.Tensor(a, requires_grad=True) for a in (x, w, m)]
    ts = [torch.tensor(a, requires_grad=True) for a in (x, w, m)]
    gx = mt.grad(ours(*xs), xs, create_graph=True)
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        gt = torch.autograd.grad(theirs(*ts), ts, create_graph=True)
    for g, t in zip(gx, gt, strict=True):
        np.testing.assert_allclose(g.numpy(), t.detach().numpy(), atol=1e-10)
    hx = mt.grad(sum((g * g).sum() for g in gx), xs)
    ht = torch.autograd.grad(sum((g * g).sum() for g in gt), ts)
    for g, t in zip(hx, ht, strict=True):
        np.testing.assert_allclose(g.numpy(), t.numpy(), atol=1e-9)
