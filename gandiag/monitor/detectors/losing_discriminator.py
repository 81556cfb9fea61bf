"""The discriminator is worse than chance, or at chance while the samples are bad."""

from __future__ import annotations

from dataclasses import dataclass

from gandiag.monitor.detectors._play import SIGNALS as PLAY
from gandiag.monitor.detectors._play import discriminator_direction, separation
from gandiag.monitor.detectors._rules import BETWEEN, NOTHING, Finding, Rule, Rules, found, number, one_of
from gandiag.monitor.detectors._samples import SIGNALS as SAMPLES
from gandiag.monitor.detectors._samples import spread
from gandiag.monitor.detectors._seen import Seen
from gandiag.monitor.detectors._thresholds import PILOT, steps, threshold


@dataclass(frozen=True)
class Thresholds:
    """Limits of `losing_discriminator`. An AUC of 0.5 is equilibrium or blindness, and only the samples tell which."""

    auc: float = threshold(0.3, "AUC below which the discriminator loses", unit="probability", high=1.0, source=PILOT)
    severe_auc: float = threshold(
        0.1, "AUC below which its loss must agree that it loses", unit="probability", high=1.0, source=PILOT
    )
    release_auc: float = threshold(0.4, "AUC above which the episode ends", unit="probability", high=1.0)
    blind: float = threshold(
        0.1, "distance of the AUC from 0.5, within which it cannot tell", unit="probability", high=0.5, source=PILOT
    )
    least_variance: float = threshold(0.2, "variance ratio below which samples are bad", unit="ratio", source=PILOT)
    most_variance: float = threshold(5.0, "variance ratio above which samples are bad", unit="ratio", source=PILOT)
    constant: int = steps(100, "time constant of the mean AUC", source=PILOT)
    hold: int = steps(300, "how long it must lose")
    blind_hold: int = steps(500, "how long it must be blind", source=PILOT)
    warm_up: int = steps(1000, "silence after the start; a collapse that blinds it is told by then")


ADVICE = (
    "Check first: is the discriminator trained at all (its learning rate, its step, the labels of its loss)?",
    "Try: a higher learning rate of the discriminator than of the generator (TTUR, arXiv:1706.08500), as 4e-4 to"
    " 1e-4 in"
    " SAGAN (arXiv:1805.08318), or 2 to 5 discriminator steps.",
    "Try: a larger discriminator, less dropout or noise in it, or a weaker spectral constraint.",
    "If your critic scores real samples low on purpose: give the monitor its losses, and it turns the AUC round.",
)


def judge_losing(t: Thresholds, seen: Seen) -> Finding:
    """It scores fakes above real samples although it is trained to do the opposite."""
    auc = separation(seen, t.constant)
    if auc is None or auc >= t.auc:
        return NOTHING if auc is not None and auc >= t.release_auc else BETWEEN
    direction = discriminator_direction(seen)
    # By its own measure it does not lose, or nothing tells whether it does: broken_loop looks after that.
    if direction == -1 or (direction is None and auc < t.severe_auc):
        return BETWEEN
    variance = spread(seen)
    bad = variance is not None and not t.least_variance <= variance <= t.most_variance
    message = (
        f"AUC {number(auc)} (mean over {t.constant} steps), below {number(t.auc)} for {t.hold} steps"
        f"{_samples(variance) if bad else ''}: the discriminator takes fakes for real, and misleads the generator"
    )
    evidence = {"auc": auc, "variance_ratio": variance, "discriminator_loss": seen.last("discriminator_loss")}
    return found("critical" if bad else "warning", message, evidence, ADVICE)


def judge_blind(t: Thresholds, seen: Seen) -> Finding:
    """It cannot tell real from fake, and samples with the wrong variance say that it should."""
    auc, variance = seen.mean("auc", t.constant), spread(seen)
    if auc is None or variance is None:
        return BETWEEN
    if abs(auc - 0.5) >= t.blind or t.least_variance <= variance <= t.most_variance:
        return NOTHING
    message = (
        f"AUC {number(auc)} (mean over {t.constant} steps), within {number(t.blind)} of chance for {t.blind_hold} steps"
        f"{_samples(variance)}, outside {number(t.least_variance)} to {number(t.most_variance)}: this is no"
        f" equilibrium,"
        " the discriminator is blind"
    )
    return found("warning", message, {"auc": auc, "variance_ratio": variance}, ADVICE)


def _samples(variance: float | None) -> str:
    return "" if variance is None else f", while the samples vary {number(variance)} as much as the data"


DETECTOR = Rules(
    kind="losing_discriminator",
    thresholds=Thresholds,
    reads=PLAY | SAMPLES,
    rules=(
        Rule("scores", one_of("auc"), judge_losing, hold=lambda t: t.hold),
        Rule("scores", one_of("auc"), judge_blind, hold=lambda t: t.blind_hold, least=5),
    ),
)
