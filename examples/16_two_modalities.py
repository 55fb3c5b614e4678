# %% [markdown]
# # Images and what is said of them
# A JEPA of two kinds of data at once: an encoder for images, one for sentences, and of each pair the embedding of the
# one is predicted from that of the other. Nobody says what "red" or "top" means. Afterwards a sentence finds images.

# %%
import tempfile

import numpy as np

import jepa
import minitensor as mt
from jepa.encoders.pair import Pair
from jepa.frozen import frozen
from jepa.sources.captions import ShapesCaptions
from jepa.tasks.paired import Paired

source = ShapesCaptions(tempfile.mkdtemp(prefix="jepa-") + "/set", count=1500, size=16)
captions = source.sides["second"]
print("an example:", {name: shape for name, shape in source.shape.items()})
print("its caption:", " ".join(captions.shown(source.read([7])["second"][0])))

# %% [markdown]
# ## One learner, two encoders
# `Pair` puts the places of both arrays into one row: 4 x 4 of an image and 8 words. To keep the places of one array is
# to see that array alone. So the task is the one of masked places, with two contexts: all of the image, all of the
# caption. The target is "shared": each encoder predicts, and is predicted. InfoNCE makes a caption tell its own image
# from the others of a batch, and keeps both from collapsing.

# %%
mt.manual_seed(0)
halves = {"first": "cnn widths=[16,32,64]", "second": "words dim=64 depth=1 heads=4 symbols=320", "dim": 64}
encoder = Pair(source.shape, **halves)
predictor = jepa.predictors.Identity(encoder.dim, encoder.grid)
model = jepa.JEPA(encoder, predictor, objective=jepa.objectives.InfoNCE(0.1), target="shared")
jepa.fit(model, source, Paired(), out=None, epochs=8, batch_size=64, lr=0.003, quiet=True)

# %% [markdown]
# ## A sentence finds images
# The held-out images, and sentences, each encoded alone: what is not kept has no influence, so that the image beside a
# sentence may be anything.

# %%
val = source.split("val")
x = val.normalize(val.read(range(len(val))))
said = [" ".join(captions.shown(row)) for row in x["second"]]


def unit(z):
    """Return rows of length 1."""
    return z / np.linalg.norm(z, axis=1, keepdims=True)


def encoded(texts):
    """Return the embeddings of sentences, (n, d)."""
    words = np.full((len(texts), 1, 8), np.nan, np.float32)
    for row, text in zip(words, texts, strict=True):
        tokens = [captions.vocabulary.token(word) for word in text.split()]
        row[0, : len(tokens)] = tokens
    blank = np.zeros((len(texts), *source.shape["first"]), np.float32)
    return unit(frozen(encoder, lambda x: encoder.alone(x, "second"), {"first": blank, "second": words}))


images = unit(frozen(encoder, lambda x: encoder.alone(x, "first"), x))
for text in ("a small red shape at the top left", "a small red shape at the bottom right", "a large blue shape"):
    nearest = np.argsort(-encoded([text]) @ images.T)[0, :3]
    print(f"\n{text}\n  ->", "\n     ".join(said[k] for k in nearest))

# %% [markdown]
# ## What a word has come to mean
# For every held-out caption the first image that it finds: how often is the word right, and how often by chance? Colors
# are learned at once; how large is large takes longer.

# %%
best = np.argmax(encoded(said) @ images.T, axis=1)
for name, place in {"size": 1, "color": 2, "row": 6, "column": 7}.items():
    words = np.array([text.split()[place] for text in said])
    chance = np.mean(words[:, None] == words)
    print(f"{name:<7} {100 * np.mean(words[best] == words):5.1f} %   by chance {100 * chance:.1f} %")
