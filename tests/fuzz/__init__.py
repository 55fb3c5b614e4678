"""Campaigns against the command line: what it is given is mutated, what it writes to fails, it is killed.

    python -m tests.fuzz --seconds 60 --seed 3 --only images,kills

The rule for all: what is asked is done, or one clear sentence says why not (exit status 2); never a traceback, never
more than 5 seconds or 1 GB for it, nothing lost, nothing of others touched. Each part is a module with
`campaign(seed, seconds) -> failures`.
"""
