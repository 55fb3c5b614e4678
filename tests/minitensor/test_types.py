"""A user's calls as mypy sees them: signatures, settings and results of functions, ops and composites."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import minitensor as mt
from minitensor.ops.elementwise import astype
from minitensor.ops.indexing.index import getitem
from minitensor.ops.indexing.scatter import index_put

CALLS = Path(__file__).with_name("calls_of_a_user.txt")  # no .py: it may not be imported
ROOT = CALLS.parents[2]


@pytest.mark.timeout(600)
def test_mypy_takes_what_is_right_and_refuses_what_is_wrong(tmp_path):
    """Strict mypy finds the errors that are marked, and no others."""
    file = tmp_path / "calls_of_a_user.py"
    file.write_text(CALLS.read_text("utf-8"), "utf-8")
    found = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", str(file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert not found.stderr
    errors = re.findall(r"calls_of_a_user\.py:(\d+): error: .*\[([a-z-]+)\]$", found.stdout, re.MULTILINE)
    lines = enumerate(CALLS.read_text("utf-8").splitlines(), 1)
    marks = [(i, code) for i, line in lines if "  # E: " in line for code in line.partition("  # E: ")[2].split()]
    assert sorted({(int(line), code) for line, code in errors}) == sorted(marks), found.stdout


def test_signatures_are_those_of_the_ops():
    parameters = inspect.signature(mt.sum).parameters
    assert {p.name: p.default for p in parameters.values() if p.default is not p.empty} == {
        "axis": None,
        "keepdims": False,
    }
    assert list(parameters) == ["x", "axis", "keepdims"] and inspect.signature(mt.sum).return_annotation is mt.Tensor


def test_an_editor_reads_which_parameters_are_arrays():
    @mt.op
    def scaled(x, w, *, times=1.0):
        return times * x * w

    @mt.op
    def annotated(x: "mt.Tensor", w: "np.ndarray | None" = None, times: float = 1.0):  # noqa: F821
        return times * x

    assert (getitem.arguments, astype.arguments, index_put.arguments) == (("x",), ("x",), ("x", "values"))
    assert (scaled.arguments, scaled.defaults) == (("x", "w"), {"times": 1.0})
    assert (annotated.arguments, annotated.optional, annotated.defaults) == (("x", "w"), {"w": None}, {"times": 1.0})
    assert annotated(mt.ones(1), None, 2.0).item() == annotated(mt.ones(1), times=2.0).item() == 2.0
    with pytest.raises(TypeError, match="takes at most 3 arguments; got 4"):
        annotated(mt.ones(1), None, 2.0, 3.0)
    with pytest.raises(TypeError, match="got two values for 'times'"):
        annotated(mt.ones(1), None, 2.0, times=3.0)
