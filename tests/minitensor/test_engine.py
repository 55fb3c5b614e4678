"""What the engine promises: memory, order, errors, modes, in-place rules, several results, attached kernels."""

from __future__ import annotations

import functools
import gc
import sys
import threading
import weakref

import numpy as np
import pytest

import minitensor as mt
from minitensor import composite, op
from minitensor.declaration import registry
from minitensor.errors import GradientError, InPlaceError


def leaf(*values: float, dtype: str = "float64") -> mt.Tensor:
    return mt.Tensor(np.array(values, dtype), requires_grad=True)


@pytest.fixture
def no_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@op
def minmax(x):
    """The smallest and the largest entry, and where the largest stands: three results, one an integer."""
    return np.asarray(x.min()), np.asarray(x.max()), np.asarray(x.argmax())


def _minmax_rule(g, x, y):
    low, high, none = g
    assert none is None
    zero = x * 0
    low = zero if low is None else low * mt.ops.elementwise.astype(mt.ops.elementwise.equal(x, y[0]), dtype="float64")
    high = (
        zero if high is None else high * mt.ops.elementwise.astype(mt.ops.elementwise.equal(x, y[1]), dtype="float64")
    )
    return low + high


minmax.vjp(x=_minmax_rule)


# -- memory ----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_collector")
def test_no_reference_cycles():
    x = leaf(1.0, 2.0)
    h = mt.exp(x)
    low, high, _ = minmax(h)
    y = (low * high).sum()
    refs = [weakref.ref(t) for t in (h, low, high, y)]
    array = weakref.ref(h.data)
    del h, low, high, y
    assert [r() for r in refs] == [None] * 4 and array() is None


@pytest.mark.usefixtures("no_collector")
def test_backward_leaves_nothing_alive():
    x = leaf(1.0, 2.0)
    y = mt.exp(mt.exp(x)).sum()
    middle = y.source.parents[0]
    kept = weakref.ref(middle.saved[0])
    del middle
    y.backward()
    assert kept() is None  # although y is alive
    assert y.source.saved is None


@pytest.mark.usefixtures("no_collector")
def test_activations_that_no_rule_needs_die_early():
    x = leaf(1.0, 2.0)
    a = x + 1.0  # add keeps nothing
    array = weakref.ref(a.data)
    y = (a + 2.0).sum()
    del a
    assert array() is None
    b = mt.exp(x)  # exp keeps its result
    array = weakref.ref(b.data)
    z = (b + 1.0).sum()
    del b
    assert array() is not None
    del z
    assert array() is None
    y.backward()


@pytest.mark.usefixtures("no_collector")
def test_saved_arrays_are_freed_right_after_their_own_node():
    alive = []

    @op
    def spy(x):
        return x * 1.0

    x = leaf(1.0, 2.0)
    h = spy(x)
    late = mt.exp(h)
    array = weakref.ref(late.data)
    y = (late * 1.0).sum()
    del late
    spy.vjp(x=lambda g: alive.append(array() is not None) or g)
    h2 = spy(x)
    late = mt.exp(h2)
    array = weakref.ref(late.data)
    y = late.sum()
    del late, h, h2
    y.backward()
    assert alive == [False]  # exp's result was gone before spy's rule ran


def test_graph_without_recording_keeps_nothing():
    x = leaf(1.0)
    with mt.no_grad():
        y = mt.exp(x)
    assert y.source is None and not y.requires_grad
    assert mt.exp(mt.Tensor([1.0])).source is None


@pytest.mark.usefixtures("no_collector")
def test_a_chain_of_200000_ops_runs_backward_and_is_dropped():
    x = leaf(1.0)
    y = x
    for _ in range(200_000):
        y = y + 1.0
    y.backward()
    assert x.grad.item() == 1.0
    y = x
    for _ in range(200_000):
        y = y * 1.0
    del y  # never run backward: dropped without a recursion error


def test_a_long_chain_through_grad():
    x = leaf(1.0)
    y = x
    for _ in range(20_000):
        y = y + 1.0
    assert mt.grad(y, x, retain_graph=True)[0].item() == 1.0


# -- backward and grad -----------------------------------------------------------------------------------------------


