"""A window of steps: measurements come in, a record's signals come out. All on the host, in float64."""

from __future__ import annotations

import itertools
import math
import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from gandiag.monitor.buffer import Measurement
from gandiag.monitor.measure.confidence import Array, LossKind, auc, confidence, d_prime, saturation
from gandiag.monitor.measure.diversity import vendi_ratio
from gandiag.monitor.measure.loss_kind import Evidence

RATIOS = ("variance_ratio", "pairwise_distance_ratio", "nearest_neighbour_ratio", "coverage")
LARGEST = ("score_magnitude",)  # signals that are the largest of a window; the others are means
HELD_OUT_APART = 0.5  # d' below which the place of the held-out score between real and fake says nothing


@dataclass
class Losses:
    """What is known of the loss that judges with one discriminator's scores.

    Args:
        said: by the user, or None.
        bounded: whether the discriminator ends in a sigmoid.
    """

    said: LossKind | None = None
    bounded: bool = False
    evidence: Evidence = field(default_factory=Evidence)

    @property
    def kind(self) -> LossKind:
        """The loss, as far as it is known."""
        found = self.evidence.kind
        if self.said is not None:
            return "probability" if self.said == "bce" and (self.bounded or found == "probability") else self.said
        return "probability" if found in ("unknown", "bce") and self.bounded else found


