"""Kernels attached to ops and to composites: which one runs, what it may leave to the next, and what is then kept."""

import contextlib
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import minitensor as mt
from minitensor import kernel_sets
from minitensor.composite import composite
from minitensor.errors import GradientError, InPlaceError
from minitensor.op import op


@pytest.fixture(autouse=True)
def as_it_was():
    before = mt.get_kernels()
    yield
    kernel_sets._chosen = before


@pytest.fixture
def ran():
    return []


def cube_as_op():
    """y = x³ with the setting `times`, as an op with a rule."""

    @op("floating")
    def cube(x, *, times=1.0):
        return times * x * x * x

    cube.vjp(x=lambda g, x, times: g * (3 * times * x * x))
    return cube


def cube_as_composite():
    @composite
    def cube(x, *, times=1.0):
        return times * x * x * x

    return cube


def change(x):
    with mt.no_grad():
        x[...] = 7.0


def attach(declared, kind, ran, takes=lambda x: True, least=0):
    @declared.fused(kind, least)
    def kernel(x, *, needs, times=1.0):
        if not takes(x):
            return NotImplemented
        ran.append((kind, needs, times))
        assert type(x) is np.ndarray and x.dtype.kind == "f"

        def pullback(g):
            ran.append(f"{kind} backward")
            return (g * (3 * times * x * x) if needs[0] else None,)

        return times * x**3, pullback

    return kernel


BOTH = pytest.mark.parametrize("make", [cube_as_op, cube_as_composite])


def leaf(*values, dtype="float32"):
    return mt.Tensor(np.array(values, dtype), requires_grad=True)


@BOTH
@pytest.mark.parametrize("name", ["compiled", "numpy"])
def test_the_chosen_set_runs(make, name, ran):
    cube = make()
    attach(cube, "cpu", ran)
    attach(cube, "compiled", ran)
    mt.set_kernels(name)
    assert mt.get_kernels() == name
    kind = {"compiled": "compiled", "numpy": "cpu"}[name]
    x = leaf(1.0, 2.0)
    y = cube(x, times=2.0)
    y.sum().backward()
    assert ran == [(kind, (True,), 2.0), f"{kind} backward"]
    np.testing.assert_allclose(y.numpy(), [2.0, 16.0])
    np.testing.assert_allclose(x.grad.numpy(), [6.0, 24.0])
    assert y.source.op is cube


@BOTH
@pytest.mark.parametrize(("entries", "asked"), [(3, False), (4, True)])
def test_a_kernel_is_asked_from_so_many_entries_on(make, entries, asked, ran):
    cube = make()
    attach(cube, "cpu", ran, least=4)
    x = leaf(*range(entries))
    for watch in (contextlib.nullcontext, mt.profile):
        with watch():
            cube(x, times=1.0).sum().backward()
        assert bool(ran) == asked
        ran.clear()
    np.testing.assert_allclose(x.grad.numpy(), 6 * np.arange(entries) ** 2)


@BOTH
def test_a_kernel_falls_on_to_the_next(make, ran):
    cube = make()
    mt.set_kernels("compiled")
    attach(cube, "compiled", ran, takes=lambda x: x.ndim == 1)
    attach(cube, "cpu", ran, takes=lambda x: x.ndim == 2)
    for shape, kinds in (((2,), ["compiled"]), ((2, 2), ["cpu"]), ((2, 2, 2), [])):
        ran.clear()
        x = mt.Tensor(np.full(shape, 2.0, "float32"), requires_grad=True)
        y = cube(x)
        assert [r[0] for r in ran] == kinds
        y.sum().backward()
        np.testing.assert_allclose(x.grad.numpy(), np.full(shape, 12.0))


@BOTH
def test_needs_nothing_without_a_gradient(make, ran):
    cube = make()
    attach(cube, "cpu", ran)
    assert not cube(mt.Tensor([2.0])).requires_grad
    with mt.no_grad():
        assert not cube(leaf(2.0)).requires_grad
    assert ran == [("cpu", (False,), 1.0)] * 2


@BOTH
def test_unfused_and_arrays_and_integers_go_without(make, ran):
    cube = make()
    attach(cube, "cpu", ran)
    with mt.unfused():
        np.testing.assert_allclose(cube(leaf(2.0)).numpy(), [8.0])
    assert type(cube(np.array([2.0]))) is np.ndarray
    assert ran == []


def test_integers_become_floats_before_the_kernel_of_an_op(ran):
    cube = cube_as_op()
    attach(cube, "cpu", ran)
    y = cube(mt.Tensor([2, 3]))
    assert y.dtype == np.float32 and ran == [("cpu", (False,), 1.0)]


@BOTH
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_dtypes(make, dtype, ran):
    """Half precision is widened for the kernel, in one piece, and narrowed after it."""
    cube = make()
    attach(cube, "cpu", ran)
    x = leaf(0.5, 3.0, dtype=dtype)
    y = cube(x)
    y.backward(mt.ones_like(y))
    assert y.dtype == x.grad.dtype == dtype and len(ran) == 2
    np.testing.assert_allclose(x.grad.numpy(), [0.75, 27.0])


@BOTH
def test_a_second_gradient_runs_the_rules(make, ran):
    cube = make()
    attach(cube, "cpu", ran)
    x = leaf(2.0, dtype="float64")
    (g,) = mt.grad(cube(x).sum(), x, create_graph=True)
    assert "cpu backward" not in ran
    (h,) = mt.grad(g.sum(), x, create_graph=True)
    assert h.numpy() == [12.0] and mt.grad(h.sum(), x)[0].numpy() == [6.0]
    assert mt.gradcheck(cube, [np.array([0.5, 2.0])])
    assert mt.gradgradcheck(cube, [np.array([0.5, 2.0])])


