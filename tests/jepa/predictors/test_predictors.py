"""What predictors see, and what they do not: padding, hidden places, other sets and levels."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minitensor as mt
from jepa.contracts import Batch, Keep
from jepa.encoders import CNN, ConvNeXt, EnergyTransformer, ResNet, ViT
from jepa.errors import ConfigError
from jepa.learner import JEPA
from jepa.masks import from_binary
from jepa.masks.groups import groups
from jepa.predictors import MLP, CrossAttention, Geometry, Identity, Levels, Places
from jepa.predictors.geometry import encode_geometry
from jepa.tasks.crops import Geometry as Where
from jepa.tasks.levels import Groups
from jepa.tasks.masked import Places as Asked

RNG = np.random.default_rng(0)
IMAGES = RNG.standard_normal((6, 3, 16, 16)).astype(np.float32)
SMALL: dict[str, Any] = {"dim": 16, "depth": 1, "heads": 2}

ENCODERS: dict[str, Callable[[], Any]] = {
    "cnn": lambda: CNN((3, 16, 16), widths=(8, 12, 16)),
    "resnet": lambda: ResNet((3, 16, 16), width=4, layers=(2, 2, 2)),
    "convnext": lambda: ConvNeXt((3, 16, 16), depths=(1, 1), dims=(8, 16), patch=2),
    "vit": lambda: ViT((3, 16, 16), patch=4, dim=16, depth=2, heads=2),
    "vit with a class token": lambda: ViT((3, 16, 16), patch=4, dim=16, depth=2, heads=2, class_token=True),
    "energy": lambda: EnergyTransformer((3, 16, 16), patch=4, dim=16, depth=4, heads=2),
}
PREDICTORS: dict[str, Any] = {"places": Places, "cross": CrossAttention}


def make(encoder: str, predictor: str) -> JEPA:
    """Return a model whose predictor has weights of order 1: at first it hardly looks at its context."""
    mt.manual_seed(0)
    body = ENCODERS[encoder]()
    model = JEPA(body, PREDICTORS[predictor](body.dim, body.grid, **SMALL))
    with mt.no_grad():
        for p in model.predictor.parameters():
            if p.requires_grad and p.ndim > 1:
                p[...] = p + 0.3 * mt.randn(p.shape)
    return model.eval()


def ask(model: JEPA, images: Any, context: Any, targets: Any, valid: Any = None, flags: Any = None) -> Any:
    """Return predictions and targets, S arrays (n e, k, d) each; context (n, e, K), targets (n, S, k)."""
    keep, asked = Keep(np.array(context), valid), Asked(np.array(targets), flags)
    z = model.embed(Batch(images, keep, images[:, None], asked))
    return [x.numpy() for x in z.predictions], [x.numpy() for x in z.targets]


def places(contexts: int, sets: int, n: int = 6) -> Any:
    rng = np.random.default_rng(1)
    order = np.stack([[rng.permutation(16) for _ in range(contexts)] for _ in range(n)])
    targets = np.stack([np.sort(order[:, 0, 7 + 3 * s : 10 + 3 * s]) for s in range(sets)], axis=1)
    return np.sort(order[:, :, :7]), targets


@pytest.mark.parametrize("encoder", ENCODERS)
def test_every_encoder_learns_the_masked_objective(encoder: str) -> None:
    mt.manual_seed(0)
    body = ENCODERS[encoder]()
    model = JEPA(body, PREDICTORS["cross" if encoder == "vit" else "places"](body.dim, body.grid, **SMALL))
    optimizer = mt.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=3e-3)
    context, targets = places(contexts=1, sets=2)
    batch, course = Batch(IMAGES, Keep(context), IMAGES[:, None], Asked(targets)), []
    for _ in range(60):
        loss = model.loss(batch)[0]["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        model.target.move(0.99)
        course.append(float(loss))
    assert course[-1] < 0.7 * course[0]


@pytest.mark.parametrize("predictor", PREDICTORS)
@pytest.mark.parametrize("encoder", ENCODERS)
def test_each_context_is_asked_for_each_set_alone(encoder: str, predictor: str) -> None:
    model = make(encoder, predictor)
    context, targets = places(contexts=2, sets=3)
    predicted, true = ask(model, IMAGES, context, targets)
    assert [p.shape for p in predicted] == [t.shape for t in true] == [(6 * 2, 3, 16)] * 3
    for s in range(3):
        for e in range(2):
            alone = ask(model, IMAGES, context[:, e : e + 1], targets[:, s : s + 1])
            assert np.allclose(predicted[s][e::2], alone[0][0], atol=1e-5)  # an example's contexts together
            assert np.allclose(true[s][e::2], alone[1][0], atol=1e-5)


@pytest.mark.parametrize("predictor", PREDICTORS)
@pytest.mark.parametrize("encoder", ["cnn", "vit", "vit with a class token", "energy"])
def test_padding_changes_nothing(encoder: str, predictor: str) -> None:
    model = make(encoder, predictor)
    exact = ask(model, IMAGES[:1], [[[3, 4, 9]]], [[[7, 8]]])
    seen, true = np.array([[[True, True, True, False, False]]]), np.array([[[True, True, False]]])
    padded = ask(model, IMAGES[:1], [[[3, 4, 9, 0, 0]]], [[[7, 8, 0]]], seen, true)
    for a, b in zip(exact, padded, strict=True):
        assert a[0].shape == b[0].shape == (1, 2, 16)
        assert np.allclose(a[0], b[0], atol=1e-5)


@pytest.mark.parametrize("predictor", PREDICTORS)
@pytest.mark.parametrize("encoder", ENCODERS)
def test_the_context_never_sees_what_is_hidden(encoder: str, predictor: str) -> None:
    model = make(encoder, predictor)
    where: Any = ([[[0, 1, 4]]], [[[2, 10]]])
    changed = IMAGES[:1].copy()
    changed[:, :, 8:, :] += 3  # places 8 to 15: none of the context's
    before, after = (ask(model, x, *where) for x in (IMAGES[:1], changed))
    assert np.array_equal(before[0], after[0])
    assert not np.allclose(before[1], after[1], rtol=0, atol=1e-3)
    changed[:, :, :4, :4] *= -3  # place 0: the context's
    assert not np.allclose(before[0], ask(model, changed, *where)[0], rtol=0, atol=1e-3)


@pytest.mark.parametrize("predictor", PREDICTORS)
def test_predictions_depend_on_where_and_not_on_the_other_sets(predictor: str) -> None:
    model, context = make("vit", predictor), [[[0, 1, 4]]]
    one, other = (ask(model, IMAGES[:1], context, [[[place]]])[0] for place in (10, 11))
    assert not np.allclose(one, other, atol=1e-4)
    one, other = (ask(model, IMAGES[:1], context, [[[10, 11], last]])[0] for last in ([5, 6], [14, 15]))
    assert np.allclose(one[0], other[0], atol=1e-5)


@pytest.mark.parametrize("predictor", PREDICTORS)
def test_all_places_may_be_seen(predictor: str) -> None:
    model, asked = make("vit", predictor), Asked(np.array([[[5, 6]]]))
    every = Keep(np.arange(16)[None, None])
    z = [model.embed(Batch(IMAGES[:1], keep, IMAGES[:1, None], asked)) for keep in (every, None)]
    assert np.allclose(z[0].predictions[0].numpy(), z[1].predictions[0].numpy(), atol=1e-5)


@pytest.mark.parametrize("positions", ["sincos", "learned"])
@pytest.mark.parametrize("predictor", [*PREDICTORS, "levels"])
@pytest.mark.parametrize("grid", [(16,), (4, 4), (4, 4, 4)])
def test_grids_of_any_rank(grid: tuple[int, ...], predictor: str, positions: str) -> None:
    mt.manual_seed(0)
    made = {**PREDICTORS, "levels": Levels}[predictor](8, grid, **{**SMALL, "dim": 12}, positions=positions)
    hidden = np.zeros((3, int(np.prod(grid))), bool)
    hidden[:, :4] = True
    keep, asked = levels_of(hidden, 3, grid) if predictor == "levels" else (None, Asked(np.array([[[5, 6]]] * 3)))
    tokens = mt.randn((3, hidden.shape[1] if keep is None else keep.index.shape[2], 8))
    predictions = made(tokens, None, keep, asked)
    assert [y.shape for y in predictions] == [(3, k, 8) for k in asked.sizes]
    sum(y.sum() for y in predictions).backward()
    places = dict(made.named_parameters())["predictor_pos_embed" if predictor == "places" else "pos_embed"]
    assert (places.grad is not None) == (positions == "learned")


# -- levels ------------------------------------------------------------------------------------------------------------

HALF = np.zeros((2, 64), bool)
HALF[:, :32] = True


def levels_of(hidden: Any, levels: int, grid: tuple[int, ...] = (8, 8)) -> tuple[Keep, Groups]:
    wanted = [from_binary(groups(grid, level).hidden(hidden)) for level in range(levels)]
    index, valid = from_binary(~hidden)
    asked = Groups(grid, hidden, [w[0] for w in wanted], [w[1] for w in wanted], (1.0,) * levels)
    return Keep(index[:, None], valid[:, None]), asked


def test_fusion_carries_the_coarse_prediction_down() -> None:
    keep, asked = levels_of(HALF, 2)
    tokens = mt.randn((2, 32, 16))
    for fusion in (True, False):
        mt.manual_seed(0)
        predictor = Levels(16, (8, 8), **SMALL, levels=2, fusion=fusion)
        before = predictor(tokens, None, keep, asked)
        with mt.no_grad():
            predictor.mask_tokens[1] = predictor.mask_tokens[1] + 5  # of the coarse level alone
        after = predictor(tokens, None, keep, asked)
        assert np.array_equal(before[0].numpy(), after[0].numpy()) == (not fusion)
        assert not np.allclose(before[1].numpy(), after[1].numpy())


@pytest.mark.parametrize("fusion", [False, True])
def test_rows_of_different_sizes_are_padded(fusion: bool) -> None:
    mt.manual_seed(0)
    predictor, mask = Levels(16, (8, 8), **SMALL, levels=2, fusion=fusion), HALF.copy()
    mask[1, 16:] = False
    tokens, (keep, asked) = mt.randn((2, 48, 16)), levels_of(mask, 2)
    valid = keep.valid[:, 0]
    together = predictor(tokens, valid, keep, asked)
    keep, alone = levels_of(mask[1:], 2)
    for level, y in enumerate(predictor(tokens[1:], None, keep, alone)):
        kept = asked.valid[level][1].sum()
        assert kept == y.shape[1] < together[level].shape[1]
        assert np.allclose(together[level].numpy()[1, :kept], y.numpy()[0], atol=1e-5)


@pytest.mark.parametrize("levels", [0, 1, 5])
def test_levels_outside_2_to_4_are_refused(levels: int) -> None:
    with pytest.raises(ConfigError, match=f"levels={levels}: must be at least 2 and at most 4"):
        Levels(16, (8, 8), levels=levels)


# -- one embedding -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [MLP, Identity, Geometry])
def test_predictors_of_one_embedding(kind: Any) -> None:
    mt.manual_seed(0)
    predictor, tokens = kind(8, (2, 2)).eval(), mt.randn((5, 1, 8))
    (y,) = predictor(tokens, None, None, Where(RNG.standard_normal((5, 3, 4)).astype(np.float32)))
    assert y.shape == (5, 3, 8)
    alike = np.allclose(y.numpy()[:, 0], y.numpy()[:, 1], atol=1e-6)
    assert alike == (kind is not Geometry)  # the others are told nothing
    assert (kind is Identity) == np.array_equal(y.numpy()[:, 0], tokens.numpy()[:, 0])


def test_encoding_tells_neighbors_apart_and_keeps_the_numbers() -> None:
    g = np.linspace(-1, 1, 21, dtype=np.float32)[:, None] * np.ones(4, np.float32)
    code = encode_geometry(mt.Tensor(g)).numpy()
    np.testing.assert_array_equal(code[:, :4], g)
    distances = np.linalg.norm(code[:, None] - code, axis=-1) + 9 * np.eye(21)
    assert distances.min() > 0.5


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Places(8, (4, 4), dim=16, heads=3), "heads=3: must divide dim=16"),
        (lambda: CrossAttention(8, (4, 4), dim=9, heads=3), r"predictor.dim=9: .* an even number, at least 4"),
        (
            lambda: Levels(8, (2, 4, 4), dim=4, heads=2),
            r"predictor.dim=4: .* at least 6 .* predictor.positions=learned",
        ),
        (lambda: MLP(8, (1,), width=0), "width=0: must be at least 1"),
    ],
)
def test_what_does_not_fit_is_refused(make: Callable[[], Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        make()
