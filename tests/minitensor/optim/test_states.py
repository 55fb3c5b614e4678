"""What optimizers are made of and made to load: groups, edits, settings; a state that does not fit changes nothing."""

import copy
import math

import numpy as np
import pytest

import minitensor as mt
from minitensor import nn, optim
from minitensor.errors import StateDictError

MAKE = {
    "SGD": {"momentum": 0.9},
    "Adam": {"amsgrad": True},
    "AdamW": {},
    "NAdam": {},
    "RAdam": {},
    "RMSprop": {"momentum": 0.5, "centered": True},
    "Adagrad": {},
    "Lion": {},
    "LARS": {},
    "LAMB": {},
    "Muon": {},
    "LBFGS": {},
}


def made(name, steps=0, seed=0):
    """A matrix and its optimizer, after some steps."""
    w = nn.Parameter(np.random.default_rng(seed).standard_normal((3, 2)))
    optimizer = getattr(optim, name)([w], **MAKE[name])

    def closure():
        optimizer.zero_grad()
        loss = ((w - 2.0) ** 2).sum()
        loss.backward()
        return loss

    for _ in range(steps):
        optimizer.step(closure)
    return w, optimizer, closure


def same(a, b):
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return np.array_equal(a, b)


def broken(state):
    """Yield a name, and a state with one fault, the last thing that is looked at."""
    entry, group = state["state"][0], state["param_groups"][0]
    name = next(k for k, v in entry.items() if isinstance(v, np.ndarray))

    def with_entry(**changed):
        return {**state, "state": {0: {**entry, **changed}}}

    yield "no dict", [1]
    yield "nothing", {}
    yield "no groups", {"state": state["state"]}
    yield "groups of another kind", {**state, "param_groups": [3]}
    yield "two groups", {**state, "param_groups": [group, group]}
    yield "lr a text", {**state, "param_groups": [{**group, "lr": "0.1"}]}
    yield "lr nan", {**state, "param_groups": [{**group, "lr": math.nan}]}
    yield "state a list", {**state, "state": [entry]}
    yield "an entry of no parameter", {**state, "state": {0: entry, 17: entry}}
    yield "an entry a number", {**state, "state": {0: 5}}
    yield "another array", with_entry(foreign=np.ones(1))
    yield "an array missing", {**state, "state": {0: {k: v for k, v in entry.items() if k != name} | {"x": 1}}}
    yield "an array of another shape", with_entry(**{name: np.ones((7, 7))})
    yield "an array of texts", with_entry(**{name: np.full((3, 2), "x")})
    yield "a ragged array", with_entry(**{name: [[1.0], [1.0, 2.0]]})
    yield "a complex array", with_entry(**{name: np.full((3, 2), 1j)})
    for key in ("step", "n_iter", "mu_product"):
        if key in entry:
            for value in (math.nan, math.inf, -1, "x", [1, 2]):
                if (key, value) != ("n_iter", -1):
                    yield f"{key}={value}", with_entry(**{key: value})
    if "betas" in group:
        yield "betas", {**state, "param_groups": [{**group, "betas": [0.9, 1.5]}]}


@pytest.mark.parametrize("name", MAKE)
def test_a_state_that_does_not_fit_changes_nothing(name):
    state = made(name, steps=2, seed=1)[1].state_dict()
    state["param_groups"][0]["lr"] = 0.123
    faults = list(broken(state))
    assert len(faults) > 12
    for fault, bad in faults:
        w, optimizer, _ = made(name, steps=1)
        before, weights = copy.deepcopy(optimizer.state_dict()), w.numpy().copy()
        with pytest.raises(StateDictError):
            optimizer.load_state_dict(bad)
        assert same(optimizer.state_dict(), before), fault
        np.testing.assert_array_equal(w.numpy(), weights)
    w, optimizer, _ = made(name)
    optimizer.load_state_dict(state)
    assert same(optimizer.state_dict(), state)


