"""Generators: one a file, whose stem is its registered name."""
