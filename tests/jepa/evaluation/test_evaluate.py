"""evaluate_run and embed on a stand-in for a run: what goes into the files, and what happens without labels."""

import csv
import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import jepa
import minitensor as mt
from jepa.commands.runs import table
from jepa.config import Config, EvaluationSettings
from jepa.errors import ConfigError, DataError
from jepa.evaluation import embed, evaluate_run, write_embeddings
from jepa.evaluation.crops import averaged, center, scattered
from jepa.evaluation.evaluate import _absent
from jepa.files.atomic import replacing
from jepa.objectives import SmoothL1
from jepa.pictures.report import draw
from jepa.pictures.results import summary
from jepa.transforms.resize import crop_resize


class Model:
    """Features that know the class (`signal` 1) or hardly do (0)."""

    def __init__(self, signal, seed=0):
        self.signal = signal
        self.weight = np.random.default_rng(seed).normal(size=(3 * 4 * 4, 12)).astype(np.float32)

    def features(self, x):
        assert x.dtype == np.float32
        z = x.reshape(len(x), -1) @ self.weight
        classes = x[:, 0, 0, 0].round().astype(int).clip(0, 2)  # the pixel that holds the class
        z[np.arange(len(z)), classes] += 40 * self.signal
        return z


class Images:
    """A source that is named as its root."""

    shape, where = (3, 4, 4), ""

    def __init__(self, count, root, labels):
        generator = np.random.default_rng(count)
        codes = np.arange(count) % 3
        self.all = generator.normal(size=(count, 3, 4, 4)).astype(np.float32)
        self.all[:, 0, 0, 0] = codes + 0.1 * self.all[:, 0, 0, 0]
        self.labels, self.classes = labels and labels(codes), ["circle", "square", "ring"] if labels else []
        self.names = [f"{root}/{index}.png" for index in range(count)]

    def __len__(self):
        return len(self.all)

    def read(self, indices):
        return 2 * self.all[np.asarray(indices)]

    def normalize(self, x):
        return x / 2


class Run:
    device, step = "cpu", 7

    def __init__(self, *, labels=lambda codes: codes, max_images=None):
        settings = EvaluationSettings(k=5, C=(0.01, 1.0), random_seeds=3, max_images=max_images)
        self.config = Config(evaluation=settings)
        self.model, self.task = Model(signal=1), SimpleNamespace(places=False, measures=())
        self.model.context = SimpleNamespace(encoder=SimpleNamespace(grid=(2, 2)), layers_behind=0)
        self.labels = labels

    def source(self, split, data=None):
        return Images({"train": 120, "val": 60, None: 180}[split], data or "shapes", self.labels)

    def features(self, x, model=None):
        return (model or self.model).features(x)

    def random_twin(self, seed, x):
        return Model(signal=0, seed=seed + 1)

    def held_out(self):
        return {"loss": 0.5, "shuffled": 1.5, "ratio": 3.0}


@pytest.fixture
def install(monkeypatch):
    """Let an evaluation, or an embedding, load the given run."""

    def put(run):
        for name in ("evaluate", "embed"):
            module = sys.modules[f"jepa.evaluation.{name}"]
            monkeypatch.setattr(module, "load_run", lambda run_dir, *, device, settings: run)

    return put


def test_evaluation_json_has_every_row_beside_chance(install, tmp_path):
    install(Run())
    result = evaluate_run(tmp_path)
    assert json.loads((tmp_path / "evaluation.json").read_text()) == result
    for probe in ("linear", "knn"):
        assert set(result[probe]) == {"jepa", "random", "pixels", "chance"}
        assert result[probe]["chance"] == pytest.approx(1 / 3)
        assert result[probe]["jepa"] > 0.9
        seeds = result["random_seeds"][probe]
        assert len(seeds) == 3 and result[probe]["random"] == sorted(seeds)[1]
        assert result[probe]["random"] < result[probe]["jepa"]
    assert result["images"] == 60 and result["train_images"] == 120
    assert result["step"] == 7 and result["data"] == "shapes"
    assert 1 <= result["effective_rank"] <= 12 and 0 < result["feature_std"] <= 1
    assert result["geometry"] == {"loss": 0.5, "shuffled": 1.5, "ratio": 3.0}
    assert [path.name for path in tmp_path.iterdir()] == ["evaluation.json"]  # no temporary file stays


