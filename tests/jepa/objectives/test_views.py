"""Objectives of views: numbers derived by hand, published formulas in PyTorch, gradients, and what must collapse."""

import math
from typing import Any

import numpy as np
import pytest

import minitensor as mt
from jepa.contracts import Embeddings
from jepa.errors import ConfigError
from jepa.learner import JEPA
from jepa.objectives import BYOL, TCR, BarlowTwins, NTXent, SIGReg, SimSiam, SwAV, VICReg, VISReg
from jepa.objectives.barlow import correlation
from jepa.objectives.sigreg import directions, epps_pulley
from jepa.objectives.swav import equal_shares
from jepa.objectives.tcr import coding_rate, largest_rate
from jepa.objectives.visreg import center_scale_shape, quantiles
from tests.jepa.test_targets import make

RNG = np.random.default_rng(0)
REGULARIZED = {"vicreg": VICReg(), "sigreg": SIGReg(), "visreg": VISReg(), "tcr": TCR()}


def tensor(*shape: int, scale: float = 1.0) -> mt.Tensor:
    return mt.Tensor(scale * RNG.standard_normal(shape))


def mutual(z: mt.Tensor, mean: bool) -> Embeddings:
    """Return views (n, V, d) that predict one another, or their mean, without a predictor, gradient and all."""
    each = range(z.shape[1])
    if mean:
        predictions, targets = [z[:, a : a + 1] for a in each], [z.mean(axis=1, keepdims=True) for _ in each]
    else:
        pairs = [(a, b) for a in each for b in each if a != b]
        predictions, targets = [z[:, a : a + 1] for a, _ in pairs], [z[:, b : b + 1] for _, b in pairs]
    return Embeddings(z, predictions, targets, same=True)


def loss(objective: Any, z: Embeddings) -> dict[str, mt.Tensor]:
    return objective(z, np.random.default_rng(0))  # type: ignore[no-any-return]


# -- SIGReg ------------------------------------------------------------------------------------------------------------


def test_the_statistic_has_its_known_values() -> None:
    t = np.linspace(0, 3, 17)
    w = np.full(17, 3 / 8)
    w[[0, -1]] /= 2
    collapsed = 10 * (w * np.exp(-(t**2) / 2) * (1 - np.exp(-(t**2) / 2)) ** 2).sum()
    assert float(epps_pulley(mt.zeros((10, 1)))[0]) == pytest.approx(collapsed, rel=1e-5)
    assert collapsed / 10 == pytest.approx(0.402, abs=5e-4)
    normal = mt.Tensor(RNG.standard_normal((200, 4000)))
    assert float(epps_pulley(normal).mean()) == pytest.approx(1.052, abs=0.03)  # E|φ_n - φ|² = (1 - φ²) / n
    for spread, found in ((0.5, 39), (2.0, 62)):
        x = mt.Tensor(spread * quantiles(256)[:, None])
        assert float(epps_pulley(x)[0]) == pytest.approx(found, rel=0.05)


def test_two_points_at_one_and_minus_one() -> None:
    """Their φ is cos t: the integral is ∫ (cos t - e^(-t²/2))² e^(-t²/2) dt over [-3, 3], n = 2."""
    t = np.linspace(-3, 3, 100_001)
    integrand = (np.cos(t) - np.exp(-(t**2) / 2)) ** 2 * np.exp(-(t**2) / 2)
    assert float(epps_pulley(mt.Tensor([[1.0], [-1.0]]))[0]) == pytest.approx(2 * np.trapezoid(integrand, t), rel=2e-3)


def test_directions_are_unit_and_the_step_s_own() -> None:
    a = directions(5, 8, np.random.default_rng(3)).numpy()
    np.testing.assert_allclose(np.linalg.norm(a, axis=0), 1, atol=1e-6)
    np.testing.assert_array_equal(a, directions(5, 8, np.random.default_rng(3)).numpy())
    z = mutual(tensor(16, 2, 8), mean=True)
    one, two = (float(SIGReg()(z, np.random.default_rng(k))["sigreg"]) for k in range(2))
    assert one != two


def test_sigreg_looks_at_each_view_by_itself() -> None:
    """Views that are alike are no fault of theirs: flattened, twice the rows would be, and twice the statistic."""
    z = tensor(32, 1, 8)
    one, two = (loss(SIGReg(), mutual(mt.concatenate([z] * v, axis=1), mean=True)) for v in (2, 3))
    assert float(one["sigreg"]) == pytest.approx(float(two["sigreg"]), rel=1e-9)
    assert float(one["loss"]) == pytest.approx(0.05 * float(one["sigreg"]) + 0.95 * float(one["invariance"]))


