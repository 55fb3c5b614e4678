"""Models in folders: they come back as they were; what a file may not say is refused in one sentence."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minitensor as mt
from jepa import objectives, predictors, projectors, targets
from jepa.encoders import CNN, MLP, ConvNeXt, EnergyTransformer, ResNet, ViT
from jepa.encoders.base import Encoder
from jepa.errors import RunError
from jepa.learner import JEPA
from jepa.predictors.geometry import Geometry
from jepa.predictors.levels import Levels
from jepa.predictors.places import Places
from jepa.pretrained import load_pretrained, pretrained_transformer, save_pretrained
from jepa.pretrained.folders import described


def places(encoder: Any, **parts: Any) -> JEPA:
    """A JEPA of masked places."""
    made = Places(encoder.dim, encoder.grid, dim=8, depth=1, heads=2, positions="learned", drop_path=0.1)
    return JEPA(encoder, made, **parts)


def crops(encoder: Any, **parts: Any) -> JEPA:
    """A JEPA of crops."""
    projector = projectors.MLP(encoder.dim, dim=5, width=6, depth=1)
    return JEPA(encoder, Geometry(5, encoder.grid, width=7, depth=1), projector=projector, **parts)


def levels(encoder: Any, **parts: Any) -> JEPA:
    """A JEPA of levels."""
    return JEPA(encoder, Levels(encoder.dim, encoder.grid, dim=8, depth=1, heads=2, levels=2, fusion=True), **parts)


SMALL: dict[str, Any] = {"patch": 4, "dim": 12, "depth": 2, "heads": 3}
MODELS: dict[str, Callable[[], mt.nn.Layer]] = {
    "vit": lambda: ViT((1, 16, 24), **SMALL, mlp_ratio=48 / 11, positions="learned", class_token=True, drop_path=0.1),
    "vit of a series": lambda: ViT((2, 24), **{**SMALL, "patch": (3,)}),
    "vit of clips": lambda: ViT((2, 4, 8, 8), **{**SMALL, "patch": (2, 4, 4)}),
    "energy": lambda: EnergyTransformer((3, 16, 16), **SMALL, mlp_ratio=2.0, hopfield="softmax", step=0.2),
    "cnn": lambda: CNN((3, 8, 16), widths=(4, 6), norm="none"),
    "resnet": lambda: ResNet((1, 32, 32), layers=(1, 2), width=4, stem="imagenet"),
    "convnext": lambda: ConvNeXt((3, 32, 32), depths=(1, 2), dims=(4, 8), patch=4, scale="layer", drop_path=0.1),
    "mlp": lambda: MLP((3, 4, 4), width=5, depth=2),
    "crops": lambda: crops(CNN((3, 8, 8), widths=(4, 6)), target="stopgrad", objective=objectives.L2()),
    "crops on a vit": lambda: crops(ViT((3, 8, 8), **SMALL, class_token=True), target=targets.EMA(start=0.9)),
    "places": lambda: places(ViT((1, 16, 16), **SMALL), objective=objectives.InfoNCE(0.3)),
    "places on energy": lambda: places(EnergyTransformer((3, 16, 16), **SMALL), target="stopgrad"),
    "places on a cnn": lambda: places(CNN((3, 16, 16), widths=(4, 6)), target="shared", objective=objectives.VICReg()),
    "levels on a resnet": lambda: levels(ResNet((3, 8, 8), layers=(1, 1), width=4)),
    "levels": lambda: levels(EnergyTransformer((3, 16, 16), **SMALL), target="own", objective=objectives.VICReg()),
    "told nothing": lambda: JEPA(MLP((7,), width=6, depth=1), predictors.mlp.MLP(6, (), width=4, depth=1)),
}


@pytest.mark.parametrize("name", MODELS)
def test_models_come_back_as_they_were(name: str, tmp_path: Path) -> None:
    mt.manual_seed(0)
    model: Any = MODELS[name]()
    with mt.no_grad():
        for p in model.parameters():
            p[...] = mt.randn(p.shape)
    mt.manual_seed(1)
    again = load_pretrained(save_pretrained(model, tmp_path / "new" / "folder"))
    assert type(again) is type(model) and repr(again) == repr(model) and not again.training
    before, after = model.state_dict(), again.state_dict()
    assert before.keys() == after.keys() and all(np.array_equal(before[k], after[k]) for k in before)
    assert json.dumps(described(again)) == json.dumps(described(model)) and "class" not in described(model)
    own = [n for n, p in model.named_parameters() if p.requires_grad]
    assert [n for n, p in again.named_parameters() if p.requires_grad] == own
    sides = [(m, m.context.encoder) if isinstance(m, JEPA) else (m, m) for m in (model, again)]
    assert sides[0][1].settings == sides[1][1].settings and sides[0][1].grid == sides[1][1].grid


def test_a_frozen_encoder_in_float64_computes_the_same(tmp_path: Path) -> None:
    mt.manual_seed(0)
    encoder = ViT((3, 8, 8), patch=4, dim=8, depth=1, heads=2, positions="learned").to(dtype="float64")
    encoder.requires_grad_(False)
    images = mt.Tensor(np.random.default_rng(0).standard_normal((2, 3, 8, 8)))
    assert np.array_equal(load_pretrained(save_pretrained(encoder, tmp_path))(images).numpy(), encoder(images).numpy())


def test_loading_leaves_the_random_numbers_alone(tmp_path: Path) -> None:
    folder = save_pretrained(places(ViT((3, 8, 8), **SMALL)), tmp_path)
    drawn = []
    for seed in (5, 6):
        mt.manual_seed(seed)
        load_pretrained(folder)
        drawn.append(mt.rand((3,)).numpy())
    assert not np.array_equal(*drawn)


class Own(Encoder):
    """An encoder of one's own."""

    def __init__(self) -> None:
        self.shape, self.dim, self.grid = (4,), 3, ()
        self.linear = mt.nn.Linear(4, 3)

    def tokens(self, x: mt.Tensor, keep: Any = None) -> mt.Tensor:
        """Return one token."""
        return self.linear(x)[:, None]  # type: ignore[no-any-return]


