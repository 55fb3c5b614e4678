"""What lies nearest by cosine: classes of frozen features by a vote, and the rows of a bank."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from jepa.progress import shown_progress

_CHUNK_ENTRIES = 1 << 24  # entries of the similarity matrix held at once: 64 MB in float32
_ROWS = 4096  # rows that are changed at once


def knn(
    train_features: NDArray[Any],
    train_labels: NDArray[Any],
    test_features: NDArray[Any],
    test_labels: NDArray[Any],
    *,
    k: int = 20,
) -> float:
    """Return the share of the test rows (M, D) whose k nearest training rows (N, D) vote for the right class.

    See `nearest_classes` for the vote. Nothing is learned, so this measures the geometry of the features themselves.

    >>> train = np.array([[1.0, 0.1], [1.0, 0.0], [0.0, 1.0]])
    >>> knn(train, np.array([0, 0, 1]), np.array([[5.0, 1.0], [0.2, 3.0]]), np.array([0, 1]), k=1)
    1.0
    """
    return float(np.mean(nearest_classes(train_features, train_labels, test_features, k=k) == test_labels))


def nearest_classes(
    train_features: NDArray[Any], train_labels: NDArray[Any], test_features: NDArray[Any], *, k: int = 20
) -> NDArray[Any]:
    """Return the class of each test row (M, D): the majority of its k most similar training rows (N, D), or of all.

    The similarity is the cosine, a.b / (|a| |b|) (0 where a row is all zero). Every neighbor has one vote; a tie
    goes to the class with the nearest member. (scikit-learn gives a tie to the smallest label.) The result (M,) has the
    dtype of `train_labels`.

    >>> nearest_classes(np.eye(2), np.array([7, 3]), np.array([[2.0, 1.0]]), k=2)
    array([7])
    """
    copies = (np.array(x, dtype=np.float32) for x in (train_features, test_features))
    return voted(next(copies), train_labels, next(copies), k=k)


def voted(train: NDArray[np.float32], train_labels: NDArray[Any], test: NDArray[np.float32], *, k: int) -> NDArray[Any]:
    """Return what `nearest_classes` does, of float32 arrays that are used up: their rows are brought to length 1."""
    classes, codes = np.unique(train_labels, return_inverse=True)  # (K,), (N,)
    k = min(k, len(train))
    _to_unit_rows(train)  # (N, D)
    _to_unit_rows(test)  # (M, D)
    predicted = np.empty(len(test), dtype=np.int64)
    chunk = max(1, _CHUNK_ENTRIES // len(train))
    starts = range(0, len(test), chunk)
    for start in shown_progress(starts, len(starts), "nearest neighbors", f"batches of {chunk} rows"):
        similarity = test[start : start + chunk] @ train.T  # (chunk, N)
        if k < len(train):
            near = np.argpartition(-similarity, k - 1, axis=1)[:, :k]
        else:
            near = np.broadcast_to(np.arange(k), similarity.shape)
        order = np.argsort(-np.take_along_axis(similarity, near, axis=1), axis=1, kind="stable")
        predicted[start : start + chunk] = _vote(codes[np.take_along_axis(near, order, axis=1)], len(classes))
    winners: NDArray[Any] = classes[predicted]
    return winners


def _vote(codes: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Majority of each row of `codes` (M, k), nearest first; the nearest member decides a tie."""
    rows, k = np.arange(len(codes)), codes.shape[1]
    votes = np.zeros((len(codes), classes))  # (M, K)
    first = np.full((len(codes), classes), k)  # (M, K): place of the nearest member
    for place in reversed(range(k)):
        votes[rows, codes[:, place]] += 1
        first[rows, codes[:, place]] = place
    return np.asarray(np.argmax(votes - first / (k + 1), axis=1))  # the second term is below one vote


def _to_unit_rows(x: NDArray[np.float32]) -> None:
    for i in range(0, len(x), _ROWS):
        part = x[i : i + _ROWS]
        norm = np.linalg.norm(part, axis=1, keepdims=True)  # (n, 1)
        part /= np.where(norm > 0, norm, 1)


def nearest(queries: NDArray[Any], bank: NDArray[Any], count: int = 5) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the rows of a bank (m, d) nearest to each query (n, d), and their cosines: (n, count), nearest first.

    >>> indices, cosines = nearest(np.array([[2.0, 0.1]]), np.eye(2), 1)
    >>> indices.tolist(), cosines.round(3).tolist()
    ([[0]], [[0.999]])
    """
    if count > len(bank):
        raise ValueError(f"the {count} nearest of a bank of {len(bank)}: ask for fewer")
    cosines = _unit(queries) @ _unit(bank).T  # (n, m)
    order = np.argsort(-cosines, axis=1, kind="stable")[:, :count]
    return order, np.take_along_axis(cosines, order, axis=1)


def _unit(z: NDArray[Any]) -> NDArray[np.float64]:
    z = np.asarray(z, np.float64)
    unit: NDArray[np.float64] = z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12)
    return unit
