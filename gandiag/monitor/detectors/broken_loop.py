"""The training loop itself has a bug: no gradient, a player that stands still, or swapped labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from gandiag.monitor.detectors._play import (
    RECORDS,
    WINDOW,
    discriminator_direction,
    generator_direction,
    measured_directions,
)
from gandiag.monitor.detectors._play import SIGNALS as PLAY
from gandiag.monitor.detectors._rules import (
    BETWEEN,
    NOTHING,
    Finding,
    Needs,
    Rule,
    Rules,
    all_of,
    always,
    found,
    number,
    one_of,
)
from gandiag.monitor.detectors._seen import Seen
from gandiag.monitor.detectors._thresholds import BENCHMARK, PILOT, steps, threshold


@dataclass(frozen=True)
class Thresholds:
    """Limits of `broken_loop`."""

    zero: float = threshold(
        0.99, "share of steps without gradient, from which on there is none", unit="share", high=1.0
    )
    cut: float = threshold(0.01, "gradient norm before it went, over its own median, that makes it a cut", unit="ratio")
    slope: float = threshold(1e-3, "slope of the generator's loss, below which its gradient vanishes", unit="per score")
    thrown: float = threshold(
        0.4,
        "weights' way in 100 steps over their norm, above which they were thrown about",
        unit="ratio",
        source=BENCHMARK,
    )
    alone: int = steps(500, "of one player, in which the other takes none", source=PILOT)
    swapped_auc: float = threshold(
        0.1, "AUC below which labels are swapped", unit="probability", high=1.0, source=PILOT
    )
    won_auc: float = threshold(
        0.99, "AUC above which nobody plays against the discriminator", unit="probability", high=1.0
    )
    constant: int = steps(100, "time constant of the mean AUC")
    no_gradient_hold: int = steps(20, "how long the gradient must be missing", source=PILOT)
    cut_hold: int = steps(50, "how long a gradient that was there must be missing")
    still_hold: int = steps(100, "how long learning rate or weights must stand still")
    swapped_hold: int = steps(200, "how long the players must pull the same way", source=PILOT)
    warm_up: int = steps(500, "silence after the start, for swapped labels", source=PILOT)
    sure_warm_up: int = steps(200, "the same, where both losses' slopes show that they are", source=BENCHMARK)


NO_GRADIENT = (
    "Check: a `detach()` or `no_grad()` around the fakes in this player's own step, or `requires_grad_(False)`"
    " never undone.",
    "Check: was the optimizer built on these parameters, before they were replaced, moved or wrapped?",
    "No hyper-parameter helps; fix the loop. A player that you freeze on purpose needs no watching.",
)
NO_STEP = (
    "Check: is its `optimizer.step()` called, with the right parameters, or does a gradient scaler skip every step?",
    "Check: a learning rate of 0, and schedules that start at 0.",
    "If you train the other player alone at first on purpose, attach the monitor afterwards.",
)
SWAPPED = (
    "Check: which label stands for real in each of the two losses, and the sign of each loss.",
    "Check: are real and fake exchanged in a call, or in what was handed to monitor.observe()?",
    "If your critic scores real samples low on purpose: give the monitor its losses, and it turns the AUC round.",
)


PLAYERS = ("generator", "discriminator")


def judge_gradient(player: str, t: Thresholds, seen: Seen) -> Finding:
    """It has no gradient, and never had one."""
    zero = seen.last(f"{player}_gradient_zero")
    if zero is None:
        return BETWEEN
    if zero < t.zero:
        seen.memory[f"{player}_had"] = 1.0
    if f"{player}_had" in seen.memory:
        return NOTHING
    message = (
        f"the {player} had no gradient, or exactly 0, in {zero:.0%} of its steps since the monitor began, over"
        f" {t.zero:.0%} for {t.no_gradient_hold} steps: nothing reaches it"
    )
    evidence = {f"{player}_gradient_zero": zero, f"{player}_steps": seen.last(f"{player}_steps")}
    return found("critical", message, evidence, NO_GRADIENT)


def judge_cut(t: Thresholds, seen: Seen) -> Finding:
    """The generator's gradient was there, and is gone from one record to the next, while the game is open."""
    zero, size = seen.last("generator_gradient_zero"), seen.signals.get("generator_gradient_norm")
    memory = seen.memory
    if zero is None or zero < t.zero:
        if zero == 0 and size is not None:
            memory["before"] = size
            memory["usual"] = seen.median("generator_gradient_norm", 500, least=1) or size
            memory["auc_before"] = seen.mean("auc", t.constant) or 0.5
        return NOTHING
    # A gradient that fades away, or is gone because the discriminator wins, is a vanishing gradient.
    faded = memory.get("before", 0.0) <= t.cut * memory.get("usual", 0.0)
    flat = (seen.last("loss_slope") or 1.0) < t.slope
    # So is one that was gone after the weights were thrown about.
    thrown = any(max(seen.values(f"{each}_update_ratio", 200, least=1), default=0.0) > t.thrown for each in PLAYERS)
    if faded or flat or thrown or memory.get("auc_before", 0.5) > t.won_auc:
        return BETWEEN
    message = (
        f"the generator's gradient went from a norm of {number(memory['before'])} to none at once, in {zero:.0%} of"
        f" its steps, over {t.zero:.0%} for {t.cut_hold} steps: it was cut off"
    )
    evidence = {"generator_gradient_zero": zero, "norm_before": memory["before"]}
    return found("critical", message, evidence, NO_GRADIENT)


