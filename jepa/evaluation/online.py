"""Probes during training: how good the features are by now, beside the same encoder untrained."""

from jepa.evaluation.probes import PROBES, Protocol, probe_table
from jepa.evaluation.split import Part
from jepa.learner import JEPA
from jepa.runs.run import Run

C = (0.01, 0.1)  # for the linear probe: a look at every few epochs, not the last word


class OnlineProbe:
    """Linear probe and kNN on a part of the labeled examples of a run, the same ones each time.

    The examples are kept; the untrained twin's figures are computed once. It draws nothing from the generator that
    training uses, so a run is the same with and without it.
    """

    def __init__(self, run: Run) -> None:
        self.run, count = run, run.config.evaluation.online_images
        self.parts = [Part.of(run.source(split), count) for split in ("train", "val")]
        self.examples = [part.rows(lambda x: x, "examples of the probes") for part in self.parts]
        twin = run.random_twin(0, self.examples[0])
        self.untrained = {} if twin is None else self._figures(twin)

    def __call__(self, model: JEPA) -> dict[str, float]:
        """Return the accuracies of a model and of its untrained twin: probe/linear, probe/linear_random, ..."""
        twin = {f"probe/{name}_random": value for name, value in self.untrained.items()}
        return {**{f"probe/{name}": value for name, value in self._figures(model).items()}, **twin}

    def _figures(self, model: JEPA) -> dict[str, float]:
        train, test = (self.run.features(x, model) for x in self.examples)
        protocol = Protocol(self.run.config.evaluation.k, C)
        table = probe_table({"row": (train, test)}, self.parts[0].labels, self.parts[1].labels, protocol)
        return {name: row["row"] for name, row in table.items() if name in PROBES}
