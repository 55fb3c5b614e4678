"""The small layers against PyTorch's: the same construction and state dict give the same values and gradients."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import minitensor as mt
from minitensor import nn

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity
rng = np.random.default_rng(5)


def normal(*shape):
    return rng.standard_normal(shape).astype(np.float32)


def share(*shape):
    return rng.random(shape).astype(np.float32)


def _wanted(x):
    """Whether an input gets a gradient: not integers, and not a target of signs."""
    return x.dtype.kind == "f" and not np.all(np.abs(x) == 1)


POINTWISE = [
    "CELU", "ELU", "GELU", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "LeakyReLU", "LogSigmoid", "Mish",
    "PReLU", "ReLU", "ReLU6", "SELU", "Sigmoid", "SiLU", "Softplus", "Softshrink", "Softsign", "Tanh", "Tanhshrink",
    "Identity",
]  # fmt: skip
LAYERS = {name: (lambda m, n=name: getattr(m, n)(), [2 * normal(3, 4)]) for name in POINTWISE} | {
    "ELU, alpha": (lambda m: m.ELU(1.3, False), [normal(3, 4)]),
    "CELU, alpha": (lambda m: m.CELU(alpha=1.3), [normal(3, 4)]),
    "Hardtanh, bounds": (lambda m: m.Hardtanh(-0.5, 0.3), [normal(3, 4)]),
    "LeakyReLU, slope": (lambda m: m.LeakyReLU(0.3, inplace=False), [normal(3, 4)]),
    "PReLU, channels": (lambda m: m.PReLU(4, init=0.1), [normal(2, 4, 3)]),
    "Softplus, settings": (lambda m: m.Softplus(2.0, 1.0), [normal(3, 4)]),
    "Threshold": (lambda m: m.Threshold(0.1, 20), [normal(3, 4)]),
    "Softmax": (lambda m: m.Softmax(1), [normal(3, 4)]),
    "Softmax, no dim": (lambda m: m.Softmax(), [normal(3, 4, 2)]),
    "LogSoftmax": (lambda m: m.LogSoftmax(dim=-1), [normal(3, 4)]),
    "Softmin": (lambda m: m.Softmin(0), [normal(3, 4)]),
    "Softmax2d": (lambda m: m.Softmax2d(), [normal(2, 3, 4, 2)]),
    "Softmax2d, one": (lambda m: m.Softmax2d(), [normal(3, 4, 2)]),
    "GLU": (lambda m: m.GLU(), [normal(3, 4)]),
    "GLU, dim": (lambda m: m.GLU(0), [normal(4, 3)]),
    "BatchNorm1d": (lambda m: m.BatchNorm1d(4), [normal(5, 4)]),
    "BatchNorm2d": (lambda m: m.BatchNorm2d(4, momentum=None), [normal(3, 4, 2, 2)]),
    "BatchNorm3d": (lambda m: m.BatchNorm3d(4, eps=1e-3, momentum=0.3), [normal(3, 4, 2, 2, 2)]),
    "BatchNorm3d, bare": (lambda m: m.BatchNorm3d(4, affine=False, track_running_stats=False), [normal(3, 4, 2, 2, 2)]),
    "InstanceNorm1d": (lambda m: m.InstanceNorm1d(4), [normal(3, 4, 5)]),
    "InstanceNorm1d, one": (lambda m: m.InstanceNorm1d(4, affine=True), [normal(4, 5)]),
    "InstanceNorm2d": (lambda m: m.InstanceNorm2d(4, affine=True, track_running_stats=True), [normal(3, 4, 2, 3)]),
    "InstanceNorm3d": (lambda m: m.InstanceNorm3d(4, 1e-3, 0.3, True, True), [normal(3, 4, 2, 3, 2)]),
    "LayerNorm": (lambda m: m.LayerNorm([3, 4]), [normal(2, 3, 4)]),
    "LayerNorm, bare": (lambda m: m.LayerNorm(4, elementwise_affine=False), [normal(2, 3, 4)]),
    "LayerNorm, no bias": (lambda m: m.LayerNorm(4, 1e-3, bias=False), [normal(2, 3, 4)]),
    "RMSNorm": (lambda m: m.RMSNorm(4), [normal(2, 3, 4)]),
    "RMSNorm, settings": (lambda m: m.RMSNorm((3, 4), 1e-2, elementwise_affine=False), [normal(2, 3, 4)]),
    "GroupNorm": (lambda m: m.GroupNorm(2, 6), [normal(2, 6, 3)]),
    "GroupNorm, bare": (lambda m: m.GroupNorm(3, 6, affine=False), [normal(2, 6, 3, 2)]),
    "LocalResponseNorm": (lambda m: m.LocalResponseNorm(2, 0.3), [normal(2, 6, 3)]),
    "Linear": (lambda m: m.Linear(4, 3), [normal(2, 2, 4)]),
    "Linear, vector": (lambda m: m.Linear(4, 3, bias=False), [normal(4)]),
    "Linear, nothing": (lambda m: m.Linear(4, 3), [normal(0, 4)]),
    "Bilinear": (lambda m: m.Bilinear(2, 3, 4), [normal(5, 2), normal(5, 3)]),
    "Bilinear, no bias": (lambda m: m.Bilinear(2, 3, 4, bias=False), [normal(2, 5, 2), normal(2, 5, 3)]),
    "Flatten": (lambda m: m.Flatten(), [normal(2, 3, 4)]),
    "Flatten, all": (lambda m: m.Flatten(0, -1), [normal(2, 3, 4)]),
    "Flatten, number": (lambda m: m.Flatten(0), [np.float32(3.0).reshape(())]),
    "Unflatten": (lambda m: m.Unflatten(1, (2, 3)), [normal(2, 6, 2)]),
    "Unflatten, rest": (lambda m: m.Unflatten(-1, (-1, 3)), [normal(2, 6)]),
    "Embedding": (lambda m: m.Embedding(6, 4), [np.array([[0, 2], [5, 2]])]),
    "Embedding, padding": (lambda m: m.Embedding(6, 4, -2), [np.array([[0, 4], [5, 4]])]),
    "Embedding, max_norm": (lambda m: m.Embedding(6, 4, None, 1.2, 3.0), [np.array([[0, 4], [5, 4]])]),
    "Embedding, frequency": (lambda m: m.Embedding(6, 4, 4, scale_grad_by_freq=True), [np.array([[0, 4], [0, 5]])]),
    "EmbeddingBag, max_norm": (
        lambda m: m.EmbeddingBag(6, 4, 1.0, 2.0, False, "sum", padding_idx=5),
        [np.array([[0, 5, 1], [0, 5, 0]])],
    ),
    "EmbeddingBag": (lambda m: m.EmbeddingBag(6, 4), [np.array([[0, 2], [5, 2]])]),
    "EmbeddingBag, sum": (lambda m: m.EmbeddingBag(6, 4, mode="sum"), [np.array([0, 2, 5, 2]), np.array([0, 1, 1])]),
    "EmbeddingBag, max": (lambda m: m.EmbeddingBag(6, 4, mode="max"), [np.array([0, 2, 5, 2]), np.array([0, 3])]),
    "EmbeddingBag, padding": (
        lambda m: m.EmbeddingBag(6, 4, include_last_offset=True, padding_idx=2),
        [np.array([0, 2, 5, 2]), np.array([0, 1, 3, 4])],
    ),
    "L1Loss": (lambda m: m.L1Loss(), [normal(3, 4), normal(3, 4)]),
    "MSELoss": (lambda m: m.MSELoss(reduction="sum"), [normal(3, 4), normal(3, 4)]),
    "SmoothL1Loss": (lambda m: m.SmoothL1Loss(beta=0.4), [normal(3, 4), normal(3, 4)]),
    "HuberLoss": (lambda m: m.HuberLoss("none", 0.5), [normal(3, 4), normal(3, 4)]),
    "CrossEntropyLoss": (lambda m: m.CrossEntropyLoss(ignore_index=1), [normal(3, 4), np.array([0, 1, 3])]),
    "CrossEntropyLoss, soft": (lambda m: m.CrossEntropyLoss(label_smoothing=0.1), [normal(3, 4), share(3, 4)]),
    "NLLLoss": (lambda m: m.NLLLoss(reduction="none"), [normal(3, 4), np.array([0, 1, 3])]),
    "MultiMarginLoss": (lambda m: m.MultiMarginLoss(2, 0.5), [normal(3, 4), np.array([0, 1, 3])]),
    "MultiLabelMarginLoss": (lambda m: m.MultiLabelMarginLoss(), [normal(2, 3), np.array([[0, 2, -1], [1, -1, 2]])]),
    "BCELoss": (lambda m: m.BCELoss(), [share(3, 4), share(3, 4)]),
    "BCEWithLogitsLoss": (lambda m: m.BCEWithLogitsLoss(), [normal(3, 4), share(3, 4)]),
    "SoftMarginLoss": (lambda m: m.SoftMarginLoss(), [normal(3), np.array([1.0, -1.0, 1.0], np.float32)]),
    "MultiLabelSoftMarginLoss": (lambda m: m.MultiLabelSoftMarginLoss(), [normal(3, 4), share(3, 4)]),
    "HingeEmbeddingLoss": (lambda m: m.HingeEmbeddingLoss(0.5), [normal(3), np.array([1, -1, 1])]),
    "KLDivLoss": (lambda m: m.KLDivLoss(reduction="batchmean", log_target=True), [normal(3, 4), normal(3, 4)]),
    "PoissonNLLLoss": (lambda m: m.PoissonNLLLoss(), [normal(3), share(3)]),
    "GaussianNLLLoss": (lambda m: m.GaussianNLLLoss(full=True), [normal(3, 4), normal(3, 4), share(3, 4)]),
    "MarginRankingLoss": (lambda m: m.MarginRankingLoss(0.2), [normal(3), normal(3), np.array([1, -1, 1])]),
    "CosineEmbeddingLoss": (lambda m: m.CosineEmbeddingLoss(0.2), [normal(3, 4), normal(3, 4), np.array([1, -1, 1])]),
    "TripletMarginLoss": (
        lambda m: m.TripletMarginLoss(2.0, 1.0, swap=True),
        [normal(3, 4) for _ in "apn"],
    ),
    "CosineSimilarity": (lambda m: m.CosineSimilarity(-1), [normal(3, 4), normal(3, 4)]),
    "PairwiseDistance": (lambda m: m.PairwiseDistance(1.0, keepdim=True), [normal(3, 4), normal(3, 4)]),
    "ModuleList's keys": (lambda m: m.Sequential(m.Linear(4, 3), m.PReLU(), m.LayerNorm(3)), [normal(2, 4)]),
}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", LAYERS)
def test_layer(name, training):
    make, inputs = LAYERS[name]
    ours, theirs = make(nn).train(training), make(torch.nn).train(training)
    state = theirs.state_dict()
    assert list(ours.state_dict()) == list(state)
    ours.load_state_dict(state)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's advice
        for _ in range(2):
            xs = [mt.Tensor(x.copy(), requires_grad=_wanted(x)) for x in inputs]
            ts = [torch.tensor(x, requires_grad=_wanted(x)) for x in inputs]
            y, z = ours(*xs), theirs(*ts)
            assert y.shape == tuple(z.shape)
            np.testing.assert_allclose(y.numpy(), z.detach().numpy(), rtol=1e-4, atol=1e-5)
            v = np.random.default_rng(0).standard_normal(z.shape).astype(np.float32)
            y.backward(v)
            z.backward(torch.tensor(v))
    for x, t in zip(xs, ts, strict=True):
        if t.grad is not None:
            np.testing.assert_allclose(x.grad.numpy(), t.grad.numpy(), rtol=1e-4, atol=1e-5)
    gradients = dict(theirs.named_parameters())
    for key, p in ours.named_parameters():
        np.testing.assert_allclose(p.grad.numpy(), gradients[key].grad.numpy(), rtol=1e-4, atol=1e-5)
    for key, value in theirs.state_dict().items():  # running statistics have moved alike
        np.testing.assert_allclose(ours.state_dict()[key], value.numpy(), rtol=1e-5, atol=1e-6)


def test_weights_of_losses_are_buffers():
    w = np.array([1.0, 2.0, 3.0], np.float32)
    for name, settings in (
        ("CrossEntropyLoss", {"weight": w}),
        ("NLLLoss", {"weight": w}),
        ("MultiMarginLoss", {"weight": w}),
        ("BCELoss", {"weight": w}),
        ("BCEWithLogitsLoss", {"weight": w, "pos_weight": 2 * w}),
        ("MultiLabelSoftMarginLoss", {"weight": w}),
    ):
        ours = getattr(nn, name)(**settings)
        theirs = getattr(torch.nn, name)(**{k: torch.tensor(v) for k, v in settings.items()})
        assert list(ours.state_dict()) == list(theirs.state_dict()) and not list(ours.parameters())
        classes = name in ("CrossEntropyLoss", "NLLLoss", "MultiMarginLoss")
        x, t = share(2, 3), np.array([0, 2]) if classes else share(2, 3)
        got = ours(mt.Tensor(x), mt.Tensor(t)).item()
        assert got == pytest.approx(theirs(torch.tensor(x), torch.tensor(t)).item(), rel=1e-5)


@pytest.mark.parametrize("law", [("Bilinear", (20, 30, 40)), ("EmbeddingBag", (50, 400)), ("PReLU", (3,))])
def test_initial_laws(law):
    name, sizes = law
    mt.manual_seed(0), torch.manual_seed(0)
    ours, theirs = getattr(nn, name)(*sizes).state_dict(), getattr(torch.nn, name)(*sizes).state_dict()
    for k, a in ours.items():
        b = theirs[k].numpy()
        assert abs(a.std() - b.std()) <= 0.02 * b.std() if a.size > 5000 else abs(a).max() <= abs(b).max() * 1.3


def test_containers_have_pytorchs_keys():
    def make(m, layers, dictionary):
        model = m.Sequential()
        model.items_ = layers([m.Linear(2, 2), m.PReLU()])
        model.named = dictionary({"left": m.Linear(2, 1), "right": m.LayerNorm(2)})
        model.ps = m.ParameterList([t(np.ones(2, np.float32)), t(np.ones((3, 1), np.float32))])
        model.pd = m.ParameterDict({"scale": t(np.ones(4, np.float32)), "shift": t(np.zeros(1, np.float32))})
        return model

    t = mt.Tensor
    ours = make(nn, nn.LayerList, nn.LayerDict)
    t = lambda v: torch.nn.Parameter(torch.tensor(v))  # noqa: E731
    theirs = make(torch.nn, torch.nn.ModuleList, torch.nn.ModuleDict)
    assert set(ours.state_dict()) == set(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict())
