# %% [markdown]
# # A recurrent network that writes like the Zen of Python
# A GRU reads a text one character at a time and predicts the next one. Its state is all that it remembers:
#
#     r = σ(W_r x + U_r h)      z = σ(W_z x + U_z h)      n = tanh(W_n x + r ⊙ U_n h)      h ← (1 - z) ⊙ n + z ⊙ h
#
# (each with its biases). The text is the one that `import this` prints: 856 characters.

# %%
import codecs
import contextlib
import io
import time

import numpy as np

import minitensor as mt
from minitensor import nn, optim

with contextlib.redirect_stdout(io.StringIO()):
    import this
text = codecs.decode(this.s, "rot13")
letters = sorted(set(text))
codes = np.array([letters.index(c) for c in text])
print(f"{len(text)} characters, {len(letters)} different ones")

mt.manual_seed(0)
rng = np.random.default_rng(0)


class Writer(nn.Layer):
    """Characters (n, t) and a state -> logits of the next ones (n, t, letters), and the state afterwards."""

    def __init__(self, count, width=128):
        self.embed = nn.Embedding(count, 32)
        self.gru = nn.GRU(32, width, batch_first=True)
        self.head = nn.Linear(width, count)

    def forward(self, characters, state=None):
        h, state = self.gru(self.embed(characters), state)
        return self.head(h), state


model = Writer(len(letters))
optimizer = optim.AdamW(model.parameters(), lr=5e-3)


# %% [markdown]
# Training: pieces of 48 characters from anywhere in the text. Backward runs through all 48 steps (backpropagation
# through time), and long products of slopes may explode, so the gradient's norm is clipped.


# %%
def write(start, count, temperature):
    """Let the model go on from a start, drawing each character from what it predicts."""
    with mt.no_grad():
        logits, state = model(mt.Tensor([[letters.index(c) for c in start]]))
        for _ in range(count):
            p = mt.softmax(logits[0, -1] / temperature).numpy().astype(float)
            start += letters[rng.choice(len(letters), p=p / p.sum())]
            logits, state = model(mt.Tensor([[letters.index(start[-1])]]), state)
    return start


LENGTH, BATCH = 48, 32
began = time.time()
for step in range(400):
    starts = rng.integers(0, len(codes) - LENGTH - 1, BATCH)
    pieces = codes[starts[:, None] + np.arange(LENGTH + 1)]  # (32, 49)
    logits, _ = model(mt.Tensor(pieces[:, :-1]))
    loss = nn.functional.cross_entropy(logits.reshape(-1, len(letters)), mt.Tensor(pieces[:, 1:].reshape(-1)))
    optimizer.zero_grad()
    loss.backward()
    optim.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    if step in (0, 50, 100, 200, 399):
        print(f"\nstep {step}, {time.time() - began:.0f} s: {loss.item() / np.log(2):.2f} bits a character")
        print("   ", write("Beautiful", 80, 0.7).replace("\n", "\n    "))
assert loss.item() < 0.5, "by now it knows the text nearly by heart"
