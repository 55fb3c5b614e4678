"""Steps by hand of the optimizers that PyTorch lacks, the line search, groups, and what is refused."""

import copy
import pickle

import numpy as np
import pytest

import minitensor as mt
from minitensor import nn, optim
from minitensor.errors import StateDictError
from minitensor.optim.muon import orthogonalize

rng = np.random.default_rng(0)


def stepped(make, p, gradients):
    w = nn.Parameter(np.array(p))
    optimizer = make([w])
    for g in gradients:
        optimizer.zero_grad()
        (w * mt.Tensor(g)).sum().backward()
        optimizer.step()
    return w.numpy()


def test_lion_by_hand():
    p, g1, g2 = (rng.standard_normal((3, 2)) for _ in range(3))
    m = 0.1 * g1 * 0  # the momentum after the first step is (1 - β₂) g₁
    q = p * (1 - 0.01 * 0.1) - 0.01 * np.sign(0.9 * m + 0.1 * g1)
    m = 0.01 * g1
    q = q * (1 - 0.01 * 0.1) - 0.01 * np.sign(0.9 * m + 0.1 * g2)
    got = stepped(lambda w: optim.Lion(w, lr=0.01, weight_decay=0.1), p, (g1, g2))
    np.testing.assert_allclose(got, q, rtol=1e-12)


def test_lars_by_hand():
    for shape in ((3, 2), (4,)):
        p, g1, g2 = (rng.standard_normal(shape) for _ in range(3))
        q, b = p.copy(), np.zeros(shape)
        for g in (g1, g2):
            u = g + 0.1 * q
            u = u * 0.02 * np.linalg.norm(q) / np.linalg.norm(u) if len(shape) > 1 else u
            b = 0.9 * b + u
            q = q - 0.5 * b
        make = lambda w: optim.LARS(w, lr=0.5, weight_decay=0.1, trust_coefficient=0.02)  # noqa: E731
        np.testing.assert_allclose(stepped(make, p, (g1, g2)), q, rtol=1e-10)
    zero = stepped(lambda w: optim.LARS(w, lr=1.0), np.zeros((2, 2)), (np.ones((2, 2)),))
    np.testing.assert_array_equal(zero, -1)  # no length to be brought to


@pytest.mark.parametrize("lr", [0.01, 0.5, 0.0])
def test_lars_as_emp_ssl_and_vicreg_have_it(lr):
    """Clipped, lr is the longest rate: of lr 0.01 both layers' own rate is longer, of 0.5 shorter."""
    p, g1, g2 = (rng.standard_normal((3, 2)) for _ in range(3))
    q, b = p.copy(), np.zeros((3, 2))
    for g in (g1, g2):
        rate = 0.05 * np.linalg.norm(q) / np.linalg.norm(g)
        assert (rate < lr) == (lr == 0.5)
        u = g * (min(rate, lr) / lr if lr else 1)
        b = 0.9 * b + u
        q = q - lr * (u + 0.9 * b)
    make = lambda w: optim.LARS(w, lr=lr, trust_coefficient=0.05, clip=True, nesterov=True)  # noqa: E731
    np.testing.assert_allclose(stepped(make, p, (g1, g2)), q, rtol=1e-10)


def test_lamb_by_hand():
    p, g1, g2 = (rng.standard_normal((3, 2)) for _ in range(3))
    q, m, v = p.copy(), 0.0, 0.0
    for t, g in ((1, g1), (2, g2)):
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        r = m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-6) + 0.1 * q
        q = q - 0.01 * np.linalg.norm(q) / np.linalg.norm(r) * r
    got = stepped(lambda w: optim.LAMB(w, lr=0.01, weight_decay=0.1), p, (g1, g2))
    np.testing.assert_allclose(got, q, rtol=1e-10)


@pytest.mark.parametrize("shape", [(4, 7), (7, 4), (5, 5)])
def test_muon_steps_are_near_orthogonal(shape):
    g = rng.standard_normal(shape)
    values = np.linalg.svd(orthogonalize(g, (3.4445, -4.7750, 2.0315), 5, 1e-7), compute_uv=False)
    assert 0.6 < values.min() and values.max() < 1.3
    u, _, v = np.linalg.svd(g, full_matrices=False)
    exact = orthogonalize(g, (1.5, -0.5, 0.0), 30, 1e-7)  # the classical iteration converges to U Vᵀ
    np.testing.assert_allclose(exact, u @ v, atol=1e-6)
    with pytest.raises(ValueError, match="takes matrices"):
        optim.Muon([nn.Parameter(np.ones(3))])


