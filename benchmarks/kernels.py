"""Forward and backward of single functions: each kernel beside its composite and beside PyTorch in both its layouts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch

import minitensor as mt
from benchmarks.timing import Timing, interleaved
from minitensor.engine import Sweep
from minitensor.graph import place
from minitensor.threads import together

walks = mt.ops.nn.recurrent
F, T = mt.nn.functional, torch.nn.functional
TOLERANCE = 2e-4  # of the largest entry, in float32
TIMES = 5  # calls that a team of threads is started for: in a training step, hundreds
PRODUCT, CHEAP = (1.0, 1.0), (2.0, 3.0)  # goals where the products are the work, and where memory is
Array = np.ndarray[Any, Any]


class Case(NamedTuple):
    """One function of arrays in both engines; `goals` are the ratios to PyTorch's best that are aimed at."""

    name: str
    arrays: tuple[Array, ...]
    ours: Callable[..., Any]
    theirs: Callable[..., Any]
    goals: tuple[float, float]  # with one thread and with two
    batched: int = 1  # so many arguments are cut along their first axis where several threads take a part each
    needs: tuple[int, ...] = ()  # arguments whose gradients are taken; empty: of all


def cases() -> Iterator[Case]:
    """Batch 64; convolutions and norms of 32x32 pixels where nothing else is said."""
    rng = np.random.default_rng(0)

    def normal(*shape: int) -> Array:
        return rng.standard_normal(shape).astype(np.float32)

    for c, o, size, kernel, stride, groups, goal in (
        (64, 64, 32, 3, 1, 1, 1.0),
        (128, 128, 16, 3, 1, 1, 1.0),
        (512, 512, 4, 3, 1, 1, 1.0),
        (32, 64, 16, 3, 1, 1, 1.4),
        (3, 64, 32, 3, 1, 1, 1.4),
        (64, 128, 32, 3, 2, 1, 1.4),
        (64, 64, 32, 1, 1, 1, 1.4),
        (64, 64, 32, 7, 1, 64, 6.0),
    ):
        kind = "depthwise " if groups > 1 else ""
        settings = {"stride": stride, "padding": kernel // 2, "groups": groups}
        yield Case(
            f"{kind}conv {kernel}x{kernel} {c}->{o} @{size}" + (f" stride {stride}" if stride > 1 else ""),
            (normal(64, c, size, size), normal(o, c // groups, kernel, kernel), normal(o)),
            lambda x, w, b, s=settings: F.conv2d(x, w, b, **s),
            lambda x, w, b, s=settings: T.conv2d(x, w, b, **s),
            (goal, goal),
            needs=(1, 2) if c == 3 else (),  # nobody asks for the gradient of images
        )
    images = normal(64, 64, 32, 32)
    yield Case("max_pool2d 2x2 64 @32", (images,), lambda x: F.max_pool2d(x, 2), lambda x: T.max_pool2d(x, 2), CHEAP)
    yield Case("avg_pool2d 2x2 64 @32", (images,), lambda x: F.avg_pool2d(x, 2), lambda x: T.avg_pool2d(x, 2), CHEAP)
    yield Case(
        "batch_norm 64 @32",
        (images, normal(64), normal(64)),
        lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True),
        lambda x, w, b: T.batch_norm(x, None, None, w, b, training=True),
        CHEAP,
    )
    yield Case(
        "group_norm 64 @32, 8 groups",
        (images, normal(64), normal(64)),
        lambda x, w, b: F.group_norm(x, 8, w, b),
        lambda x, w, b: T.group_norm(x, 8, w, b),
        CHEAP,
    )
    yield Case("relu 64 @32", (images,), mt.relu, torch.relu, CHEAP)
    matrices = normal(8192, 192), normal(768, 192), normal(768)
    yield Case("linear 8192x192 -> 768", matrices, F.linear, T.linear, PRODUCT)
    yield Case("matmul 1024^3", (normal(1024, 1024), normal(1024, 1024)), mt.matmul, torch.matmul, PRODUCT, 0)
    heads = tuple(normal(64, 3, 64, 64) for _ in range(3))
    attention = F.scaled_dot_product_attention, T.scaled_dot_product_attention
    yield Case("attention 64x3, 64 tokens of 64", heads, *attention, PRODUCT, 3)
    yield Case("gelu 4096x768", (normal(4096, 768),), F.gelu, T.gelu, CHEAP)
    yield Case("softmax 12288x64", (normal(12288, 64),), lambda x: F.softmax(x, -1), lambda x: T.softmax(x, -1), CHEAP)
    yield Case(
        "layer_norm 4096x192",
        (normal(4096, 192), normal(192), normal(192)),
        lambda x, w, b: F.layer_norm(x, (192,), w, b),
        lambda x, w, b: T.layer_norm(x, (192,), w, b),
        CHEAP,
    )
    classes = rng.integers(0, 1000, 512)
    yield Case(
        "cross_entropy 512x1000",
        (normal(512, 1000),),
        lambda x: F.cross_entropy(x, mt.Tensor(classes)),
        lambda x: T.cross_entropy(x, torch.tensor(classes)),
        CHEAP,
        0,
    )
    tokens = normal(4096, 192), normal(768, 192), normal(768)
    for name, f, t in (("relu", F.relu, T.relu), ("gelu", F.gelu, T.gelu)):  # bias and activation have no common kernel
        yield Case(
            f"linear and {name} 4096x192 -> 768",
            tokens,
            lambda x, w, b, f=f: f(F.linear(x, w, b)),
            lambda x, w, b, f=t: f(T.linear(x, w, b)),
            PRODUCT,
        )
    yield Case(
        "smooth_l1 2560x192",
        (normal(2560, 192), normal(2560, 192)),
        F.smooth_l1_loss,  # I-JEPA's
        T.smooth_l1_loss,
        CHEAP,
        0,
        (0,),
    )
    yield from recurrent_cases(normal)


def recurrent_cases(normal: Callable[..., Array]) -> Iterator[Case]:
    """One recurrent layer: 64 steps, batch 32, 256 -> 256."""

    def lstm(x: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any) -> Any:
        zeros = mt.zeros((32, 256))
        return walks.lstm_walk(F.linear(x, w_ih, b_ih + b_hh), w_hh, zeros, zeros)[0]

    def gru(x: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any) -> Any:
        return walks.gru_walk(F.linear(x, w_ih, b_ih), w_hh, mt.zeros((32, 256)), b_hh)[0]

    def rnn_tanh(x: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any) -> Any:
        return walks.rnn_walk(F.linear(x, w_ih, b_ih + b_hh), w_hh, mt.zeros((32, 256)))[0]

    def theirs(x: Any, *weights: Any, name: str) -> Any:
        h = torch.zeros(1, 32, 256)
        first = (h, h) if name == "lstm" else h
        return getattr(torch, name)(x, first, weights, True, 1, 0.0, True, False, False)[0]

    for name, gates in (("LSTMCell", 4), ("GRUCell", 3)):
        shapes = (32, 256), (32, 256), (gates * 256, 256), (gates * 256, 256), (gates * 256,), (gates * 256,)
        yield Case(
            f"{name} 32x256 -> 256",
            tuple(normal(*s) / 16 for s in shapes),
            lambda x, h, *weights, name=name: cell(mt, name, x, h, weights),
            lambda x, h, *weights, name=name: cell(torch, name, x, h, weights),
            (1.5, 1.5),
            0,
        )
    for ours, gates in ((lstm, 4), (gru, 3), (rnn_tanh, 1)):
        rows, name = gates * 256, ours.__name__
        yield Case(
            f"{name} 64 steps, 32x256 -> 256",
            (normal(64, 32, 256), *(normal(*s) / 16 for s in ((rows, 256), (rows, 256), (rows,), (rows,)))),
            ours,
            lambda *arrays, n=name: theirs(*arrays, name=n),
            (1.5, 1.5),
            0,
        )


def again(f: Callable[[], list[Any]], times: int) -> list[Any]:
    """Call f some times; the last result."""
    for _ in range(times - 1):
        f()
    return f()


def cell(library: Any, name: str, x: Any, h: Any, weights: Any) -> Any:
    """Run one step of a recurrent cell, the state also being the LSTM's c, and return h."""
    if library is torch:
        return torch.lstm_cell(x, (h, h), *weights)[0] if name == "LSTMCell" else torch.gru_cell(x, h, *weights)
    w_ih, w_hh, b_ih, b_hh = weights
    ours, theirs = F.linear(x, w_ih, b_ih), F.linear(h, w_hh, b_hh)
    return walks.lstm_step(ours + theirs, h)[0] if name == "LSTMCell" else walks.gru_step(ours, theirs, h)


def last(x: Array) -> Array:
    """Return the array with its channels last in memory, as convolutions here hand images on."""
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2) if x.ndim == 4 else x


def half(case: Case, given: list[Array], needs: tuple[int, ...], g: Array) -> list[Any]:
    """Return the value and the gradients of a batch, or of a part of one, as a training step computes them."""
    tensors = [mt.Tensor(a, requires_grad=k in needs) for k, a in enumerate(given)]
    y = case.ours(*tensors)
    keys = [tensors[k] for k in needs]
    found = Sweep(False, False, set(keys)).run([(place(y), g)])  # without the copies for users, as PyTorch
    return [y.numpy(), *(found[key] for key in keys)]


def joined(case: Case, needs: tuple[int, ...], parts: list[list[Any]]) -> list[Any]:
    """Return value and gradients of the whole from those of the parts."""
    sums = [k >= case.batched for k in needs]
    return [
        sum(each[1:], each[0]) if add else np.concatenate(each)
        for add, each in zip([False, *sums], zip(*parts, strict=True), strict=True)
    ]


def calls(case: Case, threads: int, times: int = 1) -> dict[str, Callable[[], list[Any]]]:
    """Return for each side what computes the value and the gradients some times over, and gives them back as arrays.

    With several threads each takes a part of the batch, as in a training step; BLAS threads take what has no batch.
    """
    needs = case.needs or tuple(range(len(case.arrays)))
    images = case.arrays[0].ndim == 4 and "attention" not in case.name
    given = [last(a) if images and k == 0 and 0 in needs else a for k, a in enumerate(case.arrays)]
    like = case.ours(*[mt.Tensor(a) for a in given]).numpy()
    seed = np.random.default_rng(1).standard_normal(like.shape or 1).astype(like.dtype).reshape(like.shape)
    g = last(seed) if images else seed
    n, count = len(given[0]), threads if case.batched else 1
    cuts = [slice(n * r // count, n * (r + 1) // count) for r in range(count)]
    parts = (
        [([a[cut] if k < case.batched else a for k, a in enumerate(given)], g[cut]) for cut in cuts]
        if count > 1
        else []
    )

    def kernel() -> list[Any]:
        if not parts:
            return again(lambda: half(case, given, needs, g), times)
        return together(lambda rank: again(lambda: half(case, parts[rank][0], needs, parts[rank][1]), times), count)

    def composite() -> list[Any]:
        with mt.unfused():
            return again(lambda: half(case, given, needs, g), times)

    sides = {"ours": kernel, "composite": composite}
    formats = {"torch": torch.contiguous_format} | ({"torch, channels-last": torch.channels_last} if images else {})
    for name, layout in formats.items():

        def placed(a: Array, learns: bool, layout: Any = layout) -> Any:
            t = torch.tensor(np.array(a, order="C"))
            return (t.to(memory_format=layout) if t.ndim == 4 else t).requires_grad_(learns)

        theirs, upstream = [placed(a, k in needs) for k, a in enumerate(case.arrays)], placed(seed, False)

        def reference(theirs: Any = theirs, upstream: Any = upstream) -> list[Any]:
            y = case.theirs(*theirs)
            found = torch.autograd.grad(y, [theirs[k] for k in needs], upstream)
            return [y.detach().numpy(), *(d.numpy() for d in found)]

        sides[name] = lambda reference=reference: again(reference, times)
    return sides


def measured(case: Case, threads: int) -> dict[str, Timing]:
    """Time a case, after checking that all sides computed the same numbers; the composite with one thread alone."""
    sides = calls(case, threads)
    results = {name: call() for name, call in sides.items()}
    if threads > 1 and case.batched:
        results["ours"] = joined(case, case.needs or tuple(range(len(case.arrays))), results["ours"])
    for name, other in results.items():
        for a, b in zip(results["ours"], other, strict=True):
            assert np.abs(a - b).max() <= TOLERANCE * np.abs(b).max(), f"{case.name}: ours and {name} disagree"
    if threads == 1:
        return interleaved(sides)
    sides = calls(case, threads, TIMES)
    del sides["composite"]
    return {name: Timing(*(v / TIMES for v in t)) for name, t in interleaved(sides).items()}