def test_another_data_set_leaves_the_figures_of_the_run_alone(install, tmp_path):
    install(Run())
    evaluate_run(tmp_path)
    before = (tmp_path / "evaluation.json").read_bytes()
    result = evaluate_run(tmp_path, data=tmp_path / "other")
    assert (tmp_path / "evaluation.json").read_bytes() == before
    assert json.loads((tmp_path / "evaluation-other.json").read_text()) == result
    assert result["data"].endswith("other") and "geometry" not in result


def test_two_folders_of_one_name_have_a_file_each(install, tmp_path):
    install(Run())
    for folder in ("a", "b", "a"):
        evaluate_run(tmp_path, data=tmp_path / folder / "same")
    files = sorted(tmp_path.glob("evaluation-same*.json"))
    assert [json.loads(f.read_text())["data"][-6:] for f in files] == ["b/same", "a/same"]


def test_more_neighbors_than_images(install, tmp_path):
    run = Run()
    run.config = Config(evaluation=EvaluationSettings(k=5000, C=(0.01,), random_seeds=1))
    install(run)
    assert evaluate_run(tmp_path)["k"] == 120


def test_without_labels_the_probes_are_left_out_with_a_sentence(install, tmp_path):
    install(Run(labels=None))
    result = evaluate_run(tmp_path)
    assert "linear" not in result and "knn" not in result
    assert "no labels" in result["note"] and "sub-folder" in result["note"]
    assert result["feature_std"] > 0 and result["geometry"]["ratio"] == 3


def test_examples_without_a_class_among_others_are_left_out_of_an_evaluation_and_not_of_a_file(install, tmp_path):
    install(Run(labels=lambda codes: np.where(np.arange(len(codes)) % 4, codes, -1)))
    result = evaluate_run(tmp_path)
    assert (result["images"], result["train_images"]) == (45, 90) and result["linear"]["jepa"] > 0.9
    assert (np.load(embed(tmp_path, None, tmp_path / "e.npz"))["labels"] == -1).sum() == 45


def test_one_class_is_no_task_and_missing_ones_are_named(install, tmp_path):
    install(Run(labels=np.zeros_like))
    assert "there is only one class" in evaluate_run(tmp_path)["note"]
    install(Run(labels=lambda codes: codes % 2))
    assert (
        evaluate_run(tmp_path)["note"] == "Classes without images in train: ring. Classes without images in val: ring."
    )


def test_max_images_limits_each_split(install, tmp_path):
    install(Run(max_images=45))
    result = evaluate_run(tmp_path)
    assert result["images"] == result["train_images"] == 45


