"""Matrix products, under NumPy's names. What each does stands at its op."""

from typing import Any

from minitensor.functions.operands import public, tensor
from minitensor.ops import linalg
from minitensor.tensor import Tensor

__all__ = [
    "einsum", "matmul",
]  # fmt: skip

matmul = public(linalg.matmul)


def einsum(subscripts: str, *xs: Any) -> Tensor:
    """Return Einstein's sum of the operands, as `numpy.einsum`.

    >>> einsum("ij,j->i", [[1.0, 2.0], [3.0, 4.0]], [1.0, 1.0])
    Tensor float32 (2,): [3. 7.]
    """
    return linalg.einsum(*map(tensor, xs), subscripts=subscripts)  # type: ignore[no-any-return]
