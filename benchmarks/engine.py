"""The engine and its kernels: each attached kernel beside its composite, and beside PyTorch where that is installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

import minitensor as mt
from benchmarks.timing import Timing, interleaved

try:
    import torch
except ImportError:
    torch = None


class Case(NamedTuple):
    """One function of arrays, forward and backward, in both engines."""

    name: str
    arrays: tuple[np.ndarray[Any, Any], ...]
    ours: Callable[..., Any]
    theirs: Callable[..., Any]


def cases() -> Iterator[Case]:
    """The shapes of the demo's encoder, batch 64."""
    rng = np.random.default_rng(0)

    def normal(*shape: int) -> np.ndarray[Any, Any]:
        return rng.standard_normal(shape).astype(np.float32)

    f = mt.nn.functional
    for c, o, size, stride in ((3, 32, 32, 1), (32, 64, 16, 1), (64, 128, 8, 1), (64, 64, 32, 1), (64, 64, 32, 2)):
        yield Case(
            f"conv2d 3x3 {c}->{o} @{size} stride {stride}",
            (normal(64, c, size, size), normal(o, c, 3, 3), normal(o)),
            lambda x, w, b, s=stride: f.conv2d(x, w, b, stride=s, padding=1),
            lambda x, w, b, s=stride: torch.nn.functional.conv2d(x, w, b, stride=s, padding=1),
        )
    yield Case(
        "max_pool2d 2x2 64 @32",
        (normal(64, 64, 32, 32),),
        lambda x: f.max_pool2d(x, 2),
        lambda x: torch.nn.functional.max_pool2d(x, 2),
    )
    yield Case(
        "avg_pool2d 2x2 64 @32",
        (normal(64, 64, 32, 32),),
        lambda x: f.avg_pool2d(x, 2),
        lambda x: torch.nn.functional.avg_pool2d(x, 2),
    )
    yield Case(
        "batch_norm 64 @32",
        (normal(64, 64, 32, 32), normal(64), normal(64)),
        lambda x, w, b: mt.ops.normalisation.batch_norm(x, w, b)[0],
        lambda x, w, b: torch.nn.functional.batch_norm(x, None, None, w, b, training=True),
    )
    yield Case(
        "linear 2048x256 -> 256",
        (normal(2048, 256), normal(256, 256), normal(256)),
        lambda x, w, b: f.linear(x, w, b),
        lambda x, w, b: torch.nn.functional.linear(x, w, b),
    )
    yield Case(
        "gelu 4096x768",
        (normal(4096, 768),),
        lambda x: f.gelu(x),
        lambda x: torch.nn.functional.gelu(x),
    )
    yield Case(
        "layer_norm 4096x192",
        (normal(4096, 192), normal(192), normal(192)),
        lambda x, w, b: f.layer_norm(x, (192,), w, b),
        lambda x, w, b: torch.nn.functional.layer_norm(x, (192,), w, b),
    )
    yield Case(
        "attention 64x3, 64 tokens of 64",
        tuple(normal(64, 3, 64, 64) for _ in range(3)),
        lambda q, k, v: f.scaled_dot_product_attention(q, k, v),
        lambda q, k, v: torch.nn.functional.scaled_dot_product_attention(q, k, v),
    )
    for name in ("softmax", "log_softmax"):
        yield Case(
            f"{name} 12288x64, squared",
            (normal(12288, 64),),
            lambda x, n=name: getattr(f, n)(x, -1) ** 2,
            lambda x, n=name: getattr(torch.nn.functional, n)(x, -1) ** 2,
        )
    classes = rng.integers(0, 1000, 512)
    for smoothing in (0.0, 0.1):
        yield Case(
            f"cross_entropy 512x1000, smoothing {smoothing}",
            (normal(512, 1000),),
            lambda x, s=smoothing: f.cross_entropy(x, mt.Tensor(classes), label_smoothing=s),
            lambda x, s=smoothing: torch.nn.functional.cross_entropy(x, torch.tensor(classes), label_smoothing=s),
        )
    yield from recurrent_cases(normal)


