"""Updates in one pass of compiled loops beside the same in NumPy, which the optimizers' classes say."""

import numpy as np
import pytest

import minitensor as mt
from minitensor import kernel_sets, nn, optim
from minitensor.optim import loops
from minitensor.threads import get_num_threads

pytest.importorskip("numba")
SETTINGS = {
    "adamw": lambda ps: optim.AdamW(ps, 0.05, weight_decay=0.1),
    "adam": lambda ps: optim.Adam(ps, 0.05, betas=(0.5, 0.8)),
    "adam, decay": lambda ps: optim.Adam(ps, 0.05, weight_decay=0.1, eps=1e-3),
    "sgd": lambda ps: optim.SGD(ps, 0.1, momentum=0.9, dampening=0.5, weight_decay=0.1),
    "nesterov": lambda ps: optim.SGD(ps, 0.1, momentum=0.9, nesterov=True),
    "lion": lambda ps: optim.Lion(ps, 0.05, weight_decay=0.1),
    "lars": lambda ps: optim.LARS(ps, 0.5, weight_decay=0.1),
    "lamb": lambda ps: optim.LAMB(ps, 0.05, weight_decay=0.1),
    "nadam": lambda ps: optim.NAdam(ps, 0.05, weight_decay=0.1),
    "nadam, decoupled": lambda ps: optim.NAdam(ps, 0.05, weight_decay=0.1, decoupled_weight_decay=True),
    "radam": lambda ps: optim.RAdam(ps, 0.05, betas=(0.5, 0.9), weight_decay=0.1),
    "adagrad": lambda ps: optim.Adagrad(ps, 0.05, lr_decay=0.1, weight_decay=0.1, initial_accumulator_value=0.2),
    "rmsprop": lambda ps: optim.RMSprop(ps, 0.05, weight_decay=0.1),
    "rmsprop, momentum": lambda ps: optim.RMSprop(ps, 0.05, momentum=0.9),
    "rmsprop, centered": lambda ps: optim.RMSprop(ps, 0.05, momentum=0.5, centered=True, alpha=0.8),
}
SHAPES = [(3, 7), (), (0, 2), (1,), (70_001,), (2, 2)]  # the fifth is more than a block


@pytest.fixture(autouse=True)
def as_it_was():
    before, threads = mt.get_kernels(), get_num_threads()
    yield
    kernel_sets._chosen = before
    mt.set_num_threads(threads)


def trajectory(make, kernels, dtype, special=()):
    """Return parameters and state after seven steps; `special` values stand in the last parameter's first gradient."""
    mt.set_kernels(kernels)
    rng = np.random.default_rng(0)
    ps = [nn.Parameter(np.asarray(rng.standard_normal(s), dtype)) for s in SHAPES]
    ps[3].data[...] = 0  # LARS and LAMB have no length to bring it to
    optimizer = make(ps)
    for step in range(7):  # from the sixth on RAdam divides
        optimizer.zero_grad()
        for p in ps:
            g = np.asarray(rng.standard_normal(p.shape), dtype)
            if step == 0 and p is ps[-1] and special:
                g.reshape(-1)[: len(special)] = special
            p.grad = mt.Tensor(g)
        optimizer.step()
    state = optimizer.state_dict()["state"]
    return [p.numpy() for p in ps] + [a for s in state.values() for a in s.values() if isinstance(a, np.ndarray)]


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("name", SETTINGS)
def test_as_in_numpy(name, dtype):
    """To a rounding of each operation."""
    tolerance = {"float64": 1e-12, "float32": 3e-5, "float16": 2e-3}[dtype]
    pairs = zip(*(trajectory(SETTINGS[name], k, dtype) for k in ("compiled", "numpy")), strict=True)
    for a, b in pairs:
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", SETTINGS)
def test_nan_and_infinity(name):
    special = (np.nan, np.inf, -np.inf, 0.0)
    pairs = zip(*(trajectory(SETTINGS[name], k, "float32", special) for k in ("compiled", "numpy")), strict=True)
    for a, b in pairs:
        np.testing.assert_allclose(a, b, rtol=3e-5, atol=3e-5)


@pytest.mark.parametrize("name", SETTINGS)
def test_same_bits_for_any_number_of_threads(name, monkeypatch):
    monkeypatch.setattr(mt.threads, "LEAST", 1000)
    found = []
    for threads in (1, 2, 3):
        mt.set_num_threads(threads)
        found.append([a.tobytes() for a in trajectory(SETTINGS[name], "compiled", "float32")])
    assert found[0] == found[1] == found[2]


def test_loops_run(monkeypatch):
    """An update that a subclass writes itself, amsgrad and the kernels of NumPy go without them."""
    ran = []
    monkeypatch.setattr(loops, "adam", lambda *_: ran.append("adam"))

    class Mine(optim.AdamW):
        def update(self, p, g, moments, group, step, scratch):
            p -= 1

    for make, kernels, expected in (
        (optim.AdamW, "compiled", ["adam"]),
        (optim.AdamW, "numpy", []),
        (Mine, "compiled", []),
        (lambda ps: optim.AdamW(ps, amsgrad=True), "compiled", []),
    ):
        mt.set_kernels(kernels)
        p = nn.Parameter(np.ones(3, "float32"))
        p.grad = mt.Tensor([1.0, 1.0, 1.0])
        make([p]).step()
        assert ran == expected
        ran.clear()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("momentum", [0.0, 0.3, 1.0])
def test_moving_average(dtype, momentum):
    found = []
    for kernels in ("compiled", "numpy"):
        mt.set_kernels(kernels)
        target, source = (nn.Linear(301, 301) for _ in range(2))
        for layer, seed in ((target, 0), (source, 1)):
            for p in layer.parameters():
                p.data = np.random.default_rng(seed).standard_normal(p.shape).astype(dtype)
        optim.EMA(target, source).update(momentum)
        found.append(target.weight.numpy().copy())
    np.testing.assert_allclose(*found, rtol=1e-12 if dtype == "float64" else 1e-6, atol=1e-7)
    if momentum == 0:
        np.testing.assert_array_equal(found[0], source.weight.numpy())


def test_the_norm_of_many_gradients_is_added_up_in_float64(monkeypatch):
    mt.set_kernels("compiled")
    monkeypatch.setattr(mt.threads, "LEAST", 1000)
    x = mt.Tensor(np.zeros(3_000_001, "float32"), requires_grad=True)
    g = np.random.default_rng(0).standard_normal(x.shape).astype("float32")
    exact = np.linalg.norm(g.astype("float64"))
    norms = []
    for threads in (1, 2):
        mt.set_num_threads(threads)
        x.grad = mt.Tensor(g.copy())
        norms.append(optim.clip_grad_norm_([x], 1.0).item())
        assert abs(np.linalg.norm(x.grad.numpy().astype("float64")) - 1) < 1e-6
    assert norms[0] == norms[1] and abs(norms[0] / exact - 1) < 1e-7
