"""Hand-written array versions, attached to composites per kind of device.

A kernel is never needed: `with minitensor.unfused():` the plain Python runs instead. Each exists because
`python -m benchmarks` shows what it buys, and each is tested equal to its composite.
"""

from minitensor.kernels import compiled, cpu

__all__ = ["compiled", "cpu"]
