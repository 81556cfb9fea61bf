"""Training gets nowhere: weights that travel, a cycle, a late fall, or a quality that turns for the worse."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from gandiag.core.alert import SEVERITIES
from gandiag.core.signals import QUALITY
from gandiag.monitor.detectors._rules import (
    BETWEEN,
    NOTHING,
    Finding,
    Rule,
    Rules,
    all_of,
    always,
    found,
    number,
    one_of,
)
from gandiag.monitor.detectors._samples import SIGNALS as SAMPLES
from gandiag.monitor.detectors._samples import percentile, smoothed, spread
from gandiag.monitor.detectors._seen import Seen
from gandiag.monitor.detectors._thresholds import PILOT, steps, threshold


@dataclass(frozen=True)
class Thresholds:
    """Limits of `non_convergence`. Losses that oscillate are no failure by themselves (arXiv:1906.04848)."""

    travel: float = threshold(
        0.4, "weights' way in 100 steps over their norm, above which they do not settle", unit="ratio", source=PILOT
    )
    release_travel: float = threshold(0.2, "the same, below which the episode ends", unit="ratio")
    least_variance: float = threshold(0.1, "variance ratio below which the samples agree", unit="ratio")
    most_variance: float = threshold(5.0, "variance ratio above which the samples agree", unit="ratio")
    travel_hold: int = steps(600, "how long the weights must travel", source=PILOT)
    warm_up: int = steps(1300, "silence after the start: 700 steps, and the hold")
    sample_swing: float = threshold(0.8, "10th to 90th percentile of the variance ratio, over its median", unit="ratio")
    auc_swing: float = threshold(
        0.3, "10th to 90th percentile of the AUC, that must swing too", unit="probability", high=1.0
    )
    cycle_travel: float = threshold(
        0.25, "weights' way in 100 steps over their norm, that may swing instead", unit="ratio"
    )
    crossings: int = threshold(5, "crossings of its own median that make it a cycle", unit="count")
    cycle: int = steps(2000, "over which cycles are counted")
    cycle_hold: int = steps(300, "how long it must cycle")
    fall: float = threshold(
        0.6,
        "share of its best that a sample statistic loses",
        unit="share",
        source="arXiv:1809.11096, section 4, and the pilot",
        high=1.0,
    )
    loss_jump: float = threshold(
        6.0, "jump of the discriminator's loss that goes with it", unit="median deviations", source=PILOT
    )
    fall_window: int = steps(2000, "within which it falls", source=PILOT)
    fall_hold: int = steps(200, "how long it must stay down")
    fall_warm_up: int = steps(5000, "steps of good training before a fall is late", source=PILOT)
    quality_errors: float = threshold(
        3.0, "standard errors by which a quality must change", unit="standard errors", source="a normal error bar"
    )
    quality_lost: float = threshold(
        0.5, "share of the gain since the first evaluation that is lost again", unit="share", source="gandiag", high=1.0
    )
    quality_checks: int = threshold(
        2, "evaluations in a row that must be worse", unit="evaluations", source="gandiag", low=1
    )
    quality_patience: int = threshold(10, "evaluations without progress", unit="evaluations", source="gandiag", low=1)


ADVICE = (
    "Check first: beta1 of 0.9 with a cross-entropy loss, and learning rates that are too high for both players.",
    "Try: beta1 of 0 to 0.5 (DCGAN, arXiv:1511.06434), and R1, which makes the game converge locally"
    " (arXiv:1801.04406).",
    "Try: two time scales (TTUR, arXiv:1706.08500), or extragradient (arXiv:1802.10551); decay the learning rates.",
    "Try: an average of the generator's weights, which takes the cycle out of what you ship (arXiv:1806.04498).",
)
LATE = (
    "Check first: did a schedule (learning rate, resolution, augmentation) change at that step?",
    "Go back to a checkpoint from before the fall; stopping early is what BigGAN does (arXiv:1809.11096, section 4).",
    "Try: half the learning rates, R1 (arXiv:1801.04406), or spectral normalisation (arXiv:1802.05957) from there on.",
)
QUALITY_ADVICE = (
    "Check first: is the scorer's sample large enough, and its reference the right one?",
    "Keep the best step: further training does not improve on it.",
    "Try: decaying learning rates, an average of the weights (arXiv:1806.04498), R1 (arXiv:1801.04406); with few data,"
    " augmentation (ADA, arXiv:2006.06676).",
)
FALLING = ("variance_ratio", "coverage", "vendi_ratio")


def judge_travel(player: str, t: Thresholds, seen: Seen) -> Finding:
    """The weights go a large part of their norm in every 100 steps, for many of them."""
    travel = seen.last(f"{player}_update_ratio")
    if travel is None or travel <= t.travel:
        return NOTHING if travel is not None and travel < t.release_travel else BETWEEN
    variance = spread(seen)
    bad = variance is not None and not t.least_variance <= variance <= t.most_variance
    samples = f"; the samples vary {number(variance)} as much as the data" if bad and variance is not None else ""
    message = (
        f"the {player}'s weights go {number(travel)} of their norm in 100 steps, over {number(t.travel)} for"
        f" {t.travel_hold} steps{samples}: the game goes round and does not settle"
    )
    evidence = {f"{player}_update_ratio": travel, "variance_ratio": variance, "auc": seen.last("auc")}
    return found("critical" if bad else "warning", message, evidence, ADVICE)


def judge_cycle(t: Thresholds, seen: Seen) -> Finding:
    """The samples swing to and fro, and the game or the weights with them; either alone is no failure."""
    variances = smoothed(seen.values("variance_ratio", t.cycle, least=20))
    usual = statistics.median(variances) if variances else 0.0
    if usual <= 0:
        return BETWEEN
    swing, turns = _range(variances) / usual, _crossings(variances)
    # Noise crosses its median at every other record, a cycle takes several records for each crossing.
    if swing <= t.sample_swing or not t.crossings <= turns <= len(variances) / 3:
        return NOTHING if swing < t.sample_swing / 2 else BETWEEN
    signs = []
    auc = _range(smoothed(seen.values("auc", t.cycle, least=20)))
    if auc > t.auc_swing:
        signs.append(f"the AUC swings by {number(auc)}, over {number(t.auc_swing)}")
    travel = seen.median("generator_update_ratio", t.cycle)
    if travel is not None and travel > t.cycle_travel:
        signs.append(
            f"the generator's weights go {number(travel)} of their norm in 100 steps, over {number(t.cycle_travel)}"
        )
    if not signs:
        return BETWEEN
    message = (
        f"over {t.cycle} steps the samples' variance swings by {number(swing)} of its median, over"
        f" {number(t.sample_swing)}, {turns} times across it, and {' and '.join(signs)}: the players chase each other"
    )
    evidence = {
        "variance_ratio": seen.last("variance_ratio"),
        "variance_swing": swing,
        "auc_swing": auc,
        "generator_update_ratio": travel,
    }
    return found("warning", message, evidence, ADVICE)


def judge_fall(t: Thresholds, seen: Seen) -> Finding:
    """After a long good time a sample statistic falls, and the discriminator's loss or a gradient jumps with it."""
    loss = seen.median("discriminator_loss", 50)
    before = seen.values("discriminator_loss", 500, lag=100, least=8)
    if loss is not None and before:
        middle = statistics.median(before)
        deviation = statistics.median([abs(value - middle) for value in before])
        if abs(loss - middle) > t.loss_jump * deviation > 0:
            seen.memory["jump_step"] = float(seen.step)
    if seen.age < t.fall_warm_up - 2 * t.fall_hold:
        return BETWEEN
    jumped = seen.step - seen.memory.get("jump_step", -math.inf) <= t.fall_window
    variance = spread(seen)
    fallen = {}
    for name in FALLING:
        now = seen.median(name, t.fall_hold, least=5)
        past = smoothed(seen.values(name, t.fall_window, least=20))
        best = percentile(past, 0.9) if past else 0.0
        if now is not None and best > 0 and now < (1 - t.fall) * best:
            fallen[name] = (now, best)
    if not fallen:
        seen.memory["last_good_step"] = float(seen.step)
        return NOTHING
    # Samples that are all alike are a mode collapse, and told as one.
    if not jumped or (variance is not None and variance < t.least_variance):
        return BETWEEN
    good = seen.memory.get("last_good_step", float(seen.start))
    what = ", ".join(f"{name} from {number(best)} to {number(now)}" for name, (now, best) in fallen.items())
    message = (
        f"{what}: over {number(t.fall)} of its best of {t.fall_window} steps lost for {t.fall_hold} steps, and the"
        f" discriminator's loss jumped: a late collapse; the last good step is {good:.0f}"
    )
    evidence: dict[str, float | None] = {name: now for name, (now, _) in fallen.items()}
    evidence |= {"discriminator_loss": loss, "last_good_step": good}
    return found("critical", message, evidence, (f"The last good step is {good:.0f}.", *LATE))