@pytest.mark.parametrize(("make", "what"), [(lambda: mt.nn.Sequential(mt.nn.Linear(2, 3)), "Sequential"), (Own, "Own")])
def test_a_class_of_ones_own_needs_a_model_to_put_the_weights_into(make: Any, what: str, tmp_path: Path) -> None:
    model = make()
    save_pretrained(model, tmp_path)
    with pytest.raises(
        RunError, match=rf"is a .*{what}, .* which no file may name. .*load_pretrained\(folder, into=it"
    ):
        load_pretrained(tmp_path)
    again = load_pretrained(tmp_path, into=make())
    name = next(iter(model.state_dict()))
    assert np.array_equal(again.state_dict()[name], model.state_dict()[name])


def test_a_jepa_of_parts_of_ones_own_too(tmp_path: Path) -> None:
    class Fourth(objectives.L2):
        """An objective of one's own."""

    saved = places(ViT((3, 8, 8), **SMALL), objective=Fourth())
    with pytest.raises(RunError, match=r"is a tests.jepa.pretrained.test_folders:.*Fourth, or has one: a class of its"):
        load_pretrained(save_pretrained(saved, tmp_path))
    again = load_pretrained(tmp_path, into=places(ViT((3, 8, 8), **SMALL)))
    for name in ("context.encoder.pos_embed", "target.copy.encoder.norm.weight"):
        assert np.array_equal(again.state_dict()[name], saved.state_dict()[name])


def test_a_file_that_names_a_module_imports_nothing(tmp_path: Path) -> None:
    folder = save_pretrained(MLP((4,), width=2, depth=1), tmp_path / "a")
    (tmp_path / "innocent.py").write_text("raise SystemExit('this has run')")
    sys.path.insert(0, str(tmp_path))
    try:
        for kind in ("innocent:Encoder", "os:system", "minitensor.nn:Linear"):
            (folder / "config.json").write_text(json.dumps({"shape": [4], "encoder": {"kind": kind}}))
            with pytest.raises(RunError, match="which no file may name"):
                load_pretrained(folder)
            with pytest.raises(RunError, match=f"holds a model of encoder={kind}, not a vision transformer"):
                pretrained_transformer(folder)
    finally:
        sys.path.remove(str(tmp_path))
    assert "innocent" not in sys.modules


