"""The reference of all public names as pages, and the list of what differs from NumPy and PyTorch."""
