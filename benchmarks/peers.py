"""The CNN-JEPA step in other engines for NumPy arrays: MyGrad, HIPS autograd, and JAX with jit.

Each computes loss and gradients in its own idiom, from the same weights; losses and gradients are compared with ours
first. The update, AdamW and the moving average, is plain NumPy for all of them; JAX compiles it with the rest.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import steps
from benchmarks.timing import Timing, interleaved

Array = np.ndarray[Any, Any]
Weights = list[Array]
GOALS = {"mygrad": 3.0, "autograd": 3.0, "jax": 1.5}  # times as fast
STAGES = 4


def weights(step: steps.Step) -> tuple[Weights, Weights]:
    """Return encoder and predictor as (weight, bias, weight, bias, ...)."""
    encoder, predictor = (list(m.parameters()) for m in step.modules)
    return [np.array(p.numpy()) for p in encoder], [np.array(p.numpy()) for p in predictor]


def adamw(w: Weights, g: Weights, m: Weights, v: Weights, t: int, lr: float = steps.LR, decay: float = 0.01) -> None:
    """Update the weights in place (Loshchilov & Hutter 2019)."""
    for wi, gi, mi, vi in zip(w, g, m, v, strict=True):
        mi += 0.1 * (gi - mi)
        vi += 0.001 * (gi * gi - vi)
        wi *= 1 - lr * decay
        wi -= lr * (mi / (1 - 0.9**t)) / (np.sqrt(vi / (1 - 0.999**t)) + 1e-8)


def eager(
    loss: Callable[..., tuple[float, Weights]], step: steps.Step
) -> tuple[Callable[[], float], Callable[[], Any]]:
    """Return a training step, and what gives loss and gradients, of a function (weights, target weights, batch)."""
    encoder, predictor = weights(step)
    w, target = encoder + predictor, [a.copy() for a in encoder]
    m, v = [np.zeros_like(a) for a in w], [np.zeros_like(a) for a in w]
    count = 0

    def run() -> float:
        nonlocal count
        count += 1
        value, g = loss(w, target, *step.batch)
        adamw(w, g, m, v, count)
        for a, b in zip(target, w, strict=False):
            a += (1 - steps.MOMENTUM) * (b - a)
        return value

    return run, lambda: loss(w, target, *step.batch)


def forward(x: Any, w: Any, np_: Any, conv: Callable[..., Any], pool: Callable[..., Any]) -> Any:
    """Return the encoder's embeddings, (n, d), with an engine's own convolution and pooling."""
    for k in range(STAGES):
        x = pool(np_.maximum(conv(x, w[2 * k]) + w[2 * k + 1].reshape(1, -1, 1, 1), 0))
    return np_.mean(x, axis=(2, 3)) @ w[2 * STAGES].T + w[2 * STAGES + 1]


def predict(z: Any, w: Any, np_: Any) -> Any:
    """Return the predictor's output."""
    return np_.maximum(z @ w[-4].T + w[-3], 0) @ w[-2].T + w[-1]


def with_autograd() -> Callable[..., tuple[float, Weights]]:
    """HIPS autograd: windows by slices, then one product (its own convolution takes a hundred times as long)."""
    import autograd.numpy as anp
    from autograd import value_and_grad

    def conv(x: Any, w: Any) -> Any:
        n, c, h, width = x.shape
        padded = anp.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), "constant")
        slices = [padded[:, :, i : i + h, j : j + width] for i in range(3) for j in range(3)]
        columns = anp.reshape(anp.transpose(anp.array(slices), (1, 3, 4, 2, 0)), (-1, c * 9))
        y = anp.dot(columns, anp.transpose(anp.reshape(w, (len(w), -1))))
        return anp.transpose(anp.reshape(y, (n, h, width, -1)), (0, 3, 1, 2))

    def pool(x: Any) -> Any:
        rows = anp.maximum(x[:, :, ::2], x[:, :, 1::2])
        return anp.maximum(rows[:, :, :, ::2], rows[:, :, :, 1::2])

    def loss(w: Weights, target: Weights, seen: Array, true: Array) -> Any:
        y = forward(true, target, anp, conv, pool)
        return anp.mean((predict(forward(seen, w, anp, conv, pool), w, anp) - y) ** 2)

    return value_and_grad(loss)  # type: ignore[no-any-return]


