# %% [markdown]
# # Second derivatives: the curvature of a real loss
# A gradient rule is code over ops, so a gradient can be differentiated again. Here that answers a practical question
# about a small network on handwritten digits: how large may the learning rate be?
#
# Near a minimum the loss is L + ½ dᵀ H d. Gradient descent along an eigenvector of the Hessian H multiplies the error
# by 1 - lr λ each step, so it diverges as soon as lr > 2 / λmax. H has 640² entries here, and for a real network far
# too many; but H v costs no more than two gradients (Pearlmutter 1994), and the power iteration needs nothing else.

# %%
import numpy as np
from sklearn.datasets import load_digits

import minitensor as mt

rng = np.random.default_rng(0)
digits = load_digits()
x = mt.Tensor(digits.data / 16)  # (1797, 64), float64
labels = mt.Tensor(digits.target)


def loss(w):
    """Cross-entropy of a linear classifier with weights (64, 10), and a little decay."""
    return mt.nn.functional.cross_entropy(x @ w, labels) + 0.01 * (w * w).sum()


# %% the eigenvector of the largest eigenvalue, by H v alone
w = mt.Tensor(np.zeros((64, 10)))
v = mt.Tensor(rng.standard_normal((64, 10)))
for i in range(30):
    v = v / mt.sqrt((v * v).sum())
    _, hv = mt.hvp(loss, w, v)
    curvature = (v * hv).sum().item()
    if i % 10 == 9:
        print(f"power iteration {i + 1}: largest curvature {curvature:.4f}")
    v = hv
limit = 2 / curvature
print(f"so gradient descent is stable up to lr = 2 / {curvature:.4f} = {limit:.3f}")

# %% [markdown]
# Is it? The loss is not quadratic and the curvature changes along the way, but it falls here as the classifier grows
# confident, so the limit at the start is on the safe side; twice as much is not.

# %%
for factor in (0.5, 0.95, 2.0, 8.0):
    w = mt.Tensor(np.zeros((64, 10)), requires_grad=True)
    for _ in range(60):
        value = loss(w)
        (g,) = mt.grad(value, w)
        w = (w.detach() - factor * limit * g).requires_grad_()
    print(f"lr = {factor:4} x the limit: loss after 60 steps {loss(w).item():8.4f}")

# %% [markdown]
# For a small function the whole Hessian is at hand, and Newton's method is four lines. On a quadratic it needs one
# step; on Rosenbrock's valley a few.

# %%


def rosenbrock(p):
    return (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2


p = mt.Tensor(np.array([-1.2, 1.0]))
for step in range(7):
    value, g = mt.vjp(rosenbrock, p)
    H = mt.hessian(rosenbrock, p)
    print(f"step {step}: f = {value.item():.3e} at {np.round(p.numpy(), 4)}, eigenvalues of H "
          f"{np.round(np.linalg.eigvalsh(H.numpy()), 2)}")  # fmt: skip
    p = mt.Tensor(p.numpy() - np.linalg.solve(H.numpy(), g.numpy()))
assert rosenbrock(p).item() < 1e-12
