"""`mt.linalg`: linear algebra, under `numpy.linalg`'s names; see `minitensor.functions` on where they stand."""

from minitensor.functions import decompositions
from minitensor.functions.names import named

_found = named("linalg", decompositions)
globals().update(_found)
__all__ = list(_found)
