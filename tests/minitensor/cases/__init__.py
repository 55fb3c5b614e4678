"""The table: every op and composite of minitensor has at least one case here, or the suite fails."""

from tests.minitensor.cases import (
    activation,
    attention,
    bilinear,
    distance,
    elementwise,
    index,
    linalg,
    losses,
    normalisation,
    recurrent,
    reduce,
    scan,
    shape,
    sorting,
    windows,
)
from tests.minitensor.cases.case import CASES, Case

__all__ = [
    "CASES",
    "Case",
    "activation",
    "bilinear",
    "attention",
    "distance",
    "elementwise",
    "index",
    "linalg",
    "losses",
    "normalisation",
    "recurrent",
    "reduce",
    "scan",
    "shape",
    "sorting",
    "windows",
]
