"""What several rules ask of the samples."""

from __future__ import annotations

from gandiag.monitor.detectors._seen import Seen

SIGNALS = frozenset({"variance_ratio", "pairwise_distance_ratio"})


def spread(seen: Seen) -> float | None:
    """The variance of the fakes over that of the real samples, or else the square of the ratio of distances."""
    variance = seen.last("variance_ratio")
    if variance is not None:
        return variance
    distance = seen.last("pairwise_distance_ratio")
    return None if distance is None else distance * distance


def percentile(values: list[float], share: float) -> float:
    """The value below which this share of the values lies, by the nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def smoothed(values: list[float]) -> list[float]:
    """Running medians of three, which take single outliers and most of the noise away."""
    threes = zip(values, values[1:], values[2:], strict=False)
    return [max(min(a, b), min(max(a, b), c)) for a, b, c in threes]
