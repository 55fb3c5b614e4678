"""Where arrays live: device moves, the strict stand-in for CuPy, and planted mistakes that it must catch."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import minitensor as mt
from minitensor import backend
from minitensor.errors import DeviceError
from tests.minitensor.fake_cupy import FakeArray, calls, xp

host = np.arange(6.0).reshape(2, 3)
PLANTED = {
    "np.exp(dev)": lambda d: np.exp(d),
    "np.concatenate": lambda d: np.concatenate([d, d]),
    "np.sum": lambda d: np.sum(d),
    "np.add.at": lambda d: np.add.at(host.copy(), (0,), d),
    "host + dev": lambda d: host + d,
    "dev + host": lambda d: d + host,
    "host @ dev": lambda d: host.T @ d,
    "dev == host": lambda d: d == host,
    "host += dev": lambda d: host.copy().__iadd__(d),
    "dev += host": lambda d: d.copy().__iadd__(host),
    "np.float64 * dev": lambda d: np.float64(2) * d,
    "dev * np.float64": lambda d: d * np.float64(2),
    "np.asarray(dev)": lambda d: np.asarray(d),
    "np.array(dev)": lambda d: np.array(d),
    "np.array([dev, dev])": lambda d: np.array([d, d]),
    "memoryview(dev)": lambda d: memoryview(d),
    "__array_interface__": lambda d: d.__array_interface__,
    "__array_struct__": lambda d: d.__array_struct__,
    "host[...] = dev": lambda d: host.copy().__setitem__(..., d),
    "dev[...] = host": lambda d: d.__setitem__(..., host),
    "dev[host index]": lambda d: d[np.array([0, 1])],
    "host[dev index]": lambda d: host[xp.asarray(np.array([0, 1]))],
    "range(dev)": lambda d: range(xp.asarray(np.array(3))),
    "xp.exp(host)": lambda d: xp.exp(host),
    "xp.where(dev, host)": lambda d: xp.where(d > 0, d, host),
    "xp.concatenate mixed": lambda d: xp.concatenate([d, host]),
    "xp.errstate": lambda d: xp.errstate,
    "xp.block": lambda d: xp.block,
    "xp.vecdot": lambda d: xp.vecdot,
    "xp.insert": lambda d: xp.insert,
    "xp.unstack": lambda d: xp.unstack,
    "xp.einsum_path": lambda d: xp.einsum_path,
    "xp.multiply.at": lambda d: xp.multiply.at(d, 0, d[0]),
    "xp.add.at on int16": lambda d: xp.add.at(d.astype("int16"), 0, 1),
    "dev.ctypes": lambda d: d.ctypes,
    "dev.__contains__ through ctypes": lambda d: d.setflags(write=False),
    "np.copyto": lambda d: np.copyto(host.copy(), d),
    "np.ascontiguousarray": lambda d: np.ascontiguousarray(d),
    "hash": lambda d: {d},
}


@pytest.mark.parametrize("mistake", PLANTED.values(), ids=PLANTED)
def test_stand_in_catches_planted_mistakes(mistake):
    with pytest.raises((TypeError, AttributeError, ValueError, NotImplementedError)):
        mistake(FakeArray(host.copy()))


def test_stand_in_computes_what_numpy_computes():
    d = FakeArray(host.copy())
    assert isinstance(d.sum(), FakeArray) and d.sum().shape == ()
    assert isinstance(d.max(axis=0), FakeArray)
    assert isinstance(xp.exp(d), FakeArray)
    np.testing.assert_array_equal((2 * d + d / 2 - 1).get(), 2 * host + host / 2 - 1)
    np.testing.assert_array_equal(xp.asarray(host).get(), host)
    y = xp.zeros(3)
    xp.add.at(y, xp.asarray(np.array([0, 0, 2])), 1.0)
    np.testing.assert_array_equal(y.get(), [2, 0, 1])
    assert float(d.sum()) == 15.0 and d.get() is not d._array


def test_a_step_of_training_stays_on_the_device():
    x, t = (mt.Tensor(a.astype("float32"), device="fake") for a in (host, host[:, :1]))
    w = mt.Tensor(np.ones((3, 1), "float32"), device="fake", requires_grad=True)
    calls.clear()
    loss = mt.exp(mt.square(x @ w - t).mean() * 0.1)
    loss.backward()
    assert isinstance(w.grad.data, FakeArray) and w.grad.device == "fake" and "exp" in calls
    assert isinstance(mt.grad(mt.exp(w).sum(), w)[0].data, FakeArray)
    assert "on fake" in repr(loss)


def test_moves():
    x = mt.Tensor([1.0, 2.0], requires_grad=True)
    y = x.to("fake")
    assert (y.device, y.is_leaf, y.requires_grad) == ("fake", True, True)
    np.testing.assert_array_equal(y.numpy(), [1, 2])
    np.testing.assert_array_equal(y.to("cpu").numpy(), [1, 2])
    assert y.to("fake") is y and x.to("cpu") is x
    z = y.to("cpu", dtype="float64")
    assert z.dtype == np.float64 and z.device == "cpu"
    with pytest.raises(TypeError, match=r"use .numpy\(\)"):
        np.asarray(y)
    with pytest.raises(mt.errors.GradientError, match="detach"):
        (x * 2).to("fake")


def test_zeros_and_draws_on_the_device():
    assert mt.zeros((2,), device="fake").device == "fake"
    assert mt.ones_like(mt.ones(3, device="fake")).device == "fake"
    a, b = (mt.randn(4, device=d, generator=np.random.default_rng(1)) for d in ("cpu", "fake"))
    np.testing.assert_array_equal(a.numpy(), b.numpy())


@pytest.mark.parametrize(
    "call",
    [
        lambda a, b: a + b,
        lambda a, b: b @ a,
        lambda a, b: mt.where(a > 0, b, b),
        lambda a, b: mt.concatenate([a, b]),
        lambda a, b: mt.take(b, np.array([0])),
        lambda a, b: b[np.array([0])],
        lambda a, b: mt.einsum("ij,ij->i", a, b),
    ],
    ids=["add", "matmul", "where", "concatenate", "take", "getitem", "einsum"],
)
def test_mixing_devices_names_both_and_says_what_to_do(call):
    a = mt.Tensor(np.ones((2, 2), "float32"))
    with pytest.raises(TypeError) as info:  # DeviceError is one
        call(a, a.to("fake"))
    text = "".join([str(info.value), *getattr(info.value, "__notes__", ())])
    assert "cpu" in text and "fake" in text and ".to(" in text


def test_lists_and_numbers_index_on_the_device():
    x = mt.Tensor(host, device="fake")
    np.testing.assert_array_equal(x[[1, 0], 2].numpy(), host[[1, 0], 2])
    np.testing.assert_array_equal(x[mt.Tensor([1, 1]).to("fake")].numpy(), host[[1, 1]])
    np.testing.assert_array_equal(x[x > 2].numpy(), host[host > 2])


def test_unknown_devices():
    with pytest.raises(DeviceError, match="no device 'tpu'"):
        mt.Tensor([1.0]).to("tpu")


def test_cuda_without_cupy_says_what_to_install(monkeypatch):
    monkeypatch.setattr(backend.importlib.util, "find_spec", lambda name: None)
    monkeypatch.delitem(backend._kinds, "cuda", raising=False)
    with pytest.raises(DeviceError, match="pip install"):
        mt.Tensor([1.0]).to("cuda")


def test_import_is_light():
    code = "import sys, minitensor; print({'cupy', 'torch', 'scipy', 'sklearn', 'matplotlib'} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "set()"


def test_manual_seed_makes_draws_repeatable():
    mt.manual_seed(3)
    a = mt.randn(4).numpy().copy()
    mt.manual_seed(3)
    np.testing.assert_array_equal(mt.randn(4).numpy(), a)
    assert not np.array_equal(mt.randn(4).numpy(), a)
