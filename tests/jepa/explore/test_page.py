"""What the page of a run is made of: it says what the encoder does, fits, stands alone, and runs no text of others."""

import base64
import hashlib
import io
import json
import re
import sys
import zlib
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

import jepa
import minitensor as mt
from jepa import frozen
from jepa.__main__ import main
from jepa.assembly import learner
from jepa.errors import DataError, RunError
from jepa.explore import drawings, explore, plane, snapshots
from jepa.health import unit
from jepa.pictures import image, line
from jepa.pictures.places import Canvas
from jepa.runs.run import load_run
from jepa.text import printable

from .runs import HOSTILE, data, own, page, trained, vit


def unpacked(packed: dict[str, Any]) -> Any:
    x = zlib.decompress(base64.b64decode(packed["bytes"]))
    return np.frombuffer(x, "<" + packed["kind"]).reshape(packed["shape"])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    encoder = vit((3, 16, 24), class_token=True, depth=3, drop_path=0.9)
    return trained(tmp_path_factory.mktemp("explore") / "run", (3, 16, 24), encoder)


@pytest.fixture(scope="module")
def text(run: Path) -> str:
    return page(run)


@pytest.fixture(scope="module")
def shown(text: str) -> dict[str, Any]:
    return dict(json.loads(data(text)))


# -- what it says is so ------------------------------------------------------------------------------------------------


def test_attention_and_resemblance_are_the_encoders_own(run: Path, shown: dict[str, Any]) -> None:
    places, k = shown["places"], 1
    attention, peaks, cosines = (unpacked(places[name]) for name in ("attention", "peaks", "cosines"))
    assert attention.shape == (4, 12, 9, 25, 24) and cosines.shape == (4, 12, 24, 24)  # with the class token's row
    assert (places["heads"], places["before"], places["grid"], places["group"]) == ([3, 3, 3], 1, [4, 6], 1)
    assert shown["steps"] == [None, 1, 2, 3]
    for number, step in enumerate(shown["steps"]):
        opened = load_run(run, "cpu", str(run / "checkpoints" / f"step-{step or 1:08d}.safetensors"))
        if step is None:
            opened.model = learner(opened.config.choices, opened.config.seed, (3, 16, 24))
        opened.model.eval()
        source = opened.source("val")
        x = source.normalize(source.read(np.random.default_rng(0).permutation(len(source))[k : k + 1]))
        maps = opened.model.encoders["target"].attention_maps(mt.Tensor(x))
        true = np.concatenate([m.numpy()[0] for m in maps])[:, :, 1:]  # (heads, T, N)
        said = attention[number, k] / 255 * peaks[number, k][..., None]
        np.testing.assert_allclose(said, true, atol=true.max() / 500)
        tokens = unit(frozen.tokens(opened.model, x)[0])
        np.testing.assert_allclose(cosines[number, k] / 127.5 - 1, tokens @ tokens.T, atol=0.005)


def test_points_neighbors_names_and_classes_are_of_one_order(run: Path, shown: dict[str, Any]) -> None:
    opened, found = load_run(run, "cpu"), shown["map"]
    source = opened.source("val")
    chosen = np.random.default_rng(0).permutation(len(source))
    assert found["labels"] == [int(source.labels[k]) for k in chosen] and shown["examples"] == len(source) == 24
    assert found["names"] == [f"row {source.names[k]}" for k in chosen]
    assert found["classes"] == [printable(name) for name in sorted(HOSTILE)]
    z = unit(opened.features(source.normalize(source.read(chosen))))
    cosines = z @ z.T - 2 * np.eye(len(z))
    order, near = unpacked(found["neighbors"])[-1], unpacked(found["cosines"])[-1]
    assert order.shape == (24, 8)
    np.testing.assert_allclose(near / 1000, -np.sort(-cosines)[:, :8], atol=6e-4)
    np.testing.assert_allclose(np.take_along_axis(cosines, order.astype(int), 1), near / 1000, atol=6e-4)
    points = unpacked(found["points"])
    assert points.shape == (4, 24, 2) and "principal component 1 (" in found["sides"][-1][0]
    np.testing.assert_allclose(
        points[-1], plane.maps([opened.features(source.normalize(source.read(chosen)))], "pca")[0], atol=1e-5
    )


