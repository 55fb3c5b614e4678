"""Pictures of crops of images: context and target regions, and predictions decoded into pixels."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from jepa.contracts import Index
from jepa.evaluation.decoder import fit_decoder, ridge
from jepa.masks import Box, Regions
from jepa.pictures import image
from jepa.pictures.embedding import plot_similarity
from jepa.pictures.style import BLACK, BLUE, GREEN, TARGETS, VERMILION, new_figure
from jepa.pictures.views import answered, loader, some
from jepa.progress import shown_progress
from jepa.runs.run import Run
from jepa.tasks.batches import Batches
from jepa.tasks.crops import Drawn

Array = NDArray[Any]
Floats = NDArray[np.float32]
DECODER_IMAGES = 4096  # target regions of training images that the decoder is trained on
DRAWN, RECONSTRUCTED = 4, 8  # images of which each has a row, or a column


def examples(run: Run, count: int) -> dict[str, Any]:
    """Return what the model makes of `count` held-out images.

    The decoder learns from true target embeddings. A prediction is brought among those first, by the linear map that
    estimates the true embedding best from the predicted one on training images: a contrastive loss asks a prediction
    to be *nearest* to its target, not to be equal to it.

    - `images` (n, c, h, w) in [0, 1]: the images that the regions were drawn in (mirrored if they were);
    - `regions`: n `jepa.masks.Regions`, in pixels of `images`;
    - `context` (n, c, s, s) and `target` (n, v, c, t, t), as the encoders see them but for normalization;
    - `geometry` (n, v, 4): what the predictor is told;
    - `prediction` and `target_embedding` (n, v, d), as the objective compares them, of length √d;
    - `decoded_target` and `decoded_prediction` (n, v, c, t, t) in [0, 1].
    """
    run.model.eval()
    batches, v = loader(run, "train"), run.task.settings.targets
    size = run.config.train.batch_size
    order = batches.order(0)[: -(-DECODER_IMAGES // (size * v)) * size]
    starts = range(0, len(order), size)
    parts = [
        _embedded(run, _drawn(batches, order[k : k + size]), batches)
        for k in shown_progress(starts, len(starts), "embedding target regions", "batches")
    ]
    predicted, true, x = (np.concatenate(side).reshape(-1, *side[0].shape[2:]) for side in zip(*parts, strict=True))
    decode = fit_decoder(true, x, device=run.device)
    estimate = ridge(predicted, true)

    batches = loader(run, "val")
    drawn = _drawn(batches, some(batches.source, count))
    prediction, target, x = _embedded(run, drawn, batches)
    return {
        "images": drawn.images,
        "regions": drawn.regions,
        "context": drawn.batch.seen,
        "target": x,
        "geometry": drawn.batch.asked.places,
        "prediction": prediction,
        "target_embedding": target,
        "decoded_target": decode(target.reshape(-1, target.shape[2])).reshape(x.shape),
        "decoded_prediction": decode(estimate(prediction.reshape(-1, target.shape[2]))).reshape(x.shape),
    }


def figures(run: Run, e: Mapping[str, Any]) -> dict[str, Figure]:
    """Draw what `examples` found."""
    rows = (e[name][:DRAWN] for name in ("images", "regions", "context", "target", "geometry"))
    columns = (e[name][:RECONSTRUCTED, 0] for name in ("target", "decoded_target", "decoded_prediction"))
    return {
        "regions": plot_regions(*rows),
        "similarity": plot_similarity(e["prediction"][:, 0], e["target_embedding"][:, 0]),
        "reconstruction": plot_reconstruction(*columns),
    }


def _drawn(batches: Batches, indices: Index) -> Drawn:
    x, generators = batches.inputs(indices)
    return batches.task.at(1.0).draw(x, generators)  # type: ignore[attr-defined, no-any-return]


def _embedded(run: Run, drawn: Drawn, batches: Batches) -> tuple[Floats, Floats, Floats]:
    """Return predicted and true embeddings (n, v, d), of length √d, and the target images (n, v, c, t, t)."""
    (predicted,), (true,) = answered(run, batches.normalized(drawn.batch))
    return _direction(predicted), _direction(true), np.clip(drawn.batch.true, 0, 1)


def _direction(z: Floats) -> Floats:
    """Return embeddings of length √d: a cosine or InfoNCE loss leaves the length of a prediction free."""
    scaled: Floats = z * (z.shape[-1] ** 0.5 / np.maximum(np.linalg.norm(z, axis=-1, keepdims=True), 1e-6))
    return scaled


def plot_regions(
    images: Array, regions: Sequence[Regions], context: Array, target: Array, geometry: NDArray[np.float32]
) -> Figure:
    """Draw one row an image: with its regions, the context, the targets, and what the predictor is told, in words.

    The arrays are those of `examples`, n of each.
    """
    count, most = len(images), target.shape[1]
    columns = 2 + most
    side = 8.4 / (columns + 1.4)  # inches of a picture
    figure = new_figure(count * max(side + 0.1, 0.31 * most) + 0.5)
    grid = figure.subplots(count, columns + 1, squeeze=False, width_ratios=[1.0] * columns + [1.4])
    for axis, name in zip(
        grid[0], ("image", "context", *(f"target{f' {t + 1}' * (most > 1)}" for t in range(most))), strict=False
    ):
        axis.set_title(name, fontsize=10)
    grid[0, -1].set_title("told (% of the context)", fontsize=10, loc="left")
    for n, region in enumerate(regions):
        image.show(grid[n, 0], images[n])
        _outline(grid[n, 0], region.context, BLUE, "context", "--")
        image.show(grid[n, 1], context[n], BLUE)
        for t, box in enumerate(region.targets):
            _outline(grid[n, 0], box, TARGETS[t], str(t + 1) if most > 1 else "target", "-")
            image.show(grid[n, 2 + t], target[n, t], TARGETS[t])
        told = grid[n, -1]
        told.axis("off")
        lines = [f"{t + 1}: {in_words(g)}" if most > 1 else in_words(g) for t, g in enumerate(geometry[n])]
        told.text(
            0,
            0.5,
            "\n".join(lines),
            fontsize=9.0 if most == 1 else 8.0,
            va="center",
            transform=told.transAxes,
            linespacing=1.25,
        )
    return figure


def plot_reconstruction(target: Array, decoded_target: Array, decoded_prediction: Array) -> Figure:
    """Draw target regions (n, c, t, t) in three rows: the truth, decoded from true and from predicted embeddings.

    The decoder has seen embeddings of true targets only, so what the last row shows must have been in the prediction.
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
    for row, (name, images, color) in enumerate(rows):
        error = 100 * float(np.mean(np.abs(np.clip(images, 0, 1) - np.clip(target, 0, 1))))
        text = name if row == 0 else f"{name}\nerror {error:.1f} %"
        label = grid[row, 0]
        label.axis("off")
        label.text(0.98, 0.5, text, fontsize=10, color=color, ha="right", va="center", transform=label.transAxes)
        for n in range(count):
            image.show(grid[row, n + 1], images[n], None if row == 0 else color)
    return figure


