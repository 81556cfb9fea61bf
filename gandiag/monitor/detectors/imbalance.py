"""One player is trained far more than the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gandiag.monitor.detectors._rules import BETWEEN, NOTHING, Finding, Rule, Rules, all_of, found, number
from gandiag.monitor.detectors._seen import Seen
from gandiag.monitor.detectors._thresholds import PILOT, steps, threshold


@dataclass(frozen=True)
class Thresholds:
    """Limits of `imbalance`, which is for information: two time scales are often meant (TTUR, arXiv:1706.08500)."""

    ratio: float = threshold(
        30.0, "one player's steps, learning rate or travel over the other's", unit="ratio", low=1.0, source=PILOT
    )
    hold: int = steps(1000, "how long it must last", source=PILOT)
    warm_up: int = steps(700, "silence after the start", source=PILOT)


ADVICE = (
    "Check first: are both optimizers stepped as often as you mean, and does a gradient scaler skip one of them?",
    "Usual are 1 to 5 discriminator steps and learning rates within a factor of 5 (WGAN-GP, arXiv:1704.00028; TTUR,"
    " arXiv:1706.08500).",
)


def taken(name: str, seen: Seen) -> float | None:
    """Steps over the last 500 steps of the run."""
    counts = seen.values(name, 500, least=2)
    return counts[-1] - counts[0] if counts else None


def latest(name: str, seen: Seen) -> float | None:
    """The last value."""
    return seen.last(name)


def middle(name: str, seen: Seen) -> float | None:
    """The median of the last 500 steps."""
    return seen.median(name, 500)


def compare(what: str, signal: str, value: Callable[[str, Seen], float | None]) -> Rule[Thresholds]:
    """A rule on the ratio of the two players' values; a player that stands still is a broken loop, not an imbalance."""

    def judge(t: Thresholds, seen: Seen) -> Finding:
        one, other = value(f"discriminator_{signal}", seen), value(f"generator_{signal}", seen)
        if one is None or other is None or one <= 0 or other <= 0:
            return BETWEEN
        ratio = one / other
        if 1 / t.ratio <= ratio <= t.ratio:
            return NOTHING if 2 / t.ratio <= ratio <= t.ratio / 2 else BETWEEN
        more, less = ("discriminator", "generator") if ratio > 1 else ("generator", "discriminator")
        times = max(ratio, other / one)  # the ratio itself may have become 0
        message = (
            f"the {more} has {number(times)} times the {what} of the {less}, over {number(t.ratio)} for"
            f" {t.hold} steps: the game is lopsided, unless you mean it so"
        )
        return found("info", message, {f"discriminator_{signal}": one, f"generator_{signal}": other}, ADVICE)

    needs = all_of(*(f"{player}_{signal}" for player in ("generator", "discriminator")))
    return Rule(what, needs, judge, hold=lambda t: t.hold)


DETECTOR = Rules(
    kind="imbalance",
    thresholds=Thresholds,
    rules=(
        compare("steps", "steps", taken),
        compare("learning rate", "learning_rate", latest),
        compare("weights' travel", "update_ratio", middle),
    ),
)
