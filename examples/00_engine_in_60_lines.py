# %% [markdown]
# # An autograd engine in 60 lines
# A program that computes a number is a graph: every call has arguments, and earlier calls made them. An autograd engine
# writes the graph down while the program runs. Then it walks back from the number to the beginning, and multiplies
# slopes on the way: the chain rule.
#
# Here is a whole engine in plain NumPy, with a network that learns by it. The loop and the names are those of
# `minitensor/engine.py`.

# %%
from heapq import heappop, heappush
from itertools import chain, count, pairwise

import numpy as np

serial = count()


class Tensor:
    """An array and the call that made it: a Node, or None for a leaf, whose gradient is wanted."""

    def __init__(self, data, node=None):
        self.data, self.node, self.grad = data, node, None


class Node:
    """One recorded call: its gradient rules, what they need, where its arguments came from, and its number."""

    def __init__(self, rules, saved, parents):
        self.rules, self.saved, self.parents, self.serial = rules, saved, parents, next(serial)


# %% [markdown]
# An op is a function on arrays with one gradient rule for each argument. A rule gets `g`, the gradient of the result,
# the result `y`, and the arrays of the call; it returns the gradient of its argument: `g` times the slope.


# %%
def op(forward, *rules):
    """Return a function that computes on arrays, and leaves a Node behind."""

    def call(*args):
        arrays = [a.data if isinstance(a, Tensor) else a for a in args]
        parents = [a.node or a if isinstance(a, Tensor) else None for a in args]  # None: a constant
        y = forward(*arrays)
        return Tensor(y, Node(rules, (y, *arrays), parents))

    return call


add = op(np.add, lambda g, y, a, b: g, lambda g, y, a, b: g)
multiply = op(np.multiply, lambda g, y, a, b: g * b, lambda g, y, a, b: g * a)
matmul = op(np.matmul, lambda g, y, a, b: g @ b.T, lambda g, y, a, b: a.T @ g)
tanh = op(np.tanh, lambda g, y, x: g * (1 - y * y))
softplus = op(lambda x: np.logaddexp(0, x), lambda g, y, x: g * (1 - np.exp(-y)))  # log(1 + eˣ)
mean = op(np.mean, lambda g, y, x: np.full(x.shape, g / x.size))


def unbroadcast(g, shape):
    """Sum a gradient over the leading axes along which its argument was repeated."""
    return g.reshape(-1, *shape).sum(axis=0)


# %% [markdown]
# Now the loop. `waiting` is a heap of the calls that have a gradient and have not run their rules yet; `pending` holds
# the gradient of each. A result that was used twice gets two gradients, which add up. The newest call in the heap has
# all of its gradient: calls that used its result are newer, so their rules ran before.


# %%
def backward(y):
    """Add dy/dleaf to the `.grad` of every leaf that the number y depends on."""
    pending, waiting = {}, []

    def deliver(place, g):
        if isinstance(place, Tensor):
            place.grad = g if place.grad is None else place.grad + g
        elif place in pending:
            pending[place] = pending[place] + g
        else:
            pending[place] = g
            heappush(waiting, (-place.serial, place))

    deliver(y.node, np.ones_like(y.data))
    while waiting:
        _, node = heappop(waiting)
        g = pending.pop(node)
        for parent, rule, array in zip(node.parents, node.rules, node.saved[1:], strict=True):
            if parent is not None:
                deliver(parent, unbroadcast(rule(g, *node.saved), array.shape))


# %% [markdown]
# Two spirals, one inside the other, which no straight line divides. The network gives each point a number z, to be
# positive on one arm (t = 1) and negative on the other (t = -1). The loss log(1 + exp(-t z)) is their cross-entropy.

# %%
rng = np.random.default_rng(0)
radius = np.linspace(0.25, 1.5, 100)
arm = radius[:, None] * np.stack([np.cos(2 * np.pi * radius), np.sin(2 * np.pi * radius)], axis=1)
points = np.concatenate([arm, -arm]) + rng.normal(scale=0.03, size=(200, 2))
t = np.repeat([[1.0], [-1.0]], 100, axis=0)

