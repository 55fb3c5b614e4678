# %% [markdown]
# # A multilayer perceptron on handwritten digits
# The training loop in full: batches, loss, backward, step. Everything else is this loop with more in it.

# %%
import numpy as np
from sklearn.datasets import load_digits

import minitensor as mt
from minitensor import nn, optim

mt.manual_seed(0)
rng = np.random.default_rng(0)
digits = load_digits()
x = (digits.data / 16).astype(np.float32)  # (1797, 64)
order = rng.permutation(len(x))
train, test = order[:1437], order[1437:]

model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Dropout(0.2), nn.Linear(128, 10))
optimizer = optim.AdamW(model.parameters(), lr=3e-3)
print(model)

# %%
for epoch in range(40):
    model.train()
    for batch in np.array_split(rng.permutation(train), 22):
        logits = model(mt.Tensor(x[batch]))  # (65, 10)
        loss = nn.functional.cross_entropy(logits, mt.Tensor(digits.target[batch]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 10 == 9:
        model.eval()
        with mt.no_grad():
            right = (model(mt.Tensor(x[test])).numpy().argmax(1) == digits.target[test]).mean()
        print(f"epoch {epoch + 1}: loss {loss:.4f}, held out {right:.2%} right")
assert right > 0.96

# %% [markdown]
# What did the first layer look for? The eight rows of weights that the second layer uses most, as 8 x 8 pictures.

# %%
weight = model[0].weight.numpy().reshape(-1, 8, 8)
used = np.abs(model[3].weight.numpy()).sum(0).argsort()[::-1][:8]
for row in range(8):
    print("   ".join("".join(" ░▒▓█"[int(np.clip(2.5 + 5 * v, 0, 4))] * 2 for v in weight[i, row]) for i in used))

# %% [markdown]
# The model, saved and read back: a safetensors file, which other tools read too.

# %%
mt.save("mlp.safetensors", model.state_dict(), {"accuracy": float(right)})
arrays, facts = mt.load("mlp.safetensors")
again = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Dropout(0.2), nn.Linear(128, 10)).eval()
print(again.load_state_dict(arrays), facts)
assert (again(mt.Tensor(x[test])).numpy() == model(mt.Tensor(x[test])).numpy()).all()
