"""The learning rate along a run, a function of the step alone."""

from __future__ import annotations


def factor(step: int, steps: int, decay_from: float) -> float:
    """What the learning rate of a step, counted from 0, is multiplied by.

    It is 1 up to step `decay_from * steps`, then falls linearly and would be 0 after the last step.
    """
    start = decay_from * steps
    return 1.0 if step < start else (steps - step) / (steps - start)
