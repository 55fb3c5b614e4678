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
    "amsgrad": ("Adam", {"lr": 0.05, "amsgrad": True}),
    "amsgrad, decoupled": ("AdamW", {"lr": 0.05, "amsgrad": True, "betas": (0.5, 0.6)}),
    "rmsprop": ("RMSprop", {}),
    "rmsprop, all": ("RMSprop", {"alpha": 0.9, "momentum": 0.8, "centered": True, "weight_decay": 0.1, "eps": 1e-3}),
    "rmsprop, momentum": ("RMSprop", {"momentum": 0.5}),
    "adagrad": ("Adagrad", {}),
    "adagrad, all": ("Adagrad", {"lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.3, "eps": 1e-3}),
    "nadam": ("NAdam", {}),
    "nadam, all": ("NAdam", {"lr": 0.05, "betas": (0.8, 0.95), "weight_decay": 0.1, "momentum_decay": 0.02}),
    "nadam, decoupled": ("NAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True}),
    "radam": ("RAdam", {}),
    "radam, all": ("RAdam", {"lr": 0.05, "betas": (0.8, 0.9), "weight_decay": 0.1}),
    "radam, decoupled": ("RAdam", {"betas": (0.8, 0.7), "weight_decay": 0.1, "decoupled_weight_decay": True}),
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


def close(ours, theirs, dtype, exact=1e-12):
    for p, q in zip(ours, theirs, strict=True):
        tolerance = exact if dtype == np.float64 else 2e-6
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
    close(ours, theirs, dtype, 1e-8 if name == "NAdam" else 1e-12)  # PyTorch keeps NAdam's product in float32


def test_defaults_are_the_same():
    for name in ("SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "NAdam", "RAdam"):
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


def test_muon_within_bfloat16():
    """PyTorch orthogonalizes in bfloat16, 3 digits: the step agrees to that, everything before it exactly."""
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(s) for s in ((6, 4), (4, 6), (5, 5))]
    ours, theirs = [mt.nn.Parameter(np.array(a)) for a in arrays], [torch.nn.Parameter(torch.tensor(a)) for a in arrays]
    run(ours, theirs, mt.optim.Muon(ours, lr=0.1), torch.optim.Muon(theirs, lr=0.1), 5, REACHED["all"])
    for p, q, a in zip(ours, theirs, arrays, strict=True):
        moved = np.abs(q.detach().numpy() - a).max()
        assert np.abs(p.numpy() - q.detach().numpy()).max() < 0.03 * moved


@pytest.mark.parametrize("search", [None, "strong_wolfe"])
def test_lbfgs(search):
    """The same steps without a line search; the same minimum with one."""
    rng = np.random.default_rng(0)
    m = rng.standard_normal((12, 5))
    start = rng.standard_normal(5)

    def losses(tensor, lib, steps):
        p = tensor(start)
        settings = {"lr": 0.3 if search is None else 1.0, "max_iter": steps, "line_search_fn": search}
        optimizer = lib.LBFGS([p], **settings)
        matrix = mt.Tensor(m) if lib is mt.optim else torch.tensor(m)

        def closure():
            optimizer.zero_grad()
            r = matrix @ p - 1
            loss = (r * r).sum() + (p**4).sum()
            loss.backward()
            return loss

        optimizer.step(closure)
        optimizer.step(closure)
        return p.detach().numpy()

    def ours(a):
        return mt.Tensor(np.array(a), requires_grad=True)

    def theirs(a):
        return torch.tensor(a, requires_grad=True)

    steps, tolerance = (7, 1e-10) if search is None else (100, 1e-6)
    np.testing.assert_allclose(losses(ours, mt.optim, steps), losses(theirs, torch.optim, steps), atol=tolerance)


def test_more_schedules():
    def theirs(make, steps):
        q = torch.nn.Parameter(torch.zeros(1))
        optimizer = torch.optim.SGD([q], lr=0.3)
        schedule, found = make(optimizer), []
        for _ in range(steps):
            found.append(schedule.get_last_lr()[0])
            optimizer.step(), schedule.step()
        return found

    t, s = torch.optim.lr_scheduler, mt.optim.schedule
    pairs = [
        (lambda o: t.StepLR(o, 3, 0.5), lambda i: s.step_decay(i, start=0.3, gamma=0.5, every=3)),
        (lambda o: t.MultiStepLR(o, [2, 5], 0.1), lambda i: s.multi_step(i, start=0.3, gamma=0.1, milestones=[2, 5])),
        (lambda o: t.ExponentialLR(o, 0.9), lambda i: s.exponential(i, start=0.3, gamma=0.9)),
        (lambda o: t.PolynomialLR(o, 12, 2.0), lambda i: s.polynomial(i, start=0.3, end=0.0, steps=12, power=2.0)),
        (
            lambda o: t.CosineAnnealingWarmRestarts(o, 3, 2, 0.01),
            lambda i: s.restarts(i, start=0.3, end=0.01, period=3, factor=2),
        ),
        (lambda o: t.OneCycleLR(o, 0.3, total_steps=20), lambda i: s.one_cycle(i, peak=0.3, steps=20)),
    ]
    for make, ours in pairs:
        assert [ours(i) for i in range(20)] == pytest.approx(theirs(make, 20), abs=1e-12)
    q = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([q], lr=1.0)
    plateau, mine = t.ReduceLROnPlateau(optimizer, factor=0.5, patience=2), s.Plateau(factor=0.5, patience=2)
    for metric in np.random.default_rng(0).random(30) + np.linspace(1, 0.5, 30):
        plateau.step(metric)
        assert mine.update(metric) == pytest.approx(optimizer.param_groups[0]["lr"])


def test_clip_grad_value():
    ours, theirs = pairs(np.float64)
    for p, q in zip(ours, theirs, strict=True):
        g = np.random.default_rng(1).standard_normal(p.shape)
        (p * mt.Tensor(np.asarray(g))).sum().backward()
        q.grad = torch.tensor(g)
    mt.optim.clip_grad_value_(ours, 0.3)
    torch.nn.utils.clip_grad_value_(theirs, 0.3)
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(p.grad.numpy(), q.grad.numpy())


@pytest.mark.parametrize("seed", range(8))
def test_grad_scaler_call_by_call(seed):
    """The same calls in a random order to two optimizers, with gradients now and then infinite: the same outcome."""
    rng = np.random.default_rng(seed)
    ours = [mt.nn.Parameter(np.ones(2, np.float32)) for _ in range(2)]
    theirs = [torch.nn.Parameter(torch.ones(2)) for _ in range(2)]
    settings = {"init_scale": 8.0, "growth_interval": 2}
    a, b = mt.optim.GradScaler(**settings), torch.amp.GradScaler("cpu", **settings)
    mine, other = [mt.optim.SGD([w], lr=0.1) for w in ours], [torch.optim.SGD([w], lr=0.1) for w in theirs]

    def outcome(call):
        try:
            call()
        except (RuntimeError, AssertionError):
            return "refused"
        return "done"

    for _ in range(60):
        k, what = rng.integers(2), rng.choice(["backward", "backward", "unscale", "step", "step", "update", "zero"])
        factor = float(rng.choice([1.0, 2.0, np.inf], p=[0.45, 0.45, 0.1]))
        calls = {
            "backward": lambda w, o, s, k=k, factor=factor: s.scale((w[k] * factor).sum()).backward(),
            "unscale": lambda w, o, s, k=k: s.unscale_(o[k]),
            "step": lambda w, o, s, k=k: s.step(o[k]),
            "update": lambda w, o, s: s.update(),
            "zero": lambda w, o, s, k=k: o[k].zero_grad(),
        }
        found = [outcome(lambda: calls[what](ours, mine, a)), outcome(lambda: calls[what](theirs, other, b))]  # noqa: B023
        assert found[0] == found[1], (what, found)
        assert a.get_scale() == b.get_scale()
        for p, q in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(p.numpy(), q.detach().numpy(), rtol=1e-6)
            assert (p.grad is None) == (q.grad is None)
            if p.grad is not None:
                np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-6)
    assert a.state_dict() == b.state_dict()


@pytest.mark.parametrize("made", [False, True])
def test_what_a_kept_gradient_is_afterwards(made):
    """Gradients kept over backward, accumulation, zero_grad and steps, as Tensors and as views of them."""

    def kept_by(optim_, w):
        optimizer = optim_.SGD([w], lr=0.1) if made else None
        kept = []
        for k, zero in enumerate(["none", "none", "no", "zeros", "none", "no", "zeros", "none"]):
            if zero != "no" and w.grad is not None:
                if optimizer is None:
                    w.grad = None
                else:
                    optimizer.zero_grad(set_to_none=zero == "none")
            (w * (k + 1.0)).sum().backward()
            kept += [w.grad, w.grad[1:], w.grad.detach()]
            if optimizer is not None:
                optimizer.step()
        return [g.numpy().tolist() for g in kept]

    theirs = torch.nn.Parameter(torch.ones(3, dtype=torch.float64))
    assert kept_by(mt.optim, mt.nn.Parameter(np.ones(3))) == kept_by(torch.optim, theirs)


LOADED = {
    **{case: OPTIMIZERS[case] for case in OPTIMIZERS},
    "muon": ("Muon", {"lr": 0.05}),
    "muon, plain": ("Muon", {"lr": 0.05, "nesterov": False, "momentum": 0.5, "weight_decay": 0.0}),
    "sgd, no momentum": ("SGD", {"lr": 0.1}),
}


@pytest.mark.parametrize("way", ["to us", "to PyTorch"])
@pytest.mark.parametrize("which", ["all", "a hole"])
@pytest.mark.parametrize("case", LOADED)
def test_states_move_both_ways(case, which, way):
    """Three steps on one side, weights and state moved over, three more on both: the same weights."""
    name, settings = LOADED[case]
    ours, theirs = pairs(np.float64)
    if name == "Muon":
        ours, theirs = ours[:1] * 1, theirs[:1] * 1
    a, b = getattr(mt.optim, name)(ours, **settings), getattr(torch.optim, name)(theirs, **settings)
    idle = [mt.nn.Parameter(p.numpy().copy()) for p in ours], [torch.nn.Parameter(q.detach().clone()) for q in theirs]
    other = getattr(mt.optim, name)(idle[0], **settings), getattr(torch.optim, name)(idle[1], **settings)
    if way == "to us":
        run(idle[0], theirs, other[0], b, 3, REACHED[which])
        for p, q in zip(ours, theirs, strict=True):
            p.data[...] = q.detach().numpy()
        a.load_state_dict(b.state_dict())
    else:
        run(ours, idle[1], a, other[1], 3, REACHED[which])
        with torch.no_grad():
            for p, q in zip(ours, theirs, strict=True):
                q.copy_(torch.tensor(p.numpy()))
        state = a.state_dict()
        scalars = ("step", "mu_product")  # float32 in PyTorch
        state["state"] = {
            i: {k: torch.as_tensor(v, dtype=torch.float32 if k in scalars else None) for k, v in entry.items()}
            for i, entry in state["state"].items()
        }
        b.load_state_dict({**state, "param_groups": [{**b.param_groups[0], **g} for g in state["param_groups"]]})
    run(ours, theirs, a, b, 3, REACHED["all"])
    exact = {"NAdam": 1e-7, "Muon": 1e-2}.get(name, 1e-12)  # a float32 product; bfloat16
    close(ours, theirs, np.float64, exact)


def test_muons_state_makes_pytorchs_step():
    w = mt.nn.Parameter(np.eye(3))
    a = mt.optim.Muon([w], lr=0.1)
    (w * w).sum().backward()
    a.step()
    v = torch.tensor(w.numpy().copy(), requires_grad=True)
    b, state = torch.optim.Muon([v]), a.state_dict()
    state["state"][0]["momentum_buffer"] = torch.tensor(state["state"][0]["momentum_buffer"])
    b.load_state_dict(state)
    for p, optimizer in ((w, a), (v, b)):
        optimizer.zero_grad()
        (p * p).sum().backward()
        optimizer.step()
    np.testing.assert_allclose(w.numpy(), v.detach().numpy(), atol=2e-3)  # theirs in bfloat16


def test_lbfgs_states_move_both_ways():
    rng = np.random.default_rng(0)
    m, start = rng.standard_normal((12, 5)), rng.standard_normal(5)

    def made(lib):
        p = mt.Tensor(np.array(start), requires_grad=True) if lib is mt.optim else torch.tensor(start).requires_grad_()
        optimizer = lib.LBFGS([p], lr=0.3, max_iter=4)
        matrix = mt.Tensor(m) if lib is mt.optim else torch.tensor(m)

        def closure():
            optimizer.zero_grad()
            r = matrix @ p - 1
            loss = (r * r).sum() + (p**4).sum()
            loss.backward()
            return loss

        return p, optimizer, closure

    for first, second in ((torch.optim, mt.optim), (mt.optim, torch.optim)):
        p, a, closure = made(first)
        a.step(closure)
        q, b, other = made(second)
        q.data[...] = p.detach().numpy() if second is mt.optim else torch.tensor(p.numpy())
        state = a.state_dict()
        if second is torch.optim:
            entry = {k: torch.tensor(v) if isinstance(v, np.ndarray) else v for k, v in state["state"][0].items()}
            entry |= {k: [torch.tensor(v) for v in entry[k]] for k in ("old_dirs", "old_stps", "ro")}
            state = {**state, "state": {0: entry}}
        b.load_state_dict(state)
        a.step(closure), b.step(other)
        np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=1e-8)  # roundings grow by 4 iterations


@pytest.mark.parametrize(
    ("name", "settings", "theirs"),
    [
        ("Adam", {"maximize": True}, "Adam"),
        ("SGD", {"maximize": True}, "SGD"),
        ("AdamW", {}, "Adam"),
        ("Adam", {}, "AdamW"),
        ("Muon", {"adjust_lr_fn": "match_rms_adamw"}, "Muon"),
    ],
)
def test_states_of_what_is_not_offered_are_refused(name, settings, theirs):
    w = torch.zeros(2, 2, requires_grad=True)
    state = getattr(torch.optim, name)([w], **settings).state_dict()
    with pytest.raises(mt.errors.StateDictError, match="does not offer"):
        getattr(mt.optim, theirs)([mt.nn.Parameter(np.zeros((2, 2)))]).load_state_dict(state)


def test_edited_groups_are_what_is_trained():
    """Lists replaced, emptied, added to, put back; groups taken out and added: step by step as PyTorch."""

    def edits(groups, w):
        yield
        groups[0]["params"] = [w[1]]
        yield
        groups[0]["params"].append(w[0])
        yield
        groups[0]["params"][:] = []
        yield
        groups[0]["params"] = [w[0], w[1]]
        groups.append({**groups[0], "params": [w[2]], "lr": 0.5})
        yield
        del groups[0]
        yield

    found = []
    for lib, make in (
        (mt.optim, lambda: mt.nn.Parameter(np.ones(2))),
        (torch.optim, lambda: torch.nn.Parameter(torch.ones(2, dtype=torch.float64))),
    ):
        w = [make() for _ in range(3)]
        optimizer = lib.AdamW([w[0]], lr=0.1)
        for k, _ in enumerate(edits(optimizer.param_groups, w)):
            optimizer.zero_grad()
            sum((p * p * (i + 1 + k)).sum() for i, p in enumerate(w)).backward()
            optimizer.step()
            for p in w:
                p.grad = None
        found.append(np.array([p.detach().numpy() for p in w]))
    np.testing.assert_allclose(found[0], found[1], rtol=1e-12)
