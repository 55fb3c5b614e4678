"""Words counted and weighed by how rare they are, and a logistic regression on them (scikit-learn's)."""

from typing import Any

import numpy as np

from jepa.errors import JEPAError
from jepa.evaluation.linear import VALIDATION
from jepa.evaluation.split import Part, stratified
from jepa.sources.texts.vocabulary import words_of

STRENGTHS = (0.3, 1.0, 3.0, 10.0)
"""inverse strengths of regularization that are tried"""


def accuracy(train: Part, val: Part, seed: int) -> float:
    """Return the share of test texts that a logistic regression on TF-IDF weights classifies rightly.

    Each text is the vector of its words' counts times log((1 + N) / (1 + n)) + 1, n of N training texts having the word
    (Spärck Jones 1972; scikit-learn's form), brought to length 1. All words of the whole texts count, whatever the
    source's vocabulary and length. C is the one that is best on a fifth of the training texts. Raises JEPAError if
    scikit-learn is not installed.
    """
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise JEPAError("TF-IDF needs scikit-learn: pip install 'minitensor-jepa[eval]'") from error
    texts, tests = (_texts(part) for part in (train, val))
    labels, generator = np.asarray(train.labels), np.random.default_rng(seed)
    back = stratified(labels, round(VALIDATION * len(labels)), generator=generator)
    rest = np.setdiff1d(np.arange(len(labels)), back)

    def right(C: float, fitted: Any, tested: Any) -> float:
        weights = TfidfVectorizer(analyzer=words_of)
        x = weights.fit_transform([t for t, _ in fitted])
        found = LogisticRegression(C=C, max_iter=1000).fit(x, [label for _, label in fitted])
        return float(found.score(weights.transform([t for t, _ in tested]), [label for _, label in tested]))

    pairs = list(zip(texts, labels, strict=True))
    tried = {C: right(C, [pairs[k] for k in rest], [pairs[k] for k in back]) for C in STRENGTHS}
    best = max(STRENGTHS, key=lambda C: tried[C])
    return right(best, pairs, list(zip(tests, np.asarray(val.labels), strict=True)))


def _texts(part: Part) -> list[str]:
    """Return the texts of a part as they were read."""
    source: Any = part.source
    return [source.texts[k] for k in part.kept]
