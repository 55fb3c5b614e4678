"""A small decoder from embeddings back to pixels: it shows what an embedding holds, and takes no part in training."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

import minitensor as mt
from jepa.progress import shown_progress

Images = NDArray[np.float32]


class Decoder(mt.nn.Layer):
    """An MLP with one hidden layer from an embedding to an image: (n, d) -> (n, c, h, w), in [0, 1]."""

    def __init__(self, embedding_dim: int, shape: tuple[int, int, int], width: int = 512) -> None:
        self.shape = shape
        self.mlp = mt.nn.Sequential(
            mt.nn.BatchNorm1d(embedding_dim),  # embeddings of any scale
            mt.nn.Linear(embedding_dim, width),
            mt.nn.ReLU(),
            mt.nn.Linear(width, math.prod(shape)),
        )

    def forward(self, z: mt.Tensor) -> mt.Tensor:
        """Return the images."""
        return mt.sigmoid(self.mlp(z)).reshape(z.shape[0], *self.shape)


def fit_decoder(
    embeddings: NDArray[np.float32],
    images: Images,
    *,
    epochs: int = 20,
    batch_size: int = 128,
    seed: int = 0,
    device: str = "cpu",
) -> Callable[[NDArray[np.float32]], Images]:
    """Train a decoder on true target embeddings (n, d), constants here, and their images (n, c, h, w) in [0, 1].

    Minimises the mean squared error of the pixels. Returns a function from embeddings (m, d) to images (m, c, h, w).
    Shown on *predicted* embeddings, what it draws is what the predictor expects to see in a region that it has not
    seen: sharp where the embedding says so, and the mean over what is possible elsewhere.
    """
    mt.manual_seed(seed)
    generator = np.random.default_rng(seed)
    decoder = Decoder(embeddings.shape[1], images.shape[1:])
    decoder.to(device)
    optimizer = mt.optim.AdamW(list(decoder.parameters()), lr=1e-3, weight_decay=1e-4)
    steps, step = epochs * (len(images) // batch_size), 0
    for _ in shown_progress(range(epochs), epochs, "fitting a decoder for the pictures", "epochs"):
        order = generator.permutation(len(images))
        for i in range(0, len(order) - batch_size + 1, batch_size):
            chosen = order[i : i + batch_size]
            for group in optimizer.param_groups:
                group["lr"] = float(mt.optim.schedule.cosine(step, start=2e-3, end=1e-5, steps=steps))
            optimizer.zero_grad()
            z, x = (mt.Tensor(v[chosen], device=device) for v in (embeddings, images))
            mt.nn.functional.mse_loss(decoder(z), x).backward()
            optimizer.step()
            step += 1
    decoder.eval()

    def decode(z: NDArray[np.float32]) -> Images:
        with mt.no_grad():
            return decoder(mt.Tensor(z, device=device)).numpy()  # type: ignore[no-any-return]

    return decode
