"""The generator's gradient is gone: it had one, and gets none that it could learn from."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gandiag.monitor.detectors._play import SIGNALS as PLAY
from gandiag.monitor.detectors._play import separation
from gandiag.monitor.detectors._rules import BETWEEN, NOTHING, Finding, Rule, Rules, all_of, found, number, one_of
from gandiag.monitor.detectors._seen import Seen
from gandiag.monitor.detectors._thresholds import PILOT, steps, threshold


@dataclass(frozen=True)
class Thresholds:
    """Limits of `vanishing_gradient`."""

    gradient: float = threshold(
        1e-7,
        "root mean square of the generator's gradient, below which it is gone",
        unit="per parameter",
        source="SageMaker Debugger and DeepDiagnosis, and the pilot",
    )
    ratio: float = threshold(
        1e-3, "gradient norm over its own peak, below which it is gone", unit="ratio", source=PILOT
    )
    slope: float = threshold(
        1e-3, "slope of the generator's loss by the score, below which it is flat", unit="per score"
    )
    auc: float = threshold(0.99, "AUC above which the discriminator wins", unit="probability", high=1.0, source=PILOT)
    release: float = threshold(10.0, "times a limit, above which the episode ends", unit="ratio", low=1.0)
    window: int = steps(100, "over which medians are taken", source=PILOT)
    hold: int = steps(100, "how long it must last")
    warm_up: int = steps(400, "silence after the start", source=PILOT)


ADVICE = (
    "Check first: is the generator's loss log(1 - D)? It is flat where the discriminator wins; minimise -log D instead"
    " (Generative Adversarial Networks, arXiv:1406.2661).",
    "Check: a discriminator without gradient, by dead units, float16 underflow, or a sigmoid before a loss that"
    " takes logits.",
    "Try: a least-squares, hinge or Wasserstein loss (arXiv:1611.04076, arXiv:1701.07875), R1 (arXiv:1801.04406),"
    " or noise"
    " on the discriminator's input (Towards Principled Methods for Training GANs, arXiv:1701.04862).",
    "Try: fewer discriminator steps, or a lower learning rate of the discriminator.",
)


NONE = 0.99  # share of steps without gradient, from which on there is none


def judge_gone(t: Thresholds, seen: Seen) -> Finding:
    """The gradient is numerically nothing."""
    size = seen.median("generator_gradient_norm", t.window)
    zero = seen.median("generator_gradient_zero", t.window)
    latest = seen.last("generator_gradient_zero")
    if latest is not None and latest < NONE:  # a few steps are enough: what never had one is a broken loop
        seen.memory["had_gradient"] = 1.0
    if zero is None and size is not None and size > 0:
        seen.memory["had_gradient"] = 1.0
    if size is None and zero is None:
        return BETWEEN
    per_parameter = (size or 0.0) / math.sqrt(max(1.0, seen.last("generator_parameters") or 1.0))
    nothing = zero is not None and zero >= NONE
    if "had_gradient" not in seen.memory:  # it never had one: that is a broken loop
        return BETWEEN
    if not nothing and per_parameter >= t.gradient:
        return NOTHING if per_parameter >= t.release * t.gradient else BETWEEN
    auc = separation(seen, t.window)
    slope = seen.last("loss_slope")
    beaten = auc is not None and auc > t.auc
    flat = slope is not None and slope < t.slope
    what = "is exactly 0" if nothing or not size else f"has a root mean square of {number(per_parameter)}"
    agreeing = (f"; the discriminator wins with AUC {number(auc)}" if beaten and auc is not None else "") + (
        f"; the slope of its loss is {number(slope)}" if flat and slope is not None else ""
    )
    message = (
        f"the generator's gradient {what} (median of {t.window} steps), below {number(t.gradient)} for {t.hold}"
        f" steps{agreeing}: the generator cannot learn"
    )
    return found("critical" if beaten or flat else "warning", message, _evidence(seen, auc), ADVICE)


def judge_faded(t: Thresholds, seen: Seen) -> Finding:
    """The gradient is a thousandth of what it was, or the loss flat, and the discriminator wins."""
    size = seen.median("generator_gradient_norm", t.window)
    peak = seen.peak("size", size if seen.age >= t.window else None, t.window)
    auc = separation(seen, t.window)
    slope = seen.median("loss_slope", t.window)
    faded = size is not None and peak is not None and size < t.ratio * peak
    flat = slope is not None and slope < t.slope
    if auc is None or auc <= t.auc or not (faded or flat):
        shrunk = size is not None and peak is not None and size < t.release * t.ratio * peak
        level = slope is not None and slope < t.release * t.slope
        return BETWEEN if shrunk or level else NOTHING
    signs = []
    if faded and size is not None and peak is not None:
        signs.append(
            f"the generator's gradient norm is {number(size)}, {number(size / peak)} of its peak {number(peak)}"
        )
    if flat and slope is not None:
        signs.append(f"the generator's loss is flat, with slope {number(slope)}")
    message = (
        f"{' and '.join(signs)} (median of {t.window} steps, limit {number(t.ratio if faded else t.slope)}), while the"
        f" discriminator wins with AUC {number(auc)} over {number(t.auc)}: the generator gets no usable gradient"
    )
    return found("critical" if faded and flat else "warning", message, _evidence(seen, auc), ADVICE)


def _evidence(seen: Seen, auc: float | None) -> dict[str, float | None]:
    names = ("generator_gradient_norm", "generator_gradient_zero", "loss_slope", "fake_confidence")
    return {**{name: seen.last(name) for name in names}, "auc": auc}


FADED = (*all_of("generator_gradient_norm", "auc"), *all_of("loss_slope", "auc"))
DETECTOR = Rules(
    kind="vanishing_gradient",
    thresholds=Thresholds,
    reads=PLAY | {"generator_parameters", "fake_confidence"},
    rules=(
        Rule(
            "gradient of the generator",
            one_of("generator_gradient_norm", "generator_gradient_zero"),
            judge_gone,
            hold=lambda t: t.hold,
        ),
        Rule("a lost game", FADED, judge_faded, hold=lambda t: t.hold),
    ),
)