def in_words(geometry: NDArray[Any]) -> str:
    """Say a geometry (4,) in words, in per cent of the context's height and width.

    >>> print(in_words(np.array([-0.25, 0.1, np.log(0.5), np.log(0.75)])))
    25 % up, 10 % right
    height 50 %, width 75 %
    >>> print(in_words(np.zeros(4)))
    same center
    height 100 %, width 100 %
    """
    dy, dx = round(100 * float(geometry[0])), round(100 * float(geometry[1]))
    height, width = (round(100 * math.exp(float(value))) for value in geometry[2:])
    moves = [f"{abs(dy)} % {'down' if dy > 0 else 'up'}"] if dy else []
    moves += [f"{abs(dx)} % {'right' if dx > 0 else 'left'}"] if dx else []
    return f"{', '.join(moves) or 'same center'}\nheight {height} %, width {width} %"


def _outline(axes: Axes, box: Box, color: str, label: str, style: str) -> None:
    """Draw a rectangle with a white edge under it, so that it shows on every ground, and its name in the corner."""
    for edge, width, line in (("white", 4.0, "-"), (color, 2.0, style)):
        look: dict[str, Any] = {"edgecolor": edge, "linewidth": width, "linestyle": line}
        axes.add_patch(Rectangle((box.left, box.top), box.width, box.height, fill=False, clip_on=False, **look))
    at: dict[str, Any] = {"fontsize": 8, "color": "white"}
    at["bbox"] = {"facecolor": color, "edgecolor": "white", "pad": 1.0}
    if label == "context":
        axes.text(box.left, box.top + box.height, label, va="bottom", ha="left", **at)
    else:
        axes.text(box.left + box.width, box.top, label, va="top", ha="right", **at)
