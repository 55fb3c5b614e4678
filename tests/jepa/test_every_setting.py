"""Every setting, one by one: something reads it, and no number is too much for us."""

import dataclasses
import sys
from pathlib import Path
from typing import Any

import pytest

import jepa.config.rules as rules
from jepa.config import Config, fields, load, value_of
from jepa.errors import ConfigError, JEPAError
from jepa.evaluation.embed import embed
from jepa.evaluation.evaluate import evaluate_run
from jepa.training.run import train
from jepa.visualisation.report import draw
from tests.jepa.tiny import OVERRIDES, config

TOKENS = "vit.dim=8 vit.depth=1 vit.heads=2 vit.predictor_dim=8 vit.predictor_depth=1 vit.predictor_heads=2".split()
RUNS = {
    "crops": ["loss.name=vicreg", "optim.weight_decay_end=0.1", "evaluation.every=1", "evaluation.online_images=20"],
    "blocks": ["regions.kind=blocks", "regions.target_scale=[0.1,0.3]", "optim.name=sgd", "model.encoder=mlp"],
    "ijepa": ["method=ijepa", "masks.min_keep=2", "loss.name=infonce", *TOKENS],
    "random": ["method=ijepa", "masks.min_keep=2", "masks.kind=random", "loss.name=l2", *TOKENS],
    "hjepa": ["method=hjepa", "masks.min_keep=2", "hierarchy.levels=2", "hierarchy.weights=1,1", *TOKENS],
}
ELSEWHERE = {"name", "data.count", "data.make", "loss.force"}  # by the command line, for the default data, by a rule


def test_every_setting_is_read_by_something(
    shapes_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A setting that nothing outside `config` reads promises what is not so."""
    read: set[str] = set()
    prefixes = {type(Config()): ""} | {
        type(getattr(Config(), f.name)): f"{f.name}."
        for f in dataclasses.fields(Config)
        if dataclasses.is_dataclass(getattr(Config(), f.name))
    }
    for kind, prefix in prefixes.items():

        def seen(self: Any, name: str, prefix: str = prefix) -> Any:
            caller = sys._getframe(1).f_globals.get("__name__", "")
            if caller.startswith("jepa.") and not caller.startswith("jepa.config"):
                read.add(prefix + name)
            return object.__getattribute__(self, name)

        monkeypatch.setattr(kind, "__getattribute__", seen)
    for name, words in RUNS.items():
        run = tmp_path / name
        train(config(shapes_folder, *words, "train.epochs=1"), out=run)
        if name in ("crops", "blocks"):
            evaluate_run(run, device="cpu")
    embed(run, None, tmp_path / "e.npz", device="cpu")
    draw(run, device="cpu")
    assert set(fields()) - read - ELSEWHERE == set()


def numbers() -> list[str]:
    """Return the settings that are numbers, or lists of them."""
    return [key for key, field in fields().items() if _is_number(field.type)]


def _is_number(kind: Any) -> bool:
    words = str(kind)
    return "Literal" not in words and ("int" in words or "float" in words)


def test_every_number_and_every_free_text_has_a_rule() -> None:
    texts = {key for key, field in fields().items() if field.type is str}
    assert (texts | set(numbers())) - set(rules._RULES) == set()


ODD = ["-1", "0", "1", str(10**12), "nan", "inf", "-inf", "1e400", "1e-300", "???", "true", "[]", "a", "9" * 400]


def tried(key: str, odd: str) -> Config | None:
    """Return a tiny configuration with this value, or None if it is refused, in one sentence that names the setting."""
    kind = str(fields()[key].type)
    count = 4 if key == "augment.jitter" else 2 if "tuple[float, float]" in kind or "Range" in kind else 1
    text = f"[{', '.join([odd] * count)}]" if count > 1 and odd != "[]" else odd
    masked = key.startswith(("vit.", "masks.", "hierarchy.", "augment.crop"))
    words = (
        ["method=hjepa", "hierarchy.levels=2", "hierarchy.weights=1,1", "masks.min_keep=2", *TOKENS] if masked else []
    )
    random = ["masks.kind=random"] if key.startswith("masks.ratio") else []
    try:
        return load("demo", overrides=[*OVERRIDES, *words, *random, f"{key}={text}"])
    except ConfigError as error:
        assert key in str(error) and "\n" not in str(error) and len(str(error)) < 900
        return None


@pytest.mark.parametrize("key", numbers())
def test_an_odd_number_is_refused_or_trains(key: str, shapes_folder: Path, tmp_path: Path) -> None:
    accepted = [(odd, c) for odd in ODD if (c := tried(key, odd)) is not None]
    assert not [odd for odd, c in accepted if odd in ("nan", "inf", "-inf", "1e400", "???", "a")]
    for number, (odd, c) in enumerate(accepted):
        assert value_of(c, key) is not None
        c = dataclasses.replace(c, data=dataclasses.replace(c.data, root=str(shapes_folder)))
        try:
            train(c, out=tmp_path / str(number), stop_after=1)
        except KeyboardInterrupt:
            continue
        except JEPAError as error:
            assert len(str(error)) < 600, odd
