"""The generator's samples are nearly all the same."""

from __future__ import annotations

from dataclasses import dataclass

from gandiag.monitor.detectors._rules import BETWEEN, NOTHING, Finding, Rule, Rules, found, number, one_of
from gandiag.monitor.detectors._samples import SIGNALS as SAMPLES
from gandiag.monitor.detectors._samples import spread
from gandiag.monitor.detectors._seen import Seen
from gandiag.monitor.detectors._thresholds import BENCHMARK, PILOT, steps, threshold


@dataclass(frozen=True)
class Thresholds:
    """Limits of `mode_collapse`."""

    variance_ratio: float = threshold(
        0.1, "variance of fakes over real, below which they are collapsed", unit="ratio", source=PILOT
    )
    severe_variance_ratio: float = threshold(0.02, "the same, beside neighbours as near", unit="ratio", source=PILOT)
    severe_neighbour_ratio: float = threshold(0.15, "nearest-neighbour distance, fakes over real", unit="ratio")
    release_variance_ratio: float = threshold(
        0.2, "variance ratio above which the episode ends", unit="ratio", source=PILOT
    )
    vendi_ratio: float = threshold(
        0.35, "Vendi score of fakes over real (arXiv:2210.02410)", unit="ratio", source=PILOT
    )
    release_vendi_ratio: float = threshold(0.5, "Vendi ratio above which the episode ends", unit="ratio")
    growing: float = threshold(
        1.2,
        "growth of the Vendi ratio over `trend`, above which the generator is still finding modes",
        unit="ratio",
        source=BENCHMARK,
    )
    trend: int = steps(350, "over which the Vendi ratio may grow", source=BENCHMARK)
    hold: int = steps(150, "how long the variance ratio must stay below")
    vendi_hold: int = steps(250, "how long the Vendi ratio must stay below")
    warm_up: int = steps(700, "silence after the start, where samples had spread out before", source=PILOT)
    late_warm_up: int = steps(1000, "silence after the start, where samples never spread out", source=PILOT)
    vendi_warm_up: int = steps(
        3000, "silence after the start, for a Vendi ratio that never was above its release", source=BENCHMARK
    )
    narrow_variance_ratio: float = threshold(
        0.3, "variance ratio below which that silence is the shorter one", unit="ratio", source=BENCHMARK
    )
    severe_warm_up: int = steps(
        600, "silence after the start, where variance and neighbours are both severe", source=BENCHMARK
    )
    started: float = threshold(0.2, "variance ratio at which samples have spread out", unit="ratio", source=PILOT)
    started_hold: int = steps(300, "how long they must have been spread out", source=BENCHMARK)


ADVICE = (
    "Check first: is the latent drawn anew for each batch and used, and are labels, dropout and eval() as meant?",
    "Try: a penalty that smooths the discriminator, R1 (Which Training Methods for GANs do actually Converge?,"
    " arXiv:1801.04406) or WGAN-GP (arXiv:1704.00028).",
    "Try: packing of 2 to 4 samples (PacGAN, arXiv:1712.04086), or minibatch discrimination (Improved Techniques for"
    " Training GANs, arXiv:1606.03498).",
    "Try: a lower learning rate of the generator, or more discriminator steps; go back to the last good step.",
)


def judge_variance(t: Thresholds, seen: Seen) -> Finding:
    """The total variance of the fakes is a small part of the data's."""
    value = spread(seen)
    if value is None:
        return BETWEEN
    if value >= t.started:  # normalisation spreads an untrained generator's noise for a short time
        seen.memory["spread"] = seen.memory.get("spread", 0.0) + seen.step - seen.previous
    if value >= t.release_variance_ratio:
        seen.memory["last_good_step"] = float(seen.step)
        return NOTHING
    if value >= t.variance_ratio:
        return BETWEEN
    neighbours, vendi = seen.last("nearest_neighbour_ratio"), seen.last("vendi_ratio")
    packed = severe(t, seen)
    alike = vendi is not None and vendi < t.vendi_ratio
    agreeing = (f"; their Vendi score is {number(vendi)} of the data's" if alike and vendi is not None else "") + (
        f"; their neighbours are {number(neighbours)} as far" if packed and neighbours is not None else ""
    )
    evidence = {
        "variance_ratio": seen.last("variance_ratio"),
        "pairwise_distance_ratio": seen.last("pairwise_distance_ratio"),
        "vendi_ratio": vendi,
        "nearest_neighbour_ratio": neighbours,
        "last_good_step": seen.memory.get("last_good_step"),
    }
    message = (
        f"the samples vary {number(value)} as much as the data, below {number(t.variance_ratio)} for {t.hold} steps"
        f"{agreeing}: the generator makes nearly one sample"
    )
    return found("critical" if packed or alike else "warning", message, evidence, ADVICE)


def severe(t: Thresholds, seen: Seen) -> bool:
    """Whether the samples are one but for a trace."""
    value, neighbours = spread(seen), seen.last("nearest_neighbour_ratio")
    alike = value is not None and value < t.severe_variance_ratio
    return alike and neighbours is not None and neighbours < t.severe_neighbour_ratio


def judge_vendi(t: Thresholds, seen: Seen) -> Finding:
    """The fakes are, effectively, far fewer different samples than as many of the data, and do not become more."""
    value = seen.last("vendi_ratio")
    if value is not None and value >= t.release_vendi_ratio:
        seen.memory["different"] = 1.0
    if value is None or value >= t.vendi_ratio:
        return NOTHING if value is not None and value >= t.release_vendi_ratio else BETWEEN
    before, now = seen.median("vendi_ratio", t.trend // 2, lag=t.trend), seen.median("vendi_ratio", t.trend // 2)
    if before is not None and now is not None and now > t.growing * before:
        return BETWEEN
    variance = spread(seen)
    message = (
        f"the Vendi score of the samples is {number(value)} of the data's, below {number(t.vendi_ratio)} for"
        f" {t.vendi_hold} steps: the generator makes few different samples"
    )
    both = variance is not None and variance < t.variance_ratio
    evidence = {"vendi_ratio": value, "variance_ratio": variance, "coverage": seen.last("coverage")}
    return found("critical" if both else "warning", message, evidence, ADVICE)


def ready(t: Thresholds, seen: Seen) -> bool:
    """Untrained generators make nearly one sample; longer patience where samples never spread out."""
    if severe(t, seen):
        return seen.age >= t.severe_warm_up
    spread_out = seen.memory.get("spread", 0.0) >= t.started_hold
    return seen.age >= (t.warm_up if spread_out else t.late_warm_up)


def ready_vendi(t: Thresholds, seen: Seen) -> bool:
    """Few different samples are usual early, in simple models for long; told sooner where more speaks for it."""
    variance = spread(seen)
    narrow = variance is not None and variance < t.narrow_variance_ratio
    return seen.age >= (t.late_warm_up if "different" in seen.memory or narrow else t.vendi_warm_up)


DETECTOR = Rules(
    kind="mode_collapse",
    thresholds=Thresholds,
    reads=SAMPLES | {"nearest_neighbour_ratio", "coverage"},
    rules=(
        Rule(
            "variance of the samples",
            one_of("variance_ratio", "pairwise_distance_ratio"),
            judge_variance,
            hold=lambda t: t.hold,
            ready=ready,
        ),
        Rule(
            "Vendi score", one_of("vendi_ratio"), judge_vendi, hold=lambda t: t.vendi_hold, least=4, ready=ready_vendi
        ),
    ),
)
