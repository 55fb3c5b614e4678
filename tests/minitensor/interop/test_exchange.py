"""DLPack both ways without a copy; einops with gradients."""

import numpy as np
import pytest

import minitensor as mt

x = np.random.default_rng(0).standard_normal((2, 6, 4))


def test_dlpack_shares_memory_both_ways():
    t = mt.Tensor(x.copy())
    a = np.from_dlpack(t)
    assert np.shares_memory(a, t.data)
    back = mt.from_dlpack(a)
    assert np.shares_memory(back.data, t.data) and back.is_leaf and not back.requires_grad
    with pytest.raises(TypeError, match="a list has none"):
        mt.from_dlpack([1.0])


@pytest.mark.parity
def test_dlpack_with_pytorch():
    torch = pytest.importorskip("torch")
    t = mt.from_dlpack(torch.arange(3.0))
    assert t.tolist() == [0, 1, 2]
    u = torch.from_dlpack(mt.Tensor(np.ones(2)))
    u[0] = 5
    assert u.tolist() == [5, 1]


def test_numpy_takes_a_tensor():
    np.testing.assert_array_equal(np.asarray(mt.Tensor(x)), x)
    assert np.asarray(mt.Tensor(x), dtype="float32").dtype == np.float32


PATTERNS = [
    ("rearrange", "a (b c) d -> (a d) c b", {"b": 2}),
    ("reduce", "a b d -> b", {"reduction": "mean"}),
    ("reduce", "a (b 3) d -> a b", {"reduction": "max"}),
    ("repeat", "a b d -> a k b (d 2)", {"k": 3}),
]


@pytest.mark.parametrize(("name", "pattern", "settings"), PATTERNS)
def test_einops(name, pattern, settings):
    import einops

    import minitensor.interop.einops  # noqa: F401

    f = getattr(einops, name)
    t = mt.Tensor(x, requires_grad=True)
    y = f(t, pattern, **settings)
    np.testing.assert_allclose(y.numpy(), f(x, pattern, **settings))
    y.sum().backward()
    assert mt.gradcheck(lambda t: f(t, pattern, **settings), x)


def test_einops_einsum_pack_and_stack():
    import einops

    import minitensor.interop.einops  # noqa: F401

    t = mt.Tensor(x)
    np.testing.assert_allclose(einops.einsum(t, t, "a b d, a c d -> a b c").numpy(), x @ x.swapaxes(1, 2))
    assert einops.rearrange([t, t], "k a b d -> a (k b d)").shape == (2, 48)
    packed, shapes = einops.pack([t, t], "a * d")
    assert packed.shape == (2, 12, 4) and [u.shape for u in einops.unpack(packed, shapes, "a * d")] == [(2, 6, 4)] * 2