@BOTH
def test_backward_twice_and_after_it_was_freed(make, ran):
    cube = make()
    attach(cube, "cpu", ran)
    x = leaf(2.0)
    y = cube(x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.numpy() == [24.0]
    with pytest.raises(GradientError, match="second time"):
        y.backward()


@BOTH
def test_what_a_pullback_keeps_may_not_change(make, ran):
    cube = make()
    attach(cube, "cpu", ran)
    x = leaf(2.0) * 1
    y = cube(x).sum()
    change(x)
    with pytest.raises(InPlaceError, match="in place"):
        y.backward()


def test_what_the_kernel_of_an_op_keeps_may_not_change_even_if_the_rule_keeps_nothing():
    @op
    def twice(x):
        return 2 * x

    twice.vjp(x=lambda g: g * 2)

    @twice.fused("cpu")
    def kernel(x, *, needs):
        return 2 * x, lambda g: (g * (2 + 0 * x),)

    x = leaf(2.0) * 1
    y = twice(x)
    change(x)
    with pytest.raises(InPlaceError, match="in place"):
        y.sum().backward()

    @twice.fused("cpu")
    def frugal(x, *, needs):
        return 2 * x, lambda g: (g * 2,)

    z = leaf(2.0)
    x = z * 1
    y = twice(x)
    change(x)  # nobody needs it
    y.sum().backward()
    assert z.grad.numpy() == [2.0]


@BOTH
def test_a_raw_array_may_change(make, ran):
    @composite
    def scaled_by_composite(x, w):
        return x * w

    scaled = scaled_by_composite
    if make is cube_as_op:

        @op("broadcasts")
        def scaled(x, w):
            return x * w

        scaled.vjp(x=lambda g, w: g * w, w=lambda g, x: g * x)

    @scaled.fused("cpu")
    def kernel(x, w, *, needs):
        return x * w, lambda g: (g * w if needs[0] else None, (g * x).sum(axis=0) if needs[1] else None)

    x, w = leaf(1.0, 2.0), np.array([3.0, 4.0], "float32")
    y = scaled(x, w).sum()
    w[:] = 0
    y.backward()
    np.testing.assert_allclose(x.grad.numpy(), [3.0, 4.0])


def test_several_results_of_an_op(ran):
    @op
    def parts(x):
        return x * 2, x * 3

    parts.vjp(x=lambda g: g[0] * 2 + g[1] * 3)

    @parts.fused("cpu")
    def kernel(x, *, needs):
        ran.append("forward")

        def pullback(g):
            ran.append("backward")
            return (sum(d * f for d, f in zip(g, (2, 3), strict=True) if d is not None),)

        return (x * 2, x * 3), pullback

    x = leaf(1.0)
    a, b = parts(x)
    (a + b).sum().backward()
    assert ran == ["forward", "backward"] and x.grad.numpy() == [5.0]


@BOTH
def test_observers_see_one_call(make, ran):
    cube = make()
    mt.set_kernels("compiled")
    attach(cube, "compiled", ran, takes=lambda x: False)
    attach(cube, "cpu", ran)
    x = leaf(2.0)
    with mt.profile() as p:
        cube(x).sum().backward()
    assert p.rows()["cube"]["calls"] == 1 and p.rows()["cube"]["bytes"] == 4
    with mt.detect_anomaly():
        cube(x).sum().backward()


@BOTH
def test_an_error_names_the_call(make):
    cube = make()

    @cube.fused("cpu")
    def kernel(x, *, needs, times=1.0):
        raise ValueError("no")

    with pytest.raises(ValueError, match="no") as caught:
        cube(leaf(2.0))
    assert any("cube(x = Tensor float32 (1,) on cpu" in note for note in caught.value.__notes__)


def test_the_choice_is_that_of_all_threads():
    mt.set_kernels("numpy")
    seen = []
    thread = threading.Thread(target=lambda: seen.append(mt.get_kernels()))
    thread.start()
    thread.join()
    assert seen == ["numpy"]


def test_another_name_is_refused():
    with pytest.raises(ValueError, match="the set of kernels is one of compiled, numpy; got 'fast'"):
        mt.set_kernels("fast")


def test_without_numba(monkeypatch):
    monkeypatch.setattr(kernel_sets, "find_spec", lambda name: None)
    assert kernel_sets._start() == "numpy"
    with pytest.raises(ImportError, match=r"pip install 'minitensor-jepa\[fast\]'"):
        mt.set_kernels("compiled")
    monkeypatch.setenv("MINITENSOR_KERNELS", "compiled")
    with pytest.raises(ImportError, match=r"variable MINITENSOR_KERNELS 'compiled' needs Numba"):
        kernel_sets._start()
    mt.set_kernels("numpy")


def test_the_start(monkeypatch):
    monkeypatch.setattr(kernel_sets, "find_spec", lambda name: object())
    monkeypatch.delenv("MINITENSOR_KERNELS", raising=False)
    assert kernel_sets._start() == "compiled"
    monkeypatch.setenv("MINITENSOR_KERNELS", "numpy")
    assert kernel_sets._start() == "numpy"
    monkeypatch.setenv("MINITENSOR_KERNELS", "none")
    with pytest.raises(ValueError, match="MINITENSOR_KERNELS is one of compiled, numpy; got 'none'"):
        kernel_sets._start()


def test_a_process_starts_with_what_the_environment_says():
    code = "import sys, minitensor as mt; print(mt.get_kernels(), 'numba' in sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "MINITENSOR_KERNELS": "numpy"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split() == ["numpy", "False"]
