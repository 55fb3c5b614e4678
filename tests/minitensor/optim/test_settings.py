"""Every setting of every optimizer: it changes the steps, and in the same way by both sets of kernels.

Whoever adds a setting gives it a value here, and to the compiled loop as well as to the update that it stands for.
"""

import inspect

import numpy as np
import pytest

import minitensor as mt
from minitensor import kernel_sets, nn, optim

OPTIMIZERS = [
    c for c in (getattr(optim, n) for n in optim.__all__) if inspect.isclass(c) and issubclass(c, optim.Optimizer)
]
OPTIMIZERS.remove(optim.Optimizer)
VALUES = {  # none of them a default
    "lr": 0.04,
    "momentum": 0.6,
    "dampening": 0.3,
    "weight_decay": 0.3,
    "betas": (0.6, 0.7),
    "eps": 0.03,
    "momentum_decay": 0.5,
    "alpha": 0.6,
    "lr_decay": 0.4,
    "initial_accumulator_value": 0.5,
    "trust_coefficient": 0.02,
    "ns_coefficients": (3.0, -4.0, 2.0),
    "ns_steps": 2,
    "max_iter": 3,
    "max_eval": 4,
    "tolerance_grad": 0.3,
    "tolerance_change": 0.3,
    "history_size": 1,
    "line_search_fn": "strong_wolfe",
}
WITH = {  # a setting that means nothing without another
    (optim.SGD, "dampening"): {"momentum": 0.9},
    (optim.SGD, "nesterov"): {"momentum": 0.9},
    (optim.LARS, "clip"): {"trust_coefficient": 0.9},
    (optim.NAdam, "decoupled_weight_decay"): {"weight_decay": 0.3},
    (optim.RAdam, "decoupled_weight_decay"): {"weight_decay": 0.3},
    (optim.LBFGS, "line_search_fn"): {"lr": 0.01},
}


def settings(kind):
    """Yield (setting, value, further settings): a flag is turned around, others are taken from the table."""
    for name, p in list(inspect.signature(kind).parameters.items())[1:]:
        value = not p.default if type(p.default) is bool else VALUES[name]
        yield name, 50.0 if (kind, name) == (optim.Muon, "eps") else value, WITH.get((kind, name), {})  # a least length


TABLE = [
    pytest.param(kind, name, value, more, id=f"{kind.__name__}-{name}")
    for kind in OPTIMIZERS
    for name, value, more in settings(kind)
]
every_setting = pytest.mark.parametrize(("kind", "name", "value", "more"), TABLE)


@pytest.fixture(autouse=True)
def as_it_was():
    before = mt.get_kernels()
    yield
    kernel_sets._chosen = before


def shapes(kind):
    return [(4, 3), (2, 5)] if kind is optim.Muon else [(4, 3), (5,), (2, 2)]  # Muon is for matrices


def trained(kind, settings, kernels="numpy", each=False, steps=7):
    """Return the weights after some steps, with one optimizer for all or one for each; a gradient is missing once."""
    mt.set_kernels(kernels)
    rng = np.random.default_rng(0)
    ps = [nn.Parameter(rng.standard_normal(s)) for s in shapes(kind)]
    goals = [mt.Tensor(rng.standard_normal(s)) for s in shapes(kind)]
    slopes = [[mt.Tensor(rng.standard_normal(s) * (3 if t < 3 else 0.3)) for s in shapes(kind)] for t in range(steps)]
    optimizers = [kind([p], **settings) for p in ps] if each else [kind(ps, **settings)]
    for step in range(steps):
        for p in ps:
            p.grad = None
        reached = [i for i in range(len(ps)) if (i, step) != (1, 2) or kind is optim.LBFGS]

        def loss():
            for p in ps:
                p.grad = None
            bowls = ((ps[i] - goals[i]) ** (4 if kind is optim.LBFGS else 2) for i in reached)  # noqa: B023
            slants = (0.0 if kind is optim.LBFGS else (ps[i] * slopes[step][i]).sum() for i in reached)  # noqa: B023
            y = sum(bowl.sum() + slant for bowl, slant in zip(bowls, slants, strict=True))
            y.backward()
            return y

        loss()
        for optimizer in optimizers:
            if kind is optim.LBFGS:
                optimizer.step(loss)
            elif any(p.grad is not None for g in optimizer.param_groups for p in g["params"]):
                optimizer.step()
    return np.concatenate([p.numpy().reshape(-1) for p in ps])


@every_setting
def test_it_changes_the_steps(kind, name, value, more):
    plain = {**({"max_iter": 5} if kind is optim.LBFGS and name != "max_iter" else {}), **more}
    assert inspect.signature(kind).parameters[name].default != value
    assert not np.allclose(trained(kind, plain), trained(kind, {**plain, name: value}), rtol=1e-9, atol=0)


@every_setting
def test_both_sets_of_kernels_take_it(kind, name, value, more):
    pytest.importorskip("numba")
    a, b = (trained(kind, {**more, name: value}, kernels) for kernels in ("compiled", "numpy"))
    np.testing.assert_allclose(a, b, rtol=1e-10)


@pytest.mark.parametrize("kernels", ["compiled", "numpy"])
@every_setting
def test_one_flat_buffer_is_as_one_optimizer_for_each(kind, name, value, more, kernels):
    if kernels == "compiled":
        pytest.importorskip("numba")
    if kind is optim.LBFGS:
        pytest.skip("one direction for all parameters")
    a, b = (trained(kind, {**more, name: value}, kernels, each) for each in (False, True))
    np.testing.assert_allclose(a, b, rtol=1e-12)
