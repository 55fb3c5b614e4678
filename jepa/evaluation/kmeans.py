"""Features of 2011 as a baseline: how far each patch is from centroids that k-means finds among whitened patches.

No gradient and no labels take part. On CIFAR-10 such features reach 79.6 % linear with 4000 centroids: more than many
networks of few epochs. Random patches in place of the centroids lose little; they are the untrained network of this
kind. Reference: Coates, Ng & Lee 2011, "An Analysis of Single-Layer Networks in Unsupervised Feature Learning",
section 3 (preprocessing, triangle activation, pooling over quadrants).
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

import minitensor as mt
from jepa.evaluation.split import Part
from jepa.progress import shown_progress

PATCH = 6  # entries of a patch along each axis
PATCHES = 400_000  # drawn, from which centroids are found
ROUNDS = 10  # of k-means
FLOOR = 0.0025  # share of the patches' mean variance that is added to each: 10 for pixels from 0 to 255
WHITEN = 0.1  # added to the eigenvalues of the patches' covariance
BLOCK = 4096  # patches or examples at once
CACHED = 64  # patches whose distances are in the processor's cache at once

Array = NDArray[np.float32]


@dataclass(frozen=True)
class PatchFeatures:
    """Features of examples (n, c, *lengths): 2 K of a series, 4 K of an image, for K centroids."""

    centroids: Array
    """(K, d), of whitened patches of d numbers"""
    mean: Array
    """(d,), of the patches once their own mean and deviation are out"""
    whitening: Array
    """(d, d), symmetric"""
    floor: float
    """added to the variance of each patch, so that noise in flat ones is not blown up"""

    def __call__(self, x: Array) -> Array:
        """Return the features (n, 2^axes K): for each half along each axis, the sum over its places of

        f_k = max(0, mean_j |p - c_j| - |p - c_k|),      p a whitened patch; places lie one entry apart.
        """
        found: Array = mt.data_parallel(lambda part: np.concatenate([self._of_one(example) for example in part]), x)
        return found

    def _of_one(self, example: Array) -> Array:
        places = _places(example.shape[1:])
        patches, across = self.whitened(_patches(example[None])), math.prod(places[1:])
        rows = max(1, CACHED // across)
        sums = [self._sums(patches[i : i + rows * across], places[1:]) for i in range(0, len(patches), rows * across)]
        return np.concatenate([part.sum(axis=0).reshape(-1) for part in _halves(np.concatenate(sums), 1)])[None]

    def _sums(self, patches: Array, across: Sequence[int]) -> Array:
        """Return the sums of f over the halves along all axes but the first: (places along the first, halves, K)."""
        near = _distances(patches, self.centroids)
        np.subtract(near.mean(axis=1, keepdims=True), near, out=near)
        np.maximum(near, 0, out=near)
        near = near.reshape(-1, *across, len(self.centroids))
        quarters = _halves(near, len(across), first=1)
        return np.stack([part.reshape(len(part), -1, near.shape[-1]).sum(axis=1) for part in quarters], axis=1)

    def whitened(self, patches: Array) -> Array:
        """Return patches (m, d) with their own mean and deviation taken out, whitened (ZCA)."""
        return np.asarray((_normalized(patches, self.floor) - self.mean) @ self.whitening, np.float32)


def patch_features(part: Part, centroids: int, *, rounds: int = ROUNDS, seed: int = 0) -> dict[str, PatchFeatures]:
    """Learn features from random patches of the examples of a part: "kmeans", and "patches", those it began with.

    No label is looked at. centroids: how many, at most one for each distinct patch that was drawn. rounds: of k-means.
    seed: of the patches and of the first centroids.

    >>> from jepa.sources.arrays import Arrays
    >>> x = np.random.default_rng(0).normal(size=(20, 3, 12, 12))
    >>> features = patch_features(Part.of(Arrays(x)), 5)
    >>> features["kmeans"](x.astype(np.float32)).shape
    (20, 20)
    """
    generator = np.random.default_rng(seed)
    drawn = _drawn(part, generator)
    floor = FLOOR * float(drawn.var(axis=1).mean()) or 1.0  # 1 where all patches are flat
    normal = _normalized(drawn, floor)
    mean = normal.mean(axis=0)
    normal -= mean
    values, axes = np.linalg.eigh(normal.T @ normal / len(normal))
    whitening = (axes / np.sqrt(np.maximum(values, 0) + WHITEN)) @ axes.T
    patches = normal @ whitening
    first = patches[generator.permutation(len(patches))[:centroids]]
    found = {"kmeans": _kmeans(patches, first, rounds, generator), "patches": first}
    return {name: PatchFeatures(chosen, mean, whitening, floor) for name, chosen in found.items()}


def _drawn(part: Part, generator: np.random.Generator) -> Array:
    """Draw patches from all examples alike, every place as likely as another: (m, d)."""
    each = -(-PATCHES // len(part.kept))
    found = []
    for i in shown_progress(range(0, len(part.kept), BLOCK), -(-len(part.kept) // BLOCK), "drawing patches", "batches"):
        x = part.source.normalize(part.source.read(part.kept[i : i + BLOCK]))
        for example in x:
            patches = _patches(example[None])
            found.append(patches[generator.permutation(len(patches))[:each]])
    drawn = np.concatenate(found)
    return drawn[generator.permutation(len(drawn))[:PATCHES]]


def _kmeans(patches: Array, centroids: Array, rounds: int, generator: np.random.Generator) -> Array:
    """Return centroids (K, d) after so many rounds of Lloyd's algorithm; an empty one moves to a random patch."""
    for _ in shown_progress(range(rounds), rounds, "k-means", "rounds"):
        sums, counts = np.zeros(centroids.shape), np.zeros(len(centroids))
        for i in range(0, len(patches), BLOCK):
            part = patches[i : i + BLOCK]
            nearest = np.argmax(part @ centroids.T - (centroids**2).sum(axis=1) / 2, axis=1)
            order = np.argsort(nearest, kind="stable")
            present, starts = np.unique(nearest[order], return_index=True)
            sums[present] += np.add.reduceat(part[order], starts, axis=0)
            counts += np.bincount(nearest, minlength=len(centroids))
        empty = counts == 0
        centroids = (sums / np.maximum(counts, 1)[:, None]).astype(np.float32)
        centroids[empty] = patches[generator.integers(len(patches), size=int(empty.sum()))]
    return centroids


