"""Normalization as layers: over the batch, over features, over groups."""
