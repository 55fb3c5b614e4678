# %% [markdown]
# # Checking a gradient, and catching a wrong one
# A gradient rule can be wrong in ways that training hides: a network learns with gradients that are 10 % off, only
# worse. So every rule is held against the definition, the central difference
#
#     df/dx_j ≈ (f(x + h e_j) - f(x - h e_j)) / 2h        with h about 1e-6, in float64
#
# By hand first, for a function with a known answer.

# %%
import numpy as np

import minitensor as mt
from minitensor.ops.elementwise import exp

x = np.array([0.3, -0.7, 1.2])
f = lambda t: (mt.sin(t) * t).sum()  # noqa: E731
leaf = mt.Tensor(x, requires_grad=True)
f(leaf).backward()
for h in (1e-1, 1e-3, 1e-6, 1e-9, 1e-12):
    steps = h * np.eye(3)
    difference = [(f(mt.Tensor(x + s)).item() - f(mt.Tensor(x - s)).item()) / (2 * h) for s in steps]
    print(f"h = {h:.0e}: off by {np.abs(difference - leaf.grad.numpy()).max():.1e}")

# %% [markdown]
# Too large a step misses the curvature (the error falls as h²), too small a one drowns in rounding (it grows as 1/h).
# `mt.gradcheck` does this for every entry of every argument, at the step between, and says what it thinks is wrong.


# %%
def rule(wrong):
    """Return an op y = a² eᵇ whose rule for `a` is made wrong by a function."""

    @mt.op
    def product(a, b):
        """y = a² eᵇ"""
        return a * a * exp(b)

    product.vjp(a=lambda g, a, b: wrong(g * 2 * a * exp(b), a), b=lambda g, y: g * y)
    return product


a, b = np.array([[0.5, -1.0], [2.0, 0.1]]), np.array([[0.2, 0.3], [-0.4, 1.0]])
mt.gradcheck(rule(lambda g, a: g), a, b)
mt.gradgradcheck(rule(lambda g, a: g), a, b)
print("\nthe right rule passes, at first and second order\n")
mistakes = {
    "a factor of two": lambda g, a: 0.5 * g,
    "the sign": lambda g, a: -g,
    "one thousandth too large": lambda g, a: 1.001 * g,
    "transposed": lambda g, a: g.T,
    "the chain rule forgotten": lambda g, a: 1 + 0 * g,
    "right in three entries of four": lambda g, a: g * np.array([[1, 1], [1, 0]]),
}
for name, wrong in mistakes.items():
    try:
        mt.gradcheck(rule(wrong), a, b)
    except mt.GradcheckError as error:
        print(f"{name}:\n    {str(error).splitlines()[0]}")
    else:
        raise AssertionError(f"the check missed: {name}")

# %% [markdown]
# Where a function has a kink there is no derivative, and the check complains rightly: relu at exactly 0. Check beside
# kinks, and decide by hand what happens at them (here: 0, as in PyTorch).

# %%
mt.gradcheck(mt.relu, np.array([-0.5, 0.5]))
try:
    mt.gradcheck(mt.relu, np.array([0.0, 0.5]))
except mt.GradcheckError as error:
    print(f"\nrelu at 0:\n    {str(error).splitlines()[0]}")

# %% [markdown]
# A rule may be right and still break at second order, if it computes outside the graph: here with a constant where the
# argument should be. The first gradient cannot tell; `gradgradcheck` can.


# %%
@mt.op
def cube(x):
    """y = x³"""
    return x * x * x


cube.vjp(x=lambda g, x: g * (3 * (x.detach() if isinstance(x, mt.Tensor) else x) ** 2))  # detach(): the graph is cut
x = np.array([0.5, -1.5])
mt.gradcheck(cube, x)
try:
    mt.gradgradcheck(cube, x)
except mt.GradcheckError as error:
    print(f"\nsecond order:\n    {str(error).splitlines()[0]}")
else:
    raise AssertionError("the check missed a cut graph")
