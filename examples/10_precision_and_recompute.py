# %% [markdown]
# # Memory and precision: recomputation, half precision, loss scaling
# Training keeps what backward needs. Two ways to keep less: compute it again (`mt.checkpoint`), or keep it in half the
# bytes (`mt.autocast`, on a GPU).

# %%
import gc
import tracemalloc

import numpy as np

import minitensor as mt
from minitensor import nn, optim

mt.manual_seed(0)
WIDTH, BLOCKS, BATCH = 256, 12, 512
blocks = [
    nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Dropout(0.1), nn.Linear(4 * WIDTH, WIDTH))
    for _ in range(BLOCKS)
]
model = nn.LayerList(blocks)
x = mt.randn(BATCH, WIDTH)


def run(block):
    """One forward and backward through all blocks; returns the loss, a gradient and the peak memory in MB."""
    mt.manual_seed(1)  # the same dropout both times
    model.zero_grad()
    gc.collect()
    tracemalloc.start()
    h = x
    for b in model:
        h = h + block(b, h)
    loss = (h * h).mean()
    loss.backward()
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return loss.item(), blocks[0][0].weight.grad.numpy().copy(), peak


plain = run(lambda b, h: b(h))
recomputed = run(mt.checkpoint)
print(f"kept:       loss {plain[0]:.6f}, peak {plain[2]:6.1f} MB")
print(f"recomputed: loss {recomputed[0]:.6f}, peak {recomputed[2]:6.1f} MB")
assert plain[0] == recomputed[0] and np.array_equal(plain[1], recomputed[1]), "the same numbers, bit by bit"
assert recomputed[2] < 0.5 * plain[2]

# %% [markdown]
# The gradients are the same to the last bit, dropout included: the second run draws the same numbers.
#
# **Half precision.** float16 has 11 bits of mantissa and ends at 65504; numbers below 6e-8 are 0. Three things follow.

# %%
half = mt.Tensor(np.array([1.0, 1000.0, 60000.0], np.float16))
print("1 + 0.0004 =", (half[:1] + 0.0004).item(), "  60000 + 60000 =", (half[2:] + half[2:]).item())
print("a mean over halves is computed in float32:", mt.Tensor(np.full(1000, 1000, np.float16)).mean().item())

# %% [markdown]
# So autocast computes only matrix products in half precision, keeps the weights in float32, and the loss is scaled up
# before backward, lest small gradients vanish. `GradScaler` finds the scale: it halves after an infinite gradient,
# whose step is left out, and doubles after many good ones. (On the CPU half precision is only storage: autocast says so
# once and computes in float32, and this loop runs all the same.)

# %%
try:
    mt.zeros((1,), device="cuda")
    device = "cuda"
except mt.errors.DeviceError as error:
    device = "cpu"
    print("no GPU:", error)
net = nn.Sequential(nn.Linear(2, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1)).to(device)
points = mt.randn(256, 2).to(device)
target = mt.sin(3 * points[:, :1]) * points[:, 1:]
optimizer, scaler = optim.Adam(net.parameters(), lr=1e-2), optim.GradScaler(init_scale=2.0**40)
skipped = 0
for step in range(400):
    optimizer.zero_grad()
    with mt.autocast("float16"):
        loss = nn.functional.mse_loss(net(points), target)
    scaler.scale(loss).backward()
    skipped += not scaler.step(optimizer)
    scaler.update()
    if step % 100 == 99:
        print(f"step {step + 1}: loss {loss.item():.5f}, scale 2^{np.log2(scaler.get_scale()):.0f}, {skipped} skipped")
assert loss.item() < 0.02
