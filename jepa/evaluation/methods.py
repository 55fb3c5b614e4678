"""Simple methods for some kind of examples, that stand beside the probes: what one would try first, without learning.

A source names those that its examples have (`jepa.sources.Source.methods`). A method of one's own is a line of
`METHODS`: a function of the labeled training and test examples (`jepa.evaluation.split.Part`) and a seed, that returns
the share of test examples that it classifies rightly. Each reads what it wants of the part's source.
"""

import importlib
import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple

from jepa.evaluation.split import Part


class Method(NamedTuple):
    """A simple method: what it is called in tables, and where its function is."""

    title: str
    where: str
    """module:function"""

    @property
    def function(self) -> Callable[[Part, Part, int], float]:
        """From training examples, test examples and a seed to the accuracy."""
        module, _, name = self.where.partition(":")
        found: Callable[[Part, Part, int], float] = getattr(importlib.import_module(module), name)
        return found


METHODS: dict[str, Method] = {
    "boosting": Method("gradient boosting", "jepa.evaluation.boosting:accuracy"),
    "euclid": Method("nearest series (1-NN, Euclid)", "jepa.evaluation.warping:euclid"),
    "dtw": Method("nearest series (1-NN, time warping)", "jepa.evaluation.warping:dtw"),
    "tfidf": Method("TF-IDF and logistic regression", "jepa.evaluation.tfidf:accuracy"),
}


def accuracies(names: Sequence[str], train: Part, val: Part, seed: int) -> dict[str, float]:
    """Return the accuracy of each method; one whose package is not installed is left out, with a warning."""
    found = {}
    for name in names:
        try:
            found[name] = METHODS[name].function(train, val, seed)
        except ImportError as error:
            why = f"{METHODS[name].title} is left out: {error}; pip install 'minitensor-jepa[eval]' brings it"
            logging.getLogger("jepa").warning(f"warning: {why}")
    return found
