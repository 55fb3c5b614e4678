"""The training loop, its log, and `train`."""