def test_thumbnails_are_the_examples(run: Path, shown: dict[str, Any]) -> None:
    source, sheet = load_run(run, "cpu").source("val"), shown["sheet"]
    whole = np.asarray(Image.open(io.BytesIO(base64.b64decode(sheet["source"].partition(",")[2]))))
    assert (sheet["width"], sheet["height"], sheet["columns"]) == (24, 16, 5)
    for number, k in enumerate(np.random.default_rng(0).permutation(len(source))):
        row, column = divmod(number, 5)
        found = whole[16 * row : 16 * (row + 1), 24 * column : 24 * (column + 1)]
        assert np.array_equal(found, np.rint(255 * source.read([k])[0]).astype(np.uint8).transpose(1, 2, 0))


# -- it stands alone ---------------------------------------------------------------------------------------------------


def test_it_loads_nothing_and_runs_its_own_scripts_alone(text: str) -> None:
    assert not re.findall(
        r'(?:src|href|action)\s*=\s*["\']?(?!data:)', re.sub(r"<script.*?</script>", "", text, flags=re.S)
    )
    assert "http:" not in text and "https:" not in text and "@import" not in text and "url(" not in text
    assert re.findall("<(script|img|b)[ >]", text) == ["script", "script"]  # whatever classes are called
    assert "\x1b" not in text and "\u202e" not in text
    (policy,) = re.findall(r'Content-Security-Policy" content="(.*?)"', text)
    (style,), (script,) = (
        re.findall("<style>(.*?)</style>", text, re.S),
        re.findall("<script>(.*?)</script>", text, re.S),
    )
    for kind, content in (("style", style), ("script", script)):
        assert f"{kind}-src 'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'" in policy
    assert policy.startswith("default-src 'none'; img-src data:;")


@pytest.mark.parametrize("shape", [(2, 32), (1, 8, 8, 8)])
def test_series_and_clips_have_a_page(tmp_path: Path, shape: tuple[int, ...]) -> None:
    found = json.loads(data(page(trained(tmp_path / "run", shape, steps=1))))
    places, boxes = found["places"], unpacked(found["places"]["boxes"])
    assert found["steps"] == [None, 1] and boxes.shape[1:] == (8, 1 if len(shape) == 2 else 2, 4)
    assert ((boxes >= 0) & (boxes <= 1)).all() and len(places["pictures"]) == 12
    assert found["sheet"]["width"] > 0


def test_an_encoder_of_ones_own_has_a_page_of_one_checkpoint(tmp_path: Path) -> None:
    found = json.loads(data(own(tmp_path / "run").read_text("utf-8")))
    assert found["steps"] == [1] and found["places"]["heads"] == [1]
    assert unpacked(found["places"]["attention"]).shape == (1, 12, 1, 24, 24)


@pytest.mark.parametrize(
    ("encoder", "heads"),
    [
        (jepa.encoders.EnergyTransformer((3, 16, 16), patch=4, dim=8, depth=2, heads=2), [2, 2]),
        (jepa.encoders.ConvNeXt((3, 16, 16), dims=(4, 8), depths=(1, 1)), []),
        (jepa.encoders.ResNet((3, 16, 16), width=4), []),
    ],
    ids=lambda x: type(x).__name__,
)
def test_encoders_of_every_build_have_a_page(tmp_path: Path, encoder: Any, heads: list[int]) -> None:
    places = json.loads(data(page(trained(tmp_path / "run", (3, 16, 16), encoder, steps=1))))["places"]
    assert places["heads"] == heads and np.prod(places["grid"]) == places["cosines"]["shape"][-1] > 1


def test_an_encoder_without_attention_or_without_places_has_what_it_has(tmp_path: Path) -> None:
    shape = (3, 16, 16)
    places = json.loads(data(page(trained(tmp_path / "cnn", shape, jepa.encoders.CNN(shape, widths=(4, 8))))))["places"]
    assert places["heads"] == [] and unpacked(places["cosines"]).shape[2:] == (64, 64)
    assert places["attention"]["shape"][2] == 0
    found = json.loads(data(page(trained(tmp_path / "mlp", shape, jepa.encoders.MLP(shape, width=8)))))
    assert found["places"] is None and found["map"]["labels"]


# -- it fits -----------------------------------------------------------------------------------------------------------