def test_lbfgs_minimizes_and_goes_on_from_a_state():
    def minimize(stop):
        x = mt.Tensor(np.array([-1.5, 2.0]), requires_grad=True)
        optimizer = optim.LBFGS([x], max_iter=10, line_search_fn="strong_wolfe")

        def closure():
            optimizer.zero_grad()
            loss = (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2
            loss.backward()
            return loss

        for i in range(8):
            if i == stop:
                saved, x0 = optimizer.state_dict(), x.numpy().copy()
                optimizer = optim.LBFGS([x], max_iter=10, line_search_fn="strong_wolfe")
                optimizer.load_state_dict(saved)
                np.testing.assert_array_equal(x.numpy(), x0)
            optimizer.step(closure)
        return x.numpy()

    np.testing.assert_allclose(minimize(None), [1, 1], atol=1e-5)  # it stops when the loss changes by less than 1e-9
    np.testing.assert_array_equal(minimize(2), minimize(None))
    with pytest.raises(TypeError, match="closure"):
        optim.LBFGS([mt.Tensor(np.ones(2), requires_grad=True)]).step()
    with pytest.raises(ValueError, match="one group"):
        optim.LBFGS([{"params": [nn.Parameter(np.ones(2))]}, {"params": [nn.Parameter(np.ones(2))]}])


def test_decay_groups_leave_out_what_is_frozen():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    model[0].weight.requires_grad_(False)
    groups = optim.decay_groups(model, 0.1)
    assert [(sorted(p.ndim for p in g["params"]), g["weight_decay"]) for g in groups] == [
        ([2], 0.1),
        ([1, 1, 1, 1], 0.0),
    ]


def test_closure_of_any_optimizer():
    w = nn.Parameter(np.ones(2))
    optimizer = optim.SGD([w], lr=0.1)

    def closure():
        optimizer.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        return loss

    with mt.no_grad():
        assert optimizer.step(closure).item() == 2
    np.testing.assert_allclose(w.numpy(), 0.8)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: optim.SGD(nn.Linear(2, 1)), TypeError, r"layer\.parameters\(\)"),
        (lambda: optim.SGD([{"param": []}]), ValueError, "'params'"),
        (lambda: optim.SGD([nn.Parameter([1.0])], lr=-1), ValueError, "lr=-1"),
        (lambda: optim.SGD([nn.Parameter([1.0])], lr="0.1"), ValueError, "lr='0.1'"),
        (lambda: optim.Adam([nn.Parameter([1.0])], betas=(1, 0.9)), ValueError, "betas"),
        (lambda: optim.Adam([nn.Parameter([1.0])]).load_state_dict({}), StateDictError, "param_groups"),
    ],
)
def test_mistakes(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_states_of_others_are_refused():
    def made(cls, **settings):
        w = nn.Parameter(np.ones(2))
        optimizer = cls([w], **settings)
        (w * 2).sum().backward()
        optimizer.step()
        return optimizer

    state = made(optim.SGD, momentum=0.9).state_dict()
    with pytest.raises(StateDictError, match="another optimizer"):
        made(optim.Adam).load_state_dict(state)
    for key in (-1, 7):
        broken = made(optim.Adam).state_dict()
        broken["state"] = {key: broken["state"][0]}
        with pytest.raises(StateDictError, match=f"parameter {key}"):
            made(optim.Adam).load_state_dict(broken)


@pytest.mark.parametrize("copied", [lambda x: pickle.loads(pickle.dumps(x)), copy.deepcopy], ids=["pickle", "deepcopy"])
@pytest.mark.parametrize("make", [lambda p: optim.AdamW(p, lr=0.1), lambda p: optim.LBFGS(p, max_iter=2)])
def test_a_copied_pair_goes_on_as_the_original(copied, make):
    def step(model, optimizer):
        def closure():
            optimizer.zero_grad()
            loss = (model(mt.ones((1, 2))) ** 2).sum()
            loss.backward()
            return loss

        optimizer.step(closure)
        return model.weight.numpy().copy()

    mt.manual_seed(0)
    model = nn.Linear(2, 3)
    optimizer = make(model.parameters())
    before = step(model, optimizer)
    other, again = copied((model, optimizer))
    np.testing.assert_array_equal(step(other, again), step(model, optimizer))
    assert not np.array_equal(before, model.weight.numpy())