def judge_steps(player: str, other: str, t: Thresholds, seen: Seen) -> Finding:
    """One player's optimizer is not stepped while the other's is."""
    mine, others = seen.last(f"{player}_steps"), seen.last(f"{other}_steps")
    if mine is None or others is None:
        return BETWEEN
    memory, name, since, count = seen.memory, f"{player}_count", f"{player}_since", mine
    if memory.get(name) != count:
        memory[name] = count
        # A player that has not been stepped at all stands still from the beginning of the run.
        memory[since] = others if count else 0.0
    gone = others - memory[since]
    if gone < t.alone:
        return NOTHING if gone == 0 else BETWEEN
    message = (
        f"the {player} was not updated in the last {gone:.0f} steps of the {other}, over {t.alone}: it does not train"
    )
    auc = seen.mean("auc", t.constant)
    evidence = {f"{player}_steps": count, f"{other}_steps": others, "auc": auc}
    lost = auc is not None and not 1 - t.won_auc <= auc <= t.won_auc
    return found("critical" if lost or gone >= 4 * t.alone else "warning", message, evidence, NO_STEP)


def judge_still(player: str, t: Thresholds, seen: Seen) -> Finding:
    """It is stepped, but its learning rate or its weights' travel has been exactly 0 all along."""
    rate, travel = seen.last(f"{player}_learning_rate"), seen.last(f"{player}_update_ratio")
    moved = f"{player}_moved"
    if (travel or 0.0) > 0 or (rate or 0.0) > 0:
        seen.memory[f"{player}_rate"] = max(rate or 0.0, seen.memory.get(f"{player}_rate", 0.0))
    if (travel or 0.0) > 0:
        seen.memory[moved] = 1.0
    stepped = (seen.last(f"{player}_steps") or 0.0) > 0
    no_rate = rate == 0 and seen.memory.get(f"{player}_rate", 0.0) == 0
    no_travel = travel == 0 and moved not in seen.memory
    if not stepped or not (no_rate or no_travel):
        return NOTHING
    what = "learning rate is 0" if no_rate else "weights have not changed at all"
    message = (
        f"the {player}'s {what} since the monitor began, for {t.still_hold} steps, where any change is expected: it"
        " does not train"
    )
    evidence = {
        f"{player}_learning_rate": rate,
        f"{player}_update_ratio": travel,
        f"{player}_steps": seen.last(f"{player}_steps"),
    }
    return found("critical", message, evidence, NO_STEP)


