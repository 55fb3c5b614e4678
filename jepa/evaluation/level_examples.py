"""What H-JEPA predicts of groups of patches, as pictures: decoded like single patches, level by level."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jepa.evaluation.patches import cut, paste
from jepa.evaluation.ridge import ridge
from jepa.masks import to_binary
from jepa.methods.ijepa import Patches

__all__ = ["decoded_groups", "placed"]

Floats = NDArray[np.float32]


def decoded_groups(
    learnt: Patches, found: Patches, bank: Floats, images: Floats, grid: tuple[int, int], side: int
) -> dict[str, Any]:
    """Return the pictures of one level that predicted and true tokens of its hidden groups give.

    A linear decoder, from a group's true token to its pixels, and the affine map that brings predictions among true
    tokens, are fitted on the training images.

    Parameters
    ----------
    learnt, found : Patches
        Predicted and true tokens of the groups of training images, and of those to be drawn.
    bank, images : float arrays (m, C, H, W) and (n, C, H, W) in [0, 1]
        The images themselves.
    grid : (rows, columns)
        Of the groups.
    side : int
        Pixels of a group's side; groups at the border may be cut off by it.

    Returns
    -------
    dict
        "hidden", which groups are predicted, bool (n, H, W) by pixel; "true" and "predicted", float (n, C, H, W).
    """
    count, (height, width) = grid[0] * grid[1], images.shape[2:]
    pixels = cut(_whole(bank, grid, side), side)  # (m, G, C side²)
    own = np.take_along_axis(pixels, learnt.indices[:, :, None], axis=1)
    decode = ridge(learnt.target[learnt.valid], own[learnt.valid])
    estimate = ridge(learnt.prediction[learnt.valid], learnt.target[learnt.valid])

    def picture(tokens: Floats, bring: Callable[[Floats], Floats]) -> Floats:
        shown = placed(decode(bring(tokens.reshape(-1, tokens.shape[2]))).reshape(*tokens.shape[:2], -1), found, count)
        return paste(shown, grid, side)[:, :, :height, :width]

    hidden = to_binary(found.indices, count, found.valid).reshape(-1, *grid)
    return {
        "hidden": hidden.repeat(side, axis=1).repeat(side, axis=2)[:, :height, :width],
        "true": picture(found.target, lambda z: z),
        "predicted": picture(found.prediction, estimate),
    }


def placed(x: Floats, where: Patches, count: int) -> Floats:
    """Return tokens (n, K, d) at their places, (n, count, d); the mean of those that share one, 0 where there is none.

    >>> none = np.zeros((1, 3, 1))
    >>> where = Patches(np.array([[2, 2, 0]]), np.array([[True, True, False]]), none, none)
    >>> placed(np.array([[[1.0], [3.0], [9.0]]]), where, 3)[0, :, 0].tolist()
    [0.0, 0.0, 2.0]
    """
    at = np.zeros((len(x), count, x.shape[2]), np.float32)
    times = np.zeros((len(x), count, 1), np.float32)
    rows = np.arange(len(x))[:, None]
    np.add.at(at, (rows, where.indices), x * where.valid[:, :, None])
    np.add.at(times, (rows, where.indices), where.valid[:, :, None].astype(np.float32))
    at /= np.maximum(times, 1)
    return at


def _whole(images: Floats, grid: Sequence[int], side: int) -> Floats:
    """Return images whose groups at the border are whole, by repeating the last pixels."""
    short = [(0, count * side - length) for count, length in zip(grid, images.shape[2:], strict=True)]
    return np.pad(images, [(0, 0), (0, 0), *short], mode="edge")
