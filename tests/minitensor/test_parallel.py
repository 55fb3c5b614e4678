"""A batch in parts gives what it gives whole: values, gradients, running statistics; and always the same bits."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import minitensor as mt
from minitensor import nn
from minitensor import threads as threads_module
from minitensor.errors import GradientError, ParallelError
from minitensor.nn import functional as F
from minitensor.threads import member

rng = np.random.default_rng(0)
X = rng.standard_normal((19, 3, 6, 6))


@pytest.fixture(autouse=True)
def threads():
    before = mt.get_num_threads()
    yield
    mt.set_num_threads(before)


def network():
    """Return a network in float64, with batch norm inside."""
    mt.manual_seed(0)
    net = mt.nn.Sequential(
        mt.nn.Conv2d(3, 4, 3, padding=1, bias=False), mt.nn.BatchNorm2d(4), mt.nn.ReLU(), mt.nn.Flatten(),
        mt.nn.Linear(144, 5, bias=False), mt.nn.BatchNorm1d(5, affine=False, momentum=None),
    )  # fmt: skip
    for p in net.parameters():
        p.data = p.data.astype(np.float64)
    return net


def step(count: int, fused: bool = True) -> list[np.ndarray]:
    """Return value, gradients and buffers of one training step whose loss compares samples."""
    net = network()
    mt.set_num_threads(count)
    with mt.enable_grad() if fused else mt.unfused():
        y = mt.data_parallel(lambda x: net(mt.Tensor(x)), X)
        (y @ y.T).exp().mean().backward()
    return [y.numpy(), *(p.grad.numpy() for p in net.parameters()), *(b.numpy() for b in net.buffers())]


@pytest.mark.parametrize("fused", [True, False])
def test_parts_are_as_the_whole(fused):
    whole, parts, again = step(1, fused), step(2, fused), step(2, fused)
    for a, b, c in zip(whole, parts, again, strict=True):
        np.testing.assert_allclose(b, a, rtol=0, atol=1e-11 * np.abs(a).max())  # sums in another order
        np.testing.assert_array_equal(b, c)


def test_it_runs_in_several_threads():
    mt.set_num_threads(2)
    seen = []
    mt.data_parallel(lambda x: seen.append((threading.get_ident(), len(x), mt.get_num_threads())) or x, np.ones(17))
    assert len({ident for ident, _, _ in seen}) == 2 and sorted(n for _, n, _ in seen) == [8, 9]
    assert mt.get_num_threads() == 2 and member.team is None


def test_few_samples_stay_together():
    mt.set_num_threads(2)
    assert mt.data_parallel(lambda x: np.array([len(x)]), np.ones(15)).tolist() == [15]
    assert mt.data_parallel(lambda x: np.array([len(x)]), np.ones(16)).tolist() == [8, 8]


def test_trees_of_arguments_and_results():
    mt.set_num_threads(2)
    scale = mt.Tensor([3.0], requires_grad=True)

    def f(tree, none, factor):
        a, (b,) = tree["a"], tree["b"]
        return {"y": (a * scale * factor, [b]), "none": none}

    out = mt.data_parallel(f, {"a": mt.ones((16, 2)), "b": (np.arange(16),)}, None, 2.0)
    assert out["none"] is None and isinstance(out["y"][1][0], np.ndarray)
    np.testing.assert_array_equal(out["y"][1][0], np.arange(16))
    out["y"][0].sum().backward()
    assert scale.grad.tolist() == [2.0 * 32]


def test_gradients_reach_arguments_too():
    mt.set_num_threads(2)
    x = mt.Tensor(rng.standard_normal((16, 3)), requires_grad=True)
    (mt.data_parallel(lambda x: x * x, x) * 3).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 6 * x.numpy())


def test_what_needs_no_gradient_has_none():
    mt.set_num_threads(2)
    w = mt.Tensor([1.0], requires_grad=True)
    y, constant = mt.data_parallel(lambda x: (x * w, x * 2), mt.ones((16, 1)))
    assert y.requires_grad and not constant.requires_grad
    with mt.no_grad():
        assert not mt.data_parallel(lambda x: x * w, mt.ones((16, 1))).requires_grad


def test_dropout_draws_the_same_again():
    layer = mt.nn.Dropout(0.5)
    mt.set_num_threads(2)

    def draw():
        mt.manual_seed(3)
        return mt.data_parallel(layer, mt.ones((32, 8))).numpy()

    first = draw()
    np.testing.assert_array_equal(first, draw())
    assert not np.array_equal(first[:16], first[16:])


def test_a_failure_in_one_part_is_raised_and_leaves_nothing_behind():
    mt.set_num_threads(2)
    norm = mt.nn.BatchNorm1d(2)

    def f(x, k):
        if k[0]:
            raise KeyError("in the second part")
        return norm(mt.Tensor(x))  # which waits for the other part

    with pytest.raises(KeyError, match="in the second part"):
        mt.data_parallel(f, np.ones((16, 2)), np.arange(16) // 8)
    assert mt.get_num_threads() == 2 and member.team is None
    assert mt.data_parallel(lambda x: x, np.ones(16)).shape == (16,)


def test_refusals():
    mt.set_num_threads(2)
    with pytest.raises(ValueError, match=r"first axes are \[16, 17\] long"):
        mt.data_parallel(lambda x, y: x, np.ones(16), np.ones(17))
    with pytest.raises(TypeError, match="returns Tensors or arrays; it returned float"):
        mt.data_parallel(lambda x: float(x.sum()), np.ones(16))
    x = mt.Tensor(np.ones(16), requires_grad=True)
    y = mt.data_parallel(lambda x: x * x, x).sum()
    with pytest.raises(GradientError, match="first derivatives only"):
        mt.grad(y, [x], create_graph=True)
    y = mt.data_parallel(lambda x: x * x, x).sum()
    y.backward()
    with pytest.raises(GradientError, match="a second time"):
        y.backward()
    for count in (0, -1, 1.5, True):
        with pytest.raises(ValueError, match="number of threads"):
            mt.set_num_threads(count)


@pytest.mark.parametrize(("value", "count"), [("3", 3), ("", None), ("0", None), ("2,2", None)])
def test_a_blas_that_cannot_be_asked(monkeypatch, value, count):
    monkeypatch.setattr(threads_module, "_controllers", list)
    monkeypatch.setattr(threads_module, "_count", None)
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert mt.get_num_threads() == (count or os.cpu_count())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of a fork beside threads, which is what this is about
def test_a_forked_process_has_threads_of_its_own():
    mt.set_num_threads(2)
    assert threads_module.together(lambda rank: rank, 2) == [0, 1]
    child = os.fork()
    if not child:
        found = []
        worker = threading.Thread(
            target=lambda: found.extend(threads_module.together(lambda rank: rank, 2)), daemon=True
        )
        worker.start()
        worker.join(20)
        os._exit(0 if found == [0, 1] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("count", [1, 2, 3])
def test_pieces_are_all_done_once_whoever_does_them(count):
    mt.set_num_threads(count)
    calls = []
    threads_module.shared(lambda pieces: calls.append(list(pieces)), range(7), 1 << 20)
    assert len(calls) == count and sorted(sum(calls, [])) == list(range(7))
    threads_module.shared(lambda pieces: calls.append(list(pieces)), range(7), 10)  # not worth a second thread
    assert calls[count:] == [list(range(7))]


def stateful():
    """Return layers whose state moves in forward, by name, with a batch of 24 whose parts differ."""
    x = mt.randn(24, 3, 4) + mt.Tensor(np.arange(24).reshape(24, 1, 1) / 4)
    return {
        "batch norm": (nn.BatchNorm1d(3), x),
        "instance norm": (nn.InstanceNorm1d(3, affine=True, track_running_stats=True), x),
        "instance norm of images": (nn.InstanceNorm2d(3, track_running_stats=True), x.reshape(24, 3, 2, 2)),
        "spectral norm": (nn.parametrizations.spectral_norm(nn.Linear(4, 4)), x),
        "spectral norm, several steps": (nn.parametrizations.spectral_norm(nn.Linear(4, 4), n_power_iterations=3), x),
        "weight norm": (nn.parametrizations.weight_norm(nn.Linear(4, 4)), x),
        "embedding with max_norm": (nn.Embedding(7, 3, max_norm=0.5), mt.Tensor(np.arange(24) % 7)),
    }


@pytest.mark.parametrize("within", ["alone", "checkpoint inside", "checkpoint outside"])
@pytest.mark.parametrize("name", stateful())
def test_state_is_that_of_the_whole_batch(name, within):
    def run(count):
        mt.set_num_threads(count)
        mt.manual_seed(0)
        layer, x = stateful()[name]
        f = (lambda v: mt.checkpoint(layer, v)) if within == "checkpoint inside" else layer
        for _ in range(3):
            if within == "checkpoint outside":
                y = mt.checkpoint(lambda v: mt.data_parallel(f, v), x)
            else:
                y = mt.data_parallel(f, x)
            if y.requires_grad:
                (y * y).sum().backward()
        found = [y, *(p.grad for p in layer.parameters()), *layer.state_dict().values()]
        return [np.asarray(v.data if isinstance(v, mt.Tensor) else v) for v in found]

    whole, parts, again = run(1), run(3), run(3)
    for a, b, c in zip(whole, parts, again, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-4)
        np.testing.assert_array_equal(b, c)


@pytest.mark.parametrize("name", ["dropout", "rrelu", "attention", "gru"])
def test_one_seed_gives_one_result_with_a_generator_of_the_layers_own_too(name):
    mt.set_num_threads(3)

    def run():
        mt.manual_seed(0)
        rng, gru = np.random.default_rng(1), nn.GRU(4, 4, 2, dropout=0.5, batch_first=True)
        f = {
            "dropout": lambda x: F.dropout(F.dropout(x, 0.5, generator=rng), 0.2),
            "rrelu": nn.RReLU(generator=rng),
            "attention": nn.TransformerEncoderLayer(4, 2, 8, dropout=0.5, batch_first=True, generator=rng),
            "gru": lambda x: gru(x)[0],
        }[name]
        x = mt.Tensor(np.random.default_rng(0).standard_normal((48, 3, 4)), requires_grad=True)
        ys = [mt.data_parallel(f, x), mt.data_parallel(f, x)]
        sum(ys).sum().backward()
        assert not np.array_equal(ys[0].numpy(), ys[1].numpy())
        return [ys[0].numpy(), x.grad.numpy(), np.array([mt.rand(1).item(), rng.random()])]

    first = run()
    for _ in range(4):
        for a, b in zip(first, run(), strict=True):
            np.testing.assert_array_equal(a, b)


def test_hooks_run_once_with_the_whole_gradient():
    mt.set_num_threads(2)
    seen = []

    def note(name, factor=1):
        return lambda g: seen.append((name, g.tolist())) or g * factor

    w = mt.Tensor(np.array([2.0]), requires_grad=True)
    x = mt.Tensor(np.ones((16, 1)), requires_grad=True)
    h = w * 3
    w.register_hook(note("w", 10))
    h.register_hook(note("h", 2))
    x.register_hook(note("x"))
    y = mt.data_parallel(lambda a: mt.checkpoint(lambda b: b * h * w, a), x)
    y.register_hook(note("y"))
    y.sum().backward()
    assert [name for name, _ in sorted(seen)] == ["h", "w", "x", "y"]
    assert dict(seen)["h"] == [32.0] and dict(seen)["w"] == [16 * 6 + 32 * 2 * 3.0]
    assert w.grad.tolist() == [10 * (96 + 192.0)]
    seen.clear()
    y = mt.data_parallel(lambda a: a * h.detach() * w, x)
    (g,) = mt.grad(y.sum(), x)  # not asked for: w's hook is left alone
    assert [name for name, _ in seen] == ["x"] and g.shape == (16, 1)


def test_any_part_may_need_a_gradient():
    mt.set_num_threads(2)
    w = mt.Tensor(np.array([3.0]), requires_grad=True)
    x = np.arange(16.0).reshape(16, 1)
    for f in (
        lambda a: mt.Tensor(a) * (w if a[0, 0] > 5 else 3.0),
        lambda a: mt.Tensor(a) * (w if a[0, 0] < 5 else 3.0),
    ):
        w.grad = None
        y = mt.data_parallel(f, x)
        np.testing.assert_array_equal(y.numpy(), 3 * x)
        y.sum().backward()
        assert w.grad.item() in (sum(range(8)), sum(range(8, 16)))


NORMS = [nn.BatchNorm1d(2), nn.BatchNorm1d(2), nn.InstanceNorm1d(2, track_running_stats=True)]
UNEQUAL = {
    "one part meets": lambda a, first: NORMS[0](a) if first else a * 1,
    "the other part meets": lambda a, first: a * 1 if first else NORMS[0](a),
    "once and twice": lambda a, first: NORMS[1](NORMS[0](a)) if first else NORMS[0](a),
    "in another order": lambda a, first: NORMS[1](NORMS[0](a)) if first else NORMS[0](NORMS[1](a)),
    "in another layer": lambda a, first: NORMS[0](a) if first else F.batch_norm(a, None, None, training=True),
    "in another kind": lambda a, first: NORMS[0](a) if first else NORMS[2](a.reshape(8, 2, 1).repeat(2, 2))[..., 0],
    "one fails": lambda a, first: NORMS[0](a) if first else [][0],
}


@pytest.mark.parametrize("name", UNEQUAL)
def test_parts_that_meet_unequally_raise(name):
    mt.set_num_threads(2)
    before = NORMS[0].running_mean.numpy().copy()
    x = np.arange(32.0).reshape(16, 2)
    with pytest.raises(IndexError if name == "one fails" else ParallelError):
        mt.data_parallel(lambda a: UNEQUAL[name](mt.Tensor(a), a[0, 0] < 5), x)
    assert mt.get_num_threads() == 2 and member.team is None
    assert np.isfinite(before).all()
    np.testing.assert_array_equal(mt.data_parallel(lambda a: a, x), x)


def test_parts_that_meet_unequally_in_backward_raise():
    mt.set_num_threads(2)
    x = np.arange(32.0).reshape(16, 2)
    y = mt.data_parallel(lambda a: (lambda y: y if a[0, 0] < 5 else y.detach())(NORMS[0](mt.Tensor(a) * W)), x)
    with pytest.raises(ParallelError, match="ended before"):
        y.sum().backward()


W = mt.Tensor(np.ones(2), requires_grad=True)


@pytest.mark.parametrize(
    ("f", "text"),
    [
        (lambda a: mt.Tensor(a).sum(), "no axis of samples"),
        (lambda a: (a, a) if a[0] < 5 else a, "tuple of 2"),
        (lambda a: {"a": a} if a[0] < 5 else {"b": a}, "keys"),
        (lambda a: a if a[0] < 5 else a.astype("float32"), "float32"),
        (lambda a: np.ones((8, 1 if a[0] < 5 else 2)), r"\(8, 1\)"),
        (lambda a: None if a[0] < 5 else a, "None"),
    ],
)
def test_results_that_cannot_be_joined(f, text):
    mt.set_num_threads(2)
    with pytest.raises(ParallelError, match=text):
        mt.data_parallel(f, np.arange(16.0))


def test_results_are_joined_by_key():
    mt.set_num_threads(2)
    out = mt.data_parallel(lambda a: {"x": a, "y": -a} if a[0] < 5 else {"y": -a, "x": a}, np.arange(16.0))
    np.testing.assert_array_equal(out["x"], np.arange(16.0))


def test_teams_at_once():
    """Threads of the user's, each with parts and batch norm inside, do not wait for each other, or spoil anything."""
    mt.set_num_threads(3)
    x = np.random.default_rng(0).standard_normal((24, 3))

    def step(out):
        norm = nn.BatchNorm1d(3)
        w = mt.Tensor(np.ones(3), requires_grad=True)
        for _ in range(10):
            y = mt.data_parallel(lambda a: norm(mt.Tensor(a) * w), x)
            (y**3).sum().backward()
        out.append((w.grad.numpy(), norm.running_mean.numpy()))

    alone, together = [], []
    step(alone)
    workers = [threading.Thread(target=step, args=(together,), daemon=True) for _ in range(4)]
    for t in workers:
        t.start()
    for t in workers:
        t.join(60)
    assert len(together) == 4 and mt.get_num_threads() == 3
    for found in together:
        for a, b in zip(alone[0], found, strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_part_may_run_backward_through_parts():
    mt.set_num_threads(2)
    w = mt.Tensor(np.array([2.0]), requires_grad=True)
    y = mt.data_parallel(lambda a: NORMS[0](mt.Tensor(a) * w), np.arange(32.0).reshape(16, 2))

    def f(a):
        if a[0, 0] > 5:
            return a * 1
        (g,) = mt.grad((y * y).sum(), w)
        return a * g.numpy()

    assert mt.data_parallel(f, np.arange(16.0).reshape(16, 1)).shape == (16, 1)


SPIN = """
import os, signal, numpy as np, minitensor as mt
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
mt.set_num_threads(2)
norm, x = mt.nn.BatchNorm1d(2), np.arange(32.0).reshape(16, 2)
def spin(a):
    os.write(1, b"ready\\n")
    while True:
        a = a * 1
mt.data_parallel(lambda a: {first} if a[0, 0] < 5 else {second}, x)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no signals of this kind")
@pytest.mark.parametrize(
    ("first", "second"), [("spin(a)", "a"), ("a", "spin(a)"), ("norm(mt.Tensor(a))", "spin(a)"), ("spin(a)", "spin(a)")]
)
def test_ctrl_c_ends_the_process(first, second):
    code = SPIN.format(first=first, second=second)
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    time.sleep(0.3)  # until the other part has come to where it waits
    process.send_signal(signal.SIGINT)
    try:
        _, error = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode != 0 and b"KeyboardInterrupt" in error
