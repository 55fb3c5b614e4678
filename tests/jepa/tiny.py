"""A run small enough for a test: 80 shapes of 16 x 16, a model of a few hundred weights."""

from pathlib import Path

from jepa.config import Config, load
from jepa.data import shapes

OVERRIDES = """
model.image_size=16 model.target_size=16 model.widths=[4,8] model.embedding_dim=8 model.predictor_width=16
model.predictor_depth=1 regions.targets=1 train.epochs=3 train.batch_size=8 train.log_every=3 train.checkpoint_every=2
optim.warmup_steps=2 evaluation.random_seeds=1 device=cpu
""".split()


def make_images(folder: Path, count: int = 80) -> Path:
    """Write the images once a session."""
    if not (folder / "meta.json").exists():
        shapes.write(folder, count=count, size=16, seed=0)
    return folder


def config(root: Path, *overrides: str) -> Config:
    """Return the config of a tiny run on the images in `root`."""
    return load(preset="demo", overrides=(f"data.root={root}", *OVERRIDES, *overrides))
