"""Layers that slide windows over images: convolution, pooling, padding, resizing."""
