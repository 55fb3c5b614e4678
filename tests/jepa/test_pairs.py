"""Two at once: paired sources, encoders apart and across, each predicted from the other, and found again."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import jepa
import minitensor as mt
from jepa.__main__ import main
from jepa.assembly import assemble
from jepa.config import load
from jepa.contracts import Keep
from jepa.encoders.pair import CrossModal, Pair
from jepa.errors import ConfigError, DataError, JEPAError
from jepa.evaluation.retrieval import alike, chances, recalls
from jepa.parts import kind_of
from jepa.pictures.report import draw
from jepa.several import Joint, joint
from jepa.sources.captions import ShapesCaptions
from jepa.sources.pair import Pair as PairSource
from jepa.tasks.base import generators
from jepa.tasks.masked import Masked
from jepa.tasks.paired import Paired

SHAPE = {"first": (3, 8, 8), "second": (1, 6)}
HALVES: dict[str, Any] = {"first": "cnn widths=[4,8]", "second": "columns dim=16 heads=2 depth=1", "dim": 12}


def pair(kind: type[Pair] = Pair, **settings: Any) -> Pair:
    mt.manual_seed(0)
    return kind(SHAPE, **{**HALVES, **settings}).eval()


def examples(n: int = 6, gaps: bool = False) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    x = {name: rng.normal(size=(n, *shape)).astype(np.float32) for name, shape in SHAPE.items()}
    if gaps:
        x["second"][:, :, 4:] = np.nan
    return x


def tensors(x: dict[str, np.ndarray]) -> dict[str, mt.Tensor]:
    return {name: mt.Tensor(part) for name, part in x.items()}


@pytest.fixture
def files(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    code = rng.normal(size=(60, 4))
    x = code @ rng.normal(size=(4, 24)) + 0.1 * rng.normal(size=(60, 24))
    np.savez(tmp_path / "a.npz", x=x.reshape(60, 2, 12).astype(np.float32), labels=np.arange(60) % 3)
    np.save(tmp_path / "b.npy", (code @ rng.normal(size=(4, 6)))[:, None].astype(np.float32))
    return tmp_path


def words(files: Path, *more: str) -> list[str]:
    return [
        f"source.first=array path={files}/a.npz validation=0.2",
        f"source.second={files}/b.npy",
        "source=pair",
        "encoder.first=mlp width=32 depth=1",
        "encoder.second=columns dim=16 heads=2 depth=1",
        "encoder.dim=16",
        "predictor.width=32",
        "train.batch_size=16",
        "optimizer.warmup_steps=2",
        "evaluation.random_seeds=1",
        *more,
    ]


# -- source --------------------------------------------------------------------------------------------------------


def test_the_first_source_says_which_examples_are_held_out(files: Path) -> None:
    source = PairSource(first=f"array path={files}/a.npz validation=0.2", second=f"{files}/b.npy")
    train, val = source.split("train"), source.split("val")
    assert (len(train), len(val)) == (48, 12) and source.classes == ["0", "1", "2"]
    assert val.names == source.sides["first"].split("val").names
    x, b = train.read(range(48)), np.load(files / "b.npy")
    np.testing.assert_array_equal(x["second"], b[[int(name) for name in train.names]])
    np.testing.assert_allclose(train.normalize(x)["second"].mean(), 0, atol=1e-5)  # of the same rows
    assert source.raw(source.normalize(x)).shape == (48, 30)
    again = PairSource(source.located())
    assert again.fingerprint() == source.fingerprint() != val.fingerprint() and again.missing == ""


REFUSED = [
    ({"first": "array path={a}"}, ConfigError, "source=pair needs source.second=KIND or source.second=PATH, then"),
    ({"first": "array path={a}", "second": "aray path={b}"}, ConfigError, "second=aray path=.*Did you mean 'array'"),
    ({"first": "array path={a} pth=1", "second": "{b}"}, ConfigError, "first=.*Did you mean 'source.path'"),
    ({"first": "array path={a} path", "second": "{b}"}, ConfigError, "'path' is no setting: say the kind, then NAME"),
    ({"first": "'", "second": "{b}"}, ConfigError, "first=': No closing quotation"),
    ({"first": "{a}", "second": "{short}"}, DataError, "source.first has 60 examples and source.second 5"),
    ({"first": "{a}", "second": "{c}"}, JEPAError, "there is no such folder or file"),
]


@pytest.mark.parametrize(("settings", "kind", "said"), REFUSED)
def test_what_a_pair_refuses(files: Path, settings: dict[str, str], kind: type[JEPAError], said: str) -> None:
    np.save(files / "short.npy", np.zeros((5, 1, 6)))
    names = {"a": files / "a.npz", "b": files / "b.npy", "c": files / "c.npy", "short": files / "short.npy"}
    with pytest.raises(kind, match=said) as error:
        PairSource(**{key: text.format(**names) for key, text in settings.items()}).split("train").read([0])
    assert "\n" not in str(error.value)


# -- encoders ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Pair, CrossModal])
def test_an_array_that_is_not_kept_has_no_influence(kind: type[Pair]) -> None:
    encoder, x = pair(kind), examples()
    places = encoder.grid.places["second"]
    keep = Keep(np.tile(np.arange(places.start, places.stop), (6, 1, 1)))
    other = {**x, "first": x["first"][::-1].copy()}
    alone = encoder.tokens(tensors(x), keep).numpy()
    np.testing.assert_array_equal(alone, encoder.tokens(tensors(other), keep).numpy())
    np.testing.assert_allclose(encoder.alone(tensors(x), "second").numpy(), alone.mean(axis=1), rtol=1e-5, atol=1e-6)


def test_kept_places_are_those_of_each_array() -> None:
    encoder, x = pair(), examples(gaps=True)
    rng, count = np.random.default_rng(1), encoder.grid[0]
    index = np.sort(np.stack([[rng.permutation(count)[:7] for _ in range(2)] for _ in range(6)]), axis=2)
    index[0, 0] = np.arange(7)  # of the first array alone
    valid = rng.random(index.shape) < 0.8
    valid[:, :, 0] = True
    found = encoder.tokens(tensors(x), Keep(index, valid)).numpy().reshape(6, 2, 7, 12)
    for i in range(6):
        for c in range(2):
            own = {name: part[i : i + 1] for name, part in x.items()}
            alone = encoder.tokens(tensors(own), Keep(index[i : i + 1, c : c + 1][:, :, valid[i, c]])).numpy()[0]
            np.testing.assert_allclose(found[i, c][valid[i, c]], alone, rtol=1e-4, atol=1e-5)


def test_tokens_look_at_the_other_array_and_at_no_gap() -> None:
    encoder, x = pair(CrossModal), examples(gaps=True)
    tokens = encoder.tokens(tensors(x)).numpy()
    changed = {**x, "second": np.where(np.isnan(x["second"]), np.nan, x["second"] + 1).astype(np.float32)}
    first = encoder.grid.places["first"]
    assert abs(encoder.tokens(tensors(changed)).numpy() - tokens)[:, first].max() > 1e-3
    kept = np.array([*range(first.stop), *range(first.stop, first.stop + 4)])
    without = encoder.tokens(tensors(x), Keep(np.tile(kept, (6, 1, 1)))).numpy()
    np.testing.assert_allclose(tokens[:, kept], without, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"dim": None}, "tokens of 8 and 16 numbers: set encoder.dim"),
        ({"first": "cnn widths=[]"}, "first=cnn widths"),
        ({"second": "cnn"}, r"encoder.second=cnn for the second array of the source: encoder=cnn takes images"),
        ({"second": "cnnn"}, "Did you mean 'cnn'"),
    ],
)
def test_encoders_that_do_not_fit(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        pair(**settings)
    with pytest.raises(ConfigError, match="encoder.attention=5 must divide the 12 numbers"):
        pair(CrossModal, attention=5)


# -- tasks ---------------------------------------------------------------------------------------------------------


def test_each_array_is_predicted_from_the_other() -> None:
    encoder = pair()
    model = jepa.JEPA(
        encoder, jepa.predictors.Identity(12, encoder.grid), objective=jepa.objectives.InfoNCE(), target="shared"
    )
    batch = Paired().ask(examples(), encoder.grid, generators(6))
    z = model.embed(batch)
    x = tensors(examples())
    means = [encoder.alone(x, name).numpy() for name in SHAPE]
    for k in range(2):
        np.testing.assert_allclose(z.predictions[k].numpy()[:, 0], means[k], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(z.targets[k].numpy()[:, 0], means[1 - k], rtol=1e-4, atol=1e-5)
    one = Paired(question="second").ask(examples(), encoder.grid, generators(6))
    assert one.asked.ways == ((0, 1),) and len(model.embed(one).targets) == 1


@pytest.mark.parametrize("target", ["ema", "stopgrad", "own"])
def test_a_target_encodes_each_array_alone(target: str) -> None:
    encoder = pair()
    model = jepa.JEPA(
        encoder, jepa.predictors.Identity(12, encoder.grid), objective=jepa.objectives.InfoNCE(), target=target
    )
    z = model.eval().embed(Paired().ask(examples(), encoder.grid, generators(6)))
    np.testing.assert_allclose(z.targets[0].numpy(), z.predictions[1].numpy(), rtol=1e-4, atol=1e-5)
    assert z.targets[0].requires_grad == (target == "own")


def test_places_of_both_arrays_are_masked_together() -> None:
    grid = joint({"first": (4, 4), "second": (6,)})
    batch = Masked(masks="random", ratio=(0.5, 0.5)).ask(examples(gaps=True), grid, generators(6))
    index, valid = batch.asked.index, batch.asked.flags
    assert isinstance(grid, Joint) and grid == (22,) and valid is not None
    assert not np.isin(index[valid], [20, 21]).any() and np.isin(index[valid], range(16, 20)).any()
    assert batch.true["first"].shape == (6, 1, 3, 8, 8) and batch.size == 6


PAIR = ["source=pair", "source.first=array path={a}", "source.second={b}"]
BOTH = ["encoder=pair", "encoder.first=mlp width=32", "encoder.second=mlp width=32"]
ONE = ["source=array", "source.path={a}"]


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ([*PAIR, *BOTH, "task=views"], "task=views asks about one: take one of them, or task=masked, levels, paired"),
        ([*PAIR, "encoder=mlp"], "encoder=mlp takes one array, .* take encoder=pair, crossmodal"),
        ([*PAIR, *BOTH, "augment=noise"], "augment=noise changes one array, .* take augment=none"),
        ([*PAIR, *BOTH, "task=masked", "task.min_keep=1"], "task.min_keep=1 of the encoder's 2 places"),
        ([*PAIR, "task=masked", "encoder=crossmodal", "encoder.first=vit patch=2 dim=8 heads=2 depth=1",
          "encoder.second=columns dim=8 heads=2", "task.crop=[0.5,1]"], "task.crop"),
        ([*ONE, "task=paired", "encoder=mlp"], "task=paired asks about one array from another one"),
        ([*ONE, *BOTH, "task=masked"], "encoder=pair takes examples of several arrays, .* take source=pair"),
    ],
)  # fmt: skip
def test_combinations_that_do_not_fit(files: Path, chosen: list[str], said: str) -> None:
    config = load(overrides=[word.format(a=files / "a.npz", b=files / "b.npy") for word in chosen])
    with pytest.raises(ConfigError, match=said):
        assemble(config.choices, 0)


# -- figures -------------------------------------------------------------------------------------------------------


def test_recall_and_chance() -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(50, 8)).astype(np.float32)
    same = np.stack([np.arange(50), np.arange(50) // 2])
    assert recalls(z, z, same) == {1: 1.0, 10: 1.0}
    swapped = z[np.arange(50) ^ 1]
    assert recalls(z, swapped, same)[1] == 1.0 and recalls(z, swapped, same[:1])[1] == 0.0
    for of in range(2):
        drawn = [recalls(rng.normal(size=(50, 8)), rng.normal(size=(50, 8)), same, of)[10] for _ in range(200)]
        assert abs(np.mean(drawn) - chances(same, of)[10]) < 0.02
    assert chances(same)[1] == pytest.approx(2 / 50) and chances(same, of=1)[1] == pytest.approx(1 / 25)
    assert alike(examples(gaps=True)["second"]).tolist() == list(range(6))


def test_a_run_of_two_arrays(files: Path) -> None:
    """Trained from the command line's words, evaluated, drawn, embedded, gone on with: two views of four numbers."""
    run, settings = files / "run", words(files, "train.epochs=30", "optimizer.lr=0.01")
    jepa.train(load(overrides=settings), out=run)
    found = jepa.evaluate(run)["retrieval"]
    assert set(found["recall"]) == {"first to second", "second to first"} and found["examples"] == 12
    for table in found["recall"].values():
        assert table["1"]["jepa"] > max(table["1"]["random"], table["1"]["chance"]) + 0.2
    assert set(found["sides"]) == {"first", "second"} and "linear" in found["sides"]["second"]
    report = draw(run, device="cpu")
    assert "retrieval-first-second" in {path.stem for path in (run / "plots").glob("*.png")}
    assert "what belongs together is found" in report.read_text()
    embedded = np.load(jepa.embed(run, None, files / "e.npz", device="cpu"))
    assert embedded["embeddings"].shape == (60, 16) and embedded["labels"].max() == 2
    resumed = jepa.train(load(overrides=[*settings, "train.epochs=31"]), out=run, resume=True)
    assert resumed.steps > 30
    with pytest.raises(ConfigError, match="fine-tuning takes examples of one array, the source's have several"):
        jepa.finetune(run)
    with pytest.raises(ConfigError, match="evaluation.crops=4 cuts one array"):
        jepa.evaluate(run, settings=["evaluation.crops=4"])
    with pytest.raises(DataError, match="and .* are wanted"):
        jepa.evaluate(run, data=files / "b.npy")


