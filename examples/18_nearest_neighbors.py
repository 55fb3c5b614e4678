# %% [markdown]
# # What a JEPA takes for alike
# Two images are alike to an encoder if their embeddings point the same way. So ask it: which training images come
# nearest to a held-out one? Beside them the nearest by raw pixels. `python examples/18_nearest_neighbors.py runs/demo`
# asks the demo's encoder; without a run a small one is trained first, for seconds, and has not learned much.

# %%
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import jepa
from jepa.evaluation.neighbors import nearest
from jepa.sources import shapes

if len(sys.argv) > 1 and Path(sys.argv[1]).is_dir():  # not what a notebook's kernel is started with
    folder = Path(sys.argv[1])
else:
    work = Path(tempfile.mkdtemp(prefix="jepa-"))
    shapes.write(work / "shapes", count=600, size=32, seed=0)
    changes = [f"source={work / 'shapes'}", "train.epochs=2", "train.batch_size=64", "encoder.widths=[16,32,64]"]
    folder = jepa.train(jepa.load_config("demo", overrides=changes), out=work / "run").folder
run = jepa.load_run(folder)

# %% [markdown]
# The held-out images and the training images, as both sides see them: embeddings, and all pixels in one row.


# %%
def seen(split):
    """Return the images of a part, their labels, their embeddings (n, d), and their pixels (n, 3 · height · width)."""
    source = run.source(split)
    images = source.read(range(len(source)))  # (n, 3, height, width)
    x = source.normalize(images)
    return images, np.asarray(source.labels), run.features(x), x.reshape(len(x), -1)


COUNT = 6
images, labels, *queries = seen("val")
bank, bank_labels, *rows = seen("train")
sides = {}
for name, query, among in zip(("by embedding", "by pixels"), queries, rows, strict=True):
    neighbors, _ = nearest(query, among, COUNT)  # (n, 6), by the cosine
    share = (bank_labels[neighbors] == labels[:, None]).mean()
    sides[f"nearest {name}: {share:.0%} are of the same class"] = neighbors
print("\n".join(sides))

# %% [markdown]
# The picture shows the first held-out image of each class, however well it goes. Neighbors of its class are underlined.
# The pixels find the same background. The demo's embedding has let go of color, by which no target could be predicted,
# and finds the same size, place and turn, and often the same shape.

# %%
asked = [int(np.flatnonzero(labels == label)[0]) for label in np.unique(labels)]
figure = plt.figure(figsize=(9.6, 0.62 * len(asked) + 0.4), layout="constrained")
for part, (title, neighbors) in zip(figure.subfigures(1, 2, width_ratios=[8.2, 7]), sides.items(), strict=True):
    first = part is figure.subfigs[0]
    part.suptitle(title, x=0.58 if first else 0.5, fontsize=10)
    grid = part.subplots(len(asked), COUNT + 2 * first, width_ratios=[1, 0.2][: 2 * first] + [1] * COUNT)
    for axes in grid.flat:
        axes.axis("off")
    for row, i in zip(grid, asked, strict=True):
        if first:
            row[0].imshow(images[i].transpose(1, 2, 0))
        for axes, j in zip(row[2 * first :], neighbors[i], strict=True):
            axes.imshow(bank[j].transpose(1, 2, 0))
            if bank_labels[j] == labels[i]:
                axes.plot([0, 31], [34, 34], color="#0072B2", linewidth=3, clip_on=False)
figure.savefig("neighbors.jpg", dpi=100, pil_kwargs={"quality": 80})
print("written: neighbors.jpg")