def judge_quality(t: Thresholds, seen: Seen) -> Finding:
    """What a scorer measured in the loop turned for the worse, or never improved, beyond its error bar."""
    for name in sorted(seen.signals):
        if name.startswith(QUALITY) and not name.endswith(("_stderr", "_better")):
            _evaluated(name, t, seen)
    findings = [_quality(key.removesuffix("/best"), t, seen) for key in sorted(seen.memory) if key.endswith("/best")]
    return max(findings, key=_rank, default=NOTHING)


def _rank(finding: Finding) -> int:
    return -finding.clear if finding.severity is None else 1 + SEVERITIES.index(finding.severity)


def _evaluated(name: str, t: Thresholds, seen: Seen) -> None:
    """Take an evaluation: `/value` is its cost, lower is better; `/mark` the last one that was better beyond doubt."""
    sign = -1.0 if seen.signals.get(f"{name}_better", -1.0) > 0 else 1.0
    value, error = sign * seen.signals[name], abs(seen.signals.get(f"{name}_stderr", 0.0))
    memory = seen.memory
    if memory.get(f"{name}/step") == seen.step:
        return
    memory[f"{name}/step"], memory[f"{name}/value"], memory[f"{name}/sign"] = float(seen.step), value, sign
    if f"{name}/best" not in memory:
        for key in ("first", "best", "mark"):
            memory[f"{name}/{key}"], memory[f"{name}/{key}_error"] = value, error
        memory[f"{name}/best_step"] = float(seen.step)
        memory[f"{name}/since_mark"] = memory[f"{name}/worse"] = memory[f"{name}/improved"] = 0.0
        return
    doubt = t.quality_errors * math.hypot(error, memory[f"{name}/mark_error"])
    memory[f"{name}/since_mark"] += 1
    if value < memory[f"{name}/mark"] - doubt:
        memory[f"{name}/mark"], memory[f"{name}/mark_error"] = value, error
        memory[f"{name}/since_mark"], memory[f"{name}/improved"] = 0.0, 1.0
    if value < memory[f"{name}/best"]:
        memory[f"{name}/best"], memory[f"{name}/best_error"] = value, error
        memory[f"{name}/best_step"] = float(seen.step)
    gain = memory[f"{name}/first"] - memory[f"{name}/best"]
    doubt = t.quality_errors * math.hypot(error, memory[f"{name}/best_error"])
    lost = value - memory[f"{name}/best"]
    # Without an error bar nobody knows what is noise: half of what was gained must be lost, and it is no alarm.
    worse = lost > doubt and lost > t.quality_lost * gain and (error > 0 or gain > 0)
    memory[f"{name}/sure"] = float(error > 0)
    memory[f"{name}/worse"] = memory[f"{name}/worse"] + 1 if worse else 0.0