@dataclass
class Window:
    """What was measured since the last record.

    Args:
        losses: discriminator's key to what is known of its loss.
        opponents: discriminator's key to that of the generator which plays with it.
    """

    losses: dict[str, Losses]
    opponents: dict[str, str]
    values: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    latest: dict[str, float] = field(default_factory=dict)
    first_bad: int | None = None
    scales: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))  # of each gradient scaler

    def take(self, measurements: list[Measurement]) -> None:
        """Add what came from the devices; what tells the loss first."""
        for measurement in measurements:
            if measurement.kind.startswith("loss "):
                evidence = self.losses[measurement.player].evidence
                evidence.add(measurement.kind.removeprefix("loss "), *measurement.parts)
        for measurement in measurements:
            self._take(measurement)

    def mean_of(self, signal: str, value: float, step: int) -> None:
        """Add a value to the mean of a signal."""
        count = "non_finite_scores"
        if "_loss" in signal:
            count = "non_finite_losses"
        elif "_gradient" in signal:
            count = f"non_finite_{signal.partition('_')[0]}_gradients"
        if self.check(count, signal, step, math.isfinite(value)):
            self.values[signal].append(value)

    def check(self, count: str, signal: str, step: int, finite: bool) -> bool:
        """Count what is not finite, and the first step at which it was; whether it is finite."""
        self.counts[_like(count, signal)] += not finite
        if not finite:
            self.first_bad = step if self.first_bad is None else min(self.first_bad, step)
        return finite

    def signals(self) -> dict[str, float]:
        """The signals of the window."""
        found: dict[str, float] = {}
        for signal, values in self.values.items():
            name = signal.partition("@")[0]
            if name.endswith("gradient_norm"):
                found[signal] = statistics.median(values)
                found[_like(f"{name}_max", signal)] = max(values)
            elif name in LARGEST:
                found[signal] = max(values)
            else:
                found[signal] = statistics.fmean(values)
        found.update({name: float(count) for name, count in self.counts.items()})
        if self.first_bad is not None:
            found["non_finite_step"] = float(self.first_bad)
        found.update(self.latest)
        return {name: value for name, value in found.items() if math.isfinite(value)}

    def _take(self, measurement: Measurement) -> None:
        kind, player, step = measurement.kind, measurement.player, measurement.step
        numbers = [part.astype(np.float64) for part in measurement.parts]
        match kind.split(" "):
            case ["gradients"]:
                self._gradients(player, step, [float(number[0]) for number in numbers])
            case ["weights"]:
                self._weights(player, step, [float(number[0]) for number in numbers])
            case ["scores" | "observed"]:
                self._scores(player, step, numbers)
            case ["finite"]:
                self.check("non_finite_scores", player, step, bool(np.isfinite(numbers[0]).all()))
            case ["samples"]:
                self.check("non_finite_samples", player, step, bool(np.isfinite(numbers[0]).all()))
            case ["slope", side]:
                self._slope(player, side, numbers[0])
            case ["diversity"]:
                self._diversity(player, numbers)
            case ["held_out"]:
                self._held_out(player, numbers)
            case ["scale"]:
                self.scales[player].append(float(numbers[0][0]))
            case ["value"]:
                self.mean_of(player, float(numbers[0].mean()), step)

    def _gradients(self, player: str, step: int, numbers: list[float]) -> None:
        norm, *overflow = numbers
        name = player.partition("@")[0]
        skipped = bool(overflow) and overflow[0] > 0
        if overflow:  # a fused optimizer skips by itself; that it skipped none is kept too
            self.counts["overflows"] += skipped
        if not skipped and self.check(f"non_finite_{name}_gradients", player, step, math.isfinite(norm)):
            self.values[_like(f"{name}_gradient_norm", player)].append(norm)
            self.values[_like(f"{name}_gradient_zero", player)].append(float(norm == 0))

    def _weights(self, player: str, step: int, numbers: list[float]) -> None:
        norm, *way = numbers
        if (
            self.check("non_finite_weights", player, step, math.isfinite(norm))
            and way
            and norm > 0
            and math.isfinite(way[0])
        ):
            self.latest[_like(f"{player.partition('@')[0]}_update_ratio", player)] = way[0] / norm

    def _scores(self, player: str, step: int, numbers: Sequence[Array]) -> None:
        real, fake, *peak = numbers
        finite = bool(np.isfinite(real).all() and np.isfinite(fake).all())
        if not self.check("non_finite_scores", player, step, finite):
            return
        loss = self.losses[player]
        kind, labels = loss.kind, loss.evidence.labels
        measured = {
            "real_score": real.mean(),
            "fake_score": fake.mean(),
            "score_magnitude": peak[0][0] if peak else max(np.abs(real).max(), np.abs(fake).max()),
            "auc": auc(real=real, fake=fake),
            "d_prime": d_prime(real=real, fake=fake),
            "real_confidence": confidence(kind, real, labels),
            "fake_confidence": confidence(kind, fake, labels),
            "saturation": saturation(kind, real=real, fake=fake),
        }
        for name, value in measured.items():
            if value is not None and math.isfinite(value):
                self.values[_like(name, player)].append(float(value))

    def _slope(self, player: str, side: str, numbers: Array) -> None:
        total, magnitude, *by_logit = numbers.tolist()
        if by_logit and self.losses[player].kind == "probability":
            magnitude = by_logit[0]
        if not (math.isfinite(total) and math.isfinite(magnitude)):
            return
        if side == "generator":
            self.values[_like("loss_slope", player)].append(magnitude)
        # A step along the negative derivative moves the score.
        towards = -math.copysign(1.0, total)
        if side == "real" and total != 0:
            self.values[_like("discriminator_direction", player)].append(towards)
        elif side == "generator" and total != 0 and player in self.opponents:
            self.values[_like("generator_direction", self.opponents[player])].append(towards)

    def _diversity(self, player: str, numbers: Sequence[Array]) -> None:
        ratios, among_real, among_fake, middle = numbers
        for name, value in zip(RATIOS, ratios.tolist(), strict=True):
            if math.isfinite(value):
                self.latest[_like(name, player)] = value
        count = math.isqrt(len(among_real))
        square = (count, count)
        ratio = vendi_ratio(real=among_real.reshape(square), fake=among_fake.reshape(square), scale=float(middle[0]))
        if ratio is not None:
            self.latest[_like("vendi_ratio", player)] = ratio

    def _held_out(self, player: str, numbers: Sequence[Array]) -> None:
        held_out, *others = numbers
        if not all(np.isfinite(each).all() for each in numbers):
            return
        self.latest[_like("held_out_score", player)] = float(held_out.mean())
        if len(others) == 2:
            real, fake = others
            self.latest[_like("held_out_auc", player)] = auc(real=real, fake=held_out)
            apart = d_prime(real=real, fake=fake)
            if apart is not None and apart > HELD_OUT_APART:
                gap = (real.mean() - held_out.mean()) / (real.mean() - fake.mean())
                self.latest[_like("held_out_gap", player)] = float(np.clip(gap, 0, 1))


def skips(scales: Sequence[float], backoff: float) -> int:
    """How many steps a gradient scaler skipped, from how its scale fell."""
    pairs = itertools.pairwise(scales)
    return sum(round(math.log(now / before, backoff)) for before, now in pairs if 0 < now < before)


def _like(name: str, player: str) -> str:
    """A signal's name for the player that another name or key belongs to."""
    _, at, which = player.partition("@")
    return f"{name}{at}{which}"
