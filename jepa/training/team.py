"""What the processes of one training settle among them; of a single process there is nothing to settle."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

import minitensor as mt
from jepa.errors import ConfigError, RunError


def check_size(team: Any, batch_size: int) -> None:
    """Raise ConfigError if a batch has no example for some process."""
    if team is not None and batch_size < team.size:
        raise ConfigError(
            f"batches of {batch_size} examples leave some of {team.size} processes without one: raise "
            "train.batch_size, or start fewer processes"
        )


def any_of(team: Any, asked: bool) -> bool:
    """Return whether any process was asked."""
    return asked if team is None else bool(team.total(np.array([asked], np.int64))[0])


def give_weights(team: Any, model: mt.nn.Layer) -> None:
    """Give all processes the weights of the first: those of a model that was made in Python may differ."""
    if team is not None:
        model.load_state_dict(team.broadcast(model.state_dict()))


def check_alike(team: Any, model: mt.nn.Layer, step: int) -> None:
    """Raise RunError unless all processes have the same weights, to the bit."""
    if team is None:
        return
    mark = hashlib.blake2b(digest_size=16)
    for value in model.state_dict().values():
        mark.update(np.ascontiguousarray(value).tobytes())
    found = team.gather(mark.hexdigest())
    if len(set(found)) > 1:
        ranks = ", ".join(str(rank) for rank, one in enumerate(found) if one != found[0])
        raise RunError(
            f"at step {step} the weights of process {ranks} are others than those of process 0: the machines, or what "
            "is installed on them, do not compute the same. Start all processes on machines of one kind"
        )


@contextmanager
def in_turn(team: Any) -> Iterator[None]:
    """Let the first process go first, as it may write what the others find then, such as default images."""
    if team is not None and team.rank:
        team.wait()
    yield
    if team is not None and not team.rank:
        team.wait()


def wait(team: Any) -> None:
    """Wait until all processes are here."""
    if team is not None:
        team.wait()
