"""An argument of PyTorch's layer, function or optimizer that ours lacks is named in the docstring, or for all."""

import pytest
import torch

import minitensor as mt
from minitensor import nn, optim
from tests.minitensor.signatures import common, lacks, pairs, unsaid

pytestmark = pytest.mark.parity

LAYERS, LOSSES = common(nn, "layers"), common(nn, "losses and their functions")
ROOMS = (
    (nn, torch.nn),
    (nn.functional, torch.nn.functional),
    (nn.init, torch.nn.init),
    (nn.parametrize, torch.nn.utils.parametrize),
    (nn.parametrizations, torch.nn.utils.parametrizations),
    (optim, torch.optim),
)
PAIRS = [pytest.param(*pair, id=f"{ours.__name__}.{pair[0]}") for ours, theirs in ROOMS for pair in pairs(ours, theirs)]


@pytest.fixture(autouse=True)
def kernels():
    """Nothing is computed: once is enough, whatever the kernels."""


def known(name, ours):
    """Return what the packages' docstrings say for all of this kind."""
    losses = LOSSES if name.lower().endswith(("loss", "entropy", "with_logits", "kl_div")) else set()
    return losses | (LAYERS if isinstance(ours, type) and issubclass(ours, mt.nn.Layer) else set())


def test_there_is_something_to_compare():
    assert len(PAIRS) > 230


@pytest.mark.parametrize(("name", "ours", "theirs"), PAIRS)
def test_every_argument_that_is_missing_is_named(name, ours, theirs):
    missing = unsaid(ours, theirs, "PyTorch", known(name, ours))
    assert not missing, f'{name}: say in "Differs from PyTorch: ..." that there is no {", ".join(missing)}'


def test_the_lists_for_all_name_what_is_missing_somewhere():
    missing = {a for name, ours, theirs in (p.values for p in PAIRS) for a in lacks(ours, theirs)}
    assert missing >= LAYERS | LOSSES


def test_a_made_up_omission_is_found():
    class Twisted(torch.nn.Linear):
        def __init__(self, in_features, out_features, bias=True, twist=None, device=None):
            super().__init__(in_features, out_features, bias, device)

    assert unsaid(nn.Linear, Twisted, "PyTorch", known("Linear", nn.Linear)) == ["twist"]
