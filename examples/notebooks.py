"""The tour as notebooks: `python examples/notebooks.py [NAME ...]` makes notebooks/NAME.ipynb of scripts and runs them.

A name may be the beginning of one, such as 02. Without a name all are taken. `make notebooks` installs what is needed.
"""

import sys
import tempfile
import time
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

HERE = Path(__file__).resolve().parent
OUT = Path("notebooks")
LIMIT = 600  # seconds of a cell


def executed(script: Path) -> nbformat.NotebookNode:
    """Return a script as a notebook with its output; what it writes goes into a folder that is thrown away."""
    notebook = jupytext.read(script)
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(
            notebook, timeout=LIMIT, kernel_name="python3", resources={"metadata": {"path": folder}}
        ).execute()
    return notebook


def main(names: list[str]) -> int:
    """Write the notebooks; 1 if a cell of one has failed."""
    scripts = [path for path in sorted(HERE.glob("[0-9]*.py")) if not names or path.name.startswith(tuple(names))]
    if not scripts:
        print(f"no example begins with {' or '.join(names)}", file=sys.stderr)
        return 1
    OUT.mkdir(exist_ok=True)
    for script in scripts:
        start = time.perf_counter()
        try:
            notebook = executed(script)
        except CellExecutionError as error:
            print(f"{script.name}: {error}", file=sys.stderr)
            return 1
        path = OUT / f"{script.stem}.ipynb"
        nbformat.write(notebook, path)
        print(f"{path}  {len(notebook.cells)} cells, {time.perf_counter() - start:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
