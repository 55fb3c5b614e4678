"""`python -m minitensor.functions`: write the stubs, after an op got a public name."""

from pathlib import Path

from minitensor.functions import fft, linalg  # noqa: F401, they enter their rooms
from minitensor.functions.names import ROOMS, stub

for room in ROOMS:
    Path(__file__).with_name(f"{room or '__init__'}.pyi").write_text(stub(room), "utf-8")
