"""A probe that may choose where to look: one learned query attends to frozen tokens, and a linear layer classifies."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

import minitensor as mt
from jepa.evaluation.split import stratified
from jepa.progress import shown_progress

Tokens = NDArray[np.float32]
Labels = NDArray[np.int64]
DECAYS = (1e-4, 1e-1)  # weight decays that are chosen from
RATE = 3e-3
FEWEST = 20  # steps in an epoch: small sets are gone through more often


class AttentiveProber(mt.nn.Layer):
    """logits = W Σ_i a_i v_i + b, a = softmax over tokens of q · k_i / √d, in each of `heads` heads.

    (n, N, d) tokens -> (n, classes). One cross-attention with a learned query, as V-JEPA evaluates (Bardes et al. 2024,
    section 4), without its MLP.

    >>> AttentiveProber(8, 3, heads=2)(mt.ones((5, 4, 8))).shape
    (5, 3)
    """

    def __init__(self, dim: int, classes: int, heads: int = 4) -> None:
        self.norm = mt.nn.BatchNorm1d(dim, affine=False)  # features of any scale
        self.query = mt.nn.Parameter(np.zeros((1, 1, dim), np.float32))
        mt.nn.init.trunc_normal_(self.query, std=0.02)
        self.attention = mt.nn.MultiheadAttention(dim, heads, batch_first=True)
        self.classifier = mt.nn.Linear(dim, classes)

    def forward(self, tokens: mt.Tensor) -> mt.Tensor:
        """Return the logits."""
        n, count, dim = tokens.shape
        x = self.norm(tokens.reshape(n * count, dim)).reshape(n, count, dim)
        pooled, _ = self.attention(mt.broadcast_to(self.query, (n, 1, dim)), x, x)
        y: mt.Tensor = self.classifier(pooled[:, 0])
        return y


def attentive_probe(
    train: Tokens, train_labels: Labels, test: Tokens, test_labels: Labels, *, epochs: int = 20, seed: int = 0
) -> float:
    """Fit an `AttentiveProber` on frozen tokens (n, N, d); return the share of hits on those of other examples.

    The weight decay is chosen on a tenth of the training examples, kept back for it; then all of them are used. AdamW,
    batches of 128, a learning rate that falls from 3e-3 along a cosine; at least 20 steps an epoch.
    """
    classes = int(max(train_labels.max(), test_labels.max())) + 1
    kept = stratified(train_labels, max(1, len(train) // 10), generator=np.random.default_rng(seed))
    rest = np.setdiff1d(np.arange(len(train)), kept)

    def fitted(chosen: NDArray[Any], decay: float, length: int) -> AttentiveProber:
        mt.manual_seed(seed)
        probe = AttentiveProber(train.shape[2], classes, max(h for h in (1, 2, 3, 4) if train.shape[2] % h == 0))
        optimizer = mt.optim.AdamW(mt.optim.decay_groups(probe, decay), lr=RATE)
        generator, size = np.random.default_rng(seed), min(128, len(chosen))
        steps = length * max(len(chosen) // size, FEWEST)
        for step in shown_progress(range(steps), steps, "attentive probe", "steps"):
            at = step % (len(chosen) // size) * size
            if at == 0:
                order = generator.permutation(chosen)
            batch = order[at : at + size]
            for group in optimizer.param_groups:
                group["lr"] = float(mt.optim.schedule.cosine(step, start=RATE, end=1e-6, steps=steps))
            optimizer.zero_grad()
            mt.nn.functional.cross_entropy(probe(mt.Tensor(train[batch])), mt.Tensor(train_labels[batch])).backward()
            optimizer.step()
        return probe.eval()

    tried = {d: _right(fitted(rest, d, max(1, epochs // 2)), train[kept], train_labels[kept]) for d in DECAYS}
    return _right(fitted(np.arange(len(train)), max(tried, key=lambda d: tried[d]), epochs), test, test_labels)


def _right(probe: AttentiveProber, tokens: Tokens, labels: Labels) -> float:
    """Return the share of examples that are classified right, 256 at a time."""
    with mt.no_grad():
        parts = [probe(mt.Tensor(tokens[i : i + 256])).numpy() for i in range(0, len(tokens), 256)]
    return float(np.mean(np.concatenate(parts).argmax(axis=1) == labels))
