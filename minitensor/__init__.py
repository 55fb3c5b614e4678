"""minitensor: an autograd engine to read in an afternoon, on NumPy, and on CuPy by the same code.

>>> import minitensor as mt
>>> x = mt.Tensor([1.0, 2.0, 3.0], requires_grad=True)
>>> (x ** 2).sum().backward()
>>> x.grad
Tensor float32 (3,): [2. 4. 6.]
"""

from minitensor import kernels as _kernels  # attaches itself to the composites
from minitensor import nn
from minitensor.backend import manual_seed
from minitensor.engine import enable_grad, grad, is_recording, no_grad, unfused
from minitensor.functions import *  # noqa: F403
from minitensor.functions import __all__ as _functions
from minitensor.gradcheck import GradcheckError, gradcheck, gradgradcheck
from minitensor.op import composite, op
from minitensor.tensor import Tensor

__all__ = [
    "GradcheckError",
    "Tensor",
    "composite",
    "enable_grad",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "is_recording",
    "manual_seed",
    "nn",
    "no_grad",
    "op",
    "unfused",
    *_functions,
]