def test_second_backward_says_so():
    x = leaf(2.0)
    y = (x * x).sum()
    y.backward()
    with pytest.raises(GradientError, match=r"second time.*retain_graph=True"):
        y.backward()
    with pytest.raises(GradientError, match="second time"):
        mt.grad(y, x)
    z = mt.exp(x).sum()
    mt.grad(z, x)
    with pytest.raises(GradientError, match="second time"):
        mt.grad(z, x)


def test_retain_graph():
    x = leaf(3.0)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.item() == 12.0


def test_grad_accumulates_and_never_aliases():
    x, z = leaf(1.0, 2.0), leaf(3.0, 4.0)
    seed = np.ones(2)
    (x + z).backward(seed)
    assert not np.shares_memory(x.grad.data, z.grad.data)
    assert not np.shares_memory(x.grad.data, seed)
    first = x.grad
    (x + z).backward(seed)
    np.testing.assert_array_equal(x.grad.numpy(), 2)
    assert x.grad is first
    np.testing.assert_array_equal(seed, 1)
    a, b = mt.grad(x + z, [x, z], seed)
    assert not np.shares_memory(a.data, b.data) and not np.shares_memory(a.data, seed)


def test_grad_has_the_dtype_of_its_leaf():
    x = leaf(1.0, dtype="float32")
    (x * leaf(2.0)).sum().backward()
    assert x.grad.dtype == np.float32 and x.grad.is_leaf and not x.grad.requires_grad


def test_a_diamond_and_a_tensor_used_twice():
    x = leaf(3.0)
    a = x * 2
    y = a * a + a * x + x
    y.backward()
    assert x.grad.item() == 8 * 3 + 4 * 3 + 1


def test_gradients_summed_in_place_spoil_nobody():
    """Three uses: the sum is made once and added to; what the users were handed must stay as it was."""
    x = leaf(1.0, 2.0)
    y = x * 1
    total = y + y + y + y.exp()
    dy, dx = mt.grad(total.sum(), [y, x])
    np.testing.assert_allclose(dy.numpy(), 3 + np.exp([1, 2]))
    np.testing.assert_allclose(dx.numpy(), dy.numpy())


def test_backward_wants_a_seed_of_the_right_shape():
    x = leaf(1.0, 2.0)
    with pytest.raises(GradientError, match=r"single number.*\(2,\)"):
        (x * 2).backward()
    with pytest.raises(GradientError, match=r"\(3,\).*\(2,\)"):
        (x * 2).backward(np.ones(3))
    with pytest.raises(GradientError, match="does not depend"):
        mt.Tensor([1.0]).backward()
    (x * 2).backward([1.0, 10.0])
    np.testing.assert_array_equal(x.grad.numpy(), [2, 20])


def test_backward_on_a_leaf():
    x = leaf(1.0)
    x.backward()
    assert x.grad.item() == 1.0
    assert mt.grad(x, x)[0].item() == 1.0


def test_grad_of_interior_tensors_leaves_and_several_outputs():
    x = leaf(2.0)
    h = x * x
    y, z = h * 3, h * h
    dh, dx = mt.grad([y, z], [h, x], [None, leaf(10.0)])
    assert dh.item() == 3 + 10 * 8 and dx.item() == dh.item() * 4
    assert x.grad is None


def test_unused_inputs():
    x, z = leaf(1.0), leaf(2.0)
    with pytest.raises(GradientError, match=r"do not depend on inputs \[1\]"):
        mt.grad(x * 2, [x, z])
    g = mt.grad(x * 2, [x, z], allow_unused=True)
    assert g[0].item() == 2 and g[1] is None
    with pytest.raises(GradientError, match="does not require grad"):
        mt.grad(x * 2, mt.Tensor([1.0]))


def test_grad_does_not_visit_what_it_does_not_need():
    visited = []

    @op
    def marked(x):
        return x * 1.0

    marked.vjp(x=lambda g: visited.append(1) or g)
    x, z = leaf(1.0), leaf(2.0)
    branch = marked(z)
    y = x * branch
    mt.grad(y, x, retain_graph=True)
    assert not visited
    mt.grad(y, branch, retain_graph=True)
    assert not visited
    mt.grad(y, z)
    assert visited


def test_third_order():
    x = leaf(2.0)
    y = x**4
    for expected in (4 * 2**3, 12 * 2**2, 24 * 2.0):
        (y,) = mt.grad(y, x, create_graph=True)
        assert y.item() == pytest.approx(expected)


