# %% [markdown]
# # Words by the company they keep
# A JEPA of texts. Each text's words are divided into two halves at random; the mean vector of one half is to find that
# of the other among all texts of a batch. As no word is in both halves, a vector can only learn what its word goes
# along with (Firth 1957: "You shall know a word by the company it keeps"). The texts here are those that Python brings
# along: the first paragraph of each docstring of ten modules. `python examples/14_text.py FILE.csv` takes a table of
# yours, with a column text and one label.

# %%
import importlib
import inspect
import json
import sys
import tempfile
from pathlib import Path

import numpy as np

import jepa
from jepa.evaluation.neighbors import nearest
from jepa.sources import Text

MODULES = "argparse asyncio datetime decimal email.message ipaddress logging pathlib statistics unittest".split()


def docstrings(module):
    """Yield the first paragraph of what the functions, classes and methods of a module say of themselves."""
    for _, thing in inspect.getmembers(importlib.import_module(module)):
        for _, part in [("", thing), *(inspect.getmembers(thing) if inspect.isclass(thing) else [])]:
            text = (inspect.getdoc(part) or "").split("\n\n")[0] if callable(part) else ""
            if len(text.split()) >= 5:
                yield " ".join(text.split())


work = Path(tempfile.mkdtemp(prefix="jepa-"))
if len(sys.argv) > 1 and Path(sys.argv[1]).is_file():  # not what a notebook's kernel is started with
    path = Path(sys.argv[1])
else:
    path, seen = work / "docstrings.jsonl", {}
    for module in MODULES:
        for text in docstrings(module):
            seen.setdefault(text, module)  # what many classes inherit is said once
    path.write_text("\n".join(json.dumps({"text": text, "label": module}) for text, module in seen.items()))

# %% [markdown]
# A source counts the words of the texts to learn from. The commonest have a vector each; the others share some.

# %%
source = Text(path, words=2000, buckets=64, validation=0.2)
train, val = source.split("train"), source.split("val")
print(source, "such as", train.shown(train.read([0])[0])[:8], sep="\n")

# %%
encoder = jepa.encoders.Bag(source.shape, symbols=source.symbols, dim=128, std=0.01)
model = jepa.JEPA(
    encoder,
    jepa.predictors.Identity(encoder.dim, encoder.grid),
    objective=jepa.objectives.NTXent(temperature=0.2),
    target="shared",
)
settings = {"epochs": 20, "batch_size": 64, "lr": 1e-2, "weight_decay": 0.1}
result = jepa.fit(model, source, jepa.tasks.Halves(), out=work / "run", **settings)

# %% [markdown]
# Which module a text is from was never said. How much of it can be read out of the mean vectors, beside those that have
# learned nothing, and beside counting words?

# %%
figures = jepa.evaluate(result.folder)
for row in ("jepa", "random", "chance"):
    print(f"{row:<8}{100 * figures['linear'][row]:5.1f} % linear, {100 * figures['knn'][row]:5.1f} % by neighbors")
for method, accuracy in figures.get("methods", {}).items():
    print(f"{method:<8}{100 * accuracy:5.1f} %")

# %% [markdown]
# And the words themselves: which have vectors that point the same way?

# %%
words = source.vocabulary.common[:600]
vectors = encoder.table.weight.numpy()[[source.vocabulary.token(word) for word in words]]
for word in [w for w in ("date", "test", "file", "event", "mean") if w in words] or words[50:55]:
    found, cosines = nearest(vectors[[words.index(word)]], vectors, 6)
    alike = ", ".join(f"{words[k]} {c:.2f}" for k, c in zip(found[0][1:], cosines[0][1:], strict=True))
    print(f"{word:>8}: {alike}")
assert np.isfinite(vectors).all()
