# %% [markdown]
# # An op of your own, and the check that finds a wrong rule
# `swish(x) = x σ(x)` has the derivative `σ(x) (1 + x (1 - σ(x)))`. An op is a function on arrays; a rule says, for one
# argument, what becomes of the incoming gradient `g`. The rule's parameter names say what it needs: here the argument
# `x`. Only that is kept until backward.

# %%
import numpy as np

import minitensor as mt
from minitensor.ops.elementwise import sigmoid


@mt.op
def swish(x):
    """y = x / (1 + e⁻ˣ)"""
    return x / (1 + np.exp(-x))


swish.vjp(x=lambda g, x: g * sigmoid(x) * (1 + x * (1 - sigmoid(x))))

# %% [markdown]
# Inside a rule use *ops*, which compute on arrays and record on Tensors: then the gradient has a gradient too. (For the
# GPU the function itself would take `namespace(x).exp` in place of `np.exp`.)

# %%


x = mt.Tensor(np.linspace(-3, 3, 7), requires_grad=True)  # float64, as checks want it
mt.gradcheck(swish, x)
mt.gradgradcheck(swish, x)
print("swish: gradient and second gradient agree with finite differences")

# %% [markdown]
# Now a wrong rule: the factor `1 + ...` forgotten. The check names the argument, the worst entry and its guess.


# %%
@mt.op
def wrong_swish(x):
    """y = x / (1 + e⁻ˣ), with a wrong rule"""
    return x / (1 + np.exp(-x))


wrong_swish.vjp(x=lambda g, x: g * sigmoid(x))
try:
    mt.gradcheck(wrong_swish, x)
except Exception as error:
    print(f"caught: {error}")
else:
    raise AssertionError("the check missed a wrong rule")


# %% and one that is off by a factor of two
@mt.op
def doubled(x):
    """y = x²"""
    return x * x


doubled.vjp(x=lambda g, x: g * (4 * x))
try:
    mt.gradcheck(doubled, x)
except Exception as error:
    print(f"caught: {error}")
else:
    raise AssertionError("the check missed a wrong rule")
