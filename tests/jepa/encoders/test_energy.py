"""The energy transformer: its closed-form steps are the energy's gradients, and lead down."""

import numpy as np
import pytest

import minitensor as mt
from jepa.contracts import Keep
from jepa.encoders import EnergyTransformer, ViT
from jepa.encoders.energy import EnergyBlock
from jepa.errors import ConfigError

RNG = np.random.default_rng(0)
X = RNG.standard_normal((3, 6, 8))
VALID = np.arange(6) < np.array([6, 4, 1])[:, None]


def block(hopfield: str = "relu", step: float = 0.1) -> EnergyBlock:
    """A block in float64 with weights of order 1, so that all terms of the energy count."""
    mt.manual_seed(1)
    made = EnergyBlock(8, 2, 24, hopfield, step).to(dtype="float64")
    rng = np.random.default_rng(1)
    with mt.no_grad():
        for name, p in made.named_parameters():
            p[...] = rng.uniform(0.5, 1.5, p.shape) if "beta" in name else 0.4 * rng.standard_normal(p.shape)
        made.norm.weight[...] = 1.3
    return made


def plain_energy(b: EnergyBlock, x: np.ndarray, valid: np.ndarray, hopfield: str) -> float:
    """The energy of one sample, by loops over its valid tokens."""
    g = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-6)
    g = (g * float(b.norm.weight) + b.norm.bias.numpy())[valid]
    wq, wk, total = b.attn.query.numpy().reshape(2, 4, 8), b.attn.key.numpy().reshape(2, 4, 8), 0.0
    for h, beta in enumerate(b.attn.beta.numpy()):
        for q in g:
            total -= np.log(sum(np.exp(beta * (wq[h] @ q) @ (wk[h] @ k)) for k in g)) / beta
    for q in g:
        overlap = q @ b.hopfield.memories.numpy()
        if hopfield == "relu":
            total -= 0.5 * (np.maximum(overlap, 0) ** 2).sum()
        else:
            beta = float(b.hopfield.beta)
            total -= np.log(np.exp(beta * overlap).sum()) / beta
    return total