@pytest.mark.parametrize("objective", [SIGReg(), VISReg(), TCR()])
def test_half_precision_is_compared_in_float32(objective: Any) -> None:
    z = mutual(tensor(16, 2, 8).astype("float16"), mean=False)
    assert np.isfinite(float(loss(objective, z)["loss"]))


# -- VISReg ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n, squares", [(128, 0.936), (256, 0.963)])
def test_visreg_of_a_constant(n: int, squares: float) -> None:
    c = np.array([1.0, 2.0, -2.0])
    assert (quantiles(n) ** 2).mean() == pytest.approx(squares, abs=5e-4)
    z = mt.Tensor(np.tile(c, (n, 1)))
    terms = center_scale_shape(z, directions(64, 3, RNG).astype("float64")).numpy()
    np.testing.assert_allclose(terms, [9 / 3, 1, (quantiles(n) ** 2).mean()], atol=3e-6)


@pytest.mark.parametrize("n, total", [(128, 0.0021), (256, 0.00069)])
def test_visreg_of_the_quantiles_themselves(n: int, total: float) -> None:
    """One dimension: scale is (1 - σ)², σ² = mean q², and shape mean (q / σ - q)² = (1 - σ)² again."""
    terms = center_scale_shape(mt.Tensor(quantiles(n)[:, None]), mt.ones((1, 1), dtype="float64")).numpy()
    sigma = math.sqrt((quantiles(n) ** 2).mean())
    np.testing.assert_allclose(terms, [0, (1 - sigma) ** 2, (1 - sigma) ** 2], atol=1e-6)
    assert terms.sum() == pytest.approx(total, rel=0.03)


def test_near_collapse_visreg_pulls_and_sigreg_does_not() -> None:
    pulls = []
    for f in (lambda z: center_scale_shape(z, mt.eye(4, dtype="float64"))[1], lambda z: epps_pulley(z).mean() / 64):
        z = (1e-4 * tensor(64, 4)).requires_grad_()
        (g,) = mt.grad(f(z), z)
        pulls.append(np.linalg.norm(g.numpy()) * math.sqrt(64 * 4))
    assert pulls[0] == pytest.approx(2, rel=0.01) and pulls[1] < 1e-3
    z = mt.zeros((8, 4), dtype="float64").requires_grad_()
    (g,) = mt.grad(center_scale_shape(z, mt.eye(4, dtype="float64")).sum(), z)
    assert np.isfinite(g.numpy()).all()


def test_the_shape_says_nothing_of_the_scale() -> None:
    """With a stop-gradient, as published, small samples would be drawn to a point by it."""
    a = directions(64, 4, RNG).astype("float64")
    for n in (8, 64):
        z = tensor(n, 4).requires_grad_()
        (g,) = mt.grad(center_scale_shape(z, a)[2], z)
        assert (g.numpy() * (z.numpy() - z.numpy().mean(axis=0))).sum() == pytest.approx(0, abs=1e-5)


# -- TCR ---------------------------------------------------------------------------------------------------------------


def test_the_coding_rate_by_hand() -> None:
    assert float(coding_rate(mt.eye(4), 0.2)) == pytest.approx(largest_rate(4, 4, 0.2)) == 2 * math.log(1 + 1 / 0.2)
    for n in (3, 12):  # all alike: one direction, of length √n
        assert float(coding_rate(mt.ones((n, 6)), 0.5)) == pytest.approx(math.log(1 + 6 / 0.5) / 2, rel=1e-5)
    z = tensor(12, 6)
    assert float(coding_rate(3 * z)) == pytest.approx(float(coding_rate(z)))
    assert float(coding_rate(z)) < largest_rate(12, 6, 0.2)
    orthogonal = mt.Tensor(np.tile(np.eye(6), (2, 1)))
    assert float(coding_rate(orthogonal)) == pytest.approx(largest_rate(12, 6, 0.2))


@pytest.mark.parametrize("n", [5, 9])
def test_the_gradient_of_the_coding_rate(n: int) -> None:
    """Of unit rows: d / (n eps) Z (I + d / (n eps) ZᵀZ)⁻¹, without its part along each row."""
    d, eps = 7, 0.2
    z = tensor(n, d)
    z = (z / mt.sqrt((z * z).sum(axis=1, keepdims=True))).requires_grad_()
    (g,) = mt.grad(coding_rate(z, eps), z)
    x = z.numpy()
    free = d / (n * eps) * x @ np.linalg.inv(np.eye(d) + d / (n * eps) * x.T @ x)
    free -= (free * x).sum(axis=1, keepdims=True) * x
    np.testing.assert_allclose(g.numpy(), free, atol=1e-10)