def test_backward_create_graph_puts_a_graph_into_grad():
    x = leaf(3.0)
    (x**3).backward(create_graph=True)
    g = x.grad
    assert g.requires_grad and g.item() == 27
    x.grad = None
    g.backward()
    assert x.grad.item() == 18
    x.grad = None


def test_create_graph_with_a_seed_that_requires_grad():
    x, v = leaf(1.0, 2.0), leaf(3.0, 4.0)
    (g,) = mt.grad(x * x, x, v, create_graph=True)
    (dv,) = mt.grad(g.sum(), v)
    np.testing.assert_array_equal(dv.numpy(), [2, 4])  # d(2 x v)/dv
    (g,) = mt.grad(x * 2, x, mt.Tensor(np.ones(2, "float32")), create_graph=True)
    assert g.dtype == np.float64


def test_backward_may_start_from_integers_nowhere():
    with pytest.raises(GradientError, match="only a float"):
        mt.Tensor([1, 2], requires_grad=True)


# -- several results -------------------------------------------------------------------------------------------------


def test_several_results_with_unused_ones():
    x = leaf(1.0, 5.0, 3.0)
    low, high, where = minmax(x)
    assert where.dtype == np.int64 and not where.requires_grad and where.item() == 1
    (g,) = mt.grad(high * 2, x, retain_graph=True)
    np.testing.assert_array_equal(g.numpy(), [0, 2, 0])
    (g,) = mt.grad(low * high, x, retain_graph=True)
    np.testing.assert_array_equal(g.numpy(), [5, 1, 0])
    (g,) = mt.grad(low + low, [low], retain_graph=True)
    assert g.item() == 2
    (low * 3 + high).backward()
    np.testing.assert_array_equal(x.grad.numpy(), [3, 1, 0])


def test_several_results_to_second_order():
    x = leaf(1.0, 5.0, 3.0)
    low, high, _ = minmax(x * x)
    (g,) = mt.grad(low * high, x, create_graph=True)
    (h,) = mt.grad(g.sum(), x)
    # low·high = x0² x1²; the row sums of its Hessian
    np.testing.assert_allclose(h.numpy(), [2 * 25 + 4 * 5, 2 * 1 + 4 * 5, 0])


# -- calls -----------------------------------------------------------------------------------------------------------


def test_arrays_by_name_bind_to_their_place():
    from minitensor.ops.linalg.matmul import bmm, linear

    a, b = leaf(*range(4)).reshape(2, 2), leaf(*range(2)).reshape(2, 1)
    np.testing.assert_array_equal(bmm(a, b=b).numpy(), bmm(a, b).numpy())
    np.testing.assert_array_equal(bmm(b=b, a=a).numpy(), bmm(a, b).numpy())
    assert linear(a, weight=a, bias=None).shape == (2, 2)
    with pytest.raises(TypeError, match=r"bmm\(a, b\) takes 2 arrays"):
        bmm(a)
    with pytest.raises(TypeError):
        bmm(a, b, b)
    with pytest.raises(TypeError):
        bmm(a, b, a=a)


def test_a_tensor_as_a_setting_raises():
    from minitensor.ops import elementwise
    from minitensor.ops.reductions import reduce

    with pytest.raises(TypeError, match="setting 'decimals'.*Tensor float64"):
        elementwise.round(leaf(1.0), decimals=leaf(0.0))
    with pytest.raises(TypeError, match="setting 'axis'"):
        reduce.sum(np.ones(3), axis=mt.Tensor(0))


def test_error_notes_name_operands_and_settings():
    with pytest.raises(ValueError) as info:
        leaf(1.0, 2.0) + leaf(1.0, 2.0, 3.0)
    assert info.value.__notes__ == ["in add(a = Tensor float64 (2,) on cpu, b = Tensor float64 (3,) on cpu)"]
    with pytest.raises(Exception) as info:
        mt.sum(leaf(1.0), axis=3)
    assert "in sum(x = Tensor float64 (1,) on cpu, axis=3" in info.value.__notes__[0]
    with pytest.raises(Exception) as info:
        mt.concatenate([leaf(1.0), mt.ones((1, 1))])
    assert "xs[1] = Tensor float32 (1, 1)" in info.value.__notes__[0]


