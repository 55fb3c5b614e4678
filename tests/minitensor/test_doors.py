"""The doors from and to NumPy: what comes in computes as an array of ours, what leaves a graph says so."""

import numpy as np
import pytest

import minitensor as mt
from minitensor import nn
from minitensor.composite import Composite
from minitensor.declaration import registry
from minitensor.errors import GradientError, InPlaceError
from tests.minitensor.cases import CASES

F = nn.functional
VALUES = np.array([[1.0, 2.0], [3.0, 4.0]])


def leaf(*values):
    return mt.Tensor(np.array(values if len(values) > 1 else values[0], float), requires_grad=True)


# -- arrays with rules of their own ----------------------------------------------------------------------------------


class Louder(np.ndarray):
    """A subclass whose products and reductions are wrong on purpose."""

    def __mul__(self, other):
        return np.asarray(self) * other + 1000

    def sum(self, *args, **settings):
        return -1.0

    def __array_finalize__(self, obj):
        pass


SUBCLASSES = {
    "matrix": np.matrix,
    "masked": np.ma.array,
    "recarray": lambda x: x.view(np.recarray),
    "own": lambda x: x.view(Louder),
}
ORDERS = {"native": "=", "little": "<", "big": ">"}
DOORS = {
    "Tensor": lambda a, t: mt.Tensor(a) * t,
    "right": lambda a, t: t * a,
    "left": lambda a, t: a * t,
    "function": lambda a, t: mt.multiply(t, a),
    "first": lambda a, t: mt.multiply(a, t),
    "list": lambda a, t: t * [a[0], a[1]] if type(a) is not np.matrix else t * [[*a[0].A1], [*a[1].A1]],
    "composite": lambda a, t: mt.where(t > 0, t, 0.0) * mt.stack([a, a])[1],
    "data": lambda a, t: _assigned(a) * t,
    "setitem": lambda a, t: _filled(a) * t,
    "state": lambda a, t: _loaded(a) * t,
    "parameter": lambda a, t: nn.Parameter(a) * t,
}


def _assigned(a):
    u = mt.Tensor(np.zeros((2, 2)))
    u.data = a
    return u.reshape(4).reshape(2, 2)


def _filled(a):
    u = mt.Tensor(np.zeros((2, 2)))
    u[...] = a
    return u


def _loaded(a):
    layer = nn.Linear(2, 2, bias=False)
    layer.to(dtype="float64")
    layer.load_state_dict({"weight": a})
    return layer.weight


@pytest.mark.filterwarnings("ignore:the matrix subclass")
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    ("door", "kind"),
    [(d, k) for d in DOORS for k in SUBCLASSES if (d, k) != ("left", "own")],  # its own __mul__
)
def test_subclasses_and_foreign_byte_orders_compute_as_arrays(door, kind, order):
    for dtype, tolerance in (("f8", 0), ("f4", 1e-6), ("i8", 0)):
        if door == "parameter" and dtype == "i8":
            continue
        a = SUBCLASSES[kind](VALUES.astype(ORDERS[order] + dtype))
        t = mt.Tensor(VALUES / 3, requires_grad=True)
        y = DOORS[door](a, t)
        assert type(y.data) is np.ndarray and y.dtype == np.float64 and y.dtype.isnative
        assert np.abs(y.numpy() - VALUES * VALUES / 3).max() <= tolerance
        assert y.sum().item() == pytest.approx(10.0) and (y**2).shape == (2, 2)
        y.sum().backward()
        assert np.array_equal(t.grad.numpy(), VALUES) and type(t.grad.data) is np.ndarray


@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_random_arrays_give_what_their_plain_twins_give():
    rng = np.random.default_rng(0)
    functions = (
        lambda t, a: t @ a, lambda t, a: t - a, lambda t, a: a / t, lambda t, a: mt.maximum(t, a),
        lambda t, a: F.mse_loss(t, mt.Tensor(a)), lambda t, a: F.huber_loss(t, a), lambda t, a: mt.concatenate([t, a]),
        lambda t, a: mt.sort(mt.Tensor(a)).sum() + t, lambda t, a: F.linear(t, a), lambda t, a: mt.outer(t, a),
        lambda t, a: mt.Tensor([a, a]), lambda t, a: mt.where(a > 0, t, a), lambda t, a: t[a > 0],
        lambda t, a: mt.take(t, np.abs(a).astype(a.dtype.newbyteorder(">").str.replace("f", "i")) % 3),
    )  # fmt: skip
    for _ in range(200):
        dtype = np.dtype(rng.choice(["f4", "f8", "i4", "i8"]))
        plain = rng.integers(-3, 3, (3, 3)).astype(dtype)
        foreign = SUBCLASSES[rng.choice([*SUBCLASSES])](plain.astype(dtype.newbyteorder(rng.choice([*"<>="]))))
        f, x = functions[rng.integers(len(functions))], rng.standard_normal((3, 3))
        results = []
        for a in (plain, foreign):
            t = mt.Tensor(x, requires_grad=True)
            y = f(t, a)
            if y.requires_grad:
                (y * y).sum().backward()
            results.append((y, t.grad))
        (y, g), (z, h) = results
        assert (
            type(z.data) is np.ndarray and y.dtype == z.dtype and np.array_equal(y.numpy(), z.numpy(), equal_nan=True)
        )
        assert (g is None) == (h is None) and (g is None or np.array_equal(g.numpy(), h.numpy(), equal_nan=True))


