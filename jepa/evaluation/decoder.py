"""From embeddings to what they are of: a small decoder back to pixels, an affine map; neither is part of training."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

import minitensor as mt
from jepa.progress import shown_progress

Floats = NDArray[np.float32]
WIDTH, BATCH = 512, 128


def fit_decoder(
    embeddings: Floats, images: Floats, *, epochs: int = 20, device: str = "cpu"
) -> Callable[[Floats], Floats]:
    """Train a decoder on true target embeddings (n, d), constants here, and their images (n, c, h, w) in [0, 1].

    An MLP with one hidden layer; minimizes the mean squared error of the pixels. Returns a function from embeddings
    (m, d) to images (m, c, h, w). Shown on *predicted* embeddings, what it draws is what the predictor expects to see
    in a region that it has not seen: sharp where the embedding says so, and the mean over what is possible elsewhere.
    """
    mt.manual_seed(0)
    generator, (dim, shape) = np.random.default_rng(0), (embeddings.shape[1], images.shape[1:])
    decoder = mt.nn.Sequential(
        mt.nn.BatchNorm1d(dim),  # embeddings of any scale
        *(mt.nn.Linear(dim, WIDTH), mt.nn.ReLU(), mt.nn.Linear(WIDTH, math.prod(shape))),
        *(mt.nn.Sigmoid(), mt.nn.Unflatten(1, shape)),
    )
    decoder.to(device)
    optimizer = mt.optim.AdamW(list(decoder.parameters()), lr=1e-3, weight_decay=1e-4)
    steps, step = epochs * (len(images) // BATCH), 0
    for _ in shown_progress(range(epochs), epochs, "fitting a decoder for the pictures", "epochs"):
        order = generator.permutation(len(images))
        for i in range(0, len(order) - BATCH + 1, BATCH):
            chosen = order[i : i + BATCH]
            for group in optimizer.param_groups:
                group["lr"] = float(mt.optim.schedule.cosine(step, start=2e-3, end=1e-5, steps=steps))
            optimizer.zero_grad()
            z, x = (mt.Tensor(v[chosen], device=device) for v in (embeddings, images))
            mt.nn.functional.mse_loss(decoder(z), x).backward()
            optimizer.step()
            step += 1
    decoder.eval()

    def decode(z: Floats) -> Floats:
        with mt.no_grad():
            found: Floats = decoder(mt.Tensor(z, device=device)).numpy()
            return found

    return decode


def ridge(x: Floats, y: Floats, damping: float = 1e-3) -> Callable[[Floats], Floats]:
    """Return the affine map (m, d) -> (m, e) that brings x nearest to y, slightly damped.

    >>> f = ridge(np.array([[0.0], [1.0], [2.0]]), np.array([[1.0], [3.0], [5.0]]), damping=0)
    >>> f(np.array([[10.0]])).round(6).tolist()
    [[21.0]]
    """
    mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
    centered = x - mean_x
    gram = centered.T @ centered / len(x)  # (d, d)
    held = gram + damping * np.trace(gram) / len(gram) * np.eye(len(gram), dtype=gram.dtype)
    weight = np.linalg.solve(held, centered.T @ (y - mean_y) / len(x))
    return lambda z: (z - mean_x) @ weight + mean_y
