"""Gradients or scores grow without bound."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

from gandiag.monitor.detectors._rules import BETWEEN, NOTHING, Finding, Rule, Rules, all_of, found, number, one_of, warm
from gandiag.monitor.detectors._samples import spread
from gandiag.monitor.detectors._seen import Seen
from gandiag.monitor.detectors._thresholds import PILOT, steps, threshold


@dataclass(frozen=True)
class Thresholds:
    """Limits of `exploding_gradient`."""

    jump: float = threshold(
        30.0, "gradient norm over its trailing median, above which it jumped", unit="ratio", source=PILOT
    )
    beyond: float = threshold(
        3.0, "gradient norm over its own past peak, which it must exceed too", unit="ratio", source=PILOT
    )
    level: float = threshold(
        1e4, "gradient norm that is too large, where another signal agrees", unit="norm", source=PILOT
    )
    scores: float = threshold(1e4, "largest score, the mean taken off, that is too large", unit="score", source=PILOT)
    release: float = threshold(10.0, "times the norm before the jump, below which the episode ends", unit="ratio")
    travel: float = threshold(0.4, "weights' way in 100 steps over their norm, that agrees", unit="ratio")
    loss: float = threshold(10.0, "loss over its trailing median, that agrees", unit="ratio")
    least_variance: float = threshold(0.1, "variance ratio of samples, below which they agree", unit="ratio")
    most_variance: float = threshold(5.0, "variance ratio of samples, above which they agree", unit="ratio")
    window: int = steps(20, "over which it must stay large", source=PILOT)
    trailing: int = steps(500, "over which the trailing median is taken", source=PILOT)
    lag: int = steps(100, "that baseline and peak lie back", source=PILOT)
    hold: int = steps(20, "how long it must last", source=PILOT)
    warm_up: int = steps(700, "silence after the start: healthy gradients rise 100-fold there", source=PILOT)
    level_warm_up: int = steps(300, "the same, for levels", source=PILOT)


ADVICE = (
    "Check first: a critic without a Lipschitz constraint (WGAN without clipping or penalty), a bad batch, float16.",
    "Try: a lower learning rate of both players, and beta1 of 0 to 0.5 (DCGAN, arXiv:1511.06434).",
    "Try: a gradient penalty of weight 10 (WGAN-GP, arXiv:1704.00028), R1 (arXiv:1801.04406), or spectral normalisation"
    " (arXiv:1802.05957), which bounds the gradients (arXiv:2009.02773).",
    "Try: clipping the gradient norm, after you know where it comes from; go back to a step before the jump.",
)


def judge_jump(player: str, t: Thresholds, seen: Seen) -> Finding:
    """The median gradient norm left its trailing baseline and its own history behind."""
    name = f"{player}_gradient_norm"
    now = lasting(name, t, seen)
    lag = max(t.lag, 3 * (seen.step - seen.previous))  # in a log with few records the jump must not become its own past
    past = seen.median(name, t.trailing, lag=lag, least=5)
    peak = seen.peak(name, now, lag)
    base = seen.memory.get(f"{player}_base")
    if now is None or past is None or peak is None or clipped(name, seen):
        return BETWEEN
    if now > t.jump * past and now > t.beyond * peak and past > 0:
        seen.memory.setdefault(f"{player}_base", past)
        agreeing = _agreeing(player, t, seen)
        beyond = now / peak if peak else math.inf
        message = (
            f"the {player}'s gradient norm is {number(now)} (at least, over {t.window} steps), {number(now / past)}"
            f" times its"
            f" trailing median {number(past)} over {number(t.jump)}, and {number(beyond)} times its past peak over"
            f" {number(t.beyond)}{agreeing}: training diverges"
        )
        evidence = {name: now, "trailing_median": past, "past_peak": peak, **_more(player, seen)}
        return found("critical" if agreeing else "warning", message, evidence, ADVICE)
    if base is not None and now < t.release * base:
        del seen.memory[f"{player}_base"]
        base = None
    return NOTHING if base is None else BETWEEN


def judge_level(player: str, t: Thresholds, seen: Seen) -> Finding:
    """A huge gradient norm means nothing by itself, since losses have any scale; with a second sign it does."""
    name = f"{player}_gradient_norm"
    now = lasting(name, t, seen)
    if now is None or now <= t.level or clipped(name, seen):
        return NOTHING
    agreeing = _agreeing(player, t, seen)
    if not agreeing:
        return BETWEEN
    message = (
        f"the {player}'s gradient norm is {number(now)} (at least, over {t.window} steps), over {number(t.level)}"
        f"{agreeing}: training diverges"
    )
    return found("critical", message, {name: now, **_more(player, seen)}, ADVICE)


def judge_scores(t: Thresholds, seen: Seen) -> Finding:
    """The discriminator's outputs are huge, an offset of all of them taken off: only differences matter."""
    size = lasting("score_magnitude", t, seen)
    real, fake = seen.median("real_score", t.window), seen.median("fake_score", t.window)
    if size is None or real is None or fake is None:
        return BETWEEN
    reach = size - min(abs(real), abs(fake))
    if reach <= t.scores:
        return NOTHING if reach <= t.scores / 2 else BETWEEN
    message = (
        f"the discriminator's scores reach {number(reach)} beyond their mean (at least, over {t.window} steps), over"
        f" {number(t.scores)}: nothing bounds the discriminator"
    )
    evidence = {"score_magnitude": size, "real_score": real, "fake_score": fake}
    return found("warning", message, evidence, ADVICE)


