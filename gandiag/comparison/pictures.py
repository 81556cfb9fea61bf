"""The pictures of a comparison, read again from its sources, which are made small and few."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from gandiag.comparison.table import Comparison
from gandiag.core.gallery import Gallery
from gandiag.core.generator_options import GeneratorOptions
from gandiag.core.protocols import Precision
from gandiag.core.result import Result


def pictures_of(
    comparison: Comparison,
    *,
    against: Any = None,
    inputs: Any = None,
    seed: int = 0,
    device: str = "auto",
    precision: Precision = "fp32",
    data_root: str | os.PathLike[str] | None = None,
    download: bool = False,
    generator: GeneratorOptions | None = None,
) -> Gallery:
    """Sheets, samples that matter, missing modes and a map of features, for the report.

    Sources that are no longer there, and references of which only statistics are known, are left out with a note.

    Args:
        comparison: of which the pictures are.
        against: the reference; by default what the Results name.
        inputs, seed, device, precision, data_root, download, generator: as the sources were scored.

    Raises:
        UsageError: the device or the precision cannot be used here.
        InputError: the inputs cannot be read.
    """
    from gandiag.evaluation import environment
    from gandiag.evaluation.gallery import make_gallery
    from gandiag.evaluation.partners import feeding
    from gandiag.evaluation.resolve import Access

    results = [entry.result for entry in comparison.entries]
    access = Access(
        seed=seed,
        device=environment.resolve_device(device, precision),
        precision=precision,
        generator=generator or GeneratorOptions(),
        data_root=None if data_root is None else Path(data_root),
        download=download,
    )
    named = next((result.reference.get("name") for result in results), None)
    reference = against if against is not None else named
    gallery = make_gallery([_source(result) for result in results], results, feeding(access, inputs), against=reference)
    # The table's names, which tell sources of one name apart.
    models = zip(gallery.models, comparison.sources, strict=True)
    return replace(gallery, models=tuple(replace(model, name=name) for model, name in models))


def _source(result: Result) -> str | None:
    path, name = result.source.get("path"), result.source.get("name")
    if path is not None:
        return str(path) if Path(str(path)).exists() else None
    return str(name) if result.source.get("kind") == "dataset" else None
