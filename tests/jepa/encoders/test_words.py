"""Encoders of tokens: gaps count for nothing, and what is no token is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minitensor as mt
from jepa.assembly import assemble
from jepa.config.config import schema_of
from jepa.contracts import Keep
from jepa.encoders import Bag, Words
from jepa.encoders.base import levelled
from jepa.errors import ConfigError
from jepa.parts import Choice
from jepa.sources import Arrays, Text

NAN = np.nan
X = np.float32([[[3, 1, 4, 1, 5, NAN, NAN, NAN]], [[9, 2, 6, NAN, NAN, NAN, NAN, NAN]]])


def words(**changes: Any) -> Words:
    return Words((1, 8), symbols=10, dim=16, depth=2, heads=2, **changes)


def test_what_is_behind_the_end_counts_for_nothing() -> None:
    encoder = words()
    y = encoder.tokens(mt.Tensor(X)).numpy()
    for row, count in zip(range(2), (5, 3), strict=True):
        keep = Keep(np.arange(count)[None, None])
        alone = encoder.tokens(mt.Tensor(X[row : row + 1]), keep).numpy()[0]
        np.testing.assert_allclose(y[row, :count], alone, atol=1e-5)
        np.testing.assert_allclose(y[row, count:], np.tile(alone.mean(axis=0), (8 - count, 1)), atol=1e-5)
        np.testing.assert_allclose(encoder.pooled(mt.Tensor(X)).numpy()[row], alone.mean(axis=0), atol=1e-5)
    whole = encoder.pooled(mt.Tensor(X), "words").numpy()
    np.testing.assert_allclose(whole[1], encoder.table.weight.numpy()[[9, 2, 6]].mean(axis=0), atol=1e-6)


def test_what_is_not_kept_counts_for_nothing() -> None:
    encoder, other = words(), X.copy()
    other[:, 0, 2] = 7
    keep = Keep(np.array([[[0, 1, 4]], [[0, 1, 4]]]), np.array([[[True] * 3], [[True, True, False]]]))
    a, b = (encoder.tokens(mt.Tensor(x), keep).numpy() for x in (X, other))
    np.testing.assert_array_equal(a, b)
    assert np.isfinite(a).all()


def test_words_have_an_order_and_a_bag_has_none() -> None:
    turned = np.concatenate([X[:, :, 4::-1], X[:, :, 5:]], axis=2)[:1]
    bag = Bag((1, 8), symbols=10, dim=16)
    for encoder, same in ((words(), False), (bag, True)):
        a, b = (encoder.pooled(mt.Tensor(x)).numpy() for x in (X[:1], turned))
        assert np.allclose(a, b, atol=1e-6) == same


@pytest.mark.parity
def test_a_bag_is_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    bag = Bag((1, 8), symbols=10, dim=16)
    weight = torch.tensor(bag.table.weight.numpy())
    tokens, offsets = X[~np.isnan(X)].astype(np.int64), torch.tensor([0, 5])
    expected = torch.nn.functional.embedding_bag(torch.tensor(tokens), weight, offsets, mode="mean")
    np.testing.assert_allclose(bag.pooled(mt.Tensor(X)).numpy(), expected.numpy(), atol=1e-6)


def test_an_example_of_nothing_is_finite() -> None:
    empty = np.full((2, 1, 8), NAN, np.float32)
    for encoder in (words(), Bag((1, 8), symbols=10, dim=16, depth=1)):
        assert np.isfinite(encoder.tokens(mt.Tensor(empty)).numpy()).all()


def test_levelled_tokens_change_no_mean() -> None:
    x, there = np.random.default_rng(0).normal(size=(4, 6, 3)), np.random.default_rng(1).random((4, 6)) < 0.5
    y = levelled(mt.Tensor(x), there).numpy()
    for row, flags in zip(range(4), there, strict=True):
        np.testing.assert_allclose(y[row].mean(axis=0), x[row, flags].mean(axis=0), atol=1e-6)


ONE = {"augment": "none", "projector": "none", "target": "shared", "objective": "vicreg"}
HALVES = {**ONE, "task": "halves", "predictor": "none"}
VIEWS = {**ONE, "task": "views", "predictor": "mlp"}


@pytest.mark.parametrize(
    ("kinds", "encoder", "said"),
    [
        ({**HALVES}, {}, "source=text has 264 tokens, and encoder=bag vectors for 100: set encoder.symbols=264"),
        (
            {**VIEWS, "encoder": "vit"},
            {"patch": 2},
            "source=text has tokens, and encoder=vit takes measurements: take encoder=words or bag",
        ),
        ({**VIEWS}, {"symbols": 264}, "task=views makes new numbers of an example's, and those of source=text are tok"),
        ({**HALVES, "augment": "noise"}, {"symbols": 264}, "augment=noise makes new numbers of an example's"),
        ({**HALVES, "source": "array"}, {"symbols": 264}, "encoder=bag takes tokens, and source="),
        ({**HALVES, "source": "array", "encoder": "mlp"}, {}, "task=halves leaves gaps where it divides an example"),
        ({**VIEWS, "augment": "words", "source": "array", "encoder": "mlp"}, {}, "augment=words leaves gaps, and enc"),
    ],
)
def test_what_does_not_fit(kinds: dict[str, str], encoder: dict[str, Any], said: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\n" + "a good film,yes\na bad film,no\n" * 10)
    text = Text(tmp_path / "a.csv", length=8, words=4, buckets=4)
    kinds = {"encoder": "bag", **kinds}
    source = Arrays(np.zeros((20, 1, 8))) if kinds.pop("source", "") else text
    settings = {"encoder": encoder or ({"symbols": 100} if kinds["encoder"] == "bag" else {})}
    choices = {role: Choice(kind, schema_of(role, kind)(**settings.get(role, {}))) for role, kind in kinds.items()}
    with pytest.raises(ConfigError) as error:
        assemble(choices, 0, source=source)
    assert said in str(error.value)
