"""What two values of one score must agree in to be comparable, and in what they differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gandiag.core.errors import printable
from gandiag.core.result import Result

SHOWN = 60  # characters of a value in a message
DIGEST = 12  # of a SHA-256


def identity(result: Result, name: str) -> dict[str, Any]:
    """The fields behind a score's fingerprint that the Result holds: all but the metric's version."""
    score, protocol = result.scores[name], result.protocol
    extractors = protocol.get("extractors")
    extractor = extractors.get(score.extractor) if isinstance(extractors, Mapping) else None
    extractor = extractor if isinstance(extractor, Mapping) else {}
    fields: dict[str, Any] = {f"params.{key}": value for key, value in score.params.items()}
    return fields | {
        "extractor": score.extractor,
        "weights": extractor.get("sha256"),
        "preprocessing": extractor.get("preprocessing"),
        "precision": protocol.get("precision"),
        "quantisation": protocol.get("quantisation"),
        "reference": result.reference.get("sha256"),
        "n_real": score.n_real,
        "n_fake": score.n_fake,
    }


def differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[str, ...]:
    """`field: this, not that` for each field in which `one` differs from `other`."""
    names = [name for name in {**one, **other} if one.get(name) != other.get(name)]
    if not names:
        return ("what the Results do not show, such as the version of the metric",)
    return tuple(f"{name}: {_shown(one.get(name))}, not {_shown(other.get(name))}" for name in names)


def _shown(value: object) -> str:
    if value is None:
        return "none"
    text = printable(str(value))
    if len(text) == 64 and set(text) <= set("0123456789abcdef"):
        return text[:DIGEST]
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
