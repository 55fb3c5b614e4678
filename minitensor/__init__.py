"""minitensor: an autograd engine to read in an afternoon, on NumPy, and on CuPy by the same code.

Functions have NumPy's names and arguments, layers and optimizers PyTorch's; a docstring says where one differs, and is
silent where it does not. What holds for all is said here: functions have no `out`, `where`, `initial`, `order`,
`casting`, `subok` and `like`, and NumPy's ufuncs have no `dtype` and `signature`: use `x.astype(dtype)`.

>>> import minitensor as mt
>>> x = mt.Tensor([1.0, 2.0, 3.0], requires_grad=True)
>>> (x ** 2).sum().backward()
>>> x.grad
Tensor float32 (3,): [2. 4. 6.]
"""

from minitensor import functions, kernels, nn, optim, teams, viz
from minitensor.anomaly import detect_anomaly
from minitensor.composite import composite
from minitensor.derivatives import hessian, hvp, jacobian, jvp, vjp, vmap
from minitensor.engine import grad
from minitensor.function import Function
from minitensor.functions import *  # noqa: F403
from minitensor.functions import fft, linalg
from minitensor.generators import default_generator, manual_seed
from minitensor.gradcheck import GradcheckError, gradcheck, gradgradcheck
from minitensor.interop.dlpack import from_dlpack
from minitensor.kernel_sets import get_kernels, set_kernels
from minitensor.kernels.compiled.compiler import compilations, compiled
from minitensor.kernels.cpu import set_conv_algorithm
from minitensor.memory import keep_freed_memory
from minitensor.modes import enable_grad, is_recording, no_grad, unfused
from minitensor.op import op
from minitensor.parallel import data_parallel
from minitensor.precision import autocast
from minitensor.profiler import profile
from minitensor.recompute import checkpoint
from minitensor.saving import load, save
from minitensor.tensor import Tensor
from minitensor.threads import get_num_threads, set_num_threads

__all__ = [
    "GradcheckError",
    "vmap",
    "vjp",
    "jvp",
    "jacobian",
    "hvp",
    "hessian",
    "checkpoint",
    "compilations",
    "compiled",
    "Function",
    "Tensor",
    "autocast",
    "composite",
    "data_parallel",
    "default_generator",
    "enable_grad",
    "fft",
    "from_dlpack",
    "get_kernels",
    "get_num_threads",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "is_recording",
    "keep_freed_memory",
    "kernels",
    "linalg",
    "load",
    "manual_seed",
    "nn",
    "no_grad",
    "detect_anomaly",
    "profile",
    "op",
    "optim",
    "save",
    "set_conv_algorithm",
    "set_kernels",
    "set_num_threads",
    "teams",
    "unfused",
    "viz",
]
__all__ += functions.__all__
