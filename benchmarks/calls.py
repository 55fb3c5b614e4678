"""What is no function of arrays alone: the optimizer's step, dropout with its draws, the price of a small call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import minitensor as mt
from benchmarks.timing import Timing, interleaved
from minitensor.engine import Sweep
from minitensor.graph import place

Array = np.ndarray[Any, Any]


def optimizer() -> dict[str, Timing]:
    """Time AdamW and a moving average of 5 M parameters in 150 tensors, after checking that both did the same."""
    rng = np.random.default_rng(0)
    sizes = [(192, 192)] * 140 + [(192,)] * 10
    start = [rng.standard_normal(s).astype(np.float32) for s in sizes]
    gradients = [rng.standard_normal(s).astype(np.float32) for s in sizes]

    class Weights(mt.nn.Layer):
        def __init__(self) -> None:
            for k, a in enumerate(start):
                setattr(self, f"w{k}", mt.nn.Parameter(a.copy()))

    source, target = Weights(), Weights()
    average, step = mt.optim.EMA(target, source), mt.optim.AdamW(source.parameters(), lr=1e-3)
    for p, g in zip(source.parameters(), gradients, strict=True):
        p.grad = mt.Tensor(g)

    def ours() -> None:
        step.step()
        average.update(0.996)

    ours()
    sides: dict[str, Callable[[], None]] = {"ours": ours}
    for name, fused in (("torch", None), ("torch, fused", True)):
        theirs = [torch.tensor(a, requires_grad=True) for a in start]
        followers = [p.detach().clone() for p in theirs]
        adam = torch.optim.AdamW(theirs, lr=1e-3, fused=fused)
        for p, g in zip(theirs, gradients, strict=True):
            p.grad = torch.tensor(g)

        def both(adam: Any = adam, followers: Any = followers, theirs: Any = theirs) -> None:
            adam.step()
            torch._foreach_lerp_(followers, [p.detach() for p in theirs], 0.004)

        both()
        for mine, p in ((source, theirs), (target, followers)):
            for a, b in zip(mine.parameters(), p, strict=True):
                np.testing.assert_allclose(a.numpy(), b.detach().numpy(), rtol=0, atol=1e-6)
        sides[name] = both
    return interleaved(sides)


def dropout() -> dict[str, Timing]:
    """Time dropout of a share 0.1, whose draws differ: each side keeps that share, scaled, in both directions."""
    a = np.ones((4096, 768), np.float32)
    x, p = mt.Tensor(a, requires_grad=True), torch.ones(a.shape, requires_grad=True)
    seed = torch.ones(a.shape)

    def ours() -> list[Array]:
        y = mt.nn.functional.dropout(x, 0.1)
        return [y.numpy(), Sweep(False, False, {x}).run([(place(y), a)])[x]]

    def theirs() -> list[Array]:
        y = torch.nn.functional.dropout(p, 0.1)
        return [y.detach().numpy(), torch.autograd.grad(y, p, seed)[0].numpy()]

    for side in (ours, theirs):
        y, d = side()
        assert np.array_equal(y, d) and np.allclose(np.unique(y), [0, 1 / 0.9]) and abs((y > 0).mean() - 0.9) < 1e-3
    return interleaved({"ours": ours, "torch": theirs})


def overhead() -> dict[str, Timing]:
    """Time 100 chained additions of 8 elements, where the arithmetic is nothing and the call is all."""
    x, z = mt.Tensor(np.ones(8, np.float32), requires_grad=True), mt.Tensor(np.ones(8, np.float32))
    p, q = torch.ones(8, requires_grad=True), torch.ones(8)
    a = np.ones(8, np.float32)

    def chain(x: Any, z: Any) -> Any:
        for _ in range(100):
            x = x + z
        return x

    return interleaved(
        {
            "numpy": lambda: chain(a, a),
            "ours": lambda: chain(x, z),
            "ours, backward too": lambda: chain(x, z).sum().backward(),
            "torch": lambda: chain(p, q),
            "torch, backward too": lambda: chain(p, q).sum().backward(),
        }
    )
