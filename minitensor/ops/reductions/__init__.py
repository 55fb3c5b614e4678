"""Sums, means, extrema, scans, statistics and counts over axes."""
