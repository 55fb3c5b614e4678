"""Layers for sequences: recurrent, attention, transformer, embedding."""
