"""Comparing several models: paired differences, ranks, sweeps over a run, and tables of them."""
