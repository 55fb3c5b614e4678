"""Names of languages, countries, months and currencies in 20 languages: `data/languages/train.csv` and `test.csv`.

    pip install babel
    python -m benchmarks.languages

Of Babel's copy of the Unicode CLDR. All languages write with Latin letters. A name that two of them share says nothing
and is left out. A fifth of the things that have names are held out, in all languages at once, so that no test name is
a training name in another language's spelling.
"""

import csv
from collections import Counter
from pathlib import Path

import numpy as np

LANGUAGES = "cs da de en es et fi fr hr hu id it nb nl pl pt ro sv tr vi".split()
OUT = Path("data") / "languages"


def names(code: str) -> dict[str, str]:
    """Return what things are called in a language, by a code of the thing."""
    from babel import Locale

    locale = Locale(code)
    found = {f"{kind} {key}": str(name) for kind in ("languages", "territories", "currencies")
             for key, name in getattr(locale, kind).items()}  # fmt: skip
    months = {**locale.months["format"]["wide"]} | {f"d{k}": day for k, day in locale.days["format"]["wide"].items()}
    return found | {f"time {key}": str(name) for key, name in months.items()}


def main() -> None:
    """Write both files."""
    every = {code: names(code) for code in LANGUAGES}
    counts = Counter(name.lower() for named in every.values() for name in set(named.values()))
    things = sorted(set().union(*every.values()))
    held_out = set(np.random.default_rng(0).permutation(things)[: len(things) // 5].tolist())
    OUT.mkdir(parents=True, exist_ok=True)
    for part in ("train", "test"):
        rows = sorted(
            {
                (name, code)
                for code, named in every.items()
                for thing, name in named.items()
                if counts[name.lower()] == 1 and (thing in held_out) == (part == "test") and not name.isupper()
            }
        )
        with (OUT / f"{part}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("text", "language"), *rows])
        print(f"{OUT / part}.csv: {len(rows)} names in {len(LANGUAGES)} languages")


if __name__ == "__main__":
    main()
