"""A JEPA of any encoder and any predictor: both objectives, what is hidden, where gradients go, what does not fit."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minitensor as mt
from jepa import losses
from jepa.config import LossConfig
from jepa.masks import Masks
from jepa.models import (
    JEPA,
    AttentionPredictor,
    ContextEncoder,
    ConvNeXt,
    EnergyTransformer,
    MaskPredictor,
    MLPEncoder,
    MLPPredictor,
    Predictor,
    ResNet,
    SequenceEncoder,
    VisionTransformer,
)
from jepa.models.hiding import context_tokens, hide

RNG = np.random.default_rng(0)
IMAGES = RNG.standard_normal((6, 3, 16, 16)).astype(np.float32)

ENCODERS: dict[str, Callable[..., Any]] = {
    "cnn": lambda **s: ContextEncoder(3, (8, 12, 16), 16, **{"image_size": 16, **s}),
    "resnet18 tiny": lambda **s: ResNet((2, 2, 2), width=4, **{"image_size": 16, **s}),
    "convnext tiny": lambda **s: ConvNeXt((1, 1), (8, 16), patch_size=2, **{"image_size": 16, **s}),
    "vit": lambda **s: VisionTransformer(**{"image_size": 16, "patch_size": 4, "dim": 16, "depth": 2, "heads": 2, **s}),
    "energy": lambda **s: EnergyTransformer(
        **{"image_size": 16, "patch_size": 4, "dim": 16, "depth": 4, "heads": 2, **s}
    ),
}
PREDICTORS: dict[str, Callable[..., Any]] = {
    "transformer": lambda **s: MaskPredictor(**{"grid": (4, 4), "dim": 16, "width": 16, "depth": 1, "heads": 2, **s}),
    "attention": lambda **s: AttentionPredictor(
        **{"grid": (4, 4), "dim": 16, "width": 16, "depth": 1, "heads": 2, **s}
    ),
}


def strong(model: JEPA) -> JEPA:
    """Give a predictor weights of order 1: at first it hardly looks at its context, and would hide mistakes."""
    with mt.no_grad():
        for p in model.predictor.parameters():
            if p.requires_grad and p.ndim > 1:
                p[...] = p + 0.3 * mt.randn(p.shape)
    return model.eval()


def masks(contexts: int = 1, targets: int = 2, n: int = 6) -> Masks:
    rng = np.random.default_rng(1)
    order = [np.stack([rng.permutation(16) for _ in range(n)]) for _ in range(contexts)]
    return Masks(
        [np.sort(o[:, :7]) for o in order],
        [np.sort(order[0][:, 7 + 3 * k : 10 + 3 * k]) for k in range(targets)],
    )


def fall(model: JEPA, *batch: Any, steps: int = 60) -> float:
    """Return the loss after some steps on one batch, as a share of the first one."""
    optimizer = mt.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=3e-3)
    course = []
    for _ in range(steps):
        z = model.embeddings(*batch)
        loss = model.loss(z.prediction, z.target, z.context)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        model.update_target(0.99)
        course.append(float(loss))
    return course[-1] / course[0]


@pytest.mark.parametrize("name", ENCODERS)
def test_every_encoder_learns_the_masked_objective(name: str) -> None:
    mt.manual_seed(0)
    model = JEPA(ENCODERS[name](), PREDICTORS["attention" if name == "vit" else "transformer"]())
    assert fall(model, mt.Tensor(IMAGES), masks()) < 0.7


@pytest.mark.parametrize("name", [*ENCODERS, "mlp"])
def test_every_encoder_learns_to_predict_one_view_from_another(name: str) -> None:
    mt.manual_seed(0)
    encoder = MLPEncoder((3, 16, 16), 16, width=32) if name == "mlp" else ENCODERS[name]()
    x, y = mt.Tensor(IMAGES), mt.Tensor(np.roll(IMAGES, 2, axis=3))
    assert fall(JEPA(encoder, MLPPredictor(16)), x, y) < 0.7


def test_a_predictor_that_is_told_the_geometry_learns_more_than_one_that_is_not() -> None:
    shifts = RNG.integers(0, 8, (24, 1))
    images = np.repeat(IMAGES, 4, axis=0)
    views = np.stack([np.roll(image, int(s), axis=2) for image, s in zip(images, shifts[:, 0], strict=True)])
    geometry = mt.Tensor((shifts / 8).astype(np.float32))
    shares = []
    for told in (0, 1):
        mt.manual_seed(0)
        model = JEPA(MLPEncoder((3, 16, 16), 16, width=32, norm="none"), MLPPredictor(16, told=told), "stopgrad")
        model.context_encoder.requires_grad_(False)  # only the predictor learns: the targets stay where they are
        shares.append(fall(model, mt.Tensor(images), mt.Tensor(views), *([geometry] * told), steps=400))
    assert shares[1] < 0.3 * shares[0]  # several views of one image: without being told, only their mean


@pytest.mark.parametrize("predictor", PREDICTORS)
@pytest.mark.parametrize("name", ENCODERS)
def test_shapes_and_order_of_the_masked_objective(name: str, predictor: str) -> None:
    mt.manual_seed(0)
    model = strong(JEPA(ENCODERS[name](), PREDICTORS[predictor]()))
    m = masks(contexts=2, targets=3)
    prediction, target = (z.numpy() for z in model(mt.Tensor(IMAGES), m))
    assert prediction.shape == target.shape == (3 * 2 * 6, 3, 16)
    for t in range(3):
        for c in range(2):
            one = Masks([m.context[c]], [m.target[t]])
            alone = [z.numpy() for z in model(mt.Tensor(IMAGES), one)]
            block = slice((t * 2 + c) * 6, (t * 2 + c + 1) * 6)
            assert np.allclose(prediction[block], alone[0], atol=1e-5)
            assert np.allclose(target[block], alone[1], atol=1e-5)


@pytest.mark.parametrize("predictor", PREDICTORS)
@pytest.mark.parametrize("name", ["cnn", "vit", "energy"])
def test_padding_changes_nothing(name: str, predictor: str) -> None:
    mt.manual_seed(0)
    model = strong(JEPA(ENCODERS[name](), PREDICTORS[predictor]()))
    exact = model(mt.Tensor(IMAGES[:1]), Masks([np.array([[3, 4, 9]])], [np.array([[7, 8]])]))
    padded = Masks(
        [np.array([[3, 4, 9, 0, 0]])],
        [np.array([[7, 8, 0] if predictor == "attention" else [7, 8]])],  # in the other, queries see each other
        [np.array([[True, True, True, False, False]])],
        [np.array([[True, True, False] if predictor == "attention" else [True, True]])],
    )
    for a, b in zip(exact, model(mt.Tensor(IMAGES[:1]), padded), strict=True):
        assert b.shape == (2, 16)
        assert np.allclose(a.numpy()[0], b.numpy(), atol=1e-5)


@pytest.mark.parametrize("predictor", PREDICTORS)
@pytest.mark.parametrize("name", ENCODERS)
def test_the_context_never_sees_what_is_hidden(name: str, predictor: str) -> None:
    mt.manual_seed(0)
    model = strong(JEPA(ENCODERS[name](), PREDICTORS[predictor]()))
    m = Masks([np.array([[0, 1, 4]])], [np.array([[2, 10]])])
    changed = IMAGES[:1].copy()
    changed[:, :, 8:, :] += 3  # patches 8 to 15: none of the context's
    before, after = (model(mt.Tensor(x), m) for x in (IMAGES[:1], changed))
    assert np.array_equal(before[0].numpy(), after[0].numpy())
    assert not np.allclose(before[1].numpy(), after[1].numpy(), rtol=0, atol=1e-3)
    changed[:, :, :4, :4] *= -3  # patch 0: the context's
    assert not np.allclose(before[0].numpy(), model(mt.Tensor(changed), m)[0].numpy(), rtol=0, atol=1e-3)


@pytest.mark.parametrize("predictor", PREDICTORS)
def test_predictions_depend_on_where_and_not_on_the_other_targets(predictor: str) -> None:
    mt.manual_seed(0)
    model = strong(JEPA(ENCODERS["vit"](), PREDICTORS[predictor]()))
    context = [np.array([[0, 1, 4]])]

    def ask(*target: list[int]) -> np.ndarray:
        return model(mt.Tensor(IMAGES[:1]), Masks(context, [np.array([t]) for t in target]))[0].numpy()

    assert not np.allclose(ask([10]), ask([11]), atol=1e-4)
    assert np.allclose(ask([10, 11], [5, 6])[0], ask([10, 11], [14, 15])[0], atol=1e-5)


def test_an_attention_predictors_bool_masks_are_its_indices() -> None:
    mt.manual_seed(0)
    predictor, tokens = PREDICTORS["attention"](), mt.randn((2, 3, 16))
    index = np.array([[0, 2, 5], [1, 2, 3]]), np.array([[4, 6], [7, 8]])
    flags = [np.zeros((2, 16), bool) for _ in index]
    for flag, places in zip(flags, index, strict=True):
        np.put_along_axis(flag, places, True, axis=1)
    by_index = predictor(tokens, [index[0]], [index[1]]).numpy()
    assert np.array_equal(predictor(tokens, [flags[0]], [flags[1]]).numpy(), by_index)


def test_hiding_follows_the_grid_also_where_it_does_not_divide_the_pixels() -> None:
    left = hide(mt.ones((1, 2, 7, 9)), (2, 3), np.array([[1, 5, 0]]), np.array([[True, True, False]])).numpy()[0, 0]
    expected = np.zeros((7, 9))
    expected[:4, 3:6] = expected[4:, 6:] = 1
    assert np.array_equal(left, expected)
    tokens = context_tokens(ENCODERS["cnn"](), mt.Tensor(IMAGES), [np.array([[0, 5]] * 6), np.array([[3, 4]] * 6)])
    assert tokens.shape == (12, 2, 16)


# -- targets and losses ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["ema", "stopgrad", "shared"])
def test_where_gradients_go(target: str) -> None:
    mt.manual_seed(0)
    model = JEPA(ENCODERS["cnn"](), MLPPredictor(16), target, force=True)
    x, y = mt.Tensor(IMAGES), mt.Tensor(IMAGES[::-1].copy())
    prediction, true = model(x, y)
    assert true.requires_grad == (target == "shared")
    model.loss(prediction, true).backward()
    assert all(p.grad is not None for p in model.context_encoder.parameters())
    if model.target_encoder is not None:
        assert not any(p.requires_grad for p in model.target_encoder.parameters())


def test_the_target_follows_by_the_momentum_and_stays_without_one_of_its_own() -> None:
    mt.manual_seed(0)
    model = JEPA(mt.nn.Linear(2, 3), mt.nn.Linear(3, 3), momentum=0.75)
    before = model.encoder("target").weight.numpy().copy()
    with mt.no_grad():
        model.context_encoder.weight[...] = before + 4
    model.update_target()
    assert np.allclose(model.encoder("target").weight.numpy(), before + 1)
    model.update_target(0.5)
    assert np.allclose(model.encoder("target").weight.numpy(), before + 2.5)
    shared = JEPA(mt.nn.Linear(2, 3), mt.nn.Linear(3, 3), "stopgrad")
    shared.update_target(0.5)
    assert shared.encoder("target") is shared.encoder("context") is shared.context_encoder


def test_only_the_context_encoders_batch_statistics_move() -> None:
    mt.manual_seed(0)
    model = JEPA(ENCODERS["resnet18 tiny"](), PREDICTORS["transformer"]())
    mean = {which: model.encoder(which).bn1.running_mean.numpy().copy() for which in ("target", "context")}
    model(mt.Tensor(IMAGES), masks())
    assert np.array_equal(model.encoder("target").bn1.running_mean.numpy(), mean["target"])
    assert not np.array_equal(model.encoder("context").bn1.running_mean.numpy(), mean["context"])


Z, S, C = (mt.Tensor(RNG.standard_normal((8, 3)).astype(np.float32)) for _ in range(3))


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ("mse", lambda: losses.l2(Z, S)),
        ("smooth_l1", lambda: losses.smooth_l1(Z, S)),
        ("cosine", lambda: losses.cosine(Z, S)),
        (losses.l2, lambda: losses.l2(Z, S)),
        (losses.infonce, lambda: losses.infonce(Z, S)),
        (losses.vicreg, lambda: losses.vicreg(Z, S, C)),
        (losses.build(LossConfig(name="vicreg")), lambda: losses.vicreg(Z, S, C)),
        (mt.nn.MSELoss(), lambda: losses.l2(Z, S)),
        (lambda p, t: ((p - t) ** 2).sum(), lambda: {"loss": ((Z - S) ** 2).sum()}),
    ],
)
def test_losses_by_name_and_of_ones_own(loss: Any, expected: Callable[[], dict[str, mt.Tensor]]) -> None:
    model = JEPA(mt.nn.Linear(3, 3), mt.nn.Linear(3, 3), loss=loss)
    assert float(model.loss(Z, S, C)) == pytest.approx(float(expected()["loss"]), rel=1e-6)


def test_a_shared_encoder_with_a_distance_is_refused_and_collapses_if_forced() -> None:
    text = "target=shared with loss={} must collapse: one constant for every input has loss 0"
    for loss, name in (("mse", "mse"), ("cosine", "cosine"), (losses.l2, "l2"), (mt.nn.L1Loss(), "L1Loss")):
        with pytest.raises(ValueError, match=text.format(name)):
            JEPA(mt.nn.Linear(3, 3), mt.nn.Linear(3, 3), target="shared", loss=loss)
    spread = []
    for loss in ("mse", losses.vicreg):
        mt.manual_seed(0)
        model = JEPA(mt.nn.Linear(6, 4), mt.nn.Identity(), "shared", loss, force=True)
        optimizer, rng = mt.optim.Adam(model.parameters(), lr=1e-2), np.random.default_rng(0)
        for _ in range(150):
            x = rng.standard_normal((32, 6)).astype(np.float32)
            y = x + 0.5 * rng.standard_normal((32, 6)).astype(np.float32)
            prediction, target = model(mt.Tensor(x), mt.Tensor(y))
            optimizer.zero_grad()
            model.loss(prediction, target).backward()
            optimizer.step()
        spread.append(prediction.numpy().std(axis=0).mean())
    assert spread[0] < 0.01 and spread[1] > 0.8


# -- what does not fit -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda: JEPA(ENCODERS["vit"](), PREDICTORS["transformer"](dim=24)),
            r"VisionTransformer makes embeddings \(..., 16\), but MaskPredictor takes \(..., 24\) and returns",
        ),
        (
            lambda: JEPA(ENCODERS["resnet18 tiny"](), PREDICTORS["attention"](dim=8)),
            r"ResNet makes embeddings \(..., 16\), but AttentionPredictor takes \(..., 8\)",
        ),
        (
            lambda: JEPA(ENCODERS["cnn"](), MLPPredictor(12)),
            r"ContextEncoder .* 16\), but MLPPredictor takes \(..., 12",
        ),
        (
            lambda: JEPA(ENCODERS["vit"](image_size=24), PREDICTORS["transformer"]()),
            "VisionTransformer has a grid of 6 x 6 patches, but MaskPredictor one of 4 x 4",
        ),
        (
            lambda: JEPA(ENCODERS["convnext tiny"](image_size=(16, 24)), PREDICTORS["attention"]()),
            "ConvNeXt has a grid of 4 x 6 patches, but AttentionPredictor one of 4 x 4",
        ),
        (
            lambda: JEPA(ENCODERS["cnn"](), mt.nn.Linear(16, 8))(mt.Tensor(IMAGES), mt.Tensor(IMAGES)),
            r"the predictor returns \(6, 8\) and the target encoder \(6, 16\): the shapes must be the same",
        ),
        (
            lambda: JEPA(ENCODERS["cnn"](), mt.nn.Linear(8, 16))(mt.Tensor(IMAGES), mt.Tensor(IMAGES)),
            r"the predictor refuses the encoder's output of shape \(6, 16\): .*8",
        ),
        (
            lambda: JEPA(ENCODERS["cnn"](), MLPPredictor(16, told=4))(mt.Tensor(IMAGES), mt.Tensor(IMAGES)),
            r"output of shape \(6, 16\): this predictor is told 4 numbers about each target; got 0",
        ),
        (
            lambda: JEPA(ENCODERS["cnn"](), MLPPredictor(16))(mt.Tensor(IMAGES), masks()),
            "needs a predictor that is told where the targets lie, as MaskPredictor: .* got MLPPredictor",
        ),
        (
            lambda: JEPA(MLPEncoder((3, 16, 16), 16), PREDICTORS["attention"]())(mt.Tensor(IMAGES), masks()),
            "needs an encoder of patches: .* got MLPEncoder",
        ),
        (
            lambda: JEPA(ENCODERS["cnn"](), PREDICTORS["attention"]())(mt.zeros((6, 3, 24, 16)), masks()),
            "images of 24 x 16 pixels have 24 tokens, and the encoder was made for a grid of 4 x 4",
        ),
        (
            lambda: JEPA(mt.nn.Linear(3, 3), mt.nn.Linear(3, 3)).loss(Z, S[:4]),
            r"\(8, 3\) and the target encoder \(4, 3\)",
        ),
        (lambda: JEPA(mt.nn.Linear(3, 3), mt.nn.Linear(3, 3), "none"), "'ema', 'stopgrad' or 'shared'; got 'none'"),
        (lambda: JEPA(mt.nn.Linear(3, 3), mt.nn.Linear(3, 3), loss="l3"), "one of mse, smooth_l1, cosine; got 'l3'"),
        (lambda: JEPA(mt.nn.Linear(3, 3), mt.nn.Linear(3, 3)).encoder("both"), "'target' or 'context'; got 'both'"),
        (lambda: PREDICTORS["attention"](heads=3), "heads=3 must divide dim=16"),
        (lambda: SequenceEncoder(8)(mt.zeros((5, 2, 3))), r"takes sequences \(steps, n, 8\); got \(5, 2, 3\) float32"),
        (lambda: SequenceEncoder(7), "hidden_dim must be even; got 7"),
    ],
)
def test_what_does_not_fit_is_said_with_both_shapes(make: Callable[[], Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        make()


def test_the_predictor_of_crops_plugs_in_with_its_geometry() -> None:
    mt.manual_seed(0)

    class Targets(mt.nn.Layer):
        """Several images of each sample: (n, t, c, h, w) -> (n, t, d); one: (n, c, h, w) -> (n, d)."""

        def __init__(self) -> None:
            self.one = ENCODERS["cnn"]()

        def forward(self, x: mt.Tensor) -> mt.Tensor:
            return self.one(x.reshape(-1, *x.shape[-3:])).reshape(*x.shape[:-3], 16)

    model = JEPA(Targets(), Predictor(16, 32, 1))
    targets = mt.Tensor(np.stack([IMAGES, IMAGES[::-1]], axis=1))
    assert fall(model, mt.Tensor(IMAGES), targets, mt.randn((6, 2, 4))) < 0.7


def test_sequences_of_numbers_and_of_ids() -> None:
    mt.manual_seed(0)
    encoder = SequenceEncoder(8, input_dim=3, vocab_size=20, depth=1, heads=2)
    x = RNG.standard_normal((7, 4, 3)).astype(np.float32)
    valid = np.arange(7) < np.array([7, 3, 5, 1])[:, None]
    whole = encoder(mt.Tensor(x), mt.Tensor(valid)).numpy()
    assert np.allclose(whole[1], encoder(mt.Tensor(x[:3, 1:2])).numpy()[0], atol=1e-5)
    assert not np.allclose(encoder(mt.Tensor(x)).numpy(), encoder(mt.Tensor(x[::-1].copy())).numpy(), atol=1e-3)
    ids = mt.Tensor(RNG.integers(0, 20, (7, 4)))
    assert encoder(ids).shape == (4, 8) and encoder.tokens(ids).shape == (4, 7, 8)
    first = SequenceEncoder(8, input_dim=3, depth=1, heads=2, batch_first=True)
    first.load_state_dict({k: v for k, v in encoder.state_dict().items() if k != "table.weight"})
    assert np.allclose(first(mt.Tensor(x.swapaxes(0, 1).copy())).numpy(), encoder(mt.Tensor(x)).numpy(), atol=1e-6)
