import json

import numpy as np
import pytest

import minitensor as mt
import tests.minitensor.fake_cupy as fake_cupy
from minitensor import nn, optim, threads
from minitensor.errors import InPlaceError, StateDictError
from minitensor.optim import flat

# rates with which no loss of the last sixty steps is above the limit below, so that no rounding decides a test
MAKE = {
    "sgd": lambda p: optim.SGD(p, lr=0.1),
    "momentum": lambda p: optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "adam": lambda p: optim.Adam(p, lr=0.01, weight_decay=1e-3),
    "adamw": lambda p: optim.AdamW(p, lr=0.05),
    "amsgrad": lambda p: optim.Adam(p, lr=0.05, amsgrad=True),
    "rmsprop": lambda p: optim.RMSprop(p, lr=0.002, momentum=0.5, centered=True),
    "adagrad": lambda p: optim.Adagrad(p, lr=0.2),
    "nadam": lambda p: optim.NAdam(p, lr=0.005),
    "radam": lambda p: optim.RAdam(p, lr=0.1),
    "lion": lambda p: optim.Lion(p, lr=0.005),
    "lars": lambda p: optim.LARS(p, lr=1.0, trust_coefficient=0.01),
    "lamb": lambda p: optim.LAMB(p, lr=0.005),
}


def model(seed=0):
    mt.manual_seed(seed)
    # no bias before batch norm: its gradient is rounding noise, which Adam would make as large as any other
    return nn.Sequential(nn.Linear(3, 16, bias=False), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 2))


def data(seed=0):
    rng = np.random.default_rng(seed)
    return mt.Tensor(rng.standard_normal((8, 3)).astype(np.float32)), mt.Tensor(
        rng.standard_normal((8, 2)).astype(np.float32)
    )


def step(net, optimizer, x, y):
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(net(x), y)
    loss.backward()
    optimizer.step()
    return loss.item()


def are_views(net):
    flats = {id(p.home[0]): p.home[0] for p in net.parameters()}
    return len(flats) == 1 and all(
        np.shares_memory(p.data, p.home[0].data) and np.shares_memory(p.slot, p.home[0].grad) for p in net.parameters()
    )


@pytest.mark.parametrize("name", MAKE)
def test_overfits_eight_points(name):
    net, (x, y) = model(), data()
    optimizer = MAKE[name](net.parameters())
    losses = [step(net, optimizer, x, y) for _ in range(300)]
    assert losses[-1] < 0.02 * losses[0]


def test_parameters_and_gradients_are_views_and_stay_so():
    net, (x, y) = model(), data()
    before = net.state_dict()
    optimizer = MAKE["adamw"](net.parameters())
    assert are_views(net) and all(np.array_equal(v, before[k]) for k, v in net.state_dict().items())
    views = [p.data for p in net.parameters()]
    step(net, optimizer, x, y)
    assert all(p.grad.data is p.slot for p in net.parameters())
    net.load_state_dict(before)
    optimizer.zero_grad()
    assert all(p.grad is None for p in net.parameters())
    step(net, optimizer, x, y)
    assert are_views(net) and all(p.data is v for p, v in zip(net.parameters(), views, strict=True))


def test_gradients_accumulate_in_the_slot():
    net, (x, y) = model(), data()
    optim.SGD(net.parameters())
    net.eval()
    nn.functional.mse_loss(net(x), y).backward()
    once = [p.grad.numpy().copy() for p in net.parameters()]
    nn.functional.mse_loss(net(x), y).backward()
    for p, g in zip(net.parameters(), once, strict=True):
        np.testing.assert_allclose(p.grad.numpy(), 2 * g, rtol=1e-6)
        assert p.grad.data is p.slot


def test_small_blocks_give_the_same_bits(monkeypatch):
    results = []
    for block in (flat.BLOCK, 7):
        monkeypatch.setattr(flat, "BLOCK", block)
        net, (x, y) = model(), data()
        optimizer = MAKE["adam"](net.parameters())
        for _ in range(3):
            step(net, optimizer, x, y)
        results.append(net.state_dict())
    assert all(np.array_equal(v, results[1][k]) for k, v in results[0].items())


@pytest.mark.parametrize("name", MAKE)
def test_state_survives_json_and_goes_on_bit_by_bit(name):
    net, (x, y) = model(), data()
    optimizer = MAKE[name](net.parameters())
    for _ in range(3):
        step(net, optimizer, x, y)
    weights, state = net.state_dict(), optimizer.state_dict()
    text = json.dumps(state["param_groups"])
    arrays = {str(k): v for k, v in state["state"].items()}
    expected = [step(net, optimizer, x, y) for _ in range(3)]
    other = model(1)
    again = MAKE[name](other.parameters())
    other.load_state_dict(weights)
    again.load_state_dict({"state": arrays, "param_groups": json.loads(text)})
    assert [step(other, again, x, y) for _ in range(3)] == expected
    assert all(np.array_equal(v, net.state_dict()[k]) for k, v in other.state_dict().items())
    assert are_views(other)