def test_errors_in_a_rule_say_where():
    @op
    def broken(a, b):
        return a * b

    def raises(g):
        raise ZeroDivisionError("planted")

    broken.vjp(a=lambda g, b: g * b, b=raises)
    with pytest.raises(ZeroDivisionError, match="planted") as info:
        broken(leaf(1.0), leaf(2.0)).backward()
    assert "in the gradient of broken with respect to b" in info.value.__notes__


def test_a_rule_with_the_wrong_shape_is_named():
    @op
    def misshapen(x):
        return x * 2

    misshapen.vjp(x=lambda g: g[:1])
    with pytest.raises(GradientError, match=r"misshapen for argument 0 returned shape \(1,\).*shape \(2,\)"):
        misshapen(leaf(1.0, 2.0)).backward(np.ones(2))


def test_a_hidden_gradient_raises_and_names_op_and_argument():
    @op
    def choose(condition, a, b):
        return np.where(condition > 0, a, b)

    choose.vjp(a=lambda g, condition: g * (condition > 0), b=lambda g, condition: g * (condition <= 0))
    condition = leaf(1.0, 0.0)
    with pytest.raises(GradientError, match="choose has no gradient for its argument 'condition'"):
        choose(condition, 1.0, 2.0)
    with pytest.raises(GradientError, match="choose has no gradient for its argument 'condition'"):
        choose(condition, leaf(1.0, 1.0), 2.0)
    with mt.no_grad():
        choose(condition, leaf(1.0, 1.0), 2.0)
    assert not (condition > 0).requires_grad  # an op without any rule: a comparison is constant by nature

    @op(constant=("weight",))
    def weighted(x, weight):
        return x * weight

    weighted.vjp(x=lambda g, weight: g * weight)
    y = weighted(leaf(1.0), leaf(2.0))
    y.backward()


REFUSED = {
    "argument g": (lambda: op(lambda g: g), "'g'"),
    "argument y": (lambda: op(lambda y: y), "'y'"),
    "argument x_shape": (lambda: op(lambda x_shape: x_shape), "'x_shape'"),
    "composite argument": (lambda: composite(lambda y: y), "'y'"),
    "setting g": (lambda: op(lambda x, *, g: x), "'g'"),
    "setting x_shape": (lambda: op(lambda x, *, x_shape: x), "'x_shape'"),
    "rule for a stranger": (lambda: op(lambda x: x).vjp(z=lambda g: g), "'z'"),
    "rule that asks for a stranger": (lambda: op(lambda x: x).vjp(x=lambda g, w: g), "'w'"),
    "shape of a stranger": (lambda: op(lambda x: x).vjp(x=lambda g, w_shape: g), "'w_shape'"),
}


@pytest.mark.parametrize(("register", "text"), REFUSED.values(), ids=REFUSED)
def test_registration_refuses(register, text):
    known = dict(registry)
    try:
        with pytest.raises(TypeError, match=text):
            register()
    finally:
        registry.clear()
        registry.update(known)


def test_one_joint_rule_for_several_arguments():
    ran = []

    @op
    def weighted_sum(a, b):
        return 2 * a + 3 * b

    weighted_sum.vjp(("a", "b"), lambda g: ran.append(1) or (2 * g, 3 * g))
    a, b = leaf(1.0), leaf(1.0)
    ga, gb = mt.grad(weighted_sum(a, b), [a, b])
    assert (ga.item(), gb.item(), ran) == (2.0, 3.0, [1])


# -- modes -----------------------------------------------------------------------------------------------------------


def test_modes_nest_and_decorate():
    x = leaf(1.0)
    with mt.no_grad():
        assert not mt.is_recording()
        with mt.enable_grad():
            assert (x * 2).requires_grad
        assert not (x * 2).requires_grad
    assert mt.is_recording()

    @mt.no_grad()
    def f():
        return x * 2

    assert not f().requires_grad and not f().requires_grad and mt.is_recording()
    with pytest.raises(RuntimeError), mt.no_grad():
        raise RuntimeError
    assert mt.is_recording()


def test_modes_are_per_thread():
    seen = []
    with mt.no_grad(), mt.unfused():
        thread = threading.Thread(target=lambda: seen.append((leaf(1.0) * 2).requires_grad))
        thread.start()
        thread.join()
    assert seen == [True]


def test_backward_in_parallel_threads():
    w = [leaf(*range(50)) for _ in range(4)]

    def work(x):
        for _ in range(20):
            (mt.exp(x * 0.01) * x).sum().backward()

    threads = [threading.Thread(target=work, args=(x,)) for x in w]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for x in w[1:]:
        np.testing.assert_array_equal(x.grad.numpy(), w[0].grad.numpy())


