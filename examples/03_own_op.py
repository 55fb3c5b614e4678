# %% [markdown]
# # An op of your own
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
# PyTorch's way works too: a class with `forward` and `backward`, for code that comes from there, and for gradients that
# are not one rule per argument.


# %%
class Swish(mt.Function):
    """The same, as a class."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * mt.sigmoid(x)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * mt.sigmoid(x) * (1 + x * (1 - mt.sigmoid(x)))


mt.gradgradcheck(Swish.apply, x)
assert np.allclose(Swish.apply(x).numpy(), swish(x).numpy())
print("the class computes the same, to second order")

# %% [markdown]
# And composites need no rule at all: plain Python over ops is differentiated by the engine. `x * mt.sigmoid(x)` was a
# swish all along; an op of its own saves memory (one array is kept, not two) and time.

# %%
y = mt.Tensor(np.linspace(-3, 3, 7), requires_grad=True)
print("as an op:  ", mt.viz.graph(swish(y)).vertices[-1].facts)
print("as two ops:", [v.facts for v in mt.viz.graph(y * mt.sigmoid(y)).vertices[1:]])