@pytest.mark.parametrize("hopfield", ["relu", "softmax"])
def test_the_energy_is_the_papers(hopfield: str) -> None:
    b = block(hopfield)
    expected = [plain_energy(b, x, valid, hopfield) for x, valid in zip(X, VALID, strict=True)]
    assert np.allclose(b.energy(mt.Tensor(X), mt.Tensor(VALID)).numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("hopfield", ["relu", "softmax"])
def test_closed_form_is_the_gradient_of_the_energy_and_so_are_its_own_gradients(hopfield: str, padded: bool) -> None:
    b = block(hopfield)
    g = mt.Tensor(X, requires_grad=True)
    valid = mt.Tensor(VALID) if padded else None
    keep = mt.Tensor(VALID[..., None] if padded else np.ones((3, 6, 1), bool))  # padding has no energy to go down
    down = mt.where(keep, b.attn(g, valid) + b.hopfield(g), 0.0)
    energy = (b.attn.energy(g, valid) + b.hopfield.energy(g, valid)).sum()
    (slope,) = mt.grad(energy, [g], create_graph=True)
    assert np.abs(slope.numpy()).max() > 1  # there is something to compare
    assert np.allclose(down.numpy(), -slope.numpy(), rtol=1e-10, atol=1e-10)
    direction = mt.Tensor(RNG.standard_normal(X.shape))
    parameters = [p for part in (b.attn, b.hopfield) for p in part.parameters()]
    ours = mt.grad((down * direction).sum(), [g, *parameters])
    theirs = mt.grad((-slope * direction).sum(), [g, *parameters])
    for a, e in zip(ours, theirs, strict=True):
        assert np.allclose(a.numpy(), e.numpy(), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("hopfield", ["relu", "softmax"])
def test_the_energy_falls_with_every_small_step(hopfield: str) -> None:
    b = block(hopfield, step=0.01)
    x, energies = mt.Tensor(X), []
    for _ in range(40):
        energies.append(b.energy(x).numpy())
        x = b(x)
    assert (np.diff(energies, axis=0) < 0).all()


def test_along_the_norms_jacobian_no_direction_leads_up_but_with_a_vector_gamma_some_do() -> None:
    b = block()

    def slope(gamma: np.ndarray) -> float:
        """The least of dE/dt = -∂E/∂gᵀ J ∂E/∂g over many ∂E/∂g; J of γ (x - mean) / std."""
        directions = RNG.standard_normal((2000, 8))
        x = X[0, 0]
        y = (x - x.mean()) / x.std()
        jacobian = gamma[:, None] * (np.eye(8) - 1 / 8 - np.outer(y, y) / 8) / x.std()
        return float(np.einsum("ni,ij,nj->n", directions, -jacobian, directions).max())

    assert slope(np.full(8, float(b.norm.weight))) <= 1e-12
    assert slope(np.array([3.0, 0.1, 3, 0.1, 3, 0.1, 3, 0.1])) > 0.1


def small(**changes: object) -> EnergyTransformer:
    mt.manual_seed(0)
    return EnergyTransformer((3, 16, 16), **{"patch": 4, "dim": 12, "depth": 3, "heads": 3, **changes})


IMAGES = mt.Tensor(np.random.default_rng(0).standard_normal((2, 3, 16, 16)).astype(np.float32))


def test_it_is_a_vision_transformer_with_tied_weights() -> None:
    shallow, deep = small(depth=1), small(depth=9)
    assert [p.shape for p in shallow.parameters()] == [p.shape for p in deep.parameters()]
    assert isinstance(deep, ViT)
    keep = Keep(np.array([[[0, 3, 5], [6, 7, 8]], [[1, 2, 15], [9, 10, 11]]]))
    assert deep.tokens(IMAGES, keep).shape == (4, 3, 12)
    assert len(list(deep.after_blocks(IMAGES))) == len(deep.attention_maps(IMAGES)) == 9
    assert all(np.allclose(a.numpy().sum(axis=-1), 1, atol=1e-5) for a in deep.attention_maps(IMAGES))
    assert small(class_token=True).tokens(IMAGES, keep).shape == (4, 3, 12)
    assert [small(class_token=True).pooled(IMAGES, p).shape[1] for p in ("cls", "last4")] == [12, 36]
    assert deep.energies(IMAGES).shape == (10, 2)
    assert (np.diff(deep.energies(IMAGES).numpy(), axis=0) < 0).all()


def test_the_energy_falls_for_a_series_too() -> None:
    encoder = EnergyTransformer((2, 24), patch=4, dim=12, depth=5, heads=2)
    assert (np.diff(encoder.energies(mt.randn((3, 2, 24))).numpy(), axis=0) < 0).all()


@pytest.mark.parametrize("class_token", [False, True])
@pytest.mark.parametrize("hopfield", ["relu", "softmax"])
def test_padding_changes_nothing(hopfield: str, class_token: bool) -> None:
    encoder = small(class_token=class_token, hopfield=hopfield)
    exact = encoder.tokens(IMAGES, Keep(np.array([[[3, 7]], [[1, 4]]]))).numpy()
    valid = np.array([[[True, True, False, False]]] * 2)
    padded = encoder.tokens(IMAGES, Keep(np.array([[[3, 7, 0, 0]], [[1, 4, 0, 9]]]), valid)).numpy()
    assert np.allclose(padded[:, :2], exact, atol=1e-5)  # sums in another order, in float32


def test_every_parameter_learns() -> None:
    encoder = small(class_token=True, hopfield="softmax")
    (encoder(IMAGES) ** 3).sum().backward()
    assert not [n for n, p in encoder.named_parameters() if p.requires_grad and not np.abs(p.grad.numpy()).max() > 0]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"heads": 5}, "heads=5 must divide dim=12"),
        ({"hopfield": "sigmoid"}, "hopfield='sigmoid': expected one of 'relu', 'softmax'"),
        ({"depth": 0}, "depth=0: must be at least 1"),
        ({"step": -1.0}, "step=-1.0: must be above 0"),
    ],
)
def test_settings_that_do_not_fit(changes: dict[str, object], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        small(**changes)
