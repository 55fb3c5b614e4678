"""The model of what processes exchange: against messages that are slowed down, and where it says that scaling stops."""

import json

import pytest

from benchmarks.processes import model
from tests.together import needs_mpi, run

ROW = {"one": {"ms": 100.0}, "two processes": {"gradient_MB": 40.0, "MB": 42.0, "calls": 11}}


@needs_mpi
def test_the_model_beside_messages_that_are_slowed_down(tmp_path):
    ended = run(4, ["-m", "benchmarks.processes.delayed"], tmp_path)
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert {row["way"] for row in found} == {"ring", "tree"} and len(found) == 6
    for row in found:
        assert 0.99 * row["model_ms"] <= row["ms"] <= 3 * row["model_ms"], row  # 1.05 on a machine that is quiet


@pytest.mark.parametrize("size", [1e3, 1e8])
def test_small_sums_go_up_a_tree_and_large_ones_around_a_ring(size):
    costs = [way(64, size, 10e-6, 1e9) for way in (model.tree, model.ring)]
    assert (costs[0] < costs[1]) == (size == 1e3)
    assert model.ring(2, size, 0, 1e9) == pytest.approx(size / 1e9)


def test_more_processes_compute_a_smaller_share_of_a_step():
    found = model.tables({"step": ROW})["step"]
    for shares in found.values():
        assert list(shares.values()) == sorted(shares.values(), reverse=True) and shares["2"] < 1
    slow, _, fast = (list(shares.values()) for shares in found.values())
    assert all(a < b for a, b in zip(slow, fast, strict=True))
    assert sum("exchanging takes longer than computing from" in line for line in model.lines({"step": found})) >= 1
