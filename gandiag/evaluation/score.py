"""Scoring: open both sides, extract once what all metrics need, compute, and say how it was done."""

from __future__ import annotations

import datetime
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gandiag.core import seeds
from gandiag.core.errors import InputError, MissingDataError, UsageError, shown
from gandiag.core.fingerprint import fingerprint
from gandiag.core.protocols import (
    Conditioning,
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
from gandiag.evaluation.extract import BATCH, labels_of
from gandiag.evaluation.kept import Keep
from gandiag.evaluation.like import protocol_of
from gandiag.evaluation.paths import has_paths
from gandiag.evaluation.reference import Reference, check_extractor, open_held_out, open_reference
from gandiag.evaluation.resolve import Access, Samples, open_source
from gandiag.evaluation.sides import Meter, Pass, Sides, extract_sides
from gandiag.extractors import open_extractor
from gandiag.statistics import collective
from gandiag.statistics.cache import Cache, default_cache_folder
from gandiag.statistics.feature_bank import FeatureBank

PRECISIONS = ("fp32", "tf32", "bf16")


def score(
    source: Samples,
    metrics: Sequence[str] | str | None = None,
    *,
    against: Samples | None = None,
    held_out: Samples | None = None,
    samples: int | None = None,
    seed: int = 0,
    extractor: str | os.PathLike[str] | None = None,
    weights: str | os.PathLike[str] | None = None,
    preprocessing: str | None = None,
    like: str | None = None,
    device: str = "auto",
    precision: Precision = "fp32",
    compiled: bool = False,
    batch_size: int | None = None,
    data_root: str | os.PathLike[str] | None = None,
    download: bool = False,
    latent: Latent | None = None,
    image: ImageSpec | None = None,
    conditioning: Conditioning | None = None,
    cache: str | os.PathLike[str] | bool = False,
    progress: ProgressCallback | None = None,
) -> Result:
    """Score samples against a reference.

    Args:
        source: a checkpoint, a folder of images, an array file, a dataset's name (`NAME` or `NAME:SPLIT`); or a
            network, a function `noise -> images`, a tensor of images or points, a torch dataset.
        metrics: names or aliases, such as `fid`, `is`, `pr`, `modes`; `NAME@EXTRACTOR` asks for another extractor;
            `all`; by default those of fid, is, pr and modes that the reference and its extractor allow.
        against: the reference, named as the source, or a statistics file; by default the dataset that a checkpoint
            names, or a dataset itself.
        held_out: other real samples than the reference, for the metrics that need some; by default the test split of
            a dataset of which the reference is the training split.
        samples: of the source; by default what the reference's protocol has. A reference that is drawn gives as many,
            one that is stored gives all it has.
        seed: of the latents, and of the halves that error bars come from.
        extractor: in place of the reference's own: a name, or a TorchScript or torch.export file.
        weights: file with other weights for the extractor.
        preprocessing: `tf1`, `pytorch-fid`, `clean` or `antialias`, in place of the extractor's own.
        like: `torch-fidelity`, `pytorch-fid`, `clean-fid`, `torchmetrics`, `stylegan3`, `adm` or `prdc`: the protocol
            of that tool, for all that is not said here.
        device: `auto`, `cpu`, `cuda` or `cuda:i`.
        precision: `fp32`, `tf32` or `bf16`; goes into the fingerprint.
        compiled: compile the extractor's network, which starts slower and runs faster.
        batch_size: samples at a time; by default what suits the extractors.
        data_root: folder with published datasets.
        download: fetch a missing published dataset into it.
        latent, image: what a network or function takes and gives.
        conditioning: the labels that it takes too, if any.
        cache: folder in which features are kept from run to run, or true for the user's own.
        progress: told as the work goes on.

    Raises:
        GandiagError: the input or an option cannot be used; the message says which and what to do.
    """
    _check_options(samples, seed, batch_size, precision)
    started = time.perf_counter()
    device = environment.resolve_device(device, precision)
    notes: list[str] = []
    note = notes.append
    rules = protocol_of(like)
    requests = plan.parse_metrics([metrics] if isinstance(metrics, str) else metrics)
    requests = [request.with_settings(rules.settings.get(request.name, {})) for request in requests]
    root = None if data_root is None else Path(data_root)
    access = Access(seed, device, precision, root, download, by_name=rules.by_name)
    fake = open_source(source, access, latent=latent, image=image, conditioning=conditioning)
    reference = open_reference(fake, against, access, needing=_needing_reference(requests))
    others = open_held_out(held_out, reference.source, fake, access) if _wants_held_out(requests) else None
    for other in (reference.source, others):
        if other is not None and other.info.shape != fake.info.shape:
            shapes = (
                f"the samples of {fake.info.name} are {fake.info.shape}, those of {other.info.name} {other.info.shape}"
            )
            raise InputError(f"{shapes}; score against a reference of the same shape")
    count = plan.sample_count(fake, reference.source, samples if samples is not None else rules.samples)
    default = str(extractor) if extractor is not None else rules.extractor or _default_extractor(reference, fake)
    requests = [
        request.with_extractor(plan.extractor_named(rules.extractors.get(request.name, default)))
        for request in requests
    ]
    options = ExtractorOptions(
        device, precision, None if weights is None else Path(weights), preprocessing or rules.preprocessing, compiled
    )
    extractors, requests = _open_extractors(requests, options, preprocessing, notes)
    if reference.statistics is not None:
        check_extractor(reference.statistics, extractors)
        notes += reference.statistics.warnings
    requests = _served(requests, extractors, fake, reference, others)
    plan.check_samples(requests, count, fake.info.name)
    size = batch_size or min((each.info.batch_size for each in extractors.values()), default=BATCH)
    opened = time.perf_counter()
    shared = {"seed": seed, "precision": precision, "device": device.partition(":")[0], "batch_size": size}
    keep = Keep(_cache(cache, note), shared)
    how = Pass(extractors, size, device, keep, progress if collective.rank() == 0 else None, note)
    notes += [f"unlike {like}, {difference}" for difference in rules.differs]
    capped = samples is None and rules.samples is None
    sides = extract_sides(requests, fake, reference, others, count, how, capped=capped)
    extracted = time.perf_counter()
    protocol = {
        "samples": count,
        **shared,
        "quantisation": fake.info.quantisation,
        "device": device,
        "like": like,
        "processes": collective.world(),
        "held_out": None if others is None else others.info.sha256,
        "extractors": {
            name: {"sha256": each.info.sha256, "preprocessing": each.info.preprocessing}
            for name, each in extractors.items()
        },
    }
    scores: dict[str, Score] = {}
    meter = Meter(how.progress, "metrics", len(requests))
    for request in requests:
        scores.update(_compute(request, sides, reference, protocol, capped=capped))
        meter(1)
    finished = time.perf_counter()
    return Result(
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        source=describe_source(fake),
        reference=describe_reference(reference.name, reference.sha256, sides.real_samples),
        protocol=protocol,
        scores=scores,
        warnings=tuple(dict.fromkeys([*notes, *find_warnings(fake, reference.source, scores, count, samples)])),
        environment=environment.describe(device),
        timing={
            "open": round(opened - started, 3),
            "extract": round(extracted - opened, 3),
            "compute": round(finished - extracted, 3),
        },
    )


def _check_options(samples: int | None, seed: int, batch_size: int | None, precision: str) -> None:
    for name, value in (("samples", samples), ("batch_size", batch_size)):
        if value is not None and not (isinstance(value, int) and value >= 1):
            raise UsageError(f"{name} is {shown(value)}, expected a whole number of 1 or more")
    if not isinstance(seed, int):
        raise UsageError(f"seed is {shown(seed)}, expected a whole number")
    if precision not in PRECISIONS:
        raise UsageError(f"precision is {shown(precision)}, expected one of {', '.join(PRECISIONS)}")


def _needing_reference(requests: Sequence[plan.Request]) -> list[str]:
    return [request.name for request in requests if request.real_heads or request.metric.needs_modes]


def _wants_held_out(requests: Sequence[plan.Request]) -> bool:
    return any(request.metric.needs_held_out for request in requests)


def _default_extractor(reference: Reference, fake: Source) -> str:
    if reference.statistics is not None and reference.statistics.extractor is not None:
        return reference.statistics.extractor
    return plan.default_extractor(reference.source, fake)


def _open_extractors(
    requests: Sequence[plan.Request], options: ExtractorOptions, preprocessing: str | None, notes: list[str]
) -> tuple[dict[str, Extractor], list[plan.Request]]:
    """The extractors, and the requests without those optional ones whose extractor cannot be had here."""
    names = sorted({request.extractor for request in requests} - {plan.NONE})
    if options.weights is not None and len(names) > 1:
        raise UsageError(f"--weights is one file, and the metrics use the extractors {', '.join(names)}")
    opened: dict[str, Extractor] = {}
    for name in names:
        users = [request for request in requests if request.extractor == name]
        try:
            opened[name] = open_extractor(name, options)
        except MissingDataError as error:
            if not all(request.optional for request in users):
                raise
            notes.append(f"{', '.join(request.name for request in users)} left out: {error}")
    if options.weights is not None and opened[names[0]].info.sha256 is None:
        raise UsageError(f"--weights was given, and the extractor {names[0]} has no weights")
    if preprocessing is not None and not any(preprocessing in each.info.preprocessing for each in opened.values()):
        raise UsageError(f"--preprocessing was given, and the extractors {', '.join(names)} have one of their own")
    kept = [
        request.renamed(opened[request.extractor].info.name) if request.extractor else request
        for request in requests
        if request.extractor == plan.NONE or request.extractor in opened
    ]
    return {each.info.name: each for each in opened.values()}, kept


def _served(
    requests: Sequence[plan.Request],
    extractors: Mapping[str, Extractor],
    fake: Source,
    reference: Reference,
    held_out: Source | None,
) -> list[plan.Request]:
    """The requests that can be computed here; an error for one that was asked for by name and cannot."""
    available = {
        "images": len(fake.info.shape) == 3,
        "labels": labels_of(fake, 0, 1) is not None,
        "real labels": reference.labelled,
        "paths": has_paths(fake),
        "held out": held_out is not None,
    }
    there = frozenset(name for name, found in available.items() if found)
    kept = []
    for request in requests:
        given = extractors[request.extractor].info.heads if request.extractor else frozenset[str]()
        reason = plan.served(request, given, reference.given, there, reference.modes)
        if reason is None:
            kept.append(request)
        elif not request.optional:
            raise UsageError(f"{request.name} {reason}")
    if not kept:
        raise UsageError("no metric can be computed from these samples; name one with --metric to be told why")
    return kept


def _cache(cache: str | os.PathLike[str] | bool, warn: Callable[[str], None]) -> Cache | None:
    if cache is False:
        return None
    return Cache(default_cache_folder() if cache is True else Path(cache), warn=warn)


def _compute(
    request: plan.Request,
    sides: Sides,
    reference: Reference,
    protocol: Mapping[str, Any],
    *,
    capped: bool,
) -> dict[str, Score]:
    fake = sides.fake[request.extractor]
    real = sides.real.get(request.extractor)
    fake = fake.first(request.rows(len(fake), capped=capped))
    real = None if real is None else real.first(request.rows(len(real), capped=capped))
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
            "extractor": {"name": request.extractor, **protocol["extractors"].get(request.extractor, {})},
            "precision": protocol["precision"],
            "quantisation": protocol["quantisation"],
            "reference": reference.sha256,
            "n_real": found.n_real,
            "n_fake": found.n_fake,
        }
        digest = fingerprint(identity)
        finished[name + request.suffix] = replace(found, extractor=request.extractor or None, fingerprint=digest)
    return finished
