"""Every case of the op table as an ONNX model: the same on other inputs and batches, or refused by the op's name."""

from __future__ import annotations

import collections
import warnings

import numpy as np
import pytest

import minitensor as mt
from minitensor import nn
from tests.minitensor.cases import CASES

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from tests.minitensor.interop.onnx_check import check  # noqa: E402

LINALG = "factorizations and inverses of matrices are not in ONNX"
COMPLEX = "ONNX has no complex arithmetic"
RAW = "its arguments are read as plain values: which entries they choose is Python"
REFUSED = {
    **dict.fromkeys(
        """cholesky cholesky_factor cofactor cofactor_along cond eigen eigh eigvalsh inv inverse lstsq
        mirrored pinv pseudo_inverse qr qr_tall slogdet solve solve_columns solve_triangular svd svdvals""".split(),
        LINALG,
    ),
    **dict.fromkeys(
        """complex conjugate fft fft2 fftn ifft ifft2 ifftn irfft irfft2 irfftn rfft rfft2 rfftn
        view_as_complex""".split(), COMPLEX
    ),
    **dict.fromkeys("bincount histogram".split(), "how long the result is depends on the values"),
    **dict.fromkeys("digamma erfc erfinv lgamma polygamma".split(), "no such function, and none that is as exact"),
    **dict.fromkeys("ctc_loss multilabel_margin_loss".split(), RAW),
    "wins": "only rules and a GPU's scatter use it", "likelihood_slope": "only the gradient of a loss uses it",
}  # fmt: skip
ALSO = {  # of these, some cases are refused
    **dict.fromkeys("getitem add_at index_put".split(), "True and False as an index"),
    **dict.fromkeys("matrix_power matrix_norm matrix_rank norm".split(), LINALG),
    **dict.fromkeys("std var".split(), "fewer entries than the correction"),
    "argwhere": "of a number",
}
APART = {  # what a case must not be held to, and why
    "searchsorted": "the table's sorted row stays sorted only on the example",
    "unique": "onnxruntime takes NaN for equal to anything",
}


class Model(nn.Layer):
    """One case: its arrays are the inputs, its numbers and settings stay."""

    def __init__(self, case):
        self.case = case

    def forward(self, *xs):
        arrays = iter(xs)
        args = [next(arrays) if isinstance(a, np.ndarray) else a for a in self.case.args]
        return self.case.op(*args, **{k: single(v) for k, v in self.case.settings.items()})


def single(x):
    """Bring floats to the dtype that runtimes compute in."""
    return x.astype(np.float32) if isinstance(x, np.ndarray) and x.dtype == np.float64 else x


def judge(case, path):
    """Return "same" (on any batch), "fixed" (the same, the batch stays), "refused", or what is wrong."""
    xs = [mt.Tensor(single(a)) for a in case.args if isinstance(a, np.ndarray)]
    try:
        found = check(Model(case), xs, path)
    except NotImplementedError as error:
        named = case.op.name in str(error) or "complex" in str(error)
        return "refused" if named else f"refused without its name: {error}"
    except AssertionError as error:
        return f"wrong: {error}"[:300]
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:300]
    ends = any(not x.ndim or not x.size for x in xs)
    said = [s for s in found.said if "keeps the example's length" in s]
    return "same" if found.free else "fixed" if said or ends else f"fixed without a word: {found.said}"


NAMES = sorted({case.op.name for case in CASES} - set(APART))
FEW = 5  # cases of one op; all of them are tried by python -m tests.minitensor.interop.test_onnx_ops


def outcomes(name, path, most):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # NaN and infinities are values here
        cases = [case for case in CASES if case.op.name == name]
        return [(case, judge(case, path)) for case in cases[:: -(-len(cases) // most)]]


@pytest.mark.parametrize("name", NAMES)
def test_every_case_is_the_same_or_refused(name, tmp_path):
    found = outcomes(name, tmp_path / "op.onnx", FEW)
    wrong = [f"{case.id}: {what}" for case, what in found if what not in ("same", "fixed", "refused")]
    assert not wrong, "\n".join(wrong)
    real = [what for case, what in found if not _empty(case) and not _complex(case)]
    if name in REFUSED:
        assert set(real) <= {"refused"}
    else:
        assert "refused" not in real or name in ALSO


def _empty(case):
    return any(not np.size(a) for a in case.args if isinstance(a, np.ndarray))


def _complex(case):
    settings = case.settings.values()
    return any(np.iscomplexobj(a) for a in case.args) or any(str(v).startswith("complex") for v in settings)


def test_the_lists_name_ops():
    assert set(REFUSED) | set(ALSO) | set(APART) <= {case.op.name for case in CASES}


if __name__ == "__main__":  # python -m tests.minitensor.interop.test_onnx_ops: the counts
    import pathlib
    import tempfile

    place = pathlib.Path(tempfile.mkdtemp()) / "op.onnx"
    counts = collections.Counter(what for name in NAMES for _, what in outcomes(name, place, len(CASES)))
    print(f"{sum(counts.values())} cases of {len(NAMES)} ops: {dict(counts)}")
