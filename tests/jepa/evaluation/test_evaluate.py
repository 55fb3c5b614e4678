"""evaluate_run and embed on a stand-in for a run: what goes into the files, and what happens without labels."""

import csv
import json
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from jepa.errors import DataError
from jepa.evaluation import embed, evaluate_run, write_embeddings
from jepa.evaluation.evaluate import _absent
from jepa.files.atomic import replacing


class Model:
    """Features that know the class (`signal` 1) or hardly do (0)."""

    def __init__(self, signal, seed=0):
        self.signal = signal
        self.weight = np.random.default_rng(seed).normal(size=(3 * 4 * 4, 12)).astype(np.float32)

    def features(self, images, *, encoder):
        assert encoder == "target" and images.dtype == np.float32
        z = images.reshape(len(images), -1) @ self.weight
        classes = images[:, 0, 0, 0].round().astype(int).clip(0, 2)  # the pixel that holds the class
        z[np.arange(len(z)), classes] += 40 * self.signal
        return z


class Images:
    """A dataset that notes how many images it was asked for at once."""

    def __init__(self, count, root, labelled):
        generator = np.random.default_rng(count)
        labels = np.arange(count) % 3
        self.all = generator.normal(size=(count, 3, 4, 4)).astype(np.float32)
        self.all[:, 0, 0, 0] = labels + 0.1 * self.all[:, 0, 0, 0]
        self.labels, self.classes = (labels, ["circle", "square", "ring"]) if labelled else (None, [])
        self.paths = [f"{root}/{index}.png" for index in range(count)]

    def __len__(self):
        return len(self.all)

    def images(self, indices):
        return self.all[np.asarray(indices)]


class Run:
    device, step = "cpu", 7

    def __init__(self, *, labelled=True, max_images=0):
        self.config = SimpleNamespace(
            seed=0,
            method="crops",
            data=SimpleNamespace(root="", make="shapes", eval_root="", count=0),
            model=SimpleNamespace(image_size=4),
            evaluation=SimpleNamespace(k=5, C=(0.01, 1.0), random_seeds=3, encoder="target", max_images=max_images),
        )
        self.model = Model(signal=1)
        self.labelled = labelled

    def dataset(self, split, root=None):
        return Images({"train": 120, "val": 60, None: 180}[split], root or "shapes", self.labelled)

    def normalized(self, images):
        return images

    def features(self, images):
        return self.model.features(images, encoder=self.config.evaluation.encoder)

    def validation_losses(self):
        return {"loss": 0.5, "shuffled": 1.5, "ratio": 3.0}


@pytest.fixture
def install(monkeypatch):
    """Put a module in the place of jepa.runs.run that loads the given run."""

    def put(run):
        module = ModuleType("jepa.runs.run")
        module.load_run = lambda run_dir, *, device, settings: run
        module.features = lambda model, config, images: model.features(images, encoder=config.evaluation.encoder)
        module.random_twin = lambda config, seed, images, *, device: Model(signal=0, seed=seed + 1)
        monkeypatch.setitem(sys.modules, "jepa.runs.run", module)

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


def test_more_neighbours_than_images(install, tmp_path):
    run = Run()
    run.config.evaluation.k = 5000
    install(run)
    assert evaluate_run(tmp_path)["k"] == 120


def test_without_labels_the_probes_are_left_out_with_a_sentence(install, tmp_path):
    install(Run(labelled=False))
    result = evaluate_run(tmp_path)
    assert "linear" not in result and "knn" not in result
    assert "no labels" in result["note"] and "sub-folder" in result["note"]
    assert result["feature_std"] > 0 and result["geometry"]["ratio"] == 3


def test_max_images_limits_each_split(install, tmp_path):
    install(Run(max_images=45))
    result = evaluate_run(tmp_path)
    assert result["images"] == result["train_images"] == 45


def test_embed_npz_and_csv_hold_the_same_numbers(install, tmp_path):
    run = Run()
    install(run)
    archive = np.load(embed(tmp_path, "photos", tmp_path / "deep" / "e.npz"), allow_pickle=False)
    found = run.dataset(None, "photos")
    images, labels, classes, paths = found.all, found.labels, found.classes, found.paths
    np.testing.assert_array_equal(archive["embeddings"], run.model.features(images, encoder="target"))
    np.testing.assert_array_equal(archive["labels"], labels)
    assert archive["paths"].tolist() == paths and archive["classes"].tolist() == classes
    with embed(tmp_path, "photos", tmp_path / "e.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["path", "class", *(f"e{axis}" for axis in range(12))]
    assert [row[1] for row in rows[1:4]] == classes and [row[0] for row in rows[1:]] == paths
    numbers = np.array([row[2:] for row in rows[1:]], dtype=np.float32)
    np.testing.assert_array_equal(numbers, archive["embeddings"])


def test_embeddings_without_labels(tmp_path):
    z = np.ones((2, 3), dtype=np.float32)
    write_embeddings(tmp_path / "e.npz", z, None, paths=["a", "b"], classes=[])
    assert np.load(tmp_path / "e.npz")["labels"].tolist() == [-1, -1]
    write_embeddings(tmp_path / "e.csv", z, None, paths=["a", "b"], classes=[])
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
