"""Shapes: reshape, join, repeat, pad, reverse; no entry changes its value."""
