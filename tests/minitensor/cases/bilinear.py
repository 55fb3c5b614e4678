"""Cases: the bilinear map."""

import numpy as np

from minitensor.ops.linalg import bilinear
from tests.minitensor.cases.case import case, normal

case(
    bilinear.bilinear, normal(4, 2), normal(4, 3), normal(5, 2, 3), normal(5),
    ref=lambda a, b, w, c: np.einsum("ni,kij,nj->nk", a, w, b) + c,
)  # fmt: skip
case(
    bilinear.bilinear, normal(2, 3, 2), normal(2, 3, 1), normal(4, 2, 1),
    ref=lambda a, b, w: np.einsum("xni,kij,xnj->xnk", a, w, b),
)  # fmt: skip
case(bilinear.bilinear, normal(2), normal(3), normal(4, 2, 3), note="vectors",
     ref=lambda a, b, w: np.einsum("i,kij,j->k", a, w, b))  # fmt: skip
