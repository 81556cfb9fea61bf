"""What other thresholds would give: the receiver operating characteristic of each rule alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from replayed import Logged, judged

from gandiag.monitor.detectors import DETECTORS

SCALES = (0.25, 0.5, 0.7, 1.0, 1.4, 2.0, 4.0)
# The thresholds that decide most, each with its kind; an AUC is scaled by its distance to 1.
MAIN = (
    ("mode_collapse", "variance_ratio"),
    ("mode_collapse", "vendi_ratio"),
    ("vanishing_gradient", "ratio"),
    ("vanishing_gradient", "gradient"),
    ("exploding_gradient", "jump"),
    ("exploding_gradient", "scores"),
    ("non_convergence", "travel"),
    ("overpowering_discriminator", "auc"),
    ("losing_discriminator", "auc"),
    ("discriminator_overfitting", "held_out_auc"),
)


@dataclass(frozen=True)
class Curve:
    """How one kind alone fares as one of its thresholds is scaled by `SCALES`.

    Attributes:
        kind: of the rule.
        threshold: name of the field.
        default: its value.
        healthy: how many healthy runs there are.
        ill: how many runs have this illness.
        points: healthy runs alarmed and ill ones caught, for each scale.
    """

    kind: str
    threshold: str
    default: float
    healthy: int
    ill: int
    points: tuple[tuple[int, int], ...]


def curves(loaded: Sequence[Logged]) -> list[Curve]:
    """The curve of each main threshold."""
    return [_curve(kind, name, loaded) for kind, name in MAIN]


def _curve(kind: str, name: str, loaded: Sequence[Logged]) -> Curve:
    default = float(getattr(DETECTORS.load(kind).thresholds(), name))
    silenced: dict[str, Any] = {other: False for other in DETECTORS.names() if other != kind}
    healthy = [each for each in loaded if each.truth["outcome"] == "healthy"]
    ill = [each for each in loaded if kind in each.truth["kinds"]]
    points = []
    for scale in SCALES:
        thresholds = {**silenced, kind: {name: _scaled(name, default, scale)}}
        alarmed, caught = (sum(bool(run.alarms) for run in judged(group, thresholds)) for group in (healthy, ill))
        points.append((alarmed, caught))
    return Curve(kind, name, default, len(healthy), len(ill), tuple(points))


def _scaled(name: str, default: float, scale: float) -> float:
    if not name.endswith("auc"):
        return default * scale
    return 1 - (1 - default) / scale if default > 0.5 else min(default * scale, 1.0)


def table(found: Sequence[Curve]) -> list[str]:
    """The curves' part of the page."""
    lines = [
        "## Other thresholds",
        "",
        "Held-out runs: healthy alarmed, and ill caught, by each kind alone, as one of its thresholds is scaled.",
        "",
        "| kind | threshold | " + " | ".join(f"x {scale:g}" for scale in SCALES) + " |",
        "| --- | --- |" + " --- |" * len(SCALES),
    ]
    for curve in found:
        cells = [f"{alarmed}/{curve.healthy}, {caught}/{curve.ill}" for alarmed, caught in curve.points]
        lines.append(f"| {curve.kind} | {curve.threshold} = {curve.default:g} | " + " | ".join(cells) + " |")
    return [*lines, ""]
