"""Scoring: open both sides, extract once what all metrics need, compute, and say how it was done."""

from __future__ import annotations

import datetime
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gandiag.core import seeds
from gandiag.core.errors import InputError, UnknownNameError, UsageError, shown
from gandiag.core.fingerprint import fingerprint
from gandiag.core.protocols import (
    Conditioning,
    Dataset,
    Extractor,
    ExtractorOptions,
    ImageSpec,
    Latent,
    Precision,
    ProgressCallback,
    Source,
)
from gandiag.core.result import Result
from gandiag.core.score import Score
from gandiag.evaluation import environment, plan
from gandiag.evaluation.describe import describe_reference, describe_source, find_warnings
from gandiag.evaluation.extract import BATCH
from gandiag.evaluation.resolve import Access, Samples, open_dataset, open_source, reference_access
from gandiag.evaluation.sides import Meter, Sides, extract_sides, modes_of
from gandiag.extractors import EXTRACTORS
from gandiag.statistics.feature_bank import FeatureBank

PRECISIONS = ("fp32", "tf32", "bf16")
INCEPTION = "inception"


def score(
    source: Samples,
    metrics: Sequence[str] | str | None = None,
    *,
    against: Samples | None = None,
    samples: int | None = None,
    seed: int = 0,
    extractor: str | None = None,
    weights: str | os.PathLike[str] | None = None,
    device: str = "auto",
    precision: Precision = "fp32",
    batch_size: int = BATCH,
    data_root: str | os.PathLike[str] | None = None,
    download: bool = False,
    latent: Latent | None = None,
    image: ImageSpec | None = None,
    conditioning: Conditioning | None = None,
    progress: ProgressCallback | None = None,
) -> Result:
    """Score samples against a reference.

    Args:
        source: a checkpoint, a folder of images, an array file, a dataset's name (`NAME` or `NAME:SPLIT`); or a
            network, a function `noise -> images`, a tensor of images or points, a torch dataset.
        metrics: names or aliases, such as `fid`, `is`, `pr`, `modes`; `NAME@EXTRACTOR` asks for another extractor;
            `all`; by default all that the reference and its extractor allow.
        against: the reference, named as the source; by default the dataset that a checkpoint names, or a dataset
            itself.
        samples: of the source; by default what the reference's protocol has. A reference that is drawn gives as many,
            one that is stored gives all it has.
        seed: of the latents, and of the halves that error bars come from.
        extractor: in place of the reference's own.
        weights: file with other weights for the extractor.
        device: `auto`, `cpu`, `cuda` or `cuda:i`.
        precision: `fp32`, `tf32` or `bf16`; goes into the fingerprint.
        batch_size: samples at a time.
        data_root: folder with published datasets.
        download: fetch a missing published dataset into it.
        latent, image: what a network or function takes and gives.
        conditioning: the labels that it takes too, if any.
        progress: told as the work goes on.

    Raises:
        GandiagError: the input or an option cannot be used; the message says which and what to do.
    """
    _check_options(samples, seed, batch_size, precision)
    started = time.perf_counter()
    requests = plan.parse_metrics(["all"] if metrics is None else [metrics] if isinstance(metrics, str) else metrics)
    device = environment.resolve_device(device, precision)
    access = Access(seed, device, precision, None if data_root is None else Path(data_root), download)
    fake = open_source(source, access, latent=latent, image=image, conditioning=conditioning)
    real = _reference(fake, against, requests, access)
    if real is not None and real.info.shape != fake.info.shape:
        shapes = f"the samples of {fake.info.name} are {fake.info.shape}, those of {real.info.name} {real.info.shape}"
        raise InputError(f"{shapes}; score against a reference of the same shape")
    count = plan.sample_count(fake, real, samples)
    options = ExtractorOptions(device, precision, None if weights is None else Path(weights))
    default = _default_extractor(real, fake) if extractor is None else EXTRACTORS.resolve(extractor)
    requests = [request.with_extractor(default) for request in requests]
    extractors = _open_extractors(requests, options)
    requests = plan.applicable(requests, extractors, modes_of(real))
    _check_modes(requests, real)
    plan.check_samples(requests, count, fake.info.name)
    opened = time.perf_counter()
    sides = extract_sides(requests, extractors, fake, real, count, batch_size, progress)
    extracted = time.perf_counter()
    protocol = {
        "samples": count,
        "seed": seed,
        "precision": precision,
        "quantisation": fake.info.quantisation,
        "device": device,
        "batch_size": batch_size,
        "extractors": {
            name: {"sha256": each.info.sha256, "preprocessing": each.info.preprocessing}
            for name, each in extractors.items()
        },
    }
    scores: dict[str, Score] = {}
    meter = Meter(progress, "metrics", len(requests))
    for request in requests:
        scores.update(_compute(request, sides, real, protocol, capped=samples is None))
        meter(1)
    finished = time.perf_counter()
    return Result(
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        source=describe_source(fake),
        reference=describe_reference(real, sides.real_samples),
        protocol=protocol,
        scores=scores,
        warnings=tuple(find_warnings(fake, real, scores, count, samples)),
        environment=environment.describe(device),
        timing={
            "open": round(opened - started, 3),
            "extract": round(extracted - opened, 3),
            "compute": round(finished - extracted, 3),
        },
    )


