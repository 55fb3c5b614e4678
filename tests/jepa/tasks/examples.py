"""A source in memory, and what is asked of its batches by several tests."""

import numpy as np

from jepa.sources.base import scaled


class Examples:
    """Random examples of a shape, with values in [0, 1]."""

    labels, classes = None, []

    def __init__(self, shape=(3, 16, 16), count=75):
        self.x = np.random.default_rng(0).random((count, *shape), dtype=np.float32)
        self.shape, self.names = shape, [f"{i:03d}.png" for i in range(count)]
        self.scale = np.linspace(0.3, 0.5, shape[0]), np.array([0.25])

    def __len__(self):
        return len(self.x)

    def read(self, indices):
        return self.x[np.asarray(indices)]

    def normalize(self, x):
        return scaled(x, self.scale, len(self.shape))


def arrays(batch):
    """Return every array of a batch, also those of its question, by name."""
    keep = batch.keep._asdict() if batch.keep is not None else {}
    parts = {"seen": batch.seen, "true": batch.true, **keep, **batch.asked._asdict()}
    found = {}
    for name, part in parts.items():
        for k, x in enumerate(part if isinstance(part, list) else [part]):
            if isinstance(x, np.ndarray):
                found[f"{name} {k}"] = x
    return found


def assert_same(a, b):
    a, b = arrays(a), arrays(b)
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)
