"""Parity: linalg."""

from __future__ import annotations

import numpy as np
import pytest

import minitensor as mt
from minitensor.ops import linalg
from tests.minitensor.parity.oracle import agree, normal, torch

F = torch.nn.functional
pytestmark = pytest.mark.parity


def test_einsum_random_subscripts():
    generator = np.random.default_rng(7)
    for _ in range(60):
        size = dict(zip("abcde", generator.integers(1, 4, 5), strict=True))
        terms = [
            "".join(generator.choice(list("abcde"), generator.integers(0, 4))) for _ in range(generator.integers(1, 4))
        ]
        letters = sorted(set("".join(terms)))
        out = "".join(generator.permutation(letters)[: generator.integers(0, len(letters) + 1)]) if letters else ""
        subscripts = f"{','.join(terms)}->{out}"
        xs = [normal(*(size[c] for c in t)) for t in terms]
        agree(
            lambda *xs, s=subscripts: linalg.einsum(*xs, subscripts=s),
            lambda *xs, s=subscripts: torch.einsum(s, *xs),
            *xs,
        )


@pytest.mark.parametrize(
    ("a", "b"), [((3,), (3,)), ((3,), (2, 3, 4)), ((2, 4, 3), (3,)), ((2, 1, 4, 3), (5, 3, 2)), ((4, 3), (3, 2))]
)
def test_matmul(a, b):
    agree(mt.matmul, torch.matmul, normal(*a), normal(*b))


def test_linear():
    agree(linalg.linear, F.linear, normal(2, 3, 4), normal(5, 4), normal(5))
    agree(linalg.linear, F.linear, normal(4), normal(5, 4))
