"""What `--device auto` stands for."""

import minitensor as mt


def choose_device(asked: str) -> str:
    """Return the device that `auto` stands for: a GPU if CuPy finds one, else the CPU; other names as they are.

    >>> choose_device("cpu")
    'cpu'
    """
    if asked != "auto":
        return asked
    try:
        return mt.zeros(1, device="cuda").device
    except Exception:  # no CuPy, no driver, no toolkit: all of them mean the CPU
        return "cpu"
