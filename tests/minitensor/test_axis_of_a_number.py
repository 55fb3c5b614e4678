"""One rule for axis 0 of a number, and its other name -1: it is one lane of one entry.

What reduces, runs, sorts, reads, writes or reorders along an axis takes it and returns what it returns for that lane;
what cuts into pieces, joins, transforms, or multiplies vectors needs an axis that is there, and says so.
"""

import inspect

import numpy as np
import pytest

import minitensor as mt

X, PLACE = mt.Tensor(2.0), mt.Tensor(0)
NEEDS_AN_AXIS = set(
    """array_split chunk concat concatenate cross diagonal diff glu permute permute_dims rot90 split swiglu tensordot
    trace transpose unbind unstack vecdot fft ifft rfft irfft fft2 ifft2 rfft2 irfft2 fftn ifftn rfftn irfftn fftshift
    ifftshift softmax2d""".split()
)
MAKES_AN_AXIS = {"stack", "expand_dims", "repeat"}
GIVEN = {
    "indices": PLACE, "index": PLACE, "src": X, "source": X, "values": X, "q": 0.5, "k": 1, "repeats": 2, "shift": 1,
    "chunks": 1, "indices_or_sections": 1, "reduce": "sum", "destination": 0, "axis2": 0, "a": X, "b": X, "x2": X,
    "input2": X, "xs": [X],
}  # fmt: skip


def functions():
    found = {}
    for place in (mt, mt.linalg, mt.fft, mt.nn.functional, mt.Tensor):
        for name in dir(place):
            f = getattr(place, name)
            if name.startswith("_") or not callable(f) or isinstance(f, type):
                continue
            names = list(inspect.signature(f).parameters)
            which = [p for p in ("axis", "dim", "axes", "axis1", "source") if p in names]
            if which and not (which[0] == "source" and name != "moveaxis"):
                found[f"{getattr(place, '__name__', 'minitensor')}.{name}"] = (f, which[0])
    return found


FUNCTIONS = functions()


def call(f, which, axis):
    parameters = inspect.signature(f).parameters
    first = next(iter(parameters))
    given = {n: GIVEN[n] for n, p in list(parameters.items())[1:] if n in GIVEN and n != which and p.default is p.empty}
    xs = [X] if parameters[first].kind is inspect.Parameter.VAR_POSITIONAL or first != "xs" else [[X]]
    return f(*xs, **given, **{which: (axis,) if which == "axes" else axis})


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("axis", [0, -1])
def test_axis_of_a_number(name, axis):
    f, which = FUNCTIONS[name]
    short = name.rpartition(".")[2]
    if which == "axes" and name.startswith("minitensor.tensor"):
        pytest.skip("axes are positional")
    if short in NEEDS_AN_AXIS:
        with pytest.raises((ValueError, IndexError, TypeError)):
            call(f, which, axis)
        return
    results = call(f, which, axis)
    for y in results if isinstance(results, tuple) else (results,):
        assert y.shape == ((2,) if short == "repeat" else (1,) if short in MAKES_AN_AXIS else ())
    if short not in MAKES_AN_AXIS:
        with pytest.raises(IndexError):
            call(f, which, 1)


def test_gradients_pass_through_the_lane():
    for f in (
        lambda x: mt.flip(x, 0), lambda x: mt.roll(x, 1, 0), lambda x: mt.swapaxes(x, 0, -1),
        lambda x: x.moveaxis(0, 0), lambda x: mt.take_along_axis(x, PLACE, 0), lambda x: mt.sort(x, 0),
        lambda x: mt.cumsum(x, 0),
        lambda x: mt.put_along_axis(mt.Tensor(1.0), PLACE, x, 0), lambda x: mt.logsumexp(x, -1),
    ):  # fmt: skip
        x = mt.Tensor(2.0, requires_grad=True)
        y = f(x)
        y.backward()
        assert y.shape == () and x.grad.item() == 1 and np.isclose(y.item(), 2)
