"""Windows that slide over images: convolution, pooling, interpolation and their adjoints."""