def with_mygrad() -> Callable[..., tuple[float, Weights]]:
    """MyGrad, with its own convolution and pooling."""
    import mygrad as mg
    from mygrad.nnet.layers import conv_nd, max_pool

    def conv(x: Any, w: Any) -> Any:
        return conv_nd(x, w, stride=1, padding=1)

    def pool(x: Any) -> Any:
        return max_pool(x, (2, 2), 2)

    def loss(w: Weights, target: Weights, seen: Array, true: Array) -> tuple[float, Weights]:
        with mg.no_autodiff:
            y = mg.asarray(forward(mg.tensor(true), [mg.tensor(a) for a in target], mg, conv, pool))
        tensors = [mg.tensor(a) for a in w]
        value = mg.mean(
            (predict(forward(mg.tensor(seen, constant=True), tensors, mg, conv, pool), tensors, mg) - y) ** 2
        )
        value.backward()
        return float(value.data), [np.array(t.grad) for t in tensors]

    return loss


def with_jax(step: steps.Step) -> tuple[Callable[[], float], Callable[[], Any]]:
    """JAX: the whole step compiled, the update included."""
    import jax
    import jax.numpy as jnp

    def conv(x: Any, w: Any) -> Any:
        return jax.lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=("NCHW", "OIHW", "NCHW"))

    def pool(x: Any) -> Any:
        return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")

    def loss(w: Any, target: Any, seen: Any, true: Any) -> Any:
        y = forward(true, target, jnp, conv, pool)
        return jnp.mean((predict(forward(seen, w, jnp, conv, pool), w, jnp) - y) ** 2)

    def update(w: Any, target: Any, m: Any, v: Any, t: Any, seen: Any, true: Any) -> Any:
        value, g = jax.value_and_grad(loss)(w, target, seen, true)
        m = [a + 0.1 * (b - a) for a, b in zip(m, g, strict=True)]
        v = [a + 0.001 * (b * b - a) for a, b in zip(v, g, strict=True)]
        rates = 1 - 0.9**t, 1 - 0.999**t
        w = [
            a * (1 - steps.LR * 0.01) - steps.LR * (b / rates[0]) / (jnp.sqrt(c / rates[1]) + 1e-8)
            for a, b, c in zip(w, m, v, strict=True)
        ]
        target = [a + (1 - steps.MOMENTUM) * (b - a) for a, b in zip(target, w, strict=False)]
        return value, w, target, m, v, t + 1

    encoder, predictor = weights(step)
    w = [jnp.asarray(a) for a in encoder + predictor]
    batch = [jnp.asarray(np.ascontiguousarray(x)) for x in step.batch]
    state = [w, [jnp.asarray(a) for a in encoder], [a * 0 for a in w], [a * 0 for a in w], jnp.asarray(1.0)]
    compiled = jax.jit(update)

    def run() -> float:
        value, *state[:] = compiled(*state, *batch)
        return float(value)

    return run, lambda: jax.value_and_grad(loss)(state[0], state[1], *batch)


def measured() -> dict[str, Timing]:
    """Time our step and those of the peers that are installed."""
    step = steps.cnn(False)
    sides: dict[str, tuple[Callable[[], float], Callable[[], Any]]] = {}
    for name, make in (
        ("mygrad", lambda: eager(with_mygrad(), step)),
        ("autograd", lambda: eager(with_autograd(), step)),
        ("jax", lambda: with_jax(step)),
    ):
        try:
            importlib.import_module(name)
        except ImportError:
            print(f"{name} is not installed: make bench-peers")
            continue
        sides[name] = make()
    loss = step.loss(*step.embed(*step.batch))
    loss.backward()
    ours = [p.grad.numpy() for m in step.modules for p in m.parameters() if p.grad is not None]
    for name, (_, gradients) in sides.items():
        value, found = gradients()
        assert abs(float(value) - float(loss)) <= 1e-4 * float(loss), (name, float(value), float(loss))
        for a, b in zip(ours, found, strict=True):
            assert np.linalg.norm(a - b) <= 1e-3 * np.linalg.norm(a), f"{name} and ours disagree"
    return interleaved({"ours": steps.ours(step), **{name: run for name, (run, _) in sides.items()}}, seconds=0.2)


def run(threads: int, only: str) -> dict[str, Any]:
    """Print and return how many times as long each peer takes."""
    timings = measured()
    found: dict[str, Any] = {"ours": [round(v, 5) for v in timings.pop("ours")]}
    for name, t in timings.items():
        times = t.median / found["ours"][0]
        print(
            f"{name:12} {times:5.1f} times ours (goal {GOALS[name]})  {t!s} ms; ours {found['ours'][0]:.1f}", flush=True
        )
        found[name] = {"times": round(times, 2), "goal": GOALS[name], "ms": [round(v, 5) for v in t]}
    return found
