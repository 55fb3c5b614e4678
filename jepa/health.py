"""Whether embeddings are well, without labels: do they spread, how many directions do they use, do predictions hit."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from jepa.contracts import Embeddings


def of(z: Embeddings) -> dict[str, float]:
    """Return the figures of a batch: spread and effective rank of contexts, cosine of predictions and targets.

    The cosine is that of the first set that is not empty; of half-precision embeddings in float32.
    """
    context = z.context.numpy().astype(np.float32).reshape(-1, z.context.shape[-1])
    pairs = [(p, t) for p, t in zip(z.predictions, z.targets, strict=True) if 0 not in p.shape]
    sides = [[side.numpy().astype(np.float32).reshape(-1, side.shape[-1]) for side in pair] for pair in pairs]
    if z.level_weights:
        sides = sides[:1]
    joined = [np.concatenate(side) for side in zip(*sides, strict=True)]
    found = {"feature_std": feature_std(context), "effective_rank": effective_rank(context)}
    return {**found, "prediction_cosine": cosine(*joined) if joined else 0.0}


def feature_std(z: NDArray[Any]) -> float:
    """Spread of the embeddings on the sphere: sqrt(D) * mean_d std_n(z_nd / |z_n|).

    1 = spread evenly in all directions, 0 = all point the same way (collapse). It cannot exceed 1, because the
    variances of unit vectors sum to 1 - |mean|^2.

    z: float (N, D). Chen & He 2021, "Exploring Simple Siamese Representation Learning", figure 2.

    >>> round(feature_std(np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])), 3)
    1.0
    >>> feature_std(np.ones((4, 2)))
    0.0
    """
    x = unit(z)  # (N, D)
    return float(np.sqrt(x.shape[1]) * x.std(axis=0).mean())


def effective_rank(z: NDArray[Any]) -> float:
    """Number of directions that the embeddings use (RankMe): exp(-sum_k p_k log p_k), p_k = s_k / sum_j s_j.

    s are the singular values of z, not centered, as in the paper: a large common offset therefore lowers the rank.
    Between 1 (all on one line through 0, or all zero) and min(N, D). An alarm for collapse, no measure of quality:
    among representations that have not collapsed, a higher rank need not classify better.

    z: float (N, D). Garrido et al. 2023, "RankMe: Assessing the Downstream Performance of Pretrained Self-Supervised
    Representations by Their Rank", equation 1 (here without its epsilon: zero singular values contribute nothing).

    >>> round(effective_rank(np.eye(5)), 6), round(effective_rank(np.ones((5, 5))), 6)
    (5.0, 1.0)
    """
    z = np.asarray(z, dtype=np.float64)
    if z.shape[0] < z.shape[1]:
        z = z.T
    spectrum = np.linalg.eigvalsh(z.T @ z)  # (min(N, D),) squared singular values, through the smaller Gram matrix
    floor = spectrum[-1] * len(spectrum) * np.finfo(np.float64).eps  # below it there is rounding only
    s = np.sqrt(spectrum[spectrum > max(floor, 0.0)])
    if len(s) == 0:
        return 1.0
    p = s / s.sum()
    return float(np.exp(-np.sum(p * np.log(p))))


def alignment(x: NDArray[Any], y: NDArray[Any], *, alpha: float = 2.0) -> float:
    """Mean distance of the embeddings of matching pairs: mean_n |x_n/|x_n| - y_n/|y_n||^alpha. 0 = equal, 4 = opposite.

    x, y: float (N, D); row n of x and of y belong together (two crops of an image, or prediction and target).
    Wang & Isola 2020, "Understanding Contrastive Representation Learning through Alignment and Uniformity on the
    Hypersphere".

    >>> alignment(np.eye(3), 5 * np.eye(3)), alignment(np.eye(3), -np.eye(3))
    (0.0, 4.0)
    """
    distance = np.linalg.norm(unit(x) - unit(y), axis=1)  # (N,)
    return float(np.mean(distance**alpha))


def uniformity(z: NDArray[Any], *, t: float = 2.0, chunk: int = 1024) -> float:
    """How evenly the embeddings cover the sphere: log mean_{i<j} exp(-t |z_i/|z_i| - z_j/|z_j||^2). Lower is more even.

    0 = all in one point; -2 t is about the value of points that are all orthogonal. z: float (N, D), N >= 2; t: how
    sharp the kernel is; chunk: rows of the distance matrix held at once. Wang & Isola 2020 (see `alignment`).

    >>> round(uniformity(np.eye(3)), 6)
    -4.0
    """
    x = unit(z)  # (N, D)
    count = len(x)
    total = 0.0
    for start in range(0, count, chunk):
        squared = np.clip(2 - 2 * x[start : start + chunk] @ x.T, 0, None)  # (chunk, N): |a - b|^2 = 2 - 2 a.b
        total += float(np.exp(-t * squared).sum())
    return float(np.log((total - count) / (count * (count - 1))))  # without the N pairs of a row with itself


def cosine(prediction: NDArray[Any], target: NDArray[Any]) -> float:
    """Mean cosine of matching rows: mean p.t / (|p| |t|). 1 = same direction.

    prediction, target: float (..., D). High values alone prove nothing: a collapsed representation has 1 everywhere.
    Read it beside `feature_std`.

    >>> cosine(np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([[3.0, 0.0], [1.0, 0.0]]))
    0.5
    """
    return float(np.mean(np.sum(unit(prediction) * unit(target), axis=-1)))


def is_collapsed(std: float, rank: float, *, lowest_std: float = 0.1, lowest_rank: float = 1.5) -> bool:
    """Whether a representation has collapsed: to almost one direction (`std`) or almost one line (`rank`).

    std, rank: `feature_std` and `effective_rank` of the same embeddings; a NaN counts as collapsed. lowest_std,
    lowest_rank: the healthy minimum of each.

    >>> is_collapsed(0.6, 40.0), is_collapsed(0.01, 40.0), is_collapsed(0.6, 1.1)
    (False, True, True)
    """
    return not (std >= lowest_std and rank >= lowest_rank)


def unit(z: NDArray[Any]) -> NDArray[np.float64]:
    """Rows scaled to length 1; rows of zeros stay."""
    z = np.asarray(z, dtype=np.float64)
    norm = np.linalg.norm(z, axis=-1, keepdims=True)
    return np.asarray(z / np.where(norm > 0, norm, 1))
