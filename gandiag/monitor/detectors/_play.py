"""What several rules ask of the game: how well the discriminator separates, and which way each player pulls.

Some loops score real samples low and fakes high, as the first WGAN code does. That is a convention and no illness.
Which way a player pulls is read from the slope of its loss where that was measured, and else from how its loss and
the scores move together.
"""

from __future__ import annotations

import math

from gandiag.monitor.detectors._seen import Seen

SIGNALS = frozenset(
    {
        "auc",
        "real_score",
        "fake_score",
        "generator_loss",
        "discriminator_loss",
        "discriminator_direction",
        "generator_direction",
    }
)
STEADY = 0.9  # mean direction, -1 to 1, from which on a player pulls one way
TOGETHER = 0.7  # correlation from which on a loss follows a score
WINDOW = 500  # steps
RECORDS = 8


def separation(seen: Seen, constant: int) -> float | None:
    """Exponential mean of the AUC, turned round where both players take it that real samples are scored low.

    Args:
        seen: holds the signals.
        constant: time constant in steps.
    """
    auc = seen.mean("auc", constant)
    if auc is None or auc >= 0.5:
        return auc
    convention = discriminator_direction(seen) == generator_direction(seen) == -1
    return 1 - auc if convention else auc


def measured_directions(seen: Seen) -> bool:
    """Whether both directions are read from slopes: losses hold other terms too, and prove less."""
    return seen.last("discriminator_direction") is not None and seen.last("generator_direction") is not None


def discriminator_direction(seen: Seen) -> int | None:
    """1 where the discriminator's loss pulls real scores up, -1 where it pulls them down, None where nothing tells."""
    if seen.last("discriminator_direction") is not None:
        return _sign(seen.mean("discriminator_direction", WINDOW, least=2), STEADY)
    gaps = _differences(seen, "real_score", "fake_score")
    return _sign(_minus(_correlation(seen, "discriminator_loss", gaps)), TOGETHER)


def generator_direction(seen: Seen) -> int | None:
    """1 where the generator's loss pulls fakes' scores up, -1 where it pulls them down, None where nothing tells."""
    if seen.last("generator_direction") is not None:
        return _sign(seen.mean("generator_direction", WINDOW, least=2), STEADY)
    by_score = _minus(_correlation(seen, "generator_loss", dict(seen.points("fake_score", WINDOW))))
    by_gap = _correlation(seen, "generator_loss", _differences(seen, "real_score", "fake_score"))
    known = [value for value in (by_score, by_gap) if value is not None]
    return _sign(max(known, key=abs), TOGETHER) if known else None


def _sign(value: float | None, limit: float) -> int | None:
    return None if value is None or abs(value) < limit else (1 if value > 0 else -1)


def _minus(value: float | None) -> float | None:
    return None if value is None else -value


def _differences(seen: Seen, one: str, other: str) -> dict[int, float]:
    others = dict(seen.points(other, WINDOW))
    return {step: value - others[step] for step, value in seen.points(one, WINDOW) if step in others}


def _correlation(seen: Seen, name: str, scores: dict[int, float]) -> float | None:
    pairs = [(value, scores[step]) for step, value in seen.points(name, WINDOW) if step in scores]
    pairs = [pair for pair in pairs if all(map(math.isfinite, pair))]
    if len(pairs) < RECORDS:
        return None
    one_mean, other_mean = (math.fsum(pair[side] / len(pairs) for pair in pairs) for side in (0, 1))
    one = [first - one_mean for first, _ in pairs]
    other = [second - other_mean for _, second in pairs]
    # Scaled first, so that no square leaves the range of a float.
    one_scale, other_scale = max(map(abs, one)), max(map(abs, other))
    if not (0 < one_scale < math.inf and 0 < other_scale < math.inf):
        return None
    one, other = [value / one_scale for value in one], [value / other_scale for value in other]
    product = math.fsum(a * b for a, b in zip(one, other, strict=True))
    return product / math.sqrt(math.fsum(a * a for a in one) * math.fsum(b * b for b in other))
