"""Parity: linalg."""

from __future__ import annotations

import numpy as np
import pytest

import minitensor as mt
from minitensor.ops.linalg import matmul as linalg
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


def test_einsum_broadcasts_axes_of_length_1():
    for subscripts, *shapes in (
        ("...i,...i->...", (1, 3), (2, 3)),
        ("...ij,...jk->...ik", (2, 1, 2, 3), (4, 3, 1)),
        ("ij,j->i", (2, 1), (3,)),
        ("ii,i->i", (1, 1), (3,)),
        ("ij,jk,kl->il", (2, 3), (1, 2), (2, 1)),
        ("i,i->i", (0,), (1,)),
    ):
        agree(
            lambda *xs, s=subscripts: mt.einsum(s, *xs),
            lambda *xs, s=subscripts: torch.einsum(s, *xs),
            *(normal(*s) for s in shapes),
        )


@pytest.mark.parametrize(
    ("a", "b"), [((3,), (3,)), ((3,), (2, 3, 4)), ((2, 4, 3), (3,)), ((2, 1, 4, 3), (5, 3, 2)), ((4, 3), (3, 2))]
)
def test_matmul(a, b):
    agree(mt.matmul, torch.matmul, normal(*a), normal(*b))


def test_linear():
    agree(linalg.linear, F.linear, normal(2, 3, 4), normal(5, 4), normal(5))
    agree(linalg.linear, F.linear, normal(4), normal(5, 4))
