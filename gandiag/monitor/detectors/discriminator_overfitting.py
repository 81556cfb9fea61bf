"""The discriminator knows its training samples by heart."""

from __future__ import annotations

from dataclasses import dataclass

from gandiag.monitor.detectors._rules import BETWEEN, NOTHING, Finding, Rule, Rules, found, number, one_of
from gandiag.monitor.detectors._seen import Seen
from gandiag.monitor.detectors._thresholds import PILOT, steps, threshold


@dataclass(frozen=True)
class Thresholds:
    """Limits of `discriminator_overfitting`, never critical: good large GANs overfit too (arXiv:1809.11096)."""

    held_out_auc: float = threshold(
        0.75, "AUC of trained against held-out real samples", unit="probability", high=1.0, source=PILOT
    )
    held_out_gap: float = threshold(
        0.5,
        "how far held-out scores lie from real to fake, r_v",
        unit="ratio",
        source="ADA, arXiv:2006.06676, and the pilot",
    )
    release_auc: float = threshold(0.7, "AUC below which the episode ends", unit="probability", high=1.0)
    d_prime: float = threshold(
        0.5, "separation of real and fake that makes the gap meaningful", unit="standard deviations", source=PILOT
    )
    window: int = steps(150, "over which medians are taken")
    hold: int = steps(150, "how long it must last")
    warm_up: int = steps(1000, "silence after the start", source=PILOT)


ADVICE = (
    "Check first: is the held-out batch prepared like the training data, and how many training samples are there?",
    "Try: augment what the discriminator sees (ADA, arXiv:2006.06676; DiffAugment, arXiv:2006.10738).",
    "Try: the LeCam regulariser (arXiv:2104.03310), R1 (arXiv:1801.04406), a smaller discriminator, or dropout in it.",
    "Keep the checkpoint with the best held-out score; large GANs overfit and are good all the same"
    " (arXiv:1809.11096).",
)


def judge(t: Thresholds, seen: Seen) -> Finding:
    """It scores samples that it was trained on above others of the same data."""
    auc = seen.median("held_out_auc", t.window)
    gap, separated = seen.median("held_out_gap", t.window), seen.median("d_prime", t.window)
    if auc is None or auc <= t.held_out_auc:
        return NOTHING if auc is not None and auc < t.release_auc else BETWEEN
    wide = gap is not None and gap > t.held_out_gap and (separated is None or abs(separated) > t.d_prime)
    evidence = {"held_out_auc": auc, "held_out_gap": gap, "d_prime": separated}
    lead = f"the discriminator scores a trained sample above a held-out one with probability {number(auc)}"
    limits = f"(median of {t.window} steps), over {number(t.held_out_auc)} for {t.hold} steps"
    if not wide or gap is None:
        return found("info", f"{lead} {limits}: it begins to learn its samples by heart", evidence, ADVICE)
    message = (
        f"{lead} {limits}, and held-out scores lie {number(gap)} of the way to the fakes, over"
        f" {number(t.held_out_gap)}:"
        " it knows its samples by heart"
    )
    return found("warning", message, evidence, ADVICE)


DETECTOR = Rules(
    kind="discriminator_overfitting",
    thresholds=Thresholds,
    reads=frozenset({"held_out_gap", "d_prime"}),
    rules=(Rule("held-out samples", one_of("held_out_auc"), judge, hold=lambda t: t.hold),),
)
