"""Time series as sources: files in a folder or one file of the UCR and UEA archives, and MNIST-1D."""
