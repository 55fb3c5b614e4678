"""A batch in parts gives what it gives whole: values, gradients, running statistics; and always the same bits."""

import os
import threading

import numpy as np
import pytest

import minitensor as mt
from minitensor import threads as threads_module
from minitensor.errors import GradientError
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
