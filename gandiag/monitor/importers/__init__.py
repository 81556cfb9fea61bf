"""Runs that other tools logged, as records of gandiag's signals."""
