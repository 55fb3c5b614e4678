"""The verbs of the command line: each is a function from its words to an exit code, over the Python API."""