def lasting(name: str, t: Thresholds, seen: Seen) -> float | None:
    """The least value of the window, so that one wild batch, or one record, is nothing."""
    return min(seen.values(name, t.window, least=2), default=None)


def clipped(name: str, seen: Seen) -> bool:
    """Whether half of the recent norms are one value, as clipping makes them; a level then says nothing."""
    values = seen.values(name, 200, least=6)
    if not values:
        return False
    top = sorted(values)[len(values) // 2]
    return top > 0 and sum(abs(value - top) <= 1e-3 * top for value in values) >= max(4, len(values) / 2)


def level_warm(t: Thresholds, seen: Seen) -> bool:
    """The warm-up of the rules on levels."""
    return seen.age >= t.level_warm_up


def _agreeing(player: str, t: Thresholds, seen: Seen) -> str:
    """What else says that training diverges, in words; empty where nothing does."""
    signs = []
    travel = seen.last(f"{player}_update_ratio")
    if travel is not None and travel > t.travel:
        signs.append(f"its weights go {number(travel)} of their norm in 100 steps")
    variance = spread(seen)
    if variance is not None and not t.least_variance <= variance <= t.most_variance:
        signs.append(f"the samples vary {number(variance)} as much as the data")
    loss = seen.median(f"{player}_loss", t.window)
    before = seen.median(f"{player}_loss", t.trailing, lag=t.lag, least=5)
    if loss is not None and before is not None and abs(loss) > t.loss * abs(before) > 0:
        signs.append(f"its loss went from {number(before)} to {number(loss)}")
    return "".join(f"; {sign}" for sign in signs)


def _more(player: str, seen: Seen) -> dict[str, float | None]:
    names = (f"{player}_update_ratio", f"{player}_loss", "variance_ratio")
    return {name: seen.last(name) for name in names}


PLAYERS = ("generator", "discriminator")
DETECTOR = Rules(
    kind="exploding_gradient",
    thresholds=Thresholds,
    reads=frozenset({"variance_ratio", "pairwise_distance_ratio"}).union(
        *({f"{player}_update_ratio", f"{player}_loss"} for player in PLAYERS)
    ),
    rules=(
        *(
            Rule(
                f"gradient of the {player}",
                one_of(f"{player}_gradient_norm"),
                partial(judge, player),
                hold=lambda t: t.hold,
                least=1,
                ready=ready,
            )
            for judge, ready in ((judge_jump, warm), (judge_level, level_warm))
            for player in PLAYERS
        ),
        Rule(
            "scores",
            all_of("score_magnitude", "real_score", "fake_score"),
            judge_scores,
            hold=lambda t: t.hold,
            least=2,
            ready=level_warm,
        ),
    ),
)
