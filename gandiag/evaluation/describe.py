"""What a Result says of its source and reference, and what its reader should know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gandiag.core.protocols import Dataset, Source
from gandiag.core.score import Score
from gandiag.evaluation.look import look

UNSURE = 0.5  # mean confidence of a classifier below which its labels say little


def describe_source(source: Source) -> dict[str, Any]:
    """The `source` of a Result."""
    info = source.info
    return {
        "name": info.name,
        "kind": info.kind,
        "path": info.path,
        "sha256": info.sha256,
        "shape": list(info.shape),
        "weights": info.weights,
        "dataset": info.dataset,
        "generator": dict(info.details) or None,
        "step": info.step,
    }


def describe_reference(name: str | None, sha256: str | None, samples: int) -> dict[str, Any]:
    """The `reference` of a Result; `samples` of it were used."""
    return {"name": name, "sha256": sha256, "samples": samples}


def find_warnings(
    fake: Source, real: Source | None, scores: Mapping[str, Score], count: int, wanted: int | None
) -> Iterator[str]:
    """What to know of the scores: `count` samples were taken where the user asked for `wanted` or said nothing."""
    for side in (fake, *([real] if real is not None else [])):
        yield from side.info.warnings
    if real is not None and (fake.info.lossy is None) != (real.info.lossy is None):
        lossy, other = (fake, real) if fake.info.lossy is not None else (real, fake)
        message = f"{lossy.info.name} was compressed with loss ({lossy.info.lossy}), and {other.info.name} was not"
        yield f"{message}: FID sees the compression, often more than the generator (arXiv:2104.11222); use PNG"
    yield from look(fake, real, count)
    if wanted is None and isinstance(real, Dataset) and count < real.samples:
        yield f"{fake.info.name} has {count} samples, and the protocol of {real.info.name} takes {real.samples}"
    if real is not None and real.info.sha256 is not None and real.info.sha256 == fake.info.sha256:
        yield "the source and the reference are the same samples"
    for name, found in scores.items():
        if found.status != "ok":
            yield f"{name} is {found.status}: {found.reason}"
    modes = scores.get("modes")
    confidence = None if modes is None else modes.details.get("mean_confidence")
    if confidence is not None and confidence < UNSURE:
        yield f"the classifier is unsure of these samples (mean confidence {confidence:.2f}): some modes are chance"
