"""The tables that scikit-learn has, as files."""

import csv
from pathlib import Path
from typing import Any

from jepa.errors import DataError
from jepa.files.atomic import replacing

SAMPLES = {"wine": "load_wine", "breast-cancer": "load_breast_cancer", "digits": "load_digits"}
"""name -> its function there: 178 wines of 3 growers by 13 measurements, 569 tumors by 30, 1797 digits by 64 pixels"""


def write_sample(name: str, path: Path) -> Path:
    """Write a table as a .csv, its classes in the column `class`; return the path.

    Raises DataError if scikit-learn is not installed; the message names the command.
    """
    try:
        from sklearn import datasets
    except ImportError as error:
        raise DataError(f"source.dataset={name} needs scikit-learn: pip install 'minitensor-jepa[eval]'") from error
    found: Any = getattr(datasets, SAMPLES[name])()
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*found.feature_names, "class"])
        rows = zip(found.data.tolist(), found.target.tolist(), strict=True)
        writer.writerows([*row, found.target_names[k]] for row, k in rows)
    return path
