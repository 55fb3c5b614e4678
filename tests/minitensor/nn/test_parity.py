"""Each layer against PyTorch: the same weights, moved both ways by the state dict, give the same values, gradients."""

import numpy as np
import pytest

import minitensor as mt
from minitensor import nn
from minitensor.nn import functional as F

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity

LAYERS = {
    "linear": (lambda m: m.Linear(5, 3), (4, 5)),
    "linear, many axes": (lambda m: m.Linear(5, 3), (2, 4, 5)),
    "linear, no bias": (lambda m: m.Linear(5, 3, False), (4, 5)),
    "conv": (lambda m: m.Conv2d(3, 8, 3), (2, 3, 7, 6)),
    "conv, all settings": (lambda m: m.Conv2d(4, 6, (3, 2), 2, (2, 1), (2, 1), 2, False), (2, 4, 9, 8)),
    "relu": (lambda m: m.ReLU(), (4, 5)),
    "gelu": (lambda m: m.GELU(), (4, 5)),
    "gelu, tanh": (lambda m: m.GELU("tanh"), (4, 5)),
    "max pool": (lambda m: m.MaxPool2d(2), (2, 3, 6, 7)),
    "max pool, all settings": (lambda m: m.MaxPool2d(3, 2, 1), (2, 3, 6, 7)),
    "avg pool": (lambda m: m.AvgPool2d((3, 2), 2, 1), (2, 3, 6, 7)),
    "adaptive pool": (lambda m: m.AdaptiveAvgPool2d((3, None)), (2, 3, 7, 5)),
    "flatten": (lambda m: m.Flatten(1, 2), (2, 3, 4, 5)),
    "batch norm of vectors": (lambda m: m.BatchNorm1d(5), (8, 5)),
    "batch norm of sequences": (lambda m: m.BatchNorm1d(5, momentum=None), (3, 5, 4)),
    "batch norm of images": (lambda m: m.BatchNorm2d(3, 1e-3, 0.3), (4, 3, 5, 6)),
    "batch norm, bare": (lambda m: m.BatchNorm2d(3, affine=False, track_running_stats=False), (4, 3, 5, 6)),
    "layer norm": (lambda m: m.LayerNorm(6), (4, 5, 6)),
    "layer norm, two axes": (lambda m: m.LayerNorm((5, 6), bias=False), (4, 5, 6)),
    "no dropout": (lambda m: m.Dropout(0.0), (4, 5)),
    "identity": (lambda m: m.Identity(7, a=8), (4, 5)),
    "sequential": (lambda m: m.Sequential(m.Conv2d(3, 4, 3), m.BatchNorm2d(4), m.ReLU(), m.Flatten()), (4, 3, 5, 5)),
}


def close(a, b):
    np.testing.assert_allclose(np.asarray(a), b.detach().numpy(), rtol=1e-4, atol=1e-5)


def check(ours, theirs, x, mode):
    """Run two steps in training or evaluation, forward and backward, and compare everything."""
    ours.train(mode), theirs.train(mode)
    for _ in range(2):
        a = mt.Tensor(x, requires_grad=True)
        b = torch.tensor(x, requires_grad=True)
        y, z = ours(a), theirs(b)
        close(y.numpy(), z)
        g = np.random.default_rng(1).standard_normal(z.shape).astype(np.float32)
        y.backward(g), z.backward(torch.tensor(g))
        close(a.grad.numpy(), b.grad)
    gradients = dict(theirs.named_parameters())
    for name, p in ours.named_parameters():
        close(p.grad.numpy(), gradients[name].grad)
    state = theirs.state_dict()
    assert set(ours.state_dict()) == set(state)
    for name, value in ours.state_dict().items():
        close(value, state[name])
        assert str(value.dtype) == str(state[name].dtype).removeprefix("torch.")


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("case", LAYERS)
def test_layer(case, training):
    make, shape = LAYERS[case]
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape).astype(np.float32)
    mt.manual_seed(3)
    ours, theirs = make(nn), make(torch.nn)
    state = {k: (v + 0.1 * rng.random(v.shape)).astype(v.dtype) for k, v in ours.state_dict().items()}
    ours.load_state_dict(state)
    theirs.load_state_dict({k: torch.tensor(v) for k, v in state.items()})
    check(ours, theirs, x, training)
    theirs = make(torch.nn)
    make(nn).load_state_dict(theirs.state_dict())  # PyTorch's keys and shapes, taken as they are
    ours.zero_grad()
    ours.load_state_dict(theirs.state_dict())
    check(ours, theirs, x, training)


