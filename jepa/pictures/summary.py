"""The result of a run in plain words: does it beat its baselines, is it healthy, is the question used."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from jepa.evaluation.probes import PROBES
from jepa.health import is_collapsed
from jepa.pictures.table import titles


def summary(evaluation: Mapping[str, Any]) -> list[str]:
    """Return sentences about ``evaluation.json``, the verdict first.

    A difference in accuracy counts as clear when it is more than twice its standard error,
    sqrt((p (1 - p) + q (1 - q)) / examples), which treats the two accuracies p and q as independent (they are measured
    on the same examples, so this is the cautious side). For it, two right and two wrong are added to both (Agresti &
    Coull 1998): 5 of 5 right is no proof.

    >>> evaluation = {"linear": {"jepa": 0.8, "random": 0.5, "pixels": 0.6, "chance": 0.1}, "images": 1000}
    >>> import textwrap
    >>> print(textwrap.fill(summary(evaluation)[0], 100))
    Linear probe: the trained encoder is right on 80.0 % of 1,000 held-out examples, 20.0 points above
    the best baseline (raw pixels, 60.0 %).
    """
    rows = titles(evaluation)
    sentences = [
        _verdict(probe.title, evaluation[name], evaluation["images"], rows)
        for name, probe in PROBES.items()
        if evaluation.get(name)
    ]
    if evaluation.get("note"):
        sentences.append(str(evaluation["note"]))
    if "feature_std" in evaluation and "effective_rank" in evaluation:
        std, rank = evaluation["feature_std"], evaluation["effective_rank"]
        state = "has collapsed" if is_collapsed(std, rank) else "has not collapsed"
        of = f" of {evaluation['feature_dim']}" if "feature_dim" in evaluation else ""
        sentences.append(
            f"The representation {state}: feature standard deviation {std:.2f} (1 = spread evenly, 0 = collapsed), "
            f"effective rank {rank:.1f}{of} directions."
        )
    asked = evaluation.get("geometry") or {}
    if asked.get("ratio"):
        ratio = asked["ratio"]
        use = "uses" if ratio > 1.05 else "hardly uses"
        sentences.append(
            f"The held-out loss of the predictions is {asked['loss']:.3g}, and {asked['shuffled']:.3g} when the "
            f"predictor is told wrong places, {ratio:.2f} times as much: it {use} what it is told."
        )
    return sentences


def _verdict(probe: str, row: Mapping[str, float], count: int, rows: Mapping[str, str]) -> str:
    baselines = {name: row[name] for name in ("random", "pixels", "chance") if name in row}
    best = max(baselines, key=lambda name: baselines[name])
    ours, theirs = row["jepa"], baselines[best]
    difference = 100 * (ours - theirs)
    p, q = ((share * count + 2) / (count + 4) for share in (ours, theirs))
    error = 100 * math.sqrt((p * (1 - p) + q * (1 - q)) / (count + 4))
    probe = probe if probe[1:2].isupper() else probe.capitalize()  # kNN
    start = f"{probe}: the trained encoder is right on {100 * ours:.1f} % of {count:,} held-out examples"
    name = f"the best baseline ({rows[best]}, {100 * theirs:.1f} %)"
    if abs(difference) <= 2 * error:
        points = f"{difference:+.1f} points, within the sampling error of ±{2 * error:.1f}"
        return f"{start}, no clear difference from {name}: {points}."
    if difference < 0:
        return f"{start}. It does not beat its baselines: that is {-difference:.1f} points below {name}."
    return f"{start}, {difference:.1f} points above {name}."