def test_memory_of_a_file_is_shared(tmp_path):
    a = np.memmap(tmp_path / "x", "f4", "w+", shape=(3,))
    t = mt.Tensor(a)
    t[0] = 7.0
    assert a[0] == 7 and type(t.data) is np.ndarray


@pytest.mark.parametrize(
    "take",
    [mt.Tensor, lambda a: mt.ones(3) * a, lambda a: mt.ones(3).__setitem__(..., a), lambda a: mt.ones(3) + [*a],
     lambda a: (mt.ones(3).requires_grad_() * 2).backward(a),
     lambda a: mt.grad(w := mt.ones(3).requires_grad_(), w, grad_outputs=a)],
)  # fmt: skip
def test_masked_entries_are_not_taken_for_numbers(take):
    with pytest.raises((TypeError, UserWarning), match="masked"):
        take(np.ma.array([1.0, 2.0, 3.0], mask=[0, 1, 0]))


@pytest.mark.parametrize(
    "a", [np.zeros(2, "O"), np.zeros(2, "M8[s]"), np.zeros(2, "m8[s]"), np.zeros(2, "U3"), np.zeros(2, "S2"),
          np.zeros(2, [("a", "i1"), ("b", "i1")]), np.zeros(2, [("a", "f4")]), np.zeros(2, "V2")]
)  # fmt: skip
def test_what_is_no_number_is_refused_at_every_door(a):
    t = mt.ones(2)
    for take in (
        mt.Tensor,
        lambda a: t * a,
        lambda a: a * t,
        lambda a: mt.Tensor([a]),
        lambda a: t + [a],
        lambda a: t.__setitem__(..., a),
        lambda a: mt.logical_and(t, a),
        lambda a: F.mse_loss(t, a),
        lambda a: (mt.ones(2).requires_grad_() * 2).backward(a),
        lambda a: (mt.ones(2).requires_grad_() * 2).backward([a]),
    ):
        with pytest.raises(TypeError, match="not supported|made of numbers"):
            take(a)


@pytest.mark.parametrize("value", [None, "1", object(), np.datetime64("2020"), [None, 1.0], ["a", "b"], {1.0}])
def test_what_is_no_number_is_not_written(value):
    t = mt.zeros(2)
    with pytest.raises(TypeError, match="made of numbers"):
        t[...] = value
    assert t.tolist() == [0, 0]


def test_numbers_are_written_as_exactly_as_they_fit():
    t = mt.zeros(3, dtype="float64")
    for value in (0.1, [0.1] * 3, (0.1, mt.Tensor(np.float64(0.1)), np.float64(0.1)), np.float64(0.1)):
        t[...] = 0
        t[...] = value
        assert t.tolist() == [0.1] * 3


def test_files_keep_numbers_of_another_byte_order(tmp_path):
    mt.save(tmp_path / "x.safetensors", {"x": np.array([1.5, 2.5], ">f8")})
    x, _ = mt.load(tmp_path / "x.safetensors")
    assert x["x"].tolist() == [1.5, 2.5] and x["x"].dtype.isnative
    with pytest.raises(TypeError, match="masked"):
        mt.save(tmp_path / "y.safetensors", {"y": np.ma.array([1.0, 2.0], mask=[0, 1])})


# -- lists -----------------------------------------------------------------------------------------------------------


def _nested(rng, inner, depth):
    return inner if not depth else [_nested(rng, inner, depth - 1), _nested(rng, inner, depth - 1)]