def test_embedding():
    for padding in (None, 2, -1):
        ours, theirs = nn.Embedding(6, 4, padding), torch.nn.Embedding(6, 4, padding)
        ours.load_state_dict(theirs.state_dict())
        x = np.array([[0, 2, 2], [5, 1, 2]])
        y, z = ours(mt.Tensor(x)), theirs(torch.tensor(x))
        close(y.numpy(), z)
        (y * y + y).sum().backward(), (z * z + z).sum().backward()
        close(ours.weight.grad.numpy(), theirs.weight.grad)


@pytest.mark.parametrize(
    "name, law",
    [("Linear", (50, 400)), ("Conv2d", (4, 100, 5)), ("Embedding", (50, 400))],
)
def test_initial_laws(name, law):
    """Same bounds and spread of every weight; 20,000 draws or 100, so about 1 % or 10 %."""
    mt.manual_seed(0), torch.manual_seed(0)
    ours, theirs = getattr(nn, name)(*law).state_dict(), getattr(torch.nn, name)(*law).state_dict()
    for k, a in ours.items():
        b = theirs[k].numpy()
        tolerance = 0.02 if a.size > 5000 else 0.2
        assert abs(a.std() / b.std() - 1) < tolerance and abs(a.mean()) < 4 * a.std() / a.size**0.5, k
        if name != "Embedding":
            assert abs(a).max() == pytest.approx(abs(b).max(), rel=0.05), k


FUNCTIONS = {
    "softmax": (lambda f, x, y: f.softmax(x, 1), (3, 4), (1,)),
    "log_softmax": (lambda f, x, y: f.log_softmax(x, dim=-1), (3, 4), (1,)),
    "normalize": (lambda f, x, y: f.normalize(x), (3, 4), (1,)),
    "normalize, p=1": (lambda f, x, y: f.normalize(x, 1.0, -2), (3, 4), (1,)),
    "normalize, p=3": (lambda f, x, y: f.normalize(x, p=3.0, dim=0), (3, 4), (1,)),
    "cosine_similarity": (lambda f, x, y: f.cosine_similarity(x, y), (3, 4), (3, 4)),
    "cosine_similarity, dim": (lambda f, x, y: f.cosine_similarity(x, y, dim=-1), (3, 2, 4), (3, 2, 4)),
    "mse_loss": (lambda f, x, y: f.mse_loss(x, y), (3, 4), (3, 4)),
    "mse_loss, none": (lambda f, x, y: f.mse_loss(x, y, reduction="none"), (3, 4), (3, 4)),
    "smooth_l1_loss": (lambda f, x, y: f.smooth_l1_loss(x, y, beta=0.5), (3, 4), (3, 4)),
    "smooth_l1_loss, sum": (lambda f, x, y: f.smooth_l1_loss(x, y, reduction="sum"), (3, 4), (3, 4)),
    "attention": (lambda f, x, y: f.scaled_dot_product_attention(x, y, y), (2, 3, 4), (2, 5, 4)),
    "attention, causal": (
        lambda f, x, y: f.scaled_dot_product_attention(x, y, y, is_causal=True),
        (2, 3, 4),
        (2, 5, 4),
    ),
    "attention, scale": (lambda f, x, y: f.scaled_dot_product_attention(x, y, y, scale=0.3), (2, 3, 4), (2, 5, 4)),
}


@pytest.mark.parametrize("case", FUNCTIONS)
def test_function(case):
    f, *shapes = FUNCTIONS[case]
    arrays = [np.random.default_rng(i).standard_normal(s).astype(np.float32) for i, s in enumerate(shapes)]
    ours = [mt.Tensor(a, requires_grad=True) for a in arrays]
    theirs = [torch.tensor(a, requires_grad=True) for a in arrays]
    y, z = f(F, *ours), f(torch.nn.functional, *theirs)
    close(y.numpy(), z)
    (y * y).sum().backward(), (z * z).sum().backward()
    for a, b in zip(ours, theirs, strict=True):
        if b.grad is not None:
            close(a.grad.numpy(), b.grad)


@pytest.mark.parametrize("settings", [{}, {"label_smoothing": 0.1}, {"ignore_index": 2}, {"reduction": "none"}])
def test_cross_entropy(settings):
    x = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)
    target = np.array([0, 2, 1, 3, 2, 1])
    a, b = mt.Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    y = F.cross_entropy(a, mt.Tensor(target), **settings)
    z = torch.nn.functional.cross_entropy(b, torch.tensor(target), **settings)
    close(y.numpy(), z)
    y.sum().backward(), z.sum().backward()
    close(a.grad.numpy(), b.grad)


def test_one_hot_is_integers():
    x = np.array([[0, 2], [1, 0]])
    for classes in (-1, 5):
        y, z = F.one_hot(mt.Tensor(x), classes), torch.nn.functional.one_hot(torch.tensor(x), classes)
        assert y.numpy().tolist() == z.tolist() and y.dtype == np.int64