def _quality(name: str, t: Thresholds, seen: Seen) -> Finding:
    memory = seen.memory
    sign, best_step = memory[f"{name}/sign"], memory[f"{name}/best_step"]
    value, best = sign * memory[f"{name}/value"], sign * memory[f"{name}/best"]
    evidence = {name: value, "best": best, "best_step": best_step}
    plain = name.removeprefix(QUALITY)
    if memory[f"{name}/worse"] >= t.quality_checks:
        sure = memory[f"{name}/sure"] > 0
        errors = f"{number(t.quality_errors)} standard errors and " if sure else ""
        message = (
            f"{plain} is {number(value)} after a best of {number(best)} at step {best_step:.0f}, worse by over"
            f" {errors}{number(t.quality_lost)} of the gain for {t.quality_checks} evaluations: training turned for the"
            " worse"
        )
        return found("warning" if sure else "info", message, evidence, QUALITY_ADVICE)
    if memory[f"{name}/since_mark"] >= t.quality_patience:
        improved = memory[f"{name}/improved"] > 0
        message = (
            f"{plain} is {number(value)} and did not improve by over {number(t.quality_errors)} standard errors in"
            f" {t.quality_patience} evaluations; its best is {number(best)} at step {best_step:.0f}: "
            + ("training has come to rest" if improved else "nothing has been learned so far")
        )
        return found("info" if improved else "warning", message, evidence, QUALITY_ADVICE)
    return NOTHING if not memory[f"{name}/worse"] else BETWEEN


def _range(values: list[float]) -> float:
    """From the 10th to the 90th percentile."""
    return percentile(values, 0.9) - percentile(values, 0.1) if values else 0.0


def _crossings(values: list[float]) -> int:
    """How often a series goes across its median, noise of a tenth of its range left out."""
    middle = statistics.median(values)
    margin = 0.1 * _range(values)
    sides = [value > middle for value in values if abs(value - middle) > margin]
    return sum(one != other for one, other in pairwise(sides))


def fall_warm(t: Thresholds, seen: Seen) -> bool:
    """A fall is late after a long time only."""
    return seen.age >= t.fall_warm_up


PLAYERS = ("generator", "discriminator")
CYCLE = (*all_of("variance_ratio", "auc"), *all_of("variance_ratio", "generator_update_ratio"))
FALL = tuple(frozenset({name, "discriminator_loss"}) for name in FALLING)
DETECTOR = Rules(
    kind="non_convergence",
    thresholds=Thresholds,
    reads=SAMPLES | set(FALLING),
    rules=(
        *(
            Rule(
                f"travel of the {player}",
                one_of(f"{player}_update_ratio"),
                partial(judge_travel, player),
                hold=lambda t: t.travel_hold,
            )
            for player in PLAYERS
        ),
        Rule("cycles", CYCLE, judge_cycle, hold=lambda t: t.cycle_hold),
        Rule("late fall", FALL, judge_fall, hold=lambda t: t.fall_hold, ready=fall_warm),
        Rule("quality", one_of(QUALITY), judge_quality, hold=lambda t: 0, least=1, ready=always),
    ),
)
