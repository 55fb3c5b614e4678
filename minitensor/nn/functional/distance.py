"""Distances and cosines, with PyTorch's names, argument order and defaults. What each does stands at its op."""

from minitensor.functions.operands import public
from minitensor.ops.linalg import distance

__all__ = ["cosine_similarity", "normalize", "pairwise_distance"]

cosine_similarity = public(distance.cosine_similarity)
normalize = public(distance.normalize)
pairwise_distance = public(distance.pairwise_distance)