def test_folders_that_hold_no_model(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="it needs config.json and model.safetensors"):
        load_pretrained(tmp_path)
    folder = save_pretrained(MLP((4,), width=2, depth=1), tmp_path)
    config = (folder / "config.json").read_text()
    for text, message in (
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        ("{}", "describes no model of jepa"),
        (config.replace('"mlp"', '"mpl"'), "describes no model of jepa: encoder=mpl: .* Did you mean 'mlp'"),
        (config.replace('"mlp"', "[1]"), "describes no model of jepa"),
        (config.replace('"width": 2', '"widths": 2'), "describes no model of jepa"),
        (
            config.replace('"width": 2', '"width": "2"'),
            "describes no model of jepa: .*width='2': expected a whole number",
        ),
        (config.replace('"width": 2', '"width": 0'), "describes no model of jepa: .*width=0: must be at least 1"),
        (config.replace('"shape"', '"shapes"'), "describes no model of jepa"),
        (config.replace('"shape": [\n    4', '"shape": [\n    -4'), "describes no model of jepa: a shape of"),
        (config.replace('"encoder"', '"objective"'), "describes no model of jepa"),
        (config.replace('"width": 2', '"width": 3'), "do not fit"),
        ('{"class": "VisionTransformer", "settings": {}}', "is a VisionTransformer, or has one"),
    ):
        assert text != config
        (folder / "config.json").write_text(text)
        with pytest.raises(RunError, match=message):
            load_pretrained(folder)
    (folder / "config.json").write_text(config)
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(RunError, match="is damaged"):
        load_pretrained(folder)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("dim", 10**9),
        ("dim", 16_000),
        ("depth", 10**9),
        ("depth", 200),
        ("shape", [3, 10**9, 10**9]),
        ("shape", [3, 2048, 2048]),
        ("shape", [10**9, 8, 8]),
        ("shape", [3, 8]),
        ("shape", "38"),
        ("shape", 7),
        ("patch", 0),
        ("patch", [4, 4, 4]),
        ("mlp_ratio", 1e9),
        ("mlp_ratio", 60.0),
        ("heads", None),
    ],
)
def test_settings_of_a_folder_cannot_ask_for_more_than_its_weights(setting: str, value: Any, tmp_path: Path) -> None:
    mt.manual_seed(0)
    folder = save_pretrained(ViT((3, 8, 8), **SMALL), tmp_path)
    assert pretrained_transformer(folder).extra_repr() == load_pretrained(folder).extra_repr()
    description = json.loads((folder / "config.json").read_text())
    (description if setting == "shape" else description["encoder"])[setting] = value
    (folder / "config.json").write_text(json.dumps(description))
    with pytest.raises(RunError, match="do not fit its config.json"):
        pretrained_transformer(folder)


@pytest.mark.parametrize(
    ("description", "what"),
    [
        ({"shape": [3, 8, 8], "encoder": {"kind": "mlp", "width": 10**9}}, "encoder=mlp"),
        ({"class": "Sequential"}, "Sequential"),
        ({"shape": [3, 8, 8], "encoder": {"kind": "vit"}, "target": {"kind": "ema"}}, "encoder=vit, target=ema"),
    ],
)
def test_other_models_than_a_transformer(description: dict[str, Any], what: str, tmp_path: Path) -> None:
    folder = save_pretrained(ViT((3, 8, 8), **SMALL), tmp_path)
    (folder / "config.json").write_text(json.dumps(description))
    with pytest.raises(RunError, match=f"holds a model of {what}, not a vision transformer"):
        pretrained_transformer(folder)


def test_a_transformer_with_numbers_that_are_none_is_damaged(tmp_path: Path) -> None:
    encoder = ViT((3, 8, 8), **SMALL)
    with mt.no_grad():
        encoder.norm.bias[...] = float("nan")
    with pytest.raises(RunError, match="norm.bias hold NaN or infinity"):
        pretrained_transformer(save_pretrained(encoder, tmp_path))
