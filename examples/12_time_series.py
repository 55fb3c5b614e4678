# %% [markdown]
# # Time series without labels
# A JEPA of series: what belongs together is learned from the series alone, and the labels say afterwards whether it was
# worth something. The data are MNIST-1D, ten digits drawn as lines of 40 samples, shifted, tilted and noisy, so that a
# nearest neighbor by samples finds little. `python examples/12_time_series.py FOLDER` takes your own: .csv files with a
# row for each sample and a column for each channel, in a sub-folder for each class; or NAME_TRAIN.ts of the archives.

# %%
import sys
import tempfile
from pathlib import Path

import jepa
from jepa.evaluation.forecast import measured
from jepa.evaluation.neighbors import knn
from jepa.sources import MNIST1D, Series

given = [Path(word) for word in sys.argv[1:] if Path(word).exists()]  # not what a notebook's kernel is started with
source = Series(given[0], length=200, fit="resample", norm="series") if given else MNIST1D(count=1000)
train, val = source.split("train"), source.split("val")
print(source, *source.remarks, sep="\n")

# %% [markdown]
# ## Two views of a series
# Each series is changed twice, at random: another place in time, another slope, a little noise. Of all views in a batch
# the encoder is to find the one of the same series. What the changes do not touch is what it has to look at.

# %%
encoder = jepa.encoders.CNN1d(source.shape, widths=(32, 64, 128), kernels=(7, 5, 5), strides=(1, 2, 2))
projector = jepa.projectors.MLP(encoder.dim, dim=64, width=128, depth=1)
changes = jepa.transforms.SeriesChanges(detrend=True, roll=0.5, slope=0.5)
model = jepa.JEPA(
    encoder,
    jepa.predictors.Identity(projector.dim, encoder.grid),
    objective=jepa.objectives.NTXent(temperature=0.2),
    target="shared",
    projector=projector,
)
work = Path(tempfile.mkdtemp(prefix="jepa-"))
views = jepa.tasks.MultiView(changes, crop=(1.0, 1.0))
result = jepa.fit(model, source, views, out=work / "views", epochs=5, batch_size=min(100, len(train)), lr=4e-3)

# %% [markdown]
# How well do the ten nearest series tell the class? By their samples, by the embedding, and by that of an encoder that
# has learned nothing. An embedding is the largest of each of its numbers over time: it does not say when.


# %%
def embedded(part, of):
    """Return the features of a part, (n, 128)."""
    x = part.normalize(part.read(range(len(part))))
    return jepa.frozen.frozen(of, lambda x: of.pooled(x, "max"), x)


def samples(part, _):
    """Return the samples of a part in one row each, (n, channels · length); what is missing is 0."""
    return part.raw(part.normalize(part.read(range(len(part)))))


untrained = jepa.encoders.CNN1d(source.shape, encoder.settings)
for name, f, of in (("samples", samples, None), ("untrained", embedded, untrained), ("trained", embedded, encoder)):
    share = knn(f(train, of), train.labels, f(val, of), val.labels, k=10)
    print(f"nearest by {name:10}{share:6.1%} right")

# %% [markdown]
# ## The end from the beginning
# The same series as a task of places: a transformer is given the first part, and a recurrent predictor goes on from
# step to step to the embeddings of the rest.

# %%
vit = jepa.encoders.ViT(source.shape, patch=source.shape[1] // 10, dim=32, depth=2, heads=4)
ahead = jepa.JEPA(
    vit,
    jepa.predictors.Recurrent(vit.dim, vit.grid, width=64),
    objective=jepa.objectives.InfoNCE(temperature=0.1),
)
suffix = jepa.tasks.Masked(masks="suffix", ratio=(0.3, 0.5), min_keep=3)
result = jepa.fit(ahead, source, suffix, out=work / "suffix", epochs=3, batch_size=min(100, len(train)), lr=2e-3)
print(f"{result.steps} steps, loss {result.loss:.2f}")

# %% [markdown]
# Is what comes next in the features? A ridge regression reads the last quarter of the samples out of those of the rest,
# beside the samples themselves and beside saying the last value again. (After three epochs not much is to be expected.)

# %%
errors = measured(jepa.load_run(work / "suffix"), None)["mse"]["all"]
print("squared error of a forecast:", {row: round(error, 3) for row, error in errors.items()})
print(f"the rest: python -m jepa eval {work / 'suffix'}, and plot")