def test_state_that_does_not_fit_is_named():
    optimizer = MAKE["adamw"](model().parameters())
    state = optimizer.state_dict()
    with pytest.raises(StateDictError, match=r"groups of \[2\] parameters; this AdamW of \[5\]"):
        optimizer.load_state_dict({"state": {}, "param_groups": [{"params": [0, 1]}]})
    with pytest.raises(StateDictError, match=r"exp_avg of parameter 0 is \(3,\); the parameter is \(16, 3\)"):
        optimizer.load_state_dict(state | {"state": {0: {"step": 1, "exp_avg": np.zeros(3)}}})


def test_moving_the_layer_afterwards_takes_the_moments_along():
    """Both in float64 (the same numbers as one that always was) and to another device and back."""
    x, y = (t.astype("float64") for t in data())
    results = []
    for when in (0, 2):
        net = model()
        optimizer = None
        for i in range(4):
            if i == when:
                net.to(dtype="float64")
            optimizer = optimizer or MAKE["adamw"](net.parameters())
            inputs = (x, y) if i >= when else (x.astype("float32"), y.astype("float32"))
            step(net, optimizer, *inputs)
        assert are_views(net) and optimizer.state_dict()["state"][0]["exp_avg"].dtype == np.float64
        results.append(net.state_dict())
    for k, v in results[0].items():
        np.testing.assert_allclose(v, results[1][k], rtol=1e-3, atol=1e-4)


def test_on_the_strict_device():
    """The same bits as on the CPU, with nothing of NumPy meeting a device array."""
    for name, make in MAKE.items():
        results = []
        for device in ("cpu", "fake"):
            net, (x, y) = model(), data()
            net.to(device)
            target = model(1).to(device)
            optimizer, ema = make(net.parameters()), optim.EMA(target, net)
            for _ in range(3):
                optimizer.zero_grad()
                nn.functional.mse_loss(net(x.to(device)), y.to(device)).backward()
                norm = optim.clip_grad_norm_(net.parameters(), 0.5)
                assert norm.device == device
                optimizer.step()
                ema.update(0.9)
            results.append(net.state_dict() | {f"target.{k}": v for k, v in target.state_dict().items()})
        for k, v in results[0].items():
            np.testing.assert_allclose(v, results[1][k], rtol=2e-4, atol=1e-5, err_msg=f"{name} {k}")
    assert "sqrt" in fake_cupy.calls


def test_moving_between_devices_with_state():
    net, (x, y) = model(), data()
    optimizer = MAKE["momentum"](net.parameters())
    step(net, optimizer, x, y)
    before = optimizer.state_dict()["state"]
    net.to("fake")
    step(net, optimizer, x.to("fake"), y.to("fake"))
    net.to("cpu")
    optimizer.param_groups[0] |= {"lr": 0.0, "momentum": 1.0, "weight_decay": 0.0}
    optimizer.zero_grad()
    optimizer.step()
    assert net[0].weight.device == "cpu" and are_views(net)
    after = optimizer.state_dict()["state"]
    assert after[0]["step"] == 2 and not np.array_equal(before[0]["momentum_buffer"], after[0]["momentum_buffer"])


def test_shared_frozen_and_doubled_parameters():
    a, b = nn.Linear(2, 2), nn.Linear(2, 2)
    b.requires_grad_(False)
    frozen = b.state_dict()
    optimizer = optim.SGD([*a.parameters(), *a.parameters(), *b.parameters()], lr=1.0)
    assert len(optimizer.param_groups[0]["params"]) == 4
    before = a.weight.numpy().copy()
    a(b(mt.ones((1, 2)))).sum().backward()
    g = a.weight.grad.numpy().copy()
    optimizer.step()
    np.testing.assert_allclose(a.weight.numpy(), before - g, rtol=1e-6)  # once, although passed twice
    assert all(np.array_equal(v, frozen[k]) for k, v in b.state_dict().items())


def test_two_optimizers_over_the_same_parameters_take_turns():
    results = []
    for doubled in (False, True):
        net, (x, y) = model(), data()
        first = optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
        second = optim.SGD(net.parameters(), lr=0.0) if doubled else None
        for _ in range(3):
            step(net, first, x, y)
            if second:
                second.step()
        assert are_views(net)
        results.append(net.state_dict())
    assert all(np.array_equal(v, results[1][k]) for k, v in results[0].items())


