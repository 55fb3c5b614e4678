"""An argument of NumPy's function that ours lacks is named in the docstring, or in the package's for all."""

import inspect

import numpy as np
import pytest

import minitensor as mt
from tests.minitensor.signatures import common, difference, lacks, pairs, unsaid

BY_ALL = common(mt, "functions")
BY_UFUNCS = common(mt, "ufuncs")
ROOMS = ((mt, np), (mt.linalg, np.linalg), (mt.fft, np.fft))
PAIRS = [pytest.param(*pair, id=pair[0]) for ours, theirs in ROOMS for pair in pairs(ours, theirs)]


def test_there_is_something_to_compare():
    assert len(PAIRS) > 200


def known(theirs):
    """Return what the package's docstring says for all of this kind."""
    return BY_ALL | BY_UFUNCS if isinstance(theirs, np.ufunc) else BY_ALL


@pytest.mark.parametrize(("name", "ours", "theirs"), PAIRS)
def test_every_argument_that_is_missing_is_named(name, ours, theirs):
    missing = unsaid(ours, theirs, "NumPy", known(theirs))
    assert not missing, f'{name}: say in "Differs from NumPy: ..." that there is no {", ".join(missing)}'
    assert not known(theirs) & set(inspect.signature(ours).parameters)  # what all lack, this one lacks


def test_the_lists_for_all_name_what_is_missing_somewhere():
    functions = [p.values[1:] for p in PAIRS]
    assert {a for pair in functions for a in lacks(*pair)} >= BY_ALL
    assert {a for pair in functions for a in lacks(*pair) if isinstance(pair[1], np.ufunc)} >= BY_UFUNCS


def test_a_made_up_omission_is_found():
    def theirs(x, axis=None, *, keepdims=False, kind="quick", where=True, _hidden=None, dim=0, **settings):
        pass

    def silent(x, axis=None):
        """Return x. No kind, but that is not said where it should be.

        Differs from NumPy: in nothing. Differs from PyTorch: no kind, no keepdims.

        >>> silent(1)  # no kind
        """

    def frank(x, axis=None):
        """Differs from NumPy: no `kind` and keepdims. Differs from PyTorch: in nothing."""

    def refers(x, axis=None):
        """Differs from NumPy and PyTorch: as `var` does; no kind, keepdims."""

    assert lacks(silent, theirs) == ["keepdims", "kind", "where"]  # dim is axis; names with _ are private
    assert unsaid(silent, theirs, "NumPy", {"where"}) == ["keepdims", "kind"]
    assert unsaid(silent, theirs, "PyTorch", {"where"}) == []
    assert unsaid(frank, theirs, "NumPy", {"where"}) == []
    assert unsaid(frank, theirs, "NumPy", set()) == ["where"]
    assert unsaid(refers, theirs, "NumPy", {"where"}) == [] and "ddof" in difference(refers, "NumPy")
    assert unsaid(theirs, theirs, "NumPy", set()) == []


def test_a_package_that_says_nothing_for_all_is_found():
    with pytest.raises(AssertionError, match="no list"):
        common(mt, "wheels")