def test_lists_of_tensors_are_refused_at_any_depth_or_keep_their_dtype():
    rng, x = np.random.default_rng(1), leaf(1.0)
    for depth in range(1, 5):
        listed = _nested(rng, x, depth)
        for take in (
            mt.Tensor,
            lambda v: x + v,
            lambda v: v * x,
            mt.sum,
            np.array,
            np.asarray,
            mt.Tensor([0.0]).__add__,
            lambda v: mt.full(2, v),
        ):
            with pytest.raises(GradientError, match=r"stack|history"):
                take(listed)
        with mt.no_grad():
            assert mt.Tensor(listed).shape == (2,) * depth
        assert mt.Tensor(_nested(rng, x.detach(), depth)).dtype == np.float64
    assert mt.Tensor([[mt.Tensor(1.0), 2.5]]).dtype == np.float32
    assert mt.Tensor([0.1, 0.2], "float64")[0].item() == 0.1
    assert mt.Tensor([np.ones(2), [1, 2]]).dtype == np.float64
    assert mt.Tensor([np.float64(1.5), 2.0]).dtype == np.float32  # NumPy's scalars are weak, as in a call
    with pytest.raises(ValueError, match="rows have one length"):
        mt.Tensor([[1.0], [1.0, 2.0]])


# -- out of the graph ------------------------------------------------------------------------------------------------

LEAVES = {
    "norm": np.linalg.norm,
    "stack": lambda x: np.stack([x, x]),
    "where": lambda x: np.where([True, False], x, 0.0),
    "array": np.array,
    "asarray": np.asarray,
    "sum": np.sum,
    "mean": np.mean,
    "concatenate": lambda x: np.concatenate([x]),
    "einsum": lambda x: np.einsum("i->", x),
    "dot": lambda x: np.dot(np.ones(2), x),
    "method": lambda x: np.ones(2).dot(x),
    "clip": lambda x: np.clip(x, 0, 1),
    "fft": np.fft.fft,
    "sort": np.sort,
    "squeeze": np.squeeze,
    "diff": np.diff,
    "filled": lambda x: np.full(2, x),
    "assigned": lambda x: np.zeros(2).__setitem__(..., x),
    "std": np.std,
    "nested": lambda x: np.array([[x]]),
    "allclose": lambda x: np.allclose(x, 1),
    "where_": lambda x: np.where(x),
    "exp": np.exp,
    "maximum": lambda x: np.maximum(x, 0),
    "reduce": np.add.reduce,
    "interp": lambda x: np.interp(1, x, x),
}


@pytest.mark.parametrize("name", LEAVES)
def test_numpy_does_not_take_a_tensor_out_of_its_graph(name):
    x = leaf(3.0, 4.0)
    with pytest.raises(TypeError, match=r"detach\(\)|does not support ufuncs"):
        LEAVES[name](x)
    with pytest.raises(TypeError, match=r"detach\(\)|does not support ufuncs"):
        LEAVES[name](x * 2)
    if name not in ("exp", "maximum", "reduce"):
        plain = LEAVES[name](x.detach())
        assert not isinstance(plain, mt.Tensor)
        with mt.no_grad():
            LEAVES[name](x)


def test_what_asks_a_tensor_only_for_its_shape_or_a_number_is_answered():
    x = leaf(3.0, 4.0)
    assert np.shape(x) == (2,) and np.ndim(x) == 1 and np.size(x) == 2 and np.zeros_like(x).tolist() == [0, 0]
    assert float(x[0]) == 3 and int(x[1]) == 4 and f"{x[0]:.1f}" == "3.0" and x.tolist() == [3, 4]
    assert x.numpy().tolist() == [3, 4] and x.detach().numpy().tolist() == [3, 4]
    assert (np.ones(2) * x).requires_grad and (np.float64(2) * x).requires_grad


def test_dlpack_refuses_a_tensor_that_requires_grad():
    x = leaf(3.0, 4.0)
    for take in (np.from_dlpack, mt.from_dlpack):
        with pytest.raises(BufferError, match="detach"):
            take(x)
        assert take(x.detach()).tolist() == [3, 4]
    u = x.detach()
    y = (x * x).sum()
    mt.from_dlpack(u)[0] = 9.0
    with pytest.raises(InPlaceError):
        y.backward()


# -- versions --------------------------------------------------------------------------------------------------------

SHARING = {
    "Tensor": mt.Tensor,
    "Tensor of a dtype": lambda t: mt.Tensor(t, "float64"),
    "Parameter": nn.Parameter,
    "on the cpu": lambda t: mt.Tensor(t, device="cpu"),
    "detach": lambda t: t.detach(),
    "twice": lambda t: mt.Tensor(mt.Tensor(t)),
    "to": lambda t: t.detach().to("cpu"),
    "astype": lambda t: t.detach().astype("float64"),
    "dlpack": lambda t: mt.from_dlpack(t.detach()),
    "view": lambda t: t.detach().reshape(2, 1),
    "slice": lambda t: t.detach()[:1],
    "T": lambda t: t.detach().T,
    "real": lambda t: t.detach().real,
    "flatten": lambda t: t.detach().flatten(),
    "clone": lambda t: t.detach().clone(),
    "conj": lambda t: t.detach().conj(),
    "clip": lambda t: t.detach().clip(0),
    "nan_to_num": lambda t: mt.nan_to_num(t.detach()),
    "split": lambda t: t.detach().split(2)[0],
    "squeeze": lambda t: t.detach().squeeze(),
    "atleast": lambda t: mt.atleast_1d(t.detach()),
    "float": lambda t: t.detach().to(dtype="float64"),
}


