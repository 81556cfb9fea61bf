"""What became of a run: from its samples, weights and numbers, never from the monitor."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal

Outcome = Literal["healthy", "failed", "ambiguous"]
EXPLODED = 1e3  # norm of a gradient: over ten times what any healthy run here has
WANDERS = 0.1  # deviations of the data that the samples' mean goes from look to look; healthy runs' goes 0.05
BUGS = {
    "detached": {"broken_loop"},
    "frozen discriminator": {"broken_loop", "losing_discriminator"},
    "wrong sign": {"broken_loop", "losing_discriminator"},
    "swapped labels": {"broken_loop", "losing_discriminator"},
}


def judge(history: Mapping[str, Any], bug: str, modes: int, parameters: int) -> dict[str, Any]:
    """Outcome, the illnesses that explain it (any of them is a right name), and the step at which modes were lost."""
    timeline = [(int(step), found) for step, found in history["samples"]]
    late = [found for _, found in timeline[-max(3, len(timeline) // 10) :]]
    reached = statistics.median(found["modes"] for found in late) / modes if late else 0.0
    quality = statistics.median(found.get("quality") or 0.0 for found in late) if late else 0.0
    distance = statistics.median(found.get("distance", 0.0) or 0.0 for found in late) if late else 0.0
    variance = statistics.median(found["variance"] or 0.0 for found in late) if late else 0.0
    kinds: set[str] = set()
    if history["non_finite"] is not None:
        kinds |= {"non_finite", "exploding_gradient"}
    kinds |= BUGS.get(bug, set())
    norms = [norm for norm in history["generator_norms"] if norm is not None]
    last = statistics.median(norms[-max(3, len(norms) // 5) :]) if norms else 0.0
    accuracy = _tail(history["accuracies"])
    good = reached >= 0.85 and quality >= 0.5 and distance < 1.0 and _poor_share(timeline, modes) <= 0.25
    poor = reached <= 0.5 or quality < 0.25 or distance > 3.0
    if poor and last / max(parameters, 1) ** 0.5 < 1e-6:
        kinds.add("vanishing_gradient")
    d_norms = [norm for norm in history["discriminator_norms"] if norm is not None]
    if poor and (max(_peak(norms), _peak(d_norms)) > EXPLODED or _grew(norms) or _grew(d_norms)):
        kinds.add("exploding_gradient")
    collapsed = poor and reached <= 0.25 and variance < 0.1
    if collapsed:
        kinds.add("mode_collapse")
    elif poor and reached <= 0.5 and accuracy < 0.99:
        kinds |= {"mode_collapse", "mode_dropping"}  # a few modes are left: the literature has both words for it
    if poor and accuracy > 0.99 and "vanishing_gradient" not in kinds:
        kinds.add("overpowering_discriminator")
    settled = collapsed and _wandering(timeline) < WANDERS
    if poor and not settled and not kinds & {"broken_loop", "vanishing_gradient", "overpowering_discriminator"}:
        kinds.add("non_convergence")  # a collapse whose one mode hops about is one too
    if _tail(history["held_out"]) > 0.75:
        kinds.add("discriminator_overfitting")
    failed = bool(kinds & {"non_finite", "broken_loop"}) or poor
    overfitted = "discriminator_overfitting" in kinds
    outcome: Outcome = "failed" if failed or overfitted else "healthy" if good else "ambiguous"
    return {
        "outcome": outcome,
        "kinds": sorted(kinds) if outcome == "failed" else [],
        "lost_at": _lost(timeline, modes) if outcome == "failed" else None,
        "modes": reached,
        "quality": quality,
        "variance": variance,
        "accuracy": accuracy,
        "gradient": last,
    }


def told_anew(told: Mapping[str, Any]) -> dict[str, Any]:
    """What was told of a run, with what became of it read from its history again."""
    return {**told, **judge(told["history"], told["bug"], told["total_modes"], told["parameters"])}


def _tail(values: Sequence[float | None]) -> float:
    finite = [value for value in values if value is not None]
    return statistics.median(finite[-max(3, len(finite) // 4) :]) if finite else 0.5


def _median_tail(norms: Sequence[float]) -> float:
    return statistics.median(norms[-max(3, len(norms) // 5) :]) if norms else 0.0


def _peak(norms: Sequence[float]) -> float:
    """The largest running median of three: one wild batch is no explosion."""
    return max((statistics.median(three) for three in zip(norms, norms[1:], norms[2:], strict=False)), default=0.0)


def _grew(norms: Sequence[float]) -> bool:
    """Whether the gradients are a hundred times what they were in the run's second tenth to its half."""
    middle = norms[len(norms) // 10 : len(norms) // 2]
    return len(middle) > 5 and _median_tail(norms) > 100 * max(statistics.median(middle), 1e-3)


def _wandering(timeline: Sequence[tuple[int, Mapping[str, float]]]) -> float:
    """How far the samples' mean goes between two looks, in the last third of the run."""
    late = [found["spread"] for _, found in timeline[-max(4, len(timeline) // 3) :]]
    return statistics.median(abs(a - b) for a, b in pairwise(late)) if len(late) > 1 else 0.0


def _poor_share(timeline: Sequence[tuple[int, Mapping[str, float]]], modes: int) -> float:
    """Share of the run, its first fifth left out, with a quarter of the modes or fewer: a collapse that healed too."""
    later = timeline[len(timeline) // 5 :]
    return sum(found["modes"] <= modes / 4 for _, found in later) / max(len(later), 1)


def _lost(timeline: Sequence[tuple[int, Mapping[str, float]]], modes: int) -> int | None:
    """The step from which modes that had been reached stay below a quarter; None where they never were half."""
    had = next((place for place, (_, found) in enumerate(timeline) if found["modes"] >= modes / 2), None)
    if had is None:
        return None
    later = timeline[had:]
    below = [found["modes"] <= modes / 4 for _, found in later]
    for place in range(len(later)):
        if all(below[place:]):
            return later[place][0]
    return None
