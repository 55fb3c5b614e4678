"""Every figure in the README comes out of here: `python -m benchmarks`, `python -m benchmarks results`."""