def recurrent_cases(normal: Callable[..., np.ndarray[Any, Any]]) -> Iterator[Case]:
    """One recurrent layer: 64 steps, batch 32, 256 -> 256."""
    linear, walks = mt.nn.functional.linear, mt.ops.recurrent

    def lstm(x: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any) -> Any:
        zeros = mt.zeros((32, 256))
        return walks.lstm_walk(linear(x, w_ih, b_ih + b_hh), w_hh, zeros, zeros)[0]

    def gru(x: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any) -> Any:
        return walks.gru_walk(linear(x, w_ih, b_ih), w_hh, mt.zeros((32, 256)), b_hh)[0]

    def rnn_tanh(x: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any) -> Any:
        return walks.rnn_walk(linear(x, w_ih, b_ih + b_hh), w_hh, mt.zeros((32, 256)))[0]

    def theirs(x: Any, *weights: Any, name: str) -> Any:
        h = torch.zeros(1, 32, 256)
        first = (h, h) if name == "lstm" else h
        return getattr(torch, name)(x, first, weights, True, 1, 0.0, True, False, False)[0]

    for ours, gates in ((lstm, 4), (gru, 3), (rnn_tanh, 1)):
        rows, name = gates * 256, ours.__name__
        yield Case(
            f"{name} 64 steps, 32x256 -> 256",
            (normal(64, 32, 256), *(normal(*s) / 16 for s in ((rows, 256), (rows, 256), (rows,), (rows,)))),
            ours,
            lambda *arrays, n=name: theirs(*arrays, name=n),
        )


def forward_backward(case: Case) -> dict[str, Callable[[], list[Any]]]:
    """Return for each engine a call that computes the value and all gradients, and gives them back as arrays."""
    ours = [mt.Tensor(a, requires_grad=True) for a in case.arrays]

    def kernel() -> list[Any]:
        y = case.ours(*ours)
        return [y.numpy(), *(g.numpy() for g in mt.grad(y, ours, mt.ones_like(y)))]

    def composite() -> list[Any]:
        with mt.unfused():
            return kernel()

    calls = {"kernel": kernel, "composite": composite}
    if torch is not None:
        theirs = [torch.tensor(a, requires_grad=True) for a in case.arrays]

        def reference() -> list[Any]:
            y = case.theirs(*theirs)
            return [y.detach().numpy(), *(g.numpy() for g in torch.autograd.grad(y, theirs, torch.ones_like(y)))]

        calls["torch"] = reference
    return calls


def kernels() -> None:
    """Print forward + backward of each case, after checking that all sides computed the same numbers."""
    print(
        f"{'forward + backward, float32, ms':34} {'kernel':>34} {'composite':>34} {'torch':>34}"
        "  kernel/composite  kernel/torch"
    )
    for case in cases():
        calls = forward_backward(case)
        results = {name: call() for name, call in calls.items()}
        for other in results.values():
            for a, b in zip(results["kernel"], other, strict=True):
                scale = np.abs(b).max()
                assert np.abs(a - b).max() <= 2e-4 * scale, f"{case.name}: the sides disagree"
        t = interleaved(calls)
        ratio = f"{t['kernel'].median / t['torch'].median:12.2f}" if "torch" in t else ""
        reference: Timing | str = t.get("torch", "")
        print(
            f"{case.name:34} {t['kernel']!s:>34} {t['composite']!s:>34} {reference!s:>34}"
            f"  {t['kernel'].median / t['composite'].median:16.2f}  {ratio}"
        )


def overhead() -> None:
    """Print the cost of one small op: 8 elements, where the arithmetic is nothing and the call is all."""
    x = mt.Tensor(np.ones(8, np.float32), requires_grad=True)
    z = mt.Tensor(np.ones(8, np.float32))
    a = np.ones(8, np.float32)

    def chain(x: Any, z: Any) -> Any:
        for _ in range(100):
            x = x + z
        return x

    calls: dict[str, Callable[[], object]] = {
        "numpy": lambda: chain(a, a),
        "ours, not recorded": lambda: chain(z, z),
        "ours, recorded": lambda: chain(x, z),
        "ours, and backward": lambda: chain(x, z).sum().backward(),
    }
    if torch is not None:
        p, q = torch.ones(8, requires_grad=True), torch.ones(8)
        calls["torch, recorded"] = lambda: chain(p, q)
        calls["torch, and backward"] = lambda: chain(p, q).sum().backward()
    print(f"\n{'one of 100 chained additions of 8 elements, µs':48}")
    for name, t in interleaved(calls).items():
        print(f"{name:48} {t.median * 10:7.2f} ({t.low * 10:.2f} to {t.high * 10:.2f})")