# -- in place --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["tensor", "parameter", "in an optimizer"])
def test_threads_that_run_backward_into_one_leaf_at_once(kind):
    """No gradient is lost, and no change uncounted: large arrays are added while other threads run."""
    n, threads, rounds = 50_000, 6, 30
    leaf = mt.Tensor(np.zeros(n), requires_grad=True) if kind == "tensor" else mt.nn.Parameter(np.zeros(n))
    optimizer = mt.optim.SGD([leaf], lr=1.0) if kind == "in an optimizer" else None
    start = threading.Barrier(threads)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def run(k):
        start.wait()
        for _ in range(rounds):
            (leaf * float(k)).sum().backward()
            leaf.changed()

    try:
        workers = [threading.Thread(target=run, args=(k,)) for k in range(threads)]
        for t in workers:
            t.start()
        for t in workers:
            t.join()
    finally:
        sys.setswitchinterval(before)
    np.testing.assert_array_equal(leaf.grad.numpy(), rounds * sum(range(threads)))
    assert leaf.version[0] == threads * rounds
    assert leaf.grad.version[0] >= threads * rounds - 1
    del optimizer


def test_augmented_assignment_rebinds():
    x = leaf(1.0)
    y = x
    y += 1
    assert y is not x and x.item() == 1.0 and y.requires_grad


def test_writing_into_a_graph_raises_and_names_the_way_out():
    x = leaf(1.0, 2.0)
    with pytest.raises(InPlaceError, match="where"):
        x[0] = 3.0
    y = mt.Tensor(np.zeros(2))
    with pytest.raises(InPlaceError):
        y[0] = x[0]
    with mt.no_grad():
        x[0] = 3.0
        y[0] = x[1]
    assert x.tolist() == [3, 2] and y.tolist() == [2, 0]
    y[1] = 7  # no history: fine
    assert y.tolist() == [2, 7]


def changes():
    def direct(x):
        x[0] = 9.0

    def view(x):
        x.reshape(2, 1)[0] = 9.0

    def slice_(x):
        x[:1][0] = 9.0

    def transposed(x):
        x.reshape(1, 2).T[0] = 9.0

    def detached(x):
        x.detach()[0] = 9.0

    def detached_view(x):
        x[:1].detach()[0] = 9.0

    return [direct, view, slice_, transposed, detached, detached_view]


@pytest.mark.parametrize("change", changes(), ids=lambda f: f.__name__)
def test_a_saved_array_that_changed_is_noticed(change):
    x = leaf(1.0, 2.0)
    y = (x * x).sum()
    with mt.no_grad():
        change(x)
    with pytest.raises(InPlaceError, match="multiply saved"):
        y.backward()


def test_a_saved_result_and_a_saved_view_that_changed_are_noticed():
    x = leaf(1.0, 2.0)
    h = mt.exp(x)
    y = h.sum()
    with mt.no_grad():
        h[0] = 0.0
    with pytest.raises(InPlaceError, match="exp saved"):
        y.backward()
    row = x[:1]
    y = (row * row).sum()
    with mt.no_grad():
        x[0] = 5.0
    with pytest.raises(InPlaceError):
        y.backward()


def test_changes_that_nobody_saved_are_fine():
    x = leaf(1.0, 2.0)
    y = (x + 1.0).sum()
    with mt.no_grad():
        x[0] = 9.0
    y.backward()
    np.testing.assert_array_equal(x.grad.numpy(), 1)
    copy = x[[0, 1]]  # advanced indexing copies: not a view
    z = (copy * copy).sum()
    with mt.no_grad():
        x[0] = 1.0
    z.backward()


def test_numpy_is_a_read_only_view():
    x = mt.Tensor(np.zeros(2))
    view = x.numpy()
    assert np.shares_memory(view, x.data)
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 1.0


def test_index_arrays_are_copied_when_saved():
    x, i = leaf(1.0, 2.0, 3.0), np.array([0, 0])
    y = x[i].sum()
    taken = mt.take_along_axis(x, i, 0).sum()
    i[:] = 2
    np.testing.assert_array_equal(mt.grad(y, x)[0].numpy(), [2, 0, 0])
    np.testing.assert_array_equal(mt.grad(taken, x)[0].numpy(), [2, 0, 0])


