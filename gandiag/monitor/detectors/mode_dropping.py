"""Samples still vary, but part of what the generator once made is gone."""

from __future__ import annotations

from dataclasses import dataclass

from gandiag.monitor.detectors._rules import BETWEEN, NOTHING, Finding, Rule, Rules, all_of, found, number, one_of
from gandiag.monitor.detectors._samples import SIGNALS as SAMPLES
from gandiag.monitor.detectors._samples import percentile, spread
from gandiag.monitor.detectors._seen import Seen
from gandiag.monitor.detectors._thresholds import BENCHMARK, PILOT, steps, threshold


@dataclass(frozen=True)
class Thresholds:
    """Limits of `mode_dropping`; all are relative to the run's own past, since absolute ones misfire."""

    coverage_left: float = threshold(
        0.3, "coverage over its own best, below which modes are lost", unit="ratio", source=PILOT
    )
    least_coverage: float = threshold(
        0.2, "best coverage (arXiv:2002.09797) below which the rule says nothing", unit="share", source=PILOT
    )
    vendi_left: float = threshold(
        0.5, "Vendi ratio over its 90th percentile, below which modes are lost", unit="ratio", source=PILOT
    )
    both_coverage_left: float = threshold(
        0.55,
        "coverage over its own best, below which modes are lost where the Vendi ratio agrees",
        unit="ratio",
        source=BENCHMARK,
    )
    both_vendi_left: float = threshold(
        0.65, "the Vendi ratio that agrees, over its 90th percentile", unit="ratio", source=BENCHMARK
    )
    collapsed: float = threshold(
        0.2,
        "variance of fakes over real, below which it is on its way to a mode collapse",
        unit="ratio",
        source=BENCHMARK,
    )
    release: float = threshold(0.7, "share of its best above which the episode ends", unit="ratio")
    window: int = steps(200, "over which medians are taken", source=BENCHMARK)
    memory: int = steps(5000, "over which the 90th percentile of the Vendi ratio is taken")
    settled: int = steps(500, "after the start, before which the Vendi ratio does not count")
    hold: int = steps(200, "how long it must stay below", source=BENCHMARK)
    warm_up: int = steps(1500, "silence after the start", source=PILOT)


ADVICE = (
    "Check first: did the data, the labels or the augmentation change at that step? Does the discriminator still"
    " see all classes?",
    "Try: packing of 2 to 4 samples (PacGAN, arXiv:1712.04086), or a larger batch (BigGAN, arXiv:1809.11096).",
    "Try: R1 against a forgetful discriminator (arXiv:1801.04406), or a mode-seeking loss for conditional generators"
    " (MSGAN, arXiv:1903.05628).",
    "Go back to a checkpoint from before the drop.",
)


def coverage(t: Thresholds, seen: Seen) -> tuple[float, float] | None:
    """Coverage now, and its best; None where it tells nothing."""
    now = seen.median("coverage", t.window)
    best = seen.peak("coverage", now, t.window)
    if now is None or best is None or best <= t.least_coverage or collapsing(t, seen):
        return None
    return now, best


def vendi(t: Thresholds, seen: Seen) -> tuple[float, float] | None:
    """The Vendi ratio now, and what it was at its best; None where it tells nothing."""
    now = seen.median("vendi_ratio", t.window)
    past = seen.values("vendi_ratio", min(t.memory, max(1, seen.age - t.settled)), least=10)
    if now is None or seen.age < t.warm_up or not past or collapsing(t, seen):
        return None
    return now, min(1.0, percentile(past, 0.9))


def collapsing(t: Thresholds, seen: Seen) -> bool:
    """Samples that become all alike lose their modes too, and are told as a collapse."""
    variance = spread(seen)
    return variance is not None and variance < t.collapsed


def judge_coverage(t: Thresholds, seen: Seen) -> Finding:
    """Coverage is a small part of its own best."""
    known = coverage(t, seen)
    if known is None:
        return BETWEEN
    now, best = known
    if now >= t.coverage_left * best:
        return NOTHING if now >= t.release * best else BETWEEN
    message = (
        f"coverage fell to {number(now)} (median of {t.window} steps) from a best of {number(best)}, below"
        f" {number(t.coverage_left)} of it for {t.hold} steps: the generator lost modes that it had"
    )
    return found("warning", message, _evidence(seen, best), ADVICE)


def judge_vendi(t: Thresholds, seen: Seen) -> Finding:
    """The effective number of different samples halved."""
    known = vendi(t, seen)
    if known is None:
        return BETWEEN
    now, best = known
    if now >= t.vendi_left * best:
        return NOTHING if now >= t.release * best else BETWEEN
    message = (
        f"the Vendi score of the samples fell to {number(now)} of the data's (median of {t.window} steps) from"
        f" {number(best)}, below {number(t.vendi_left)} of it for {t.hold} steps: the generator lost modes that it had"
    )
    return found("warning", message, _evidence(seen, best), ADVICE)


def judge_both(t: Thresholds, seen: Seen) -> Finding:
    """Both fell, each less than would tell by itself."""
    of_coverage, of_vendi = coverage(t, seen), vendi(t, seen)
    if of_coverage is None or of_vendi is None:
        return BETWEEN
    (now, best), (now_vendi, best_vendi) = of_coverage, of_vendi
    if now >= t.both_coverage_left * best or now_vendi >= t.both_vendi_left * best_vendi:
        return NOTHING if now >= t.release * best or now_vendi >= t.release * best_vendi else BETWEEN
    message = (
        f"coverage fell to {number(now)} from a best of {number(best)}, below {number(t.both_coverage_left)} of it, and"
        f" the Vendi score of the samples to {number(now_vendi)} of the data's from {number(best_vendi)}, below"
        f" {number(t.both_vendi_left)} of it (medians of {t.window} steps), for {t.hold} steps: the generator lost"
        " modes that it had"
    )
    return found("warning", message, _evidence(seen, best), ADVICE)


def _evidence(seen: Seen, best: float) -> dict[str, float | None]:
    names = ("coverage", "vendi_ratio", "variance_ratio")
    return {**{name: seen.last(name) for name in names}, "best": best}


DETECTOR = Rules(
    kind="mode_dropping",
    thresholds=Thresholds,
    reads=SAMPLES,
    rules=(
        Rule("coverage", one_of("coverage"), judge_coverage, hold=lambda t: t.hold),
        Rule("Vendi score", one_of("vendi_ratio"), judge_vendi, hold=lambda t: t.hold),
        Rule("Vendi score", all_of("coverage", "vendi_ratio"), judge_both, hold=lambda t: t.hold),
    ),
)