def _check_options(samples: int | None, seed: int, batch_size: int, precision: str) -> None:
    for name, value in (("samples", samples), ("batch_size", batch_size)):
        if value is not None and not (isinstance(value, int) and value >= 1):
            raise UsageError(f"{name} is {shown(value)}, expected a whole number of 1 or more")
    if not isinstance(seed, int):
        raise UsageError(f"seed is {shown(seed)}, expected a whole number")
    if precision not in PRECISIONS:
        raise UsageError(f"precision is {shown(precision)}, expected one of {', '.join(PRECISIONS)}")


def _reference(
    fake: Source, against: Samples | None, requests: Sequence[plan.Request], access: Access
) -> Source | None:
    if against is not None:
        return open_source(against, reference_access(access))
    if isinstance(fake, Dataset):
        return open_dataset(fake.info.name, reference_access(access))
    if fake.info.dataset is not None:
        try:
            # By name alone: a file must not make gandiag read another file of its choice.
            return open_dataset(fake.info.dataset, reference_access(access))
        except UnknownNameError as error:
            message = f"{fake.info.name} says that it imitates the {error}"
            raise UsageError(f"{message}; give a reference with --against") from error
    needing = [request.name for request in requests if request.real_heads or request.metric.needs_modes]
    if needing:
        message = f"{fake.info.name} names no dataset, and {', '.join(needing)} cannot do without a reference"
        raise UsageError(f"{message}; give one with --against")
    return None


def _default_extractor(real: Source | None, fake: Source) -> str:
    for side in (real, fake):
        if isinstance(side, Dataset):
            return side.extractor
    return "pixels" if len(fake.info.shape) == 1 else INCEPTION


def _open_extractors(requests: Sequence[plan.Request], options: ExtractorOptions) -> dict[str, Extractor]:
    names = sorted({request.extractor for request in requests})
    if INCEPTION in names and INCEPTION not in EXTRACTORS.names():
        message = f"the default extractor for these images, {INCEPTION}, is not part of this version"
        raise UsageError(f"{message}; choose one with --extractor: {', '.join(EXTRACTORS.names())}")
    if options.weights is not None and len(names) > 1:
        raise UsageError(f"--weights is one file, and the metrics use the extractors {', '.join(names)}")
    opened = {name: EXTRACTORS.load(name)(options) for name in names}
    if options.weights is not None and opened[names[0]].info.sha256 is None:
        raise UsageError(f"--weights was given, and the extractor {names[0]} has no weights")
    return opened


def _check_modes(requests: Sequence[plan.Request], real: Source | None) -> None:
    needing = [request.name for request in requests if request.metric.needs_modes]
    if needing and real is not None and modes_of(real) is None:
        message = f"{', '.join(needing)} needs a reference with known modes, and {real.info.name} has none"
        raise UsageError(f"{message}; score against a dataset such as mnist, stacked-mnist, ring8 or grid25")


def _compute(
    request: plan.Request,
    sides: Sides,
    reference: Source | None,
    protocol: Mapping[str, Any],
    *,
    capped: bool,
) -> dict[str, Score]:
    fake = sides.fake[request.extractor]
    real = sides.real.get(request.extractor)
    limit = request.metric.maximum_samples
    if capped and limit is not None:
        fake = fake.first(limit)
        real = None if real is None else real.first(limit)
    computed = request.metric.compute(
        real=real if real is not None and request.real_heads else FeatureBank(modes=sides.modes),
        fake=fake,
        rng=seeds.generator(protocol["seed"], "metric", request.name),
    )
    finished = {}
    for name, found in computed.items():
        identity = {
            "score": name,
            "version": request.metric.version,
            "params": dict(found.params),
            "extractor": {"name": request.extractor, **protocol["extractors"][request.extractor]},
            "precision": protocol["precision"],
            "quantisation": protocol["quantisation"],
            "reference": None if reference is None else reference.info.sha256,
            "n_real": found.n_real,
            "n_fake": found.n_fake,
        }
        digest = fingerprint(identity)
        finished[name + request.suffix] = replace(found, extractor=request.extractor, fingerprint=digest)
    return finished