def test_raw_arrays_are_copied_when_saved():
    x, factor = leaf(1.0, 2.0), np.array([3.0, 4.0])
    y = (x * factor).sum()
    factor[:] = 0
    y.backward()
    np.testing.assert_array_equal(x.grad.numpy(), [3, 4])


# -- composites and kernels ------------------------------------------------------------------------------------------


def toy():
    """A fresh composite, y = a b + a where the mask holds, with a kernel that counts its calls."""
    log: list[str] = []

    @composite
    def toy_composite(a, b, mask=None, *, scale=1.0):
        y = scale * (a * b + a)
        return y if mask is None else mt.ops.elementwise.where(mask, y, 0.0)

    @toy_composite.fused("cpu")
    def kernel(a, b, mask=None, *, needs, scale=1.0):
        if scale < 0:
            return NotImplemented
        log.append(f"forward {needs}")
        keep = 1.0 if mask is None else mask.astype(a.dtype)
        assert mask is None or mask.dtype == bool

        def pullback(g):
            log.append("pullback")
            g = g * keep * scale
            return g * (b + 1) if needs[0] else None, g * a if needs[1] else None, None

        return scale * (a * b + a) * keep, pullback

    return toy_composite, log


def test_a_kernel_stands_in():
    f, log = toy()
    a, b = leaf(1.0, 2.0), leaf(3.0, 4.0)
    y = f(a, b, scale=2.0)
    np.testing.assert_array_equal(y.numpy(), [8, 20])
    assert "toy_composite" in repr(y)
    y.backward(np.ones(2), retain_graph=True)
    y.backward(np.ones(2))  # a pullback may be called twice
    np.testing.assert_array_equal(a.grad.numpy(), [16, 20])
    np.testing.assert_array_equal(b.grad.numpy(), [4, 8])
    assert log == ["forward (True, True, False)", "pullback", "pullback"]
    with pytest.raises(GradientError, match="second time"):
        y.backward(np.ones(2))


def test_a_kernel_is_told_what_is_needed_and_runs_without_recording():
    f, log = toy()
    f(leaf(1.0), mt.Tensor([2.0], dtype="float64"))
    with mt.no_grad():
        f(leaf(1.0), leaf(2.0))
    f(mt.Tensor([1.0]), mt.Tensor([1.0]))
    assert log == ["forward (True, False, False)", "forward (False, False, False)", "forward (False, False, False)"]
    with mt.unfused():
        f(leaf(1.0), leaf(2.0))
    f(np.ones(1), np.ones(1))  # raw arrays: the plain Python
    assert len(log) == 3


def test_a_kernel_that_declines_leaves_the_call_to_plain_python():
    f, log = toy()
    a, b = leaf(1.0), leaf(3.0)
    y = f(a, b, scale=-1.0)
    assert log == [] and y.item() == -4.0
    y.backward()
    assert a.grad.item() == -4.0


@pytest.mark.parametrize("mask", [None, np.array([True, False])], ids=["plain", "mask"])
def test_create_graph_replays_the_composite(mask):
    f, log = toy()
    a, b = leaf(1.0, 2.0), leaf(3.0, 4.0)

    def call(a, b):
        return f(a, b, mask, scale=2.0)

    ga, gb = mt.grad(call(a, b).sum(), [a, b], create_graph=True)
    keep = 1.0 if mask is None else mask
    np.testing.assert_array_equal(ga.numpy(), 2 * (b.numpy() + 1) * keep)
    assert "pullback" not in log
    np.testing.assert_array_equal(mt.grad(ga.sum(), b)[0].numpy(), 2 * np.ones(2) * keep)
    assert mt.gradgradcheck(call, a, b)
    assert mt.grad(call(a, a).sum(), a)[0].shape == (2,)  # the same Tensor twice
    h = a * b
    assert mt.gradgradcheck(lambda a, b: call(a * b, a) * call(a, b), a, b)
    assert h.requires_grad


def test_a_replay_stops_at_its_arguments():
    """Replaying must not walk on into the graph below: that gradient would be counted twice."""
    f, _ = toy()
    x = leaf(2.0)
    h = x * x
    (g,) = mt.grad(f(h, h), x, create_graph=True)  # y = h² + h = x⁴ + x²
    assert g.item() == 4 * 8 + 2 * 2
    (g2,) = mt.grad(g, x)
    assert g2.item() == 12 * 4 + 2


