# %% [markdown]
# # Training a JEPA on a folder of PNGs, in Python
# The same as `python -m jepa train`, step by step. Without an argument the folder is one that this script writes:
# 600 pictures of shapes, in sub-folders named after the shape. With one, `python examples/11_train_on_a_folder.py
# FOLDER`, it is yours: a folder of images, with or without sub-folders.

# %%
import sys
import tempfile
from pathlib import Path

import jepa
from jepa.pictures.report import draw
from jepa.sources import shapes

work = Path(tempfile.mkdtemp(prefix="jepa-"))
if len(sys.argv) > 1 and Path(sys.argv[1]).is_dir():  # not what a notebook's kernel is started with
    folder, epochs = Path(sys.argv[1]), 20
else:
    folder, epochs = work / "shapes", 3
    shapes.write(folder, count=600, size=32, seed=0)

# %% [markdown]
# A config is a preset and what you change of it; a misspelt key is answered with the one you meant.

# %%
config = jepa.load_config(
    preset="demo",
    overrides=[
        f"source={folder}",
        f"train.epochs={epochs}",
        "train.batch_size=64",
        "encoder.widths=[16,32,64]",
        "evaluation.random_seeds=1",
    ],
)
result = jepa.train(config, out=work / "run")
print(f"{result.steps} steps in {result.seconds:.0f} s, loss {result.loss:.3f}")

# %% [markdown]
# The probes stand beside raw pixels, the same encoder untrained, and chance: a number alone says little. (After three
# epochs on 600 pictures nothing is to be expected of them.)

# %%
figures = jepa.evaluate(result.folder)
for probe in ("linear", "knn"):
    if probe in figures:
        print(probe, {k: round(v, 3) for k, v in figures[probe].items()})
print("report:", draw(result.folder))

# %% [markdown]
# And the embeddings themselves, for whatever you want to do with them.

# %%
run = jepa.load_run(result.folder)
held_out = run.source("val")
images = held_out.normalize(held_out.read(range(len(held_out))))
print("features of the held-out images:", run.features(images).shape)