def _distances(p: Array, centroids: Array) -> Array:
    """Return |p_i - c_k|: (m, K)."""
    squared: Array = p @ (-2 * centroids.T)
    squared += (centroids**2).sum(axis=1)
    squared += (p**2).sum(axis=1, keepdims=True)
    np.sqrt(np.maximum(squared, 0, out=squared), out=squared)
    return squared


def _normalized(patches: Array, floor: float) -> Array:
    centered: Array = patches - patches.mean(axis=1, keepdims=True)
    centered /= np.sqrt((centered**2).mean(axis=1, keepdims=True) + np.float32(floor))
    return centered


def _halves(x: Array, axes: int, first: int = 0) -> list[Array]:
    """Cut x into halves along so many axes, the middle going to the first half."""
    cuts = [(slice(None, (n + 1) // 2), slice((n + 1) // 2, None)) for n in x.shape[first : first + axes]]
    return [x[(slice(None),) * first + part] for part in itertools.product(*cuts)]


def _places(lengths: Sequence[int]) -> list[int]:
    return [max(length - PATCH, 0) + 1 for length in lengths]


def _patches(x: Array) -> Array:
    """Return all patches of examples (n, c, *lengths), one entry apart: (n places, d)."""
    n, c, *lengths = x.shape
    sides = [min(PATCH, length) for length in lengths]
    windows = sliding_window_view(x, sides, axis=tuple(range(2, x.ndim)))  # (n, c, *places, *sides)
    windows = np.moveaxis(windows, 1, 1 + len(lengths))  # (n, *places, c, *sides)
    return np.ascontiguousarray(windows, dtype=np.float32).reshape(-1, c * math.prod(sides))
