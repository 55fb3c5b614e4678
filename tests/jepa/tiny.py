"""A run small enough for a test: 80 shapes of 16 x 16, a model of a few hundred weights."""

from pathlib import Path

from jepa.config import Config, changed, load
from jepa.sources import shapes

SHORT = """
source.size=16 train.epochs=3 train.batch_size=8 train.log_every=3 train.checkpoint_every=2 optimizer.warmup_steps=2
evaluation.random_seeds=1 device=cpu
""".split()
CROPS = """
task.target_size=16 task.targets=1 encoder.widths=[4,8] projector.dim=8 predictor.width=16 predictor.depth=1
""".split()
PLACES = """
task.min_keep=2 encoder=vit encoder.dim=8 encoder.depth=1 encoder.heads=2 predictor.dim=8 predictor.depth=1
predictor.heads=2
""".split()
WORDS = {
    "crops": CROPS,
    "masked": ["task=masked", *PLACES],
    "levels": ["task=levels", "task.levels=2", "task.weights=1,1", "predictor.levels=2", *PLACES],
}
"""by task; for another all is said by whoever asks"""
ROOMS = ["source=two-rooms", "source.size=17", "source.count=40", "source.frames=5", "task.steps=3",
         "encoder.widths=4", "encoder.dim=8", "predictor.inverse=8", "train.batch_size=8", "train.max_steps=2",
         "train.epochs=1"]  # fmt: skip
"""a run of two steps in two small rooms, as words of the command line"""


def make_images(folder: Path, count: int = 80) -> Path:
    """Write the images once a session."""
    if not (folder / "meta.json").exists():
        shapes.write(folder, count=count, size=16, seed=0)
    return folder


def config(root: Path, *overrides: str) -> Config:
    """Return the config of a tiny run on the images in `root`; the last task=KIND decides what is tiny."""
    task = ["crops", *(word.partition("=")[2] for word in overrides if word.startswith("task="))][-1]
    words = WORDS.get(task, [f"task={task}"])
    return changed(load("demo", overrides=[f"source={root}", *SHORT, *words]), overrides)
