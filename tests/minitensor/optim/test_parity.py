"""Trajectories against PyTorch's, from the same weights and gradients."""

import numpy as np
import pytest

import minitensor as mt

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity

SHAPES = [(4, 3), (3,), (2, 2, 2), (), (5,)]
OPTIMIZERS = {
    "sgd": ("SGD", {"lr": 0.1}),
    "sgd, decay": ("SGD", {"lr": 0.1, "weight_decay": 0.05}),
    "momentum": ("SGD", {"lr": 0.1, "momentum": 0.9}),
    "dampening": ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.5, "weight_decay": 0.05}),
    "nesterov": ("SGD", {"lr": 0.1, "momentum": 0.8, "nesterov": True, "weight_decay": 0.05}),
    "adam": ("Adam", {}),
    "adam, all": ("Adam", {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.1}),
    "adamw": ("AdamW", {}),
    "adamw, all": ("AdamW", {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.1}),
}


def pairs(dtype):
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(s).astype(dtype) for s in SHAPES]
    ours = [mt.nn.Parameter(np.array(a)) for a in arrays]
    return ours, [torch.nn.Parameter(torch.tensor(a)) for a in arrays]


def run(ours, theirs, a, b, steps, reached):
    rng = np.random.default_rng(1)
    for step in range(steps):
        a.zero_grad(), b.zero_grad()
        for i, (p, q) in enumerate(zip(ours, theirs, strict=True)):
            g = rng.standard_normal(p.shape).astype(p.dtype)
            if reached(step, i):
                (p * mt.Tensor(np.asarray(g))).sum().backward()
                q.grad = torch.tensor(g)
        a.step(), b.step()


def close(ours, theirs, dtype):
    for p, q in zip(ours, theirs, strict=True):
        tolerance = 1e-12 if dtype == np.float64 else 2e-6
        np.testing.assert_allclose(p.numpy(), q.detach().numpy(), rtol=tolerance, atol=tolerance)


REACHED = {
    "all": lambda step, i: True,
    "a hole": lambda step, i: i != 2,
    "now and then": lambda step, i: (step + i) % 3 != 0,
    "late": lambda step, i: step > 2 or i > 1,
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("which", REACHED)
@pytest.mark.parametrize("case", OPTIMIZERS)
def test_ten_steps(case, which, dtype):
    name, settings = OPTIMIZERS[case]
    ours, theirs = pairs(dtype)
    a, b = getattr(mt.optim, name)(ours, **settings), getattr(torch.optim, name)(theirs, **settings)
    run(ours, theirs, a, b, 10, REACHED[which])
    close(ours, theirs, dtype)


def test_defaults_are_the_same():
    for name in ("SGD", "Adam", "AdamW"):
        ours, theirs = pairs(np.float32)
        group = getattr(torch.optim, name)(theirs).param_groups[0]
        mine = getattr(mt.optim, name)(ours).param_groups[0]
        assert {k: v for k, v in mine.items() if k != "params"} == {k: group[k] for k in mine if k != "params"}


def test_groups_with_settings_of_their_own_and_a_new_lr():
    ours, theirs = pairs(np.float64)

    def groups(p):
        return [{"params": p[:2], "weight_decay": 0.2}, {"params": p[2:], "lr": 0.01, "betas": (0.5, 0.9)}]

    a, b = mt.optim.AdamW(groups(ours), lr=0.1), torch.optim.AdamW(groups(theirs), lr=0.1)
    run(ours, theirs, a, b, 3, REACHED["all"])
    a.param_groups[1]["lr"] = b.param_groups[1]["lr"] = 0.03
    run(ours, theirs, a, b, 3, REACHED["a hole"])
    close(ours, theirs, np.float64)


@pytest.mark.parametrize("max_norm", [0.5, 1e3])
def test_clip_grad_norm(max_norm):
    for optimizer in (None, mt.optim.SGD):
        ours, theirs = pairs(np.float64)
        if optimizer:
            optimizer([{"params": ours[:2]}, {"params": ours[3:]}], lr=0.1)  # two flat buffers, one parameter outside
        rng = np.random.default_rng(1)
        for p, q in zip(ours[:-1], theirs, strict=False):  # the last one has no gradient
            g = rng.standard_normal(p.shape)
            (p * mt.Tensor(np.asarray(g))).sum().backward()
            q.grad = torch.tensor(g)
        a = mt.optim.clip_grad_norm_(ours + ours[:1], max_norm)
        b = torch.nn.utils.clip_grad_norm_(theirs, max_norm)
        assert a.item() == pytest.approx(b.item(), rel=1e-12)
        for p, q in zip(ours[:-1], theirs, strict=False):
            np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-12)


def test_cosine_schedule():
    q = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([q], lr=0.3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=20, eta_min=0.01)
    for step in range(20):
        assert mt.optim.schedule.cosine(step, start=0.3, end=0.01, steps=20) == pytest.approx(schedule.get_last_lr()[0])
        optimizer.step(), schedule.step()


@pytest.mark.parametrize("name", ["SGD", "AdamW"])
def test_state_has_pytorchs_layout(name):
    settings = {"lr": 0.1, "momentum": 0.9} if name == "SGD" else {"lr": 0.1}
    ours, theirs = pairs(np.float32)
    a, b = getattr(mt.optim, name)(ours, **settings), getattr(torch.optim, name)(theirs, **settings)
    run(ours, theirs, a, b, 2, REACHED["a hole"])
    mine, other = a.state_dict(), b.state_dict()
    assert list(mine["state"]) == list(other["state"]) and mine["param_groups"][0]["params"] == [0, 1, 2, 3, 4]
    for i, entry in other["state"].items():
        for key, value in entry.items():
            np.testing.assert_allclose(mine["state"][i][key], value.numpy(), rtol=1e-5, atol=1e-6)
