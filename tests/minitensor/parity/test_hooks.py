"""Hooks run as often as PyTorch's, and see and change the same gradients: with `checkpoint`, `backward` and `grad`."""

from typing import Any

import numpy as np
import pytest

import minitensor as mt

torch = pytest.importorskip("torch")
from torch.utils.checkpoint import checkpoint as torch_checkpoint  # noqa: E402

pytestmark = pytest.mark.parity


def ours(f: Any, *args: Any) -> Any:
    return mt.checkpoint(f, *args)


def theirs(f: Any, *args: Any) -> Any:
    return torch_checkpoint(f, *args, use_reentrant=False)


class Side:
    """One of the two engines, with the same random program: leaves, hooks, nested checkpoints."""

    def __init__(self, seed: int, tensor: Any, checkpoint: Any) -> None:
        self.rng = np.random.default_rng(seed)
        self.checkpoint, self.seen = checkpoint, []
        self.leaves = [tensor(self.rng.standard_normal(2)) for _ in range(3)]
        for i, leaf in enumerate(self.leaves):
            self.hook(f"leaf {i}", leaf)

    def hook(self, name: str, x: Any) -> Any:
        """Put a hook there, or none; it notes what it sees, and may change it."""
        kind = self.rng.integers(3)
        if kind:
            x.register_hook(lambda g: self.seen.append((name, g.tolist())) or (g * 10 if kind == 2 else None))
        return x

    def block(self, depth: int, choice: int) -> Any:
        """Return a function of one Tensor that reaches leaves by itself, with a hook inside."""
        a, b = self.leaves[choice % 3], self.leaves[(choice + 1) % 3]
        inner = self.block(depth - 1, choice + 1) if depth else lambda x: x
        changes = choice % 2

        def f(x: Any) -> Any:
            h = x * a
            h.register_hook(lambda g: self.seen.append((f"inside {depth}", g.tolist())) or (g * 3 if changes else None))
            h = self.checkpoint(inner, h) if choice % 3 else inner(h)
            return h * b + x

        return f

    def program(self) -> Any:
        x = self.leaves[0] * self.leaves[1]
        self.hook("start", x)
        for i in range(2):
            depth, choice = (int(v) for v in self.rng.integers(0, 3, 2))
            x = self.hook(f"between {i}", self.checkpoint(self.block(depth, choice), x))
        return (x * x).sum()


@pytest.mark.parametrize("how", ["backward", "grad", "grad of one", "again"])
@pytest.mark.parametrize("seed", range(12))
def test_random_programs(seed: int, how: str) -> None:
    a = Side(seed, lambda v: mt.Tensor(v, requires_grad=True), ours)
    b = Side(seed, lambda v: torch.tensor(v, requires_grad=True), theirs)
    for side, grad in ((a, mt.grad), (b, torch.autograd.grad)):
        y = side.program()
        if how.startswith("grad"):
            wanted = side.leaves[:1] if how == "grad of one" else side.leaves
            side.found = grad(y, wanted, allow_unused=True)
        else:
            y.backward(retain_graph=how == "again")
            if how == "again":
                y.backward()
            side.found = [leaf.grad for leaf in side.leaves]
    for g, h in zip(a.found, b.found, strict=True):
        assert (g is None) == (h is None)
        if g is not None:
            np.testing.assert_allclose(g.numpy(), h.numpy(), rtol=1e-12)
    assert len(a.seen) == len(b.seen)
    key = lambda entry: (entry[0], [round(v, 9) for v in entry[1]])  # noqa: E731
    for (name, g), (other, h) in zip(sorted(a.seen, key=key), sorted(b.seen, key=key), strict=True):
        assert name == other
        np.testing.assert_allclose(g, h, rtol=1e-12)
