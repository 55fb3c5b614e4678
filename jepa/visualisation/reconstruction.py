"""What a prediction contains, made visible: decoded predictions beside decoded targets and the truth."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from jepa.visualisation.style import BLACK, GREEN, VERMILION, new_figure, show_image


def plot_reconstruction(target: NDArray[Any], decoded_target: NDArray[Any], decoded_prediction: NDArray[Any]) -> Figure:
    """Three rows of target regions: the truth, decoded from the true embedding, decoded from the predicted embedding.

    The decoder has seen embeddings of true targets only, so what the last row shows must have been in the prediction.

    Parameters
    ----------
    target, decoded_target, decoded_prediction : float arrays (N, C, S, S) in [0, 1]
        Column n of the picture is example n.

    Returns
    -------
    Figure
        The decoded rows carry their mean absolute error, in % of the range from black to white.
    """
    count = len(target)
    figure = new_figure(max(2.4, 3 * 8.0 / (count + 1.3) + 0.2))
    grid = figure.subplots(3, count + 1, squeeze=False, width_ratios=[1.3] + [1.0] * count)
    rows = (
        ("target region", target, BLACK),
        ("decoded from the\ntrue embedding", decoded_target, GREEN),
        ("decoded from the\nprediction", decoded_prediction, VERMILION),
    )
    for row, (name, images, colour) in enumerate(rows):
        error = 100 * float(np.mean(np.abs(np.clip(images, 0, 1) - np.clip(target, 0, 1))))
        label = name if row == 0 else f"{name}\nerror {error:.1f} %"
        grid[row, 0].axis("off")
        grid[row, 0].text(
            0.98, 0.5, label, fontsize=10, color=colour, ha="right", va="center", transform=grid[row, 0].transAxes
        )
        for n in range(count):
            show_image(grid[row, n + 1], images[n], colour=None if row == 0 else colour)
    return figure
