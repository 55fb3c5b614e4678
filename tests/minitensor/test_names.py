"""Public names stand at the ops: an op that is added in its own file is found, typed, exported and tested."""

import shutil
import subprocess
import sys

import pytest

import minitensor as mt
from minitensor.functions import names
from minitensor.op import Op
from tests.recipes import ROOT, run

FILE = '''"""A third power."""

from minitensor.backend import Array
from minitensor.op import op


@op("floating", "complex", public="cubed linalg.cubed")
def cubed(x: Array, scale: float = 1.0) -> Array:
    """y = scale x³

    >>> import minitensor as mt
    >>> mt.cubed([2.0])
    Tensor float32 (1,): [8.]
    """
    return scale * x * x * x


def write(t, xs, s, y):
    t.emit("Mul", [t.step("Pow", [t.name(xs[0]), t.name(3.0, y.dtype)]), t.name(s["scale"], y.dtype)], y)


cubed.vjp(x=lambda g, x, scale: g * (3 * scale) * x * x)
cubed.onnx = write
'''
CASE = """
from minitensor.ops.elementwise.cubed import cubed
case(cubed, normal(2, 3), ref=lambda x: x**3)
case(cubed, normal(3) + 1j * normal(3), ref=lambda x: 2 * x**3, scale=2.0)
"""
USE = """
import numpy as np
import minitensor as mt
from minitensor.interop.onnx import export
from onnxruntime import InferenceSession

assert {"cubed"} <= set(mt.__all__) & set(mt.linalg.__all__) and mt.cubed is mt.linalg.cubed
assert mt.cubed([1, 2], 2.0).tolist() == [2.0, 16.0] and mt.cubed.__doc__.startswith("y = scale")
class Model(mt.nn.Layer):
    def forward(self, x):
        return mt.cubed(x, scale=0.5)
x = mt.randn(2, 3)
export(Model(), x, "cubed.onnx")
(y,) = InferenceSession("cubed.onnx").run(None, {"input": x.numpy()})
np.testing.assert_allclose(y, 0.5 * x.numpy() ** 3, rtol=1e-5)
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """Return a folder with the package, an op more in it, and the table with its cases."""
    folder = tmp_path_factory.mktemp("copy")
    ignored = shutil.ignore_patterns("__pycache__", "data", "jepa", "fuzz", "parity", "reference")
    for package in ("minitensor", "tests"):
        shutil.copytree(ROOT / package, folder / package, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", folder)
    (folder / "minitensor/ops/elementwise/cubed.py").write_text(FILE, "utf-8")
    with (folder / "tests/minitensor/cases/elementwise.py").open("a", encoding="utf-8") as table:
        table.write(CASE)
    return folder


def test_an_op_in_a_file_of_its_own_is_public_and_exported(copy):
    pytest.importorskip("onnxruntime")
    run(copy, "-c", USE)


def test_the_table_checks_it(copy):
    found = run(
        copy,
        "-m",
        "pytest",
        "-q",
        "-n0",
        "-pno:cacheprovider",
        "tests/minitensor/test_ops.py",
        "-kcubed or every_op_has",
    )
    assert " passed" in found and "failed" not in found


@pytest.mark.timeout(600)
def test_mypy_and_editors_see_its_signature(copy):
    run(copy, "-m", "minitensor.functions")
    (copy / "user.py").write_text('import minitensor as mt\nreveal_type(mt.linalg.cubed)\nmt.cubed(1, scale="a")\n')
    words = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(copy / "cache"), "user.py"]
    found = subprocess.run(words, cwd=copy, text=True, capture_output=True).stdout
    assert '"def (x: Any, scale: float =) -> minitensor.tensor.Tensor"' in found, found
    assert 'user.py:3: error: Argument "scale" has incompatible type' in found, found


@pytest.mark.parametrize("room", names.ROOMS)
def test_the_stubs_are_written_anew(room):
    file = ROOT / "minitensor/functions" / f"{room or '__init__'}.pyi"
    assert file.read_text("utf-8") == names.stub(room), "run python -m minitensor.functions"


def test_two_ops_of_one_name_are_refused(monkeypatch):
    twin = Op(lambda x: x, public="linalg.det")
    monkeypatch.setitem(names.registry, "minitensor.ops.twin", twin)
    with pytest.raises(TypeError, match="both declared as 'linalg.det'"):
        names.declared("linalg")


def test_a_function_is_one_under_all_its_names():
    assert mt.arccos is mt.acos and mt.linalg.norm is mt.norm and mt.permute is mt.transpose