def test_tokens_of_both_are_predicted_by_a_model_of_both(files: Path) -> None:
    """Places of both arrays hidden and predicted, each with a look at the other array."""
    chosen = [*PAIR, "task=masked", "task.masks=random", "encoder=crossmodal", "encoder.depth=1", "encoder.attention=2"]
    chosen += ["encoder.first=vit patch=2 dim=16 heads=2 depth=1", "encoder.second=columns dim=16 heads=2 depth=1"]
    chosen += ["predictor.dim=16", "predictor.depth=1", "predictor.heads=2", "objective=infonce", "train.epochs=40"]
    chosen += ["train.batch_size=16", "optimizer.lr=0.005", "optimizer.warmup_steps=2", "task.min_keep=2"]
    run = files / "run"
    jepa.train(load(overrides=[word.format(a=files / "a.npz", b=files / "b.npy") for word in chosen]), out=run)
    found = jepa.evaluate(run, settings=["evaluation.pool=sides", "evaluation.random_seeds=1"])
    assert found["feature_dim"] == 32 and found["geometry"]["ratio"] > 1.02
    draw(run, device="cpu")  # without pictures of places


# -- captions ------------------------------------------------------------------------------------------------------


def test_captions_say_what_is_in_the_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "set"
    assert main(["data", "make", "shapes-captions", "--count", "100", "--size", "16", "--out", str(out)]) == 0
    assert main(["data", "inspect", str(out)]) == 0
    assert "100 examples" in capsys.readouterr().out and kind_of(out) == "shapes-captions"
    source = ShapesCaptions(out, size=16, label="color")
    train, val = source.split("train"), source.split("val")
    assert (len(train), len(val)) == (80, 20) and "red" in source.classes and source.gaps is True
    with (out / "images" / "labels.csv").open() as file:
        facts = {row["file"]: row for row in csv.DictReader(file)}
    captions = source.sides["second"]
    for k, path in enumerate(train.names):
        row = facts[Path(path).relative_to(out / "images").as_posix()]
        said = " ".join(captions.shown(train.read([k])["second"][0]))
        assert row["colour"] in said and row["position"].split("-")[0] in said and row["shape"] not in said
        assert source.classes[train.labels[k]] == row["colour"]
    named = ShapesCaptions(out, size=16, named=True).split("train")
    assert "arrow" in " ".join(named.sides["second"].shown(named.read([0])["second"][0]))
    pair = PairSource(first=f"folder root={out}/images size=16", second=f"text path={out}/captions.csv length=8")
    np.testing.assert_array_equal(pair.split("val").read([3])["first"], val.read([3])["first"])


def test_captions_of_other_images_are_read_with_the_same_words(tmp_path: Path) -> None:
    source = ShapesCaptions(tmp_path / "a", count=100, size=16)
    ShapesCaptions(count=60, size=16).write(tmp_path / "b", seed=1)
    other = source.at(tmp_path / "b")
    assert len(other) == 60 and other.sides["second"].vocabulary == source.sides["second"].vocabulary
    (tmp_path / "a" / "captions.csv").unlink()
    again = ShapesCaptions(source.located())
    assert again.fingerprint() == ShapesCaptions(tmp_path / "a", count=100, size=16).fingerprint()
