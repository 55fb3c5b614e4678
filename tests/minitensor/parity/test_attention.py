"""Parity: attention."""

from __future__ import annotations

import numpy as np
import pytest

from minitensor.ops import attention
from tests.minitensor.parity.oracle import agree, normal, rng, torch

F = torch.nn.functional
pytestmark = pytest.mark.parity


@pytest.mark.parametrize("mask", ["none", "bool", "float", "floor", "row", "floor row", "broadcast"])
@pytest.mark.parametrize("lead", [(), (2,), (2, 3)])
@pytest.mark.parametrize("scale", [None, 0.7])
def test_attention(mask, lead, scale):
    q, k, v = normal(*lead, 4, 3), normal(*lead, 5, 3), normal(*lead, 5, 2)
    allowed = rng.random((4, 5)) > 0.4
    allowed[:, 0] = True
    masks = {
        "none": None,
        "bool": allowed,
        "float": normal(4, 5),
        "floor": np.where(allowed, 0.0, -np.inf),
        "row": np.concatenate([allowed[:3], np.zeros((1, 5), bool)]),
        "floor row": np.concatenate([np.where(allowed[:3], 0.0, -np.inf), np.full((1, 5), -np.inf)]),
        "broadcast": allowed[:1],
    }
    m = masks[mask]

    def ours(q, k, v, m=None):
        return attention.scaled_dot_product_attention(q, k, v, m, scale=scale)

    def theirs(q, k, v, m=None):
        return F.scaled_dot_product_attention(q, k, v, m, scale=scale)

    if mask == "float":
        agree(ours, theirs, q, k, v, m)  # the mask's gradient too
    else:
        fixed = None if m is None else torch.tensor(m)
        agree(lambda q, k, v: ours(q, k, v, m), lambda q, k, v: theirs(q, k, v, fixed), q, k, v)
