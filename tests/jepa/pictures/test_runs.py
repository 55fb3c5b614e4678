"""What a trained run draws: series, images and clips, by every task, with what is there."""

import numpy as np
import pytest

import jepa
from jepa.pictures import crops, draw, masked, style, views
from jepa.pictures.views import answered, asked, loader, some

COMMON = {"loss", "health", "schedules", "embedding", "similarity"}
PLACES = COMMON | {"masks", "predictions", "attention", "blocks", "features", "neighbors"}
TINY = {"dim": 8, "depth": 1, "heads": 2}


@pytest.fixture(autouse=True)
def coarse(monkeypatch):
    monkeypatch.setattr(style, "DPI", 30)


def trained(folder, shape, task, encoder=None, predictor=None, count=60):
    """Train two steps on noise."""
    x, labels = np.random.default_rng(0).uniform(size=(count, *shape)).astype(np.float32), np.arange(count) % 3
    source = jepa.sources.Arrays(x, labels, validation=0.3)
    encoder = encoder or jepa.encoders.ViT(shape, patch=4, **TINY)
    predictor = predictor or jepa.predictors.Places(encoder.dim, encoder.grid, **TINY)
    model = jepa.JEPA(encoder, predictor)
    jepa.fit(model, source, task, out=folder, epochs=1, max_steps=2, batch_size=8, device="cpu")
    return jepa.load_run(folder, device="cpu")


@pytest.mark.parametrize("shape", [(2, 32), (3, 16, 16), (1, 8, 8, 8)])
def test_masked_places_of_any_rank_have_a_report(tmp_path, shape):
    run = trained(tmp_path / "run", shape, jepa.tasks.Masked(targets=2, min_keep=2))
    e = masked.examples(run, 10)
    n, places = 10, int(np.prod(e["grid"]))
    assert e["images"].shape == (n, *shape) and e["hidden"].shape == (n, places)
    assert e["contexts"].shape == (1, n, places) and e["targets"].shape == (2, n, places)
    assert np.array_equal(e["targets"].any(axis=0), e["hidden"]) and not (e["contexts"][0] & e["hidden"]).any()
    (level,) = e["levels"]
    assert level["hidden"].shape == (n, *shape[1:]) and level["true"].shape == level["predicted"].shape == (n, *shape)
    assert level["hidden"].mean() == pytest.approx(e["hidden"].mean())
    assert e["attention"].shape == (4, 1, 2, places, places) and e["neighbors"].shape == (4, 5, *shape)
    page = draw(tmp_path / "run", device="cpu").read_text()
    assert {path.stem for path in (tmp_path / "run" / "plots").iterdir()} == PLACES
    assert "Pictures of what the model does" not in page


@pytest.mark.parametrize("shape", [(2, 32), (3, 16, 16)])
def test_levels_have_a_picture_more(tmp_path, shape):
    encoder = jepa.encoders.ViT(shape, patch=4, class_token=True, **TINY)
    predictor = jepa.predictors.Levels(encoder.dim, encoder.grid, levels=2, **TINY)
    task = jepa.tasks.Levels(levels=2, weights=(1.0, 0.5), min_keep=2)
    run = trained(tmp_path / "run", shape, task, encoder, predictor)
    e = masked.examples(run, 6)
    assert [level["name"] for level in e["levels"]] == ["hidden", "2" if len(shape) == 2 else "2 x 2"]
    assert e["attention"].shape[-1] == np.prod(e["grid"]) + 1  # with the class token
    assert set(masked.figures(run, e)) == PLACES - {"loss", "health", "schedules", "embedding"} | {"levels"}


def test_an_encoder_without_attention_has_no_pictures_of_it(tmp_path):
    encoder = jepa.encoders.CNN((3, 18, 18), widths=(4, 8, 8))  # places of 4 or 5 pixels
    run = trained(tmp_path / "run", (3, 18, 18), jepa.tasks.Masked(min_keep=2), encoder)
    figures = masked.figures(run, masked.examples(run, 5))
    assert not {"attention", "blocks"} & set(figures) and {"predictions", "features"} <= set(figures)


@pytest.mark.parametrize("shape", [(2, 32), (3, 16, 16), (1, 8, 8, 8)])
def test_views_of_any_rank_have_a_report(tmp_path, shape):
    encoder = jepa.encoders.ViT(shape, patch=4, **TINY)
    predictor = jepa.predictors.MLP(encoder.dim, encoder.grid, width=8)
    run = trained(tmp_path / "run", shape, jepa.tasks.Views(), encoder, predictor)
    e = views.examples(run, 7)
    assert e["seen"].shape == (7, *shape) and e["true"].shape[:1] + e["true"].shape[2:] == (7, *shape)
    assert e["prediction"].shape == e["target_embedding"].shape == (7, 8)
    draw(tmp_path / "run", device="cpu")
    assert {path.stem for path in (tmp_path / "run" / "plots").iterdir()} == COMMON | {"views"}


def test_crops_are_decoded_and_told(tmp_path):
    encoder = jepa.encoders.CNN((3, 16, 16), widths=(4, 8))
    predictor = jepa.predictors.Geometry(encoder.dim, encoder.grid, width=8, depth=1)
    run = trained(tmp_path / "run", (3, 16, 16), jepa.tasks.Crops(targets=2, target_size=8), encoder, predictor)
    e = crops.examples(run, 9)
    assert e["images"].shape == e["context"].shape == (9, 3, 16, 16) and len(e["regions"]) == 9
    for name in ("target", "decoded_target", "decoded_prediction"):
        assert e[name].shape == (9, 2, 3, 8, 8) and 0 <= e[name].min() <= e[name].max() <= 1
    np.testing.assert_allclose(np.linalg.norm(e["prediction"], axis=2), 8**0.5, rtol=1e-4)
    assert e["geometry"].shape == (9, 2, 4)
    draw(tmp_path / "run", device="cpu")
    drawn = {path.stem for path in (tmp_path / "run" / "plots").iterdir()}
    assert drawn == COMMON | {"regions", "reconstruction"}


def test_what_is_drawn_is_what_the_loss_sees(tmp_path):
    """Predictions and targets are those of the learner; padding stands in its place instead of being left out."""
    task = jepa.tasks.Masked(targets=2, min_keep=2, collate="pad", sizes="sample")
    run = trained(tmp_path / "run", (3, 16, 16), task)
    run.model.eval()
    batches = loader(run, "val")
    raw, batch = asked(batches, some(batches.source, 6))
    np.testing.assert_allclose(batches.source.normalize(raw.true), batch.true)
    predictions, targets = answered(run, batch)
    z = run.model.embed(batch)
    compared = [run.model.objective.targets(t) for t in z.targets]
    for side, seen in ((predictions, z.predictions), (targets, compared)):
        for valid, x, x_seen in zip(batch.asked.valid, side, seen, strict=True):
            np.testing.assert_allclose(x[valid], x_seen.numpy()[0], rtol=1e-5, atol=1e-6)