def test_what_a_kernel_keeps_is_watched():
    f, _ = toy()
    a, b = leaf(1.0), leaf(3.0)
    y = f(a, b)
    with mt.no_grad():
        b[0] = 5.0
    with pytest.raises(InPlaceError, match="toy_composite saved"):
        y.backward()


def _kernels():
    """Composites whose kernels keep their result, in all the ways that a closure can, and one that does not."""

    def declared(keep):
        @mt.composite
        def curve(x):
            return mt.exp(x)

        @curve.fused("cpu")
        def curve_cpu(x, *, needs):
            y = np.exp(x)
            return y.reshape(x.shape), keep(y)

        return curve

    class Way:
        def __init__(self, y):
            self.y = y

        def back(self, g):
            return (g * self.y,)

    def nested(y):
        inner = lambda g: g * y  # noqa: E731
        return lambda g: (inner(g),)

    return {
        "itself": declared(lambda y: lambda g: (g * y,)),
        "a view": declared(lambda y: (lambda v: lambda g: (g * v[::-1],))(y[::-1])),
        "in a tuple": declared(lambda y: (lambda t: lambda g: (g * t[0][1],))([(0, y)])),
        "in another function": declared(nested),
        "in an object": declared(lambda y: (lambda way: lambda g: way.back(g))(Way(y))),
        "a method": declared(lambda y: Way(y).back),
        "partial": declared(lambda y: functools.partial(lambda g, y: (g * y,), y=y)),
        "a copy": declared(lambda y: (lambda c: lambda g: (g * c,))(y.copy())),
    }


@pytest.mark.parametrize("name", _kernels())
@pytest.mark.parametrize("where", ["result", "view"])
def test_what_a_kernel_keeps_of_its_result_is_watched(name, where):
    x = mt.Tensor(np.array([0.0, 1.0]), requires_grad=True)
    y = _kernels()[name](x)
    changed = y if where == "result" else y[:1]
    with mt.no_grad():
        changed[0] = 9.0
    if name == "a copy":
        y.sum().backward()
        np.testing.assert_allclose(x.grad.numpy(), np.exp([0.0, 1.0]))
    else:
        with pytest.raises(InPlaceError, match="the result of curve"):
            y.sum().backward()


def test_changed_results_of_all_kernels_raise_or_have_no_effect():
    F = mt.nn.functional
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((2, 4, 4, 4)), rng.standard_normal((4, 4))
    calls = {
        "softmax": lambda x: mt.softmax(x, axis=-1),
        "log_softmax": lambda x: F.log_softmax(x, -1),
        "gelu": F.gelu,
        "layer_norm": lambda x: F.layer_norm(x, (4,)),
        "group_norm": lambda x: F.group_norm(x, 2),
        "batch_norm": lambda x: F.batch_norm(x, None, None, training=True),
        "linear": lambda x: F.linear(x, mt.Tensor(w)),
        "conv2d": lambda x: F.conv2d(x, mt.Tensor(rng.standard_normal((3, 4, 3, 3)))),
        "max_pool2d": lambda x: F.max_pool2d(x, 2),
        "avg_pool2d": lambda x: F.avg_pool2d(x, 2),
        "attention": lambda x: F.scaled_dot_product_attention(x, x, x),
        "lstm": lambda x: lstm(x[0])[0],
        "gru": lambda x: gru(x[0])[0],
    }
    lstm, gru = mt.nn.LSTM(4, 3).to(dtype="float64"), mt.nn.GRU(4, 3).to(dtype="float64")

    def gradient(call, change):
        rng.bit_generator.state = np.random.default_rng(1).bit_generator.state
        leaf = mt.Tensor(x.copy(), requires_grad=True)
        y = call(leaf)
        if change:
            with mt.no_grad():
                y[...] = 7.0
        (y * mt.Tensor(np.arange(y.size).reshape(y.shape))).sum().backward()
        return leaf.grad.numpy()

    refused = set()
    for name, call in calls.items():
        try:
            np.testing.assert_allclose(gradient(call, True), gradient(call, False), err_msg=name)
        except InPlaceError:
            refused.add(name)
    keeping = {"numpy": {"max_pool2d"}, "compiled": {"softmax", "log_softmax"}}  # the others keep a copy, or none
    assert refused == keeping[mt.get_kernels()]


