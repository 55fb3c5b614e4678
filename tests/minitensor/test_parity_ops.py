"""Values and first gradients against PyTorch, an oracle only (`make parity`)."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minitensor as mt
from minitensor.ops import activation, attention, convolution, linalg, loss, normalisation, pooling
from minitensor.ops import reduce as red

torch = pytest.importorskip("torch")
F = torch.nn.functional
pytestmark = pytest.mark.parity
rng = np.random.default_rng(4)


def normal(*shape: int) -> np.ndarray:
    return np.asarray(rng.standard_normal(shape))


def agree(ours: Callable[..., Any], theirs: Callable[..., Any], *args: Any, tolerance: float = 1e-10) -> None:
    """Compare values, and the gradients of Σ v y for random v, in float64."""
    xs = [mt.Tensor(a.copy(), requires_grad=a.dtype.kind == "f") if isinstance(a, np.ndarray) else a for a in args]
    ts = [torch.tensor(a, requires_grad=a.dtype.kind == "f") if isinstance(a, np.ndarray) else a for a in args]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # 0 ** -1 and the like
        y, t = ours(*xs), theirs(*ts)
        assert y.shape == tuple(t.shape) and str(t.dtype) == f"torch.{y.dtype}"
        np.testing.assert_allclose(y.numpy(), t.detach().numpy(), rtol=tolerance, atol=tolerance)
        v = np.random.default_rng(0).standard_normal(y.shape)
        y.backward(v)
        t.backward(torch.tensor(v))
    for x, u in zip(xs, ts, strict=True):
        if isinstance(x, mt.Tensor) and x.requires_grad:
            np.testing.assert_allclose(x.grad.numpy(), u.grad.numpy(), rtol=tolerance, atol=tolerance)


@pytest.fixture(params=[False, True], ids=["fused", "unfused"], autouse=True)
def kernels(request):
    if request.param:
        with mt.unfused():
            yield
    else:
        yield


# -- convolution and pooling -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("stride", [1, 2, (3, 1)])
@pytest.mark.parametrize("padding", [0, 1, (2, 0)])
@pytest.mark.parametrize(("dilation", "kernel"), [(1, (3, 3)), (2, (2, 3)), ((1, 3), (1, 2)), (1, (1, 1))])
@pytest.mark.parametrize(("groups", "channels", "out"), [(1, 3, 4), (2, 4, 6), (3, 3, 3)])
def test_conv2d(stride, padding, dilation, kernel, groups, channels, out):
    settings = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    arrays = normal(2, channels, 8, 9), normal(out, channels // groups, *kernel), normal(out)
    agree(lambda *a: convolution.conv2d(*a, **settings), lambda *a: F.conv2d(*a, **settings), *arrays)


def test_conv2d_without_bias():
    agree(convolution.conv2d, F.conv2d, normal(1, 1, 4, 4), normal(2, 1, 3, 3))


@pytest.mark.parametrize(
    ("kernel", "stride", "padding"),
    [(2, None, 0), (3, 2, 1), (3, 1, 0), ((2, 3), (1, 2), (1, 0)), (2, 3, 1), (4, None, 2)],
)
@pytest.mark.parametrize("x_shape", [(2, 3, 8, 8), (1, 2, 7, 9)])
def test_pools(kernel, stride, padding, x_shape):
    settings = {"kernel_size": kernel, "stride": stride, "padding": padding}
    x = normal(*x_shape)
    agree(lambda x: pooling.max_pool2d(x, **settings), lambda x: F.max_pool2d(x, **settings), x)
    agree(lambda x: pooling.avg_pool2d(x, **settings), lambda x: F.avg_pool2d(x, **settings), x)
    ties = np.round(x)  # the first of several equal entries gets the gradient
    agree(lambda x: pooling.max_pool2d(x, **settings), lambda x: F.max_pool2d(x, **settings), ties)


@pytest.mark.parametrize("size", [1, 2, 3, (2, 5), (7, 9)])
def test_adaptive_pool(size):
    x = normal(2, 3, 7, 9)
    agree(
        lambda x: pooling.adaptive_avg_pool2d(x, output_size=size),
        lambda x: F.adaptive_avg_pool2d(x, size),
        x,
    )


# -- normalisation ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize("eps", [1e-5, 1e-2])
def test_layer_norm(axes, eps):
    x = normal(3, 4, 5)
    shape = x.shape[-axes:]
    agree(
        lambda x, w, b: normalisation.layer_norm(x, w, b, axes=axes, eps=eps),
        lambda x, w, b: F.layer_norm(x, shape, w, b, eps),
        x, normal(*shape), normal(*shape),
    )  # fmt: skip
    agree(lambda x: normalisation.layer_norm(x, axes=axes, eps=eps), lambda x: F.layer_norm(x, shape, eps=eps), x)


@pytest.mark.parametrize("x_shape", [(8, 3), (2, 3, 5), (4, 3, 3, 2)])
@pytest.mark.parametrize("eps", [1e-5, 1e-2])
def test_batch_norm(x_shape, eps):
    arrays = normal(*x_shape), normal(3), normal(3)
    agree(
        lambda x, w, b: normalisation.batch_norm(x, w, b, eps=eps)[0],
        lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True, eps=eps),
        *arrays,
    )


# -- losses ----------------------------------------------------------------------------------------------------------

reductions = pytest.mark.parametrize("reduction", ["mean", "sum", "none"])


@reductions
@pytest.mark.parametrize("beta", [1.0, 0.3, 2.0, 0.0])
def test_regression_losses(reduction, beta):
    a, b = normal(4, 5), normal(4, 5)
    agree(
        lambda a, b: loss.mse_loss(a, b, reduction=reduction), lambda a, b: F.mse_loss(a, b, reduction=reduction), a, b
    )
    agree(
        lambda a, b: loss.smooth_l1_loss(a, b, beta=beta, reduction=reduction),
        lambda a, b: F.smooth_l1_loss(a, b, beta=beta, reduction=reduction),
        a, b,
    )  # fmt: skip


def test_regression_losses_at_equality():
    """No difference, and one at the kink: both agree on the gradient."""
    a, b = np.array([0.0, 1.0, -1.0, 2.0]), np.array([0.0, 0.0, 0.0, 2.0])
    for beta in (1.0, 0.0):
        agree(
            lambda a, b, k=beta: loss.smooth_l1_loss(a, b, beta=k),
            lambda a, b, k=beta: F.smooth_l1_loss(a, b, beta=k),
            a,
            b,
        )


@reductions
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("ignore", [-100, 1])
@pytest.mark.parametrize("places", [(), (3,), (2, 2)])
def test_cross_entropy(reduction, smoothing, ignore, places):
    x = normal(5, 4, *places)
    classes = rng.integers(0, 4, (5, *places))
    classes[0] = ignore
    settings = {"reduction": reduction, "label_smoothing": smoothing, "ignore_index": ignore}
    agree(lambda x, t: loss.cross_entropy(x, t, **settings), lambda x, t: F.cross_entropy(x, t, **settings), x, classes)
    settings.pop("ignore_index")
    soft = np.exp(normal(5, 4, *places))
    soft /= soft.sum(axis=1, keepdims=True)
    agree(lambda x, t: loss.cross_entropy(x, t, **settings), lambda x, t: F.cross_entropy(x, t, **settings), x, soft)


@pytest.mark.parametrize("axis", [-1, 0, 1])
def test_cosine_similarity(axis):
    a, b = normal(3, 4, 5), normal(3, 4, 5)
    agree(lambda a, b: loss.cosine_similarity(a, b, axis=axis), lambda a, b: F.cosine_similarity(a, b, dim=axis), a, b)


def test_cosine_similarity_of_nothing_is_zero_with_a_finite_gradient():
    a, b = mt.Tensor(np.zeros((1, 3)), requires_grad=True), mt.Tensor(normal(1, 3))
    y = loss.cosine_similarity(a, b)
    y.sum().backward()
    assert y.item() == 0 and np.isfinite(a.grad.numpy()).all()
    assert F.cosine_similarity(torch.zeros(1, 3), torch.ones(1, 3)).item() == 0


# -- attention -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mask", ["none", "bool", "float", "floor", "row", "floor row", "broadcast"])
@pytest.mark.parametrize("lead", [(), (2,), (2, 3)])
@pytest.mark.parametrize("scale", [None, 0.7])
def test_attention(mask, lead, scale):
    q, k, v = normal(*lead, 4, 3), normal(*lead, 5, 3), normal(*lead, 5, 2)
    allowed = rng.random((4, 5)) > 0.4
    allowed[:, 0] = True
    masks = {
        "none": None,
        "bool": allowed,
        "float": normal(4, 5),
        "floor": np.where(allowed, 0.0, -np.inf),
        "row": np.concatenate([allowed[:3], np.zeros((1, 5), bool)]),
        "floor row": np.concatenate([np.where(allowed[:3], 0.0, -np.inf), np.full((1, 5), -np.inf)]),
        "broadcast": allowed[:1],
    }
    m = masks[mask]

    def ours(q, k, v, m=None):
        return attention.scaled_dot_product_attention(q, k, v, m, scale=scale)

    def theirs(q, k, v, m=None):
        return F.scaled_dot_product_attention(q, k, v, m, scale=scale)

    if mask == "float":
        agree(ours, theirs, q, k, v, m)  # the mask's gradient too
    else:
        fixed = None if m is None else torch.tensor(m)
        agree(lambda q, k, v: ours(q, k, v, m), lambda q, k, v: theirs(q, k, v, fixed), q, k, v)


# -- elementwise and reductions --------------------------------------------------------------------------------------

x1 = np.array([-30.0, -3.0, -1.0, -0.1, 0.0, 0.2, 1.0, 2.5, 30.0])
UNARY = {
    "relu": (mt.relu, torch.relu),
    "abs": (mt.abs, torch.abs),
    "sigmoid": (mt.sigmoid, torch.sigmoid),
    "tanh": (mt.tanh, torch.tanh),
    "erf": (mt.erf, torch.erf),
    "gelu": (activation.gelu, F.gelu),
    "gelu tanh": (lambda x: activation.gelu(x, approximate="tanh"), lambda x: F.gelu(x, approximate="tanh")),
    "clip": (lambda x: x.clip(-1, 1), lambda x: x.clamp(-1, 1)),
    "clip below": (lambda x: x.clip(min=0.2), lambda x: x.clamp(min=0.2)),
    "square": (mt.square, torch.square),
    "sin": (mt.sin, torch.sin),
    "cos": (mt.cos, torch.cos),
}


@pytest.mark.parametrize(("ours", "theirs"), UNARY.values(), ids=UNARY)
def test_unary(ours, theirs):
    agree(ours, theirs, x1)


def test_erf_and_gelu_in_float32():
    x = np.linspace(-8, 8, 20001, dtype="float32")
    for ours, theirs, bound in ((mt.erf, torch.erf, 4e-7), (activation.gelu, F.gelu, 2e-6)):
        error = np.abs(ours(mt.Tensor(x)).numpy() - theirs(torch.tensor(x, dtype=torch.float64)).numpy())
        assert error.max() < bound


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_softmax_family(axis):
    x = normal(3, 4, 5) * 5
    agree(lambda x: red.softmax(x, axis=axis), lambda x: x.softmax(axis), x)
    agree(lambda x: red.log_softmax(x, axis=axis), lambda x: x.log_softmax(axis), x)
    agree(lambda x: red.logsumexp(x, axis=axis), lambda x: x.logsumexp(axis), x)
    hidden = x.copy()
    hidden[:, 0, 0] = -np.inf
    agree(lambda x: red.softmax(x, axis=axis), lambda x: x.softmax(axis), hidden)


def test_ties():
    a, b = np.array([1.0, 2.0, 2.0, -1.0]), np.array([1.0, 3.0, 2.0, -2.0])
    agree(mt.maximum, torch.maximum, a, b)
    agree(mt.minimum, torch.minimum, a, b)
    x = np.array([[3.0, 3.0, 1.0], [2.0, 0.0, 2.0]])
    agree(lambda x: x.max(axis=1), lambda x: x.amax(1), x)
    agree(lambda x: x.min(axis=0), lambda x: x.amin(0), x)
    agree(lambda x: x.max(), lambda x: x.max(), x)


@pytest.mark.parametrize("correction", [0, 1])
def test_var_and_std(correction):
    x = normal(4, 5)
    agree(lambda x: x.var(axis=1, correction=correction), lambda x: x.var(1, correction=correction), x)
    agree(lambda x: x.std(axis=0, correction=correction), lambda x: x.std(0, correction=correction), x)


def test_power_edges():
    base, exponent = (
        np.array(v) for v in zip(*itertools.product([0.0, 0.5, 1.0, 2.0], [0.0, 0.5, 1.0, 2.0, -1.0, 3.0]), strict=True)
    )
    agree(mt.power, torch.pow, base, exponent)
    for b in (0, 1, 2, 3, 0.5, -1, -0.5):
        agree(lambda x, b=b: x**b, lambda x, b=b: x**b, np.array([0.0, 0.5, 2.0]))
    for b in (0, 1, 2, 3, -1):
        agree(lambda x, b=b: x**b, lambda x, b=b: x**b, np.array([-2.0, -0.5]))
    for a in (0.0, 0.5, 2.0):
        agree(lambda x, a=a: a**x, lambda x, a=a: a**x, np.array([0.0, 1.0, 2.0]))


def test_einsum_random_subscripts():
    generator = np.random.default_rng(7)
    for _ in range(60):
        size = dict(zip("abcde", generator.integers(1, 4, 5), strict=True))
        terms = [
            "".join(generator.choice(list("abcde"), generator.integers(0, 4))) for _ in range(generator.integers(1, 4))
        ]
        letters = sorted(set("".join(terms)))
        out = "".join(generator.permutation(letters)[: generator.integers(0, len(letters) + 1)]) if letters else ""
        subscripts = f"{','.join(terms)}->{out}"
        xs = [normal(*(size[c] for c in t)) for t in terms]
        agree(
            lambda *xs, s=subscripts: linalg.einsum(*xs, subscripts=s),
            lambda *xs, s=subscripts: torch.einsum(s, *xs),
            *xs,
        )


@pytest.mark.parametrize(
    ("a", "b"), [((3,), (3,)), ((3,), (2, 3, 4)), ((2, 4, 3), (3,)), ((2, 1, 4, 3), (5, 3, 2)), ((4, 3), (3, 2))]
)
def test_matmul(a, b):
    agree(mt.matmul, torch.matmul, normal(*a), normal(*b))


def test_linear():
    agree(linalg.linear, F.linear, normal(2, 3, 4), normal(5, 4), normal(5))
    agree(linalg.linear, F.linear, normal(4), normal(5, 4))


def test_second_gradients():
    """Hessian-vector products of a small network: convolution, normalisation, GELU, attention, cross-entropy."""
    x, w, m = normal(2, 2, 4, 4), normal(3, 2, 3, 3), normal(3, 5)
    target = np.array([1, 4])

    def ours(x, w, m):
        h = activation.gelu(convolution.conv2d(x, w, padding=1))
        h = normalisation.layer_norm(pooling.max_pool2d(h, kernel_size=2).reshape(2, 3, 4).swapaxes(1, 2))
        h = attention.scaled_dot_product_attention(h, h, h)
        return loss.cross_entropy(mt.mean(h, axis=1) @ m, mt.Tensor(target))

    def theirs(x, w, m):
        h = F.max_pool2d(F.gelu(F.conv2d(x, w, padding=1)), 2).reshape(2, 3, 4).swapaxes(1, 2)
        h = F.layer_norm(h, (3,))
        h = F.scaled_dot_product_attention(h, h, h)
        return F.cross_entropy(h.mean(1) @ m, torch.tensor(target))

    xs = [mt.Tensor(a, requires_grad=True) for a in (x, w, m)]
    ts = [torch.tensor(a, requires_grad=True) for a in (x, w, m)]
    gx = mt.grad(ours(*xs), xs, create_graph=True)
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        gt = torch.autograd.grad(theirs(*ts), ts, create_graph=True)
    for g, t in zip(gx, gt, strict=True):
        np.testing.assert_allclose(g.numpy(), t.detach().numpy(), atol=1e-10)
    hx = mt.grad(sum((g * g).sum() for g in gx), xs)
    ht = torch.autograd.grad(sum((g * g).sum() for g in gt), ts)
    for g, t in zip(hx, ht, strict=True):
        np.testing.assert_allclose(g.numpy(), t.numpy(), atol=1e-9)
