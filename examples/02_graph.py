# %% [markdown]
# # The computation graph, drawn
# Every call on Tensors that require a gradient leaves a node behind: what ran, where its arguments came from, and the
# arrays that its gradient rule needs. `mt.viz.graph` shows it.

# %%
import minitensor as mt
from minitensor import nn

x = mt.Tensor([[1.0, -2.0], [3.0, 0.5]], requires_grad=True)
w = mt.Tensor([[0.5, 1.0], [-1.0, 2.0]], requires_grad=True)
b = mt.Tensor([0.1, -0.2], requires_grad=True)


def f(x):
    return (mt.tanh(x @ w + b) ** 2).sum()


# %% [markdown]
# With `values=True` every node shows its value and the gradient of the result with respect to it. Read it from the
# bottom: the gradient of the sum is 1, each entry of the square gets 1, tanh gets 2 times its value, and so on up to
# the leaves, where gradients end.

# %%
graph = mt.viz.graph(f, x, names={"x": x, "w": w, "b": b}, values=True)
print(graph)
print("written:", graph.save("graph.svg"))
graph  # a notebook shows the picture here

# %% [markdown]
# What is *saved* is what backward needs and nothing else: tanh keeps its result, add keeps nothing. So the memory of a
# network's training can be read off its graph. Backward frees it as it goes:

# %%
y = f(x)
y.backward()
print(mt.viz.graph(y, names={"x": x, "w": w, "b": b}))
try:
    y.backward()
except mt.errors.GradientError as error:
    print("a second time:", error)

# %% [markdown]
# A small convolutional network. `conv2d`, `batch_norm` and `linear` are composites, plain Python over ops. Here a
# hand-written kernel ran in place of each, and left one node. Without kernels the nodes of the plain Python show.

# %%
model = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 2))
images = mt.randn(2, 1, 4, 4)
print(mt.viz.graph(model(images).sum(), names=model.named_parameters()))
with mt.unfused():
    plain = mt.viz.graph(model(images).sum(), names=model.named_parameters())
print(f"without kernels: {len(plain.vertices)} nodes instead")
plain