def test_tcr_is_zero_where_nothing_is_left_to_gain() -> None:
    z = mutual(mt.Tensor(np.repeat(np.eye(6)[:, None], 3, axis=1)), mean=True)
    assert float(loss(TCR(), z)["loss"]) == pytest.approx(0, abs=1e-9)


# -- VICReg, Barlow Twins, NT-Xent -------------------------------------------------------------------------------------


@pytest.mark.parity
def test_vicreg_of_two_views_is_the_paper_s() -> None:
    torch: Any = pytest.importorskip("torch")
    z = tensor(16, 2, 6)
    a, b = (torch.tensor(z.numpy()[:, v]) for v in range(2))

    def hinge(x: Any) -> Any:
        return torch.relu(1 - torch.sqrt(x.var(dim=0) + 1e-4)).mean()

    def others(x: Any) -> Any:
        c = torch.cov(x.T)
        return (c**2).sum() / 6 - (c.diagonal() ** 2).sum() / 6

    want = 25 * ((a - b) ** 2).mean() + 25 * (hinge(a) + hinge(b)) + others(a) + others(b)
    assert float(loss(VICReg(), mutual(z, mean=False))["loss"]) == pytest.approx(float(want))


@pytest.mark.parametrize("count", [2, 3, 5])
def test_pairs_are_the_mean_in_another_unit(count: int) -> None:
    """Σ_(a≠b) |z_a - z_b|² / (V (V - 1)) = 2 V / (V - 1) · Σ_v |z_v - mean|² / V."""
    z = tensor(16, count, 6)
    pairs, mean = (float(loss(VICReg(), mutual(z, mean=m))["invariance"]) for m in (False, True))
    assert pairs == pytest.approx(2 * count / (count - 1) * mean)
    for name in ("variance", "covariance"):
        both, one = (loss(VICReg(), mutual(z, mean=m))[name] for m in (False, True))
        assert float(both) == pytest.approx(float(one))


@pytest.mark.parity
def test_barlow_twins_of_two_views_is_the_paper_s() -> None:
    torch: Any = pytest.importorskip("torch")
    z = tensor(32, 2, 5)
    z = (z - z.mean(axis=0)) / mt.sqrt(z.var(axis=0))  # both views with the same statistics
    a, b = (torch.tensor(z.numpy()[:, v]) for v in range(2))
    c = torch.nn.BatchNorm1d(5, affine=False).double()(a).T @ torch.nn.BatchNorm1d(5, affine=False).double()(b) / 32
    c = (c + c.T) / 2  # both ways
    off = c - torch.diag(c.diagonal())
    want = 0.1 * (((1 - c.diagonal()) ** 2).sum() + 0.0051 * (off**2).sum())
    found = loss(BarlowTwins(), mutual(z, mean=False))
    assert float(found["loss"]) == pytest.approx(float(want))
    x = tensor(8, 3)
    np.testing.assert_allclose(correlation(x, x).numpy(), np.corrcoef(x.numpy().T), atol=1e-4)


@pytest.mark.parity
def test_nt_xent_is_the_paper_s() -> None:
    torch: Any = pytest.importorskip("torch")
    z = tensor(10, 2, 6)
    rows = torch.nn.functional.normalize(torch.tensor(np.concatenate([z.numpy()[:, 0], z.numpy()[:, 1]])), dim=1)
    total = 0.0
    for i in range(20):
        s = torch.exp(rows @ rows[i] / 0.5)
        total -= float(torch.log(s[(i + 10) % 20] / (s.sum() - s[i]))) / 20
    assert float(loss(NTXent(), mutual(z, mean=False))["loss"]) == pytest.approx(total)
    one = mutual(mt.ones((10, 2, 6), dtype="float64"), mean=False)
    assert float(loss(NTXent(), one)["loss"]) == pytest.approx(math.log(19))


def test_swav_is_the_official_code_s() -> None:
    """Its assignments, its loss of both ways, and its gradient, in which the assignments are constants."""
    z = tensor(12, 2, 5, scale=0.3)
    rows, total, wanted = z.numpy(), 0.0, np.zeros(z.shape)
    for a, b in ((0, 1), (1, 0)):
        q = np.exp(rows[:, b] / 0.05).T  # (K, B), as there
        q /= q.sum()
        for _ in range(3):
            q /= q.sum(axis=1, keepdims=True) * 5
            q /= q.sum(axis=0, keepdims=True) * 12
        q = (q * 12).T
        np.testing.assert_allclose(equal_shares(z[:, b], sharpness=0.05, rounds=3).numpy(), q, rtol=1e-10)
        p = np.exp(rows[:, a] / 0.1)
        p /= p.sum(axis=1, keepdims=True)
        total -= (q * np.log(p)).sum(axis=1).mean() / 2
        wanted[:, a] = (p - q) / 0.1 / 12 / 2
    z = z.requires_grad_()
    found = loss(SwAV(), mutual(z, mean=False))["loss"]
    assert float(found) == pytest.approx(total)
    np.testing.assert_allclose(mt.grad(found, z)[0].numpy(), wanted, atol=1e-12)