def test_a_kernel_with_several_results():
    @composite
    def both(x):
        return x * 2, x * 3

    @both.fused("cpu")
    def kernel(x, *, needs):
        def pullback(g):
            return (sum(k * v for k, v in zip((2, 3), g, strict=True) if v is not None),)

        return (x * 2, x * 3), pullback

    x = leaf(1.0)
    a, b = both(x)
    assert mt.grad(b, x, retain_graph=True)[0].item() == 3
    assert mt.grad(a + b, x)[0].item() == 5
    a, b = both(x)
    (g,) = mt.grad(a * a + b * 0, x, create_graph=True)
    assert g.item() == 8 and mt.grad(g, x)[0].item() == 8


def test_errors_in_a_kernel_name_the_operands():
    f, _ = toy()
    with pytest.raises(ValueError) as info:
        f(leaf(1.0, 2.0), leaf(1.0, 2.0, 3.0))
    assert "in toy_composite(a = Tensor float64 (2,)" in info.value.__notes__[0]


@pytest.mark.usefixtures("no_collector")
def test_a_kernel_makes_no_cycle():
    f, _ = toy()
    a = leaf(1.0)
    y = f(a, a * 2)
    ref, array = weakref.ref(y), weakref.ref(y.data)
    del y
    assert ref() is None and array() is None


# -- half precision --------------------------------------------------------------------------------------------------


def halves():
    names = [np.dtype("float16")]
    try:
        import ml_dtypes
    except ImportError:
        return names
    return [*names, np.dtype(ml_dtypes.bfloat16)]


@pytest.mark.parametrize("dtype", halves(), ids=str)
class TestHalf:
    def test_computed_in_float32_and_narrowed(self, dtype):
        x = mt.Tensor(np.full(4096, 1.0), dtype=dtype, requires_grad=True)
        y = x.sum()  # in float16, 2048 + 1 = 2048
        assert y.dtype == dtype and float(y.item()) == 4096
        y.backward()
        assert x.grad.dtype == dtype and (x.grad.astype("float32").numpy() == 1).all()

    def test_rules_run_in_float32(self, dtype):
        x = mt.Tensor([300.0], dtype=dtype, requires_grad=True)
        z = mt.square(x * 0.5).sum() * 1e-3
        z.backward()
        np.testing.assert_allclose(x.grad.astype("float32").numpy(), 0.15, rtol=2e-2)

    def test_meets_other_dtypes(self, dtype):
        x = mt.Tensor([1.5], dtype=dtype)
        assert (x + 1).dtype == dtype and (x * 2.5).dtype == dtype
        assert (x + mt.Tensor([1.0])).dtype == np.float32
        assert (x + mt.Tensor([1])).dtype == dtype

    def test_astype_both_ways(self, dtype):
        x = mt.Tensor([1.5, 2.5], requires_grad=True)
        y = x.astype(dtype)
        assert y.dtype == dtype
        assert y.astype("float32").dtype == np.float32
        assert y.astype("float64").dtype == np.float64
        assert y.astype("int64").dtype == np.int64
        (y.astype("float32") * 2).sum().backward()
        assert x.grad.dtype == np.float32 and x.grad.tolist() == [2, 2]

    def test_views_are_views(self, dtype):
        x = mt.Tensor([1.0, 2.0], dtype=dtype)
        x.reshape(2, 1)[0] = 5.0
        assert x.tolist() == [5, 2]

    def test_second_order(self, dtype):
        x = mt.Tensor([2.0], dtype=dtype, requires_grad=True)
        (g,) = mt.grad(mt.exp(x).sum(), x, create_graph=True)
        (h,) = mt.grad(g.sum(), x)
        assert h.dtype == dtype
        np.testing.assert_allclose(h.astype("float32").numpy(), np.exp(2), rtol=1e-2)

    def test_through_kernels(self, dtype):
        x = mt.Tensor(np.random.default_rng(0).standard_normal((2, 3, 4, 4)), dtype=dtype, requires_grad=True)
        w = mt.Tensor(np.ones((2, 3, 2, 2)), dtype=dtype, requires_grad=True)
        y = mt.ops.windows.convolution.conv2d(x, w)
        assert y.dtype == dtype
        y.sum().backward()
        assert x.grad.dtype == dtype and w.grad.dtype == dtype
