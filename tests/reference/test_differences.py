"""The page of differences has every sentence of the docstrings, once for a thing of several names."""

import inspect

import minitensor as mt
from tests.minitensor.test_docstrings import PUBLIC, ROOMS
from tests.reference.differences import found_in, page


def test_every_name_whose_docstring_says_how_it_differs_is_on_the_page():
    text = page()
    names = {
        name for line in text.splitlines() if line.startswith("- **") for name in line[4:].split("**")[0].split(", ")
    }
    for room, name in PUBLIC:
        said = [d for d in found_in(name, inspect.getdoc(getattr(ROOMS[room], name)) or "")]
        assert (name in names) or not said, name
        assert all(d.text.split("; ")[0] in text for d in said), name
    assert len(names) > 100


def test_aliases_share_a_line():
    lines = page().splitlines()
    assert mt.abs is mt.absolute and any(line.startswith("- **abs, absolute**") for line in lines)
    assert "in nothing" not in page()


def test_a_sentence_ends_with_its_paragraph():
    text = "Return x.\n\nMore. Differs from PyTorch (torch.f): it\nis a loop; slow.\n\nNot this."
    (found,) = found_in("f", text)
    assert (found.other, found.text) == ("PyTorch (torch.f)", "it is a loop; slow.")
    assert list(found_in("f", "Differs from NumPy and PyTorch: in nothing.")) == []