class Large:
    """What `plan` asks of a run, of a transformer of so many blocks, heads and tokens."""

    def __init__(self, blocks: int, heads: int, tokens: int) -> None:
        self.maps = [np.broadcast_to(np.float32(0), (1, heads, tokens, tokens))] * blocks


@pytest.mark.parametrize(
    ("blocks", "heads", "grid", "expected"),
    [
        (4, 3, (8, 8), (1, 7, 5)),  # ijepa-shapes
        (12, 3, (14, 14), (2, 6, 4)),  # ViT-Ti/16
        (32, 16, (16, 16), (4, 3, 5)),  # ViT-H/14
        (0, 0, (8, 8), (1, 7, 12)),
        (0, 0, (1, 1), (1, 7, 12)),
    ],
)
def test_large_transformers_are_looked_at_less_closely(
    monkeypatch: pytest.MonkeyPatch, blocks: int, heads: int, grid: tuple[int, int], expected: tuple[int, ...]
) -> None:
    count = grid[0] * grid[1]
    monkeypatch.setattr(snapshots, "attention", lambda run, x: Large(blocks, heads, count + 1).maps)
    how = snapshots.plan(None, None, grid, 20, 600)  # type: ignore[arg-type]
    few = (-(-grid[0] // how.group)) ** 2
    assert how.heads == [heads] * blocks and how.before == (1 if blocks else 0)
    assert (how.group, how.moments, how.examples) == expected
    assert how.moments * how.examples * few * (blocks * heads * (few + 1) + few) <= snapshots.BYTES


def test_groups_of_patches_keep_all_attention(run: Path) -> None:
    opened = load_run(run, "cpu")
    source = opened.source("val")
    x = source.normalize(source.read([0, 1]))
    fine, coarse = (snapshots.looks(opened, x, (4, 6), snapshots.Plan([3, 3, 3], 1, group, 1, 2)) for group in (1, 4))
    assert coarse.attention.shape == (2, 9, 3, 2) and coarse.cosines.shape == (2, 2, 2)
    whole, grouped = (a.attention / 255 * a.peaks[..., None] for a in (fine, coarse))
    left = np.arange(24) % 6 < 4
    np.testing.assert_allclose(grouped[:, :, 0, 0], whole[:, :, 0, left].sum(-1), atol=0.01)  # the class token's
    np.testing.assert_allclose(
        grouped[:, :, 2, 1], whole[:, :, 1:][:, :, ~left][..., ~left].sum(-1).mean(-1), atol=0.01
    )


def test_a_picture_has_so_many_bytes_at_most() -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (400, 400, 3), np.uint8))
    sizes = [len(drawings.data_uri(noise, most)) for most in (600_000, 300_000, 120_000)]
    assert all(3 * size < 4 * most + 120 for size, most in zip(sizes, (600_000, 300_000, 120_000), strict=True))
    assert [drawings.data_uri(noise, most)[11:14] for most in (600_000, 120_000)] == ["png", "jpe"]


# -- maps and drawings -------------------------------------------------------------------------------------------------


def test_maps_do_not_jump() -> None:
    generator = np.random.default_rng(0)
    z = generator.normal(size=(50, 6)) * [5, 4, 1, 1, 1, 1]
    other = np.linalg.qr(generator.normal(size=(6, 6)))[0]
    early, late = plane.maps([z @ other + 3, z], "pca")  # the same, turned in its space
    np.testing.assert_allclose(early, late, atol=1e-9)
    tilted = z + 0.3 * generator.normal(size=z.shape)
    early, late = plane.maps([tilted, z], "pca")
    alone = plane.maps([tilted], "pca")[0]
    distances = [np.linalg.norm(p[:, None] - p, axis=2) for p in (early, alone)]
    np.testing.assert_allclose(*distances, atol=1e-9)  # turned and mirrored, and nothing else
    assert np.linalg.norm(early - late) < np.linalg.norm(z)