@pytest.mark.parametrize("name", SHARING)
def test_a_change_through_shared_memory_is_seen(name):
    t = leaf(1.0, 2.0)
    y = (t * t).sum()
    u = SHARING[name](t)
    with mt.no_grad():
        u[0] = 10.0
    if np.shares_memory(u.data, t.data):
        assert t.data[0] == 10
        with pytest.raises(InPlaceError):
            y.backward()
    else:
        y.backward()
        assert t.grad.tolist() == [2, 4]


@pytest.mark.parametrize("case", [pytest.param(c, id=c.id) for c in CASES])
def test_results_that_share_memory_share_the_version(case):
    inputs = [mt.Tensor(a) if isinstance(a, np.ndarray) else a for a in case.args]
    y = case.op(*inputs, **case.settings)
    for v in y if isinstance(y, (tuple, list)) else (y,):
        for t in inputs:
            if isinstance(t, mt.Tensor) and isinstance(v, mt.Tensor) and np.shares_memory(v.data, t.data):
                assert v is t or v.version is t.version is not None


# -- settings --------------------------------------------------------------------------------------------------------

COMPOSITES = {}
for _case in CASES:
    if isinstance(_case.op, Composite):
        COMPOSITES.setdefault(_case.op.name, _case)
SETTINGS = [(name, setting) for name, case in COMPOSITES.items() for setting in case.op.defaults]


def test_every_composite_with_settings_is_tried():
    ours = {
        d.name for k, d in registry.items() if isinstance(d, Composite) and d.defaults and k.startswith("minitensor.")
    }
    assert ours <= {name for name, _ in SETTINGS}


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize(("name", "setting"), SETTINGS)
def test_a_tensor_as_a_setting_is_differentiated_or_refused(name, setting, fused):
    """Ops refuse every Tensor; composites one whose gradient would be lost, whatever the setting means."""
    case = COMPOSITES[name]
    value = {**case.op.defaults, **case.settings}[setting]
    args = [mt.Tensor(a) if isinstance(a, np.ndarray) and a.dtype.kind in "fc" else a for a in case.args]
    x = leaf(float(value) if isinstance(value, (int, float)) else 1.0)
    for given in (x, [x, x], (1, x * 1)):
        with mt.enable_grad() if fused else mt.unfused():
            if setting not in case.op.array_settings:
                with pytest.raises(TypeError, match=f"{name}.*{setting!r}.*Tensor"):
                    case.op(*args, **{**case.settings, setting: given})
    if isinstance(value, float) and setting not in case.op.array_settings:
        with mt.enable_grad() if fused else mt.unfused():
            y = case.op(*args, **{**case.settings, setting: x.detach()})
            z = case.op(*args, **{**case.settings, setting: value})
        y, z = (v[0] if isinstance(v, tuple) else v for v in (y, z))
        assert type(y.data) is np.ndarray and np.array_equal(y.numpy(), z.numpy(), equal_nan=True)


TWO = np.ones((2, 1))


@pytest.mark.parametrize(
    "loss", [
        lambda x, t, w: F.binary_cross_entropy_with_logits(x, t, pos_weight=w),
        lambda x, t, w: F.huber_loss(x, t, weight=w[None] * TWO), lambda x, t, w: F.l1_loss(x, t, weight=w[None] * TWO),
        lambda x, t, w: F.mse_loss(x, t, weight=w[None] * TWO),
        lambda x, t, w: F.multi_margin_loss(x, np.array([0, 1]), weight=w),
    ]
)  # fmt: skip
def test_weights_of_losses_have_gradients_fused_and_not(loss):
    rng, found = np.random.default_rng(0), []
    x, t, w = rng.standard_normal((2, 3)), rng.random((2, 3)), rng.random(3)
    for context in (mt.enable_grad, mt.unfused):
        weight = leaf(w)
        with context():
            loss(mt.Tensor(x), mt.Tensor(t), weight).backward()
        found.append(weight.grad.numpy())
    h = 1e-6 * np.array([1.0, 0.0, 0.0])
    slope = (loss(mt.Tensor(x), mt.Tensor(t), w + h).item() - loss(mt.Tensor(x), mt.Tensor(t), w - h).item()) / 2e-6
    assert found[0][0] == pytest.approx(slope, abs=1e-6) and np.array_equal(*found)