@pytest.mark.parametrize("name", sorted(set(MAKE) - {"LBFGS"}))
def test_edited_parameters_are_what_is_trained(name):
    a, optimizer, _ = made(name)
    b = nn.Parameter(np.ones((3, 2)))

    def step():
        optimizer.zero_grad()
        for p in (a, b):
            p.grad = None
        ((a + b) ** 2).sum().backward()
        before = a.numpy().copy(), b.numpy().copy()
        optimizer.step()
        return [not np.array_equal(x, p.numpy()) for x, p in zip(before, (a, b), strict=True)]

    assert step() == [True, False]
    optimizer.param_groups[0]["params"] = [b]
    assert step() == [False, True]
    optimizer.param_groups[0]["params"].append(a)
    assert step() == [True, True]
    optimizer.param_groups[0]["params"] = iter([a])
    assert step() == [True, False] and optimizer.param_groups[0]["params"] == [a]
    steps = optimizer.state_dict()["state"][0].get("step")
    assert steps == 3  # those of a: its moments waited for it
    for wrong, error in (
        ([np.ones(2)], TypeError),
        ([a * 2], ValueError),
        ("ab", TypeError),
        ({a}, TypeError),
        (3, TypeError),
    ):
        optimizer.param_groups[0]["params"] = wrong
        with pytest.raises(error):
            optimizer.step()
        optimizer.param_groups[0]["params"] = [a]
    assert step() == [True, False]


def test_groups_can_be_taken_out_and_put_in():
    a, b = nn.Parameter(np.ones(2)), nn.Parameter(np.ones(2))
    optimizer = optim.SGD([{"params": [a]}, {"params": [b], "lr": 0.5}], lr=1.0)
    (a + b).sum().backward()
    del optimizer.param_groups[0]
    optimizer.step()
    assert a.tolist() == [1, 1] and b.tolist() == [0.5, 0.5]
    optimizer.param_groups.append({"params": [a], "lr": 0.25, "name": "mine"})  # a key of somebody's own, as in PyTorch
    optimizer.step()
    assert a.tolist() == [0.75, 0.75] and b.tolist() == [0, 0]
    optimizer.param_groups.append({"params": [b]})
    with pytest.raises(ValueError, match="in two groups"):
        optimizer.step()
    assert a.tolist() == [0.75, 0.75] and len(optimizer.param_groups) == 3


def test_generators_are_listed_once_and_never_silently_empty():
    layer = nn.Linear(2, 2)
    groups = [{"params": layer.parameters()}]
    one, two = optim.SGD(groups, lr=1.0), optim.SGD(groups, lr=1.0)
    assert [len(o.param_groups[0]["params"]) for o in (one, two)] == [2, 2]
    used = layer.parameters()
    list(used)
    for call in (
        lambda: optim.SGD(used),
        lambda: optim.SGD([{"params": used}]),
        lambda: optim.SGD([{"params": layer.parameters()}, {"params": iter(())}]),
        lambda: one.add_param_group({"params": filter(None, [])}),
        lambda: optim.SGD(optim.decay_groups(used, 0.1)),
    ):
        with pytest.raises(ValueError, match="empty"):
            call()
    assert len(one.param_groups) == 1
    assert len(optim.SGD([{"params": []}, {"params": layer.parameters()}]).param_groups) == 2  # an empty list is a word
    for call in (lambda: optim.SGD(set(layer.parameters())), lambda: optim.SGD([{"params": set(layer.parameters())}])):
        with pytest.raises(TypeError, match="list.*got a set"):
            call()
    with pytest.raises(ValueError, match="a group is a dict"):
        optim.SGD([{"params": [layer.weight]}, layer.bias])


def test_momentum_that_is_switched_on_later_begins_with_the_gradient():
    w = nn.Parameter(np.zeros(1))
    optimizer = optim.SGD([w], lr=1.0, dampening=0.5)
    for momentum, expected in ((0.0, -1.0), (0.9, -2.0), (0.9, -2.0 - 1.4)):
        optimizer.param_groups[0]["momentum"] = momentum
        w.grad = mt.Tensor(np.ones(1))
        optimizer.step()
        assert w.item() == pytest.approx(expected)
    assert optim.SGD([nn.Parameter([1.0])]).state_dict()["state"] == {}


def test_nadams_product_is_of_the_settings_that_each_step_had():
    """And a step costs the same however many there were."""
    w, optimizer, _ = made("NAdam", steps=2)
    optimizer.param_groups[0]["betas"] = (0.5, 0.999)
    w.grad = mt.ones_like(w)
    optimizer.step()
    product = math.prod(b * (1 - 0.5 * 0.96 ** (t * 4e-3)) for t, b in ((1, 0.9), (2, 0.9), (3, 0.5)))
    assert optimizer.state_dict()["state"][0]["mu_product"] == pytest.approx(product)
    state = optimizer.state_dict()
    state["state"][0]["step"] = 10**18
    optimizer.load_state_dict(state)
    optimizer.step()
    assert np.isfinite(w.numpy()).all()


