"""Gradient boosting on the columns of a table: the method that is tried first there (scikit-learn's)."""

import numpy as np

from jepa.evaluation.split import Part


def accuracy(train: Part, val: Part, seed: int) -> float:
    """Return the share of test rows that gradient-boosted trees classify rightly, with scikit-learn's own settings.

    They see the columns as an encoder does (words as one channel each), and missing values as missing. Friedman 2001,
    "Greedy function approximation: a gradient boosting machine"; in its form by histograms (Ke et al. 2017).
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    x, z = (part.rows(lambda x: x.reshape(len(x), -1), "rows of the table") for part in (train, val))
    found = HistGradientBoostingClassifier(random_state=seed).fit(x, train.labels)
    return float(np.mean(found.predict(z) == val.labels))
