"""What every extractor must do."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from gandiag.core.errors import InputError
from gandiag.core.protocols import Extracted, Extractor, ExtractorFactory, ExtractorOptions
from gandiag.testing._expect import expect, largest_difference

TOLERANCE = 1e-5  # relative to the largest value: a network's float32 output depends on its batch shape


def check_extractor(factory: ExtractorFactory, samples: Tensor, *, other_weights: Path | None = None) -> None:
    """Check an extractor on some samples that it takes.

    Args:
        factory: what its module's `load` is.
        samples: four or more, as a source reads them.
        other_weights: a valid weights file other than the default; its identity must differ.

    Raises:
        AssertionError: shapes or types are not as declared, the batch size matters, a repeat differs, a `per_channel`
            extractor treats a stack unlike its channels, or the identity does not follow the weights.
    """
    expect(len(samples) >= 4, "give 4 samples or more")
    extractor = factory(ExtractorOptions())
    kept = samples.clone()
    found = extractor(samples)
    expect(torch.equal(kept, samples), "it changes the samples that it is given")
    _check_shapes(extractor, found, len(samples))
    again = factory(ExtractorOptions())
    expect(again.info == extractor.info, "loading it twice gives two identities")
    _check_same(again(samples), found, 0.0, "loading it twice gives two answers")
    for size in (1, 3):
        parts = [extractor(samples[start : start + size]) for start in range(0, len(samples), size)]
        _check_same(_joined(parts), found, TOLERANCE, f"batches of {size} give other values than one batch")
    _check_same(extractor(samples.flip(0)), _flipped(found), TOLERANCE, "the order of the batch matters")
    if extractor.info.per_channel:
        _check_channels(extractor, samples, found)
    _check_identity(factory, extractor, other_weights)


def _check_shapes(extractor: Extractor, found: Extracted, count: int) -> None:
    info = extractor.info
    expect(bool(info.name) and bool(info.preprocessing), "its info lacks a name or the preprocessing")
    known = {"features", "logits", "spatial"}
    expect(info.heads <= known and "features" in info.heads, f"its heads are {sorted(info.heads)}")
    expect(found.features.ndim == 2 and len(found.features) == count, f"features are {tuple(found.features.shape)}")
    for head, value in (("logits", found.logits), ("spatial", found.spatial)):
        declared = (head in info.heads) == (value is not None)
        expect(declared, f"it gives {head} and does not declare them, or the reverse")
    if found.logits is not None:
        expect(found.logits.ndim == 3 and len(found.logits) == count, f"logits are {tuple(found.logits.shape)}")
    if found.spatial is not None:
        expect(found.spatial.ndim == 2 and len(found.spatial) == count, f"spatial are {tuple(found.spatial.shape)}")
    for values in _tensors(found):
        expect(values.dtype == torch.float32, f"it gives {values.dtype}, expected float32")
        expect(bool(torch.isfinite(values).all()), "it gives NaN or infinite values")
        expect(not values.requires_grad, "it keeps the graph of its forward pass")


def _check_channels(extractor: Extractor, samples: Tensor, found: Extracted) -> None:
    parts = [extractor(samples[:, channel : channel + 1]) for channel in range(samples.shape[1])]
    joined = Extracted(
        torch.cat([part.features for part in parts], dim=1),
        None if found.logits is None else torch.cat([part.logits for part in parts if part.logits is not None], dim=1),
    )
    _check_same(joined, found, TOLERANCE, "it is per_channel, but a stack differs from its channels joined")


def _check_identity(factory: ExtractorFactory, extractor: Extractor, other_weights: Path | None) -> None:
    if extractor.info.sha256 is None:
        return
    try:
        factory(ExtractorOptions(weights=Path("no-such-folder") / "no-such-weights"))
    except InputError:
        pass
    else:
        raise AssertionError("a weights file that does not exist is not an InputError")
    if other_weights is not None:
        other = factory(ExtractorOptions(weights=other_weights))
        expect(other.info.sha256 != extractor.info.sha256, "other weights have the same sha256")
        expect(other.info.name == extractor.info.name, "other weights change its name")


def _check_same(one: Extracted, other: Extracted, tolerance: float, message: str) -> None:
    expect([value is None for value in _heads(one)] == [value is None for value in _heads(other)], message)
    for a, b in zip(_tensors(one), _tensors(other), strict=True):
        scale = max(1e-12, float(b.abs().max()))
        difference = largest_difference(a, b) / scale
        expect(difference <= tolerance, f"{message} (by {difference:.2g} of the largest value)")


def _heads(found: Extracted) -> tuple[Tensor | None, ...]:
    return found.features, found.logits, found.spatial


def _tensors(found: Extracted) -> list[Tensor]:
    return [value for value in _heads(found) if value is not None]


def _flipped(found: Extracted) -> Extracted:
    logits, spatial = (None if value is None else value.flip(0) for value in (found.logits, found.spatial))
    return Extracted(found.features.flip(0), logits, spatial)


def _joined(parts: list[Extracted]) -> Extracted:
    logits = [part.logits for part in parts if part.logits is not None]
    spatial = [part.spatial for part in parts if part.spatial is not None]
    return Extracted(
        torch.cat([part.features for part in parts]),
        torch.cat(logits) if logits else None,
        torch.cat(spatial) if spatial else None,
    )
