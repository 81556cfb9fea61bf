"""The discriminator is perfect and the generator does not learn from it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gandiag.monitor.detectors._play import SIGNALS as PLAY
from gandiag.monitor.detectors._play import separation
from gandiag.monitor.detectors._rules import BETWEEN, NOTHING, Finding, Rule, Rules, all_of, found, number, one_of
from gandiag.monitor.detectors._samples import SIGNALS as SAMPLES
from gandiag.monitor.detectors._samples import spread
from gandiag.monitor.detectors._seen import Seen
from gandiag.monitor.detectors._thresholds import PILOT, steps, threshold


@dataclass(frozen=True)
class Thresholds:
    """Limits of `overpowering_discriminator`; a perfect one alone is no failure (arXiv:1809.11096, section 4.2)."""

    auc: float = threshold(
        0.995, "AUC above which the discriminator is perfect", unit="probability", high=1.0, source=PILOT
    )
    release_auc: float = threshold(0.98, "AUC below which the episode ends", unit="probability", high=1.0, source=PILOT)
    real_confidence: float = threshold(
        0.99, "confidence on real, that stands for an AUC not measured", unit="probability", high=1.0
    )
    fake_confidence: float = threshold(
        1e-3, "confidence on fakes, below which they are hopeless", unit="probability", high=1.0
    )
    variance_ratio: float = threshold(
        0.2, "variance of fakes over real, below which the generator is stuck", unit="ratio", source=PILOT
    )
    gradient: float = threshold(
        1e-6,
        "root mean square of the generator's gradient, below which it is stuck",
        unit="per parameter",
        source=PILOT,
    )
    slope: float = threshold(
        1e-3, "slope of the generator's loss, below which the gradient vanishes instead", unit="per score"
    )
    constant: int = steps(100, "time constant of the mean AUC", source=PILOT)
    hold: int = steps(300, "how long it must last", source=PILOT)
    warm_up: int = steps(600, "silence after the start, where fakes are hopeless for any discriminator", source=PILOT)
    spread_warm_up: int = steps(750, "before which the samples' variance is no sign by itself")


ADVICE = (
    "Check first: can the discriminator tell real from fake by the format alone (range [-1, 1] against [0, 1], resize,"
    " quantisation, borders)?",
    "Try: R1 (arXiv:1801.04406), spectral normalisation (arXiv:1802.05957) or a gradient penalty (arXiv:1704.00028).",
    "Try: a learning rate of the discriminator 2 to 4 times lower, or fewer of its steps; one-sided labels of 0.9"
    " (Improved Techniques for Training GANs, arXiv:1606.03498).",
    "With few data: augment what the discriminator sees (ADA, arXiv:2006.06676; DiffAugment, arXiv:2006.10738).",
)


def judge(t: Thresholds, seen: Seen) -> Finding:
    """It separates without error, and the samples, the confidence or the gradient say that the generator is stuck."""
    auc = separation(seen, t.constant)
    real, fake = seen.mean("real_confidence", t.constant), seen.mean("fake_confidence", t.constant)
    sure = real is not None and fake is not None and real > t.real_confidence and fake < t.fake_confidence
    if auc is None and real is None:
        return BETWEEN
    if (auc is not None and auc <= t.auc) or (auc is None and not sure):
        ended = auc < t.release_auc if auc is not None else real is not None and real < t.release_auc
        return NOTHING if ended else BETWEEN
    slope = seen.median("loss_slope", t.constant)
    if slope is not None and slope < t.slope:  # no gradient at all: vanishing_gradient tells that
        return BETWEEN
    signs = []
    if sure and fake is not None:
        signs.append(f"the fakes' confidence is {number(fake)}")
    size = seen.median("generator_gradient_norm", t.constant)
    if size is not None:
        per_parameter = size / math.sqrt(max(1.0, seen.last("generator_parameters") or 1.0))
        if per_parameter < t.gradient:
            signs.append(f"the generator's gradient has a root mean square of {number(per_parameter)}")
    variance = spread(seen)
    if variance is not None and variance < t.variance_ratio and (signs or seen.age >= t.spread_warm_up):
        signs.append(f"the samples vary {number(variance)} as much as the data")
    measured = f"AUC {number(auc)}" if auc is not None else f"confidence {number(real or 0.0)} on real samples"
    evidence = {
        "auc": auc,
        "real_confidence": real,
        "fake_confidence": fake,
        "variance_ratio": variance,
        "generator_gradient_norm": size,
        "loss_slope": slope,
    }
    lead = f"the discriminator separates real from fake with {measured} (mean over {t.constant} steps), over"
    limit = number(t.auc if auc is not None else t.real_confidence)
    if not signs and seen.age < t.spread_warm_up:
        return BETWEEN
    if not signs:
        message = f"{lead} {limit} for {t.hold} steps; by itself no failure: watch the quality of the samples"
        return found("info", message, evidence, ADVICE)
    message = f"{lead} {limit} for {t.hold} steps; {'; '.join(signs)}: the generator does not learn from it"
    return found("critical" if len(signs) > 1 else "warning", message, evidence, ADVICE)


DETECTOR = Rules(
    kind="overpowering_discriminator",
    thresholds=Thresholds,
    reads=PLAY
    | SAMPLES
    | {"real_confidence", "fake_confidence", "generator_gradient_norm", "generator_parameters", "loss_slope"},
    rules=(
        Rule("scores", (*one_of("auc"), *all_of("real_confidence", "fake_confidence")), judge, hold=lambda t: t.hold),
    ),
)
