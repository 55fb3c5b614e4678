"""Runs of a few steps on noise, to look around in."""

import re
from pathlib import Path
from typing import Any

import numpy as np

import jepa
import minitensor as mt
from jepa.explore import explore

HOSTILE = ["</script><img src=x onerror=alert(1)>", "$DATA \u202e\x1b[31m", "<b>c</b>'\""]


def trained(folder: Path, shape: tuple[int, ...], encoder: Any = None, *, steps: int = 3, count: int = 60) -> Path:
    """Train, with a checkpoint at each step and classes of hostile names."""
    x, labels = np.random.default_rng(0).uniform(size=(count, *shape)).astype(np.float32), np.arange(count) % 3
    source = jepa.sources.Arrays(x, np.array(HOSTILE)[labels], validation=0.4)
    encoder = encoder or vit(shape)
    predictor, target = jepa.predictors.MLP(encoder.dim, encoder.grid, width=8), jepa.targets.EMA(start=0.1, end=0.1)
    model = jepa.JEPA(encoder, predictor, target=target)
    how = {"max_steps": steps, "checkpoint_every": 1, "keep": 9, "batch_size": 8, "lr": 0.02, "device": "cpu"}
    jepa.fit(model, source, jepa.tasks.Views(), out=folder, epochs=1, **how)
    return folder


def own(folder: Path) -> Path:
    """Write the page of one checkpoint of an encoder that cannot be made anew."""
    encoder = Own()
    trained(folder, (3, 16, 24), encoder, steps=1)
    model = jepa.JEPA(encoder, jepa.predictors.MLP(6, (4, 6), width=8), target=jepa.targets.EMA(start=0.1, end=0.1))
    return explore(folder, device="cpu", projection="pca", model=model)


def vit(shape: tuple[int, ...], **changes: Any) -> jepa.encoders.ViT:
    return jepa.encoders.ViT(shape, **{"patch": 4, "dim": 12, "depth": 2, "heads": 3, **changes})


class Own(mt.nn.Layer):
    """An encoder of one's own, which keeps the contract and cannot be made anew; its tokens look at one another."""

    dim, grid = 6, (4, 6)

    def __init__(self) -> None:
        self.patches = mt.nn.Conv2d(3, 6, 4, stride=4)

    def tokens(self, x: Any, keep: Any = None) -> Any:
        return self.patches(x).reshape(len(x), 6, 24).swapaxes(1, 2)

    def pooled(self, x: Any, pool: str = "mean") -> Any:
        return self.tokens(x).mean(axis=1)

    def attention_maps(self, x: Any) -> list[Any]:
        y = self.tokens(x)
        return [mt.nn.functional.softmax((y @ y.swapaxes(1, 2))[:, None], -1)]


def page(run: Path, **how: Any) -> str:
    return explore(run, device="cpu", projection="pca", **how).read_text("utf-8")


def data(text: str) -> str:
    """Return the JSON of a page."""
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    return str(found)
