"""How far raters agree, and how far their number is worth as many independent answers."""

from __future__ import annotations

from collections.abc import Sequence

Counts = Sequence[tuple[int, int]]  # for each rater: successes, trials


def design_effect(counts: Counts) -> float:
    """Variance of a share over that of as many independent answers, 1 or more: answers of one person are alike.

    The ratio estimator over clusters (Kish, Survey Sampling, 1965, section 5.4); 1 for fewer than two raters.
    """
    total = sum(trials for _, trials in counts)
    hits = sum(successes for successes, _ in counts)
    raters = len(counts)
    if raters < 2 or hits in (0, total):
        return 1.0
    share = hits / total
    spread = sum((successes - share * trials) ** 2 for successes, trials in counts)
    clustered = raters / (raters - 1) * spread / total**2
    return max(1.0, clustered / (share * (1 - share) / total))


def fleiss_kappa(ratings: Sequence[tuple[int, int]]) -> float | None:
    """Agreement beyond chance over items (Fleiss 1971): 1 for full, 0 for chance; None where it is not defined.

    Args:
        ratings: for each item, how many raters gave the one and the other answer; items with one rater are left out.
    """
    items = [(one, other) for one, other in ratings if one + other > 1]
    if not items:
        return None
    observed = sum((a * (a - 1) + b * (b - 1)) / ((a + b) * (a + b - 1)) for a, b in items) / len(items)
    total = sum(a + b for a, b in items)
    share = sum(a for a, _ in items) / total
    chance = share**2 + (1 - share) ** 2
    return None if chance == 1 else (observed - chance) / (1 - chance)