def test_swav_of_large_scores_and_of_a_constant() -> None:
    large = equal_shares(tensor(8, 4, scale=1e4), sharpness=0.05, rounds=50).numpy()
    assert np.isfinite(large).all() and large.sum(axis=1) == pytest.approx(1)
    constant = loss(SwAV(), mutual(mt.ones((10, 2, 6), dtype="float64"), mean=False))
    assert (float(constant["loss"]), float(constant["entropy"])) == pytest.approx((math.log(6), 1))


def test_siamese_losses() -> None:
    z = mutual(tensor(10, 2, 6), mean=False)
    a, b = (z.context.numpy()[:, v] for v in range(2))
    cosine = ((a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)).mean()
    assert float(loss(SimSiam(), z)["loss"]) == pytest.approx(-cosine)
    assert float(loss(BYOL(), z)["loss"]) == pytest.approx(2 - 2 * cosine)


# -- gradients and collapse --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("objective", [*REGULARIZED.values(), BarlowTwins(), NTXent(), SimSiam(), BYOL()], ids=str)
@pytest.mark.parametrize("mean", [True, False])
def test_gradients(objective: Any, mean: bool) -> None:
    def f(z: mt.Tensor) -> mt.Tensor:
        return loss(objective, mutual(z, mean))["loss"]

    z = tensor(5, 2, 3).requires_grad_()
    (g,) = mt.grad(f(z), z)
    numeric, h, x = np.zeros(z.shape), 1e-6, z.numpy().copy()
    for index in np.ndindex(*x.shape):
        step = np.zeros_like(x)
        step[index] = h
        numeric[index] = (float(f(mt.Tensor(x + step))) - float(f(mt.Tensor(x - step)))) / (2 * h)
    np.testing.assert_allclose(g.numpy(), numeric, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("name", REGULARIZED)
def test_descent_from_near_collapse_spreads(name: str) -> None:
    """Two views that hardly differ from a constant: the regularizer drives the examples apart."""
    z = mt.Tensor(1.0 + 0.01 * RNG.standard_normal((32, 2, 4))).requires_grad_()
    optimizer = mt.optim.Adam([z], lr=0.05)
    for step in range(200):
        optimizer.zero_grad()
        REGULARIZED[name](mutual(z, mean=True), np.random.default_rng(step))["loss"].backward()
        optimizer.step()
    x = z.numpy()
    unit = x / np.linalg.norm(x, axis=-1, keepdims=True)
    assert unit[:, 0].std(axis=0).mean() > 0.3
    assert (unit[:, 0] * unit[:, 1]).sum(-1).mean() > 0.8


@pytest.mark.parametrize(
    "objective, target, predictor, said",
    [
        (SimSiam(), "ema", "mlp", "objective=simsiam with target=ema and predictor=mlp: .* use target=stopgrad"),
        (SimSiam(), "stopgrad", "none", "objective=simsiam with .* predictor=none: .* use predictor=mlp"),
        (BYOL(), "stopgrad", "mlp", "objective=byol with target=stopgrad and .* use target=ema"),
        (BYOL(), "ema", "none", "objective=byol with .*predictor=none: .* use predictor=mlp"),
        (BYOL(), "shared", "mlp", "target=shared with objective=byol must collapse"),
        (SIGReg(weight=0.0), "shared", "none", "target=shared with objective=sigreg must collapse"),
        (VISReg(weight=0.0), "stopgrad", "none", "target=stopgrad with objective=visreg"),
    ],
)
def test_what_must_collapse_is_refused(objective: Any, target: str, predictor: str, said: str) -> None:
    from jepa.parts import load

    with pytest.raises(ConfigError, match=said):
        make(target, objective, load("predictor", predictor))


@pytest.mark.parametrize(
    "objective, target, predictor",
    [(SimSiam(), "stopgrad", "mlp"), (BYOL(), "ema", "mlp"), *((o, "shared", "none") for o in REGULARIZED.values())],
)
def test_what_does_not_is_made(objective: Any, target: str, predictor: str) -> None:
    from jepa.parts import load

    assert isinstance(make(target, objective, load("predictor", predictor)), JEPA)