def test_raw_input_that_takes_too_much_memory_limits_each_split(install, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("jepa.evaluation.split.RAW", 3 * 4 * 4 * 70)
    install(Run())
    result = evaluate_run(tmp_path)
    assert (result["train_images"], result["images"]) == (70, 60)
    assert "probes use 70 of 120 examples" in caplog.text and "evaluation.max_images=N" in caplog.text
    install(Run(max_images=90))
    assert evaluate_run(tmp_path)["train_images"] == 90, "what is asked for"


def test_embed_npz_and_csv_hold_the_same_numbers(install, tmp_path):
    run = Run()
    install(run)
    archive = np.load(embed(tmp_path, "photos", tmp_path / "deep" / "e.npz"), allow_pickle=False)
    found = run.source(None, "photos")
    np.testing.assert_array_equal(archive["embeddings"], run.model.features(found.all))
    np.testing.assert_array_equal(archive["labels"], found.labels)
    assert archive["names"].tolist() == found.names and archive["classes"].tolist() == found.classes
    with embed(tmp_path, "photos", tmp_path / "e.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["name", "class", *(f"e{axis}" for axis in range(12))]
    assert [row[1] for row in rows[1:4]] == found.classes and [row[0] for row in rows[1:]] == found.names
    numbers = np.array([row[2:] for row in rows[1:]], dtype=np.float32)
    np.testing.assert_array_equal(numbers, archive["embeddings"])


def test_embeddings_without_labels(tmp_path):
    z = np.ones((2, 3), dtype=np.float32)
    write_embeddings(tmp_path / "e.npz", z, None, names=["a", "b"], classes=[])
    assert np.load(tmp_path / "e.npz")["labels"].tolist() == [-1, -1]
    write_embeddings(tmp_path / "e.csv", z, None, names=["a", "b"], classes=[])
    assert (tmp_path / "e.csv").read_text().splitlines()[1] == "a,,1,1,1"


def test_embed_refuses_another_suffix_before_it_loads_anything(tmp_path):
    with pytest.raises(DataError, match=r"e\.json.*\.npz or \.csv"):
        embed(tmp_path / "no such run", None, tmp_path / "e.json")


def test_embed_refuses_a_folder_before_it_loads_anything(tmp_path):
    (tmp_path / "e.npz").mkdir()
    with pytest.raises(DataError, match="is a folder"):
        embed(tmp_path / "no such run", None, tmp_path / "e.npz")


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


def test_classes_without_images_are_named_as_far_as_one_can_read():
    note = _absent([f"class\n{k}" for k in range(600)], {"train": {*range(600)}, "val": {0}})
    assert note.startswith("Classes without images in val: class\\n1, class\\n2, ") and note.endswith(" and 589 more.")
    assert len(note) < 300 and "\n" not in note
    assert _absent(["a"], {"train": {0}, "val": {0}}) == ""


def series(count=96):
    """Two classes of series of two channels: a slow and a fast wave, of any phase."""
    generator = np.random.default_rng(0)
    labels, phase = np.arange(count) % 2, generator.uniform(0, 6, (count, 1, 1))
    wave = np.sin(np.arange(32) * (0.3 + 0.9 * labels[:, None, None]) + phase + [[0], [1]])
    return (wave + 0.1 * generator.normal(size=wave.shape)).astype(np.float32), labels


def test_a_run_on_series_is_evaluated_and_embedded_as_one_on_images(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules["jepa.evaluation.attentive"], "FEWEST", 1)  # steps of the attentive probe
    x, labels = series()
    encoder = jepa.encoders.ViT((2, 32), patch=4, dim=8, depth=1, heads=2)
    predictor = jepa.predictors.Places(encoder.dim, encoder.grid, dim=8, depth=1, heads=2)
    model = jepa.JEPA(encoder, predictor, objective=SmoothL1())
    settings = EvaluationSettings(random_seeds=1, every=1, online_images=20)
    source = jepa.sources.Arrays(x, ["slow" if k == 0 else "fast" for k in labels], validation=0.25)
    task = jepa.tasks.Masked(min_keep=2)
    result = jepa.fit(model, source, task, out=tmp_path / "run", epochs=1, batch_size=16, evaluation=settings)
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert {"probe/linear", "probe/knn", "probe/linear_random", "probe/knn_random"} <= set(lines[-1])
    found = jepa.evaluate(result.folder)
    assert found["shape"] == [2, 32] and found["images"] == 24 and found["feature_dim"] == 8
    for probe in ("linear", "knn", "attentive"):
        assert set(found[probe]) == {"jepa", "random", "pixels", "chance"}
    assert found["linear"]["pixels"] <= 1 and found["geometry"]["ratio"] > 0
    archive = np.load(embed(result.folder, None, tmp_path / "z.npz"))
    assert archive["embeddings"].shape == (96, 8) and archive["names"][:2].tolist() == ["0", "1"]
    assert [archive["classes"][k] for k in archive["labels"][:2]] == ["slow", "fast"]
    again = jepa.evaluate(result.folder, settings=["evaluation.max_images=20"])
    assert again["images"] == 20 and again["settings"] == ["evaluation.max_images=20"]


@pytest.fixture(scope="module")
def projected(tmp_path_factory):
    """A run on series whose projector has three layers."""
    x, labels = series()
    encoder = jepa.encoders.ViT((2, 32), patch=4, dim=8, depth=1, heads=2)
    projector = jepa.projectors.MLP(8, dim=6, width=12, depth=2)
    predictor = jepa.predictors.MLP(6, encoder.grid, width=8, depth=1)
    model = jepa.JEPA(encoder, predictor, projector=projector, objective=jepa.objectives.VICReg())
    source = jepa.sources.Arrays(x, labels, validation=0.25)
    folder = tmp_path_factory.mktemp("projected") / "run"
    return jepa.fit(model, source, jepa.tasks.Views(), out=folder, epochs=2, batch_size=16).folder


def test_every_layer_of_the_projector_is_probed_and_one_of_them_may_be_what_counts(projected, tmp_path):
    found = jepa.evaluate(projected, settings=["evaluation.random_seeds=1"])
    assert [(row["layer"], row["dim"]) for row in found["layers"]] == [(0, 8), (1, 12), (2, 12), (3, 6)]
    assert all({"linear", "knn", "effective_rank"} < set(row) for row in found["layers"])
    assert found["layers"][0]["knn"] == found["knn"]["jepa"] and "layer" not in found
    assert "projector, layer 3" in draw(projected).read_text("utf-8")
    second = jepa.evaluate(projected, settings=["evaluation.random_seeds=1", "evaluation.layer=2"])
    assert (second["layer"], second["feature_dim"]) == (2, 12) and second["layers"] == found["layers"]
    assert second["knn"]["jepa"] == found["layers"][2]["knn"]
    assert "those of layer 2 of the projector" in " ".join(summary(second))


def test_a_layer_is_what_the_projector_makes_of_the_pooled_tokens(projected):
    run = jepa.load_run(projected, settings=["evaluation.layer=2"])
    source = run.source("val")
    x = source.normalize(source.read(range(5)))
    branch = run.model.branches["target"].eval()
    y = branch.encoder.pooled(mt.Tensor(x))
    for layer in list(branch.projector.mlp)[:6]:  # twice Linear, batch norm, ReLU
        y = layer(y)
    np.testing.assert_array_equal(run.features(x), y.numpy())
    archive = np.load(embed(projected, None, projected / "z.npz", settings=["evaluation.layer=3"]))
    assert archive["embeddings"].shape == (96, 6)
    with pytest.raises(ConfigError, match="take at most 3"):
        jepa.load_run(projected, settings=["evaluation.layer=4"])


def test_features_of_crops_are_the_mean_over_them_batch_by_batch(projected, monkeypatch):
    words = ["evaluation.random_seeds=1", "evaluation.crops=3", "evaluation.crop=0.4"]
    found = jepa.evaluate(projected, settings=words)
    assert set(found["linear"]) == set(found["knn"]) == {"jepa", "center", "crops", "random", "pixels", "chance"}
    assert [line[:22] for line in table(found).splitlines()[1:4]] == [
        "trained encoder       ", "encoder, center crop  ", "encoder, mean of crops"
    ]  # fmt: skip
    run = jepa.load_run(projected)
    source, boxes = run.source("val"), scattered((32,), 0.4, 3, seed=0)
    assert [size for _, size in boxes] == [13] * 3 and len({start for start, _ in boxes}) > 1
    assert center((32,), 0.4) == [(10, 13)]
    x = source.normalize(source.read(range(7)))
    each = [run.features(crop_resize(x, [box] * 7, (32,))) for box in boxes]
    np.testing.assert_allclose(averaged(run.features, boxes)(x), np.mean(each, axis=0), rtol=1e-6)
    whole = jepa.evaluate(projected, settings=[*words, "evaluation.crop=1"])
    assert whole["knn"]["center"] == whole["knn"]["crops"] == whole["knn"]["jepa"]
