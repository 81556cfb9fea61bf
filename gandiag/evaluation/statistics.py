"""Statistics of a reference, built once and reused: what `gandiag stats build` writes."""

from __future__ import annotations

import datetime
import os
from pathlib import Path

from gandiag._version import __version__
from gandiag.core.errors import InputError
from gandiag.core.protocols import Extractor, ExtractorOptions, Precision, ProgressCallback, Source
from gandiag.core.whole_number import whole_number
from gandiag.evaluation import environment, plan
from gandiag.evaluation.batches import fitting_batch
from gandiag.evaluation.extract import Task, extract
from gandiag.evaluation.resolve import Access, Samples, open_source, reference_access
from gandiag.evaluation.sides import Meter
from gandiag.extractors import check_used, open_extractor
from gandiag.statistics.reference_statistics import ReferenceStatistics
from gandiag.statistics.statistics_file import CONVENTION

FEWEST = 2  # samples that have a covariance


def build_statistics(
    source: Samples,
    *,
    extractor: str | None = None,
    weights: str | os.PathLike[str] | None = None,
    preprocessing: str | None = None,
    compiled: bool = False,
    samples: int | None = None,
    device: str = "auto",
    batch_size: int | None = None,
    precision: Precision = "fp32",
    data_root: str | os.PathLike[str] | None = None,
    download: bool = False,
    progress: ProgressCallback | None = None,
) -> ReferenceStatistics:
    """Moments of a reference's features, as a score against the reference itself would have them.

    Args:
        source: a dataset's name, a folder, an array file, or whatever else `score` takes as a reference.
        extractor: in place of the reference's own.
        weights: file with other weights for the extractor.
        preprocessing: name of a protocol in place of the extractor's own.
        compiled: compile the extractor's network, which starts slower and runs faster.
        samples: by default all that there are, or what the protocol of a dataset that is drawn has.
        device: `auto`, `cpu`, `cuda` or `cuda:i`.
        batch_size: samples at a time; the extractor's own by default.
        precision: `fp32`, `tf32` or `bf16`.
        data_root: folder with published datasets.
        download: fetch a missing published dataset into it.
        progress: told as the work goes on.

    Raises:
        GandiagError: the input or an option cannot be used; the message says which and what to do.
    """
    samples = None if samples is None else whole_number("samples", samples, 1)
    batch_size = None if batch_size is None else whole_number("batch_size", batch_size, 1)
    device = environment.resolve_device(device, precision)
    root = None if data_root is None else Path(data_root)
    access = Access(0, device, precision, data_root=root, download=download)
    real = open_source(source, reference_access(access))
    count = _sample_count(real, samples)
    options = ExtractorOptions(device, precision, None if weights is None else Path(weights), preprocessing, compiled)
    opened = _open_extractor(real, extractor, options)
    size = fitting_batch(opened.info.batch_size, real.info.shape) if batch_size is None else batch_size
    heads = {"moments": count} | ({"spatial_moments": count} if "spatial" in opened.info.heads else {})
    meter = Meter(progress, "reference", count)
    bank = extract(real, {"": Task(opened, heads)}, count, batch_size=size, device=device, advance=meter)[""]
    if bank.moments is None:
        raise InputError(f"the extractor {opened.info.name} gave no features")
    return ReferenceStatistics(
        name=real.info.name,
        convention=CONVENTION,
        moments=bank.moments,
        spatial_moments=bank.spatial_moments,
        samples=count,
        extractor=opened.info.name,
        extractor_sha256=opened.info.sha256,
        preprocessing=opened.info.preprocessing,
        source_sha256=real.info.sha256,
        protocol={
            "source": {"kind": real.info.kind, "path": real.info.path, "shape": list(real.info.shape)},
            "precision": precision,
            "quantisation": real.info.quantisation,
            "device": device,
            "batch_size": size,
            "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "gandiag": __version__,
        },
    )


def _sample_count(real: Source, samples: int | None) -> int:
    everything = samples is None and real.info.size is not None
    count = (real.info.size or 0) if everything else plan.sample_count(real, real, samples)
    if count < FEWEST:
        raise InputError(f"{count} samples of {real.info.name} are too few for statistics: {FEWEST} or more")
    return count


def _open_extractor(real: Source, name: str | None, options: ExtractorOptions) -> Extractor:
    opened = open_extractor(plan.extractor_named(name) if name is not None else plan.default_extractor(real), options)
    check_used([opened], options.weights, options.preprocessing)
    return opened
