"""Texts as a source: files and tables of them, and the vocabulary that makes numbers of their words or bytes."""