sizes = pairwise([2, 32, 32, 1])
layers = [(Tensor(rng.normal(scale=n**-0.5, size=(n, m))), Tensor(np.zeros(m))) for n, m in sizes]


def network(x):
    """Return z for each point: affine maps, with tanh between them."""
    for i, (w, b) in enumerate(layers):
        x = add(matmul(tanh(x) if i else x, w), b)
    return x


for step in range(2001):
    loss = mean(softplus(multiply(network(points), -t)))
    backward(loss)
    for p in chain(*layers):
        p.data, p.grad = p.data - 0.5 * p.grad, None
    if step % 400 == 0:
        print(f"step {step:4}: loss {loss.data:.4f}")

# %% [markdown]
# Those were 60 lines of code. What has the network learned? Its sign on the plane, and the points of one arm:

# %%
print(f"{np.mean(network(points).data * t > 0):.0%} of the points are on their side")
xs, ys = np.linspace(-1.6, 1.6, 65), np.linspace(1.6, -1.6, 29)
plane = network(np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2)).data.reshape(29, 65)
picture = np.where(plane > 0, ".", " ")
picture[np.abs(ys - points[:100, 1:]).argmin(axis=1), np.abs(xs - points[:100, :1]).argmin(axis=1)] = "o"
print("\n".join(map("".join, picture)))

# %% [markdown]
# Are the gradients right? `minitensor` computes the same from the same weights, in 64 bits.

# %%
import minitensor as mt

backward(mean(softplus(multiply(network(points), -t))))
x, theirs = mt.Tensor(points), []
for i, layer in enumerate(layers):
    w, b = (mt.Tensor(p.data, requires_grad=True) for p in layer)
    x = (mt.tanh(x) if i else x) @ w + b
    theirs += [w, b]
mt.nn.functional.softplus(x * -t).mean().backward()
largest = max(np.abs(p.grad).max() for p in chain(*layers))
off = max(np.abs(p.grad - q.grad.numpy()).max() for p, q in zip(chain(*layers), theirs, strict=True))
print(f"the gradients differ from minitensor's by {off / largest:.0e} of the largest")
assert off < 1e-12 * largest

# %% [markdown]
# `minitensor` is this program, grown up. It frees what it no longer needs, notices when a saved array was changed, runs
# rules on Tensors too, so that a gradient has a gradient, and puts kernels in the place of whole formulas. Where its
# parts are:

# %%
import re
from pathlib import Path

PARTS = {
    "Tensor": ("graph.py", "class Variable"),
    "x @ w + b": ("tensor.py", "class Tensor"),
    "Node": ("graph.py", "class Node"),
    "op": ("op.py", "class Op"),
    "what is saved": ("rules.py", "class Plan"),
    "add, multiply": ("ops/elementwise/arithmetic.py", "def add"),
    "matmul": ("ops/linalg/matmul.py", "def matmul"),
    "tanh": ("ops/elementwise/hyperbolic.py", "def tanh"),
    "softplus": ("ops/nn/activation.py", "def softplus"),
    "mean": ("ops/reductions/reduce.py", "def mean"),
    "unbroadcast": ("engine.py", "def unbroadcast"),
    "backward": ("engine.py", "class Sweep"),
    "network": ("nn/linear.py", "class Linear"),
    "the update": ("optim/sgd.py", "class SGD"),
    "the check": ("gradcheck.py", "def gradcheck"),
}
for part, (file, name) in PARTS.items():
    lines = (Path(mt.__file__).parent / file).read_text("utf-8").splitlines()
    line = next(i for i, text in enumerate(lines, 1) if re.match(rf"{name}\b", text))
    print(f"{part:>13} is minitensor/{file}:{line}, {name}")
