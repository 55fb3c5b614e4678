# %% [markdown]
# # A small transformer that sorts
# Input: eight digits in any order. Output, at each place: the digit that stands there after sorting. No place can
# answer alone, so each has to look at all others: attention.

# %%
import time

import matplotlib.pyplot as plt
import numpy as np

import minitensor as mt
from minitensor import nn, optim

mt.manual_seed(0)
rng = np.random.default_rng(0)
LENGTH, WIDTH = 8, 64


class Sorter(nn.Layer):
    """Digits (n, 8) -> logits (n, 8, 10)."""

    def __init__(self):
        self.digit = nn.Embedding(10, WIDTH)
        self.place = nn.Embedding(LENGTH, WIDTH)
        layer = nn.TransformerEncoderLayer(WIDTH, nhead=4, dim_feedforward=128, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, num_layers=2)
        self.head = nn.Linear(WIDTH, 10)

    def forward(self, digits):
        x = self.digit(digits) + self.place(mt.arange(LENGTH))  # (n, 8, 64)
        return self.head(self.encoder(x))


model = Sorter()
print(model)
optimizer = optim.AdamW(optim.decay_groups(model, 0.01))

# %% [markdown]
# There are 10⁸ inputs, so training never sees one twice and needs no test set of its own. A warm-up matters: attention
# that is pushed too hard at first does not recover.

# %%
STEPS, began = 500, time.time()
for step in range(STEPS):
    digits = rng.integers(0, 10, (128, LENGTH))
    lr = optim.schedule.warmup(
        step, lambda t: optim.schedule.cosine(t, start=3e-3, end=0.0, steps=STEPS - 50), steps=50
    )
    for group in optimizer.param_groups:
        group["lr"] = lr
    logits = model(mt.Tensor(digits))
    wanted = np.sort(digits, axis=1)
    loss = nn.functional.cross_entropy(logits.reshape(-1, 10), mt.Tensor(wanted.reshape(-1)))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 100 == 99:
        right = (logits.numpy().argmax(-1) == wanted).all(1).mean()
        print(f"step {step + 1}, {time.time() - began:.0f} s: loss {loss:.4f}, {right:.0%} of the rows sorted")

# %%
model.eval()
digits = rng.integers(0, 10, (1000, LENGTH))
with mt.no_grad():
    said = model(mt.Tensor(digits)).numpy().argmax(-1)
right = (said == np.sort(digits, axis=1)).all(1).mean()
print(f"of 1000 new rows {right:.1%} are sorted; for instance {digits[0]} -> {said[0]}")
assert right > 0.9

# %% [markdown]
# Who looks at whom? The attention of the last layer, averaged over its heads: each line is a place of the sorted row,
# each column a digit of the input. As text for one row, as a picture for four.


# %%
def attention(rows):
    """Return how much each place looks at each digit: rows (n, 8) -> (n, 8, 8)."""
    with mt.no_grad():
        x = model.digit(mt.Tensor(rows)) + model.place(mt.arange(LENGTH))
        x = model.encoder.layers[0](x)
        return model.encoder.layers[1].self_attn(x, x, x)[1].numpy()


weights = attention(digits[:4])
print("             input " + "  ".join(map(str, digits[0])))
for place, line in enumerate(weights[0]):
    print(
        f"sorted [{place}] = {said[0][place]}:       " + " ".join(" ░▒▓█"[int(4.99 * w / line.max())] * 2 for w in line)
    )

figure, axes = plt.subplots(1, 4, figsize=(9.6, 3.0), layout="constrained")
for axis, row, weight in zip(axes, digits, weights, strict=False):
    axis.imshow(weight, cmap="Blues", vmin=0)
    axis.set_xticks(range(LENGTH), row)
    axis.set_yticks(range(LENGTH), np.sort(row))
    axis.xaxis.tick_top()
figure.supxlabel("digits of the row, as given")
figure.supylabel("sorted row")
figure.savefig("attention.png", dpi=100)
print("written: attention.png")
