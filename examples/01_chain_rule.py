# %% [markdown]
# # The chain rule by hand, and by minitensor
# A two-layer network small enough to differentiate on paper:
#
#     h = tanh(w x)        y = v h        L = (y - t)²
#
# Backwards, each line hands its gradient to the line before it:
#
#     dL/dy = 2 (y - t)
#     dL/dv = dL/dy · h            dL/dh = dL/dy · v
#     dL/dw = dL/dh · (1 - h²) · x

# %%
import math

import minitensor as mt

x, t = 0.5, 1.0
w, v = 0.8, -1.2

# %% by hand
h = math.tanh(w * x)
y = v * h
loss = (y - t) ** 2

dy = 2 * (y - t)
dv = dy * h
dh = dy * v
dw = dh * (1 - h * h) * x
print(f"by hand:       L = {loss:.6f}   dL/dw = {dw:.6f}   dL/dv = {dv:.6f}")

# %% by minitensor: the same lines forward, and none backward
W = mt.Tensor(w, requires_grad=True)
V = mt.Tensor(v, requires_grad=True)
L = (V * mt.tanh(W * x) - t) ** 2
L.backward()
print(f"by minitensor: L = {L.item():.6f}   dL/dw = {W.grad.item():.6f}   dL/dv = {V.grad.item():.6f}")
assert abs(W.grad.item() - dw) < 1e-6 and abs(V.grad.item() - dv) < 1e-6

# %% [markdown]
# What did `backward` do? `L` remembers the call that made it, that call remembers where its arguments came from, and so
# on; the loop below follows the last one. Each op has one rule per argument; tanh's is `g * (1 - y * y)`: the incoming
# gradient times the slope.

# %%
L = (V * mt.tanh(W * x) - t) ** 2
place = L.source
while hasattr(place, "op"):
    print(f"{place.op.name:>10}: {place.op.__doc__.splitlines()[0]}")
    place = next((p for p in reversed(place.parents) if p is not None), None)

# %% [markdown]
# (`backward` freed that graph as it went, so the walk looked at a fresh one.) Rules are ordinary code over ops, so a
# gradient can be differentiated again: here the second derivative, against the difference of two first ones.

# %%
L = (V * mt.tanh(W * x) - t) ** 2
(first,) = mt.grad(L, W, create_graph=True)
(second,) = mt.grad(first, W)


def slope(w: float) -> float:
    h = math.tanh(w * x)
    return 2 * (v * h - t) * v * (1 - h * h) * x


difference = (slope(w + 1e-5) - slope(w - 1e-5)) / 2e-5
print(f"d²L/dw²: {second.item():.6f} by minitensor, {difference:.6f} by differences")
assert abs(second.item() - difference) < 1e-4

# %% and a fit, to see it fall
for step in range(30):
    L = (V * mt.tanh(W * x) - t) ** 2
    W.grad = V.grad = None
    L.backward()
    with mt.no_grad():
        for p in (W, V):
            p[...] = p - 0.3 * p.grad
    if step % 10 == 0 or step == 29:
        print(f"step {step:2}: L = {L.item():.6f}")
assert L.item() < 1e-3