def test_umap_is_taken_where_it_is_installed(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class UMAP:
        def __init__(self, **settings: Any) -> None: ...

        def fit_transform(self, z: Any) -> Any:
            return z[:, :2]

    umap: Any = ModuleType("umap")
    umap.__spec__, umap.UMAP = ModuleSpec("umap", None), UMAP
    monkeypatch.setitem(sys.modules, "umap", umap)
    found = json.loads(data(explore(run, out=tmp_path / "page.html", device="cpu").read_text("utf-8")))["map"]
    assert found["method"] == "UMAP" and found["sides"] == [["UMAP 1", "UMAP 2"]] * 4
    monkeypatch.setitem(sys.modules, "umap", None)
    assert plane.usual() == "pca"


def test_examples_that_are_alike_are_not_their_own_neighbors() -> None:
    order, cosines = plane.neighbors(np.ones((20, 3)), 4)
    assert order.shape == (20, 4) and not (order == np.arange(20)[:, None]).any() and np.allclose(cosines, 1)
    assert plane.neighbors(np.eye(3), 8)[0].shape == (3, 2)


def test_the_area_of_a_patch_is_where_it_is_drawn() -> None:
    image_boxes = drawings.drawing(Canvas(image, (3, 16, 32), (2, 4)), np.zeros((3, 16, 32)), 1).boxes
    assert image_boxes[6].tolist() == [[0.5, 0.5, 0.75, 1.0]]
    x = np.zeros((1, 64), np.float32)
    x[0, 21] = 1  # in the sixth patch of four
    found = drawings.drawing(Canvas(line, (1, 64), (16,)), x, 1)
    assert (
        np.allclose(found.boxes[:-1, 0, 2], found.boxes[1:, 0, 0])
        and (found.boxes[:, 0, 1] == found.boxes[0, 0, 1]).all()
    )
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(found.source.partition(",")[2]))).convert("L"))
    left, top, right, bottom = found.boxes[5, 0] * [*found.size, *found.size]
    middle = int(0.3 * top + 0.7 * bottom)
    dark = np.flatnonzero(pixels[middle] < 100) + 0.5  # the two sides of the peak, and the border of the panel
    inside = dark[
        (dark > found.boxes[0, 0, 0] * found.size[0] + 5) & (dark < found.boxes[-1, 0, 2] * found.size[0] - 5)
    ]
    assert len(inside) and (inside > left - 3).all() and (inside < right + 3).all()


def test_a_place_of_a_clip_is_in_each_frame_that_shows_it() -> None:
    flags = np.zeros((8, 4, 4), bool)
    flags[:4, :2, 2:] = True  # frames 0, 2, 5 and 7 are drawn
    assert image.boxes(flags) == [(2.0, 0.0, 4.0, 2.0), (7.0, 0.0, 9.0, 2.0)]
    assert image.thumbnail(np.zeros((1, 8, 4, 4))).shape == (4, 19, 3)


# -- the verb ----------------------------------------------------------------------------------------------------------


def test_the_verb_writes_a_page_of_other_examples(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "others.npy", np.random.default_rng(1).uniform(size=(5, 3, 16, 24)).astype(np.float32))
    out = tmp_path / "page.html"
    assert main(["explore", str(run), "--data", str(tmp_path / "others.npy"), "--out", str(out), "device=cpu"]) == 0
    assert re.fullmatch(rf"page: {out} \(0\.\d MB; any browser opens it\)\n", capsys.readouterr().out)
    found = json.loads(data(out.read_text("utf-8")))["map"]
    assert found["labels"] == [-1] * 5 and found["classes"] == [] and found["looks"] == []
    assert main(["explore", str(run), "--out", str(tmp_path)]) == 2
    assert "it is a folder; name a file" in capsys.readouterr().err
    assert not list(tmp_path.glob(".*.tmp"))
    np.save(tmp_path / "two.npy", np.ones((2, 3, 16, 24), np.float32))
    assert main(["explore", str(run), "--data", str(tmp_path / "two.npy"), "device=cpu"]) == 2
    assert "a map needs 3 examples, and there are 2: name more of them with --data" in capsys.readouterr().err


def test_nothing_of_others_is_replaced_in_the_run(run: Path) -> None:
    ours = run / "explore.html"
    page(run)
    page(run)  # our own
    kept = ours.read_text("utf-8")
    ours.write_text("mine", "utf-8")
    with pytest.raises(RunError, match="it was not written by a run, so it is not replaced"):
        page(run)
    ours.write_text(kept, "utf-8")


def test_examples_of_several_arrays_are_refused() -> None:
    class Pair:
        shape = {"image": (3, 8, 8), "sound": (1, 64)}

    with pytest.raises(DataError, match=r"examples of several arrays \(image, sound\) have no picture"):
        snapshots.planned(None, Pair())  # type: ignore[arg-type]