def test_plain_tensors_and_assigned_gradients():
    x = mt.Tensor([1.0, 2.0], requires_grad=True)
    p = nn.Parameter([1.0])
    optimizer = optim.SGD([x, p], lr=0.5)
    (x * x).sum().backward()
    p.grad = mt.Tensor([4.0])
    optimizer.step()
    assert x.tolist() == [0, 0] and p.tolist() == [-1]
    p.data = np.zeros(2, np.float32)
    with pytest.raises(ValueError, match=r"a gradient of shape \(1,\) belongs to a parameter of shape \(2,\)"):
        optimizer.step()


def test_half_precision_is_stored_and_computed_in_float32():
    p, q = nn.Parameter(np.full(3, 1.0, np.float16)), nn.Parameter(np.full(3, 1.0, np.float32))
    for parameter in (p, q):
        optimizer = optim.Adam([parameter], lr=0.125)
        for _ in range(3):
            parameter.grad = mt.Tensor(np.full(3, 1e-4, parameter.dtype))  # its square is no float16
            optimizer.step()
    np.testing.assert_allclose(p.numpy(), q.numpy(), rtol=1e-3)
    assert p.dtype == np.float16
    p.grad = mt.Tensor(np.full(3, 300, np.float16))  # nor is this one's
    assert optim.clip_grad_norm_([p], 1.0).item() == pytest.approx(300 * 3**0.5)
    np.testing.assert_allclose(p.grad.numpy(), 3**-0.5, rtol=1e-3)


def test_a_step_is_an_in_place_change():
    p = nn.Parameter([1.0, 2.0])
    optimizer = optim.SGD([p], lr=0.1)
    p.grad = mt.Tensor([1.0, 1.0])
    y = (p * p).sum()
    optimizer.step()
    with pytest.raises(InPlaceError, match="changed in place"):
        y.backward()


@pytest.mark.parametrize(
    "make, text",
    [
        (lambda: optim.SGD([]), "given no parameters"),
        (lambda: optim.SGD([np.zeros(3)]), "takes Tensors; got a ndarray"),
        (lambda: optim.SGD([mt.Tensor([1, 2])]), "takes float leaves"),
        (lambda: optim.SGD([{"params": [nn.Parameter([1.0])], "rate": 1}]), "no setting 'rate': it has lr, momentum"),
        (lambda: optim.SGD([nn.Parameter([1.0])], nesterov=True), "nesterov needs a momentum"),
        (lambda: optim.Adam([nn.Parameter([1.0])], betas=(0.9, 1.0)), "betas lie in"),
    ],
)
def test_mistakes_are_named(make, text):
    with pytest.raises((ValueError, TypeError), match=text):
        make()


def test_one_parameter_in_two_groups_is_refused():
    p = nn.Parameter([1.0])
    with pytest.raises(ValueError, match="in two groups"):
        optim.SGD([{"params": [p]}, {"params": [p]}])


def test_groups_can_be_added_and_show_themselves():
    net, (x, y) = model(), data()
    optimizer = optim.SGD(net[0].parameters(), lr=0.1, momentum=0.9)
    step(net, optimizer, x, y)
    optimizer.add_param_group({"params": net[3].parameters(), "lr": 0.5})
    net.zero_grad()
    step(net, optimizer, x, y)
    assert [e["step"] for e in optimizer.state_dict()["state"].values()] == [2, 1, 1]
    assert repr(optimizer).startswith("SGD(1 parameters, lr=0.1, momentum=0.9") and "lr=0.5" in repr(optimizer)


@pytest.mark.parametrize("name", MAKE)
def test_threads_change_no_bit(name, monkeypatch):
    """Parameters, moments and moving average, over stretches of odd lengths that several threads take turns at."""
    monkeypatch.setattr(threads, "LEAST", 1)
    monkeypatch.setattr(flat, "BLOCK", 7)
    found, before = [], mt.get_num_threads()
    for count in (1, 2, 3):
        mt.set_num_threads(count)
        net, target = model(), model(1)
        optimizer, average = MAKE[name](net.parameters()), optim.EMA(target, net)
        x, y = data()
        for _ in range(3):
            optimizer.zero_grad()
            nn.functional.mse_loss(net(x), y).backward()
            optimizer.step()
            average.update(0.9)
        found.append([p.numpy().copy() for p in (*net.parameters(), *target.parameters())])
    mt.set_num_threads(before)
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(a, b)