def judge_swapped(t: Thresholds, seen: Seen) -> Finding:
    """Both players pull the scores the same way, so that they do not play against each other."""
    auc = seen.mean("auc", t.constant)
    if auc is None:
        return BETWEEN
    low, high = auc < t.swapped_auc, auc > t.won_auc
    if not (low or high):
        return NOTHING if t.swapped_auc * 2 < auc else BETWEEN
    one, other = discriminator_direction(seen), generator_direction(seen)
    together = one is not None and other is not None and one != other
    seen.memory["sure"] = float(together and measured_directions(seen))
    if high and not (together and measured_directions(seen)):
        return NOTHING
    if low and not together and (one == 1 or (one == -1 and other == -1)):
        return BETWEEN  # a discriminator that loses, or a convention
    evidence = {
        "auc": auc,
        "discriminator_loss": seen.last("discriminator_loss"),
        "generator_loss": seen.last("generator_loss"),
    }
    measured = f"AUC {number(auc)} (mean over {t.constant} steps)"
    if together:
        up, down = ("generator", "discriminator") if one == -1 else ("discriminator", "generator")
        message = (
            f"{measured}, {'below' if low else 'over'} {number(t.swapped_auc if low else t.won_auc)} for"
            f" {t.swapped_hold} steps, and the loss of the {up} rewards high scores of its samples where that of the"
            f" {down} rewards low ones, so that both want the same: labels or a sign are swapped"
        )
        return found("critical", message, evidence, SWAPPED)
    if 0 < len(seen.values("discriminator_loss", WINDOW, least=1)) < RECORDS:
        return BETWEEN  # soon the losses tell which of the two it is
    message = (
        f"{measured}, below {number(t.swapped_auc)} for {t.swapped_hold} steps: the discriminator scores fakes"
        f" above real"
        " samples nearly always, as with swapped labels"
    )
    return found("warning", message, evidence, SWAPPED)


def swapped_warm(t: Thresholds, seen: Seen) -> bool:
    """Slopes prove it soon; scores alone are no sign in a young run."""
    return seen.age >= (t.sure_warm_up if seen.memory.get("sure") else t.warm_up)


def _at_once(
    what: str,
    needs: Needs,
    judge: Callable[[Thresholds, Seen], Finding],
    hold: Callable[[Thresholds], int],
    least: int,
) -> Rule[Thresholds]:
    """A rule on a certain bug, which needs no warm-up."""
    return Rule(what, needs, judge, hold, least, always)


def _without_hold(t: Thresholds) -> int:
    """The count of steps is a hold already."""
    return 0


DETECTOR = Rules(
    kind="broken_loop",
    thresholds=Thresholds,
    reads=PLAY | {"loss_slope"} | {f"{player}_gradient_norm" for player in PLAYERS},
    rules=(
        *(
            _at_once(
                f"gradient of the {player}",
                one_of(f"{player}_gradient_zero"),
                partial(judge_gradient, player),
                lambda t: t.no_gradient_hold,
                1,
            )
            for player in PLAYERS
        ),
        _at_once("gradient of the generator", one_of("generator_gradient_zero"), judge_cut, lambda t: t.cut_hold, 2),
        *(
            _at_once(
                "steps of both",
                all_of(*(f"{player}_steps" for player in PLAYERS)),
                partial(judge_steps, *players),
                _without_hold,
                1,
            )
            for players in (PLAYERS, PLAYERS[::-1])
        ),
        *(
            _at_once(
                f"travel of the {player}",
                one_of(f"{player}_learning_rate", f"{player}_update_ratio"),
                partial(judge_still, player),
                lambda t: t.still_hold,
                2,
            )
            for player in PLAYERS
        ),
        Rule("swapped labels", one_of("auc"), judge_swapped, hold=lambda t: t.swapped_hold, ready=swapped_warm),
    ),
)