NUMBERS = (math.nan, -1.0, math.inf, "0.1", True, None, [0.1])
WRONG = {
    "SGD": {"lr": NUMBERS, "momentum": NUMBERS, "weight_decay": NUMBERS, "dampening": (math.nan, math.inf, "0", True)},
    "Adam": {"lr": NUMBERS, "eps": NUMBERS, "weight_decay": NUMBERS},
    "AdamW": {"lr": NUMBERS, "eps": NUMBERS, "weight_decay": NUMBERS},
    "NAdam": {"lr": NUMBERS, "eps": NUMBERS, "weight_decay": NUMBERS, "momentum_decay": NUMBERS},
    "RAdam": {"lr": NUMBERS, "eps": NUMBERS, "weight_decay": NUMBERS},
    "RMSprop": {"lr": NUMBERS, "eps": NUMBERS, "weight_decay": NUMBERS, "momentum": NUMBERS, "alpha": (*NUMBERS, 1.5)},
    "Adagrad": {k: NUMBERS for k in ("lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps")},
    "Lion": {"lr": NUMBERS, "weight_decay": NUMBERS},
    "LARS": {"lr": NUMBERS, "momentum": NUMBERS, "weight_decay": NUMBERS, "trust_coefficient": NUMBERS},
    "LAMB": {"lr": NUMBERS, "eps": NUMBERS, "weight_decay": NUMBERS},
    "Muon": {
        **{k: NUMBERS for k in ("lr", "momentum", "weight_decay", "eps")},
        "ns_steps": (-1, 2.5, "5", True),
        "ns_coefficients": ((1.0, 2.0), 3.0, "abc", (1.0, 2.0, math.nan)),
    },
    "LBFGS": {
        **{k: NUMBERS for k in ("lr", "tolerance_grad", "tolerance_change")},
        **{k: (0, -1, 2.5, "3", True) for k in ("max_iter", "max_eval", "history_size")},
        "line_search_fn": ("wolfe", 1),
    },
}
BETAS = (
    (0.9, 1.0),
    (-0.1, 0.9),
    (math.nan, 0.9),
    (0.9,),
    0.9,
    "ab",
    (0.9, 0.99, 0.999),
    ("0.9", "0.9"),
    (True, 0.5),
    None,
)
for _name in ("Adam", "AdamW", "NAdam", "RAdam", "Lion", "LAMB"):
    WRONG[_name]["betas"] = BETAS


@pytest.mark.parametrize("name", WRONG)
def test_settings_that_make_no_sense_are_refused(name):
    """As defaults, in a group, and in a group that is added."""
    make = getattr(optim, name)
    settings = make([nn.Parameter(np.ones((2, 2)))]).defaults
    assert set(settings) - {"nesterov", "amsgrad", "centered", "clip", "decoupled_weight_decay"} == set(WRONG[name])
    for setting, values in WRONG[name].items():
        for value in values:
            if setting == "max_eval" and value is None:
                continue
            for given in (lambda w: ([w], {setting: value}), lambda w: ([{"params": [w], setting: value}], {})):  # noqa: B023
                params, keywords = given(nn.Parameter(np.ones((2, 2))))
                with pytest.raises((ValueError, TypeError), match=f"{name}: .*{setting}"):
                    make(params, **keywords)


def test_settings_that_make_sense_are_taken():
    w = nn.Parameter(np.ones((2, 2)))
    optim.SGD([w], lr=0, momentum=1.5), optim.SGD([w], lr=mt.Tensor(0.1)), optim.SGD([w], lr=np.float32(0.1))
    optim.Adam([w], eps=0, betas=(0, 0)), optim.Adam([w], betas=[0.9, 0.99]), optim.RMSprop([w], alpha=1)
    for settings in ({"nesterov": True}, {"nesterov": True, "momentum": 0.9, "dampening": 0.1}):
        with pytest.raises(ValueError, match="nesterov needs a momentum, and no dampening"):
            optim.SGD([{"params": [w], **settings}])
